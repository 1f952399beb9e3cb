"""Cells that no spreadsheet runs and no reader loses."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.exports.cells import excel_safe, neutralise, restore, table_csv

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FORMULAS = [
    "=cmd|' /C calc'!A0",
    "=1+1",
    "+SUM(A1)",
    "-2+3",
    "-1-1",
    "@SUM(1)",
    "|calc",
    "%0A",
    "\t=1",
    "\tplain",
    "\rplain",
    "\nplain",
    "  =1",
    "\u00a0=1",
    "\u200b=1",
    "\ufeff=1",
    "\x00=1",
    "\u200e\u2060 =1",
    "\uff1d1+1",  # full-width =
    "\uff0b1+1",
    "\uff0d1+A1",
    "\uff20SUM(1)",
    "'=1+1",
    "''=1",
    "+1;=2",
    "-",
    "=",
]
HARMLESS = [
    "", " ", "Sports", "a=b", "a+b", "12", "-123", "+5", "-1.5", "+1,234.50", "-10%", "0042",
    "2026-01-01", "it's", "'quoted'", "Disney+", "Low-Risk", "50%", "\u2212", "O'Neil", "\u200bplain",
]  # fmt: skip


@pytest.mark.parametrize("cell", FORMULAS)
def test_cell_that_a_spreadsheet_would_run_is_marked_as_text(cell):
    assert neutralise(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", HARMLESS)
def test_harmless_cell_stays_as_it_is(cell):
    assert neutralise(cell) == cell


@given(TEXT)
@example("=\r\n")
@example("'\t")
def test_marking_adds_one_apostrophe_or_nothing_and_leaves_no_formula(cell):
    safe = neutralise(cell)
    assert safe in (cell, f"'{cell}")
    assert not safe.startswith(("=", "@", "\t", "\r", "\n"))
    assert not (safe[:1] in ("+", "-") and set(safe) & set("=(!|+-*/;") - {safe[0]})


@given(st.one_of(TEXT, st.sampled_from(FORMULAS + HARMLESS), st.text("'=+-1 \t@%|", max_size=8)))
@example("'-5")
@example("''=1")
@example('="1"')
def test_marking_can_be_undone_for_any_text(cell):
    assert restore(neutralise(cell)) == cell


@given(TEXT)
@example('a"b')
@example("549644398148090651")
def test_excel_safe_ids_come_back(deal_id):
    assert restore(excel_safe(deal_id)) == deal_id


@pytest.mark.parametrize("cell", ["'quoted'", "'-5", "it's", '="open', "plain"])
def test_restoring_leaves_cells_that_were_never_marked(cell):
    assert restore(cell) == cell


def test_header_of_a_foreign_table_is_guarded_like_its_cells():
    data = table_csv(["=cmd()", "ok"], [["\u00ad=1", "a;=1"]]).decode()
    assert data.splitlines() == ['"\'=cmd()","ok"', '"\'\u00ad=1","a;=1"']
