"""A workspace in a file and one on a server, with one run of six deals in two clusters."""

import os
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Pool, event

from core import clock
from core.clustering import Cluster, Clustering, ClusteringSettings
from core.proposals import Outcome, Proposal, Unpackaged, Usage
from core.reading.reading import parse_deals
from core.storage import Workspace
from core.storage.schema import open_engine
from core.storage.sqlite_file import file_of
from tests.fakes.clock import RunningClock
from tests.storage.postgres import SharedDatabase, find_programs, shared_server

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

RECORDS = [
    {"deal_id": f"00{n}", "deal_name": f"Deal {n}", "floor_price": "5.50", "currency": "USD"}
    for n in range(1, 7)
]
IDS = tuple(record["deal_id"] for record in RECORDS)


def clustering_of(clusters: dict[str, tuple[int, ...]], **settings: object) -> Clustering:
    """Return a clustering of these members, each at full strength."""
    return Clustering(
        tuple(Cluster(name, members, (1.0,) * len(members)) for name, members in clusters.items()),
        (),
        ClusteringSettings(min_size=1, **settings),
        {"bic": [{"components": 2, "bic": -1.5}]},
    )


def done(cluster_id: str, deal_ids: tuple[str, ...], *names: str) -> Outcome:
    """Return an answer with one package per name over all deals but the last, which stays out."""
    return Outcome(
        cluster_id,
        deal_ids,
        "done",
        "gemini-2.5-flash",
        proposals=tuple(Proposal(name, deal_ids[:-1], f"Why {name}.") for name in names),
        unpackaged=(Unpackaged(deal_ids[-1], "It fits nowhere."),),
        issues=("An id was unknown.",),
        usage=Usage(100, None),
        model="gemini-2.5-flash",
        attempts=2,
        raw='{"packages": []}',
    )


POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)
POSTGRES_LATER = pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])
# For tests of what only a file, or only a server, does.
on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"])
on_postgres = pytest.mark.parametrize("dialect", [POSTGRES])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let every test of a workspace run on a file and on a server, for some only in the default suite.

    There it is the tests that are marked `both_databases`: those about what a database does in its own
    way, which is to lock, to take a whole transaction back, to order rows, and to keep JSON, bytes and
    tables. All others say what the code around it does: on a server, the slow suite runs them.
    """
    told = any(mark.args[0] == "dialect" for mark in metafunc.definition.iter_markers("parametrize"))
    if "dialect" in metafunc.fixturenames and not told:
        always = metafunc.definition.get_closest_marker("both_databases")
        metafunc.parametrize("dialect", ["sqlite", POSTGRES if always else POSTGRES_LATER])


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a PostgreSQL server that lives as long as the tests."""
    programs = find_programs()
    if programs is None:
        missing = "PostgreSQL is missing: apt-get install postgresql"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    folder = tmp_path_factory.getbasetemp()
    if _WORKER:
        folder = folder.parent  # all workers of a run have it in common
    with shared_server(programs, folder) as address:
        yield address


@pytest.fixture(scope="session")
def database_on_server(postgres: str) -> Iterator[SharedDatabase]:
    """The database of this process on the server, which its tests use one after the other."""
    with SharedDatabase(postgres, f"tests{_WORKER}") as database:
        yield database


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of an empty workspace: to copy it takes a tenth of the time that its tables take."""
    file = tmp_path_factory.mktemp("empty") / "workspace.db"
    Workspace(_address_of(file)).close()
    return file


def _made_quickly(url: str, empty_file: Path) -> Workspace:
    """Make a workspace in a file as `Workspace` itself does where none is: without a backup of it."""
    file = file_of(url)
    assert file is not None
    file.parent.mkdir(parents=True)
    shutil.copyfile(empty_file, file)
    os.utime(file, (0, 0))  # so old that opening it is no occasion for a backup
    workspace = Workspace(url)
    os.utime(file)
    return workspace


@pytest.fixture
def url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a workspace that is empty: a file in a folder that nobody made yet, or a database."""
    if dialect == "postgres":
        yield request.getfixturevalue("database_on_server").emptied()
        return
    with no_power_cuts():
        yield _address_of(tmp_path / "new" / "folder" / "workspace.db")


def _address_of(file: Path) -> str:
    return f"sqlite:///{file.as_posix()}"


@contextmanager
def no_power_cuts() -> Iterator[None]:
    """Let nobody wait for the disk: what these tests save in files must not survive a power cut.

    What must is the business of test_schema and of those tests here that look at the calls.
    """

    def hurry(connection: Any, *_: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=OFF")

    # When one is taken, as the workspace has its own say when one is made.
    event.listen(Pool, "checkout", hurry)
    try:
        yield
    finally:
        event.remove(Pool, "checkout", hurry)


def run_sql(url: str, *statements: str, autocommit: bool = False) -> list[Any]:
    """Run statements beside the store, all or none, and return the rows of the last."""
    rows: list[Any] = []
    engine = open_engine(url)
    options = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
    with engine.execution_options(**options).begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
            rows = list(result) if result.returns_rows else []
    engine.dispose()
    return rows


@pytest.fixture
def database(url: str) -> str:
    """Name of the kind of database of the test."""
    return "SQLite" if url.startswith("sqlite") else "PostgreSQL"


@pytest.fixture
def open_workspace(url: str, empty_file: Path) -> Iterator[Callable[[], Workspace]]:
    """Open the database of the test again, as the next start of the app does."""
    opened: list[Workspace] = []

    def open_it() -> Workspace:
        file = file_of(url)
        opened.append(Workspace(url) if file is None or file.exists() else _made_quickly(url, empty_file))
        return opened[-1]

    yield open_it
    for workspace in opened:
        workspace.close()


@pytest.fixture
def workspace(open_workspace: Callable[[], Workspace]) -> Workspace:
    """Return an open, empty workspace."""
    return open_workspace()


@pytest.fixture
def run_id(workspace: Workspace) -> str:
    """Return a run of six deals in the clusters "a" and "b", without proposals."""
    run_id = workspace.create_run(parse_deals(RECORDS), "deals.csv", "Autumn")
    workspace.save_clustering(run_id, clustering_of({"a": (0, 1, 2), "b": (3, 4, 5)}))
    return run_id


@pytest.fixture
def time_of_files(tmp_path: Path) -> Iterator[None]:
    """Go by the clock that dates files, which need not be that of the program: `make anywhere` moves that."""
    stamp = tmp_path / "stamp"
    stamp.touch()
    with clock.using(RunningClock(datetime.fromtimestamp(stamp.stat().st_mtime, UTC))):
        yield


# --- figures that are told at the end ---------------------------------------------------------


# What is told of a kind of database: the sum without which a line is left out, and the line.
_LINES = (
    ("confirmed", "acknowledged edits lost {lost:,} of {confirmed:,}, torn {torn:,} ({kills:,} kills)"),
    ("kills", "jobs of killed programs found as interrupted {interrupted:,}, run as if alive {alive:,}"),
    ("updates", "lost updates {updates_lost:,} of {updates:,}, conflicts told {conflicts:,}"),
    ("jobs", "jobs run twice at a time {jobs_twice:,} of {jobs:,}"),
    ("faults", "single faults survived {faults:,}, answers paid for twice after them {repeated:,}"),
    (
        "asking_kills",
        "calls made again {asked_again:,}, of answered ones {paid_twice:,} ({asking_kills:,} kills)",
    ),
)


class Figures:
    """Sums over tests, by database: what was confirmed, and what of it was lost."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add(self, database: str, **counts: int) -> None:
        """Add to sums, which are named as in the lines."""
        self._sums[database].update(counts)

    def lines(self) -> list[str]:
        """Return what is known, a line for each fact of a database."""
        return [
            f"{database}: {line.format_map(sums)}"
            for database, sums in sorted(self._sums.items())
            for needed, line in _LINES
            if sums[needed]
        ]


_figures = pytest.StashKey[Figures]()


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Return what is told when all tests are through."""
    return request.config.stash.setdefault(_figures, Figures())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell the figures of the tests that ran."""
    if _figures in config.stash:
        terminalreporter.section("durability of the workspace")
        for line in config.stash[_figures].lines():
            terminalreporter.line(line)
