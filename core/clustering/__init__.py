"""From vectors to clusters of bounded size.

Importing this package loads numpy only; scikit-learn and scipy load with the first clustering.
"""

from core.clustering.model import (
    COVARIANCES,
    DENSITY_METHODS,
    METHODS,
    Cluster,
    Clustering,
    ClusteringSettings,
    LeftOver,
    Links,
)
from core.clustering.pipeline import (
    cluster_deals,
    cluster_deals_semantically,
    cluster_deals_with_soft_assignments,
)

__all__ = [
    "COVARIANCES",
    "DENSITY_METHODS",
    "METHODS",
    "Cluster",
    "Clustering",
    "ClusteringSettings",
    "LeftOver",
    "Links",
    "cluster_deals",
    "cluster_deals_semantically",
    "cluster_deals_with_soft_assignments",
]
