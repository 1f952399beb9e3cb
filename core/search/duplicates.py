"""Deals that seem to sell the same inventory through several SSPs, and the cheapest of each group.

These are suggestions: no file says that two deals are one. A pair counts when nothing known speaks
against it and enough speaks for it: same formats, same countries, no contrary devices, publishers
in common, and vectors that are near.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from core.arrays import FloatArray
from core.deals.countries import country_codes, place_key
from core.deals.deal import Deal
from core.deals.facts import UNKNOWN_CURRENCY

# Share of common publishers (Jaccard) -> cosine it needs. Measured on the 800 sample deals and 150
# copies of them at another SSP: copies under the same name have a median cosine of .95 (95 % are at
# .85 and more), copies under another name of .65 (99 % at .40 and more), so a name alone hides a
# copy unless the publishers are the same. Of 2,992 pairs of sample deals that agree in all
# other facts, 22 have equal publishers and 12 reach .85 with half of them in common.
AGREEMENT: tuple[tuple[float, float], ...] = ((1.0, 0.40), (0.5, 0.85))
# Rows compared at once: 512 x 10,000 cosines take 20 MB.
_BLOCK = 512
# Nearest partners kept for a deal; more SSPs never sell one inventory.
_PARTNERS = 64


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Deals of different SSPs that seem to be the same inventory.

    deal_ids: cheapest first within each currency, those without a floor price last.
    cheapest: currency ("?" where nobody said) -> the deal with the lowest floor in it. A floor of 0
        is "no floor", the lowest there is; an unknown floor is never the cheapest.
    no_floor, floor_unknown: deals whose floor is 0, or not known.
    likeness: the lowest cosine between two of them.
    """

    deal_ids: tuple[str, ...]
    cheapest: Mapping[str, str]
    no_floor: tuple[str, ...]
    floor_unknown: tuple[str, ...]
    likeness: float

    def __str__(self) -> str:
        """Return how many deals, and the cheapest of each currency."""
        named = [
            f"{deal_id} is the cheapest in {_currency_words(currency)}"
            + (" (no floor)" if deal_id in self.no_floor else "")
            for currency, deal_id in self.cheapest.items()
        ]
        unknown = [f"{len(self.floor_unknown)} with unknown floor"] if self.floor_unknown else []
        return f"{len(self.deal_ids)} deals: {', '.join([*named, *unknown])}"


def _currency_words(currency: str) -> str:
    return "an unknown currency" if currency == UNKNOWN_CURRENCY else currency


def find_duplicates(deals: Sequence[Deal], vectors: FloatArray) -> tuple[Duplicates, ...]:
    """Group near-duplicate deals; the largest groups first, then by deal id.

    vectors: (len(deals), d) float32; deals with a row of NaN are in no group. Every two deals of a
    group fit each other, so that none joins over a third, and no SSP is in it twice. Memory grows
    with the number of deals, not with its square.
    """
    # By id: no result may depend on the order of a file.
    order = sorted(range(len(deals)), key=lambda row: deals[row].deal_id)
    deals, vectors = [deals[row] for row in order], vectors[order]
    known = np.asarray(np.isfinite(vectors).all(axis=1))
    pairs: list[_Pair] = []
    for rows in _alike_in_facts(deals, known):
        pairs += _near_pairs(deals, vectors, rows)
    groups = [_group(deals, members, likeness) for members, likeness in _cliques(pairs)]
    return tuple(sorted(groups, key=lambda group: (-len(group.deal_ids), min(group.deal_ids))))


def keep_cheapest(group: Duplicates) -> tuple[str, ...]:
    """Return the deals to drop: all but the cheapest of each currency.

    Amounts of different currencies are not compared, so each currency keeps one. When no floor is
    known at all, nothing is dropped.
    """
    kept = set(group.cheapest.values())
    return tuple(deal_id for deal_id in group.deal_ids if deal_id not in kept) if kept else ()


# --- pairs --------------------------------------------------------------------------------------

_Pair = tuple[float, int, int]  # likeness and two rows, the smaller first


def _alike_in_facts(deals: Sequence[Deal], known: npt.NDArray[np.bool_]) -> Iterator[list[int]]:
    """Yield the rows of deals with the same formats and countries; unknown is a value of its own."""
    strata: dict[tuple[frozenset[str], frozenset[str]], list[int]] = defaultdict(list)
    for row, deal in enumerate(deals):
        if known[row] and deal.publishers and deal.ssp_name:
            places = (country_codes(geo) or {place_key(geo)} for geo in deal.geos)
            strata[frozenset(deal.formats), frozenset().union(*places)].append(row)
    yield from (rows for rows in strata.values() if len(rows) > 1)


def _near_pairs(deals: Sequence[Deal], vectors: FloatArray, rows: Sequence[int]) -> list[_Pair]:
    units = vectors[list(rows)]
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    units = (units / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    sellers = _codes([deals[row].ssp_name for row in rows])
    publishers, sizes = _publisher_table([deals[row] for row in rows])
    pairs: list[_Pair] = []
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        near = (units[block] @ units.T).round(5)  # the last digits depend on the block
        common = np.asarray((publishers[block] @ publishers.T).todense())
        overlap = common / (sizes[block, None] + sizes[None, :] - common)
        fits = np.zeros(near.shape, dtype=np.bool_)
        for least_overlap, least_cosine in AGREEMENT:
            fits |= (overlap >= least_overlap) & (near >= least_cosine)
        fits &= sellers[block, None] != sellers[None, :]
        fits &= np.arange(start, start + len(near))[:, None] < np.arange(len(rows))[None, :]
        for one, other in _nearest(near, fits):
            first, second = rows[start + one], rows[other]
            if _devices_agree(deals[first], deals[second]):
                pairs.append((float(near[one, other]), first, second))
    return pairs


def _codes(values: Sequence[str | None]) -> npt.NDArray[np.intp]:
    place = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return np.array([place[value] for value in values], dtype=np.intp)


def _publisher_table(deals: Sequence[Deal]) -> tuple[Any, FloatArray]:
    """Return the sparse table deal x publisher of ones, and the number of publishers of each deal."""
    from scipy.sparse import csr_matrix

    names = [sorted({place_key(name) for name in deal.publishers}) for deal in deals]
    place = {name: number for number, name in enumerate(sorted({name for row in names for name in row}))}
    columns = [place[name] for row in names for name in row]
    ends = np.cumsum([0, *map(len, names)])
    table = csr_matrix(
        (np.ones(len(columns), dtype=np.float32), columns, ends), shape=(len(deals), len(place))
    )
    return table, np.array([len(row) for row in names], dtype=np.float32)


def _nearest(near: FloatArray, fits: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the fitting pairs of a block, of each row at most the nearest `_PARTNERS`."""
    for one in np.flatnonzero(fits.any(axis=1)).tolist():
        partners = np.flatnonzero(fits[one])
        if len(partners) > _PARTNERS:
            partners = partners[np.argsort(-near[one, partners], kind="stable")[:_PARTNERS]]
        yield from ((one, other) for other in partners.tolist())


def _devices_agree(one: Deal, other: Deal) -> bool:
    return not one.devices or not other.devices or not {*one.devices}.isdisjoint(other.devices)


# --- groups -------------------------------------------------------------------------------------


def _cliques(pairs: Sequence[_Pair]) -> Iterator[tuple[list[int], float]]:
    """Join the nearest pairs first, and two groups only when all their deals are pairs and SSPs differ."""
    likeness = {(one, other): near for near, one, other in pairs}
    group_of: dict[int, list[int]] = {}
    for _, one, other in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        first, second = group_of.get(one, [one]), group_of.get(other, [other])
        if first is second:
            continue
        if all((min(a, b), max(a, b)) in likeness for a in first for b in second):
            joined = first + second
            group_of.update(dict.fromkeys(joined, joined))
    for members in {id(members): members for members in group_of.values()}.values():
        inner = [likeness[a, b] for a in members for b in members if a < b]
        yield members, min(inner)


def _group(deals: Sequence[Deal], members: Sequence[int], likeness: float) -> Duplicates:
    priced = sorted((deals[row] for row in members), key=_price_order)
    cheapest: dict[str, str] = {}
    for deal in priced:
        if deal.commercial.floor_price is not None:
            cheapest.setdefault(_price_order(deal)[1], deal.deal_id)
    return Duplicates(
        tuple(deal.deal_id for deal in priced),
        cheapest,
        tuple(deal.deal_id for deal in priced if (floor := deal.commercial.floor_price) and not floor.amount),
        tuple(deal.deal_id for deal in priced if deal.commercial.floor_price is None),
        likeness,
    )


def _price_order(deal: Deal) -> tuple[bool, str, Decimal, str]:
    floor = deal.commercial.floor_price
    if floor is None:
        return True, "", Decimal(0), deal.deal_id
    return False, floor.currency or UNKNOWN_CURRENCY, floor.amount, deal.deal_id
