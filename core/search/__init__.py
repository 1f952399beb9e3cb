"""A brief in plain English becomes ranked deals; deals sold twice are found."""

from core.search.brief import Brief, parse_brief
from core.search.duplicates import Duplicates, find_duplicates, keep_cheapest
from core.search.ranking import Hit, Ranking, Refused, search

__all__ = [
    "Brief",
    "Duplicates",
    "Hit",
    "Ranking",
    "Refused",
    "find_duplicates",
    "keep_cheapest",
    "parse_brief",
    "search",
]
