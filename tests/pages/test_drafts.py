"""A file that waits to be used: what is set for one reading of one file never counts for another."""

from __future__ import annotations

import io

from openpyxl import Workbook
from streamlit.testing.v1 import AppTest

from core.storage import Workspace
from tests.pages.conftest import assert_healthy, click, open_page, said
from tests.pages.test_deals import upload

ASIDE = "(kept aside)"
READ_COLUMNS = "Read the file again with these columns"
MONDAY = b"Kennung,Titel,Mindestpreis\nQX-1,News West,2.50\nQX-2,Sport East,3.50\n"
TUESDAY = b"Titel,Mindestpreis,Kennung\nNews West,2.50,QX-1\nSport East,3.50,QX-2\n"
FLOOR = b"deal_id,garm_risk_rating\n0012,Floor\n"
WEST = [("Kennung", "Titel"), ("QX-1", "News West")]


def choose(app: AppTest, fields: dict[int, str]) -> AppTest:
    """Say in the table of columns what some of its rows are read as, as a browser sends it, and read."""
    (editor,) = app.data_editor
    rows = {row: {"Read as": field} for row, field in fields.items()}
    app.session_state[editor.key] = {"edited_rows": rows, "added_rows": [], "deleted_rows": []}
    return click(app, READ_COLUMNS)


def read_sheet(app: AppTest, name: str) -> AppTest:
    sheet = next(box for box in app.selectbox if box.label == "Sheet")
    sheet.set_value(name)
    (button,) = [button for button in app.button if button.label == "Read the file again"]
    return button.click().run()


def read_as(app: AppTest) -> dict[str, str]:
    """Return what the table of columns shows before anybody changes it."""
    (editor,) = app.data_editor
    return dict(zip(editor.value["Column"], editor.value["Read as"], strict=True))


def names_by_id(app: AppTest) -> dict[str, str | None]:
    return {deal.deal_id: deal.deal_name for deal in app.session_state["draft"].outcome.deals}


def workbook(**sheets: list[tuple[str, ...]]) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


# --- the columns ------------------------------------------------------------------------------


def test_columns_chosen_for_one_file_are_not_those_of_another_of_its_name(store: Workspace) -> None:
    app = choose(upload(open_page("deals"), "deals.csv", MONDAY), {0: "deal_id", 1: "deal_name"})
    assert names_by_id(app) == {"QX-1": "News West", "QX-2": "Sport East"}
    upload(app, "deals.csv", TUESDAY)
    assert set(read_as(app).values()) == {ASIDE}
    click(app, READ_COLUMNS)
    assert len(said(app, "error")) == 1, "nothing is chosen on the screen, so nothing holds the id"
    choose(app, {0: "deal_name", 2: "deal_id"})
    click(app, "Use these 2 deals")
    assert_healthy(app)
    (run,) = store.runs()
    saved = {deal.deal_id: deal.deal_name for deal in store.deals(run.id)}
    assert saved == {"QX-1": "News West", "QX-2": "Sport East"}


def test_what_the_table_of_columns_shows_is_what_reading_again_applies() -> None:
    app = choose(upload(open_page("deals"), "deals.csv", MONDAY), {0: "deal_id", 1: "deal_name"})
    shown = {"Kennung": "deal_id", "Titel": "deal_name", "Mindestpreis": ASIDE}
    assert read_as(app) == shown
    click(app, READ_COLUMNS)
    assert read_as(app) == shown
    assert names_by_id(app) == {"QX-1": "News West", "QX-2": "Sport East"}


def test_columns_chosen_without_an_id_stay_chosen() -> None:
    app = choose(upload(open_page("deals"), "deals.csv", MONDAY), {1: "deal_name"})
    assert len(said(app, "error")) == 1
    assert read_as(app) == {"Kennung": ASIDE, "Titel": "deal_name", "Mindestpreis": ASIDE}
    choose(app, {0: "deal_id"})
    assert names_by_id(app) == {"QX-1": "News West", "QX-2": "Sport East"}


def test_columns_of_another_sheet_keep_their_fields_by_name_and_not_by_place() -> None:
    east = [("Titel", "Kennung"), ("Sport East", "QX-2")]
    app = upload(open_page("deals"), "deals.xlsx", workbook(West=WEST, East=east))
    choose(app, {0: "deal_id", 1: "deal_name"})
    read_sheet(app, "East")
    assert read_as(app) == {"Titel": "deal_name", "Kennung": "deal_id"}
    click(app, READ_COLUMNS)
    assert_healthy(app)
    assert names_by_id(app) == {"QX-2": "Sport East"}


def test_columns_chosen_for_one_sheet_do_not_count_on_a_sheet_of_other_columns() -> None:
    prices = [("deal_id", "Kennung"), ("QX-9", "EUR")]
    app = upload(open_page("deals"), "deals.xlsx", workbook(West=WEST, Prices=prices))
    read_sheet(app, "West")
    choose(app, {0: "deal_id", 1: "deal_name"})
    assert names_by_id(app) == {"QX-1": "News West"}
    read_sheet(app, "Prices")
    assert_healthy(app)
    assert names_by_id(app) == {"QX-9": None}
    assert read_as(app) == {"deal_id": "deal_id", "Kennung": ASIDE}
    assert said(app, "success")[0].startswith("The columns are others now")


# --- the other switches -----------------------------------------------------------------------


def test_the_floor_switch_of_one_file_is_not_that_of_another_of_its_name() -> None:
    app = upload(open_page("deals"), "deals.csv", FLOOR)
    app.toggle[0].set_value(True).run()
    upload(app, "deals.csv", FLOOR + b"0013,Low\n")
    assert_healthy(app)
    assert app.toggle[0].value is False
    assert app.session_state["draft"].outcome.deals[0].safety.garm_risk_rating == "Floor"


def test_the_same_bytes_loaded_once_more_are_read_as_at_first() -> None:
    app = upload(open_page("deals"), "deals.csv", FLOOR)
    app.toggle[0].set_value(True).run()
    upload(app, "again.csv", FLOOR)
    assert app.toggle[0].value is False
    assert app.session_state["draft"].outcome.deals[0].safety.garm_risk_rating == "Floor"


def test_a_header_line_that_could_not_be_read_is_not_offered_for_the_next_file() -> None:
    app = upload(open_page("deals"), "deals.csv", FLOOR)
    app.number_input[0].set_value(99)
    (button,) = [button for button in app.button if button.label == "Read the file again"]
    button.click().run()
    assert len(said(app, "error")) == 1
    assert app.number_input[0].value == 99, "so that it can be corrected"
    upload(app, "deals.csv", FLOOR + b"0013,Low\n")
    assert app.number_input[0].value == 1


def test_a_click_on_a_draft_that_is_replaced_meanwhile_changes_nothing(loaded: str) -> None:
    app = upload(open_page("deals", loaded), "deals.csv", FLOOR)
    # Both reach the server at once: the tab was still drawing the first file when its switch was clicked.
    app.toggle[0].set_value(True)
    upload(app, "deals.csv", FLOOR.replace(b"0012", b"0099"))
    assert_healthy(app)
    assert list(names_by_id(app)) == ["0099"]
    assert app.toggle[0].value is False
