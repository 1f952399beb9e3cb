"""New deals join the clusters that exist: no old deal moves, no cluster gets another id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.arrays import FloatArray, IntArray
from core.clustering.cluster import Cluster, Clustering, ClusteringSettings, LeftOver
from core.clustering.geometry import check_vectors, one_thread
from core.clustering.identity import EXCLUDED, DealLike, canonical_order
from core.clustering.keep_apart import Stratum, stratum_of
from core.clustering.links import RowLinks, components_of
from core.clustering.space import OUTSIDE, ClusterSpace, own_labels
from core.errors import ClusteringError

# A deal farther from the nearest cluster than this share of the old deals from theirs is novel. The
# nearest, not the joined one: a deal whose cluster is full is nothing new. On planted deals in
# clusters of up to 25, 71 to 100 % of the deals found novel belong to no theme or to two; measured
# to the joined one, 32 to 50 %.
NOVELTY_PERCENTILE = 95


def join_deals(
    deals: Sequence[DealLike], vectors: FloatArray, clustering: Clustering, new: Sequence[int]
) -> Clustering:
    """Put new deals into the clusters that exist.

    deals, vectors: old and new ones in the order the indices of the clustering count in. new:
    indices of deals in none of its clusters; those among its left-over deals get another chance.

    A deal joins the cluster with the highest posterior of the tied mixture that the old clusters
    form, among those with room that `keep_apart` and the links allow; deals closest to a cluster
    choose first. A deal no cluster may take is left over, with the reason. Joined deals get no
    further memberships. A deal that lies farther from every cluster than 95 % of the old deals
    from theirs joins as well, and is listed in `novel`.

    Old deals stay, and so do ids and order of the clusters. The result does not depend on the
    order of `new`. Raises ClusteringError when vectors, links or indices do not fit.
    """
    checked = check_vectors(vectors, len(deals))
    _check_new(new, clustering, len(deals))
    order, names = canonical_order(deals, checked)
    arrivals = order[np.isin(order, np.array(new, dtype=np.intp))]
    if len(arrivals) == 0:
        return clustering
    with one_thread():
        space = _space_of_known(checked, clustering, order, arrivals)
        distances = space.distances(space.transform(checked[arrivals]))
    seats = _Seats.of(deals, names, clustering)
    reasons: dict[int, str] = {}
    novel = set(clustering.novel) - set(arrivals.tolist())
    limit = _novelty_limit(space)
    posteriors = _log_posteriors(space, distances)
    for row in np.argsort(distances.min(axis=1, initial=np.inf), kind="stable").tolist():
        index = int(arrivals[row])
        allowed, reason = seats.open_to(index)
        if not allowed:
            reasons[index] = reason
            continue
        place = max(allowed, key=lambda place: (posteriors[row, place], -place))
        seats.take(index, place)
        if distances[row].min() > limit:
            novel.add(index)
    return _joined(clustering, seats, arrivals, reasons, novel)


def nearest_clusters(
    vectors: FloatArray, clustering: Clustering, indices: Sequence[int], count: int = 3
) -> list[list[tuple[int, float]]]:
    """Return for each deal the nearest clusters as (place, distance), nearest first.

    vectors: (n, width) of all deals of the clustering. Distances are Euclidean in the cluster
    space: one unit is the spread of a cluster along any direction.
    """
    with one_thread():
        space = ClusterSpace.of(vectors, clustering)
        distances = np.sqrt(space.distances(space.points[np.array(indices, dtype=np.intp)]))
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :count].tolist()
    return [
        [(place, float(row[place])) for place in places if np.isfinite(row[place])]
        for row, places in zip(distances, nearest, strict=True)
    ]


def _check_new(new: Sequence[int], clustering: Clustering, deals: int) -> None:
    unknown = sorted(index for index in new if not 0 <= index < deals)
    if unknown:
        raise ClusteringError(
            f"There is no deal at index {unknown[0]}: pass indices from 0 to {deals - 1} as new deals."
        )
    taken = sorted(set(new) & {index for cluster in clustering.clusters for index in cluster.members})
    if taken:
        raise ClusteringError(
            f"The deal at index {taken[0]} is in a cluster already: pass only deals in no cluster as new."
        )


def _space_of_known(
    vectors: FloatArray, clustering: Clustering, order: IntArray, arrivals: IntArray
) -> ClusterSpace:
    """Return the space of the old deals alone: what joins together must not change where."""
    labels = own_labels(clustering, len(vectors))
    known = labels != OUTSIDE
    known[[left.index for left in clustering.left_over]] = True
    known[arrivals] = False
    rows = order[known[order]]
    return ClusterSpace.fit(vectors[rows], labels[rows], len(clustering.clusters))


def _log_posteriors(space: ClusterSpace, distances: FloatArray) -> FloatArray:
    """Return log posteriors (m, k) up to a constant for each row; the covariance is the identity."""
    weights = np.where(space.weights > 0, space.weights, np.finfo(np.float64).tiny)
    posteriors: FloatArray = np.log(weights) - distances / 2
    return posteriors


def _novelty_limit(space: ClusterSpace) -> float:
    """Return the squared distance to their own centre that 95 % of the old deals keep."""
    own = space.labels != OUTSIDE
    if not own.any():
        return np.inf
    kept = np.square(space.points[own] - space.centres[space.labels[own]]).sum(axis=1)
    return float(np.percentile(kept, NOVELTY_PERCENTILE))


@dataclass(slots=True)
class _Seats:
    """Who sits where while deals join. members, kinds: for each cluster, in their order."""

    members: list[list[int]]
    kinds: list[Stratum]
    own: dict[int, int]
    links: RowLinks
    settings: ClusteringSettings
    deals: Sequence[DealLike]

    @classmethod
    def of(cls, deals: Sequence[DealLike], names: Sequence[str], clustering: Clustering) -> _Seats:
        settings = clustering.settings
        return cls(
            members=[list(cluster.members) for cluster in clustering.clusters],
            kinds=[
                stratum_of(deals[cluster.members[0]], settings.keep_apart) for cluster in clustering.clusters
            ],
            own=clustering.own_cluster(),
            links=components_of(clustering.links, names, settings.max_deals),
            settings=settings,
            deals=deals,
        )

    def open_to(self, index: int) -> tuple[list[int], str]:
        """Return the places of the clusters the deal may join, and why there are no others."""
        if index in self.links.excluded:
            return [], EXCLUDED
        settings = self.settings
        kind = stratum_of(self.deals[index], settings.keep_apart)
        mates = {
            self.own[mate] for group in self.links.together if index in group for mate in group
            if mate in self.own
        }  # fmt: skip
        rivals = {other for pair in self.links.apart if index in pair for other in pair} - {index}
        filters: tuple[tuple[Callable[[int], bool], str], ...] = (
            (
                lambda place: self.kinds[place] == kind,
                f"No cluster holds deals that are like it in {' and '.join(settings.keep_apart)}.",
            ),
            (
                lambda place: mates <= {place} and rivals.isdisjoint(self.members[place]),
                "The links of the analyst keep it out of every cluster.",
            ),
            (
                lambda place: len(self.members[place]) < settings.max_deals,
                f"Every cluster it may join is full at {settings.max_deals} deals.",
            ),
        )
        places, reason = list(range(len(self.members))), "There is no cluster that it could join."
        for allows, why in filters:
            if places:
                places, reason = [place for place in places if allows(place)], why
        return places, reason

    def take(self, index: int, place: int) -> None:
        """Seat the deal."""
        self.members[place].append(index)
        self.own[index] = place


def _joined(
    clustering: Clustering, seats: _Seats, arrivals: IntArray, reasons: dict[int, str], novel: set[int]
) -> Clustering:
    new = set(arrivals.tolist())
    left_over = [left for left in clustering.left_over if left.index not in new]
    left_over += [LeftOver(index, reason) for index, reason in reasons.items()]
    before = clustering.diagnostics.get("joined_deals", 0)
    return replace(
        clustering,
        clusters=tuple(
            _extended(cluster, members[len(cluster.members) :])
            for cluster, members in zip(clustering.clusters, seats.members, strict=True)
        ),
        left_over=tuple(sorted(left_over, key=lambda left: left.index)),
        novel=tuple(sorted(novel)),
        diagnostics={
            **clustering.diagnostics,
            "joined_deals": before + len(new) - len(reasons),
            "novel_deals": len(novel),
        },
    )


def _extended(cluster: Cluster, joined: Sequence[int]) -> Cluster:
    strengths = dict(zip(cluster.members, cluster.strengths, strict=True)) | dict.fromkeys(joined, 1.0)
    members = tuple(sorted(strengths))
    return Cluster(cluster.id, members, tuple(strengths[index] for index in members))
