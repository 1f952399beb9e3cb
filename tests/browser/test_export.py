"""A file leaves, is edited elsewhere and comes back: real server, real browser.

With DEALWEAVER_SCREENSHOTS=<folder> the page is also pictured there, light and dark.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.clustering import Cluster, Clustering, ClusteringSettings
from core.packages import Approve
from core.reading import read_deals
from tests.browser.conftest import ROOT, Server, Tab

pytestmark = pytest.mark.browser

SAMPLE = ROOT / "sample_data" / "deals_small.json"
NAME, OTHER = "Round Trip Package", "Renamed Elsewhere"


def fill(server: Server) -> str:
    """Make a run with two approved packages; return its id."""
    deals = read_deals(SAMPLE.read_bytes(), SAMPLE.name)
    ids = [deal.deal_id for deal in deals.deals]
    cluster = Cluster("all", tuple(range(len(ids))), (1.0,) * len(ids))
    with closing(server.workspace()) as store:
        run_id = store.create_run(deals, SAMPLE.name, "Small sample")
        store.save_clustering(run_id, Clustering((cluster,), (), ClusteringSettings(min_size=1), {}))
        for name, members in ((NAME, ids[:5]), ("Other Package", ids[5:9])):
            package = store.add_package(run_id, name, members)
            store.edit_packages(run_id, {package.id: package.version}, [Approve("Of the test.")])
    return run_id


def test_a_file_leaves_and_an_edited_one_comes_back(
    server: Server, new_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    run_id = fill(server)
    tab = new_tab(server, width=1280, height=1200).open(f"/export?run={run_id}")
    page = tab.page
    tab.wait_for_text(r"2 approved packages,")
    page.get_by_role("combobox", name="File").click()
    page.get_by_role("option", name="Everything (JSON)").click()
    button = page.get_by_role("button", name="Download packages.json")
    with page.expect_download() as waiting:
        button.click()
    file = tmp_path / "packages.json"
    waiting.value.save_as(file)
    assert waiting.value.suggested_filename == "Small-sample-packages.json"

    page.get_by_text("History", exact=True).click()
    page.get_by_text("Everything that happened in this run").wait_for()
    with closing(server.workspace()) as store:
        assert store.exports(run_id)[0].checksum == hashlib.sha256(file.read_bytes()).hexdigest()

    document = json.loads(file.read_bytes())
    document["packages"][0]["package_name"] = OTHER
    taken = document["packages"][1]["deal_ids"].pop()
    file.write_text(json.dumps(document), "utf-8")
    page.get_by_text("Bring back", exact=True).click()
    page.locator('input[type="file"]').set_input_files(file)
    tab.wait_for_text(r"Accept all 2")
    grid = page.get_by_test_id("stDataFrame").first
    # The box of the first row: header and rows are 35 px high.
    grid.click(position={"x": 16, "y": 35 + 17})
    page.get_by_role("button", name="Accept 1 change").wait_for()
    take_picture(tab, "export-back")
    tab.click("Accept 1 change")
    tab.wait_for_text(r"1 change accepted from the file")
    tab.wait_for_text(r"Accept all 1")
    with closing(server.workspace()) as store:
        renamed, other = store.packages(run_id)
    assert (renamed.name, renamed.status) == (OTHER, "pending")
    assert taken in other.deal_ids
    page.get_by_text("Send out", exact=True).click()

    dark = new_tab(server, width=1280, height=1200, color_scheme="dark").open(f"/export?run={run_id}")
    for scheme, shown in (("light", tab), ("dark", dark)):
        shown.wait_for_text(r"1 approved package,")
        shown.page.get_by_role("combobox", name="File").click()
        shown.page.get_by_role("option", name="IAB Deals API").click()
        shown.wait_for_text(r"no file is written")
        take_picture(shown, f"export-checks-{scheme}")
        shown.assert_clean()


def take_picture(tab: Tab, name: str) -> None:
    if folder := os.environ.get("DEALWEAVER_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        tab.settle()
        tab.page.wait_for_load_state("networkidle")
        tab.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
