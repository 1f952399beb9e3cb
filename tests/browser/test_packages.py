"""Two clicks mend a package that should never go out; the keys decide, step, take back and make again.

With DEALWEAVER_SCREENSHOTS=<folder> every view of the page is also pictured there, light and dark.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.deals.signals import signals_of
from core.packages import Package
from core.storage import Workspace
from tests.browser.conftest import Server, Tab
from tests.browser.test_shell import seed
from tests.pages.conftest import small_deals

pytestmark = pytest.mark.browser

PLANTED = "Planted Kids Package"
# View -> a text that only it has.
VIEWS = {
    "Review": "Facts of",
    "Find deals by a brief": "Write what a campaign needs",
    "Overlap": "What each has alone",
    "Where every deal stands": "12 proposed = 0 approved",
    "Answers by cluster": "Packages by Rules",
}
# The first column holds the boxes; header and rows are 35 px high.
_BOX_X, _NAME_X, _ROW_Y = 18, 120, 35
# A grid tells its selection only after a pause.
_GRID_PAUSE_MS = 600


@dataclass
class Desk:
    """A tab on the packages of a run, and a second door to its workspace."""

    tab: Tab
    store: Workspace
    run_id: str

    def planted(self) -> Package:
        return next(item for item in self.store.packages(self.run_id) if item.name.startswith(PLANTED))

    def click_row(self, row: int, x: int = _NAME_X) -> None:
        """Click a row of the list, which is a canvas."""
        self.tab.settle()
        grid = self.tab.page.get_by_test_id("stDataFrame").first
        grid.locator("canvas").first.wait_for()
        grid.click(position={"x": x, "y": _ROW_Y * (row + 1.5)})
        self.tab.page.wait_for_timeout(_GRID_PAUSE_MS)
        self.tab.settle()

    def press(self, key: str) -> None:
        self.tab.settle()
        self.tab.heading("Packages").click()  # keys mean nothing to a box or a grid that has the focus
        self.tab.page.keyboard.press(key)


@pytest.fixture
def desk(server: Server, new_tab: Callable[..., Tab]) -> Iterator[Desk]:
    """The page on a run in which political deals stand among deals for kids."""
    about = {
        signal: [d for d in small_deals().deals if signal in signals_of(d)]
        for signal in ("KIDS", "POLITICAL")
    }
    members = [*about["KIDS"][:4], *about["POLITICAL"][:2]]
    with closing(server.workspace()) as store:
        run_id = seed(store)
        store.add_package(run_id, PLANTED, [deal.deal_id for deal in members])
        tab = new_tab(server, width=1280)
        tab.open(f"/packages?run={run_id}")
        tab.wait_for_text("1 of 12")
        # The grid and the keys are parts that are loaded later.
        tab.page.wait_for_load_state("networkidle")
        tab.page.locator('[data-testid="stDataFrame"] canvas').first.wait_for()
        yield Desk(tab.settle(), store, run_id)


def test_kids_with_political_is_found_and_mended_in_two_clicks(desk: Desk) -> None:
    desk.tab.wait_for_text(r"Error: Kids with political\.")
    desk.click_row(0)
    desk.tab.click("Remove 2 political deals")
    desk.tab.wait_for_text("Saved: remove ")
    assert len(desk.planted().deal_ids) == 4
    assert desk.tab.page.get_by_text("Kids with political").count() == 0
    desk.tab.assert_clean()


def test_the_keys_step_decide_take_back_and_make_again(desk: Desk) -> None:
    desk.press("j")
    desk.tab.wait_for_text("2 of 12")
    desk.press("k")
    desk.tab.wait_for_text("1 of 12")
    desk.press("x")
    desk.tab.wait_for_text("Saved: reject")
    assert desk.planted().status == "rejected"
    desk.press("u")
    desk.tab.wait_for_text("Undone: reject")
    assert desk.planted().status == "pending"
    desk.press("y")
    desk.tab.wait_for_text("Done again: reject")
    assert desk.planted().status == "rejected"
    desk.tab.assert_clean()


def test_a_click_opens_a_package_and_boxes_choose_several(desk: Desk) -> None:
    desk.click_row(2)
    desk.tab.wait_for_text("3 of 12")
    desk.click_row(0, _BOX_X)
    desk.click_row(1, _BOX_X)
    desk.tab.wait_for_text("2 packages selected")
    desk.tab.click("Reject 2")
    desk.tab.wait_for_text(r"Saved: reject \(2 packages\)")
    desk.tab.assert_clean()


def test_keys_decide_but_not_while_somebody_types(desk: Desk) -> None:
    before = desk.store.packages(desk.run_id)
    name = desk.tab.page.get_by_label("Name", exact=True)
    name.click()
    for delay_ms in (120, 0):  # slower and faster than the pause after which the name is checked
        name.press_sequentially(" axujky", delay=delay_ms)
        desk.tab.wait_for_text("Typed, not saved yet")
    assert name.input_value() == f"{PLANTED} axujky axujky"
    assert desk.store.packages(desk.run_id) == before
    name.press("Tab")
    desk.press("x")
    desk.tab.wait_for_text("Saved: reject")
    assert desk.planted().name == PLANTED
    assert desk.planted().status == "rejected"
    desk.tab.assert_clean()


def test_every_view_can_be_drawn_in_both_themes(desk: Desk, new_tab: Callable[..., Tab]) -> None:
    folder = os.environ.get("DEALWEAVER_SCREENSHOTS")
    dark = new_tab(desk.tab.server, color_scheme="dark").open(f"/packages?run={desk.run_id}")
    for scheme, tab in (("light", desk.tab), ("dark", dark)):
        tab.page.set_viewport_size({"width": 1280, "height": 2000})
        for view, text in VIEWS.items():
            tab.page.get_by_test_id("stButtonGroup").get_by_text(view, exact=True).click()
            tab.wait_for_text(text)
            tab.settle()
            tab.page.wait_for_load_state("networkidle")
            if folder:
                Path(folder).mkdir(parents=True, exist_ok=True)
                name = view.lower().replace(" ", "-")
                tab.page.screenshot(path=Path(folder) / f"packages-{name}-{scheme}.png", full_page=True)
        tab.assert_clean()
