"""The workspace: what an analyst loaded, clustered, decided and exported, kept in a database."""

from core.workspace.answers import AnswerVersion
from core.workspace.calls import CallRecord
from core.workspace.clusterings import CHANGED_DEAL, MAP, NEW_DEAL, OUTLINE, VECTORS, ClusteringVersion
from core.workspace.job_book import Job
from core.workspace.jobs import JobContext, JobRegistry
from core.workspace.proposing import make_names_unique, proposal_groups, propose_packages, unanswered
from core.workspace.store import DealUpdate, RunSummary, Workspace
from core.workspace.tasks import build_clusters, measure_clusters, place_deals

__all__ = [
    "CHANGED_DEAL",
    "MAP",
    "NEW_DEAL",
    "OUTLINE",
    "VECTORS",
    "AnswerVersion",
    "CallRecord",
    "ClusteringVersion",
    "DealUpdate",
    "Job",
    "JobContext",
    "JobRegistry",
    "RunSummary",
    "Workspace",
    "build_clusters",
    "make_names_unique",
    "measure_clusters",
    "place_deals",
    "proposal_groups",
    "propose_packages",
    "unanswered",
]
