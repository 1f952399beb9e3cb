"""Cells of exported tables: no spreadsheet runs them, none is cut, and our own files can be read back."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal

# A cell of Excel holds so many characters; longer texts are written whole, and told of.
EXCEL_CELL = 32_767

_PLAIN_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*%?")
_DANGEROUS = frozenset("=+-@|%")
_BREAKS = frozenset("\t\r\n")
_EXCEL_SAFE = re.compile(r'="((?:[^"]|"")*)"')


def neutralise(cell: str) -> str:
    """Return the cell so that no spreadsheet runs it: a leading apostrophe marks it as text.

    Formulas start with = + - @ (also full-width) or |, %, tab, line break, possibly behind blanks
    and invisible characters; plain numbers stay numbers.
    """
    first = cell[:1]
    if first.isascii() and first.isalnum():
        return cell  # nearly every cell; the rest of the rule takes ten times as long
    unquoted = cell.lstrip("'")
    dangerous = _first_visible(unquoted) in _DANGEROUS or unquoted[:1] in _BREAKS
    if not dangerous or (cell == unquoted and _PLAIN_NUMBER.fullmatch(cell)):
        return cell
    return f"'{cell}"


def _first_visible(text: str) -> str:
    """Return the first character that is no blank, control, format or combining mark, in plain form."""
    # The Hangul filler is a letter by category and a blank to the eye.
    seen = (char for char in text if unicodedata.category(char)[0] not in "ZCM" and char != "\u3164")
    return unicodedata.normalize("NFKC", next(seen, ""))[:1]


def restore(cell: str) -> str:
    """Undo `neutralise` and `excel_safe` in a cell of our own export; other cells stay as they are."""
    if cell.startswith("'") and neutralise(cell[1:]) == cell:
        return cell[1:]
    match = _EXCEL_SAFE.fullmatch(cell)
    return match[1].replace('""', '"') if match else cell


def excel_safe(deal_id: str) -> str:
    """Return the id as a text formula, of which Excel keeps every digit and leading zero."""
    quoted = deal_id.replace('"', '""')
    return f'="{quoted}"'


def table_csv(header: Sequence[str], rows: Iterable[Sequence[object]], *, bom: bool = False) -> bytes:
    """Write any table as CSV, UTF-8, with the guard against formulas."""
    return csv_of_cells(header, ([text_of(cell) for cell in row] for row in rows), bom=bom)


def text_of(value: object) -> str:
    """Return a value as a guarded cell; None is blank, and no number has an exponent."""
    if isinstance(value, Decimal):
        value = f"{value:f}"
    return "" if value is None else neutralise(str(value))


def csv_of_cells(header: Sequence[str], rows: Iterable[Sequence[str]], *, bom: bool) -> bytes:
    """Write cells that are guarded already; the header is guarded here."""
    stream = io.StringIO(newline="")
    # Every cell in quotes: a spreadsheet that splits at semicolons must not find a formula in the middle.
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerow(map(neutralise, header))
    writer.writerows(rows)
    return stream.getvalue().encode("utf-8-sig" if bom else "utf-8")
