"""A clock that starts where a test says, and goes on from there as time passes."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

# A working day on which most deals of the sample run: the day its files were made for.
SAMPLE_DAY = datetime(2026, 11, 22, 9, tzinfo=UTC)


class RunningClock:
    """Goes as fast as a real one, or faster, from a moment of the test's choice.

    It runs because leases and deadlines must end in tests as well; `forward` and `hurry` let no test
    wait. speed: its seconds in one of the machine.
    """

    def __init__(self, start: datetime = SAMPLE_DAY, speed: float = 1.0) -> None:
        self._start = start
        self._began_s = self._shown_s = self._since_s = time.monotonic()
        self._speed = speed

    def now(self) -> datetime:
        """Return the start plus the time that has passed since."""
        return self._start + timedelta(seconds=self.monotonic_s() - self._began_s)

    def monotonic_s(self) -> float:
        """Return seconds that only ever grow."""
        return self._shown_s + (time.monotonic() - self._since_s) * self._speed

    def forward(self, seconds: float) -> None:
        """Let time pass at once."""
        self._shown_s += seconds

    def hurry(self, speed: float) -> None:
        """Go so much faster than the machine's from now on."""
        self._shown_s, self._since_s, self._speed = self.monotonic_s(), time.monotonic(), speed
