"""HDBSCAN and DBSCAN: clusters are crowded places, and the deals between them are noise.

Offered beside the mixture, never by default: on planted deals they leave 7 to 40 % out.
"""

from __future__ import annotations

import numpy as np

from core.arrays import FloatArray, IntArray

NOISE = -1
# Neighbours of a deal that DBSCAN looks at; more change nothing but memory.
_NEIGHBOURS = 30
# Share of all deals, and number of deals, over which a cluster of DBSCAN is a heap of joined themes.
_HEAP_SHARE = 0.1
_SMALLEST_HEAP = 100
# Radii tried, as quantiles of the distance to the neighbour that makes a deal crowded.
_QUANTILES = np.linspace(0.05, 0.95, 19)


def hdbscan_labels(points: FloatArray, min_size: int) -> IntArray:
    """Return labels (n,) of HDBSCAN (Campello et al. 2013), -1 for noise.

    points: (n, d), n >= 2. min_size: deals from which a crowd is a cluster, at least 2.
    """
    from sklearn.cluster import HDBSCAN

    least = min(max(2, min_size), len(points))
    labels: IntArray = HDBSCAN(min_cluster_size=least, copy=True).fit_predict(points)
    return labels


def dbscan_labels(points: FloatArray, min_size: int) -> IntArray:
    """Return labels (n,) of DBSCAN (Ester et al. 1996), -1 for noise.

    The radius is the one that brings the most deals into clusters: a smaller one leaves deals
    out, and a larger one joins themes to heaps of a tenth of all deals, which do not count.
    """
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import NearestNeighbors

    crowd = min(max(2, min_size), len(points))
    finder = NearestNeighbors(n_neighbors=min(max(_NEIGHBOURS, crowd), len(points)), algorithm="brute")
    graph = finder.fit(points).kneighbors_graph(points, mode="distance")
    to_crowd = np.sort(graph.data.reshape(len(points), -1), axis=1)[:, crowd - 1]
    tried = []
    for radius in np.unique(np.quantile(to_crowd, _QUANTILES)):
        near = graph.copy()
        model = DBSCAN(eps=max(float(radius), 1e-9), min_samples=crowd, metric="precomputed")
        labels: IntArray = model.fit_predict(near)
        sizes = np.bincount(labels[labels != NOISE])
        clear = (sizes >= crowd) & (sizes <= max(_SMALLEST_HEAP, _HEAP_SHARE * len(points)))
        tried.append((int(sizes[clear].sum()), labels))
    return max(tried, key=lambda item: item[0])[1]
