"""Words that several screens build in the same way."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return "1 deal", "2 deals", "1,200 deals"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
