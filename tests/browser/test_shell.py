"""What only a real server and a real browser show: cold links, reloads, uploads, a killed process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.workspace import Workspace
from core.workspace.tasks import MAP, VECTORS
from tests.browser.conftest import Server, Tab
from tests.pages.conftest import small_clustering, small_deals, small_outcomes, small_vectors

pytestmark = pytest.mark.browser

UGLY = (
    "Deal ID;Deal Name;Format;Floor Price;Currency\r\n"
    "0012;Première Auto;ctv;5,5O;EUR\r\n"
    ";Nameless;display;1,00;EUR\r\n"
    "0047;News;video;7,25;EUR\r\n"
).encode("cp1252")
JOB_S = 180


def seed(store: Workspace) -> str:
    """Keep a small run with pending packages, without loading a model."""
    run_id = store.create_run(small_deals(), "deals_small.json", "Small sample")
    places = np.random.default_rng(1).normal(size=(len(small_deals().deals), 2))
    store.save_array(run_id, VECTORS, small_vectors())
    store.save_array(run_id, MAP, places.astype(np.float32))
    store.save_clustering(run_id, small_clustering())
    for outcome in small_outcomes():
        store.save_outcome(run_id, outcome)
    return run_id


def test_a_cold_link_gets_the_shell_and_the_run_and_a_killed_server_forgets_nothing(
    fresh_server: Server, new_tab: Callable[..., Tab]
) -> None:
    with closing(fresh_server.workspace()) as store:
        run_id = seed(store)
    fresh_server.start()
    # In a fresh process this address runs the page's file without app.py.
    tab = new_tab(fresh_server).open(f"/packages?run={run_id}")
    tab.heading("Packages").wait_for()
    assert tab.page.get_by_test_id("stTopNavLink").count() == 5
    assert tab.page.get_by_test_id("stSidebarNav").count() == 0
    assert tab.run_id() == run_id
    assert "/packages" in tab.page.url
    tab.wait_for_text("Pending ")
    reason = tab.page.get_by_label("Reason to approve it all the same")
    reason.fill("Agreed with the buyer.")
    reason.press("Tab")
    tab.click("Approve with a reason")
    tab.wait_for_text("Saved: approve")
    tab.assert_clean()

    fresh_server.kill()
    with closing(fresh_server.workspace()) as store:
        assert store.run(run_id).approved == 1
    fresh_server.start()
    later = new_tab(fresh_server).open(f"/export?run={run_id}")
    later.heading("Export").wait_for()
    later.wait_for_text("1 approved package,")
    later.assert_clean()


def test_a_job_goes_on_while_the_page_is_reloaded(server: Server, new_tab: Callable[..., Tab]) -> None:
    # Without vectors, so that the job loads the model and lasts long enough.
    with closing(server.workspace()) as store:
        run_id = store.create_run(small_deals(), "deals_small.json")
    tab = new_tab(server).open(f"/clusters?run={run_id}")
    tab.click("Build clusters")
    progress = tab.page.get_by_test_id("stProgress")
    progress.wait_for()
    tab.reload()
    progress.wait_for()
    other = new_tab(server).open(f"/deals?run={run_id}")  # a second reader sees the job as well
    other.page.get_by_test_id("stProgress").wait_for()
    # Nobody touches the page: the result must appear by itself.
    tab.page.locator(".js-plotly-plot .scatterlayer .point").nth(59).wait_for(
        state="attached", timeout=JOB_S * 1_000
    )
    progress.wait_for(state="detached")
    with closing(server.workspace()) as store:
        clustering = store.clustering(run_id)
    assert clustering is not None
    tab.wait_for_text(rf"^{len(clustering.clusters)} clusters$")
    tab.assert_clean()


def test_an_ugly_file_shows_its_problems(server: Server, new_tab: Callable[..., Tab], tmp_path: Path) -> None:
    file = tmp_path / "console export ![x](http:198.51.100.7).csv"
    file.write_bytes(UGLY)
    tab = new_tab(server).open()
    tab.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)
    tab.wait_for_text("Read from console export")
    tab.wait_for_text(r"\d+ things? to know")
    metrics = tab.page.get_by_test_id("stMetric")
    metrics.nth(3).wait_for()  # drawn by a part of the page that is loaded later
    assert [text.split() for text in metrics.all_inner_texts()] == [
        ["Records", "read", "3"], ["Loaded", "2"], ["Merged", "0"], ["Refused", "1"]
    ]  # fmt: skip
    tab.click("Use these 2 deals")
    tab.wait_for_text("2 deals from console export")
    with closing(server.workspace()) as store:
        deals = store.deals(tab.run_id())
    assert [(deal.deal_id, deal.deal_name) for deal in deals] == [
        ("0012", "Première Auto"),
        ("0047", "News"),
    ]
    tab.assert_clean()


def test_a_file_over_the_limit_is_refused_in_the_browser(
    server: Server, new_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    file = tmp_path / "large.csv"
    file.write_bytes(b"deal_id,deal_name\n" + b"A-1,Auto\n" * 3_000_000)
    tab = new_tab(server).open()
    tab.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)
    tab.wait_for_text("must be 25")
    assert tab.page.get_by_test_id("stMetric").count() == 0
    tab.assert_clean()


def test_keys_decide_but_not_while_somebody_types(fresh_server: Server, new_tab: Callable[..., Tab]) -> None:
    with closing(fresh_server.workspace()) as store:
        run_id = seed(store)
        fresh_server.start()
        tab = new_tab(fresh_server).open(f"/packages?run={run_id}")
        name = tab.page.get_by_label("Name", exact=True)
        name.click()
        name.press_sequentially(" axa")
        tab.settle()
        waiting = store.run(run_id).pending
        assert waiting == store.run(run_id).packages
        name.press("Tab")
        tab.settle()
        tab.heading("Packages").click()
        tab.page.keyboard.press("x")
        tab.wait_for_text("Saved: reject")
        assert store.run(run_id).pending == waiting - 1
        tab.assert_clean()
