"""What a deal is about that decides which deals may stand together: kids, politics, gambling.

A signal is a whole word in the name, the tiers or the concepts of a deal, or one of its
categories (IAB Content Taxonomy 3.1, with everything below it). What is named to be excluded
("non-political", "political excluded") is no signal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from core.deals.deal import Deal
from core.deals.taxonomy import Category, categories, check_category, lookup
from core.deals.text_normalisation import plain_text

Signal = Literal["KIDS", "POLITICAL", "GAMBLING", "RESTRICTED", "NEWS"]


@dataclass(frozen=True, slots=True)
class Sign:
    """How a signal is recognised: words as a pattern, and ids of categories of 3.1."""

    words: str
    categories: tuple[str, ...]


SIGNS: Mapping[Signal, Sign] = {
    # "Family-safe" says how safe a deal is, and "Family and Relationships" is about grown-ups.
    "KIDS": Sign(
        r"kids?|child(?:ren)?"
        r"|family(?![\s-]*(?:safe|friendly))(?!\s*(?:and|&)\s*relationships?\b)",
        ("645", "142", "344", "482", "575", "197"),
    ),
    "POLITICAL": Sign(r"political|politics|elections?", ("386",)),
    "GAMBLING": Sign(
        r"gambling|casinos?|betting|lotter(?:y|ies)|poker",
        ("181", "480", "524", "ZJG29S"),
    ),
    # 3.1 has no category for cannabis.
    "RESTRICTED": Sign(r"alcohol|cannabis|pharma", ("211", "320", "pg0WhF")),
    "NEWS": Sign(r"news", ("1020",)),
}


def signals_of(deal: Deal) -> frozenset[Signal]:
    """Return the signals that a deal gives."""
    topics = (*deal.taxonomy.path, *deal.concepts)
    return _in_words(deal.deal_name or "").union(*map(_in_topic, topics))


_WORD = "|".join(sign.words for sign in SIGNS.values())
_ANY = re.compile(rf"\b(?:{_WORD})\b", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:non|no|not|without|excl|excludes?|excluding)\b\.?[\s-]*(?:for\s+)?"
    rf"(?:{_WORD})\b(?:(?:\s*/\s*|\s+n?or\s+)(?:{_WORD})\b)*"
    rf"|\b(?:{_WORD})\b(?:[\s-]+(?:ads?|advertising|content))?"
    r"(?:\s*[\s-]\s*(?:is\s+|are\s+)?(?:excluded|exclusions?|excl\b|blocked|not\s+allowed)|-free\b)",
    re.IGNORECASE,
)
_PATTERNS: Mapping[Signal, re.Pattern[str]] = {
    signal: re.compile(rf"\b(?:{sign.words})\b", re.IGNORECASE) for signal, sign in SIGNS.items()
}
_CODE = re.compile(r"\s*IAB\d{1,2}(?:-\d{1,2})?\s*", re.IGNORECASE)


@lru_cache(maxsize=50_000)
def _in_words(text: str) -> frozenset[Signal]:
    text = plain_text(text).replace("_", " ")
    if not _ANY.search(text):
        return frozenset()
    said = _DENIED.sub(" ", text)
    return frozenset(signal for signal, pattern in _PATTERNS.items() if pattern.search(said))


@lru_cache(maxsize=50_000)
def _in_topic(text: str) -> frozenset[Signal]:
    """Return the signals of a tier or concept: of its words, and of the category it names."""
    category = check_category((text.strip(),)).category if _CODE.fullmatch(text) else lookup(text)
    return _in_words(text) | (_of_categories().get(category.id, frozenset()) if category else frozenset())


@lru_cache(maxsize=1)
def _of_categories() -> Mapping[str, frozenset[Signal]]:
    """Return id of a category -> its signals, also for everything below the categories of SIGNS."""

    def lies_in(category: Category, sign: Sign) -> bool:
        tops = (categories()[top].path for top in sign.categories)
        return any(category.path[: len(path)] == path for path in tops)

    return {
        category.id: frozenset(signal for signal, sign in SIGNS.items() if lies_in(category, sign))
        for category in categories().values()
    }
