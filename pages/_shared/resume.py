"""Starting a job again that ended with its process: what was finished before is not done twice."""

from __future__ import annotations

from collections.abc import Callable

from core.clustering import ClusteringSettings
from core.storage import Job
from pages._clusters import build_row
from pages._packages import brief_search
from pages._shared import proposing_panel, state


def _build(job: Job) -> None:
    build_row.start_building(job.run_id, ClusteringSettings.from_dict(job.params))


def _place(job: Job) -> None:
    build_row.start_placing(job.run_id, job.title)


def _measure(job: Job) -> None:
    build_row.start_measuring(job.run_id)


def _embed(job: Job) -> None:
    brief_search.start_embedding(job.run_id)


def _propose(job: Job) -> None:
    wish = proposing_panel.Wish(**{**job.params, "cluster_ids": tuple(job.params["cluster_ids"])})
    proposing_panel.ask_the_rest(job.run_id, wish, job.queued_s)


# Kind of a job -> what starts it again.
_AGAIN: dict[str, Callable[[Job], None]] = {
    build_row.BUILD: _build,
    build_row.PLACE: _place,
    build_row.MEASURE: _measure,
    brief_search.EMBED: _embed,
    proposing_panel.PROPOSE: _propose,
}


def can_resume(job: Job) -> bool:
    """Whether it is known how to start the job again."""
    return job.state == "interrupted" and job.kind in _AGAIN


@state.guarded
def resume(job: Job) -> None:
    """Start an interrupted job again."""
    _AGAIN[job.kind](job)
