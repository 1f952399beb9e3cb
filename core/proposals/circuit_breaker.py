"""What ends a run early: a wish from outside, an error no cluster can escape, or a used-up budget."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Literal

from core import clock
from core.errors import BudgetReached, RetryableError
from core.proposals.limits import Limits
from core.proposals.proposal import Usage
from core.proposals.rate_limit import POLL_S

Price = Callable[[Usage], float | None]

# The run ends when this many calls for each worker's tries failed in a row: the service is down for
# everybody, and every further cluster would only wait through the same failures.
_ROUNDS_UNTIL_DOWN = 2
# Refusals in a row, each after the pause for the one before, until the quota counts as used up.
_REFUSALS_UNTIL_UP = 3


class Stop:
    """Whether and why the run ends early: cancelled from outside, or by the first fatal error.

    The event given from outside is only read: a fatal error must not look like a cancelled job.
    """

    def __init__(self, cancelled: threading.Event | None = None) -> None:
        self.fatal: str | None = None
        self.broken: Exception | None = None
        self._cancelled = cancelled or threading.Event()
        self._ended = threading.Event()
        self._abandoned = threading.Event()
        self._lock = threading.Lock()

    def now(self, reason: str | None = None, *, abandon: bool = True) -> None:
        """End the run; the first reason counts. abandon: do not wait for calls under way either."""
        with self._lock:
            self.fatal = self.fatal or reason
        if abandon:
            self._abandoned.set()
        self._ended.set()

    def break_off(self, error: Exception) -> None:
        """End the run because a call could not be recorded; the caller of the run gets the error."""
        self.broken = self.broken or error
        self.now()

    def raise_broken(self) -> None:
        """Raise what broke the run off, if anything did."""
        if self.broken is not None:
            raise self.broken

    @property
    def cancelled(self) -> bool:
        """Whether the analyst stopped the run."""
        return self._cancelled.is_set()

    @property
    def abandoned(self) -> bool:
        """Whether calls under way are left behind."""
        return self._abandoned.is_set() or self.cancelled

    def is_set(self) -> bool:
        """Whether no further call may start."""
        return self._ended.is_set() or self.cancelled

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until the run ends."""
        ends_s = clock.monotonic_s() + seconds
        while (left_s := ends_s - clock.monotonic_s()) > 0 and not self.is_set():
            self._ended.wait(min(left_s, POLL_S))

    def reason(self, calls: int) -> str:
        """Say why a cluster has no answer after so many calls about it."""
        what = "Not finished" if calls else "Not sent"
        return f"{what}, the run stopped: {self.fatal}" if self.fatal else f"{what}: the run was cancelled."


# Replies in a row without their tokens, after which a limit of tokens or money means nothing.
_MOST_UNTOLD = 3


class Spending:
    """Calls, tokens and money of the run, also of replies that came too late to be used."""

    def __init__(self, limits: Limits, price: Price | None) -> None:
        self._limits = limits
        self._price = price or (lambda _: None)
        self._lock = threading.Lock()
        self._calls = 0
        self._usd = 0.0
        self._untold = 0
        self._by_cluster: defaultdict[str, Usage] = defaultdict(Usage)

    def begin_call(self) -> None:
        """Count a call. Raises BudgetReached instead when the run may make no further one."""
        limits = self._limits
        with self._lock:
            if limits.max_usd is not None and self._price(Usage(1, 1)) is None:
                raise BudgetReached(
                    "The price of this model is not known, so a limit in US dollars cannot be kept: "
                    "limit calls or tokens instead."
                )
            if self._untold >= _MOST_UNTOLD and (limits.max_tokens, limits.max_usd) != (None, None):
                raise BudgetReached(
                    "The service does not say how many tokens it used, so a limit of tokens or US dollars "
                    "cannot be kept: limit calls instead."
                )
            used = (
                (self._calls, limits.max_calls, "calls"),
                (self._tokens(), limits.max_tokens, "tokens"),
                (self._usd, limits.max_usd, "US dollars"),
            )
            for amount, most, what in used:
                if most is not None and amount >= most:
                    raise BudgetReached(
                        f"The run has used the {most:,} {what} that it was allowed: "
                        "raise the limit, or go on in another run."
                    )
            self._calls += 1

    def add(self, cluster_id: str, usage: Usage) -> None:
        """Count the tokens of one reply; what is not known counts nothing."""
        with self._lock:
            told = None not in (usage.input_tokens, usage.output_tokens)
            self._untold = 0 if told else self._untold + 1
            self._by_cluster[cluster_id] += usage
            self._usd += self._price(usage) or 0.0

    def usage_of(self, cluster_id: str) -> Usage:
        """Return the tokens of all calls about one cluster so far."""
        with self._lock:
            return self._by_cluster[cluster_id]

    def _tokens(self) -> int:
        total = sum(self._by_cluster.values(), Usage())
        return (total.input_tokens or 0) + (total.output_tokens or 0)


class Breaker:
    """Notices, over all clusters, that the service is down or the quota used up for everybody."""

    def __init__(self, limits: Limits) -> None:
        tries = min(limits.transport_attempts, limits.attempts or limits.transport_attempts)
        self.most_failures = _ROUNDS_UNTIL_DOWN * limits.workers * tries
        self._lock = threading.Lock()
        self._failures = 0
        self._refused: list[str] = []

    def passed(self) -> None:
        """Note that the service dealt with a call."""
        with self._lock:
            self._failures = 0
            self._refused.clear()

    def failed(self, error: RetryableError) -> str | None:
        """Note a call that failed on the way; return why the run must end, None when it goes on."""
        with self._lock:
            self._failures += 1
            self._refused.clear()
            down = self._failures >= self.most_failures
        return f"The last {self.most_failures} calls all failed. {error}" if down else None

    def refused(self, cluster_id: str) -> Literal["wait", "give_up", "stop"]:
        """Note a refusal that came after the pause for the one before; return what it means.

        When only one cluster is refused again and again, the others may fare better.
        """
        with self._lock:
            self._refused.append(cluster_id)
            if len(self._refused) < _REFUSALS_UNTIL_UP:
                return "wait"
            return "give_up" if len(set(self._refused)) == 1 else "stop"

    @property
    def refusals(self) -> int:
        """Refusals in a row so far."""
        return len(self._refused)
