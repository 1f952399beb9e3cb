"""A plain XLSX workbook from rows of text and numbers, which cannot hold a formula.

Written here because a library takes four times as long, and cuts cells at 32,767 characters.
Every text is an inline string in a cell formatted as text: neither opening nor editing it makes it a
number or a formula. ECMA-376, parts 1 and 2.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.exports.cells import EXCEL_CELL

# Above this a column is no easier to read.
_WIDEST, _NARROWEST = 60, 8
_MEASURED_ROWS = 200
_TEXT, _HEADER, _NUMBER = 1, 2, 3
_FASTEST = 1
# What XML cannot hold, and what would be read as the notation for it.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\ufffe\uffff\ud800-\udfff]|_(?=x[0-9A-Fa-f]{4}_)")
_LONG_TEXTS = "long texts"
_LONG_HEADER = ("sheet", "row", "column", "part", "text")
_PART = 32_000

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
# Formats 0: general; 1: text; 2: text, bold; 3: number as it is. 49 is the built-in format "@", text.
_STYLES = (
    f"{_DECLARATION}<styleSheet {_MAIN}>"
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One worksheet: its name, its header, its rows. None and "" are empty cells, numbers are numbers."""

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]


def write_workbook(sheets: Sequence[Sheet]) -> bytes:
    """Return a workbook with a frozen, bold header row on each sheet.

    A text longer than a cell holds is written in parts on a sheet of its own, "long texts", and its
    cell says where. Sheet names must be what Excel takes: short, unique, without brackets and slashes.
    """
    long_texts: list[tuple[str, int, str, int, str]] = []
    parts = [_worksheet(sheet, long_texts) for sheet in sheets]
    names = [sheet.name for sheet in sheets]
    if long_texts:
        parts.append(_worksheet(Sheet(_LONG_TEXTS, _LONG_HEADER, long_texts), []))
        names.append(_LONG_TEXTS)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=_FASTEST) as archive:
        for path, text in (*_frame(names), *_numbered(parts)):
            # One moment for all parts, so that the same content gives the same bytes.
            archive.writestr(_dated(path), text.encode("utf-8"), compresslevel=_FASTEST)
    return stream.getvalue()


def _dated(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _numbered(parts: Iterable[str]) -> Iterable[tuple[str, str]]:
    return ((f"xl/worksheets/sheet{number}.xml", part) for number, part in enumerate(parts, start=1))


def _frame(names: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Yield the parts that hold the worksheets together."""
    numbers = range(1, len(names) + 1)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>'
        for n in numbers
    )
    yield (
        "[Content_Types].xml",
        f'{_DECLARATION}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kind}.styles+xml"/>{overrides}</Types>',
    )
    yield "_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")])
    listed = "".join(
        f'<sheet name="{_escaped(name)}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in zip(numbers, names, strict=True)
    )
    yield (
        "xl/workbook.xml",
        f'{_DECLARATION}<workbook {_MAIN} xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>',
    )
    links = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
    yield "xl/_rels/workbook.xml.rels", _relations([*links, ("rIdS", "styles", "styles.xml")])
    yield "xl/styles.xml", _STYLES


def _relations(links: Iterable[tuple[str, str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="{key}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for key, kind, target in links
    )
    return f'{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'


def _worksheet(sheet: Sheet, long_texts: list[tuple[str, int, str, int, str]]) -> str:
    letters = [_letters(number) for number in range(len(sheet.header))]
    pieces = [
        f"{_DECLARATION}<worksheet {_MAIN}>"
        '<sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>',
        f"<cols>{_widths(sheet)}</cols><sheetData>",
        _row(1, letters, sheet.header, _HEADER),
    ]
    for number, row in enumerate(sheet.rows, start=2):
        cells = row
        if any(isinstance(cell, str) and len(cell) > EXCEL_CELL for cell in row):
            cells = [_set_aside(sheet, number, place, cell, long_texts) for place, cell in enumerate(row)]
        pieces.append(_row(number, letters, cells, _TEXT))
    pieces.append("</sheetData></worksheet>")
    return "".join(pieces)


def _row(number: int, letters: Sequence[str], cells: Sequence[object], style: int) -> str:
    pieces = [f'<row r="{number}">']
    for letter, cell in zip(letters, cells, strict=False):
        if cell is None or cell == "":
            continue
        if isinstance(cell, (int, Decimal)) and not isinstance(cell, bool):
            pieces.append(f'<c r="{letter}{number}" s="{_NUMBER}"><v>{cell}</v></c>')
        else:
            text = cell if type(cell) is str else str(cell)
            pieces.append(
                f'<c r="{letter}{number}" s="{style}" t="inlineStr"><is>'
                f'<t xml:space="preserve">{_escaped(text)}</t></is></c>'
            )
    pieces.append("</row>")
    return "".join(pieces)


def _set_aside(
    sheet: Sheet, row: int, place: int, cell: object, long_texts: list[tuple[str, int, str, int, str]]
) -> object:
    if not isinstance(cell, str) or len(cell) <= EXCEL_CELL:
        return cell
    column = sheet.header[place]
    parts = [cell[start : start + _PART] for start in range(0, len(cell), _PART)]
    first = len(long_texts) + 2
    long_texts += [(sheet.name, row, column, number, part) for number, part in enumerate(parts, start=1)]
    return (
        f"{len(cell):,} characters, more than a cell holds: see the sheet {_LONG_TEXTS!r}, "
        f"rows {first}-{len(long_texts) + 1}."
    )


def _escaped(text: str) -> str:
    if not text.isascii() or not text.isprintable() or "_x" in text:
        text = _UNWRITABLE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    if "&" in text or "<" in text or ">" in text or '"' in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text


def _letters(number: int) -> str:
    """Return the name of a column: 0 is A, 26 is AA."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _widths(sheet: Sheet) -> str:
    """Return column widths that fit the header and the first rows, in characters."""
    measured = [sheet.header, *sheet.rows[:_MEASURED_ROWS]]
    widths = [
        max(
            (len(str(row[place])) for row in measured if place < len(row) and row[place] is not None),
            default=0,
        )
        for place in range(len(sheet.header))
    ]
    return "".join(
        f'<col min="{n}" max="{n}" width="{min(_WIDEST, max(_NARROWEST, width)) + 2}" customWidth="1"/>'
        for n, width in enumerate(widths, start=1)
    )
