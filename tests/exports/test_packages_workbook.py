"""The workbook as other programs open it: text stays text, and nothing is a formula."""

import io
from dataclasses import replace
from decimal import Decimal

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.coverage import DealState
from core.deals import Deal
from core.exports import RunLog, workbook_xlsx
from core.exports.xlsx_writer import Sheet, write_workbook
from core.reading.grid import TableOptions
from core.reading.tables import read_table
from tests.exports.sheets import ABOUT, APPROVED, PACKAGE, sheet_of_deals, sheets
from tests.exports.test_cells import FORMULAS
from tests.exports.test_tabular import DEAL_COLUMNS, FACT_COLUMNS, PACKAGE_COLUMNS

LOG = RunLog(
    (DealState("0042", "packaged", "Sports Package"),),
    ({"at": "2026-03-01T10:00:00Z", "who": "Ada", "what": "Approve", "package_id": "pkg-1"},),
)


def opened(data):
    return openpyxl.load_workbook(io.BytesIO(data))


def values(sheet):
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_every_part_has_its_sheet_with_documented_columns_and_a_frozen_header():
    book = opened(workbook_xlsx(sheets(APPROVED), ABOUT, LOG))
    assert book.sheetnames == ["packages", "deals", "facts", "ledger", "audit", "settings"]
    headers = {sheet.title: values(sheet)[0] for sheet in book}
    assert headers["deals"] == PACKAGE_COLUMNS + DEAL_COLUMNS
    assert headers["facts"] == ["package_id", "package_name", *FACT_COLUMNS]
    assert headers["packages"][:9] == [*PACKAGE_COLUMNS, "deal_count", "deal_ids", "reasoning"]
    assert {sheet.freeze_panes for sheet in book} == {"A2"}
    assert all(sheet.column_dimensions["A"].width >= 8 for sheet in book)
    assert values(book["ledger"]) == [["deal_id", "status", "reason"], ["0042", "packaged", "Sports Package"]]
    assert values(book["audit"])[1] == ["2026-03-01T10:00:00Z", "Ada", "Approve", "pkg-1"]
    told = dict(values(book["settings"])[1:])
    assert told["coverage.packaged"] == 2
    assert told["settings.keep_apart"] == '["ssp"]'
    assert told["prompt_hash"] == "0123456789abcdef"


def test_ids_are_text_and_identical_in_openpyxl_and_pandas():
    ids = ("0042", "999888777666555444", "1e5", "-123", "NA", "true", "=1+1", "2026-01-01")
    data = workbook_xlsx([sheet_of_deals(*map(Deal, ids))], ABOUT)
    column = [*PACKAGE_COLUMNS, *DEAL_COLUMNS].index("deal_id")
    cells = [row[column] for row in opened(data)["deals"].iter_rows(min_row=2)]
    assert [(cell.value, cell.data_type) for cell in cells] == [(deal_id, "s") for deal_id in ids]
    frame = pd.read_excel(io.BytesIO(data), sheet_name="deals", keep_default_na=False)
    assert tuple(frame["deal_id"]) == ids


def test_counts_and_floors_are_numbers():
    rows = values(opened(workbook_xlsx(sheets(APPROVED), ABOUT))["deals"])
    found = dict(zip(rows[0], rows[1], strict=True))
    assert (found["floor_price"], found["scale"], found["package_version"]) == (5.5, 27_000_000, 3)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text):
    book = opened(write_workbook([Sheet("a", [text or "x"], [[text]])]))
    cells = [cell for row in book["a"].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n"}
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert {cell.number_format for cell in cells} == {"@"}  # editing it in Excel does not make it one either


def test_the_same_content_gives_the_same_bytes():
    assert workbook_xlsx(sheets(PACKAGE), ABOUT, LOG) == workbook_xlsx(sheets(PACKAGE), ABOUT, LOG)


def test_a_text_too_long_for_a_cell_is_written_whole_on_a_sheet_of_its_own():
    text = "".join(f"{number:05}" for number in range(14_000))
    book = opened(workbook_xlsx(sheets(replace(PACKAGE, reasoning=text)), ABOUT))
    cell = next(row[8] for row in values(book["packages"])[1:])
    assert cell == "70,000 characters, more than a cell holds: see the sheet 'long texts', rows 2-4."
    header, *parts = values(book["long texts"])
    assert header == ["sheet", "row", "column", "part", "text"]
    assert [part[:4] for part in parts] == [["packages", 2, "reasoning", number] for number in (1, 2, 3)]
    assert "".join(part[4] for part in parts) == text


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=4))
def test_our_own_reader_gets_every_text_back(texts):
    """Through the notation of XLSX for what XML cannot hold, which openpyxl leaves as it is."""
    rows = [["id", *texts], ["id2", *texts]]
    header = ["deal_id", *(f"c{number}" for number in range(len(texts)))]
    table = read_table(write_workbook([Sheet("a", header, rows)]), "a.xlsx", TableOptions(header_line=1))
    assert len(table.rows) == len(rows)
    for found, row in zip(table.rows, rows, strict=True):
        # A column without any text may be left out.
        cells = {**dict.fromkeys(header, ""), **dict(zip(table.columns, found, strict=True))}
        assert [cells[name] for name in header] == row


@pytest.mark.parametrize(
    ("cell", "value"),
    [(None, None), ("", None), (True, "True"), (Decimal("5.50"), 5.5), (0, 0), (2**62, 2**62)],
)
def test_cells_of_each_kind(cell, value):
    assert values(opened(write_workbook([Sheet("a", ["x", "y"], [[cell, "end"]])]))["a"])[1][0] == value


def test_columns_beyond_z_keep_their_place():
    header = [f"c{number}" for number in range(60)]
    assert values(opened(write_workbook([Sheet("a", header, [list(range(60))])]))["a"])[1] == list(range(60))
