"""What a clustering will come to, before it is run: how many clusters, how large, how many left over.

The sizes of the groups a method would find come from the last run, from the tree of a sample, or
from a rule of thumb; the rules of `sizing` are then applied to the sizes alone, as arithmetic.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import ceil
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.arrays import FloatArray, IntArray
from core.clustering.cluster import DENSITY_METHODS, Clustering, ClusteringSettings
from core.clustering.geometry import Tree, build_tree, one_thread, reduce_dimensions, whiten_by_tree
from core.clustering.identity import DealLike, canonical_order
from core.clustering.keep_apart import stratum_of
from core.clustering.kmeans import choose_size
from core.clustering.overlap import ROOM
from core.clustering.sizing import Bounds
from core.errors import ClusteringError
from core.settings import MIN_CLUSTER_SIZE, RANDOM_SEED

Basis = Literal["run", "tree", "count"]

# Deals the tree is built on; more change the forecast little and the tree takes n * n * 8 bytes.
SAMPLE = 3_000
# Without a tree: groups hold 35 deals on average (33 to 38 where planted themes of 4 to 60 deals
# were clustered, 300 to 3,000 deals) and their sizes spread evenly from a tenth of that upwards.
_GROUP_DEALS = 35
_SPREAD = (0.1, 1.9)
# Pieces of a group under this share of it are strays.
_STRAY_SHARE = 0.1
# Counts up to this are said as they are.
_EXACT = 20
# Columns of the array an outline is kept as: two merged nodes, height, size, row of the deal.
_COLUMNS = 5
# Settings that decide which groups a method finds, before sizes are bounded.
_FOUND_BY = ("method", "components", "min_size", "covariance", "keep_apart")


@dataclass(frozen=True, slots=True)
class Outline:
    """The tree of an evenly spaced sample of the deals: enough to forecast, small enough to keep.

    merges: (m - 1, 4), scipy's linkage matrix. rows: (m,) indices of the sampled deals.
    deals: how many there are in all. components: number of clusters with the lowest BIC.
    """

    merges: npt.NDArray[np.float64]
    rows: IntArray
    deals: int
    components: int

    def cut(self, groups: int) -> IntArray:
        """Return the group (m,) of each sampled deal."""
        return Tree(self.merges).cut(groups) if len(self.merges) else np.zeros(len(self.rows), dtype=np.intp)

    def to_array(self) -> npt.NDArray[np.float32]:
        """Return everything as (m, 5) float32, one row for each sampled deal."""
        kept = np.zeros((len(self.rows), _COLUMNS), dtype=np.float32)
        kept[:-1, :4] = self.merges
        kept[-1:, :2] = self.components, self.deals
        kept[:, 4] = self.rows
        return kept

    @classmethod
    def from_array(cls, kept: FloatArray) -> Outline:
        """Rebuild an outline from `to_array`. Raises ClusteringError for any other array."""
        if kept.ndim != 2 or kept.shape[1] != _COLUMNS:  # noqa: PLR2004
            raise ClusteringError(
                f"The kept tree has the shape {kept.shape}, not (m, {_COLUMNS}): build it again."
            )
        components, deals = (int(value) for value in kept[-1, :2]) if len(kept) else (0, 0)
        return cls(kept[:-1, :4].astype(np.float64), kept[:, 4].astype(np.intp), deals, components)


def build_outline(deals: Sequence[DealLike], vectors: FloatArray) -> Outline:
    """Build the tree of an evenly spaced sample of up to 3,000 deals, in canonical order.

    vectors: (n, d), finite, one row for each deal.
    """
    order, _ = canonical_order(deals, vectors)
    rows = order[np.linspace(0, len(order) - 1, min(len(order), SAMPLE)).astype(np.intp)]
    if len(rows) < 2:  # noqa: PLR2004
        return Outline(np.zeros((0, 4)), rows, len(deals), len(rows))
    with one_thread():
        points = reduce_dimensions(vectors[rows])
        if points.shape[1] == 0:  # all vectors are equal
            return Outline(build_tree(np.zeros((len(rows), 1))).merges, rows, len(deals), 1)
        white = whiten_by_tree(points)
        tree = build_tree(white)
        components, _ = choose_size(white, tree, MIN_CLUSTER_SIZE)
    return Outline(tree.merges, rows, len(deals), components)


@dataclass(frozen=True, slots=True)
class Forecast:
    """An estimate of what a clustering will give.

    smallest, largest: deals in a cluster, None without clusters. model_calls: one for each
    cluster. basis: what the groups were taken from: the last run, the tree, or the count alone.
    note: what the estimate does not know, in sentences, "" for nothing.
    """

    clusters: int
    smallest: int | None
    largest: int | None
    left_over: int
    model_calls: int
    basis: Basis
    note: str = ""

    @property
    def sentence(self) -> str:
        """The estimate in one sentence; numbers over 20 are rounded to two digits."""
        left = f"{_rounded(self.left_over)} left over" if self.left_over else "none left over"
        if self.smallest is None or self.largest is None:
            return f"No clusters, {left}, no model calls."
        sizes = f"{self.smallest} to " if self.smallest < self.largest else ""
        return (
            f"About {_counted(self.clusters, 'cluster')} of {sizes}{_counted(self.largest, 'deal')}, {left}, "
            f"{_counted(self.model_calls, 'model call')}."
        )


def forecast(
    deals: int | Sequence[DealLike],
    settings: ClusteringSettings,
    outline: Outline | None = None,
    last: Clustering | None = None,
) -> Forecast:
    """Estimate what a clustering with these settings will give, without running it.

    deals: those to be clustered, in the order the outline was built from, or only their number.
    last: the clustering made last; where it found the same groups, only their sizes are bounded
    anew. Links of the analyst are not considered. Raises ClusteringError when the outline is one of
    other deals.

    Error of the number of clusters, median and largest, for 24 settings (largest size 10 to 60,
    smallest 3 to 10, with and without overlap) at 1,000 deals with real embeddings: 0 and 0 % from
    a run, 3 and 7 % from the tree, 2 and 11 % from the count. Packing adds up to 11 %.
    """
    count = _count_of(deals)
    notes = []
    if (found := _of_run(count, settings, last)) is not None:
        basis: Basis = "run"
    elif outline is not None and settings.method not in DENSITY_METHODS:
        found, basis = _of_tree(deals, settings, outline, last), "tree"
    else:
        found, basis = _of_count(deals, settings), "count"
        if settings.method in DENSITY_METHODS:
            notes.append(f"What {settings.method} finds and leaves out is known after a run.")
    if basis != "run" and settings.keep_apart and isinstance(deals, int):
        notes.append("The rules that keep deals apart are not considered.")
    tallies = [_bounded(item, settings) for item in found]
    ranges = [limits for tally in tallies for limits in tally.ranges]
    clusters = sum(tally.clusters for tally in tallies)
    # Further memberships come on top of the deals of a cluster's own, up to the bound.
    growth = 1 + settings.max_overlap_share if settings.overlap and clusters > 1 else 1
    return Forecast(
        clusters,
        min((low for low, _ in ranges), default=None),
        max((min(settings.max_deals, ceil(high * growth)) for _, high in ranges), default=None),
        sum(tally.left_over for tally in tallies),
        clusters,
        basis,
        " ".join(notes),
    )


# --- the groups a method would find -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """Groups of one stratum by size; noise: deals in none of them; lost: deals in none for good."""

    sizes: list[int]
    noise: int = 0
    lost: int = 0


def _of_run(count: int, settings: ClusteringSettings, last: Clustering | None) -> list[_Found] | None:
    """Return what the last run found, None when these settings would find something else."""
    if last is None or not last.diagnostics.get("group_sizes"):
        return None
    if not _same_groups(last.settings, settings):
        return None
    sizes, deals = list(last.diagnostics["group_sizes"]), int(last.diagnostics["deals"])
    outside = deals - sum(sizes)
    *sizes, outside = _scaled([*sizes, outside], count / deals)
    noisy = settings.method in DENSITY_METHODS
    return [_Found(sizes, noise=outside if noisy else 0, lost=0 if noisy else outside)]


def _of_tree(
    deals: int | Sequence[DealLike],
    settings: ClusteringSettings,
    outline: Outline,
    last: Clustering | None,
) -> list[_Found]:
    count = _count_of(deals)
    if not isinstance(deals, int) and count != outline.deals:
        raise ClusteringError(
            f"The kept tree was built for {outline.deals} deals, not for {count}: build it again."
        )
    strata = _strata(deals, outline.rows, settings.keep_apart)
    scale = count / max(1, len(outline.rows))
    most = _components(settings, outline, last)
    found = []
    cut = cache(outline.cut)  # the strata are hundreds, the cuts they ask for a few
    for number in np.unique(strata):
        part = strata == number
        wanted = finest = most
        if settings.components is not None:  # each stratum gets its share
            wanted, finest = max(1, round(most * float(part.mean()))), len(part)
        found.append(_stratum_of_sizes(_scaled(_pieces(cut, part, wanted, finest), scale), settings))
    return found


def _pieces(
    cut: Callable[[int], IntArray], part: npt.NDArray[np.bool_], wanted: int, finest: int
) -> list[float]:
    """Return the sizes of the groups of one stratum, part (m,), when the tree is cut.

    The cut makes as few groups as give the stratum `wanted` of them, `finest` at most. A stratum
    is clustered on its own, so the few deals it has in groups of another are counted to its own
    groups, where it has any.
    """

    def pieces_at(groups: int) -> IntArray:
        labels = cut(groups)
        whole = np.bincount(labels)
        pieces = np.bincount(labels[part], minlength=len(whole))
        real = pieces >= np.maximum(1, _STRAY_SHARE * whole)
        return pieces[real] if real.any() else pieces[pieces > 0]

    lowest = min(wanted, finest)
    fewest = bisect_left(range(finest), wanted, lowest, finest, key=lambda groups: len(pieces_at(groups)))
    sizes = pieces_at(fewest)
    grown: list[float] = (sizes * (part.sum() / sizes.sum())).tolist()
    return grown


def _components(settings: ClusteringSettings, outline: Outline, last: Clustering | None) -> int:
    """Return the number asked for, else that of a comparable run, else that of the tree."""
    if settings.components is not None:
        return settings.components
    # Strata have components of their own, whose sum says nothing about the tree of all.
    if last is None or settings.keep_apart or not last.diagnostics.get("components"):
        return outline.components
    alike = replace(last.settings, min_size=settings.min_size)
    return int(last.diagnostics["components"]) if _same_groups(alike, settings) else outline.components


def _same_groups(one: ClusteringSettings, other: ClusteringSettings) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _FOUND_BY)


def _of_count(deals: int | Sequence[DealLike], settings: ClusteringSettings) -> list[_Found]:
    count = _count_of(deals)
    rows = np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.intp)
    _, sampled = np.unique(_strata(deals, rows, settings.keep_apart), return_counts=True)
    totals = _scaled(sampled.tolist(), count / max(1, len(rows)))
    return [_stratum_of_sizes(_typical_sizes(total, count, settings), settings) for total in totals]


def _count_of(deals: int | Sequence[DealLike]) -> int:
    return deals if isinstance(deals, int) else len(deals)


def _typical_sizes(total: int, count: int, settings: ClusteringSettings) -> list[int]:
    """Return sizes that spread evenly around the average group, for `total` of `count` deals."""
    groups = round(total / _GROUP_DEALS)
    if settings.components is not None:
        groups = round(settings.components * total / count)
    shares = np.linspace(*_SPREAD, max(1, groups)) if groups > 1 else np.ones(1)
    return _scaled(shares.tolist(), total / float(shares.sum()))


def _strata(deals: int | Sequence[DealLike], rows: IntArray, rules: tuple[str, ...]) -> IntArray:
    """Return the number (m,) of the stratum of each of these deals."""
    if isinstance(deals, int) or not rules:
        return np.zeros(len(rows), dtype=np.intp)
    numbers: dict[tuple[str | None, ...], int] = {}
    kinds = (stratum_of(deals[row], rules) for row in rows.tolist())
    return np.array([numbers.setdefault(kind, len(numbers)) for kind in kinds], dtype=np.intp)


def _stratum_of_sizes(sizes: list[int], settings: ClusteringSettings) -> _Found:
    """Return the groups of one stratum; one with too few deals is left over as a whole."""
    total = sum(sizes)
    return _Found([], lost=total) if total < settings.min_size else _Found(sizes)


def _scaled(sizes: Sequence[float], scale: float) -> list[int]:
    """Return whole sizes that add up to the scaled sum, rounded."""
    ends = np.rint(np.cumsum([0, *sizes]) * scale)
    whole: list[int] = np.diff(ends).astype(np.intp).tolist()
    return whole


# --- the rules of sizing, on sizes alone ------------------------------------------------------


@dataclass(slots=True)
class _Tally:
    """Clusters so far; ranges: smallest and largest possible size of the parts of each group."""

    clusters: int = 0
    left_over: int = 0
    room: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def add(self, deals: int, settings: ClusteringSettings) -> int:
        """Divide deals into clusters; return how many of them fit into none."""
        bounds = _bounds(settings)
        inside = deals if bounds.fits(deals) else deals // bounds.high * bounds.high
        if inside == 0:
            return deals
        target = _target(settings)
        used = target if target.fits(inside) else bounds
        parts = used.parts(inside)
        self.clusters += parts
        self.room += parts * bounds.high - inside
        others = parts - 1
        smallest = max(bounds.low, inside - others * used.high)
        self.ranges.append((smallest, min(used.high, inside - others * bounds.low)))
        return deals - inside


def _bounded(found: _Found, settings: ClusteringSettings) -> _Tally:
    """Apply `sizing.bound_sizes` to sizes."""
    tally = _Tally()
    sizes = _packed(found.sizes, _target(settings).high) if settings.pack else found.sizes
    loose = found.noise
    for size in sizes:
        loose += tally.add(size, settings) if size >= settings.min_size else size
    if not tally.clusters:
        loose = tally.add(loose, settings) if loose >= settings.min_size else loose
    if settings.small_clusters == "attach" and tally.clusters:
        loose -= min(loose, tally.room)
        if loose >= settings.min_size:
            loose = tally.add(loose, settings)
        if loose and _bounds(settings).fits(settings.max_deals + loose):
            # The nearest full cluster takes them and is split.
            tally.clusters, loose = tally.clusters + 1, 0
    tally.left_over = loose + found.lost
    return tally


def _packed(sizes: Sequence[int], most: int) -> list[int]:
    """Join groups as `sizing.pack_small` does, but any two that fit: which are near is unknown."""
    rng = np.random.default_rng(RANDOM_SEED)
    left = np.array(sizes, dtype=np.intp)
    for place in rng.permutation(len(left)).tolist():
        while 0 < left[place] <= most / 2:
            fitting = np.flatnonzero((left > 0) & (left + left[place] <= most))
            fitting = fitting[fitting != place]
            if not len(fitting):
                break
            other = int(rng.choice(fitting))
            left[place], left[other] = left[place] + left[other], 0
    return [size for size in left.tolist() if size]


def _bounds(settings: ClusteringSettings) -> Bounds:
    return Bounds(settings.min_size, settings.max_deals)


def _target(settings: ClusteringSettings) -> Bounds:
    """Return the bounds that groups are split to."""
    return _bounds(settings).within(ROOM) if settings.overlap else _bounds(settings)


# --- the sentence -----------------------------------------------------------------------------


def _counted(count: int, noun: str) -> str:
    return f"{_rounded(count)} {noun}{'' if count == 1 else 's'}"


def _rounded(count: int) -> str:
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}" if count > _EXACT else str(count)
