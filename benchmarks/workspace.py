"""Figures of the workspace at full size: how long it takes to open it, and to save what an analyst does.

Run `python -m benchmarks.workspace [--deals 10000] [--packages 500] [--runs 10]`. Times are on the clock,
with the waiting for the disk. On PostgreSQL too when Debian's package is there; that server is started here,
and does not wait for the disk. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from benchmarks.planted import planted_deals
from benchmarks.report import Row, Target, tell
from core.clustering import Cluster, Clustering, ClusteringSettings
from core.deals import Deal
from core.packages import Approve, Command, EditPackages, Merge, MoveDeals, Package, Rename
from core.proposals import Outcome, Proposal
from core.reading import ImportResult
from core.reading.reading import parse_deals
from core.settings import EMBEDDING_DIMENSIONS
from core.storage import VECTORS, Workspace
from core.storage.backup import backup
from tests.storage.postgres import find_programs, running_server

SEED = 20_261_123
OPEN_S = 1.0
SAVE_MS = 50.0
_EDITS = 50
_READS = 5
# A list is read at every click, beside the rest of a page that may take 50 ms in all.
LIST_MS = 25.0
_PACKAGES_OF_A_CLUSTER = 10


@dataclass(frozen=True)
class Bench:
    """Runs of so many deals and packages each, of which one is worked on; edits: how often it is."""

    deals: int
    packages: int
    runs: int
    edits: int = _EDITS

    @cached_property
    def all_deals(self) -> tuple[Deal, ...]:
        """Return planted deals."""
        return planted_deals(self.deals, SEED).deals

    @cached_property
    def _loaded(self) -> ImportResult:
        return replace(parse_deals([{"deal_id": "1"}]), deals=self.all_deals)

    @cached_property
    def clustering(self) -> Clustering:
        """Return clusters of equal size, each of ten packages."""
        count = max(1, self.packages // _PACKAGES_OF_A_CLUSTER)
        members = [tuple(range(start, self.deals, count)) for start in range(count)]
        clusters = (Cluster(f"c{n}", own, (1.0,) * len(own)) for n, own in enumerate(members))
        return Clustering(tuple(clusters), (), ClusteringSettings(), {})

    def fill(self, workspace: Workspace) -> str:
        """Make all runs, half of their packages touched by an analyst; return the one to work on."""
        ids = [self._make_run(workspace, number) for number in range(self.runs)]
        vectors = np.random.default_rng(SEED).normal(size=(self.deals, EMBEDDING_DIMENSIONS))
        workspace.save_array(ids[-1], VECTORS, vectors.astype(np.float32))
        return ids[-1]

    def _make_run(self, workspace: Workspace, number: int) -> str:
        run_id = workspace.create_run(self._loaded, "deals.json", f"Run {number}")
        workspace.save_clustering(run_id, self.clustering)
        for cluster in self.clustering.clusters:
            workspace.save_outcome(run_id, self._outcome(cluster))
        listed = workspace.packages(run_id)
        touched = {package.id: package.version for package in listed[: len(listed) // 2]}
        workspace.edit_packages(run_id, touched, [Rename("Autumn package")])
        return run_id

    def _outcome(self, cluster: Cluster) -> Outcome:
        own = tuple(self.all_deals[index].deal_id for index in cluster.members)
        proposals = tuple(
            Proposal(f"{cluster.id} package {n}", part, "Why. " * 40)
            for n in range(_PACKAGES_OF_A_CLUSTER)
            if (part := own[n::_PACKAGES_OF_A_CLUSTER])
        )
        return Outcome(cluster.id, own, "done", "model", proposals=proposals)


def times_ms(count: int, action: Callable[[int], object]) -> list[float]:
    """Return how long each of so many calls took on the clock, in milliseconds."""
    found = []
    for number in range(count):
        start = time.perf_counter()
        action(number)
        found.append((time.perf_counter() - start) * 1000)
    return found


# --- opening --------------------------------------------------------------------------------


def open_all(url: str, run_id: str) -> None:
    """Open a workspace and read of one run what its pages show."""
    with closing(Workspace(url)) as workspace:
        workspace.run(run_id)
        workspace.deals(run_id)
        workspace.clustering(run_id)
        workspace.outcomes(run_id)
        workspace.packages(run_id)


def opening(url: str, run_id: str) -> Iterator[Row]:
    """Yield the seconds until a run is on the screen, and what its parts and the list of runs take."""
    Workspace(url).close()  # the first start of a day makes a copy, which is told apart below
    whole = times_ms(_READS, lambda _: open_all(url, run_id))
    yield _seconds("open and read a run: seconds", whole, OPEN_S)
    yield _seconds("open alone: seconds", times_ms(_READS, lambda _: Workspace(url).close()))
    with closing(Workspace(url)) as workspace:
        first = times_ms(1, lambda _: workspace.runs())
        yield _seconds("list of runs, first time: seconds", first, OPEN_S)
        again = times_ms(_READS, lambda _: workspace.runs())
        yield Row("list of runs, again: ms", tuple(again), Target(LIST_MS, at_least=False))
        read = times_ms(_READS, lambda _: workspace.packages(run_id))
        yield Row("packages of a run: ms", tuple(read))
    if url.startswith("sqlite"):
        yield _seconds("copy (first start of a day): seconds", times_ms(1, lambda _: backup(url)))


def _seconds(what: str, values_ms: Sequence[float], bound: float | None = None) -> Row:
    target = None if bound is None else Target(bound, at_least=False)
    return Row(what, tuple(value / 1000 for value in values_ms), target)


# --- saving ---------------------------------------------------------------------------------


def saving(url: str, empty_url: str, run_id: str, edits: int) -> Iterator[Row]:
    """Yield what each kind of step takes, and by how much the size of the workspace slows it."""
    with closing(Workspace(empty_url)) as workspace:
        least = times_ms(edits, Analyst(workspace, _small_run(workspace)).edit)
    yield Row("edit in an empty workspace: ms", (statistics.median(least),), note=_worst(least))
    with closing(Workspace(url)) as workspace:
        analyst = Analyst(workspace, run_id)
        for name in ("edit", "approve", "move", "merge", "undo"):
            took = times_ms(edits, getattr(analyst, name))
            middle = statistics.median(took)
            yield Row(f"{name}: ms", (middle,), Target(SAVE_MS, at_least=False), _worst(took))
            if name == "edit":
                yield Row("edit by one in an empty workspace", (middle / statistics.median(least),))


def _worst(values: Sequence[float]) -> str:
    return f"worst of {len(values)}: {max(values):.1f}"


def _small_run(workspace: Workspace) -> str:
    records = [{"deal_id": f"d{number}"} for number in range(6)]
    run_id = workspace.create_run(parse_deals(records), "deals.json")
    for number in (0, 3):
        workspace.add_package(run_id, f"Package {number}", [f"d{number + n}" for n in range(3)])
    return run_id


class Analyst:
    """Somebody who works on packages drawn from a run; each method is one step, and takes its number."""

    def __init__(self, workspace: Workspace, run_id: str) -> None:
        self._workspace = workspace
        self._run_id = run_id
        self._chance = random.Random(SEED)
        # As a page does: the versions that were shown go with each command.
        self._shown = {package.id: package for package in workspace.packages(run_id)}

    def edit(self, number: int) -> None:
        """Give a package another name."""
        self._perform(EditPackages((self._draw(1)[0].id,), (Rename(f"Autumn {number}"),)))

    def approve(self, _: int) -> None:
        """Approve a package, whatever the checks say."""
        self._perform(EditPackages((self._draw(1)[0].id,), (Approve("Looked at."),)))

    def move(self, _: int) -> None:
        """Move a deal of one package into another."""
        one, other = self._draw(2)
        self._perform(MoveDeals(one.id, other.id, one.deal_ids[:1]))

    def merge(self, _: int) -> None:
        """Make one of two packages."""
        self._perform(Merge(tuple(package.id for package in self._draw(2)), "Both"))

    def undo(self, _: int) -> None:
        """Take the newest step back."""
        self._workspace.undo(self._run_id)

    def _draw(self, count: int) -> list[Package]:
        several = [package for package in self._shown.values() if len(package.deal_ids) > 1]
        return self._chance.sample(several, count)

    def _perform(self, command: Command) -> None:
        versions = {package_id: self._shown[package_id].version for package_id in command.package_ids}
        for change in self._workspace.perform(self._run_id, versions, command):
            if change.after is None:
                del self._shown[change.package_id]
            else:
                self._shown[change.package_id] = change.after


# --- all of it ------------------------------------------------------------------------------


def sections(
    bench: Bench, name: str, url: str, empty_url: str
) -> list[tuple[str, Callable[[], Iterator[Row]]]]:
    """Fill a database and return what is to be told of it."""
    with closing(Workspace(url)) as workspace:
        run_id = bench.fill(workspace)
    return [
        (f"{name}: opening", partial(opening, url, run_id)),
        (f"{name}: saving", partial(saving, url, empty_url, run_id, bench.edits)),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every section; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deals", type=int, default=10_000)
    parser.add_argument("--packages", type=int, default=500)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--edits", type=int, default=_EDITS)
    parser.add_argument("--only", choices=("SQLite", "PostgreSQL"), help="of one database")
    options = parser.parse_args(arguments)
    bench = Bench(options.deals, options.packages, options.runs, options.edits)
    programs = find_programs()
    with ExitStack() as stack:
        told = []
        if options.only != "PostgreSQL":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            urls = [f"sqlite:///{(folder / name / 'workspace.db').as_posix()}" for name in ("full", "empty")]
            told += sections(bench, "SQLite", urls[0], urls[1])
        if options.only != "SQLite" and programs is not None:
            server = stack.enter_context(running_server(programs))
            other = server.replace("/postgres", "/template1")
            told += sections(bench, "PostgreSQL", server, other)
        return tell(told)


if __name__ == "__main__":
    sys.exit(main())
