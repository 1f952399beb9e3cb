"""Figures that say how good each cluster is, and what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.arrays import FloatArray, IntArray
from core.clustering.cluster import Clustering
from core.clustering.geometry import check_vectors, group_means, one_thread, scale_to_unit
from core.clustering.identity import DealLike, canonical_order
from core.clustering.sizing import squared_distances
from core.clustering.space import OUTSIDE, ClusterSpace, own_labels
from core.clustering.stability import NEIGHBOURHOOD, RUNS, measure_stability
from core.clustering.terms import shared_terms
from core.settings import RANDOM_SEED

# Typical deals and nearest clusters listed for each cluster.
LISTED = 3
# Clusters a deal is compared with for its silhouette. Against all clusters the mean silhouette of a
# cluster is .002 to .004 higher on average, at most .04, on planted deals.
_RIVALS = 10


@dataclass(frozen=True, slots=True)
class ClusterQuality:
    """Figures about one cluster, over the deals that belong to it first; None = does not exist.

    cohesion: mean cosine between its deals and their mean direction, in the embeddings as they
        are; 1 = all deals alike.
    separation: 1 - cosine to the mean direction of the nearest other cluster, in [0, 2], in the
        embeddings as they are.
    silhouette: mean silhouette of its deals in [-1, 1] (Rousseeuw 1987) in the cluster space;
        below 0, its deals lie nearer to another cluster. None with one cluster.
    stability: in [0, 1], see `stability.measure_stability`. None with one cluster.
    terms: up to 5 terms its deals share and other clusters lack, best first.
    typical: indices of the 3 deals nearest to its centre in the cluster space, nearest first.
    nearest: ids of the 3 clusters whose centres lie nearest in the cluster space.
    """

    cluster_id: str
    cohesion: float | None
    separation: float | None
    silhouette: float | None
    stability: float | None
    terms: tuple[str, ...]
    typical: tuple[int, ...]
    nearest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures about a clustering.

    clusters: in the order of the clustering. The four figures are means over the clusters that
    have them, weighted by their deals. notes: sentences that say what was sampled or left out.
    """

    clusters: tuple[ClusterQuality, ...]
    cohesion: float | None
    separation: float | None
    silhouette: float | None
    stability: float | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Quality:
        """Rebuild the figures from `to_dict`."""
        clusters = tuple(
            ClusterQuality(
                **{**item, **{name: tuple(item[name]) for name in ("terms", "typical", "nearest")}}
            )
            for item in saved["clusters"]
        )
        return cls(**{**saved, "clusters": clusters, "notes": tuple(saved["notes"])})


def measure_quality(
    deals: Sequence[DealLike],
    vectors: FloatArray,
    clustering: Clustering,
    *,
    seed: int = RANDOM_SEED,
    on_progress: Callable[[str], None] | None = None,
) -> Quality:
    """Measure how good the clusters of a clustering are.

    deals, vectors: those that were clustered, in the same order. Further memberships and
    left-over deals do not count. The figures depend neither on the order of the deals nor on
    the number of threads. Raises ClusteringError when the vectors do not fit the deals.
    """
    report = on_progress or (lambda _: None)
    checked = check_vectors(vectors, len(deals))
    order, _ = canonical_order(deals, checked)
    labels = own_labels(clustering, len(deals))[order]
    places = np.unique(labels[labels != OUTSIDE])
    if len(places) == 0:
        return Quality((), None, None, None, None, ("There are no clusters to measure.",))
    with one_thread():
        measured = _Measured.of(checked[order], labels, places, seed, report)
        report("Looking for shared terms")
        terms = shared_terms(deals, [order[group] for group in measured.groups])
    # A cluster whose deals all belong to other clusters first has no figures.
    found = {place: row for row, place in enumerate(places.tolist())}
    clusters = tuple(
        _describe(clustering, place, found.get(place), measured, terms, order)
        for place in range(len(clustering.clusters))
    )
    return Quality(clusters, **_means(measured), notes=_notes(measured))


@dataclass(frozen=True, slots=True)
class _Measured:
    """Arrays over the m clusters that have deals of their own; rows count in canonical order."""

    places: IntArray
    groups: list[IntArray]
    # Figures by the name of their field in `ClusterQuality`.
    figures: dict[str, FloatArray]
    typical: list[IntArray]
    nearest: IntArray

    @classmethod
    def of(
        cls,
        vectors: FloatArray,
        labels: IntArray,
        places: IntArray,
        seed: int,
        report: Callable[[str], None],
    ) -> _Measured:
        report(f"Measuring {len(places):,} clusters")
        dense = np.where(labels == OUTSIDE, OUTSIDE, np.searchsorted(places, labels))
        space = ClusterSpace.fit(vectors, dense, len(places))
        rows = np.flatnonzero(dense != OUTSIDE)
        points, own = space.points[rows], dense[rows]
        groups = [np.flatnonzero(dense == place) for place in range(len(places))]
        nearest = space.nearest_to(np.arange(len(places)), _RIVALS)
        cohesion, separation = _directions(scale_to_unit(vectors[rows]), own)
        figures = {
            "cohesion": cohesion,
            "separation": separation,
            "silhouette": mean_silhouettes(space.points, groups, nearest),
            "stability": _stability(points, own, space.centres, seed, report),
        }
        typical = [
            group[np.argsort(_spread(space.points[group], centre), kind="stable")[:LISTED]]
            for group, centre in zip(groups, space.centres, strict=True)
        ]
        return cls(places, groups, figures, typical, nearest[:, :LISTED])


def _directions(unit: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return cohesion and separation (k,) of unit vectors, NaN for a lone cluster."""
    means, _ = group_means(unit, labels)
    # For unit vectors the mean cosine to the mean direction is the length of the mean.
    cohesion = np.minimum(np.linalg.norm(means, axis=1), 1)
    direction = scale_to_unit(means)
    cosines = np.clip(direction @ direction.T, -1, 1)
    np.fill_diagonal(cosines, -np.inf)
    separation = 1 - cosines.max(axis=1)
    return cohesion, np.where(np.isfinite(separation), separation, np.nan)


def mean_silhouettes(points: FloatArray, groups: Sequence[IntArray], rivals: IntArray) -> FloatArray:
    """Return the mean silhouette (k,) of each group, NaN without rivals or directions.

    points: (n, d). groups: rows of each. rivals: (k, r) groups to compare each with. With all
    other groups as rivals this is scikit-learn's `silhouette_samples`, which takes n * n
    distances; with the ten nearest it takes n * 11 * group size.
    """
    silhouettes = np.full(len(groups), np.nan)
    if rivals.shape[1] == 0 or points.shape[1] == 0:
        return silhouettes
    sizes, wide = np.array([len(group) for group in groups]), points.astype(np.float64)
    for place, group in enumerate(groups):
        compared = [place, *rivals[place].tolist()]
        others = np.concatenate([groups[other] for other in compared])
        distances = np.sqrt(squared_distances(wide[group], wide[others]))
        starts = np.concatenate(([0], np.cumsum(sizes[compared])[:-1]))
        sums = np.add.reduceat(distances, starts, axis=1, dtype=np.float64)
        inner = sums[:, 0] / max(1, len(group) - 1)
        outer = (sums[:, 1:] / sizes[compared[1:]]).min(axis=1)
        widest = np.maximum(inner, outer)
        values = np.where(widest > 0, outer - inner, 0) / np.where(widest > 0, widest, 1)
        # Rousseeuw: the silhouette of a cluster of one is 0.
        silhouettes[place] = values.mean() if len(group) > 1 else 0
    return silhouettes


def _stability(
    points: FloatArray, labels: IntArray, centres: FloatArray, seed: int, report: Callable[[str], None]
) -> FloatArray:
    if points.shape[1] == 0:
        return np.full(len(centres), np.nan)
    return measure_stability(points, labels, centres, seed, report)


def _spread(points: FloatArray, centre: FloatArray) -> FloatArray:
    return squared_distances(points, centre[None])[:, 0]


def _describe(
    clustering: Clustering,
    place: int,
    row: int | None,
    measured: _Measured,
    terms: list[tuple[str, ...]],
    order: IntArray,
) -> ClusterQuality:
    cluster = clustering.clusters[place].id
    if row is None:
        return ClusterQuality(cluster, None, None, None, None, (), (), ())
    return ClusterQuality(
        cluster,
        **{name: _known(values[row]) for name, values in measured.figures.items()},
        terms=terms[row],
        typical=tuple(order[measured.typical[row]].tolist()),
        nearest=tuple(clustering.clusters[other].id for other in measured.places[measured.nearest[row]]),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _means(measured: _Measured) -> dict[str, float | None]:
    sizes = np.array([len(group) for group in measured.groups])
    return {name: _weighted_mean(values, sizes) for name, values in measured.figures.items()}


def _weighted_mean(values: FloatArray, sizes: IntArray) -> float | None:
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=sizes[known])) if known.any() else None


def _notes(measured: _Measured) -> tuple[str, ...]:
    clusters, deals = len(measured.groups), sum(len(group) for group in measured.groups)
    if clusters == 1:
        return ("With one cluster there is nothing to compare: no separation, silhouette or stability.",)
    notes = [f"Stability comes from {RUNS} samples of half the deals each, clustered again."]
    if np.isnan(measured.figures["stability"]).all():
        notes = ["There is no stability: the deals are too few or all alike."]
    elif deals > NEIGHBOURHOOD:
        notes.append(
            f"Samples are drawn among up to about {NEIGHBOURHOOD:,} neighbouring deals at a time, "
            "not among all deals."
        )
    if clusters - 1 > _RIVALS:
        notes.append(f"Silhouettes compare the deals of a cluster with the {_RIVALS} nearest clusters.")
    return tuple(notes)
