"""Files made to hurt whoever reads them; each must end with a reason, quickly, and leave the app alive.

They are built when they are asked for: nothing of this size or shape is committed.
"""

import io
import random
import zipfile
from collections.abc import Callable

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from tests.reading.golden import COLUMNS, deal_rows, write_delimited, write_parquet, write_workbook

SEED = 20_260_101
MB = 1_000_000
_SHEET = (
    '<?xml version="1.0" encoding="UTF-8"?>{before}'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<sheetData>{rows}</sheetData></worksheet>"
)


def with_sheet(xml: str | bytes) -> bytes:
    """Return a sound workbook of which one worksheet is replaced."""
    source = io.BytesIO(write_workbook([["deal_id", "deal_name"], ["A1", "one"]]))
    target = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, xml if name == "xl/worksheets/sheet2.xml" else old.read(name))
    return target.getvalue()


def archive(parts: dict[str, str]) -> bytes:
    """Return a zip archive that looks as much like a workbook as its parts do."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for name, content in {"[Content_Types].xml": "<Types/>", **parts}.items():
            target.writestr(name, content)
    return stream.getvalue()


def far_cell() -> bytes:
    """One value in the last cell a worksheet can have."""
    book = openpyxl.Workbook()
    book.active["A1"] = "deal_id"
    book.active["XFD1048576"] = "far"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def far_row() -> bytes:
    """A row number beyond any worksheet."""
    cell = '<c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c>'
    rows = (
        f'<row r="1">{cell.format(1, "deal_id")}</row><row r="999999999">{cell.format(999999999, "x")}</row>'
    )
    return with_sheet(_SHEET.format(before="", rows=rows))


def zip_ratio() -> bytes:
    """A worksheet of 300 MB in an archive of a few hundred kilobytes."""
    row = b'<row><c t="inlineStr"><is><t>a</t></is></c></row>'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as part:
            for _ in range(300):
                part.write(row * (MB // len(row)))
    return stream.getvalue()


def zip_many_parts() -> bytes:
    """An archive of 5,000 empty parts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        for number in range(5_000):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", "")
    return stream.getvalue()


def shared_string() -> bytes:
    """One text of 900 KB that 100,000 cells refer to."""
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 100_001))
    text = "".join(random.Random(SEED).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=900_000))
    strings = f"<sst><si><t>{text}</t></si></sst>"
    return add_part(with_sheet(_SHEET.format(before="", rows=cells)), "xl/sharedStrings.xml", strings)


def add_part(workbook: bytes, name: str, content: str) -> bytes:
    """Return a workbook with one more part; the library that writes ours puts text into the sheet itself."""
    stream = io.BytesIO(workbook)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def entity_expansion() -> bytes:
    """Ten entities, each ten times the one before."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    before = f'<!DOCTYPE worksheet [<!ENTITY e0 "lol">{levels}]>'
    rows = '<row r="1"><c r="A1" t="inlineStr"><is><t>&e9;</t></is></c></row>'
    return with_sheet(_SHEET.format(before=before, rows=rows))


def external_entity() -> bytes:
    """A worksheet that asks for a file of the machine."""
    before = '<!DOCTYPE worksheet [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
    rows = '<row r="1"><c r="A1" t="inlineStr"><is><t>&e;</t></is></c></row>'
    return with_sheet(_SHEET.format(before=before, rows=rows))


def broken_workbook() -> bytes:
    """A workbook with one flipped byte in the middle."""
    return _flipped(write_workbook([COLUMNS, *deal_rows()]), 2)


def truncated_workbook() -> bytes:
    """The first half of a workbook."""
    data = write_workbook([COLUMNS, *deal_rows()])
    return data[: len(data) // 2]


def columns_50000() -> bytes:
    """A table of 50,000 columns."""
    row = ",".join(f"c{number}" for number in range(50_000))
    return f"{row}\n{row}\n".encode()


def cell_20mb() -> bytes:
    """One cell of 20 MB in the only row."""
    return b'deal_id,raw\nA1,"' + b"x" * (20 * MB) + b'"\n'


def open_quote_20mb() -> bytes:
    """A quote in the second line that never closes, 20 MB before the end."""
    line = b"D1234567,Premium Video,2.50,USD,espn.com\n"
    start = b'deal_id,deal_name,floor_price,currency,publishers\nD0,"open,1,USD,cnn.com\n'
    return start + line * (20 * MB // len(line))


def open_quotes_20mb() -> bytes:
    """An open quote in every line of 20 MB, so that every line may be joined with those that follow."""
    line = b'D1234567,"Premium Video,2.50,USD,espn.com\n'
    return b"deal_id,deal_name,floor_price,currency,publishers\n" + line * (20 * MB // len(line))


def closing_quotes_20mb() -> bytes:
    """Quotes that open and close in the wrong places all over 20 MB."""
    line = b'D1,"a "b, "c",\n"d,""e" ,"f\n'
    return b"deal_id,deal_name,floor_price,currency,publishers\n" + line * (20 * MB // len(line))


def quotes_only() -> bytes:
    """20 MB of quotes."""
    return b'deal_id,deal_name\n"' + b'"' * (20 * MB)


def delimiters_only() -> bytes:
    """20 MB of commas in one line."""
    return b"deal_id,deal_name\n" + b"," * (20 * MB)


def nuls() -> bytes:
    """A megabyte of NULs after a header."""
    return b"deal_id,deal_name\n" + b"\0" * MB


def random_bytes() -> bytes:
    """A megabyte of noise."""
    return random.Random(SEED).randbytes(MB)


def random_after(start: bytes) -> bytes:
    """Noise that claims to be a known format."""
    return start + random.Random(SEED).randbytes(100_000)


def _flipped(data: bytes, part: int) -> bytes:
    place = len(data) // part
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def _parquet() -> bytes:
    return write_parquet(COLUMNS, deal_rows())


def parquet_flipped_footer() -> bytes:
    """A Parquet file with flipped bytes in the index at its end."""
    data = bytearray(_parquet())
    for place in range(len(data) - 60, len(data) - 20):
        data[place] ^= 0xFF
    return bytes(data)


def parquet_flipped_length() -> bytes:
    """A Parquet file whose index claims to be four gigabytes long."""
    data = _parquet()
    return data[:-8] + b"\xff\xff\xff\xff" + data[-4:]


def parquet_truncated() -> bytes:
    """The first half of a Parquet file."""
    data = _parquet()
    return data[: len(data) // 2]


def parquet_without_middle() -> bytes:
    """A Parquet file that lost its middle but kept both ends."""
    data = _parquet()
    return data[: len(data) // 4] + data[len(data) // 2 :]


def parquet_repeated() -> bytes:
    """A Parquet file three times over."""
    return _parquet() * 3


def parquet_dictionary() -> bytes:
    """200,000 rows that refer to one text of 100 KB: 20 GB as text."""
    text = "".join(random.Random(SEED).choices("abcdefghijklmnopqrstuvwxyz", k=100_000))
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), pa.array([text]))
    stream = io.BytesIO()
    pq.write_table(pa.table({"deal_id": values}), stream)
    return stream.getvalue()


def parquet_many_rows() -> bytes:
    """Ten million rows in a few kilobytes."""
    stream = io.BytesIO()
    pq.write_table(pa.table({"deal_id": pa.nulls(10_000_000, pa.string())}), stream)
    return stream.getvalue()


def json_deep_list() -> bytes:
    """100,000 open brackets."""
    return b"[" * 100_000


def json_deep_object() -> bytes:
    """Objects in one another, 100,000 deep, all closed."""
    return b'{"deals":' * 100_000 + b"1" + b"}" * 100_000


def json_giant_integer() -> bytes:
    """A deal id of a million digits."""
    return b'[{"deal_name": "x", "floor_price": ' + b"9" * MB + b"}]"


def json_many_lists() -> bytes:
    """20 MB of empty lists."""
    return b"[" + b"[]," * (20 * MB // 3) + b"[]]"


def json_not_a_number() -> bytes:
    """NaN, which is no JSON."""
    return b'[{"deal_id": "A", "floor_price": NaN}]'


def json_key_twice() -> bytes:
    """An id that stands twice in one record."""
    return b'[{"deal_id": "A", "deal_id": "B"}]'


def rows_many() -> bytes:
    """Millions of short rows."""
    return b"deal_id,n\n" + b"1,2\n" * (20 * MB // 4)


# What is read as a table, and what as JSON. All must be refused with a reason.
TABLE_BOMBS: dict[str, Callable[[], bytes]] = {
    "far cell": far_cell,
    "far row": far_row,
    "zip ratio": zip_ratio,
    "zip of many parts": zip_many_parts,
    "one shared text in 100,000 cells": shared_string,
    "entity expansion": entity_expansion,
    "external entity": external_entity,
    "flipped byte in a workbook": broken_workbook,
    "truncated workbook": truncated_workbook,
    "50,000 columns": columns_50000,
    "20 MB cell": cell_20mb,
    "20 MB of quotes": quotes_only,
    "20 MB of commas": delimiters_only,
    "millions of rows": rows_many,
    "open quote before 20 MB": open_quote_20mb,
    "open quotes in every line of 20 MB": open_quotes_20mb,
    "wrong quotes all over 20 MB": closing_quotes_20mb,
    "NULs": nuls,
    "0 bytes": bytes,
    "byte order mark only": lambda: b"\xef\xbb\xbf",
    "UTF-16 mark only": lambda: b"\xff\xfe",
    "random bytes": random_bytes,
    "random bytes as workbook": lambda: random_after(b"PK\x03\x04"),
    "random bytes as Parquet": lambda: random_after(b"PAR1") + b"PAR1",
    "gzip": lambda: random_after(b"\x1f\x8b\x08"),
    "Parquet with a flipped index": parquet_flipped_footer,
    "Parquet with a false length": parquet_flipped_length,
    "Parquet truncated": parquet_truncated,
    "Parquet without its middle": parquet_without_middle,
    "Parquet repeated": parquet_repeated,
    "Parquet dictionary of 20 GB": parquet_dictionary,
    "Parquet of ten million rows": parquet_many_rows,
}
JSON_BOMBS: dict[str, Callable[[], bytes]] = {
    "deep list": json_deep_list,
    "deep object": json_deep_object,
    "giant integer": json_giant_integer,
    "20 MB of empty lists": json_many_lists,
    "not a number": json_not_a_number,
    "key twice": json_key_twice,
}
# Harmless when read with care: these may load, but what they hold must be told.
MAY_LOAD = frozenset(
    {
        "open quote before 20 MB", "open quotes in every line of 20 MB", "wrong quotes all over 20 MB",
        "20 MB of commas", "far row", "giant integer", "Parquet without its middle",
    }
)  # fmt: skip


def harmless_open_quote(rows: int = 2_000) -> bytes:
    """A small file with one quote that never closes; every row must still come out."""
    table = write_delimited(
        [["deal_id", "deal_name"], *([f"D{n}", f"name {n}"] for n in range(rows))], end="\n"
    )
    return table.replace("name 7\n", '"name 7\n', 1).encode()
