import codecs
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deals import tables
from core.deals.tables import decode, read_table
from core.errors import ImportRefused
from core.settings import MAX_COLUMNS

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))


def refusal(data: bytes) -> str:
    with pytest.raises(ImportRefused) as caught:
        read_table(data, "deals.csv")
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
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16 le", "utf-16 be"],
)
def test_unicode_is_read_with_or_without_a_byte_order_mark(data):
    assert decode(data, "f") == ("Käse,€", [])


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
    ],
)
def test_eight_bit_text_is_read_and_the_assumption_is_told(encoding, names):
    written = f"deal_id,deal_name,publishers\nA1,{names}\n"
    text, notes = decode(written.encode(encoding), "f")
    assert text == written
    assert notes == [f"The file is not UTF-8; read as {encoding}."]


@pytest.mark.parametrize("data", [PNG, b"a,b\0c", "deal_id\nA".encode("utf-16-le")])
def test_bytes_that_are_no_text_are_refused(data):
    with pytest.raises(ImportRefused, match="is not a text file: export the deals as CSV"):
        decode(data, "f")


@pytest.mark.parametrize("data", [codecs.BOM_UTF16_LE + b"\x00", codecs.BOM_UTF8 + b"\xff\xfe"])
def test_text_that_breaks_its_own_encoding_is_refused(data):
    with pytest.raises(ImportRefused, match="does not stay so: save it as UTF-8"):
        decode(data, "f")


# --- delimiters and rows ---


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_and_line_end_are_found_in_the_content(mark, end):
    lines = [["deal_id", "name"], ["A1", "one"], ["A2", "two"]]
    table = read_table(end.join(mark.join(line) for line in lines).encode(), "f")
    assert table.columns == ("deal_id", "name")
    assert table.rows == (("A1", "one"), ("A2", "two"))
    assert table.lines == (2, 3)
    assert table.repairs == ()


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("deal_id;floor\nA1;1,50\nA2;2,50\n", ("deal_id", "floor")),
        ("deal_id,concepts\nA1,a|b|c\nA2,d|e|f\n", ("deal_id", "concepts")),
        ("deal_id\nA1\nA2\n", ("deal_id",)),
    ],
    ids=["decimal commas", "lists in a cell", "one column"],
)
def test_other_marks_inside_cells_do_not_mislead(text, columns):
    table = read_table(text.encode(), "f")
    assert table.columns == columns
    assert {len(row) for row in table.rows} == {len(columns)}


def test_blank_lines_are_passed_over_and_lines_keep_their_number():
    table = read_table(b"\n" * 60 + b"deal_id,name\n\n,\nA1,one\n", "f")
    assert table.rows == (("A1", "one"),)
    assert table.lines == (64,)


def test_quoted_cell_may_hold_delimiters_quotes_and_line_breaks():
    table = read_table(b'deal_id,name\nA1,"one, ""two""\nthree"\nA2,x\n', "f")
    assert table.rows == (("A1", 'one, "two"\nthree'), ("A2", "x"))
    assert table.lines == (3, 4)


def test_cells_are_never_typed():
    row = ("0012", "1E5", "NA", "549644398148090651", "true", " x ")
    data = "a,b,c,d,e,f\n" + ",".join(row)
    assert read_table(data.encode(), "f").rows == (row,)


def test_short_row_is_filled_with_unknown_and_told():
    table = read_table(b"a,b,c\n1\n1,2,3\n", "f")
    assert table.rows == (("1", "", ""), ("1", "2", "3"))
    assert table.repairs == ("Line 2: 1 values for 3 columns; missing values are unknown.",)


def test_long_row_keeps_its_data_in_extra_columns_and_is_told():
    table = read_table(b"a,b\n1,2,3,4\n5,6\n", "f")
    assert table.columns == ("a", "b", "_extra_1", "_extra_2")
    assert table.rows == (("1", "2", "3", "4"), ("5", "6", "", ""))
    assert table.repairs == ("Line 2: 4 values for 2 columns; the rest is kept in _extra columns.",)


def test_extra_column_takes_no_name_that_the_file_uses():
    table = read_table(b"a,_extra_1\n1,2,3\n", "f")
    assert table.columns == ("a", "_extra_1", "_extra_2")


def test_repeated_and_missing_column_names_become_unique_and_are_told():
    table = read_table(b"name,, name ,name\n1,2,3,4\n", "f")
    assert table.columns == ("name", "column_2", "name_2", "name_3")
    assert table.repairs == (
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
        (PNG, "is not a text file: export the deals as CSV, TSV, JSON or JSON Lines."),
    ],
    ids=["empty", "blank", "only delimiters", "image"],
)
def test_file_without_a_table_is_refused(data, reason):
    assert refusal(data) == reason


@pytest.mark.parametrize(
    "row", [b'A1,"open', b'A1,"a"b', b"A1," + b"x" * 140_000], ids=["open", "after", "long"]
)
def test_broken_quotes_are_refused_with_their_line(row):
    reason = refusal(b"deal_id,name\n" + row)
    assert reason.startswith("cannot be read as a table near line 2 (")
    assert reason.endswith("check the quotes there.")


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
    assert "columns, more than the 512 that can be read." in refusal(data)


def test_more_rows_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(tables, "MAX_ROWS", 3)
    assert len(read_table(b"a\n1\n2\n3\n", "f").rows) == 3
    assert refusal(b"a\n1\n2\n3\n4\n") == "has more than 3 rows: split it and load the parts."


# --- any file ---


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\r\n\0\ufeff")), max_size=5), max_size=6))
def test_any_rows_come_back_with_the_width_of_the_columns(rows):
    quoted = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    try:
        table = read_table(quoted.encode("utf-8", "replace"), "f")
    except ImportRefused:
        return
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert len(set(table.columns)) == len(table.columns)
    assert len(table.lines) == len(table.rows)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_refused(data):
    with contextlib.suppress(ImportRefused):
        table = read_table(data, "f")
        assert all(len(row) == len(table.columns) for row in table.rows)
