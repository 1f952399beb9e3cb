"""The gate that every call of a run goes through: a rate limit, told or learned, and common pauses.

A service counts the calls of the last so many seconds, so the gate does too: calls may come in
bursts, and a place is free again when its call is that old. A refusal teaches the gate what it
was not told, and costs the run one call instead of one for each worker.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import Protocol

from core import clock

# A service that asks for more is out of quota for the day rather than busy. Also how far back calls
# are remembered: services count by the minute at most.
LONGEST_PAUSE_S = 65.0
# How soon a waiting worker notices that the run has ended, or that a place became free early.
POLL_S = 0.2
# A call reaches the service a little after it went through the gate, and not always equally late.
_MARGIN_S = 0.1
# A refusal that asks for no more than this share of a known window says that a call came a little early,
# not that the limit is another one.
_EARLY_SHARE = 0.1
# So many windows without a refusal, and a learned limit is tried for more: other users of the key may
# have left, or the refusal was a passing one.
_PATIENCE_WINDOWS = 2


class Ending(Protocol):
    """Tells that the run has ended, so that nobody waits for a turn in it."""

    def is_set(self) -> bool:
        """Whether no further call may start."""
        ...

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until the run ends."""
        ...


class Gate:
    """Lets calls through at a rate that the service takes; safe to share between threads.

    calls, per_s: at most so many calls within so many seconds; calls None = not known.
    """

    def __init__(self, calls: int | None = None, per_s: float = 60.0) -> None:
        self._calls = calls
        self._per_s = per_s + _MARGIN_S
        self._lock = threading.Lock()
        self._numbers = count()
        # When each call went through, in `clock.monotonic_s()` seconds; refused calls are taken out,
        # because a service does not count them.
        self._entered: dict[int, float] = {}
        self._held_until_s = 0.0
        self._refused_s = 0.0
        self._grows_s = float("inf")
        self._step = 1
        self._probing = False
        self._probe: int | None = None

    def enter(self, ending: Ending) -> int | None:
        """Wait for a turn; return the ticket of the call, None when the run ended meanwhile."""
        while not ending.is_set():
            with self._lock:
                now_s = clock.monotonic_s()
                wait_s = self._wait_s(now_s)
                if wait_s <= 0:
                    ticket = next(self._numbers)
                    self._entered[ticket] = now_s
                    self._probe = ticket if self._probing else None
                    return ticket
            ending.wait(min(wait_s, POLL_S))
        return None

    def pause(self, seconds: float) -> None:
        """Hold every caller back for this long from now, but not longer than a busy service asks for."""
        with self._lock:
            self._hold(clock.monotonic_s(), seconds)

    @property
    def held_s(self) -> float:
        """How long everybody is still held back, in seconds; 0 when nobody is."""
        with self._lock:
            return max(0.0, self._held_until_s - clock.monotonic_s())

    def sent(self, ticket: int, at_s: float) -> None:
        """Note that a call left for the service only at this time: a first call builds its client before."""
        with self._lock:
            if ticket in self._entered:
                self._entered[ticket] = max(self._entered[ticket], at_s)

    def passed(self, ticket: int) -> None:
        """Note that a call was not refused for its rate, whatever else came of it."""
        with self._lock:
            if ticket == self._probe:
                self._probing, self._probe = False, None

    def refused(self, ticket: int, delay_s: float | None) -> bool:
        """Learn from a call that came too early; return whether the refusal is news.

        delay_s: the pause that the service asks for; without one nothing is learned. It is no
        news when the call was let through before another refusal was known.
        """
        with self._lock:
            now_s = clock.monotonic_s()
            entered_s = self._entered.pop(ticket, now_s)
            news = entered_s >= self._refused_s
            self._refused_s = now_s
            if delay_s is not None:
                self._hold(now_s, delay_s)
                if self._calls and delay_s <= _EARLY_SHARE * self._per_s:
                    self._per_s += delay_s if news else 0.0
                else:
                    self._learn(now_s, ticket, min(delay_s, LONGEST_PAUSE_S))
            return news

    def _hold(self, now_s: float, seconds: float) -> None:
        self._held_until_s = max(self._held_until_s, now_s + min(seconds, LONGEST_PAUSE_S))

    def _learn(self, now_s: float, ticket: int, delay_s: float) -> None:
        """Take the calls that were accepted for the limit, and the oldest as the one that must go first."""
        since_s = now_s - (self._per_s if self._calls else LONGEST_PAUSE_S)
        accepted = [at_s for earlier, at_s in self._entered.items() if earlier < ticket and at_s > since_s]
        self._step = 1
        self._probing = not accepted  # others used the quota up: one call at a time finds out when it is back
        self._probe = None
        if accepted:
            self._calls = len(accepted)
            # As seen from here: the way of the refusal is in it, and makes a margin of its own.
            self._per_s = delay_s + now_s - min(accepted)
            self._grows_s = now_s + _PATIENCE_WINDOWS * self._per_s

    def _wait_s(self, now_s: float) -> float:
        """Return how long there is no turn yet, in seconds; 0 or less when it is now."""
        held_s = self._held_until_s - now_s
        if self._probing:
            return POLL_S if self._probe in self._entered else held_s
        if self._calls is None:
            self._forget(now_s - LONGEST_PAUSE_S)
            return held_s
        self._forget(now_s - max(self._per_s, LONGEST_PAUSE_S))
        self._grow(now_s)
        recent = sorted(at_s for at_s in self._entered.values() if at_s > now_s - self._per_s)
        if len(recent) < self._calls:
            return held_s
        return max(held_s, recent[-self._calls] + self._per_s - now_s)

    def _forget(self, before_s: float) -> None:
        for ticket in [ticket for ticket, at_s in self._entered.items() if at_s < before_s]:
            del self._entered[ticket]

    def _grow(self, now_s: float) -> None:
        """Allow a learned limit more, at first one call, then faster as long as nothing is refused."""
        if self._calls is not None and now_s >= self._grows_s:
            self._calls += self._step
            self._step *= 2
            self._grows_s = now_s + self._per_s
