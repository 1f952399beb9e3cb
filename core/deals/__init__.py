"""What a deal is, and how a file becomes deals."""

from core.deals.delta import Delta, compare_deals
from core.deals.mapping import FIELD_NAMES, suggest_fields
from core.deals.model import Audience, Commercial, Deal, Money, Safety, Taxonomy, content_hash
from core.deals.reading import ImportResult, Ledger, Problem, ReadOptions, parse_deal, read_deals
from core.deals.result import CategorySuggestion, refused_rows
from core.deals.sample import Sample, read_sample

__all__ = [
    "FIELD_NAMES",
    "Audience",
    "CategorySuggestion",
    "Commercial",
    "Deal",
    "Delta",
    "ImportResult",
    "Ledger",
    "Money",
    "Problem",
    "ReadOptions",
    "Safety",
    "Sample",
    "Taxonomy",
    "compare_deals",
    "content_hash",
    "parse_deal",
    "read_deals",
    "read_sample",
    "refused_rows",
    "suggest_fields",
]
