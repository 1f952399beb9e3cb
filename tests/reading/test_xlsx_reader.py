import datetime as dt
import io

import openpyxl
import pytest

from core.errors import ImportRefused
from core.reading import xlsx_reader
from core.reading.tables import TableOptions, read_table
from core.reading.xlsx_reader import number_text
from tests.reading import bombs, golden

HEADER = ("deal_id", "deal_name", "floor_price")


def saved(book) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def sheet_of(*rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    return book, book.active


def read(book, **options):
    return read_table(saved(book), "deals.xlsx", TableOptions(**options))


@pytest.mark.parametrize("case", golden.binary_cases(), ids=lambda case: case.name)
def test_golden_case_gives_every_cell(case):
    found = read_table(case.data, "f")
    right, expected = golden.cells_right(case, found.columns, found.rows)
    assert right == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (549644398148090, "549644398148090"),
        (12, "12"),
        (4.35, "4.35"),
        (0.1 + 0.2, "0.3"),
        (1e-7, "0.0000001"),
        (-2.5, "-2.5"),
        (True, "true"),
        (False, "false"),
        (dt.datetime(2026, 11, 30), "2026-11-30"),
        (dt.datetime(2026, 11, 30, 10, 5), "2026-11-30T10:05:00"),
        (dt.date(1900, 1, 1), "1900-01-01"),
        (dt.time(10, 5), "10:05:00"),
        ("0012", "0012"),
        ("a\nb", "a\nb"),
        ("'=1+1", "'=1+1"),
    ],
)
def test_value_becomes_the_text_an_analyst_sees(value, text):
    book, _ = sheet_of(HEADER, ("A1", value, None))
    found = read(book)
    assert found.rows == (("A1", text, ""),)
    assert found.repairs == ()


def test_dates_count_from_1904_where_the_workbook_says_so():
    book, _ = sheet_of(HEADER, ("A1", dt.datetime(2026, 11, 30), 1))
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    assert read(book).rows[0][1] == "2026-11-30"


def test_leading_zeros_of_a_number_format_are_kept():
    book, sheet = sheet_of(HEADER, (12, "x", 1))
    sheet["A2"].number_format = "00000"
    assert read(book).rows[0][0] == "00012"


def test_digits_that_stand_in_the_file_are_exact():
    row = '<row><c t="inlineStr"><is><t>{}</t></is></c><c><v>{}</v></c></row>'
    rows = row.format("deal_name", 1) + row.format("x", 549644398148090651)
    found = read_table(bombs.with_sheet(f"<worksheet><sheetData>{rows}</sheetData></worksheet>"), "f")
    assert found.rows[-1] == ("x", "549644398148090651")
    assert len(found.repairs) <= 2


def test_number_beyond_15_digits_is_told():
    book, _ = sheet_of(HEADER, (5.49644398148090651e17, "x", 1))
    found = read(book)
    assert found.rows[0][0].startswith("549644398148090")
    assert found.repairs[0].startswith("1 cells (first: A2) hold numbers of 15 digits or more")


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("4.3499999999999996", "4.35"),
        ("1E5", "100000"),
        ("5.4964439814809101E+17", "549644398148091010"),
        ("-0.5", "-0.5"),
        ("x", None),
        ("NaN", None),
        ("1E999999", None),
    ],
)
def test_stored_number_is_shown_as_excel_shows_it(stored, text):
    assert number_text(stored) == text


def test_formula_without_a_result_is_told():
    book, _ = sheet_of(HEADER, ("A1", "=1+1", 2))
    found = read(book)
    assert found.rows == (("A1", "", "2"),)
    assert found.repairs[0].startswith("1 cells (first: B2) hold formulas without a saved result")


def test_merged_cells_and_hidden_rows_are_told():
    book, sheet = sheet_of(HEADER, ("A1", "x", 1), ("A2", None, 2))
    sheet.merge_cells("B2:B3")
    sheet.row_dimensions[3].hidden = True
    found = read(book)
    assert found.rows == (("A1", "x", "1"), ("A2", "", "2"))
    assert found.repairs == (
        "1 merged ranges (first: B2:B3); only their first cell holds the value.",
        "1 hidden rows of sheet 'Sheet' were read as well.",
    )


def test_sheet_with_most_known_names_is_read_and_the_others_are_named():
    book, _ = sheet_of(("Notes", "of", "the", "week"), ("a", "b", "c", "d"))
    deals = book.create_sheet("Deals")
    deals.append(HEADER)
    deals.append(("A1", "x", 1))
    found = read(book)
    assert found.rows == (("A1", "x", "1"),)
    assert found.repairs == ("Sheet 'Deals' was read; not read: 'Sheet'.",)
    assert (found.source.sheet, found.source.sheets) == ("Deals", ("Sheet", "Deals"))


def test_analyst_may_name_the_sheet_and_the_header_row():
    book, _ = sheet_of(("x", "y"), ("deal", "title"), ("A1", "one"))
    book.create_sheet("Deals").append(HEADER)
    found = read(book, sheet="Sheet", header_line=2)
    assert found.columns == ("deal", "title")
    assert found.lines == (3,)
    with pytest.raises(ImportRefused, match="has no sheet 'Z': choose one of 'Sheet', 'Deals'"):
        read(book, sheet="Z")
    book.create_sheet("Empty")
    with pytest.raises(ImportRefused, match="holds nothing in sheet 'Empty'"):
        read(book, sheet="Empty")


def test_rows_keep_the_numbers_of_the_sheet():
    book, sheet = sheet_of(HEADER)
    sheet["A7"] = "A1"
    assert read(book).lines == (7,)


def test_shared_strings_are_read_without_their_reading_aids():
    cells = "".join(
        f'<row r="{row}"><c r="A{row}" t="s"><v>{row - 1}</v></c><c r="B{row}" t="s"><v>0</v></c></row>'
        for row in (1, 2, 3)
    )
    data = bombs.with_sheet(f"<x:worksheet xmlns:x='x'><sheetData>{cells}</sheetData></x:worksheet>")
    strings = (
        "<sst><si><t>deal_id</t></si><si><r><t>A</t></r><r><t xml:space='preserve"
        "'> 1</t></r><rPh><t>aside</t></rPh></si><si><t>a_x000D_b_x005F_</t></si></sst>"
    )
    found = read_table(bombs.add_part(data, "xl/sharedStrings.xml", strings), "f")
    assert [row[0] for row in found.rows] == ["A 1", "a\rb_"]


def test_cells_without_a_place_stand_next_to_each_other():
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
    rows = "".join(
        "<row>" + "".join(map(cell.format, row)) + "</row>" for row in (("deal_id", "deal_name"), ("A1", "x"))
    )
    found = read_table(bombs.with_sheet(f"<worksheet><sheetData>{rows}</sheetData></worksheet>"), "f")
    assert found.rows == (("A1", "x"),)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bombs.far_cell(), "has a value in cell XFD1048576, beyond the 512 columns"),
        (bombs.entity_expansion(), "declares a document type in xl/worksheets/sheet2.xml"),
        (bombs.truncated_workbook(), "is a damaged workbook (File is not a zip file)"),
        (bombs.broken_workbook(), "is a damaged workbook (Bad CRC-32"),
        (bombs.archive({"a.txt": "x"}), "is an archive but no XLSX workbook"),
        (bombs.archive({"xl/workbook.bin": "x"}), "is a binary workbook (XLSB)"),
        (
            bombs.with_sheet("<worksheet><sheetData><row>"),
            "is a damaged workbook (sheet2.xml: no element found",
        ),
        (bombs.with_sheet(""), "is a damaged workbook (sheet2.xml: no element found"),
        (b"\xd0\xcf\x11\xe0rest", "is an old or password-protected workbook"),
    ],
    ids=["far", "entity", "cut", "flipped", "archive", "binary", "open", "void", "old"],
)
def test_workbook_that_cannot_be_read_is_refused_with_a_reason(data, reason):
    with pytest.raises(ImportRefused) as caught:
        read_table(data, "f.xlsx")
    assert caught.value.reason.startswith(reason)


def test_too_many_rows_and_too_much_text_are_refused(monkeypatch):
    book, _ = sheet_of(HEADER, *(("A", "name", 1) for _ in range(40)))
    monkeypatch.setattr(xlsx_reader, "MAX_ROWS", 10)
    with pytest.raises(ImportRefused, match="has more than"):
        read(book)
    monkeypatch.setattr(xlsx_reader, "MAX_ROWS", 100)
    monkeypatch.setattr(xlsx_reader, "MAX_TABLE_CHARS", 100)
    with pytest.raises(ImportRefused, match="unfolds to more than"):
        read(book)
    monkeypatch.setattr(xlsx_reader, "MAX_CELL_CHARS", 3)
    with pytest.raises(ImportRefused, match="has 7 characters in cell A1, more than 3"):
        read(book)
