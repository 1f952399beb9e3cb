"""What a deal is, and how a file becomes deals."""

from core.deals.model import Audience, Commercial, Deal, Money, Safety, Taxonomy, content_hash
from core.deals.reading import ImportResult, Ledger, Problem, parse_deal, read_deals

__all__ = [
    "Audience",
    "Commercial",
    "Deal",
    "ImportResult",
    "Ledger",
    "Money",
    "Problem",
    "Safety",
    "Taxonomy",
    "content_hash",
    "parse_deal",
    "read_deals",
]
