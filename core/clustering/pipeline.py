"""Cluster deals: check, order, reduce, fit, bound sizes, add second memberships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.clustering import partition
from core.clustering.geometry import (
    FloatArray,
    IntArray,
    Tree,
    build_tree,
    reduce_dimensions,
    whiten_by_tree,
)
from core.clustering.identity import DealLike, canonical_order, cluster_id
from core.clustering.kmeans import choose_size, fit_kmeans
from core.clustering.mixture import choose_mixture, fit_mixture
from core.clustering.model import Cluster, Clustering, ClusteringSettings, LeftOver, Method
from core.clustering.overlap import ROOM, SecondMembership, find_second_memberships
from core.clustering.sizing import Bounds, Sizing, bound_sizes
from core.errors import ClusteringError
from core.settings import CLUSTERING_MAX_DEALS, MEMBERSHIP_THRESHOLD, MIN_CLUSTER_SIZE

Progress = Callable[[str], None]

# With few deals the covariance has few directions and many second memberships are wrong: F1 of .2
# to .6 at 100 deals, .65 and more from 200 on.
_RELIABLE_OVERLAP = 200


def cluster_deals(
    deals: Sequence[DealLike],
    embeddings: FloatArray,
    settings: ClusteringSettings = ClusteringSettings(),  # noqa: B008  (frozen)
    on_progress: Progress | None = None,
) -> Clustering:
    """Group deals with similar vectors into clusters within the size bounds.

    deals: `Deal` or mappings with "deal_id". embeddings: (n, d) numbers, one row for each deal;
    the length of a row does not matter. on_progress: called with a sentence at each step.

    Every deal is in a cluster or in `left_over`. The result depends neither on the order of the
    deals nor on the number of threads. Clusters come largest first, then by smallest deal id.
    Raises ClusteringError when the vectors cannot be clustered.
    """
    vectors = _checked(deals, embeddings)
    report = on_progress or (lambda _: None)
    if len(deals) < settings.min_size:
        return _too_few(len(deals), settings)
    order, names = canonical_order(deals, vectors)
    # Sums over several threads differ in the last digits, enough to move deals between clusters.
    with _one_thread():
        parts, white = _cluster_parts(vectors[order], settings, report)
        second = _second_memberships(parts, white, settings, report)
    return _assemble(parts, second, order, names, settings)


def cluster_deals_semantically(
    deals: Sequence[DealLike],
    embeddings: FloatArray,
    max_deals_per_cluster: int = CLUSTERING_MAX_DEALS,
    min_cluster_size: int = MIN_CLUSTER_SIZE,
    method: Method = "gmm",
) -> list[list[int]]:
    """Return clusters as lists of deal indices; small groups are left out.

    Fewer deals than min_cluster_size give []. Raises ClusteringError; see `cluster_deals`.
    """
    settings = ClusteringSettings(method=method, max_deals=max_deals_per_cluster, min_size=min_cluster_size)
    return _index_lists(deals, embeddings, settings)


def cluster_deals_with_soft_assignments(
    deals: Sequence[DealLike],
    embeddings: FloatArray,
    max_deals_per_cluster: int = CLUSTERING_MAX_DEALS,
    min_cluster_size: int = MIN_CLUSTER_SIZE,
    probability_threshold: float = MEMBERSHIP_THRESHOLD,
) -> list[list[int]]:
    """Return clusters as lists of deal indices; a deal may be in two; small groups are left out.

    probability_threshold: membership strength in (0, 1] from which a deal joins a second
    cluster. It is no posterior probability (those are 0 or 1 here) but the residual
    strength of `overlap.strength_of`; a lower value adds more memberships.
    Fewer deals than min_cluster_size give []. Raises ClusteringError; see `cluster_deals`.
    """
    settings = ClusteringSettings(
        max_deals=max_deals_per_cluster,
        min_size=min_cluster_size,
        overlap=True,
        threshold=probability_threshold,
    )
    return _index_lists(deals, embeddings, settings)


def _index_lists(
    deals: Sequence[DealLike], embeddings: FloatArray, settings: ClusteringSettings
) -> list[list[int]]:
    if len(deals) < settings.min_size:
        return []
    return [list(cluster.members) for cluster in cluster_deals(deals, embeddings, settings).clusters]


def _checked(deals: Sequence[DealLike], embeddings: FloatArray) -> FloatArray:
    """Return the embeddings as a 2-D float array, one finite row for each deal."""
    try:
        vectors = np.asarray(embeddings)
        if vectors.dtype.kind not in "fiub":
            vectors = vectors.astype(np.float64)
        vectors = vectors.astype(np.result_type(vectors.dtype, np.float32), copy=False)
    except (TypeError, ValueError):
        raise ClusteringError("The vectors are not numbers: embed the deals again.") from None
    if vectors.ndim != 2:  # noqa: PLR2004
        raise ClusteringError(
            f"The vectors have {vectors.ndim} dimension(s) where rows and columns are needed: "
            "pass one row for each deal."
        )
    if len(vectors) != len(deals):
        raise ClusteringError(
            f"There are {len(deals)} deals but {len(vectors)} vectors: embed the deals again, "
            "one vector for each deal."
        )
    if len(deals) and vectors.shape[1] == 0:
        raise ClusteringError("The vectors have no columns: embed the deals again.")
    broken = int((~np.isfinite(vectors).all(axis=1)).sum())
    if broken:
        raise ClusteringError(
            f"{broken} of {len(vectors)} vectors hold NaN or infinite values: embed these deals "
            "again or leave them out."
        )
    return vectors


def _one_thread() -> AbstractContextManager[object]:
    """Keep the numerics to one thread.

    The limit reaches only libraries that are loaded already, so they load first.
    """
    import scipy.cluster.hierarchy  # noqa: F401
    import sklearn.cluster
    import sklearn.decomposition  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[object] = threadpool_limits(limits=1)
    return limits


def _too_few(deals: int, settings: ClusteringSettings) -> Clustering:
    reason = f"The file has fewer deals ({deals}) than the smallest cluster size of {settings.min_size}."
    left_over = tuple(LeftOver(index, reason) for index in range(deals))
    return Clustering((), left_over, settings, {"deals": deals, "components": 0, "bic": []})


@dataclass(frozen=True, slots=True)
class _Fit:
    """A partition before sizes are bounded.

    labels: (n,). white: (n, d) points with round clusters. curve: (components, bic) pairs.
    """

    labels: IntArray
    white: FloatArray
    components: int
    curve: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class _Part:
    """One coarse part after clustering; row numbers count within `rows`."""

    rows: IntArray
    sizing: Sizing
    fit: _Fit


def _cluster_parts(
    vectors: FloatArray, settings: ClusteringSettings, report: Progress
) -> tuple[list[_Part], FloatArray]:
    """Return the clustered parts, and all points in one whitened space."""
    report(f"Comparing {len(vectors):,} vectors")
    if len(vectors) <= partition.DIRECT_LIMIT:
        part = _cluster_part(vectors, np.arange(len(vectors)), settings, report)
        return [part], part.fit.white
    divided, white = partition.divide(vectors)
    parts = [
        _cluster_part(
            vectors[rows],
            rows,
            _share_of(settings, len(rows) / len(vectors)),
            _prefixed(report, f"Part {number} of {len(divided)}: "),
        )
        for number, rows in enumerate(divided, start=1)
    ]
    return parts, white


def _second_memberships(
    parts: list[_Part], white: FloatArray, settings: ClusteringSettings, report: Progress
) -> list[SecondMembership]:
    if not settings.overlap:
        return []
    report("Looking for second memberships")
    return find_second_memberships(
        white,
        _groups(parts),
        threshold=settings.threshold,
        largest=settings.max_deals,
        max_share=settings.max_overlap_share,
    )


def _groups(parts: list[_Part]) -> list[IntArray]:
    return [part.rows[group] for part in parts for group in part.sizing.groups]


def _share_of(settings: ClusteringSettings, share: float) -> ClusteringSettings:
    """Give a part its share of a fixed number of components."""
    if settings.components is None:
        return settings
    return replace(settings, components=max(1, round(settings.components * share)))


def _prefixed(report: Progress, prefix: str) -> Progress:
    return lambda sentence: report(prefix + sentence)


def _cluster_part(
    vectors: FloatArray, rows: IntArray, settings: ClusteringSettings, report: Progress
) -> _Part:
    points = reduce_dimensions(vectors)
    fit = _fit(points, settings, report)
    bounds = Bounds(settings.min_size, settings.max_deals)
    sizing = bound_sizes(
        fit.white,
        fit.labels,
        bounds,
        small_clusters=settings.small_clusters,
        target=bounds.within(ROOM) if settings.overlap else None,
    )
    return _Part(rows, sizing, fit)


def _fit(points: FloatArray, settings: ClusteringSettings, report: Progress) -> _Fit:
    """Partition points (n, d) by the method of the settings."""
    if points.shape[1] == 0:  # all vectors are equal
        return _Fit(np.zeros(len(points), dtype=np.intp), points, 1, [])
    report("Building the tree of similar deals")
    white = whiten_by_tree(points)
    tree = build_tree(white)
    if settings.method == "kmeans":
        return _fit_kmeans(white, tree, settings, report)
    return _fit_mixture(white, tree, settings, report)


def _fit_mixture(white: FloatArray, tree: Tree, settings: ClusteringSettings, report: Progress) -> _Fit:
    def announce(components: int) -> None:
        report(f"Fitting {components} components")

    if settings.components is None:
        mixture, curve = choose_mixture(white, tree, settings.min_size, announce)
    else:
        announce(settings.components)
        mixture = fit_mixture(white, tree.cut(settings.components))
        curve = [(mixture.components, mixture.bic)]
    whiter = (white @ mixture.whitener).astype(np.float32)
    return _Fit(mixture.labels, whiter, mixture.components, curve)


def _fit_kmeans(white: FloatArray, tree: Tree, settings: ClusteringSettings, report: Progress) -> _Fit:
    size, curve = settings.components, list[tuple[int, float]]()
    if size is None:
        size, curve = choose_size(white, tree, settings.min_size)
    report(f"Fitting {size} clusters")
    labels, whiter = fit_kmeans(white, tree.cut(size))
    return _Fit(labels, whiter, int(labels.max()) + 1, curve)


def _assemble(
    parts: list[_Part],
    second: list[SecondMembership],
    order: IntArray,
    names: list[str],
    settings: ClusteringSettings,
) -> Clustering:
    """Translate sorted rows back to the caller's indices and put everything in a stable order."""
    strengths = [dict.fromkeys(order[group].tolist(), 1.0) for group in _groups(parts)]
    for extra in second:
        strengths[extra.group][int(order[extra.row])] = extra.strength
    clusters = [_cluster(members, names) for members in strengths]
    left_over = [
        LeftOver(int(order[part.rows[row]]), reason)
        for part in parts
        for row, reason in part.sizing.left_over.items()
    ]
    first_name = {cluster.id: min(names[index] for index in cluster.members) for cluster in clusters}
    clusters.sort(key=lambda cluster: (-len(cluster.members), first_name[cluster.id], cluster.id))
    left_over.sort(key=lambda left: left.index)
    return Clustering(tuple(clusters), tuple(left_over), settings, _diagnostics(parts, len(second), settings))


def _cluster(strengths: dict[int, float], names: list[str]) -> Cluster:
    members = tuple(sorted(strengths))
    return Cluster(
        cluster_id([names[index] for index in members]),
        members,
        tuple(strengths[index] for index in members),
    )


def _diagnostics(parts: list[_Part], second: int, settings: ClusteringSettings) -> dict[str, Any]:
    """Describe the run in plain values; the BIC curve is that of the largest part."""
    deals = sum(len(part.rows) for part in parts)
    largest = max(parts, key=lambda part: len(part.rows))
    notes = []
    if settings.overlap and deals < _RELIABLE_OVERLAP:
        notes.append(
            f"Second memberships are not reliable for {deals} deals; from {_RELIABLE_OVERLAP} on they are."
        )
    return {
        "deals": deals,
        "parts": len(parts),
        "dimensions": largest.fit.white.shape[1],
        "components": sum(part.fit.components for part in parts),
        "bic": [{"components": size, "bic": value} for size, value in largest.fit.curve],
        "oversize_groups": sum(part.sizing.oversize for part in parts),
        "small_groups": sum(part.sizing.small for part in parts),
        "attached_deals": sum(part.sizing.attached for part in parts),
        "second_memberships": second,
        "notes": notes,
    }
