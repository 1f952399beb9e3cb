"""The workspace: what an analyst loaded, clustered, decided and exported, kept in a database."""

from core.storage.answers import AnswerVersion
from core.storage.calls import CallRecord
from core.storage.clusterings import CHANGED_DEAL, MAP, NEW_DEAL, OUTLINE, VECTORS, ClusteringVersion
from core.storage.job_records import Job
from core.storage.workspace import DealUpdate, RunSummary, Workspace

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
    "RunSummary",
    "Workspace",
]
