"""Deals that packages share: pairs with counts, what each has alone, subsets and near-duplicates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from core.packages.package import Package

# Packages are nearly the same when they share more than this part of their deals (Jaccard).
NEAR_SAME = 0.8


class SharedDeals(NamedTuple):
    """Two packages, by id and in their order, that share deals. jaccard: shared / all of both, in (0, 1]."""

    one: str
    other: str
    deals: int
    jaccard: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """How packages overlap; each list is in the order of the packages.

    shared: every pair with common deals; pairs that are not there share none.
    exclusive: package id -> share of its deals that are in no other package, in [0, 1].
    subsets: (smaller, larger) package ids, where all deals of the first are in the second; of two with
        the same deals, each is a subset of the other.
    near_same: pairs that share more than 80 % of their deals.
    """

    shared: tuple[SharedDeals, ...]
    exclusive: dict[str, float]
    subsets: tuple[tuple[str, str], ...]
    near_same: tuple[SharedDeals, ...]


def overlap_of(packages: Iterable[Package]) -> Overlap:
    """Return how packages overlap; rejected ones do not count."""
    live = [package for package in packages if package.status != "rejected"]
    holders: dict[str, int] = {}
    for package in live:
        for deal_id in package.deal_ids:
            holders[deal_id] = holders.get(deal_id, 0) + 1
    sizes = [len(package.deal_ids) for package in live]
    shared, subsets = [], []
    for one, other, count in _pairs(live, holders):
        left, right = live[one].id, live[other].id
        shared.append(SharedDeals(left, right, count, count / (sizes[one] + sizes[other] - count)))
        subsets += [(left, right)] if count == sizes[one] else []
        subsets += [(right, left)] if count == sizes[other] else []
    return Overlap(
        shared=tuple(shared),
        exclusive={
            package.id: sum(holders[deal_id] == 1 for deal_id in package.deal_ids) / len(package.deal_ids)
            for package in live
            if package.deal_ids
        },
        subsets=tuple(subsets),
        near_same=tuple(pair for pair in shared if pair.jaccard > NEAR_SAME),
    )


def _pairs(live: list[Package], holders: dict[str, int]) -> list[tuple[int, int, int]]:
    """Return (place, later place, number of shared deals) of the packages that share any, in order."""
    import numpy as np
    from scipy.sparse import csr_array, triu

    columns = {deal_id: place for place, deal_id in enumerate(item for item in holders if holders[item] > 1)}
    cells = [
        (row, columns[deal_id])
        for row, package in enumerate(live)
        for deal_id in package.deal_ids
        if deal_id in columns
    ]
    if not cells:
        return []
    rows, places = np.array(cells, dtype=np.int64).T
    holds = csr_array((np.ones(len(cells), dtype=np.int64), (rows, places)), (len(live), len(columns)))
    both = triu(holds @ holds.T, k=1, format="csr")
    both.sort_indices()
    found = both.tocoo()
    return list(zip(found.row.tolist(), found.col.tolist(), found.data.tolist(), strict=True))
