"""Two files of one name, one after the other: the table of columns forgets what the first was told."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.browser.conftest import Server, Tab

pytestmark = pytest.mark.browser

MONDAY = b"Kennung,Titel,Mindestpreis\nQX-1,News West,2.50\nQX-2,Sport East,3.50\n"
TUESDAY = b"Titel,Mindestpreis,Kennung\nNews West,2.50,QX-1\nSport East,3.50,QX-2\n"
ROW_PX = 35


def upload(tab: Tab, data: bytes) -> None:
    file = {"name": "deals.csv", "mimeType": "text/csv", "buffer": data}
    tab.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file)


def choose(tab: Tab, row: int, field: str) -> None:
    """Choose what a column is read as.

    The grid is a canvas; a table for screen readers, which follows it, says when a key can be pressed.
    """
    table = tab.page.get_by_role("region", name="Table of source columns")
    wait_for_cell(tab, row, "(kept aside)")
    table.click(position={"x": ROW_PX, "y": ROW_PX * (1 + row) + ROW_PX // 2})
    tab.page.locator(f"#glide-cell-0-{row}[aria-selected=true]").wait_for(state="attached")
    tab.page.keyboard.press("ArrowRight")
    tab.page.locator(f"#glide-cell-1-{row}[aria-selected=true]").wait_for(state="attached")
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("option", name=field, exact=True).wait_for()
    tab.page.keyboard.type(field)
    tab.page.get_by_role("option").nth(1).wait_for(state="detached")  # the list is cut down to what is typed
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("listbox").wait_for(state="detached")
    wait_for_cell(tab, row, field)


def wait_for_cell(tab: Tab, row: int, text: str) -> None:
    tab.page.get_by_test_id(f"glide-cell-1-{row}").filter(has_text=text).wait_for(state="attached")


def read_again(tab: Tab) -> None:
    """Read with the columns on the screen, and wait until another table stands there, or none."""
    shown = tab.page.locator("[class*=st-key-mapping_editor_]").get_attribute("class") or ""
    (key,) = re.findall(r"st-key-mapping_editor_\S+", shown)
    tab.click("Read the file again with these columns")
    tab.page.locator(f".{key}").wait_for(state="hidden")
    tab.settle()


def test_columns_chosen_for_one_file_are_not_those_of_another_of_its_name(
    server: Server, new_tab: Callable[..., Tab]
) -> None:
    tab = new_tab(server).open()
    use = tab.page.get_by_role("button", name="Use these 2 deals")
    upload(tab, MONDAY)
    choose(tab, 0, "deal_id")
    choose(tab, 1, "deal_name")
    read_again(tab)
    use.wait_for()

    upload(tab, TUESDAY)
    tab.wait_for_text("none of its columns is known")
    for row in range(3):
        wait_for_cell(tab, row, "(kept aside)")
    read_again(tab)
    assert use.count() == 0, "nothing is chosen on the screen, so nothing holds the id"
    choose(tab, 2, "deal_id")
    read_again(tab)
    use.click()
    tab.wait_for_text("2 deals from deals.csv are saved")
    with closing(server.workspace()) as store:
        assert [deal.deal_id for deal in store.deals(tab.run_id())] == ["QX-1", "QX-2"]
    tab.assert_clean()
