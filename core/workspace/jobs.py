"""Long work outside the screen's thread: one job per run at a time, visible to every page.

A job reports immutable snapshots; pages read them and never wait. A job that crashes is
failed with its reason, and the traceback is in the log.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from core.errors import Cancelled, DealweaverError, WorkspaceError

_log = logging.getLogger(__name__)

State = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Job:
    """A snapshot of one job.

    done, total: steps of the current stage; total 0 = not known. started_s, ended_s: seconds
    since the epoch. error: one sentence, for failed jobs. note: what a finished job says.
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

    @property
    def running(self) -> bool:
        """Whether the job is still under way."""
        return self.state == "running"

    @property
    def eta_s(self) -> float | None:
        """Seconds left in the current stage at its speed so far, None while that is unknown.

        The speed is taken at the last step: taken now, it would fall until the next one comes.
        """
        if not (self.running and self.total and self.done):
            return None
        each_s = (self.progressed_s - self.stage_started_s) / self.done
        return max(0.0, each_s * (self.total - self.done) - (time.time() - self.progressed_s))


class JobContext:
    """What a job's work gets: a way to report, and the analyst's wish to stop."""

    def __init__(self, update: Callable[..., None]) -> None:
        self._update = update
        self.cancelled = threading.Event()

    def stage(self, name: str, total: int = 0) -> None:
        """Begin a stage. Raises Cancelled when the analyst stopped the job."""
        self.check()
        self._update(stage=name, done=0, total=total, stage_started_s=time.time())

    def progress(self, done: int, total: int) -> None:
        """Report steps done. Raises Cancelled when the analyst stopped the job."""
        self.check()
        self.report(done, total)

    def report(self, done: int, total: int) -> None:
        """Report steps done, whatever the analyst wishes: for work that comes to its end by itself."""
        self._update(done=done, total=total, progressed_s=time.time())

    def check(self) -> None:
        """Raise Cancelled when the analyst stopped the job."""
        if self.cancelled.is_set():
            raise Cancelled("Cancelled.")


class JobRegistry:
    """The jobs of this process; safe to share between threads and sessions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._contexts: dict[str, JobContext] = {}

    def start(self, run_id: str, title: str, work: Callable[[JobContext], str]) -> Job:
        """Start work in a thread of its own; what it returns becomes the job's note.

        Raises WorkspaceError while another job of the run is under way.
        """
        with self._lock:
            known = self._jobs.get(run_id)
            if known and known.running:
                raise WorkspaceError(f"{known.title} is still under way: wait for it or cancel it.")
            now = time.time()
            job = Job(run_id=run_id, title=title, started_s=now, stage_started_s=now)
            context = JobContext(lambda **changes: self._update(run_id, **changes))
            self._jobs[run_id], self._contexts[run_id] = job, context
        threading.Thread(target=self._run, args=(run_id, work, context), daemon=True, name=title).start()
        return job

    def job(self, run_id: str) -> Job | None:
        """Return the newest job of a run, None when there was none in this process."""
        with self._lock:
            return self._jobs.get(run_id)

    def cancel(self, run_id: str) -> None:
        """Ask the job of a run to stop; what it has finished stays."""
        with self._lock:
            context = self._contexts.get(run_id)
        if context:
            context.cancelled.set()

    def dismiss(self, run_id: str) -> None:
        """Forget a job that has ended."""
        with self._lock:
            job = self._jobs.get(run_id)
            if job and not job.running:
                del self._jobs[run_id]

    def _update(self, run_id: str, **changes: object) -> None:
        with self._lock:
            self._jobs[run_id] = replace(self._jobs[run_id], **changes)  # type: ignore[arg-type]

    def _run(self, run_id: str, work: Callable[[JobContext], str], context: JobContext) -> None:
        try:
            note = work(context)
        except Cancelled:
            self._update(run_id, state="cancelled", ended_s=time.time())
        except DealweaverError as error:
            _log.warning("Job of run %s failed: %s", run_id, error)
            self._update(run_id, state="failed", error=str(error), ended_s=time.time())
        except Exception as error:
            # The one catch-all: a crash of a job must be seen on the screen, not only in a dead thread.
            _log.exception("Job of run %s crashed", run_id)
            message = f"It stopped unexpectedly ({type(error).__name__}): the log has the details; try again."
            self._update(run_id, state="failed", error=message, ended_s=time.time())
        else:
            state: State = "cancelled" if context.cancelled.is_set() else "done"
            self._update(run_id, state=state, note=note, ended_s=time.time())
