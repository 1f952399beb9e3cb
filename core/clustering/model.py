"""The values that go into and come out of clustering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from core.errors import ClusteringError
from core.settings import CLUSTERING_MAX_DEALS, MEMBERSHIP_THRESHOLD, MIN_CLUSTER_SIZE

Method = Literal["gmm", "kmeans"]
SmallClusters = Literal["leave_out", "attach"]

METHODS: tuple[str, ...] = get_args(Method)


@dataclass(frozen=True, slots=True)
class ClusteringSettings:
    """How to cluster.

    max_deals, min_size: bounds of every cluster, in deals; both are kept exactly.
    overlap: let a deal join a second cluster when `threshold` allows it.
    threshold: membership strength in (0, 1] from which a second membership is added.
    max_overlap_share: at most this share of the deals gets a second membership.
    small_clusters: what becomes of clusters under `min_size`: their deals are left out
        and listed, or attached to the nearest cluster with room.
    components: number of components before splitting; None = chosen by BIC.

    Raises ClusteringError that names the setting and its bounds.
    """

    method: Method = "gmm"
    max_deals: int = CLUSTERING_MAX_DEALS
    min_size: int = MIN_CLUSTER_SIZE
    overlap: bool = False
    threshold: float = MEMBERSHIP_THRESHOLD
    max_overlap_share: float = 0.2
    small_clusters: SmallClusters = "leave_out"
    components: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ClusteringError(
                f"Unknown clustering method {self.method!r}: choose one of {', '.join(METHODS)}."
            )
        if self.small_clusters not in get_args(SmallClusters):
            raise ClusteringError(
                f"small_clusters is {self.small_clusters!r}: "
                f"choose one of {', '.join(get_args(SmallClusters))}."
            )
        if self.min_size < 1:
            raise ClusteringError(f"The smallest cluster size is {self.min_size}: it must be 1 or more.")
        if self.max_deals < self.min_size:
            raise ClusteringError(
                f"The largest cluster size ({self.max_deals}) is under the smallest ({self.min_size}): "
                "raise the one or lower the other."
            )
        if not 0 < self.threshold <= 1:
            raise ClusteringError(f"The membership threshold is {self.threshold}: it must lie in (0, 1].")
        if not 0 <= self.max_overlap_share <= 1:
            raise ClusteringError(
                f"The share of deals with a second membership is {self.max_overlap_share}: "
                "it must lie in [0, 1]."
            )
        if self.components is not None and self.components < 1:
            raise ClusteringError(f"The number of components is {self.components}: it must be 1 or more.")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for storage and display."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ClusteringSettings:
        """Rebuild settings from `to_dict`; missing ones get their default.

        Raises ClusteringError that names settings nobody knows.
        """
        unknown = sorted(set(values) - {setting.name for setting in fields(cls)})
        if unknown:
            raise ClusteringError(f"Unknown clustering settings: {', '.join(unknown)}. Remove them.")
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Deals that belong together.

    id: content hash of the member deal ids, the same for the same deals in any run.
    members: indices into the deals as the caller gave them, ascending.
    strengths: membership strength of each member in [0, 1], aligned with `members`;
        a deal's own cluster counts 1, a second membership its residual strength.
    """

    id: str
    members: tuple[int, ...]
    strengths: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A deal outside every cluster, and why in one sentence."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Clustering:
    """A finished clustering: every deal is in a cluster or in `left_over`, never in both.

    diagnostics: figures about the run, plain values ("bic": list of {components, bic}, ...).
    """

    clusters: tuple[Cluster, ...]
    left_over: tuple[LeftOver, ...]
    settings: ClusteringSettings
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
