"""Many clusters go through a proposer at once, and one failure never costs another cluster.

Workers share one gate, so that a pause asked for by the service holds all of them back.
Each attempt has a wall deadline of its own: a socket timeout alone lets a dripping answer
last for ever. Which error is tried again, and which stops the run, is decided in `_react`.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from core.errors import FatalProposalError, ProposalError, RetryableError, UnusableAnswer
from core.proposals.model import Answer, AskContext, DealGroup, Outcome, ProposalRun, Proposer
from core.settings import CALL_RETRIES, CALL_TIMEOUT_S, CONTENT_ATTEMPTS

_log = logging.getLogger(__name__)

_BACKOFF_BASE_S = 1.0
_BACKOFF_CAP_S = 30.0
# A service that asks for more is out of quota for the day rather than busy.
_LONGEST_PAUSE_S = 65.0
# The run ends when this many calls for each worker's tries failed in a row: the service is down for
# everybody, and every further cluster would only wait through the same failures.
_ROUNDS_UNTIL_DOWN = 2
# How soon a waiting worker notices that the run was cancelled.
_POLL_S = 0.2


class _Stop:
    """Whether and why the run ends early: cancelled from outside, or by the first fatal error.

    The event given from outside is only read: a fatal error must not look like a cancelled job.
    """

    def __init__(self, cancelled: threading.Event | None = None) -> None:
        self.fatal: str | None = None
        self._cancelled = cancelled or threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._failed_in_a_row = 0

    def note_call(self, failure: RetryableError | None, most_in_a_row: int) -> None:
        """Count calls that failed in a row over all clusters; end the run when they are too many."""
        with self._lock:
            self._failed_in_a_row = self._failed_in_a_row + 1 if failure else 0
            down = self._failed_in_a_row >= most_in_a_row
        if down:
            self.now(f"The last {most_in_a_row} calls all failed. {failure}")

    def now(self, reason: str | None = None) -> None:
        """End the run; the first reason counts."""
        with self._lock:
            self.fatal = self.fatal or reason
        self._ended.set()

    def is_set(self) -> bool:
        return self._ended.is_set() or self._cancelled.is_set()

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until the run ends."""
        ends_s = time.monotonic() + seconds
        while (left_s := ends_s - time.monotonic()) > 0 and not self.is_set():
            self._ended.wait(min(left_s, _POLL_S))

    @property
    def reason(self) -> str:
        return (
            f"Not sent, the run stopped: {self.fatal}" if self.fatal else "Not sent: the run was cancelled."
        )


class Gate:
    """Lets calls through at a known rate, and holds all of them back while the service asks for a pause."""

    def __init__(self, requests_per_minute: int = 0) -> None:
        self._interval_s = 60.0 / requests_per_minute if requests_per_minute else 0.0
        self._lock = threading.Lock()
        self._next_turn_s = 0.0
        self._held_until_s = 0.0

    def enter(self, stop: _Stop) -> bool:
        """Wait for a turn; False when the run ended meanwhile."""
        with self._lock:
            turn_s = max(time.monotonic(), self._next_turn_s)
            self._next_turn_s = turn_s + self._interval_s
        # A loop, because another worker may lengthen the pause meanwhile.
        while (wait_s := max(turn_s, self._held_until_s) - time.monotonic()) > 0 and not stop.is_set():
            stop.wait(wait_s)
        return not stop.is_set()

    def pause(self, seconds: float) -> None:
        """Hold every caller back for this long from now."""
        with self._lock:
            self._held_until_s = max(self._held_until_s, time.monotonic() + seconds)


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard to try.

    workers: clusters under way at once. attempts: calls per cluster, the first included.
    call_timeout_s: wall time of one attempt, in seconds.
    """

    workers: int = 1
    attempts: int = 1 + CALL_RETRIES
    call_timeout_s: float = CALL_TIMEOUT_S
    requests_per_minute: int = 0

    @property
    def most_failures_in_a_row(self) -> int:
        """Calls that may fail in a row, over all clusters, before the run ends."""
        return _ROUNDS_UNTIL_DOWN * self.workers * self.attempts


def run_proposals(
    groups: Sequence[DealGroup],
    proposer: Proposer,
    limits: Limits = Limits(),
    *,
    on_outcome: Callable[[Outcome], None] | None = None,
    cancelled: threading.Event | None = None,
) -> ProposalRun:
    """Ask for proposals for every cluster; return one outcome per cluster, in the order given.

    on_outcome is called in the caller's thread as clusters end. Setting `cancelled` stops new
    calls at once; what is finished stays, the rest is not_sent. Errors of single clusters are
    outcomes, never exceptions.
    """
    stop = _Stop(cancelled)
    gate = Gate(limits.requests_per_minute)
    outcomes: dict[str, Outcome] = {}
    with ThreadPoolExecutor(limits.workers, thread_name_prefix="proposals") as pool:
        futures: list[Future[Outcome]] = [
            pool.submit(_one_cluster, group, proposer, limits, gate, stop) for group in groups
        ]
        try:
            for future in as_completed(futures):
                outcome = future.result()
                outcomes[outcome.cluster_id] = outcome
                if on_outcome:
                    on_outcome(outcome)
        except BaseException:
            stop.now()  # the caller gave up (Ctrl+C, a failed store): start no further call
            raise
    return ProposalRun(tuple(outcomes[group.id] for group in groups), stop.fatal)


Reaction = Literal["again", "give_up", "stop"]


def _react(error: ProposalError, contents: int) -> Reaction:
    """Decide what an error means for its cluster; `contents` counts its unusable answers so far."""
    if isinstance(error, FatalProposalError):
        return "stop"
    if isinstance(error, RetryableError):
        return "again"
    if isinstance(error, UnusableAnswer) and error.remedy != "none" and contents < CONTENT_ATTEMPTS:
        return "again"
    return "give_up"


def _one_cluster(group: DealGroup, proposer: Proposer, limits: Limits, gate: Gate, stop: _Stop) -> Outcome:
    ids = tuple(deal.deal_id for deal in group.deals)
    blank = Outcome(group.id, ids, "not_sent", proposer.source)
    contents = 0
    failed = blank
    for attempt in range(1, limits.attempts + 1):
        if not gate.enter(stop):
            return replace(failed, status="not_sent", error=stop.reason)
        try:
            call = partial(proposer.propose, group, AskContext(attempt))
            answer = _with_deadline(call, limits.call_timeout_s, stop)
        except ProposalError as error:
            contents += isinstance(error, UnusableAnswer)
            stop.note_call(
                error if isinstance(error, RetryableError) else None, limits.most_failures_in_a_row
            )
            raw = error.raw if isinstance(error, UnusableAnswer) else failed.raw
            failed = replace(blank, status="failed", error=str(error), attempts=attempt, raw=raw)
            _log.warning("Cluster %s, attempt %d: %s", group.id, attempt, error)
            reaction = _react(error, contents)
            if reaction == "stop":
                stop.now(str(error))
            if reaction != "again" or attempt == limits.attempts:
                return failed
            _hold_back(error, attempt, gate, stop)
            continue
        except Exception as error:
            # A bug met on one cluster must not cost the others; the log has the traceback.
            _log.exception("Cluster %s, attempt %d", group.id, attempt)
            message = f"Proposing failed unexpectedly ({type(error).__name__}): see the log, then retry."
            return replace(blank, status="failed", error=message, attempts=attempt)
        if answer is None:
            return replace(blank, attempts=attempt, error=stop.reason)
        stop.note_call(None, limits.most_failures_in_a_row)
        return _done(blank, answer, attempt)
    return failed


def _done(blank: Outcome, answer: Answer, attempts: int) -> Outcome:
    return replace(
        blank,
        status="done",
        proposals=answer.proposals,
        unpackaged=answer.unpackaged,
        issues=answer.issues,
        usage=answer.usage,
        model=answer.model,
        attempts=attempts,
        raw=answer.raw,
        requested_model=answer.requested_model,
        latency_s=answer.latency_s,
        cached=answer.cached,
    )


def _hold_back(error: ProposalError, attempt: int, gate: Gate, stop: _Stop) -> None:
    """Wait before the next attempt: all workers when the service said how long, else only this one."""
    asked_s = error.retry_after_s if isinstance(error, RetryableError) else 0.0
    if asked_s is not None:
        gate.pause(min(asked_s, _LONGEST_PAUSE_S))
        return
    # Full jitter: workers that failed together must not come back together.
    longest_s = min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2 ** (attempt - 1))
    stop.wait(random.uniform(0, longest_s))  # noqa: S311  (no secret)


def _with_deadline(call: Callable[[], Answer], deadline_s: float, stop: _Stop) -> Answer | None:
    """Run one attempt in a thread of its own; None when the run ended while it was under way.

    A call cannot be killed from outside. One that passes its deadline is left behind as a
    daemon thread, and what it may still bring is thrown away.
    Raises RetryableError at the deadline, and whatever the call raises.
    """
    results: queue.SimpleQueue[tuple[Answer | None, BaseException | None]] = queue.SimpleQueue()

    def attempt() -> None:
        try:
            results.put((call(), None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=attempt, daemon=True, name="proposal-attempt").start()
    ends_s = time.monotonic() + deadline_s
    while (left_s := ends_s - time.monotonic()) > 0:
        try:
            answer, error = results.get(timeout=min(left_s, _POLL_S))
        except queue.Empty:
            if stop.is_set():
                return None
            continue
        if error is not None:
            raise error
        return answer
    raise RetryableError(f"No complete answer within {deadline_s:g} s: try again later, or raise the limit.")
