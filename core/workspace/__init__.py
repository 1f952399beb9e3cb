"""The workspace: what an analyst loaded, clustered, decided and exported, kept in a database."""

from core.workspace.clusterings import CHANGED_DEAL, MAP, NEW_DEAL, OUTLINE, VECTORS, ClusteringVersion
from core.workspace.jobs import Job, JobContext, JobRegistry
from core.workspace.store import DealUpdate, RunSummary, Workspace
from core.workspace.tasks import build_clusters, measure_clusters, place_deals, propose_packages

__all__ = [
    "CHANGED_DEAL",
    "MAP",
    "NEW_DEAL",
    "OUTLINE",
    "VECTORS",
    "ClusteringVersion",
    "DealUpdate",
    "Job",
    "JobContext",
    "JobRegistry",
    "RunSummary",
    "Workspace",
    "build_clusters",
    "measure_clusters",
    "place_deals",
    "propose_packages",
]
