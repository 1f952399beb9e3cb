"""The present: the one place in `core` and `pages` that asks the machine for the time.

Whoever needs the time calls a function of this module. A test, or anybody who wants to know what
another day would show, hands in a clock of their own with `using`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that only ever grow, for measuring how long something takes."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Return seconds that only ever grow and that setting the machine's clock does not change."""
        return time.monotonic()


# The last one is asked. For the whole process and not for a context: jobs run in threads of their own.
_clocks: list[Clock] = [SystemClock()]


@contextmanager
def using(clock: Clock) -> Iterator[Clock]:
    """Ask another clock while the block runs, in every thread of the process."""
    _clocks.append(clock)
    try:
        yield clock
    finally:
        _clocks.remove(clock)


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return _clocks[-1].now()


def today() -> date:
    """Return the present day in UTC."""
    return now().date()


def timestamp() -> str:
    """Return the present moment as it is stored: UTC, ISO 8601, to the second."""
    return now().isoformat(timespec="seconds")


def epoch_s() -> float:
    """Return the present moment in seconds since 1970-01-01 UTC."""
    return now().timestamp()


def monotonic_s() -> float:
    """Return seconds that only ever grow, for measuring how long something takes."""
    return _clocks[-1].monotonic_s()
