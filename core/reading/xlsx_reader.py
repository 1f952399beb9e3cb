"""A worksheet of an XLSX file becomes a table of text cells.

The XML is read as a stream, one row at a time, so that a cell at the far end of a sheet costs nothing,
and numbers are taken as the text that stands in the file, so that ids keep every digit. Nothing is
calculated: of formulas the saved results are read.
"""

from __future__ import annotations

import io
import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import PurePosixPath
from xml.parsers import expat

from core.errors import ImportRefused
from core.reading.delimited import refuse_rows
from core.reading.grid import Grid, Source, Table, TableOptions
from core.reading.header import known_names, shape
from core.settings import (
    MAX_CELL_CHARS,
    MAX_COLUMNS,
    MAX_ROWS,
    MAX_TABLE_CHARS,
    MAX_ZIP_ENTRIES,
    MAX_ZIP_MB,
    MAX_ZIP_RATIO,
)

_CHUNK = 1 << 18
# Rows of every sheet that are looked at to choose one.
_LOOKED_AT = 20
# An archive that unfolds to less than this harms nobody, whatever its ratio.
_HARMLESS_BYTES = 1_000_000
_DAMAGED = "is a damaged workbook ({}): open it in Excel, save it again as XLSX, and load that."
# Number formats that Excel knows without writing them down (ECMA-376 part 1, 18.8.30): those of dates.
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_QUOTED_FORMAT = re.compile(r'"[^"]*"|\\.|_.|\[(?!h|m|s)[^\]]*\]', re.IGNORECASE)
_ZEROS = re.compile(r"0{2,}")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Digits that a spreadsheet program keeps of a number.
_EXACT_DIGITS = 15
# A row number of a worksheet has seven digits.
_ROW_DIGITS = 9
_LARGEST_EXPONENT = 300
_YEAR_10000 = 2_958_466
# Excel's day 60 is 1900-02-29, which never was: from there on it counts one too many.
_LEAP_DAY = 60


# What zipfile raises for damaged archives, besides RuntimeError for encrypted ones.
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    ValueError,
)


class _Enough(Exception):
    """Enough rows were seen."""


def read_workbook(data: bytes, filename: str, options: TableOptions) -> Table:
    """Read the worksheet that holds most names of deal fields; the others are named in the repairs.

    options.sheet: name of the worksheet to read instead; options.header_line: row of the names.
    Raises ImportRefused for archives that are no workbook, damaged, or would unfold beyond the limits.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_directory(archive, len(data), filename)
            return _Workbook(archive, filename).read(options)
    except _ARCHIVE_ERRORS as error:
        raise ImportRefused(filename, _DAMAGED.format(f"{error}"[:100])) from None
    except RuntimeError:  # how zipfile says that a part is encrypted
        raise ImportRefused(filename, "is protected by a password: save it without one.") from None


def _check_directory(archive: zipfile.ZipFile, size: int, filename: str) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_ZIP_ENTRIES:
        raise ImportRefused(
            filename,
            f"is an archive of {len(entries):,} parts, more than the {MAX_ZIP_ENTRIES} of a workbook: "
            "save the sheet alone, or as CSV.",
        )
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_ZIP_MB * 1_000_000:
        raise ImportRefused(
            filename,
            f"unfolds to {unpacked / 1e6:,.0f} MB, more than the {MAX_ZIP_MB} MB allowed: "
            "save the sheet as CSV and load that.",
        )
    if unpacked > max(_HARMLESS_BYTES, MAX_ZIP_RATIO * size):
        raise ImportRefused(
            filename,
            f"unfolds to {unpacked / size:,.0f} times its size, more than the {MAX_ZIP_RATIO} of a workbook: "
            "save the sheet as CSV and load that.",
        )
    names = {entry.filename for entry in entries}
    if "xl/workbook.bin" in names:
        raise ImportRefused(filename, "is a binary workbook (XLSB): save it as XLSX or CSV.")
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise ImportRefused(
            filename, "is an archive but no XLSX workbook: unpack it, or save the sheet as XLSX or CSV."
        )


@dataclass(slots=True)
class _Style:
    """How a number is shown: as a date, or with leading zeros up to a number of digits."""

    is_date: bool = False
    digits: int = 0


@dataclass(slots=True)
class _Sheet:
    name: str
    part: str


@dataclass(slots=True)
class _Score:
    """What the first rows of a sheet hold: names of deal fields, cells, or why they cannot be read."""

    names: int
    cells: int
    refusal: ImportRefused | None


class _Workbook:
    """The parts of one archive: names of sheets, shared strings, styles."""

    def __init__(self, archive: zipfile.ZipFile, filename: str) -> None:
        self.archive = archive
        self.filename = filename
        self.is_1904 = False
        self.sheets = self._find_sheets()
        self.strings = self._read_strings()
        self.styles = self._read_styles()

    def read(self, options: TableOptions) -> Table:
        sheet = self._named(options.sheet) if options.sheet is not None else self._best()
        reader = _SheetReader(self)
        parse_xml(self.archive, sheet.part, self.filename, reader.start, reader.end, reader.text)
        grid = reader.finished(sheet.name)
        others = [other.name for other in self.sheets if other is not sheet]
        if others and options.sheet is None:
            names = ", ".join(repr(name) for name in others[:20])
            grid.repairs.sentences.insert(0, f"Sheet {sheet.name!r} was read; not read: {names}.")
        if not grid.records:
            raise ImportRefused(
                self.filename, f"holds nothing in sheet {sheet.name!r}: choose another sheet."
            )
        every = tuple(found.name for found in self.sheets)
        return shape(grid, Source("xlsx", sheet=sheet.name, sheets=every), self.filename, options.header_line)

    def _named(self, name: str) -> _Sheet:
        for sheet in self.sheets:
            if sheet.name == name:
                return sheet
        known = ", ".join(repr(sheet.name) for sheet in self.sheets)
        raise ImportRefused(self.filename, f"has no sheet {name!r}: choose one of {known}.")

    def _best(self) -> _Sheet:
        if len(self.sheets) == 1:
            return self.sheets[0]
        scores = [self._score(sheet) for sheet in self.sheets]
        best = max(scores, key=lambda score: (score.names, score.cells))
        refused = next((score.refusal for score in scores if score.refusal), None)
        if refused and not best.names:
            # The sheet that cannot be read may be the one with the deals.
            raise refused
        return self.sheets[scores.index(best)]

    def _score(self, sheet: _Sheet) -> _Score:
        reader = _SheetReader(self, stop_after=_LOOKED_AT)
        refusal = None
        try:
            parse_xml(self.archive, sheet.part, self.filename, reader.start, reader.end, reader.text)
        except _Enough:
            pass
        except ImportRefused as error:
            refusal = error
        names = max(map(known_names, reader.records), default=0)
        return _Score(names, sum(map(len, reader.records)), refusal)

    def _find_sheets(self) -> list[_Sheet]:
        targets: dict[str, str] = {}
        found: list[tuple[str, str]] = []

        def relation(name: str, attributes: dict[str, str]) -> None:
            if name == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
                target = attributes.get("Target", "")
                targets[attributes.get("Id", "")] = posixpath.normpath(
                    target.lstrip("/") if target.startswith("/") else f"xl/{target}"
                )

        def sheet(name: str, attributes: dict[str, str]) -> None:
            if name == "sheet":
                key = next((value for word, value in attributes.items() if word.endswith(":id")), "")
                found.append((attributes.get("name", ""), key))
            elif name == "workbookPr":
                self.is_1904 = attributes.get("date1904") in {"1", "true"}

        parse_xml(self.archive, "xl/_rels/workbook.xml.rels", self.filename, relation)
        parse_xml(self.archive, "xl/workbook.xml", self.filename, sheet)
        sheets = [_Sheet(name, targets[key]) for name, key in found if key in targets]
        if not sheets:
            raise ImportRefused(self.filename, "is a workbook without a worksheet: choose another file.")
        return sheets

    def _read_strings(self) -> list[str]:
        reader = _StringReader()
        part = self._optional("sharedStrings.xml")
        if part:
            parse_xml(self.archive, part, self.filename, reader.start, reader.end, reader.text)
        return reader.strings

    def _read_styles(self) -> list[_Style]:
        formats: dict[str, str] = {}
        styles: list[_Style] = []
        inside = [""]

        def start(name: str, attributes: dict[str, str]) -> None:
            if name == "numFmt":
                formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
            elif name in {"cellXfs", "cellStyleXfs"}:
                inside[0] = name
            elif name == "xf" and inside[0] == "cellXfs":
                number = attributes.get("numFmtId", "0")
                styles.append(_style(number, formats.get(number, "")))

        part = self._optional("styles.xml")
        if part:
            parse_xml(self.archive, part, self.filename, start)
        return styles

    def _optional(self, name: str) -> str | None:
        part = f"xl/{name}"
        return next((found for found in self.archive.namelist() if found.lower() == part.lower()), None)


def _style(number: str, code: str) -> _Style:
    if not code:
        return _Style(is_date=number.isdigit() and int(number) in _DATE_FORMATS)
    bare = _QUOTED_FORMAT.sub("", code.split(";", maxsplit=1)[0])
    if _ZEROS.fullmatch(bare):
        return _Style(digits=len(bare))
    return _Style(is_date=bool(re.search(r"[dmyhs]", bare, re.IGNORECASE)) and "General" not in bare)


def _ignore(*_: object) -> None:
    """Pass over what nobody asked for."""


def parse_xml(
    archive: zipfile.ZipFile,
    part: str,
    filename: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] = _ignore,
    text: Callable[[str], None] = _ignore,
) -> None:
    """Send the elements of one part to handlers, names without prefix.

    Raises ImportRefused for XML that is broken or declares a document type: entities unfold without
    bound, and no spreadsheet program writes them.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    names: dict[str, str] = {}

    def local(name: str) -> str:
        return names.get(name) or names.setdefault(name, name.rpartition(":")[2])

    def refuse_doctype(*_: object) -> None:
        raise ImportRefused(filename, f"declares a document type in {part}, as no workbook does: not read.")

    parser.StartElementHandler = lambda name, attributes: start(local(name), attributes)
    parser.EndElementHandler = lambda name: end(local(name))
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        with archive.open(part) as stream:
            while chunk := stream.read(_CHUNK):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ImportRefused(filename, _DAMAGED.format(f"{PurePosixPath(part).name}: {error}")) from None


def _unescaped(text: str) -> str:
    """Resolve _x000D_, the notation of XLSX for characters that XML cannot hold."""
    if "_x" not in text:
        return text
    found = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return found.encode("utf-8", "replace").decode("utf-8")


class _StringReader:
    """Collects the shared strings; of rich text the plain text, without reading aids."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._parts: list[str] = []
        self._is_text = False
        self._aside = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if name == "si":
            self._parts = []
        elif name == "rPh":
            self._aside += 1
        self._is_text = name == "t" and not self._aside

    def end(self, name: str) -> None:
        self._is_text = False
        if name == "rPh":
            self._aside -= 1
        elif name == "si":
            self.strings.append(_unescaped("".join(self._parts)))

    def text(self, text: str) -> None:
        if self._is_text:
            self._parts.append(text)


@dataclass(slots=True)
class _Notes:
    """What the analyst should know about the cells of a sheet; names of the first cells of each kind."""

    rounded: list[str] = field(default_factory=list)
    uncalculated: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    hidden_rows: int = 0

    def sentences(self, sheet: str) -> list[str]:
        found = []
        if self.rounded:
            found.append(
                f"{len(self.rounded):,} cells (first: {self.rounded[0]}) hold numbers of {_EXACT_DIGITS} "
                f"digits or more as Excel keeps them: only {_EXACT_DIGITS} digits are sure. "
                "Check ids against the source."
            )
        if self.uncalculated:
            found.append(
                f"{len(self.uncalculated):,} cells (first: {self.uncalculated[0]}) hold formulas without a "
                "saved result; they are unknown. Open and save the file in Excel."
            )
        if self.merged:
            found.append(
                f"{len(self.merged):,} merged ranges (first: {self.merged[0]}); only their first cell holds "
                "the value."
            )
        if self.hidden_rows:
            found.append(f"{self.hidden_rows:,} hidden rows of sheet {sheet!r} were read as well.")
        return found


class _SheetReader:
    """Collects the rows of one worksheet that hold a value.

    stop_after: rows after which _Enough is raised.
    """

    def __init__(self, book: _Workbook, stop_after: int | None = None) -> None:
        self.book = book
        self.records: list[list[str]] = []
        self.lines: list[int] = []
        self.notes = _Notes()
        self._stop_after = stop_after
        self._columns: dict[str, int] = {}
        self._row = 0
        self._cells: dict[int, str] = {}
        self._column = 0
        self._place = ""
        self._type = "n"
        self._style: str | None = None
        self._has_formula = False
        self._is_value = False
        self._aside = 0
        self._parts: list[str] = []
        self._chars = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._start_cell(attributes)
        elif name == "v" or (name == "t" and not self._aside):
            self._is_value = True
        elif name == "row":
            self._start_row(attributes)
        elif name == "f":
            self._has_formula = True
        elif name == "rPh":
            self._aside += 1
        elif name == "mergeCell":
            self.notes.merged.append(attributes.get("ref", ""))

    def _start_row(self, attributes: dict[str, str]) -> None:
        given = attributes.get("r", "")
        self._row = int(given) if given.isdigit() and len(given) <= _ROW_DIGITS else self._row + 1
        self._cells = {}
        self._column = 0
        self.notes.hidden_rows += attributes.get("hidden") in {"1", "true"}

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._place = attributes.get("r", "")
        letters = self._place.rstrip("0123456789")
        if letters:
            column = self._columns.get(letters)
            if column is None:
                column = self._columns[letters] = _column_number(letters)
            self._column = column
        else:
            self._column += 1
        self._type = attributes.get("t", "n")
        self._style = attributes.get("s")
        self._has_formula = False
        self._parts.clear()

    def text(self, text: str) -> None:
        if self._is_value:
            self._parts.append(text)

    def end(self, name: str) -> None:
        if name in {"v", "t"}:
            self._is_value = False
        elif name == "c":
            self._end_cell()
        elif name == "row":
            self._end_row()
        elif name == "rPh":
            self._aside -= 1

    def _end_cell(self) -> None:
        if not self._parts:
            if self._has_formula and self._type != "str":
                self.notes.uncalculated.append(self._place)
            return
        value = self._value("".join(self._parts))
        if not value:
            return
        if self._column > MAX_COLUMNS:
            self._refuse(
                f"has a value in cell {self._place}, beyond the {MAX_COLUMNS} columns that can be read"
            )
        self._chars += len(value)
        if len(value) > MAX_CELL_CHARS:
            self._refuse(f"has {len(value):,} characters in cell {self._place}, more than {MAX_CELL_CHARS:,}")
        if self._chars > MAX_TABLE_CHARS:
            self._refuse(f"unfolds to more than {MAX_TABLE_CHARS / 1e6:,.0f} million characters")
        self._cells[self._column] = value

    def _refuse(self, what: str) -> None:
        raise ImportRefused(self.book.filename, f"{what}: delete what is not needed and save it again.")

    def _end_row(self) -> None:
        if not any(value.strip() for value in self._cells.values()):
            return
        width = max(self._cells)
        self.records.append([self._cells.get(column, "") for column in range(1, width + 1)])
        self.lines.append(self._row)
        if len(self.records) > MAX_ROWS + _LOOKED_AT:
            refuse_rows(self.book.filename)
        if self._stop_after and len(self.records) >= self._stop_after:
            raise _Enough

    def _value(self, text: str) -> str:
        if self._type == "s":
            index = int(text) if text.strip().isdigit() else -1
            if not 0 <= index < len(self.book.strings):
                raise ImportRefused(
                    self.book.filename, _DAMAGED.format(f"cell {self._place} names no text of the file")
                )
            return self.book.strings[index]
        if self._type == "b":
            return "true" if text.strip() == "1" else "false"
        if self._type != "n":
            return _unescaped(text)
        return self._number(text.strip())

    def _number(self, text: str) -> str:
        style = self._shown_as()
        if style.is_date:
            return _date_text(text, is_1904=self.book.is_1904) or text
        if text.isdigit():
            return text.zfill(style.digits)
        shown = number_text(text)
        if shown is None:
            return text
        if len(shown.lstrip("-")) >= _EXACT_DIGITS and shown.lstrip("-").isdigit() and text != shown:
            self.notes.rounded.append(self._place)
        return shown

    def _shown_as(self) -> _Style:
        index = int(self._style) if self._style and self._style.isdigit() else -1
        return self.book.styles[index] if 0 <= index < len(self.book.styles) else _PLAIN

    def finished(self, sheet: str) -> Grid:
        """Return the rows, padded to the widest, as a sheet is a rectangle."""
        width = max(map(len, self.records), default=0)
        for cells in self.records:
            cells.extend([""] * (width - len(cells)))
        grid = Grid(self.records, self.lines)
        for sentence in self.notes.sentences(sheet):
            grid.repairs.add(sentence)
        return grid


_PLAIN = _Style()


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters[:6].upper():
        number = number * 26 + ord(letter) - 64
    return number


def number_text(text: str) -> str | None:
    """Return a stored number without exponent, rounded to the 15 digits a spreadsheet shows, else None.

    Excel stores 4.35 as 4.3499999999999996; whole numbers keep the digits they were stored with.
    """
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return None
    if not exact.is_finite() or abs(exact.adjusted()) > _LARGEST_EXPONENT:
        return None
    if exact == exact.to_integral_value():
        return format(exact.to_integral_value(), "f")
    rounded = Decimal(f"{exact:.{_EXACT_DIGITS}g}")
    shown = format(rounded, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _date_text(text: str, *, is_1904: bool) -> str | None:
    """Return ISO text of a day number, its fraction being the time; None beyond the calendar."""
    try:
        days = float(text)
        if not 0 <= days < _YEAR_10000:
            return None
        first = datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 31 if days < _LEAP_DAY else 30)
        moment = first + timedelta(seconds=round(days * 86_400))
    except (ValueError, OverflowError):
        return None
    if days < 1:
        return moment.strftime("%H:%M:%S")
    return moment.date().isoformat() if moment.time() == datetime.min.time() else moment.isoformat()
