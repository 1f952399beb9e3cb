"""From vectors to clusters of bounded size.

Importing this package loads numpy only; scikit-learn and scipy load with the first clustering.
"""

from core.clustering.cluster import (
    COVARIANCES,
    DENSITY_METHODS,
    METHODS,
    Cluster,
    Clustering,
    ClusteringSettings,
    LeftOver,
    Links,
)
from core.clustering.compare import Comparison, compare_clusterings
from core.clustering.edits import (
    AttachDeals,
    ClusterEdit,
    ExcludeDeals,
    MoveDeals,
    NewCluster,
    apply_cluster_edit,
)
from core.clustering.forecast import Forecast, Outline, build_outline
from core.clustering.incremental import join_deals, nearest_clusters
from core.clustering.pipeline import (
    cluster_deals,
    cluster_deals_semantically,
    cluster_deals_with_soft_assignments,
)
from core.clustering.quality import ClusterQuality, Quality, measure_quality

__all__ = [
    "COVARIANCES",
    "DENSITY_METHODS",
    "METHODS",
    "AttachDeals",
    "Cluster",
    "ClusterEdit",
    "ClusterQuality",
    "Clustering",
    "ClusteringSettings",
    "Comparison",
    "ExcludeDeals",
    "Forecast",
    "LeftOver",
    "Links",
    "MoveDeals",
    "NewCluster",
    "Outline",
    "Quality",
    "apply_cluster_edit",
    "build_outline",
    "cluster_deals",
    "cluster_deals_semantically",
    "cluster_deals_with_soft_assignments",
    "compare_clusterings",
    "join_deals",
    "measure_quality",
    "nearest_clusters",
]
