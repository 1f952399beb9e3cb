"""One analyst's way from the sample to the exported file: real model, real browser, no network.

With DEALWEAVER_SCREENSHOTS=<folder> the five pages are also pictured there, light and dark.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.browser.conftest import ROOT, Server, Tab

pytestmark = pytest.mark.browser

NAME = "Journey Package"
BUILD_S = 180
PAGES = ("Deals", "Clusters", "Packages", "Export", "Settings")


def test_from_the_sample_to_the_file(server: Server, new_tab: Callable[..., Tab], tmp_path: Path) -> None:
    tab = new_tab(server).open()
    page = tab.page
    tab.click("Try the sample")
    tab.wait_for_text(r"800 deals from Sample deals are saved")
    run_id = tab.run_id()

    tab.go("Clusters")
    tab.click("Build clusters")
    watch_the_job(tab, new_tab(server), run_id)
    tab.wait_for_text(r"Build clusters: \d+ clusters from 800 deals")
    lasso(tab)
    selected = tab.wait_for_text(r"^[\d,]+ deals? selected$")
    assert int(selected.split()[0].replace(",", "")) > 0

    tab.go("Packages")
    page.get_by_role("button", name=re.compile(r"Propose for \d+ clusters")).click()
    tab.wait_for_text(r"Propose packages with Rules \(no AI\): \d+ packages", BUILD_S)
    name = page.get_by_label("Name", exact=True)
    name.fill(NAME)
    name.press("Tab")
    tab.click("Save name and reasoning")
    tab.wait_for_text(rf"Saved: rename to '{NAME}'")
    tab.settle()
    reason = page.get_by_label("Reason to approve it all the same")  # the worst package is the first
    reason.fill("Agreed with the buyer.")
    reason.press("Tab")
    tab.click("Approve with a reason")
    tab.wait_for_text(r"Saved: approve with the reason 'Agreed with the buyer\.'")

    tab.go("Export")
    tab.wait_for_text(r"1 approved package,")
    with page.expect_download() as waiting:
        tab.click("Download packages_deals.csv")
    file = tmp_path / "download.csv"
    waiting.value.save_as(file)
    assert waiting.value.suggested_filename == "Sample-deals-packages_deals.csv"
    check_file(file)

    tab.reload()
    assert tab.run_id() == run_id
    tab.wait_for_text(r"1 approved package,")
    tab.go("Packages")
    page.get_by_test_id("stButtonGroup").get_by_text("Approved 1").click()
    page.get_by_label("Name", exact=True).and_(page.locator(f'[value="{NAME}"]')).wait_for()
    tab.assert_clean()
    if folder := os.environ.get("DEALWEAVER_SCREENSHOTS"):
        take_pictures(Path(folder), server, new_tab, run_id)


def watch_the_job(tab: Tab, second: Tab, run_id: str) -> None:
    """See it go on through a reload and for a second reader, and its result appear by itself."""
    progress = tab.page.get_by_test_id("stProgress")
    progress.wait_for()
    tab.reload()
    progress.wait_for()
    second.open(f"/deals?run={run_id}").page.get_by_test_id("stProgress").wait_for()
    second.close()
    # Nobody touches the page from here on.
    tab.page.locator(".js-plotly-plot .scatterlayer .point").nth(799).wait_for(
        state="attached", timeout=BUILD_S * 1_000
    )
    progress.wait_for(state="detached")
    with closing(tab.server.workspace()) as store:
        clustering = store.clustering(run_id)
    assert clustering is not None
    tab.wait_for_text(rf"^{len(clustering.clusters)} clusters$")


def lasso(tab: Tab) -> None:
    """Draw a loop around the middle of the map."""
    tab.page.locator(".js-plotly-plot").first.scroll_into_view_if_needed()
    box = tab.page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    dx, dy = box["width"] / 4, box["height"] / 3
    mouse = tab.page.mouse
    mouse.move(x - dx, y - dy)
    mouse.down()
    for corner in ((x + dx, y - dy), (x + dx, y + dy), (x - dx, y + dy), (x - dx, y - dy)):
        mouse.move(*corner, steps=8)
    mouse.up()


def check_file(file: Path) -> None:
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (ROOT / "sample_data" / "deals.csv").open(encoding="utf-8", newline="") as stream:
        names = {row["deal_id"]: row["deal_name"] for row in csv.DictReader(stream)}
    assert rows
    assert {(row["package_name"], row["package_status"]) for row in rows} == {(NAME, "approved")}
    assert len({row["deal_id"] for row in rows}) == len(rows)
    for row in rows:
        assert row["deal_name"] == names[row["deal_id"]].strip()


def take_pictures(folder: Path, server: Server, new_tab: Callable[..., Tab], run_id: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        # The page scrolls inside the window, so a "full page" needs a window as high as the page.
        tab = new_tab(server, height=1900, color_scheme=scheme)
        for title in PAGES:
            tab.open(f"/{'' if title == 'Deals' else title.lower()}?run={run_id}")
            tab.heading(title).wait_for()
            if title == "Clusters":
                tab.page.locator(".js-plotly-plot .scatterlayer .point").nth(799).wait_for(state="attached")
            tab.page.wait_for_load_state("networkidle")  # parts of the page that are loaded later
            tab.page.wait_for_function("document.fonts.ready.then(() => true)")
            tab.page.screenshot(path=folder / f"{title.lower()}-{scheme}.png", full_page=True)
        tab.assert_clean()


def test_the_first_visit_asks_nothing_of_another_machine(server: Server, new_tab: Callable[..., Tab]) -> None:
    tab = new_tab(server).open()
    for title in PAGES:
        tab.go(title)
    assert re.search(r"/settings$", tab.page.url)
    tab.assert_clean()
