"""Jobs in the database: which process works on what, until when it is believed to live, and how it ended.

A job belongs to the process that started it. That process renews a lease on its jobs; when the
lease runs out, or the process is seen to be gone, the job is interrupted, and any process may
start it again. A run has one job at a time, whichever process it is in.
"""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock
from core.errors import WorkspaceError
from core.storage.database import Database, get_run
from core.storage.schema import JobRow

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

_ACTIVE: tuple[State, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Job:
    """A snapshot of one job.

    kind, params: what it does, so that it can be started again. ahead: jobs that run or wait
    before it while it is queued. done, total: steps of the current stage; total 0 = not known.
    queued_s, started_s, ended_s: seconds since the epoch. error: one sentence, for failed and
    interrupted jobs. note: what a finished job says.
    """

    run_id: str
    title: str
    state: State = "running"
    stage: str = ""
    done: int = 0
    total: int = 0
    started_s: float = 0.0
    stage_started_s: float = 0.0
    progressed_s: float = 0.0
    ended_s: float | None = None
    error: str | None = None
    note: str | None = None
    id: int = 0
    kind: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    queued_s: float = 0.0
    ahead: int = 0

    @property
    def running(self) -> bool:
        """Whether the job is still under way or waits for its turn."""
        return self.state in _ACTIVE

    @property
    def eta_s(self) -> float | None:
        """Seconds left in the current stage at its speed so far, None while that is unknown.

        The speed is taken at the last step: taken now, it would fall until the next one comes.
        """
        if not (self.running and self.total and self.done):
            return None
        each_s = (self.progressed_s - self.stage_started_s) / self.done
        return max(0.0, each_s * (self.total - self.done) - (clock.epoch_s() - self.progressed_s))


_INTERRUPTED = "The app ended while this was under way. What was finished is kept."
# Fields of a job that the work changes as it goes, by the columns of the same names.
_PROGRESS = ("stage", "done", "total", "started_s", "stage_started_s", "progressed_s")
_KEPT = (*_PROGRESS, "run_id", "title", "ended_s", "note", "id", "kind", "params", "queued_s")


class JobBook(Database):
    """The part of the workspace about jobs; each method is one transaction."""

    def queue_job(
        self, run_id: str, title: str, kind: str, params: Mapping[str, Any], owner: str, lease_s: float
    ) -> Job:
        """Note a job that waits for its turn in the process `owner`, and return it.

        Raises WorkspaceError without such a run, or while another job of the run is under way in
        any process. Interrupted jobs of the run are settled by it.
        """
        now = clock.epoch_s()
        with self._saving() as session:
            get_run(session, run_id)
            for row in _active_of(session, run_id):
                if not _is_lost(row, now):
                    raise WorkspaceError(f"{row.title} is still under way: wait for it or cancel it.")
                _settle(row, now)
            session.execute(update(JobRow).where(JobRow.run_id == run_id).values(seen=True))
            row = JobRow(
                run_id=run_id,
                kind=kind,
                title=title,
                params=dict(params),
                state="queued",
                owner=owner,
                lease_until_s=now + lease_s,
                queued_s=now,
            )
            session.add(row)
            session.flush()
            return _job_of(row, now)

    def begin_job(self, job_id: int, owner: str) -> bool:
        """Note that a queued job begins; False when it is not the owner's to begin (any more)."""
        with self._saving() as session:
            begun = (
                update(JobRow)
                .where(JobRow.id == job_id, JobRow.owner == owner, JobRow.state == "queued")
                .values(state="running", started_s=clock.epoch_s())
                .returning(JobRow.id)
            )
            return session.scalar(begun) is not None

    def renew_jobs(
        self, owner: str, lease_s: float, progress: Iterable[Job]
    ) -> tuple[frozenset[int], frozenset[int]]:
        """Renew the owner's leases and keep how far its jobs are.

        Returns the ids of those that are to stop, and of all that are still the owner's.
        """
        now = clock.epoch_s()
        snapshots = {job.id: job for job in progress}
        with self._saving() as session:
            rows = session.scalars(
                select(JobRow).where(JobRow.owner == owner, JobRow.state.in_(_ACTIVE))
            ).all()
            for row in rows:
                row.lease_until_s = now + lease_s
                if row.id in snapshots:
                    for name in _PROGRESS:
                        setattr(row, name, getattr(snapshots[row.id], name))
            stop = frozenset(row.id for row in rows if row.cancel_asked)
            return stop, frozenset(row.id for row in rows)

    def end_job(self, job: Job, owner: str) -> bool:
        """Note how a job ended; False when another process has taken it for interrupted meanwhile."""
        with self._saving() as session:
            row = session.get(JobRow, job.id)
            if row is None or row.owner != owner or row.state not in _ACTIVE:
                return False
            for name in (*_PROGRESS, "state", "ended_s", "error", "note"):
                setattr(row, name, getattr(job, name))
            return True

    def newest_job(self, run_id: str) -> Job | None:
        """Return the newest job of a run, None when there is none that was not dismissed."""
        with self._reading() as session:
            row = session.scalar(
                select(JobRow)
                .where(JobRow.run_id == run_id, JobRow.seen.is_(False))
                .order_by(JobRow.id.desc())
                .limit(1)
            )
            return None if row is None else _job_of(row, clock.epoch_s())

    def ask_to_stop(self, run_id: str) -> None:
        """Ask the job of a run to stop, in whichever process it is."""
        with self._saving() as session:
            for row in _active_of(session, run_id):
                row.cancel_asked = True

    def dismiss_jobs(self, run_id: str) -> None:
        """Show no ended job of a run any more."""
        now = clock.epoch_s()
        with self._saving() as session:
            for row in _active_of(session, run_id):
                if _is_lost(row, now):
                    _settle(row, now)
            session.execute(
                update(JobRow).where(JobRow.run_id == run_id, JobRow.state.not_in(_ACTIVE)).values(seen=True)
            )


def _active_of(session: Session, run_id: str) -> list[JobRow]:
    return list(session.scalars(select(JobRow).where(JobRow.run_id == run_id, JobRow.state.in_(_ACTIVE))))


def _settle(row: JobRow, now_s: float) -> None:
    """Mark the job of a dead process as what it is; its process loses it, should it live after all."""
    row.state, row.ended_s, row.error = "interrupted", now_s, _INTERRUPTED


def _is_lost(row: JobRow, now_s: float) -> bool:
    return row.state in _ACTIVE and (row.lease_until_s < now_s or _is_gone(row.owner))


def _job_of(row: JobRow, now_s: float) -> Job:
    lost = _is_lost(row, now_s)
    known: State = next(state for state in get_args(State) if state == row.state)
    return Job(
        state="interrupted" if lost else known,
        error=_INTERRUPTED if lost else row.error,
        **{name: getattr(row, name) for name in _KEPT},
    )


# --- processes --------------------------------------------------------------------------------


def new_owner() -> str:
    """Return a name for this process that no other one has, on this machine or another."""
    return f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _is_gone(owner: str) -> bool:
    """Whether a process is known to have ended; one of another machine never is."""
    machine, pid, _ = owner.rsplit(":", 2)
    return machine == platform.node() and not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    if os.name != "posix":  # there signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and another user's
        return True
    return True
