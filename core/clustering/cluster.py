"""The values that go into and come out of clustering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from core.errors import ClusteringError
from core.settings import CLUSTERING_MAX_DEALS, MEMBERSHIP_THRESHOLD, MIN_CLUSTER_SIZE

Method = Literal["gmm", "kmeans", "hdbscan", "dbscan", "agglomerative"]
Covariance = Literal["tied", "diag", "spherical", "full"]
SmallClusters = Literal["leave_out", "attach"]

METHODS: tuple[str, ...] = get_args(Method)
COVARIANCES: tuple[str, ...] = get_args(Covariance)
# Methods that find their own number of clusters by density and call the rest noise.
DENSITY_METHODS: tuple[str, ...] = ("hdbscan", "dbscan")

_CHOICES: dict[str, tuple[str, ...]] = {
    "method": METHODS,
    "covariance": COVARIANCES,
    "small_clusters": get_args(SmallClusters),
}
_WORDS = {"method": "clustering method", "covariance": "covariance type"}


@dataclass(frozen=True, slots=True)
class ClusteringSettings:
    """How to cluster.

    max_deals, min_size: bounds of every cluster, in deals; both are kept exactly.
    overlap: let a deal join further clusters when `threshold` allows it.
    threshold: membership strength in (0, 1] from which a further membership is added.
    max_memberships: clusters a deal may be in, its own among them.
    max_overlap_share: at most this share of the deals gets a further membership.
    small_clusters: what becomes of clusters under `min_size`: their deals are left out
        and listed, or attached to the nearest cluster with room.
    pack: join small neighbouring clusters up to `max_deals`: fewer model calls, mixed themes.
    components: number of components before splitting; None = chosen by BIC. Methods of
        density find their own number and take none.
    covariance: shape of a Gaussian component; only the method gmm uses it.
    keep_apart: rules of `keep_apart.RULES` or names of columns; deals that differ in one of them
        are never in one cluster.

    Raises ClusteringError that names the setting and its bounds.
    """

    method: Method = "gmm"
    max_deals: int = CLUSTERING_MAX_DEALS
    min_size: int = MIN_CLUSTER_SIZE
    overlap: bool = False
    threshold: float = MEMBERSHIP_THRESHOLD
    max_memberships: int = 2
    max_overlap_share: float = 0.2
    small_clusters: SmallClusters = "leave_out"
    pack: bool = False
    components: int | None = None
    covariance: Covariance = "tied"
    keep_apart: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ClusteringError(
                    f"Unknown {_WORDS.get(name, name)} {value!r}: choose one of {', '.join(choices)}."
                )
        if self.max_memberships < 1:
            raise ClusteringError(f"A deal may be in {self.max_memberships} clusters: allow 1 or more.")
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
        if self.components is not None and self.method in DENSITY_METHODS:
            raise ClusteringError(
                f"The method {self.method} finds its own number of clusters: leave the number open."
            )

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
        return cls(**{**values, "keep_apart": tuple(values.get("keep_apart", ()))})


@dataclass(frozen=True, slots=True)
class Links:
    """What an analyst decided about single deals; the next clustering keeps to it.

    together, apart: pairs of deal ids that must, or must never, share a cluster.
    excluded: ids of deals that are in no cluster.
    """

    together: tuple[tuple[str, str], ...] = ()
    apart: tuple[tuple[str, str], ...] = ()
    excluded: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.together or self.apart or self.excluded)

    def to_dict(self) -> dict[str, Any]:
        """Return the links as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Links:
        """Rebuild links from `to_dict`."""
        return cls(
            tuple((a, b) for a, b in values.get("together", ())),
            tuple((a, b) for a, b in values.get("apart", ())),
            tuple(values.get("excluded", ())),
        )


@dataclass(frozen=True, slots=True)
class Cluster:
    """Deals that belong together.

    id: content hash of the deal ids it was built from, the same for the same deals in any run;
        deals that join later leave it as it is.
    members: indices into the deals as the caller gave them, ascending.
    strengths: membership strength of each member in [0, 1], aligned with `members`;
        a deal's own cluster counts 1, a further membership its residual strength.
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
    links: what the analyst decided about single deals, for the next run.
    novel: indices of deals that joined later and lie farther from every cluster than 95 % of the
        old deals from theirs.
    """

    clusters: tuple[Cluster, ...]
    left_over: tuple[LeftOver, ...]
    settings: ClusteringSettings
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    links: Links = Links()
    novel: tuple[int, ...] = ()

    def own_cluster(self) -> dict[int, int]:
        """Return deal index -> place in `clusters` of the cluster it belongs to first."""
        return {
            index: place
            for place, cluster in enumerate(self.clusters)
            for index, strength in zip(cluster.members, cluster.strengths, strict=True)
            if strength >= 1
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for storage."""
        return {
            "settings": self.settings.to_dict(),
            "clusters": [asdict(cluster) for cluster in self.clusters],
            "left_over": [asdict(item) for item in self.left_over],
            "diagnostics": dict(self.diagnostics),
            "links": self.links.to_dict(),
            "novel": list(self.novel),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Clustering:
        """Rebuild a clustering from `to_dict`. Raises ClusteringError for settings nobody knows."""
        return cls(
            clusters=tuple(
                Cluster(item["id"], tuple(item["members"]), tuple(item["strengths"]))
                for item in saved["clusters"]
            ),
            left_over=tuple(LeftOver(**item) for item in saved["left_over"]),
            settings=ClusteringSettings.from_dict(saved["settings"]),
            diagnostics=saved["diagnostics"],
            links=Links.from_dict(saved.get("links", {})),
            novel=tuple(saved.get("novel", ())),
        )
