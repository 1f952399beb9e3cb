"""What an analyst can do to a clustering: each edit checks itself and names itself.

An edit also becomes links between deals, so that the next clustering keeps to it. Links stay free
of contradictions because deals linked to each other are always in one cluster, deals linked apart
in different ones: whoever moves loses the links it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Protocol

import numpy as np

from core.arrays import FloatArray
from core.clustering.cluster import Cluster, Clustering, LeftOver, Links
from core.clustering.geometry import scale_to_unit
from core.clustering.identity import EXCLUDED, DealLike, canonical_order, cluster_id, in_order
from core.clustering.keep_apart import stratum_of
from core.clustering.links import connected
from core.errors import ClusteringError

# Deal index -> place of the cluster it goes to; the place after the last is a new cluster, None
# is no cluster at all.
Goals = dict[int, int | None]


class _Table:
    """A clustering laid open: which deal is where, by name, index and place of its cluster."""

    def __init__(self, clustering: Clustering, deals: Sequence[DealLike], vectors: FloatArray) -> None:
        order, self.names = canonical_order(deals, vectors)
        self.index_of = {name: index for index, name in enumerate(self.names)}
        self.clustering = clustering
        self.settings = clustering.settings
        self.own = clustering.own_cluster()
        self.unit = scale_to_unit(vectors)
        self._deals = deals
        self._own_members: list[list[int]] = [[] for _ in clustering.clusters]
        for index in order.tolist():
            if index in self.own:
                self._own_members[self.own[index]].append(index)

    @property
    def new_place(self) -> int:
        """Where a new cluster goes."""
        return len(self.clustering.clusters)

    def select(self, deal_ids: tuple[str, ...]) -> list[int]:
        """Return the index of each deal once. Raises ClusteringError for none and for unknown ids."""
        if not deal_ids:
            raise ClusteringError("No deals are selected: select at least one.")
        unknown = [deal_id for deal_id in deal_ids if deal_id not in self.index_of]
        if unknown:
            raise ClusteringError(
                f"No deal of this clustering has the id {', '.join(unknown)}: reload the page."
            )
        return [self.index_of[deal_id] for deal_id in dict.fromkeys(deal_ids)]

    def place_of(self, wanted: str) -> int:
        """Return the place of a cluster. Raises ClusteringError when it is not there."""
        for place, cluster in enumerate(self.clustering.clusters):
            if cluster.id == wanted:
                return place
        raise ClusteringError(f"No cluster has the id {wanted}: it has changed since, reload the page.")

    def own_members(self, place: int, without: Goals) -> list[int]:
        """Return the deals whose own cluster this is and that do not move, in canonical order."""
        return [index for index in self._own_members[place] if index not in without]

    def members(self, place: int | None) -> tuple[int, ...]:
        """Return all deals of a cluster, further memberships included; none of a new one."""
        if place is None or place == self.new_place:
            return ()
        return self.clustering.clusters[place].members

    def centre(self, members: list[int]) -> FloatArray:
        """Return the mean direction of deals in the embedding space."""
        mean: FloatArray = self.unit[members].mean(axis=0)
        return scale_to_unit(mean[None, :]).ravel()

    def anchor(self, place: int, without: Goals, outside: int | None = None) -> str | None:
        """Return the most typical deal that stays in a cluster, None when none stays.

        outside: place of a cluster it must not belong to either.
        """
        members = [index for index in self.own_members(place, without) if index not in self.members(outside)]
        if not members:
            return None
        # Rounded, so that of equally typical deals (two that remain are) the first is taken.
        closeness = np.round(self.unit[members] @ self.centre(members), 5)
        return self.names[members[int(closeness.argmax())]]

    def stratum(self, index: int) -> tuple[str | None, ...]:
        """Return what must be equal within a cluster."""
        return stratum_of(self._deals[index], self.settings.keep_apart)

    def check_size(self, deals: int) -> None:
        """Raise ClusteringError when a cluster may not hold this many deals."""
        if deals > self.settings.max_deals:
            raise ClusteringError(
                f"The cluster would hold {deals} deals, but the largest size is {self.settings.max_deals}: "
                "take fewer deals."
            )

    def check_strata(self, indices: list[int]) -> None:
        """Raise ClusteringError when deals may not share a cluster."""
        first = indices[0]
        wanted = self.stratum(first)
        for index in indices[1:]:
            differ = [
                rule
                for rule, here, there in zip(
                    self.settings.keep_apart, wanted, self.stratum(index), strict=True
                )
                if here != there
            ]
            if differ:
                raise ClusteringError(
                    f"{self.names[first]} and {self.names[index]} differ in {', '.join(differ)}, which the "
                    "settings keep apart: select other deals or change the rule."
                )


class ClusterEdit(Protocol):
    """An edit says where its deals go; everything else follows from that."""

    @property
    def deal_ids(self) -> tuple[str, ...]:
        """The deals it is about."""
        ...

    def goals(self, table: _Table) -> Goals:
        """Return where each deal goes that moves at all, or raise ClusteringError."""
        ...


@dataclass(frozen=True, slots=True)
class MoveDeals:
    """Make a cluster the own cluster of these deals."""

    deal_ids: tuple[str, ...]
    cluster_id: str

    def __str__(self) -> str:
        return f"Move {_deals(self.deal_ids)} to another cluster"

    def goals(self, table: _Table) -> Goals:
        """Move those that are not there yet."""
        place = table.place_of(self.cluster_id)
        moved = [index for index in table.select(self.deal_ids) if table.own.get(index) != place]
        if moved:
            table.check_size(len({*table.members(place), *moved}))
            table.check_strata([table.own_members(place, {})[0], *moved])
        return dict.fromkeys(moved, place)


@dataclass(frozen=True, slots=True)
class NewCluster:
    """Form a cluster of these deals; it may be smaller than the smallest size."""

    deal_ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"Form a new cluster of {_deals(self.deal_ids)}"

    def goals(self, table: _Table) -> Goals:
        """Move all to the new place."""
        moved = table.select(self.deal_ids)
        table.check_size(len(moved))
        table.check_strata(moved)
        return dict.fromkeys(moved, table.new_place)


@dataclass(frozen=True, slots=True)
class ExcludeDeals:
    """Take deals out of every cluster; they are listed as left over."""

    deal_ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"Exclude {_deals(self.deal_ids)}"

    def goals(self, table: _Table) -> Goals:
        """Take out those that are not excluded yet."""
        excluded = table.clustering.links.excluded
        chosen = table.select(self.deal_ids)
        return dict.fromkeys(index for index in chosen if table.names[index] not in excluded)


@dataclass(frozen=True, slots=True)
class AttachDeals:
    """Put left-over deals into the nearest cluster with room; those that find none stay."""

    deal_ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"Attach {_deals(self.deal_ids)} to the nearest cluster"

    def goals(self, table: _Table) -> Goals:
        """Place one deal after the other, in the order of their ids.

        Raises ClusteringError when a deal is in a cluster, and when none finds a place.
        """
        chosen = sorted(table.select(self.deal_ids), key=lambda index: table.names[index])
        placed = [table.names[index] for index in chosen if index in table.own]
        if placed:
            raise ClusteringError(f"{', '.join(placed)} has a cluster already: move it instead.")
        found = _nearest_with_room(table, chosen)
        if not found:
            raise ClusteringError(
                f"No cluster may take any of these deals: each is full at {table.settings.max_deals} deals "
                "or kept apart from them."
            )
        return found


def apply_cluster_edit(
    clustering: Clustering, deals: Sequence[DealLike], vectors: FloatArray, edit: ClusterEdit
) -> Clustering:
    """Return the clustering after the edit; the same object when the edit changes nothing.

    deals, vectors: those that were clustered, in the same order; vectors (n, d).
    A moved deal counts 1 in its new cluster and keeps its further memberships. Clusters with
    other members get another id, those without own members disappear. The smallest size does not
    bind the analyst, the largest does. Raises ClusteringError when the edit is not allowed.
    """
    table = _Table(clustering, deals, vectors)
    goals = edit.goals(table)
    if not goals:
        return clustering
    out = {index for index, goal in goals.items() if goal is None}
    left_over = [item for item in clustering.left_over if item.index not in goals]
    left_over += [LeftOver(index, EXCLUDED) for index in out]
    return replace(
        clustering,
        clusters=_clusters(table, goals),
        left_over=tuple(sorted(left_over, key=lambda item: item.index)),
        links=_links(table, goals, keep_apart_links=isinstance(edit, AttachDeals)),
        novel=tuple(index for index in clustering.novel if index not in goals),
    )


def _nearest_with_room(table: _Table, indices: list[int]) -> Goals:
    clusters = range(table.new_place)
    if not clusters:
        return {}
    members = [table.own_members(place, {}) for place in clusters]
    closeness = table.unit[indices] @ np.stack([table.centre(rows) for rows in members]).T
    room = [table.settings.max_deals - len(cluster.members) for cluster in table.clustering.clusters]
    strata = [table.stratum(rows[0]) for rows in members]
    goals: Goals = {}
    for index, near in zip(indices, closeness, strict=True):
        stratum = table.stratum(index)
        foes = {*_foes(table, index)}
        barred = {goals[foe] for foe in foes & goals.keys()}
        for place in np.argsort(-near, kind="stable").tolist():
            free = room[place] > 0 and place not in barred and foes.isdisjoint(table.members(place))
            if free and strata[place] == stratum:
                goals[index] = place
                room[place] -= 1
                break
    return goals


def _foes(table: _Table, index: int) -> list[int]:
    name = table.names[index]
    pairs = [pair for pair in table.clustering.links.apart if name in pair]
    return [
        table.index_of[other] for pair in pairs for other in pair if other != name and other in table.index_of
    ]


def _clusters(table: _Table, goals: Goals) -> tuple[Cluster, ...]:
    """Return the clusters with the deals moved, in the order of a clustering."""
    before = table.clustering.clusters
    members = [dict(zip(cluster.members, cluster.strengths, strict=True)) for cluster in before]
    members.append({})
    for index, goal in goals.items():
        for held in members:
            if goal is None or held.get(index, 0) >= 1:
                held.pop(index, None)
        if goal is not None:
            members[goal][index] = 1.0
    own = [place for place, held in enumerate(members) if max(held.values(), default=0) >= 1]
    same = {
        place
        for place in own
        if place < table.new_place and before[place].members == tuple(sorted(members[place]))
    }
    taken = {before[place].id for place in same}
    clusters = []
    for place in own:
        indices = tuple(sorted(members[place]))
        names = [table.names[index] for index in indices]
        known = before[place].id if place in same else _new_id(names, taken)
        taken.add(known)
        clusters.append(Cluster(known, indices, tuple(members[place][index] for index in indices)))
    return in_order(clusters, table.names)


def _new_id(names: list[str], taken: set[str]) -> str:
    """Return an id for a cluster of these deals; two clusters may hold the same ones by overlap."""
    made = cluster_id(names)
    while made in taken:
        made = cluster_id([*names, made])
    return made


def _links(table: _Table, goals: Goals, *, keep_apart_links: bool) -> Links:
    """Return the links after the edit: those of moved deals go, the edit's own come."""
    before = table.clustering.links
    leaving = {table.names[index] for index in goals}
    together = _detached(before.together, leaving)
    apart = [pair for pair in before.apart if keep_apart_links or not leaving & {*pair}]
    excluded = [name for name in before.excluded if name not in leaving]
    anchor = cache(lambda place, outside: table.anchor(place, goals, outside))
    chain: list[str] = []
    for index, goal in goals.items():
        name = table.names[index]
        if goal is None:
            excluded.append(name)
            continue
        if goal == table.new_place:
            chain.append(name)
        elif (near := anchor(goal, None)) is not None:
            together.append((name, near))
        source = table.own.get(index)
        if source is not None and (left := anchor(source, goal)) is not None:
            apart.append((name, left))
    return Links((*together, *pairwise(chain)), tuple(apart), tuple(excluded))


def _detached(pairs: Sequence[tuple[str, str]], leaving: set[str]) -> list[tuple[str, str]]:
    """Drop the pairs of some names; names that hung together through one of them still do."""
    broken = [names for names in connected(pairs) if leaving & {*names}]
    touched = {name for names in broken for name in names}
    kept = [pair for pair in pairs if pair[0] not in touched]
    for names in broken:
        kept += pairwise([name for name in names if name not in leaving])
    return kept


def _deals(deal_ids: tuple[str, ...]) -> str:
    count = len(set(deal_ids))
    return "1 deal" if count == 1 else f"{count} deals"
