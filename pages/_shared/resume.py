"""Starting a job again that ended with its process: what was finished before is not done twice."""

from __future__ import annotations

from collections.abc import Callable

from core.clustering import ClusteringSettings
from core.workspace import Job
from pages._shared import brief_search, cluster_jobs, proposing, state


def _build(job: Job) -> None:
    cluster_jobs.start_building(job.run_id, ClusteringSettings.from_dict(job.params))


def _place(job: Job) -> None:
    cluster_jobs.start_placing(job.run_id, job.title)


def _measure(job: Job) -> None:
    cluster_jobs.start_measuring(job.run_id)


def _embed(job: Job) -> None:
    brief_search.start_embedding(job.run_id)


def _propose(job: Job) -> None:
    wish = proposing.Wish(**{**job.params, "cluster_ids": tuple(job.params["cluster_ids"])})
    proposing.ask_the_rest(job.run_id, wish, job.queued_s)


# Kind of a job -> what starts it again.
_AGAIN: dict[str, Callable[[Job], None]] = {
    cluster_jobs.BUILD: _build,
    cluster_jobs.PLACE: _place,
    cluster_jobs.MEASURE: _measure,
    brief_search.EMBED: _embed,
    proposing.PROPOSE: _propose,
}


def can_resume(job: Job) -> bool:
    """Whether it is known how to start the job again."""
    return job.state == "interrupted" and job.kind in _AGAIN


@state.guarded
def resume(job: Job) -> None:
    """Start an interrupted job again."""
    _AGAIN[job.kind](job)
