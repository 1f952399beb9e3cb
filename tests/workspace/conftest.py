"""A workspace in a file, with one run of six deals in two clusters."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.clustering import Cluster, Clustering, ClusteringSettings
from core.deals.reading import parse_deals
from core.proposals import Outcome, Proposal, Unpackaged, Usage
from core.workspace import Workspace

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


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Address of a database file that nobody made yet, in a folder that nobody made yet."""
    return f"sqlite:///{(tmp_path / 'new' / 'folder' / 'workspace.db').as_posix()}"


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
