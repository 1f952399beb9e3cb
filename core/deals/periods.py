"""Quarters and years in names: they say when a deal runs, not what it is about."""

from __future__ import annotations

import re

# Words of their own: "Q4_2026", "Q1 2027", "H2", "2026"; not the 2026 of "Deal 120268".
YEAR = re.compile(r"(?<![^\W_])20\d\d(?![^\W_])")
QUARTER = re.compile(r"(?<![^\W_])Q([1-4])(?:([ _-])(20\d\d))?(?![^\W_])", re.IGNORECASE)
_PERIOD = re.compile(
    r"[\s_-]*(?<![^\W_])(?:[QH][1-4](?:[\s_-]?20\d\d)?|20\d\d(?:[\s_-]?[QH][1-4])?)(?![^\W_])", re.IGNORECASE
)


def without_periods(text: str) -> str:
    """Return the text without its quarters, half-years and years, and without the gap before each."""
    return _PERIOD.sub("", text).strip()
