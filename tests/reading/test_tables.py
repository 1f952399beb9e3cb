"""Delimited text, header and widths; the other formats have their own files."""

import codecs
import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import ImportRefused
from core.reading import delimited, header
from core.reading.delimited import _Tolerant, read_delimited
from core.reading.dialect import Dialect, find_dialect
from core.reading.encoding import decode_bytes
from core.reading.tables import TableOptions, decode, read_table
from core.settings import MAX_COLUMNS, MAX_JOINED_LINES, MAX_LISTED_REPAIRS
from tests.reading import bombs, golden

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))
NO_TEXT = "is not a text file: export the deals as CSV, TSV, XLSX, JSON or JSON Lines."


def table(text: str, **options):
    return read_table(text.encode(), "f", TableOptions(**options))


def refusal(data: bytes, **options) -> str:
    with pytest.raises(ImportRefused) as caught:
        read_table(data, "deals.csv", TableOptions(**options))
    assert caught.value.filename == "deals.csv"
    assert str(caught.value) == f"deals.csv: {caught.value.reason}"
    return caught.value.reason


# --- encoding ---


@pytest.mark.parametrize(
    "data",
    [
        "Käse,€".encode(),
        codecs.BOM_UTF8 + "Käse,€".encode(),
        codecs.BOM_UTF16_LE + "Käse,€".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Käse,€".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "Käse,€".encode("utf-32-le"),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16 le", "utf-16 be", "utf-32"],
)
def test_unicode_is_read_with_or_without_a_byte_order_mark(data):
    assert decode(data, "f") == ("Käse,€", [])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_by_its_nuls(encoding):
    written = "deal_id,name\nA1,Käse €\n"
    text, notes = decode(written.encode(encoding), "f")
    assert text == written
    assert notes == [f"The file has no byte order mark; read as {encoding}."]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1252", "Señal de fútbol,Televisión Española"),
        ("cp1252", "São Paulo \u2013 Não,Notícias e crianças"),
        ("cp1252", "Blåbær øl på kærlighed,Göteborg"),
        ("cp1252", "Café crème \u2013 Être naïf,5 €"),
        ("cp1252", "Premium CTV Niño,x"),
        ("cp1252", "München Über Größe,x"),
        ("cp1250", "Zażółć gęślą jaźń wiadomości,Żywność i zdrowie"),
        ("cp1251", "Новости спорта и погода,Автомобили премиум класса"),
        ("gb18030", "优质视频广告,体育新闻频道\nA2,汽车和旅游,电视"),
        ("cp932", "プレミアム動画広告,スポーツニュース\nA2,自動車と旅行,テレビ"),
    ],
)
def test_other_text_is_read_and_the_assumption_is_told(encoding, names):
    written = f"deal_id,deal_name,publishers\nA1,{names}\n"
    text, notes = decode(written.encode(encoding), "f")
    assert text == written
    assert notes == [f"The file is not UTF-8; read as {encoding}."]


def test_foreign_bytes_in_utf_8_are_mended_where_they_stand():
    data = "Käse Größe".encode() + "é".encode("cp1252")
    decoded = decode_bytes(data, "f")
    assert decoded.text == "Käse Größeé"
    assert decoded.notes == ("1 places of the file are not UTF-8; there it is read as cp1252.",)


def test_analyst_may_name_the_encoding():
    data = "deal_id,name\nA1,Käse\n".encode("cp437")
    found = read_table(data, "f", TableOptions(encoding="cp437"))
    assert found.rows == (("A1", "Käse"),)
    assert found.source.encoding == "cp437"
    assert "no known text encoding: choose another" in refusal(data, encoding="klingon")


def test_single_nuls_are_left_out_and_told():
    text, notes = decode(b"deal_id,name\n" + b"A1,one\n" * 50 + b"A2,t\0wo\n", "f")
    assert text.endswith("A2,two\n")
    assert notes == ["1 NUL characters were left out."]


@pytest.mark.parametrize("data", [PNG, b"a,b\0c", b"\x01\x02\xff" * 50])
def test_bytes_that_are_no_text_are_refused(data):
    with pytest.raises(ImportRefused, match="is not a text file: export the deals as CSV"):
        decode(data, "f")


def test_text_that_breaks_its_own_encoding_is_refused():
    with pytest.raises(ImportRefused, match="does not stay so: save it as UTF-8"):
        decode(codecs.BOM_UTF16_LE + b"\x00", "f")


# --- delimiters and rows ---


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_end_are_found_in_the_content(mark, end):
    lines = [["deal_id", "name"], ["A1", "one"], ["A2", "two"]]
    found = table(end.join(mark.join(line) for line in lines))
    assert found.columns == ("deal_id", "name")
    assert found.rows == (("A1", "one"), ("A2", "two"))
    assert found.lines == (2, 3)
    assert found.repairs == ()
    assert (found.source.delimiter, found.source.encoding, found.source.header_line) == (mark, "utf-8", 1)
    assert found.source.format == ("tsv" if mark == "\t" else "csv")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("deal_id;floor\nA1;1,50\nA2;2,50\n", ("deal_id", "floor")),
        ("deal_id,concepts\nA1,a|b|c\nA2,d|e|f\n", ("deal_id", "concepts")),
        ("colour,shapes\nred,a|b|c\n" + "blue,d|e|f\n" * 30, ("colour", "shapes")),
        ("deal_id\nA1\nA2\n", ("deal_id",)),
        ("deal name\nA one\nA two\n", ("deal name",)),
        ("colour shape size\nred round 1\nblue square 2\n", ("colour", "shape", "size")),
    ],
    ids=["decimal commas", "lists in a cell", "lists, unknown names", "one column", "words", "spaces"],
)
def test_other_marks_inside_cells_do_not_mislead(text, columns):
    found = table(text)
    assert found.columns == columns
    assert {len(row) for row in found.rows} == {len(columns)}


def test_analyst_may_name_the_delimiter():
    found = table("deal_id,a;name,b\nA,1;x,y\n", delimiter=";")
    assert found.columns == ("deal_id,a", "name,b")
    assert found.rows == (("A,1", "x,y"),)
    assert "choose one character between cells" in refusal(b"a,b\n1,2\n", delimiter="||")


def test_first_line_may_name_the_delimiter():
    found = table("sep=;\ndeal_id;name\nA,1;x,y\n")
    assert found.rows == (("A,1", "x,y"),)
    assert found.lines == (3,)


def test_blank_lines_are_passed_over_and_lines_keep_their_number():
    found = table("\n" * 60 + "deal_id,name\n\n,\nA1,one\n")
    assert found.rows == (("A1", "one"),)
    assert found.lines == (64,)


def test_quoted_cell_may_hold_delimiters_quotes_and_line_breaks():
    found = table('deal_id,name\nA1,"one, ""two""\r\nthree"\nA2,x\n')
    assert found.rows == (("A1", 'one, "two"\r\nthree'), ("A2", "x"))
    assert found.lines == (2, 4)


def test_cells_are_never_typed():
    row = ("0012", "1E5", "NA", "549644398148090651", "true", " x ")
    assert table("a,b,c,d,e,f\n" + ",".join(row)).rows == (row,)


def test_apostrophes_are_no_quotes():
    text = "deal_id,name\nA1,'tis the season\nA2,'=1+1\nA3,O'Brien's\n"
    assert [row[1] for row in table(text).rows] == ["'tis the season", "'=1+1", "O'Brien's"]


def test_backslashes_are_text_where_they_escape_nothing():
    text = 'deal_id,path,more\nA1,C:\\new,"a ""b"""\nA2,"C:\\dir\\",x\n'
    assert table(text).rows == (("A1", "C:\\new", 'a "b"'), ("A2", "C:\\dir\\", "x"))


# --- broken quotes ---


def test_open_quote_costs_one_line_and_is_told():
    found = table('deal_id,name,floor\nA1,x,1\nA2,"open,2\nA3,y,3\n')
    assert found.rows == (("A1", "x", "1"), ("A2", "open", "2"), ("A3", "y", "3"))
    assert found.repairs == (
        "Line 3: the quote that opens value 2 never closes; it is left out. Check the quotes.",
    )


def test_two_stray_quotes_do_not_swallow_the_rows_between():
    rows = [f"A{n},name {n},1" for n in range(30)]
    rows[5], rows[20] = 'A5,"name 5,1', 'A20,name 20",1'
    found = table("deal_id,name,floor\n" + "\n".join(rows))
    assert [row[0] for row in found.rows] == [f"A{n}" for n in range(30)]
    assert found.rows[5] == ("A5", "name 5", "1")


def test_quotes_inside_a_cell_stay_text():
    found = table('deal_id,name,floor\nA1,"the "best" one, ever",1\nA2,15" spots,2\nA3,"x" ,3\n')
    assert [row[1] for row in found.rows] == ['the "best" one, ever', '15" spots', "x"]


def test_multi_line_cell_survives_broken_quotes_elsewhere():
    found = table('deal_id,name,floor\nA1,"one\ntwo",1\nA2,"open,2\nA3,y,3\n')
    assert found.rows == (("A1", "one\ntwo", "1"), ("A2", "open", "2"), ("A3", "y", "3"))


def test_open_quote_reaches_no_further_than_the_limit():
    inner = "word\n" * (MAX_JOINED_LINES + 5)
    found = table(f'deal_id,name,floor\nA1,"{inner}",1\nA2,"open,2\n')
    assert ("A2", "open", "2") in found.rows
    assert len(found.rows) > MAX_JOINED_LINES


def test_row_with_another_delimiter_is_split_and_told():
    found = table("deal_id,name,floor\nA1,x,1\nA2;y;2\nA3,z,3\n")
    assert found.rows[1] == ("A2", "y", "2")
    assert found.repairs[0].startswith("Line 3: the values are not separated by ',' alone")


def test_every_row_survives_one_open_quote():
    found = read_table(bombs.harmless_open_quote(), "f")
    assert found.rows == tuple((f"D{n}", f"name {n}") for n in range(2_000))


@pytest.mark.parametrize("line", ['D1,"a "b, "c",\n"d,""e" ,"f\n', 'D1,"x,2\n', '"a\n"b,\n', '"",",\n'])
def test_work_grows_with_the_text_alone(line, monkeypatch):
    monkeypatch.setattr(delimited, "_SPARE_WORK", 0)
    monkeypatch.setattr(delimited, "MAX_BROKEN_QUOTES", 10**9)
    work = []
    for size in (20_000, 80_000):
        text = line * (size // len(line))
        reader = _Tolerant(text, Dialect(","), "f")
        reader.read()
        assert reader.work <= reader.budget == len(text)
        work.append(reader.work)
    assert work[1] <= 4.5 * max(work[0], 1_000)


def test_file_of_broken_quotes_is_refused(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_BROKEN_QUOTES", 10)
    reason = refusal(b"deal_id,name,floor\n" + b'A1,"x,2\n' * 20)
    assert reason.startswith("has broken quotes in more than 10 lines")


# --- header ---


def test_lines_above_the_header_are_named_and_left_out():
    found = table("Query,status = active\nCreated 2026\n\ndeal_id,name,floor\nA1,x,1\n")
    assert found.columns == ("deal_id", "name", "floor")
    assert found.rows == (("A1", "x", "1"),)
    assert found.source.header_line == 4
    assert found.repairs[0] == (
        "Line 1 stands above the column names and is no deal; it is left out: 'Query | status = active'."
    )


def test_repeated_header_is_left_out_and_told():
    found = table("deal_id,name\nA1,x\ndeal_id,name\nA2,y\n")
    assert found.rows == (("A1", "x"), ("A2", "y"))
    assert found.lines == (2, 4)
    assert found.repairs == ("The column names stand in the file again (line 3); left out 1 times.",)


@pytest.mark.parametrize(
    ("text", "columns", "first"),
    [
        ("Deal,Deal,Floor\nID,Name,Price\nA1,x,1\nA2,y,2\n", ("Deal ID", "Deal Name", "Floor Price"), "A1"),
        ("Deal,,Money\ndeal_id,name,floor\nA1,x,1\nA2,y,2\n", ("deal_id", "name", "floor"), "A1"),
        (
            "shape,weight,height\nof it,in kg,in m\n" + "round,1.5,2.5\n" * 9,
            ("shape of it", "weight in kg", "height in m"),
            "round",
        ),
    ],
    ids=["names of two rows", "groups above", "unknown names"],
)
def test_header_of_several_rows(text, columns, first):
    found = table(text)
    assert found.columns == columns
    assert found.rows[0][0] == first


@pytest.mark.parametrize(
    "text",
    ["A1,Premium,2.50,2026-01-01\nA2,Basic,3.50,2026-02-01\n", "red,round,7\nred,square,8\nred,round,9\n"],
)
def test_file_without_a_header_keeps_its_first_row(text):
    found = table(text)
    assert len(found.rows) == text.count("\n")
    assert found.columns[0] == "column_1"
    assert found.source.header_line == 0
    assert found.repairs == ("No row names the columns; they are numbered. Name them in the mapping.",)


def test_analyst_may_name_the_header_line():
    text = "a,b,c\nd,e,f\ng,h,i\n"
    assert table(text, header_line=2).columns == ("d", "e", "f")
    assert len(table(text, header_line=0).rows) == 3
    assert "has no record that starts at line 9" in refusal(text.encode(), header_line=9)


# --- widths and names ---


def test_short_row_is_filled_with_unknown_and_told():
    found = table("a,b,c\n1\n1,2,3\n")
    assert found.rows == (("1", "", ""), ("1", "2", "3"))
    assert found.repairs == ("Line 2: 1 values for 3 columns; missing values are unknown.",)


def test_long_row_keeps_its_data_in_extra_columns_and_is_told():
    found = table("a,b\n1,2,3,4\n5,6\n")
    assert found.columns == ("a", "b", "_extra_1", "_extra_2")
    assert found.rows == (("1", "2", "3", "4"), ("5", "6", "", ""))
    assert found.repairs == ("Line 2: 4 values for 2 columns; the rest is kept in _extra columns.",)


def test_superfluous_empty_value_goes_where_it_harms_nothing():
    rows = "".join(f"A{n},name {n},{n}.5,USD,2026-01-0{n}\n" for n in range(1, 9))
    found = table(f"deal_id,deal_name,Qty,currency,start\n{rows}A9,name 9,9.5,,USD,2026-01-09\n")
    assert found.rows[-1] == ("A9", "name 9", "9.5", "USD", "2026-01-09", "")
    assert found.repairs == (
        "Line 10: 6 values for 5 columns; extra '' after 'Qty' kept as _extra_1. Check the quotes.",
    )


def test_repairs_of_one_kind_are_counted_when_they_are_many():
    found = table("a,b,c\n" + "1,2,3\n" * 900 + "1,2\n" * 500)
    assert len(found.repairs) == MAX_LISTED_REPAIRS + 1
    assert found.repairs[-1] == f"500 short rows in all; the first {MAX_LISTED_REPAIRS} are listed."


def test_extra_column_takes_no_name_that_the_file_uses():
    found = table("a,_extra_1\n1,2,3\n4,5\n6,7\n")
    assert found.columns == ("a", "_extra_1", "_extra_2")


def test_empty_columns_at_the_end_are_left_out():
    found = table("deal_id,name,,,\nA1,x,,,\nA2,y,,,\n")
    assert found.columns == ("deal_id", "name")


def test_repeated_and_missing_column_names_become_unique_and_are_told():
    found = table("name,, name ,name\n1,2,3,4\n")
    assert found.columns == ("name", "column_2", "name_2", "name_3")
    assert found.repairs == (
        "Column 2 is called ''; it is read as 'column_2'.",
        "Column 3 is called 'name'; it is read as 'name_2'.",
        "Column 4 is called 'name'; it is read as 'name_3'.",
    )


# --- refusals ---


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty: choose a file with a header row and one deal per row."),
        (b" \n\t\n", "is empty: choose a file with a header row and one deal per row."),
        (b"," * 50, "holds no rows: choose a file with a header row and one deal per row."),
        (PNG, NO_TEXT),
        (b"\x1f\x8b\x08", "is packed with gzip: unpack it and load the file inside."),
        (b"%PDF-1.7", "is a PDF document: export the deals as CSV, TSV, XLSX or JSON."),
    ],
    ids=["empty", "blank", "only delimiters", "image", "gzip", "pdf"],
)
def test_file_without_a_table_is_refused(data, reason):
    assert refusal(data) == reason


@pytest.mark.parametrize(
    "data",
    [
        b"c" + b",c" * MAX_COLUMNS + b"\n1",
        b"deal_id\n1" + b",2" * MAX_COLUMNS,
        b"c,\n" + b"c," * 200_000,
        b"c," * 200_000 + b"\n1",
    ],
    ids=["header", "row", "very long row", "very long header"],
)
def test_more_columns_than_the_limit_are_refused_at_once(data):
    assert "columns, more than the 512 that can be read" in refusal(data)


def test_one_row_beyond_the_limit_is_set_aside_with_its_text():
    wide = "A2" + ",x" * MAX_COLUMNS
    found = table(f"deal_id,name\nA1,x\n{wide}\nA3,y\n")
    assert [row[0] for row in found.rows] == ["A1", "A3"]
    (refused,) = found.refusals
    assert (refused.line, refused.text) == (3, wide)
    assert refused.reason == "it has 513 values, more than the 512 that can be read"


def test_cell_beyond_the_limit_is_set_aside_with_its_reason(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_CELL_CHARS", 200_000)
    huge = "x" * 200_001
    found = table(f"deal_id,name\nA1,{'y' * 199_999}\nA2,{huge}\n")
    assert [len(row[1]) for row in found.rows] == [199_999]
    assert found.refusals[0].text == f"A2,{huge}"
    assert refusal(f"deal_id,name\nA2,{huge}\n".encode()) == (
        "holds no row that can be read; line 2: a cell has 200,001 characters, "
        "more than the 200,000 that can be read."
    )


def test_more_rows_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(header, "MAX_ROWS", 3)
    monkeypatch.setattr(delimited, "MAX_ROWS", 3)
    assert len(table("a\nb1\nb2\nb3\n").rows) == 3
    assert refusal(b"a\nb1\nb2\nb3\nb4\n") == "has more than 3 rows: split it and load the parts."


# --- the golden set ---


@pytest.mark.parametrize("case", golden.delimited_cases(), ids=lambda case: case.name)
def test_polluted_file_gives_every_cell(case):
    found = read_table(case.data, "f")
    right, expected = golden.cells_right(case, found.columns, found.rows)
    assert right == expected


def test_score_counts_wrong_missing_and_invented_cells():
    case = golden.Case("x", b"", ("a", "b"), (("1", "2"), ("3", "4")))
    assert golden.cells_right(case, ("b", "a"), [("2", "1"), ("4", "3")]) == (4, 4)
    assert golden.cells_right(case, ("a", "b"), [("1", "2"), ("3", "x")]) == (3, 4)
    assert golden.cells_right(case, ("a", "b"), [("1", "2")]) == (2, 4)
    assert golden.cells_right(case, ("a", "b"), [("1", "2"), ("3", "4"), ("5", "6")]) == (4, 6)
    assert golden.cells_right(case, ("a",), [("1",), ("3",)]) == (2, 4)


# --- any file ---


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\r\n\0\ufeff")), max_size=5), max_size=6))
def test_any_rows_come_back_with_the_width_of_the_columns(rows):
    quoted = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    with contextlib.suppress(ImportRefused):
        found = read_table(quoted.encode("utf-8", "replace"), "f")
        assert all(len(row) == len(found.columns) for row in found.rows)
        assert len(set(found.columns)) == len(found.columns)
        assert len(found.lines) == len(found.rows)


WORDS = st.lists(
    st.sampled_from(
        [",", ";", "\t", "|", '"', '""', "'", "\\", "\r\n", "\n", "\r", " ", "deal_id", "name", "1.5"]
    ),
    max_size=60,
).map("".join)


@given(WORDS)
@example('"\n"\n')
def test_no_word_of_any_text_is_lost_in_silence(text):
    """Every letter of the file is in the columns, the rows, the refusals or the repairs."""
    try:
        found = table(text)
    except ImportRefused:
        return
    told = " ".join((*found.columns, *(cell for row in found.rows for cell in row), *found.repairs))
    told += " ".join(refused.text for refused in found.refusals)
    for word in ("deal_id", "zebra", "1.5"):
        assert (word in told) == (word in text)


@given(st.binary(max_size=300))
@example(codecs.BOM_UTF8 + b"\xff\xfe")
def test_any_bytes_are_a_table_or_refused(data):
    with contextlib.suppress(ImportRefused):
        found = read_table(data, "f")
        assert all(len(row) == len(found.columns) for row in found.rows)


@given(st.text(max_size=200), st.sampled_from(",;\t|"))
def test_any_text_can_be_split(text, mark):
    with contextlib.suppress(ImportRefused):
        read_delimited(text, "f", mark)
    assert find_dialect(text, mark).delimiter == mark


# A cell that ends with one backslash looks as if its closing quote were escaped and belonged to it.
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8).filter(
    lambda cell: not cell.endswith("\\")
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1))
@example([("", "", "\\\\")])
@example([("", "", "a\n\n"), ("b\n", "", "")])
def test_well_formed_rows_come_back_unchanged(rows):
    """Whatever well-formed cells hold, quoting carries it; the header says what is expected."""
    header = ("deal_id", "deal_name", "floor_price")
    written = golden.write_delimited([header, *rows], quoting=1)
    found = table(written)
    kept = [row for row in rows if any(cell.strip() for cell in row) and tuple(map(str.strip, row)) != header]
    assert list(found.rows) == kept
