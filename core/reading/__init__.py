"""How a file becomes deals: containers, tables, header, columns and values."""

from core.reading.mapping import FIELD_NAMES, suggest_fields
from core.reading.reading import ImportResult, Ledger, Problem, ReadOptions, parse_deal, read_deals
from core.reading.result import CategorySuggestion, refused_rows
from core.reading.sample import Sample, read_sample

__all__ = [
    "FIELD_NAMES",
    "CategorySuggestion",
    "ImportResult",
    "Ledger",
    "Problem",
    "ReadOptions",
    "Sample",
    "parse_deal",
    "read_deals",
    "read_sample",
    "refused_rows",
    "suggest_fields",
]
