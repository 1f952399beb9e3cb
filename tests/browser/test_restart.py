"""A server that dies in the middle of a job: the run is there, and the job offers to go on."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest

from core.reading import read_deals
from core.storage import Workspace
from core.work.tasks import MAP, VECTORS
from tests.browser.conftest import Server, Tab
from tests.fakes.gemini import Call, FakeGemini, default_answer
from tests.pages.conftest import small_clustering, small_deals, small_vectors
from tests.workspaces import run_sql

pytestmark = pytest.mark.browser

KEY = "key-of-the-restart-test"
FEW = read_deals(
    b"deal_id,deal_name,format\n"
    + b"".join(b"D%d,News %d,video\n" % (number, number) for number in range(12)),
    "few.csv",
)
JOB_S = 180


def until(what: Callable[[], bool], seconds: float = JOB_S) -> None:
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "it never happens"
        time.sleep(0.1)


def job_state(store: Workspace, run_id: str) -> str | None:
    job = store.newest_job(run_id)
    return job.state if job else None


def test_clustering_that_died_with_its_server_is_resumed(
    fresh_server: Server, new_tab: Callable[..., Tab]
) -> None:
    with closing(fresh_server.workspace()) as store:
        # Without vectors: the job lasts. A few deals: more would be laid out by UMAP, compiled for seconds.
        run_id = store.create_run(FEW, "few.csv")
        fresh_server.start()
        tab = new_tab(fresh_server).open(f"/clusters?run={run_id}")
        tab.click("Build clusters")
        until(lambda: job_state(store, run_id) == "running")
        fresh_server.kill()
        assert store.clustering(run_id) is None
        assert len(store.deals(run_id)) == 12
        fresh_server.start()
        later = new_tab(fresh_server).open(f"/deals?run={run_id}")
        later.wait_for_text("The app ended while this was under way")
        later.click("Resume")
        until(lambda: job_state(store, run_id) == "done")
        clustering = store.clustering(run_id)
        assert clustering is not None
        later.wait_for_text(rf"Clusters {len(clustering.clusters)}$")
        later.assert_clean()


def test_proposals_that_died_with_their_server_go_on_where_they_were(
    fresh_server: Server, new_tab: Callable[..., Tab]
) -> None:
    may_answer = threading.Semaphore(1)

    def answer(call: Call) -> str:
        assert may_answer.acquire(timeout=JOB_S)
        return default_answer(call)

    with closing(fresh_server.workspace()) as store, FakeGemini(api_key=KEY, answer=answer) as gemini:
        run_id = store.create_run(small_deals(), "deals_small.json")
        places = np.random.default_rng(1).normal(size=(60, 2)).astype(np.float32)
        store.save_array(run_id, VECTORS, small_vectors())
        store.save_array(run_id, MAP, places)
        store.save_clustering(run_id, small_clustering())
        clusters = len(small_clustering().clusters)
        environment = {
            "GEMINI_API_KEY": KEY, "DEALWEAVER_GEMINI_BASE_URL": gemini.url, "DEALWEAVER_WORKERS": "1"
        }  # fmt: skip
        fresh_server.start(**environment)
        tab = new_tab(fresh_server).open(f"/packages?run={run_id}")
        tab.click(f"Propose for {clusters} clusters")
        until(lambda: len(store.outcomes(run_id)) == 1)
        tab.reload()
        tab.page.get_by_test_id("stProgress").first.wait_for()
        second = new_tab(fresh_server).open(f"/deals?run={run_id}")
        second.page.get_by_test_id("stProgress").first.wait_for()
        may_answer.release()
        until(lambda: len(store.outcomes(run_id)) == 2)
        fresh_server.kill()
        packages = {package.id for package in store.packages(run_id)}
        assert 2 == len(store.outcomes(run_id)) < clusters
        tab.close()
        second.close()
        may_answer.release(2 * clusters)
        # Else what goes on waits until the lease of the call that died is over: fifty seconds.
        run_sql(fresh_server.database_url, "UPDATE attempts SET lease_until_s = 0")
        fresh_server.start(**environment)
        later = new_tab(fresh_server).open(f"/packages?run={run_id}")
        later.wait_for_text("The app ended while this was under way")
        later.click("Resume")
        until(lambda: len(store.outcomes(run_id)) == clusters and job_state(store, run_id) == "done")
        assert {outcome.status for outcome in store.outcomes(run_id).values()} == {"done"}
        assert packages <= {package.id for package in store.packages(run_id)}
        asked = Counter(re.sub(r"deals_[0-9a-f]{8}", "", call.prompt) for call in gemini.calls)
        assert len(asked) == clusters
        # The one call that was under way when the server died may have been asked again; no other.
        assert sorted(asked.values())[:-1] == [1] * (clusters - 1)
        assert max(asked.values()) <= 2
        later.assert_clean()
