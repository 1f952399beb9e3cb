"""What only a real server and a real browser show: cold links, reloads, uploads, a killed process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from core.storage import Workspace
from core.work.tasks import MAP, VECTORS
from tests.browser.conftest import Server, Tab
from tests.pages.conftest import small_clustering, small_deals, small_outcomes, small_vectors

pytestmark = pytest.mark.browser

UGLY = (
    "Deal ID;Deal Name;Format;Floor Price;Currency\r\n"
    "0012;Première Auto;ctv;5,5O;EUR\r\n"
    ";Nameless;display;1,00;EUR\r\n"
    "0047;News;video;7,25;EUR\r\n"
).encode("cp1252")


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
    tab.settle()
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
