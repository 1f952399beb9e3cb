"""A workspace in a file and one on a server, with one run of six deals in two clusters."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from core.clustering import Cluster, Clustering, ClusteringSettings
from core.deals.reading import parse_deals
from core.proposals import Outcome, Proposal, Unpackaged, Usage
from core.workspace import Workspace
from core.workspace.schema import open_engine
from tests.workspace.postgres import find_programs, running_server

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
# For tests of what only a file, or only a server, does.
on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("url", [POSTGRES], indirect=True)

_SHAPE = """
SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_trigger), version_num FROM alembic_version
"""
_RENUMBER = "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
_shape: dict[str, list[Any]] = {}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL server that lives as long as the tests, with an empty database in it."""
    programs = find_programs()
    if programs is None:
        missing = "PostgreSQL is missing: apt-get install postgresql"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    with running_server(programs) as address:
        yield address


@pytest.fixture(params=["sqlite", POSTGRES])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a workspace that is empty: a file in a folder that nobody made yet, or a database."""
    if request.param == "sqlite":
        return f"sqlite:///{(tmp_path / 'new' / 'folder' / 'workspace.db').as_posix()}"
    return _emptied(request.getfixturevalue("postgres"))


def _emptied(server: str) -> str:
    """Return the address of the database that tests share, without what the test before left in it.

    To empty one takes milliseconds, to make one 0.2 s; one whose tables were changed is made again.
    """
    address = make_url(server).set(database="shared").render_as_string(hide_password=False)
    if server in _shape:
        run_sql(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shared'")
        if _shape[server] == run_sql(address, _SHAPE):
            run_sql(
                address, "DELETE FROM runs", "DELETE FROM templates", "DELETE FROM preferences", _RENUMBER
            )
            return address
    run_sql(server, "DROP DATABASE IF EXISTS shared WITH (FORCE)", "CREATE DATABASE shared", autocommit=True)
    Workspace(address).close()
    _shape[server] = run_sql(address, _SHAPE)
    return address


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
def open_workspace(url: str) -> Iterator[Callable[[], Workspace]]:
    """Open the database of the test again, as the next start of the app does."""
    opened: list[Workspace] = []

    def open_it() -> Workspace:
        opened.append(Workspace(url))
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
