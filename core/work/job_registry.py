"""Long work outside the screen's thread: a few jobs at a time, visible to every page and process.

A job reports immutable snapshots; pages read them and never wait. Its row in the database tells
other processes that it is under way, and the next start of the app that it was. A job that
crashes is failed with its reason, and the traceback is in the log.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from core import clock
from core.errors import Cancelled, DealweaverError, WorkspaceError
from core.storage.job_records import Job, JobBook, State, new_owner

_log = logging.getLogger(__name__)

# Two at a time use the two cores a small machine has; what waits is cheap, but nobody reads a long queue.
SLOTS = 2
MOST_WAITING = 20
LEASE_S = 20.0
_TICK_S = 1.0

Work = Callable[["JobContext"], str]


class JobContext:
    """What a job's work gets: a way to report, and the analyst's wish to stop."""

    def __init__(self, update: Callable[..., None]) -> None:
        self._update = update
        self.cancelled = threading.Event()

    def stage(self, name: str, total: int = 0) -> None:
        """Begin a stage. Raises Cancelled when the analyst stopped the job."""
        self.check()
        self._update(stage=name, done=0, total=total, stage_started_s=clock.epoch_s())

    def progress(self, done: int, total: int) -> None:
        """Report steps done. Raises Cancelled when the analyst stopped the job."""
        self.check()
        self.report(done, total)

    def report(self, done: int, total: int) -> None:
        """Report steps done, whatever the analyst wishes: for work that comes to its end by itself."""
        self._update(done=done, total=total, progressed_s=clock.epoch_s())

    def check(self) -> None:
        """Raise Cancelled when the analyst stopped the job."""
        if self.cancelled.is_set():
            raise Cancelled("Cancelled.")


class JobRegistry:
    """The jobs of this process; safe to share between threads and sessions.

    book: where every process sees them. slots: jobs that run at a time; the others wait, and at most
    `most_waiting` may. lease_s: how long after its last sign of life this process is taken for dead.
    """

    def __init__(
        self,
        book: JobBook,
        *,
        slots: int = SLOTS,
        most_waiting: int = MOST_WAITING,
        lease_s: float = LEASE_S,
        tick_s: float = _TICK_S,
    ) -> None:
        self._book = book
        self._slots = slots
        self._most_waiting = most_waiting
        self._lease_s = lease_s
        self._tick_s = tick_s
        self._owner = new_owner()
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._work: dict[int, tuple[Work, JobContext]] = {}
        self._waiting: deque[int] = deque()
        self._busy = 0
        self._keeper: threading.Thread | None = None
        self._wake = threading.Event()

    def start(
        self,
        run_id: str,
        title: str,
        work: Work,
        *,
        kind: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> Job:
        """Start work in a thread of its own, now or when a slot is free; its answer becomes the job's note.

        kind, params: kept with the job, so that the work can be started again after the process died.
        Raises WorkspaceError while another job of the run is under way in any process, or when too
        many jobs wait.
        """
        with self._lock:
            if len(self._waiting) >= self._most_waiting:
                raise WorkspaceError(
                    f"{len(self._waiting)} jobs wait for their turn: try again when one has ended."
                )
            job = self._book.queue_job(run_id, title, kind, params or {}, self._owner, self._lease_s)
            self._jobs[run_id] = job
            self._work[job.id] = (work, JobContext(lambda **changes: self._update(job, **changes)))
            self._waiting.append(job.id)
            self._launch()
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, daemon=True, name="Keep leases of jobs")
                self._keeper.start()
            return self._seen(self._jobs[run_id])

    def job(self, run_id: str) -> Job | None:
        """Return the newest job of a run, in this process or another; None when it has none to show."""
        with self._lock:
            own = self._jobs.get(run_id)
            if own and own.running:
                return self._seen(own)
        stored = self._book.newest_job(run_id)
        return own if own and stored and own.id == stored.id else stored

    def _seen(self, job: Job) -> Job:
        if job.state != "queued":
            return job
        return replace(job, ahead=self._busy + list(self._waiting).index(job.id))

    def cancel(self, run_id: str) -> None:
        """Ask the job of a run to stop; what it has finished stays. One that waits ends at once."""
        with self._lock:
            own = self._jobs.get(run_id)
            if own and own.id in self._work:
                self._work[own.id][1].cancelled.set()
                if own.state == "queued":
                    self._waiting.remove(own.id)
                    self._end(own, "cancelled")
                return
        self._book.ask_to_stop(run_id)

    def dismiss(self, run_id: str) -> None:
        """Forget a job that has ended."""
        with self._lock:
            own = self._jobs.get(run_id)
            if own and own.running:
                return
            self._jobs.pop(run_id, None)
        self._book.dismiss_jobs(run_id)

    def close(self) -> None:
        """Wait until the database is not written to any more; for when no job is under way."""
        keeper = self._keeper
        self._wake.set()
        if keeper is not None:
            keeper.join()

    # --- in the lock ----------------------------------------------------------------------------

    def _launch(self) -> None:
        while self._waiting and self._busy < self._slots:
            job_id = self._waiting.popleft()
            job = next(job for job in self._jobs.values() if job.id == job_id)
            self._busy += 1
            self._jobs[job.run_id] = replace(job, state="running", started_s=clock.epoch_s())
            work, context = self._work[job_id]
            threading.Thread(target=self._run, args=(job, work, context), daemon=True, name=job.title).start()

    def _end(self, job: Job, state: State, **changes: object) -> None:
        """Note the end of a job, here and in the database."""
        ended = replace(self._jobs[job.run_id], state=state, ended_s=clock.epoch_s(), **changes)  # type: ignore[arg-type]
        self._jobs[job.run_id] = ended
        del self._work[job.id]
        try:
            self._book.end_job(ended, self._owner)
        except WorkspaceError:
            # This process knows the end; the others will take the job for interrupted.
            _log.exception("The end of job %s could not be saved", job.id)

    # --- in threads of their own ----------------------------------------------------------------

    def _update(self, job: Job, **changes: object) -> None:
        with self._lock:
            if self._jobs[job.run_id].id == job.id:
                self._jobs[job.run_id] = replace(self._jobs[job.run_id], **changes)  # type: ignore[arg-type]

    def _run(self, job: Job, work: Work, context: JobContext) -> None:
        state, said = self._outcome(job, work, context)
        with self._lock:
            self._busy -= 1
            self._end(job, state, **said)
            self._launch()
            self._wake.set()

    def _outcome(self, job: Job, work: Work, context: JobContext) -> tuple[State, dict[str, str | None]]:
        try:
            if not self._book.begin_job(job.id, self._owner):
                return "cancelled", {"note": "Another process has taken it over."}
            note = work(context)
        except Cancelled:
            return "cancelled", {}
        except DealweaverError as error:
            _log.warning("Job of run %s failed: %s", job.run_id, error)
            return "failed", {"error": str(error)}
        except Exception as error:
            # The one catch-all: a crash of a job must be seen on the screen, not only in a dead thread.
            _log.exception("Job of run %s crashed", job.run_id)
            message = f"It stopped unexpectedly ({type(error).__name__}): the log has the details; try again."
            return "failed", {"error": message}
        return ("cancelled" if context.cancelled.is_set() else "done"), {"note": note}

    def _keep(self) -> None:
        """Renew the leases and pass wishes to stop on, as long as there are jobs."""
        while True:
            self._wake.wait(self._tick_s)
            with self._lock:
                self._wake.clear()
                active = [job for job in self._jobs.values() if job.id in self._work]
                if not active:
                    self._keeper = None
                    return
            try:
                stop, own = self._book.renew_jobs(self._owner, self._lease_s, active)
            except WorkspaceError:
                _log.warning("The leases of %d jobs could not be renewed", len(active), exc_info=True)
                continue
            with self._lock:
                for job in active:
                    if (job.id in stop or job.id not in own) and job.id in self._work:
                        self._work[job.id][1].cancelled.set()
