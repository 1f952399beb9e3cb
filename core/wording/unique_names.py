"""Names of packages become different from each other, by what differs in their deals.

Clusters are named one by one, so two of them may get one name. Those that meet get the first
facet that tells them apart, in brackets: "Sports Video Package (GB)". A facet is said when all
deals of the package carry it, else "mostly" when more than half do; a number comes last, when
the deals differ in nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING

from core.deals import Deal
from core.deals.facts import mix
from core.deals.text_normalisation import clean_text
from core.settings import NAME_LIMIT
from core.wording.generated_text import name_of
from core.wording.injection import inert_text, unusual_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Names -> (n, d) float32, rows of length 1: the meaning of each name.
    Encode = Callable[[Sequence[str]], NDArray[np.float32]]

_PRICES = {"fixed": "Fixed Price", "auction": "Auction"}
_Facet = Callable[[Deal], Sequence[str | None]]

# From what a buyer asks first to what only tells apart.
_FACETS: tuple[_Facet, ...] = (
    lambda deal: (deal.commercial.quality_tier,),
    lambda deal: tuple(name.title() for name in deal.formats),
    lambda deal: (deal.taxonomy.tier1,),
    lambda deal: (deal.taxonomy.tier2,),
    lambda deal: deal.audience.inferred_audience,
    lambda deal: deal.geos,
    lambda deal: tuple("CTV" if name == "ctv" else name.title() for name in deal.devices),
    lambda deal: (deal.price_type and _PRICES.get(deal.price_type),),
    lambda deal: (deal.ssp_name,),
)
# A name with more facets than this is a list, not a name.
_MOST_FACETS = 2
_FACET_LIMIT = 40
# Words that tell no two packages apart.
_FILLERS = frozenset({"package", "packages", "deal", "deals", "bundle", "the", "a", "and", "of", "for"})
_SHORTEST_PLURAL = 3  # letters: the s of "gas" is no plural
# Cosine from which two names mean the same to a reader.
_NEAR_EQUAL = 0.95


def unique_names(names: Sequence[tuple[str, Sequence[Deal]]], *, encode: Encode | None = None) -> list[str]:
    """Return a name for each package, in order; no two are alike, and none is empty.

    names: (name, deals of the package). Names are alike when their `telling_words` are the same. A
    name that meets no other stays as it is; a blank one is made from the deals.
    encode: finds names of one meaning as well; without it only words are compared.
    """
    given = [name.strip() or _name_from(deals) for name, deals in names]
    unique = list(given)
    for group in _alike(given, encode):
        facets = _told_apart([names[index][1] for index in group], [given[index] for index in group])
        for index, words in zip(group, facets, strict=True):
            unique[index] = _with_facets(given[index], words)
    return _numbered(unique, given)


def _name_from(deals: Sequence[Deal]) -> str:
    return name_of(deals) if deals else "Unnamed Package"


def telling_words(name: str) -> frozenset[str]:
    """Return the words by which a name is told from others; names with the same ones are alike.

    Order, case, punctuation, plurals and fillers such as "Package" tell nothing; numbers do. A name
    without any word is told by its text.
    """
    words = frozenset(re.findall(r"[^\W_]+", name.casefold()))
    telling = words - _FILLERS or words
    return frozenset(map(_singular, telling)) or frozenset({name})


def _singular(word: str) -> str:
    return word.removesuffix("s") if len(word) > _SHORTEST_PLURAL else word


def spelling(name: str) -> str:
    """Return the form in which platforms call two names the same: case and blanks do not count."""
    return " ".join(name.casefold().split())


def _alike(names: Sequence[str], encode: Encode | None) -> list[list[int]]:
    """Return the groups of two and more alike names, as positions."""
    first: dict[frozenset[str], int] = {}
    group_of = [first.setdefault(telling_words(name), index) for index, name in enumerate(names)]
    if encode and len(first) > 1:
        kept = list(first.values())
        vectors = encode([names[index] for index in kept])
        near = vectors @ vectors.T >= _NEAR_EQUAL
        for row, index in enumerate(kept):
            # The earliest name of one meaning leads; chains of likeness are not followed.
            leader = kept[int(near[row].argmax())]
            if leader < index and group_of[leader] == leader:
                group_of = [leader if one == index else one for one in group_of]
    groups: dict[int, list[int]] = {}
    for index, leader in enumerate(group_of):
        groups.setdefault(leader, []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _told_apart(packages: Sequence[Sequence[Deal]], names: Sequence[str]) -> list[list[str]]:
    """Return the facets of each package; they are added while any two packages have the same."""
    chosen: list[list[str]] = [[] for _ in packages]
    for say in (_shared_by_all, _shared_by_most):
        for facet in _FACETS:
            words = [say(deals, facet) for deals in packages]
            for tied in _ties(chosen):
                differ = len({words[index] for index in tied}) > 1
                for index in tied if differ and len(chosen[tied[0]]) < _MOST_FACETS else ():
                    word = words[index]
                    if word and not telling_words(word) <= telling_words(names[index]):
                        chosen[index].append(word)
    return chosen


def _ties(chosen: Sequence[Sequence[str]]) -> list[list[int]]:
    tied: dict[tuple[str, ...], list[int]] = {}
    for index, words in enumerate(chosen):
        tied.setdefault(tuple(words), []).append(index)
    return [group for group in tied.values() if len(group) > 1]


def _shared_by_all(deals: Sequence[Deal], facet: _Facet) -> str | None:
    shared = [value for value, deals_with in mix(deals, facet).items() if deals_with == len(deals)]
    return _fit_for_a_name("/".join(shared))


def _shared_by_most(deals: Sequence[Deal], facet: _Facet) -> str | None:
    value, deals_with = next(iter(mix(deals, facet).items()), ("", 0))
    word = _fit_for_a_name(value) if 2 * deals_with > len(deals) else None
    return word and f"mostly {word}"


def _fit_for_a_name(value: str) -> str | None:
    """Return a value of the deals, which is other people's text, as it may stand in a name."""
    word = inert_text(value, _FACET_LIMIT)
    return word if word and not unusual_name(value) else None


def _with_facets(name: str, facets: Sequence[str]) -> str:
    if not facets:
        return name
    tail = f" ({', '.join(facets)})"
    return clean_text(name, NAME_LIMIT - len(tail)) + tail


def _numbered(names: Sequence[str], given: Sequence[str]) -> list[str]:
    """Put numbers to names that are still alike; one that was not touched keeps its words."""
    taken = Counter(telling_words(name) for name, before in zip(names, given, strict=True) if name == before)
    used: set[frozenset[str]] = set()
    unique = []
    for name, before in zip(names, given, strict=True):
        free = telling_words(name) not in used and (name == before or not taken[telling_words(name)])
        numbers = (_with_number(name, number) for number in count(2))
        found = (
            name
            if free
            else next(
                one for one in numbers if not taken[telling_words(one)] and telling_words(one) not in used
            )
        )
        used.add(telling_words(found))
        unique.append(found)
    return unique


def _with_number(name: str, number: int) -> str:
    tail = f" {number}"
    return clean_text(name, NAME_LIMIT - len(tail)) + tail
