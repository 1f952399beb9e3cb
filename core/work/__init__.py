"""Long work in a workspace: jobs, and what they do."""

from core.work.job_registry import JobContext, JobRegistry
from core.work.proposal_runs import make_names_unique, proposal_groups, propose_packages, unanswered
from core.work.tasks import build_clusters, measure_clusters, place_deals

__all__ = [
    "JobContext",
    "JobRegistry",
    "build_clusters",
    "make_names_unique",
    "measure_clusters",
    "place_deals",
    "proposal_groups",
    "propose_packages",
    "unanswered",
]
