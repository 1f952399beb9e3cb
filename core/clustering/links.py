"""Finished groups are made to keep to the analyst's links.

Links are kept after the fit, not inside it: a handful of decisions about single deals must not
change how all the others are grouped. Deals that must share a cluster move as one block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.arrays import FloatArray, IntArray
from core.clustering.cluster import Links
from core.clustering.sizing import Bounds
from core.errors import ClusteringError

# Deals named in a message; the rest are counted.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class RowLinks:
    """Links as row numbers, without contradictions.

    together: components of 2 or more rows, ascending, disjoint. apart: pairs of rows, the lower
    first. excluded: rows that are in no cluster; none of the others names one of them.
    """

    together: tuple[tuple[int, ...], ...] = ()
    apart: tuple[tuple[int, int], ...] = ()
    excluded: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.together or self.apart or self.excluded)


def components_of(links: Links, names: Sequence[str], max_deals: int) -> RowLinks:
    """Translate links of deal ids into rows.

    names: the id of each row, each once. Ids that are not among them are ignored, but two deals
    that were linked through one of them stay linked; so with excluded deals.
    Raises ClusteringError when a pair must be both together and apart, and when more than
    max_deals deals must share a cluster.
    """
    components = connected(links.together)
    component_of = {name: number for number, members in enumerate(components) for name in members}
    for first, second in links.apart:
        if first == second or component_of.get(first, first) == component_of.get(second, second):
            raise ClusteringError(
                f"The links want {first} and {second} both in one cluster and in different ones: "
                "remove one of the links."
            )
    row_of = {name: row for row, name in enumerate(names)}
    excluded = {row_of[name] for name in links.excluded if name in row_of}
    active = {name: row for name, row in row_of.items() if row not in excluded}
    together = [sorted(active[name] for name in members if name in active) for members in components]
    for rows in together:
        if len(rows) > max_deals:
            raise ClusteringError(
                f"{len(rows)} deals are linked to share a cluster ({_listed(names[row] for row in rows)}), "
                f"but a cluster holds at most {max_deals}: raise the largest size or remove links."
            )
    pairs = {
        (min(active[a], active[b]), max(active[a], active[b]))
        for a, b in links.apart
        if a in active and b in active
    }
    return RowLinks(
        tuple(sorted(tuple(rows) for rows in together if len(rows) > 1)),
        tuple(sorted(pairs)),
        tuple(sorted(excluded)),
    )


def connected(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the names that hang together by pairs, in order of first appearance."""
    members: dict[str, list[str]] = {}
    for pair in pairs:
        first, second = (members.setdefault(name, [name]) for name in pair)
        if first is not second:
            first += second
            members.update(dict.fromkeys(second, first))
    return list({id(names): names for names in members.values()}.values())


def check_strata(links: RowLinks, strata: Sequence[tuple[str | None, ...]], names: Sequence[str]) -> None:
    """Raise ClusteringError when deals that must share a cluster differ in what keeps deals apart.

    strata: for each row what `keep_apart.stratum_of` returns.
    """
    for rows in links.together:
        for first, second in pairwise(rows):
            if strata[first] != strata[second]:
                raise ClusteringError(
                    f"{names[first]} and {names[second]} are linked to share a cluster, but a rule keeps "
                    "them apart: remove the link or the rule."
                )


def keep_links(
    points: FloatArray,
    groups: Sequence[IntArray],
    loose: dict[int, str],
    bounds: Bounds,
    links: RowLinks,
    strata: Sequence[Hashable] | None = None,
) -> tuple[list[IntArray], dict[int, str]]:
    """Return the groups and the loose rows, changed as little as the links demand.

    points: (n, d) whitened. groups: disjoint arrays of rows, within bounds. loose: row -> why it
    is in no group. strata: rows of different strata never join one group; links do not span them.
    The excluded rows of the links must be in no group and stay as they are.

    Linked rows gather where most of them are; rows without links make room. Of a pair that must
    stay apart the one farther from the centre leaves. A row that leaves goes to the nearest group
    that may take it, else it is loose. Every group stays within bounds.
    """
    board = _Board(points, groups, loose, bounds, links, strata)
    for block in links.together:
        board.gather(block)
    for pair in links.apart:
        board.separate(pair)
    board.dissolve_small()
    return board.result()


class _Board:
    """Groups under change: where each row is, and which rows move as one block."""

    def __init__(
        self,
        points: FloatArray,
        groups: Sequence[IntArray],
        loose: dict[int, str],
        bounds: Bounds,
        links: RowLinks,
        strata: Sequence[Hashable] | None,
    ) -> None:
        self.points = points.astype(np.float64)
        self.groups: list[set[int]] = [set(group.tolist()) for group in groups]
        self.sums = np.zeros((len(groups), points.shape[1]))
        for place, group in enumerate(groups):
            self.sums[place] = self.points[group].sum(axis=0)
        self.home = {row: place for place, group in enumerate(self.groups) for row in group}
        self.loose = dict(loose)
        self.bounds = bounds
        self.strata = strata
        self.block_of = {row: block for block in links.together for row in block}
        self.foes: dict[int, set[int]] = {}
        for first, second in links.apart:
            self.foes.setdefault(first, set()).add(second)
            self.foes.setdefault(second, set()).add(first)

    def gather(self, block: tuple[int, ...]) -> None:
        """Bring a block together in the group that holds most of it."""
        held = Counter(self.home[row] for row in block if row in self.home)
        if not held:
            reason = f"It is linked to {len(block) - 1} more, and no cluster has room for all of them."
            self._place(block, reason)
            return
        most = max(held.values())
        distances = self._distances(self.points[list(block)].mean(axis=0))
        target = min(
            (place for place, count in held.items() if count == most),
            key=lambda place: (distances[place], place),
        )
        for row in block:
            if self.home.get(row) != target:
                self._take(row)
                self._put(row, target)
        self._make_room(target, block)

    def separate(self, pair: tuple[int, int]) -> None:
        """Let one of two rows that share a group leave it."""
        if not all(row in self.home for row in pair) or self.home[pair[0]] != self.home[pair[1]]:
            return
        place = self.home[pair[0]]
        leaving = max(pair, key=lambda row: (self._distance(row, place), row))
        self._move(
            self._block(leaving),
            place,
            "It must stay apart from a deal of its cluster, and no other cluster has room for it.",
        )

    def dissolve_small(self) -> None:
        """Give the rows of groups under the smallest size to others, the smallest group first."""
        while small := [place for place, group in enumerate(self.groups) if 0 < len(group) < self.bounds.low]:
            place = min(small, key=lambda place: (len(self.groups[place]), place))
            reason = (
                f"Links between deals left its cluster under the smallest size of {self.bounds.low}, and no "
                "other cluster has room for it."
            )
            for block in self._blocks(place, farthest_first=False):
                self._move(block, place, reason)

    def result(self) -> tuple[list[IntArray], dict[int, str]]:
        """Return the groups that are left, with ascending rows, and the loose rows."""
        groups = [np.array(sorted(group), dtype=np.intp) for group in self.groups if group]
        return groups, self.loose

    def _make_room(self, place: int, staying: tuple[int, ...]) -> None:
        """Move rows out of an overfull group: single ones first, then other blocks."""
        for block in sorted(self._blocks(place, farthest_first=True), key=lambda block: len(block) > 1):
            if len(self.groups[place]) <= self.bounds.high:
                return
            if block != staying:
                self._move(
                    block, place, "Linked deals filled its cluster, and no other cluster has room for it."
                )

    def _move(self, block: tuple[int, ...], place: int, reason: str) -> None:
        for row in block:
            self._take(row)
        self._place(block, reason, without=place)

    def _place(self, block: tuple[int, ...], reason: str, without: int | None = None) -> None:
        """Put a block into the nearest group that may take it, else into its own, else nowhere."""
        distances = self._distances(self.points[list(block)].mean(axis=0))
        places = [
            place for place in range(len(self.groups)) if place != without and self._may_join(block, place)
        ]
        if places:
            target = min(places, key=lambda place: (distances[place], place))
        elif len(block) >= self.bounds.low:
            target = len(self.groups)
            self.groups.append(set())
            self.sums = np.vstack([self.sums, np.zeros(self.points.shape[1])])
        else:
            self.loose.update(dict.fromkeys(block, reason))
            return
        for row in block:
            self._put(row, target)

    def _may_join(self, block: tuple[int, ...], place: int) -> bool:
        group = self.groups[place]
        if not group or len(group) + len(block) > self.bounds.high:
            return False
        if self.strata is not None and self.strata[block[0]] != self.strata[next(iter(group))]:
            return False
        return not any(group & self.foes.get(row, set()) for row in block)

    def _blocks(self, place: int, *, farthest_first: bool) -> list[tuple[int, ...]]:
        blocks = {self._block(row) for row in self.groups[place]}
        centre = self.sums[place] / len(self.groups[place])

        def distance(block: tuple[int, ...]) -> float:
            return float(np.square(self.points[list(block)].mean(axis=0) - centre).sum())

        return sorted(sorted(blocks), key=distance, reverse=farthest_first)

    def _block(self, row: int) -> tuple[int, ...]:
        return self.block_of.get(row, (row,))

    def _take(self, row: int) -> None:
        self.loose.pop(row, None)
        place = self.home.pop(row, None)
        if place is not None:
            self.groups[place].remove(row)
            self.sums[place] -= self.points[row]

    def _put(self, row: int, place: int) -> None:
        self.loose.pop(row, None)
        self.home[row] = place
        self.groups[place].add(row)
        self.sums[place] += self.points[row]

    def _distance(self, row: int, place: int) -> float:
        return float(self._distances(self.points[row])[place])

    def _distances(self, point: FloatArray) -> FloatArray:
        """Return the squared distance (k,) of a point to each group's centre; inf for an empty group."""
        sizes = np.array([len(group) for group in self.groups])
        centres = self.sums / np.maximum(sizes, 1)[:, None]
        distances: FloatArray = np.where(sizes > 0, np.square(centres - point).sum(axis=1), np.inf)
        return distances


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {more} more" if more > 0 else "")
