"""The space a finished clustering is measured in, whatever method made it.

Embeddings are reduced as in `geometry`, then whitened by the covariance within the clusters
themselves. There the tied Gaussian of every cluster is round: plain distances tell how far a deal
is from a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.arrays import FloatArray, IntArray
from core.clustering.cluster import Clustering
from core.clustering.geometry import group_means, reduce_dimensions, scale_to_unit, whitener_of_groups
from core.clustering.sizing import squared_distances
from core.errors import ClusteringError

# Label of a deal outside every cluster.
OUTSIDE = -1


@dataclass(frozen=True, slots=True)
class ClusterSpace:
    """The points of a clustering and the centres of its clusters.

    points: (n, d) float32. labels: (n,) place of a deal's own cluster, `OUTSIDE` for none.
    centres: (k, d) means of own members; NaN for a cluster without one. weights: (k,) share of
    the clustered deals. d is 0 when all vectors are equal.
    """

    points: FloatArray
    labels: IntArray
    centres: FloatArray
    weights: FloatArray
    _mean: FloatArray
    _axes: FloatArray

    @classmethod
    def of(cls, vectors: FloatArray, clustering: Clustering) -> ClusterSpace:
        """Build the space of a clustering of vectors (n, width), in the caller's order.

        A deal counts in its own cluster only. Left-over deals help to find the leading
        directions, but not to whiten them.
        """
        return cls.fit(vectors, own_labels(clustering, len(vectors)), len(clustering.clusters))

    @classmethod
    def fit(cls, vectors: FloatArray, labels: IntArray, clusters: int) -> ClusterSpace:
        """Build the space of `clusters` clusters from labels (n,) of vectors (n, width)."""
        unit = scale_to_unit(vectors).astype(np.float32)
        mean = unit.mean(axis=0) if len(unit) else np.zeros(unit.shape[1], dtype=np.float32)
        reduced = reduce_dimensions(vectors) if len(unit) else np.zeros((0, 0), dtype=np.float32)
        axes = _directions(unit - mean, reduced) @ _whitener(reduced, labels)
        points = ((unit - mean) @ axes).astype(np.float32)
        centres, sizes = _centres(points, labels, clusters)
        return cls(points, labels, centres, sizes / max(1, int(sizes.sum())), mean, axes)

    def transform(self, vectors: FloatArray) -> FloatArray:
        """Return the (m, d) float32 points of other vectors (m, width)."""
        unit = scale_to_unit(vectors).astype(np.float32)
        return ((unit - self._mean) @ self._axes).astype(np.float32)

    def distances(self, points: FloatArray) -> FloatArray:
        """Return the (m, k) squared distances of points to centres, infinite to missing centres."""
        distances = squared_distances(points, self.centres)
        return np.where(np.isnan(self.centres).any(axis=1), np.inf, distances)

    def nearest_to(self, places: IntArray, count: int) -> IntArray:
        """Return the (p, count) places of the clusters nearest to each cluster, itself excluded.

        Fewer columns when there are fewer other clusters.
        """
        distances = self.distances(self.centres[places])
        distances[np.arange(len(places)), places] = np.inf
        others = max(0, min(count, len(self.centres) - 1))
        return np.argsort(distances, axis=1, kind="stable")[:, :others]


def own_labels(clustering: Clustering, deals: int) -> IntArray:
    """Return the place (n,) of each deal's own cluster, `OUTSIDE` for deals in none.

    Raises ClusteringError when the clustering is about more deals.
    """
    own = clustering.own_cluster()
    if own and max(own) >= deals:
        raise ClusteringError(
            f"The clusters name deal {max(own)}, but there are only {deals} deals: cluster the deals again."
        )
    labels = np.full(deals, OUTSIDE, dtype=np.intp)
    labels[list(own)] = list(own.values())
    return labels


def _directions(centred: FloatArray, reduced: FloatArray) -> FloatArray:
    """Return the (width, r) axes that `reduce_dimensions` projected on.

    For principal coordinates y = Xv, X'y = X'Xv is y'y times v.
    """
    wide = reduced.astype(np.float64)
    axes: FloatArray = centred.astype(np.float64).T @ wide / np.square(wide).sum(axis=0)
    return axes


def _whitener(points: FloatArray, labels: IntArray) -> FloatArray:
    """Return the (d, d) whitener within the clusters; the identity where they have no spread."""
    members = points[labels != OUTSIDE]
    if (members == members[:1]).all():
        return np.eye(points.shape[1])
    dense: IntArray = np.unique(labels[labels != OUTSIDE], return_inverse=True)[1]
    return whitener_of_groups(members, dense)


def _centres(points: FloatArray, labels: IntArray, clusters: int) -> tuple[FloatArray, IntArray]:
    inside = labels != OUTSIDE
    used, dense = np.unique(labels[inside], return_inverse=True)
    centres = np.full((clusters, points.shape[1]), np.nan)
    sizes = np.zeros(clusters, dtype=np.intp)
    if len(used):
        centres[used], sizes[used] = group_means(points[inside], dense)
    return centres, sizes
