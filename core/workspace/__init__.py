"""The workspace: what an analyst loaded, clustered, decided and exported, kept in a database."""

from core.workspace.jobs import Job, JobContext, JobRegistry
from core.workspace.store import DealUpdate, RunSummary, Workspace
from core.workspace.tasks import build_clusters, propose_packages

__all__ = [
    "DealUpdate",
    "Job",
    "JobContext",
    "JobRegistry",
    "RunSummary",
    "Workspace",
    "build_clusters",
    "propose_packages",
]
