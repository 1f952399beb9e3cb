"""Cluster deals: check, order, reduce, fit, bound sizes, add second memberships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.arrays import BoolArray, FloatArray, IntArray
from core.clustering import partition
from core.clustering.cluster import Clustering, ClusteringSettings, LeftOver, Links, Method
from core.clustering.fitting import Fit, Progress, fit
from core.clustering.geometry import check_vectors, one_thread, reduce_dimensions, whitener_of_groups
from core.clustering.identity import EXCLUDED, DealLike, canonical_order, in_order, named_cluster
from core.clustering.keep_apart import Stratum, stratum_of
from core.clustering.links import RowLinks, check_strata, components_of, keep_links
from core.clustering.overlap import ROOM, FurtherMembership, find_memberships
from core.clustering.sizing import Bounds, Sizing, bound_sizes
from core.settings import CLUSTERING_MAX_DEALS, MEMBERSHIP_THRESHOLD, MIN_CLUSTER_SIZE

# With few deals the covariance has few directions and many second memberships are wrong: F1 of .2
# to .6 at 100 deals, .65 and more from 200 on.
_RELIABLE_OVERLAP = 200


def cluster_deals(
    deals: Sequence[DealLike],
    embeddings: FloatArray,
    settings: ClusteringSettings = ClusteringSettings(),  # noqa: B008  (frozen)
    on_progress: Progress | None = None,
    links: Links = Links(),  # noqa: B008  (frozen)
) -> Clustering:
    """Group deals with similar vectors into clusters within the size bounds.

    deals: `Deal` or mappings with "deal_id". embeddings: (n, d) numbers, one row for each deal;
    the length of a row does not matter. on_progress: called with a sentence at each step.
    links: what the analyst decided about single deals.

    Every deal is in a cluster or in `left_over`. The result depends neither on the order of the
    deals nor on the number of threads. Clusters come largest first, then by smallest deal id.
    Raises ClusteringError when the vectors cannot be clustered or the links contradict each other.
    """
    vectors = check_vectors(embeddings, len(deals))
    report = on_progress or (lambda _: None)
    if len(deals) < settings.min_size:
        return _too_few(len(deals), settings, links)
    order, names = canonical_order(deals, vectors)
    task = _Task(
        [deals[place] for place in order], [names[place] for place in order], vectors[order], settings, links
    )
    with one_thread():
        found = _cluster(task, report)
    return _assemble(found, order, names, task)


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


def _too_few(deals: int, settings: ClusteringSettings, links: Links) -> Clustering:
    reason = f"The file has fewer deals ({deals}) than the smallest cluster size of {settings.min_size}."
    left_over = tuple(LeftOver(index, reason) for index in range(deals))
    return Clustering((), left_over, settings, {"deals": deals, "components": 0, "bic": []}, links)


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be clustered; rows are in canonical order."""

    deals: Sequence[DealLike]
    names: list[str]
    vectors: FloatArray
    settings: ClusteringSettings
    links: Links


@dataclass(frozen=True, slots=True)
class _Part:
    """Deals clustered as one; row numbers of `sizing` and `fit` count within `rows`.

    stratum: number of the stratum all of them belong to.
    """

    rows: IntArray
    stratum: int
    sizing: Sizing
    fit: Fit


@dataclass(frozen=True, slots=True)
class _Found:
    """Clusters as row numbers, before they are named.

    left_over: row -> reason. further: memberships besides a row's own.
    """

    groups: list[IntArray]
    left_over: dict[int, str]
    further: list[FurtherMembership]
    diagnostics: dict[str, Any]


def _cluster(task: _Task, report: Progress) -> _Found:
    report(f"Comparing {len(task.deals):,} vectors")
    links = components_of(task.links, task.names, task.settings.max_deals)
    kinds = [stratum_of(deal, task.settings.keep_apart) for deal in task.deals]
    check_strata(links, kinds, task.names)
    strata, left_over = _strata(task.settings, kinds)
    shares = _shares(task.vectors, strata)
    parts = []
    for number, (stratum, rows) in enumerate(shares, start=1):
        prefix = f"Part {number} of {len(shares)}: " if len(shares) > 1 else ""
        parts.append(_cluster_part(task, rows, stratum, _prefixed(report, prefix)))
    groups = [part.rows[group] for part in parts for group in part.sizing.groups]
    left_over |= {
        int(part.rows[row]): reason for part in parts for row, reason in part.sizing.left_over.items()
    }
    white = _common_space(task.vectors, parts, groups)
    if links:
        report("Keeping what the analyst decided")
        # Excluded only now: one decision must not change how all the other deals are grouped.
        groups = [np.setdiff1d(group, links.excluded) for group in groups]
        left_over |= dict.fromkeys(links.excluded, EXCLUDED)
        bounds = Bounds(task.settings.min_size, task.settings.max_deals)
        groups, left_over = keep_links(white, groups, left_over, bounds, links, strata.tolist())
    further = _further_memberships(task, white, groups, _apart(groups, strata, links), report)
    return _Found(groups, left_over, further, _diagnostics(task, parts, len(further)))


def _strata(settings: ClusteringSettings, kinds: Sequence[Stratum]) -> tuple[IntArray, dict[int, str]]:
    """Return the stratum number (n,) of each row, -1 for rows that cannot be clustered, and why not."""
    number = {kind: place for place, kind in enumerate(sorted(set(kinds), key=str))}
    strata = np.array([number[kind] for kind in kinds], dtype=np.intp)
    left_over: dict[int, str] = {}
    for kind, place in number.items():
        rows = np.flatnonzero(strata == place)
        if len(rows) < settings.min_size:
            strata[rows] = -1
            left_over.update(dict.fromkeys(rows.tolist(), _too_rare(settings, kind, len(rows))))
    return strata, left_over


def _too_rare(settings: ClusteringSettings, kind: Stratum, deals: int) -> str:
    values = [f"{rule}: {value or 'unknown'}" for rule, value in zip(settings.keep_apart, kind, strict=True)]
    which = f" with {', '.join(values)}" if values else ""
    return (
        f"There are only {deals} deals{which} to cluster, fewer than the smallest cluster size of "
        f"{settings.min_size}."
    )


def _shares(vectors: FloatArray, strata: IntArray) -> list[tuple[int, IntArray]]:
    """Return stratum and rows of the parts to cluster: one for each stratum, more for a huge one."""
    shares: list[tuple[int, IntArray]] = []
    for stratum in np.unique(strata[strata >= 0]).tolist():
        rows = np.flatnonzero(strata == stratum)
        huge = len(rows) > partition.DIRECT_LIMIT
        pieces = [rows[piece] for piece in partition.divide(vectors[rows])] if huge else [rows]
        shares += [(stratum, piece) for piece in pieces]
    return shares


def _cluster_part(task: _Task, rows: IntArray, stratum: int, report: Progress) -> _Part:
    settings = _share_of(task.settings, len(rows) / len(task.deals))
    found = fit(task.vectors[rows], settings, report)
    bounds = Bounds(settings.min_size, settings.max_deals)
    sizing = bound_sizes(
        found.white,
        found.labels,
        bounds,
        small_clusters=settings.small_clusters,
        target=bounds.within(ROOM) if settings.overlap else None,
        pack=settings.pack,
    )
    return _Part(rows, stratum, sizing, found)


def _share_of(settings: ClusteringSettings, share: float) -> ClusteringSettings:
    """Give a part its share of a fixed number of components."""
    if settings.components is None:
        return settings
    return replace(settings, components=max(1, round(settings.components * share)))


def _prefixed(report: Progress, prefix: str) -> Progress:
    return lambda sentence: report(prefix + sentence)


def _common_space(vectors: FloatArray, parts: list[_Part], groups: list[IntArray]) -> FloatArray:
    """Return all points (n, d) in one space in which the clusters are round."""
    if len(parts) == 1 and len(parts[0].rows) == len(vectors):
        return parts[0].fit.white
    points = reduce_dimensions(vectors)
    if not groups or points.shape[1] == 0:
        return points
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return (points @ whitener_of_groups(points[np.concatenate(groups)], labels)).astype(np.float32)


def _further_memberships(
    task: _Task,
    white: FloatArray,
    groups: list[IntArray],
    apart: BoolArray,
    report: Progress,
) -> list[FurtherMembership]:
    settings = task.settings
    if not settings.overlap:
        return []
    report("Looking for further memberships")
    return find_memberships(
        white,
        groups,
        threshold=settings.threshold,
        largest=settings.max_deals,
        max_share=settings.max_overlap_share,
        most=settings.max_memberships,
        apart=apart,
    )


def _apart(groups: list[IntArray], strata: IntArray, links: RowLinks) -> BoolArray:
    """Return which groups (k, k) share no deal: other strata, or a deal of the one bars one of the other."""
    kinds = np.array([strata[group[0]] for group in groups], dtype=np.intp)
    apart: BoolArray = kinds[:, None] != kinds
    home = {int(row): place for place, group in enumerate(groups) for row in group}
    for first, second in links.apart:
        if first in home and second in home:
            apart[home[first], home[second]] = apart[home[second], home[first]] = True
    return apart


def _assemble(found: _Found, order: IntArray, names: list[str], task: _Task) -> Clustering:
    """Translate sorted rows back to the caller's indices and put everything in a stable order."""
    strengths = [dict.fromkeys(order[group].tolist(), 1.0) for group in found.groups]
    for extra in found.further:
        strengths[extra.group][int(order[extra.row])] = extra.strength
    left_over = [LeftOver(int(order[row]), reason) for row, reason in found.left_over.items()]
    return Clustering(
        in_order([named_cluster(members, names) for members in strengths], names),
        tuple(sorted(left_over, key=lambda left: left.index)),
        task.settings,
        found.diagnostics,
        task.links,
    )


def _diagnostics(task: _Task, parts: list[_Part], further: int) -> dict[str, Any]:
    """Describe the run in plain values; the BIC curve is that of the largest part."""
    deals = len(task.deals)
    largest = max(parts, key=lambda part: len(part.rows), default=None)
    notes = []
    if task.settings.overlap and deals < _RELIABLE_OVERLAP:
        notes.append(
            f"Second memberships are not reliable for {deals} deals; from {_RELIABLE_OVERLAP} on they are."
        )
    return {
        "deals": deals,
        "parts": len(parts),
        "dimensions": largest.fit.white.shape[1] if largest else 0,
        "components": sum(part.fit.components for part in parts),
        "bic": [{"components": size, "bic": value} for size, value in largest.fit.curve] if largest else [],
        "group_sizes": sorted((size for part in parts for size in part.sizing.found), reverse=True),
        "oversize_groups": sum(part.sizing.oversize for part in parts),
        "small_groups": sum(part.sizing.small for part in parts),
        "attached_deals": sum(part.sizing.attached for part in parts),
        "further_memberships": further,
        "notes": notes,
    }
