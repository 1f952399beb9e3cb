import io

import openpyxl
import pytest

from benchmarks.exports import SECTIONS, Bench, different, formula_cells, live_cells, main
from core.exports import table_csv
from core.exports.xlsx_writer import Sheet, write_workbook


def test_a_bench_holds_every_deal_and_ids_that_a_spreadsheet_takes_for_numbers():
    bench = Bench(10, 100)
    assert len(bench.sheets) == 10
    assert set(bench.written_ids) == {deal.deal_id for deal in bench.all_deals}
    assert len(bench.written_ids) > 100  # some are shared
    assert {"0042", "=1+1", "549644398148090651"} <= set(bench.written_ids)


def test_formulas_of_a_workbook_are_counted():
    book = openpyxl.Workbook()
    book.active.append(["=1+1", "text", "=A1"])
    stream = io.BytesIO()
    book.save(stream)
    assert formula_cells(stream.getvalue()) == 2
    assert formula_cells(write_workbook([Sheet("a", ["=1+1"], [["=A1"]])])) == 0


def test_cells_that_a_spreadsheet_would_run_are_counted():
    assert live_cells(b'a,b\n=1+1,-5\n"  @x","it -s"\n') == 2
    assert live_cells(table_csv(["a", "b"], [["=1+1", "-5"], ["  @x", "it -s"]])) == 0


@pytest.mark.parametrize(
    ("found", "count"), [(["a", "b"], 0), (["a", "x"], 1), (["a"], 1), (["a", "b", "c"], 1), (["b", "a"], 2)]
)
def test_ids_that_differ_are_counted(found, count):
    assert different(found, ["a", "b"]) == count


def test_a_missed_target_fails_the_run(capsys, monkeypatch):
    speed = [(title, section) for title, section in SECTIONS if title == "CPU seconds"]
    monkeypatch.setattr("benchmarks.exports.SECTIONS", tuple(speed))
    for limit, code in ((60.0, 0), (0.0, 1)):
        monkeypatch.setattr("benchmarks.exports.ALL_FILES_S", limit)
        assert main(["--packages", "20", "--deals", "200"]) == code
        assert ("NOT reached" in capsys.readouterr().out) is bool(code)


def test_small_files_come_back_as_they_were(capsys, monkeypatch):
    others = [(title, section) for title, section in SECTIONS if title != "CPU seconds"]
    monkeypatch.setattr("benchmarks.exports.SECTIONS", tuple(others))
    assert main(["--packages", "10", "--deals", "100"]) == 0
    assert "0 targets missed" in capsys.readouterr().out
