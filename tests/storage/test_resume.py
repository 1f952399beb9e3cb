"""A program that is killed while it asks: what it paid for is used when it goes on."""

import os
import signal
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from core import clock
from core.reading.reading import parse_deals
from tests.fakes.clock import RunningClock
from tests.fakes.gemini import FakeGemini
from tests.storage.asking_program import ask
from tests.storage.beginner import Beginner
from tests.workspaces import clustering_of

# Other processes work in the same workspace, and leases must mean the same to all of them.
pytestmark = pytest.mark.usefixtures("machine_time")

CLUSTERS = {f"c{n:02}": tuple(range(5 * n, 5 * n + 5)) for n in range(40)}
RECORDS = [
    {"deal_id": f"{n // 5:02}-{n % 5}", "deal_name": f"Place {n}", "taxonomy": {"tier1": f"Topic {n // 5}"}}
    for n in range(200)
]
KILLED_AFTER_CALLS = 15
LATER_S, PATIENCE_S = 60.0, 60.0


@pytest.fixture(scope="module")
def beginner():
    """Begins programs that ask."""
    with Beginner("tests.storage.asking_program") as beginner:
        yield beginner


@pytest.fixture
def later():
    """A time at which nobody waits any more for the calls of a program that was killed."""
    ahead = RunningClock(datetime.now(UTC))
    ahead.forward(LATER_S)
    return ahead


def kill_midway(beginner, url, run_id, server, workers, said):
    """Begin a program, kill it (-9) once so many calls were answered, and wait until it is gone."""
    process = beginner.begin(url, run_id, server.url, workers, said=said)
    ends_s = time.monotonic() + PATIENCE_S
    while len(server.history) < KILLED_AFTER_CALLS and time.monotonic() < ends_s:
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    assert beginner.ended() == -signal.SIGKILL, "it ended before it was killed"


def about(call):
    """Return the cluster a call is about."""
    return next(
        cluster_id for cluster_id in CLUSTERS if f"Topic {int(cluster_id[1:])}\n" in f"{topic_of(call)}\n"
    )


def topic_of(call):
    start = call.prompt.index("category = ") + len("category = ")
    return call.prompt[start:].split(";")[0].split("<")[0].strip()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 8])
def test_killed_run_goes_on_without_asking_again_for_what_it_received(
    beginner, workspace, url, workers, later, tmp_path, database, figures
):
    run_id = workspace.create_run(parse_deals(RECORDS), "deals.json")
    workspace.save_clustering(run_id, clustering_of(CLUSTERS))
    with FakeGemini(latency_s=0.04 * workers) as server:
        kill_midway(beginner, url, run_id, server, workers, tmp_path / "said")
        done = {name for name, outcome in workspace.outcomes(run_id).items() if outcome.status == "done"}
        received = {name for name in CLUSTERS for call in workspace.calls(run_id, name) if call.raw}
        packages = workspace.packages(run_id)
        asked = Counter(about(call) for call in server.calls)
        assert 0 < len(received) < len(CLUSTERS)
        assert done <= received
        assert len(asked) - len(received) <= workers, "only calls under way are not on disk"

        with clock.using(later):
            ask(url, run_id, server.url, workers)
        again = Counter(about(call) for call in server.calls) - asked
        repeated = {name: again[name] for name in asked if again[name]}
        paid_twice = len(repeated.keys() & received)
        figures.add(database, asking_kills=1, asked_again=sum(repeated.values()), paid_twice=paid_twice)
        assert repeated.keys().isdisjoint(received), "no call for an answer that was received"
        assert set(repeated.values()) <= {1}
        assert len(repeated) <= workers

    outcomes = workspace.outcomes(run_id)
    assert {name: outcome.status for name, outcome in outcomes.items()} == dict.fromkeys(CLUSTERS, "done")
    after = workspace.packages(run_id)
    assert [item.deal_ids for item in after][: len(packages)] == [item.deal_ids for item in packages]
    packaged = Counter(deal_id for item in after for deal_id in item.deal_ids)
    assert packaged == Counter(record["deal_id"] for record in RECORDS), (
        "each deal once: none lost, none doubled"
    )
    assert workspace.unfinished(run_id) == ()
    assert {call.state for name in CLUSTERS for call in workspace.calls(run_id, name)} <= {"done", "failed"}
    # A call is noted before it leaves, so those that the kill caught on the way never arrived.
    assert 0 <= workspace.spent(run_id).calls - len(server.calls) <= workers
