"""What changed between two clusterings of the same deals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.arrays import IntArray
from core.clustering.cluster import Clustering

Change = Literal["same", "moved", "left over", "clustered"]

# A cluster is split (or merged) when two others each hold (or gave) at least this share of its deals:
# a few strays make no split.
_PART = 0.25


@dataclass(frozen=True, slots=True)
class Match:
    """Places of two clusters that hold most of the same deals, and how many those are."""

    before: int
    after: int
    shared: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A deal whose cluster afterwards is not the match of its cluster before; None is left over."""

    index: int
    deal_id: str
    before: int | None
    after: int | None

    @property
    def change(self) -> Change:
        """What happened to the deal, in one word or two."""
        if self.after is None:
            return "left over"
        return "clustered" if self.before is None else "moved"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two clusterings of n deals, by own memberships.

    matches: one to one, by place before. moved: by index. split: places before whose deals two
    or more clusters share afterwards; merged: places after that took over from two or more.
    adjusted_rand: agreement of the deals clustered both times (Hubert and Arabie 1985), 1 is the
    same and 0 is chance; None when there are none. same, changed, newly_left_over and
    newly_clustered add up to n.
    """

    matches: tuple[Match, ...]
    moved: tuple[Moved, ...]
    split: tuple[int, ...]
    merged: tuple[int, ...]
    adjusted_rand: float | None
    same: int
    changed: int
    newly_left_over: int
    newly_clustered: int


def compare_clusterings(deal_ids: Sequence[str], before: Clustering, after: Clustering) -> Comparison:
    """Match the clusters of two clusterings and list the deals that changed.

    deal_ids: one for each deal, in the order both clusterings count in. Clusters are matched one
    to one so that as many deals as possible stay with their match.
    """
    from sklearn.metrics import adjusted_rand_score

    old, new = _places(before, len(deal_ids)), _places(after, len(deal_ids))
    both = (old >= 0) & (new >= 0)
    table = np.zeros((len(before.clusters), len(after.clusters)), dtype=np.intp)
    np.add.at(table, (old[both], new[both]), 1)
    matches = _matches(table)
    goal = {match.before: match.after for match in matches}
    moved = tuple(
        Moved(index, deal_ids[index], _known(was), _known(now))
        for index, (was, now) in enumerate(zip(old.tolist(), new.tolist(), strict=True))
        if (goal.get(was) if was >= 0 else -1) != now
    )
    changes = [item.change for item in moved]
    return Comparison(
        matches=matches,
        moved=moved,
        split=_in_parts(table),
        merged=_in_parts(table.T),
        adjusted_rand=float(adjusted_rand_score(old[both], new[both])) if both.any() else None,
        same=len(deal_ids) - len(moved),
        changed=changes.count("moved"),
        newly_left_over=changes.count("left over"),
        newly_clustered=changes.count("clustered"),
    )


def _places(clustering: Clustering, deals: int) -> IntArray:
    """Return the place (n,) of each deal's own cluster, -1 for none."""
    places = np.full(deals, -1, dtype=np.intp)
    for index, place in clustering.own_cluster().items():
        places[index] = place
    return places


def _known(place: int) -> int | None:
    return None if place < 0 else place


def _matches(table: IntArray) -> tuple[Match, ...]:
    from scipy.optimize import linear_sum_assignment

    pairs = zip(*linear_sum_assignment(table, maximize=True), strict=True)
    return tuple(
        Match(int(row), int(column), int(table[row, column])) for row, column in pairs if table[row, column]
    )


def _in_parts(table: IntArray) -> tuple[int, ...]:
    """Return the rows of which two or more columns hold at least a quarter each."""
    parts = (table > 0) & (table >= _PART * table.sum(axis=1, keepdims=True))
    rows: list[int] = np.flatnonzero(parts.sum(axis=1) > 1).tolist()
    return tuple(rows)
