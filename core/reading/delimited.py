"""Delimited text becomes records: a strict pass first, a tolerant one where quotes are broken.

Both passes take time linear in the length of the text, whatever it holds.
"""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from core.errors import ImportRefused
from core.reading.dialect import DELIMITERS, Dialect, find_dialect, take_hint
from core.reading.grid import Grid, Refusal, Repairs
from core.settings import (
    MAX_BROKEN_QUOTES,
    MAX_CELL_CHARS,
    MAX_COLUMNS,
    MAX_JOINED_CHARS,
    MAX_JOINED_LINES,
    MAX_ROWS,
)

# The strict pass is right when this share of its rows has the most frequent width.
STRICT_SHARE = 0.99
# In narrower tables another delimiter gives the right width by chance.
_SURE_WIDTH = 3
_SURE_WIDTH_OF_WORDS = 6
# Rows beyond the limit that may turn out to be preamble or repeated headers.
_SPARE_ROWS = 1_000
# Quotes of one line that are tried as stray; more is no repair any more but a search.
_TRIED_QUOTES = 8
# Joining lines may look at as many characters as the text has and this many more; afterwards every open
# quote counts as stray. Each attempt costs some characters' worth of time however short it is.
_SPARE_WORK = 4_000_000
_ATTEMPT_WORK = 100
# Lines that show how wide the table is.
_WIDTH_LINES = 2_000
_QUOTE_RUNS = {quote: re.compile(f"{quote}+") for quote in "\"'"}
_LINE_END = re.compile(r"\r\n|\r|\n")
# Stand-ins inside the parser for characters that are no delimiter, quote or line end where they stand.
# Noncharacters of Unicode: no text may hold them.
_HELD = {
    mark: chr(0xFDD0 + number) for number, mark in enumerate(('"', "'", "\\", "\n", "\r", *DELIMITERS, " "))
}
_RELEASED = str.maketrans({stand_in: mark for mark, stand_in in _HELD.items()})
_HELD_ANY = re.compile("[\ufdd0-\ufddf]")


def read_delimited(text: str, filename: str, delimiter: str | None = None) -> tuple[Grid, Dialect]:
    """Split a text into records of cells; blank records are passed over.

    delimiter: one character that the analyst chose, None = find it.
    Raises ImportRefused for more than MAX_ROWS rows or MAX_COLUMNS columns.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in "\r\n\"'\\"):
        raise ImportRefused(
            filename, f"cannot be split at {delimiter!r}: choose one character between cells."
        )
    hint, skipped = take_hint(text)
    body = text[skipped:]
    dialect = find_dialect(body, delimiter or hint)
    grid = _best_grid(body, dialect, filename)
    if skipped:
        grid.lines = [line + 1 for line in grid.lines]
        grid.refusals = [replace(refusal, line=refusal.line + 1) for refusal in grid.refusals]
    _refuse_wide_rows(grid, dialect, filename)
    return grid, dialect


def _refuse_wide_rows(grid: Grid, dialect: Dialect, filename: str) -> None:
    """Set single rows beyond MAX_COLUMNS aside; a table that is too wide as a whole is refused."""
    wide = [index for index, cells in enumerate(grid.records) if len(cells) > MAX_COLUMNS]
    if not wide:
        return
    width = modal_width(grid.records)
    if width > MAX_COLUMNS or 0 in wide:
        found = max(width, len(grid.records[wide[0]]))
        raise ImportRefused(
            filename,
            f"has {found:,} columns, more than the {MAX_COLUMNS} that can be read: "
            "delete the columns that are not needed.",
        )
    for index in reversed(wide):
        cells, line = grid.records.pop(index), grid.lines.pop(index)
        reason = f"it has {len(cells):,} values, more than the {MAX_COLUMNS} that can be read"
        grid.refusals.append(Refusal(line, dialect.delimiter.join(cells), reason))
    grid.refusals.sort(key=lambda refusal: refusal.line)


def _best_grid(text: str, dialect: Dialect, filename: str) -> Grid:
    strict: Grid | None = None
    for candidate in _readings(text, dialect):
        grid = _strict(candidate, dialect, filename)
        if grid is None:
            continue
        if modal_share(grid.records) >= STRICT_SHARE and not _hides_rows(grid.records, dialect):
            return _with_other_delimiters(grid, dialect)
        if strict is None or modal_share(grid.records) > modal_share(strict.records):
            strict = grid
    # Rows may be ragged with every quote in its place; then there is no quote to be mended.
    if strict and not _hides_rows(strict.records, dialect):
        return _with_other_delimiters(strict, dialect)
    return _Tolerant(text, dialect, filename).read()


def modal_width(records: Iterable[list[str]]) -> int:
    """Return the most frequent number of cells; of equally frequent ones the larger; 0 without records."""
    counts = Counter(map(len, records))
    return max(counts.items(), key=lambda item: (item[1], item[0]))[0] if counts else 0


def modal_share(records: list[list[str]]) -> float:
    """Return the share of records that have the most frequent number of cells."""
    return max(Counter(map(len, records)).values()) / len(records) if records else 0.0


# --- strict ---------------------------------------------------------------------------------


def _readings(text: str, dialect: Dialect) -> Iterator[str]:
    """Yield the text as it stands and as other well-defined notations of CSV have it, the likeliest first."""
    quote, mark = dialect.quote, dialect.delimiter
    escaped = None
    if f"\\{quote}" in text or f"\\{mark}" in text:
        pattern = re.compile(rf"\\([\\{quote}{re.escape(mark)}])")
        escaped = pattern.sub(lambda match: _HELD.get(match[1], match[1]), text)
    if escaped and _escapes_all_quotes(text, dialect):
        yield escaped
        yield text
    else:
        yield text
        if escaped:
            yield escaped
    pairs, returns, feeds = text.count("\r\n"), text.count("\r"), text.count("\n")
    if pairs and (feeds > pairs or returns > pairs):
        # Records end with CRLF; other line ends stand inside cells that nobody quoted.
        inner = re.sub(r"(?<!\r)\n", _HELD["\n"], text)
        yield re.sub(r"\r(?!\n)", _HELD["\r"], inner)
    elif not pairs and returns > feeds > 0:
        yield text.replace("\n", _HELD["\n"])


def _escapes_all_quotes(text: str, dialect: Dialect) -> bool:
    """Whether every quote inside a cell has a backslash, so that the backslash is no text."""
    quote, mark = dialect.quote, re.escape(dialect.delimiter)
    bare = re.compile(rf"(?<![\\{mark}\r\n])(?<!\A){quote}(?![{mark}\r\n])(?!\Z)")
    # An even number of them is text that ends with backslashes: the quote after it ends the cell.
    odd = re.compile(rf"(?<!\\)(?:\\\\)*\\{quote}")
    return bool(odd.search(text)) and not bare.search(text)


def _strict(text: str, dialect: Dialect, filename: str) -> Grid | None:
    """Read by RFC 4180; None when a quote is out of place or a cell too long."""
    csv.field_size_limit(MAX_CELL_CHARS)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        skipinitialspace=dialect.spaced,
        strict=True,
    )
    records: list[list[str]] = []
    lines: list[int] = []
    start = 1
    is_held = bool(_HELD_ANY.search(text))
    try:
        for found in reader:
            cells = [cell.translate(_RELEASED) for cell in found] if is_held else found
            if not _is_blank(cells):
                records.append(cells)
                lines.append(start)
                _refuse_many_rows(records, filename)
            start = reader.line_num + 1
    except csv.Error:
        return None
    return Grid(records, lines)


def _is_blank(cells: list[str]) -> bool:
    return not any(cells) or not "".join(cells).strip()


def _refuse_many_rows(records: list[list[str]], filename: str) -> None:
    if len(records) > MAX_ROWS + _SPARE_ROWS:
        refuse_rows(filename)


def refuse_rows(filename: str) -> None:
    """Raise ImportRefused because of too many rows."""
    raise ImportRefused(filename, f"has more than {MAX_ROWS:,} rows: split it and load the parts.")


def _hides_rows(records: list[list[str]], dialect: Dialect) -> bool:
    """Whether a quoted cell holds whole records: two stray quotes have swallowed what lies between them."""
    marks = modal_width(records) - 1
    if marks < 1:
        return False
    for cells in records:
        for cell in cells:
            if "\n" in cell or "\r" in cell:
                inner = [line for line in _LINE_END.split(cell)[1:-1] if line]
                if inner and all(line.count(dialect.delimiter) >= marks for line in inner):
                    return True
    return False


def _with_other_delimiters(grid: Grid, dialect: Dialect) -> Grid:
    """Split the rows again that have the right width only with another delimiter, or a space after it."""
    width = modal_width(grid.records)
    for index, cells in enumerate(grid.records):
        # A cell that holds the delimiter was quoted; its text alone does not show where it ends.
        if len(cells) != width and not any(dialect.delimiter in cell for cell in cells):
            other = split_otherwise(dialect.delimiter.join(cells), dialect, len(cells), width)
            if other:
                grid.records[index] = other
                _note_other_delimiter(grid, grid.lines[index], dialect)
    return grid


def split_otherwise(text: str, dialect: Dialect, found: int, width: int) -> list[str] | None:
    """Return the cells of a row of odd width if another delimiter gives the expected one, else None."""
    if width < _SURE_WIDTH:
        return None
    if found > width:
        # Quotes behind a space ("a, "b, c", d") were not seen as such.
        return _split_at(text, Dialect(dialect.delimiter, dialect.quote, spaced=True), width)
    for mark in (*DELIMITERS, " "):
        if mark == dialect.delimiter or mark not in text or (mark == " " and width < _SURE_WIDTH_OF_WORDS):
            continue
        for spaced in (False, True) if mark != " " else (False,):
            cells = _split_at(text, Dialect(mark, dialect.quote, spaced), width)
            if cells:
                return cells
    return None


def _split_at(text: str, dialect: Dialect, width: int) -> list[str] | None:
    tried = split_line(text, dialect)
    if len(tried.cells) != width or tried.is_open:
        return None
    is_spaced = f"{dialect.delimiter} " in text
    return [cell.removeprefix(" ") for cell in tried.cells] if is_spaced else tried.cells


def _note_other_delimiter(grid: Grid, line: int, dialect: Dialect) -> None:
    grid.repairs.add(
        f"Line {line}: the values are not separated by {dialect.delimiter!r} alone as in the other lines; "
        "they were split at what separates them.",
        "rows with another delimiter",
    )


# --- tolerant -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Split:
    """One line or several joined ones, split into cells.

    quoted: positions of the cells that a quote opened. is_open: the last of them was never closed.
    """

    cells: list[str] = field(default_factory=list)
    quoted: list[int] = field(default_factory=list)
    is_open: bool = False


def split_line(text: str, dialect: Dialect, stray: int = -1) -> _Split:
    """Split at delimiters outside of quotes.

    A quote opens only at the start of a cell and closes only before a delimiter or the end; all other
    quotes are text. stray: position of a cell whose opening quote counts as a mistake and is left out.
    """
    mark, quote = dialect.delimiter, dialect.quote
    result = _Split()
    position, end = 0, len(text)
    while True:
        start = position
        if dialect.spaced and text.startswith(" ", start):
            start += 1
        if text.startswith(quote, start):
            if len(result.cells) != stray:
                result.quoted.append(len(result.cells))
                cell, position = _quoted_cell(text, start + 1, dialect)
                result.cells.append(cell)
                if position < 0:
                    result.is_open = True
                    return result
                if position > end:
                    return result
                continue
            start += 1
        cut = text.find(mark, start)
        if cut < 0:
            result.cells.append(text[start:])
            return result
        result.cells.append(text[start:cut])
        position = cut + 1


def _quoted_cell(text: str, start: int, dialect: Dialect) -> tuple[str, int]:
    """Return the cell and where the next one starts: past the end for the last, -1 when it never closes."""
    quote, mark = dialect.quote, dialect.delimiter
    for run in _QUOTE_RUNS[quote].finditer(text, start):
        if (run.end() - run.start()) % 2 == 0:
            continue  # pairs: quotes that belong to the text
        after = run.end()
        while mark != " " and text.startswith(" ", after):
            after += 1
        if after == len(text) or text.startswith(mark, after):
            return text[start : run.end() - 1].replace(quote * 2, quote), after + 1
    return text[start:].replace(quote * 2, quote), -1


class _Tolerant:
    """Reads line by line; a quote that does not close nearby is a stray one.

    work: characters looked at by joining lines; it stays within `budget`, which grows with the text alone.
    """

    def __init__(self, text: str, dialect: Dialect, filename: str) -> None:
        self.dialect = dialect
        self.filename = filename
        self.work = 0
        self.budget = len(text) + _SPARE_WORK
        self._text = text
        spans = [match.span() for match in _LINE_END.finditer(text)]
        self._starts = [0, *(end for _, end in spans)]
        self._ends = [*(start for start, _ in spans), len(text)]
        closing = re.compile(rf"{dialect.quote}[ ]*(?={re.escape(dialect.delimiter)}|[\r\n]|\Z)")
        self._closing = [match.start() for match in closing.finditer(text)]
        self._width = self._expected_width()
        self._grid = Grid([], [], Repairs())
        self._broken = 0

    def _line(self, number: int) -> str:
        return self._text[self._starts[number] : self._ends[number]]

    def read(self) -> Grid:
        """Return the records; lines that cannot be used are among the refusals."""
        number = 0
        while number < len(self._starts):
            cells, taken = self._record(number)
            self._keep(number, cells, taken)
            number += taken
        return self._grid

    def _keep(self, number: int, cells: list[str], taken: int) -> None:
        longest = max(map(len, cells))
        if longest > MAX_CELL_CHARS:
            self._refuse(
                number,
                f"a cell has {longest:,} characters, more than the {MAX_CELL_CHARS:,} that can be read",
                taken,
            )
        elif not _is_blank(cells):
            self._grid.records.append(cells)
            self._grid.lines.append(number + 1)
            _refuse_many_rows(self._grid.records, self.filename)

    def _refuse(self, number: int, reason: str, taken: int = 1) -> None:
        text = self._text[self._starts[number] : self._ends[number + taken - 1]]
        self._grid.refusals.append(Refusal(number + 1, text, reason))

    def _expected_width(self) -> int:
        """Return the most frequent width of the lines whose quotes are in order."""
        widths: Counter[int] = Counter()
        for line in map(self._line, range(min(_WIDTH_LINES, len(self._starts)))):
            if line.strip() and len(line) <= MAX_JOINED_CHARS:
                split = split_line(line, self.dialect)
                if not split.is_open:
                    widths[len(split.cells)] += 1
        if len(widths) > 1:
            # Lines inside multi-line cells often hold no delimiter at all.
            widths.pop(1, None)
        return max(widths.items(), key=lambda item: (item[1], item[0]))[0] if widths else 1

    def _record(self, number: int) -> tuple[list[str], int]:
        """Return the cells of the record that starts at a line, and how many lines it takes."""
        line = self._line(number)
        split = split_line(line, self.dialect)
        if len(split.cells) == self._width and not split.is_open:
            return split.cells, 1
        joined = self._join(number) if split.is_open else None
        if joined and len(joined[0]) == self._width and not self._are_records(number, joined[1]):
            return joined
        if split.is_open:
            self._count_broken(number)
        mended = self._without_stray_quote(number, split) if split.quoted else None
        if mended:
            return mended, 1
        if joined and not self._are_records(number, joined[1]):
            return joined
        other = split_otherwise(line, self.dialect, len(split.cells), self._width)
        if other:
            _note_other_delimiter(self._grid, number + 1, self.dialect)
            return other, 1
        if split.is_open:
            self._note_stray(number, split.quoted[-1])
            split = split_line(line, self.dialect, stray=split.quoted[-1])
        return split.cells, 1

    def _count_broken(self, number: int) -> None:
        self._broken += 1
        if self._broken > MAX_BROKEN_QUOTES:
            raise ImportRefused(
                self.filename,
                f"has broken quotes in more than {MAX_BROKEN_QUOTES:,} lines (up to line {number + 1:,}): "
                "export it again with every text in double quotes.",
            )

    def _join(self, number: int) -> tuple[list[str], int] | None:
        """Join following lines until the open quote closes; None when that is too far away."""
        start, last = self._starts[number], number
        # Only lines on which some quote closes are worth a try.
        while (following := bisect_left(self._closing, self._ends[last])) < len(self._closing):
            last = bisect_right(self._starts, self._closing[following]) - 1
            size = self._ends[last] - start
            if last - number > MAX_JOINED_LINES or size > MAX_JOINED_CHARS:
                return None
            work = size + _ATTEMPT_WORK
            if self.work + work > self.budget:
                self._grid.repairs.add(
                    f"Line {number + 1}: too many quotes never close; a quote ends with its line from here.",
                    "rows after too many open quotes",
                )
                return None
            self.work += work
            split = split_line(self._text[start : self._ends[last]], self.dialect)
            if not split.is_open:
                return split.cells, last - number + 1
        return None

    def _are_records(self, number: int, taken: int) -> bool:
        """Whether each following line is a record of its own, so that the quote cannot reach across them."""
        return all(
            self._line(following).count(self.dialect.delimiter) >= self._width - 1 > 0
            for following in range(number + 1, number + taken)
        )

    def _without_stray_quote(self, number: int, split: _Split) -> list[str] | None:
        """Return the cells when one opening quote is left out, if they are as many as expected."""
        line = self._line(number)
        mark = f"{self.dialect.delimiter}{self.dialect.quote}"
        doubtful = [place for place in split.quoted if mark in split.cells[place]]
        if split.is_open and split.quoted[-1] not in doubtful:
            doubtful.append(split.quoted[-1])
        # Only a quote that never closes, or whose text holds the start of another quoted cell, can be stray.
        for position in doubtful[:_TRIED_QUOTES]:
            tried = split_line(line, self.dialect, stray=position)
            if len(tried.cells) == self._width and not tried.is_open:
                self._note_stray(number, position)
                return tried.cells
        return None

    def _note_stray(self, number: int, position: int) -> None:
        self._grid.repairs.add(
            f"Line {number + 1}: the quote that opens value {position + 1} never closes; it is left out. "
            "Check the quotes.",
            "rows with a stray quote",
        )
