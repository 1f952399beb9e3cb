"""What a deal is: its values, their vocabulary, and what is true of a group of deals."""

from core.deals.deal import Audience, Commercial, Deal, Money, Safety, Taxonomy, content_hash
from core.deals.delta import Delta, compare_deals

__all__ = [
    "Audience",
    "Commercial",
    "Deal",
    "Delta",
    "Money",
    "Safety",
    "Taxonomy",
    "compare_deals",
    "content_hash",
]
