"""Deals that look like one deal under several ids: by what they sell, or by nearly the same text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from core.deals import Deal

# Share of words that two texts must have in common: of up to nine words all, in any order.
_NEAR_IDENTICAL = 0.9
# A single word ("Deal") says too little to compare.
_LEAST_WORDS = 2
_WORD = re.compile(r"[^\W_]+")


def twins_of(members: Sequence[Deal]) -> list[list[Deal]]:
    """Return groups of deals that look like one: by publisher, format and SSP, or by their text."""
    leader = {place: place for place in range(len(members))}

    def lead(place: int) -> int:
        while leader[place] != place:
            place = leader[place]
        return place

    first: dict[tuple[frozenset[str], frozenset[str], str], int] = {}
    for place, deal in enumerate(members):
        if deal.publishers and deal.formats and deal.ssp_name:
            key = (_folded(deal.publishers), frozenset(deal.formats), deal.ssp_name.casefold())
            leader[place] = first.setdefault(key, place)
    for one, other in _near_texts([_words(deal) for deal in members]):
        low, high = sorted((lead(one), lead(other)))
        leader[high] = low
    groups: dict[int, list[Deal]] = {}
    for place, deal in enumerate(members):
        groups.setdefault(lead(place), []).append(deal)
    return [group for group in groups.values() if len(group) > 1]


def _folded(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.casefold() for value in values)


def _words(deal: Deal) -> frozenset[str]:
    """Return the words of name and description, without those that only say which SSP and id it is.

    Of too few words none is returned.
    """
    text = f"{deal.deal_name or ''} {deal.description or ''}"
    own = f"{deal.ssp_name or ''} {deal.deal_id}"
    words = frozenset(_WORD.findall(text.casefold())) - frozenset(_WORD.findall(own.casefold()))
    return words if len(words) >= _LEAST_WORDS else frozenset()


def _near_texts(texts: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    """Yield pairs of texts with nearly the same words, by place.

    Prefix filtering (Bayardo, Ma and Srikant 2007): near texts share one of their few rarest words,
    so only texts that do are compared.
    """
    spread = Counter(word for text in texts for word in text)
    rarest: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        prefix = len(text) - ceil(_NEAR_IDENTICAL * len(text)) + 1 if text else 0
        candidates: set[int] = set()
        for word in sorted(text, key=lambda word: (spread[word], word))[:prefix]:
            candidates.update(rarest.get(word, ()))
            rarest.setdefault(word, []).append(place)
        for other in sorted(candidates):
            if len(text & texts[other]) >= _NEAR_IDENTICAL * len(text | texts[other]):
                yield other, place
