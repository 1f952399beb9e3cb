"""Bytes of a file become a table of text cells: delimited text, a workbook or Parquet.

The content decides the format, not the name. Nothing is typed and nothing is dropped in silence:
what was mended is among the repairs, what cannot be used among the refusals. This module runs in the
process that calls it; `core.reading.sandbox` runs it in a child with limits.
"""

from __future__ import annotations

from core.errors import ImportRefused
from core.reading.delimited import read_delimited
from core.reading.encoding import decode_bytes
from core.reading.grid import Refusal, Source, Table, TableOptions
from core.reading.header import shape

__all__ = ["Refusal", "Source", "Table", "TableOptions", "decode", "read_table"]

_FOREIGN = (
    # first bytes, what the file is and what to do
    (b"\x1f\x8b", "is packed with gzip: unpack it and load the file inside."),
    (
        b"\xd0\xcf\x11\xe0",
        "is an old or password-protected workbook: save it as XLSX without a password, or as CSV.",
    ),
    (b"%PDF", "is a PDF document: export the deals as CSV, TSV, XLSX or JSON."),
    (b"\x89PNG", "is not a text file: export the deals as CSV, TSV, XLSX, JSON or JSON Lines."),
)


def decode(data: bytes, filename: str) -> tuple[str, list[str]]:
    """Return the text of a file and what had to be assumed about its encoding.

    Raises ImportRefused when the bytes are no text.
    """
    decoded = decode_bytes(data, filename)
    return decoded.text, list(decoded.notes)


def read_table(data: bytes, filename: str, options: TableOptions | None = None) -> Table:
    """Read a table: comma, semicolon, tab or pipe separated text, XLSX, or Parquet.

    options: what the analyst decided instead of the detection.
    Raises ImportRefused with a reason a person can act on: empty, no table, too large, damaged.
    """
    options = options or TableOptions()
    if data.startswith(b"PK\x03\x04"):
        from core.reading.xlsx_reader import read_workbook

        return read_workbook(data, filename, options)
    if data.startswith(b"PAR1"):
        from core.reading.parquet import read_parquet

        return read_parquet(data, filename)
    for start, reason in _FOREIGN:
        if data.startswith(start):
            raise ImportRefused(filename, reason)
    return _read_text(data, filename, options)


def _read_text(data: bytes, filename: str, options: TableOptions) -> Table:
    decoded = decode_bytes(data, filename, options.encoding)
    if not decoded.text.strip():
        raise ImportRefused(filename, "is empty: choose a file with a header row and one deal per row.")
    grid, dialect = read_delimited(decoded.text, filename, options.delimiter)
    grid.repairs.sentences[:0] = decoded.notes
    kind = "tsv" if dialect.delimiter == "\t" else "csv"
    source = Source(kind, decoded.encoding, dialect.delimiter)
    return shape(grid, source, filename, options.header_line)
