"""How figures are told: one line each, with the target they have to keep."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that a figure has to keep: every value of it, or their median."""

    bound: float
    at_least: bool = True
    median: bool = False

    def keeps(self, values: Sequence[float]) -> bool:
        """Whether the worst value, or the median, is within the bound; values come as they are printed."""
        if self.median:
            values = [statistics.median(values)]
        return min(values) >= self.bound if self.at_least else max(values) <= self.bound

    def __str__(self) -> str:
        return f"{'median ' if self.median else ''}{'>=' if self.at_least else '<='} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, its values over seeds or runs, and the target if it has one."""

    what: str
    values: tuple[float, ...]
    target: Target | None = None
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether the target is kept; a figure without one always is."""
        return self.target is None or self.target.keeps([round(value, 3) for value in self.values])

    def __str__(self) -> str:
        figures = f"{min(self.values):8.3f} {statistics.median(self.values):8.3f} {max(self.values):8.3f}"
        verdict = (
            "" if self.target is None else f"{self.target}: {'reached' if self.reached else 'NOT reached'}"
        )
        return f"  {self.what:<52} {figures}   {verdict} {self.note}".rstrip()


def tell(sections: Iterable[tuple[str, Callable[[], Iterable[Row]]]]) -> int:
    """Print the rows of every section as they come; return 1 when a target is missed, else 0."""
    missed = []
    for title, section in sections:
        sys.stdout.write(f"\n{title:<54} {'min':>8} {'median':>8} {'max':>8}\n")
        for row in section():
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            if not row.reached:
                missed.append(row.what)
    sys.stdout.write(f"\n{len(missed)} targets missed{': ' * bool(missed)}{'; '.join(missed)}\n")
    return 1 if missed else 0
