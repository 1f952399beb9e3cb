"""Records become a table: which of them is the header, what stands above it, and rows of odd width."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import count, islice

from core.deals.vocabulary import field_for_column
from core.errors import ImportRefused
from core.reading.delimited import modal_width, refuse_rows
from core.reading.grid import Grid, Repairs, Source, Table
from core.settings import MAX_COLUMNS, MAX_ROWS

# A header stands among the first records, or there is none.
_SEARCHED = 20
# Rows that show what kind of value a column holds.
_PROFILED = 200
_MAX_HEADER_ROWS = 3
_QUOTED_CHARS = 300
_LISTED_LINES = 10
# Longer cells are texts, not names.
_LONGEST_NAME = 100
# With fewer columns one known name, or one value that comes again, says enough, and no less does with more.
_PAIR = 2
_KINDS = (
    ("number", re.compile(r"[-+]?[$€£¥]?\s?[-+]?(?:\d[\d.,' ]*|\.\d+)(?:[eE][-+]?\d+)?\s?[%€$£]?")),
    ("date", re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?")),
    ("time", re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?")),
    ("address", re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+")),
    ("boolean", re.compile(r"true|false|yes|no", re.IGNORECASE)),
    ("code", re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])[\w\-]{4,}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{20,}")),
)
_YEAR = re.compile(r"(?:19|20)\d\d")


def kind_of(cell: str) -> str:
    """Return what a cell looks like: "", "number", "date", "time", "address", "boolean", "code" or "text"."""
    value = cell.strip()
    if not value:
        return ""
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(value)), "text")


def shape(grid: Grid, source: Source, filename: str, header_line: int | None = None) -> Table:
    """Find the header and give every row the width of the columns.

    header_line: 1-based line that the analyst named, 0 = there is none, None = find it.
    Raises ImportRefused when no records are left, or there are more rows than MAX_ROWS.
    """
    if not grid.records:
        _refuse_if_all_are_refused(grid, filename)
        raise ImportRefused(filename, "holds no rows: choose a file with a header row and one deal per row.")
    repairs = Repairs(list(grid.repairs.sentences))
    first, height = _header_position(grid, header_line, filename)
    _note_preamble(grid, first, repairs)
    header = _merged_header(grid.records[first : first + height]) if height else []
    if height > 1:
        repairs.add(
            f"Lines {grid.lines[first]}-{grid.lines[first + height - 1]} together name the columns; "
            "their cells are joined."
        )
    if not height:
        repairs.add("No row names the columns; they are numbered. Name them in the mapping.")
    records, lines = grid.records[first + height :], grid.lines[first + height :]
    if height:
        records, lines = _without_repeated_headers(
            grid.records[first : first + height], records, lines, repairs
        )
    if len(records) > MAX_ROWS:
        refuse_rows(filename)
    if not records and grid.refusals:
        refused = grid.refusals[0]
        raise ImportRefused(
            filename, f"holds no row that can be read; line {refused.line}: {refused.reason}."
        )
    columns, rows = _aligned(header, records, lines, repairs, filename)
    return Table(
        tuple(columns),
        tuple(rows),
        tuple(lines),
        repairs.listed(),
        tuple(grid.refusals),
        Source(
            source.format,
            source.encoding,
            source.delimiter,
            source.sheet,
            grid.lines[first] if height else 0,
            source.sheets,
        ),
    )


def _refuse_if_all_are_refused(grid: Grid, filename: str) -> None:
    if grid.refusals:
        refused = grid.refusals[0]
        raise ImportRefused(
            filename, f"holds no row that can be read; line {refused.line}: {refused.reason}."
        )


# --- header ---------------------------------------------------------------------------------


def known_names(cells: Sequence[str]) -> int:
    """Return how many cells are names of different fields of a deal."""
    found = (field_for_column(cell) for cell in cells if 0 < len(cell) <= _LONGEST_NAME)
    return len({owner.name for owner in found if owner})


def _filled(cells: Sequence[str]) -> int:
    return sum(1 for cell in cells if cell.strip())


def _header_position(grid: Grid, header_line: int | None, filename: str) -> tuple[int, int]:
    """Return the index of the first header record and how many records the header takes (0 = none)."""
    if header_line == 0:
        return 0, 0
    if header_line is not None:
        for index, line in enumerate(grid.lines):
            if line == header_line:
                return index, 1
        raise ImportRefused(
            filename, f"has no record that starts at line {header_line}: choose another line."
        )
    by_names = _header_by_names(grid.records)
    if by_names:
        return by_names
    index = _header_by_shape(grid.records)
    if _is_data(grid.records[index], grid.records[index + 1 : index + 1 + _PROFILED]):
        return index, 0
    return index, _header_height(grid.records[index : index + _PROFILED])


def _header_by_names(records: Sequence[list[str]]) -> tuple[int, int] | None:
    """Find the record, or the few records joined, with the most names of fields; None below two.

    One name is enough in a table of one or two columns.
    """
    best, most = None, 0
    for height in range(1, _MAX_HEADER_ROWS + 1):
        single = most
        for index in range(min(_SEARCHED, len(records) - height + 1)):
            rows = records[index : index + height]
            if height > 1 and not _may_join(rows):
                continue
            # Joined rows must name clearly more than the best row alone, or data would pass for a header.
            known = known_names(_merged_header(rows))
            if known > max(most, single + (height > 1)):
                best, most = (index, height), known
    if best and best[1] == 1 and best[0] and _completes(records[best[0] - 1], records[best[0]]):
        best = best[0] - 1, 2
    narrow = modal_width(records[:_PROFILED]) <= _PAIR
    return best if most > 1 or (most and narrow and best and best[0] == 0) else None


def _completes(above: list[str], names: list[str]) -> bool:
    """Whether the row above is the first half of the names ("Floor" over "Price"), not a line of its own."""
    if not _may_join([above, names]):
        return False
    halves = (
        f"{upper.strip()} {lower.strip()}"
        for upper, lower in zip(_spread(above), names, strict=False)
        if upper.strip() and lower.strip()
    )
    return known_names(list(halves)) > 1


def _may_join(rows: Sequence[list[str]]) -> bool:
    return all(_filled(cells) > 1 and all(kind_of(cell) in {"", "text"} for cell in cells) for cells in rows)


def _merged_header(rows: Sequence[list[str]]) -> list[str]:
    """Join header rows column by column; a name spreads over the empty cells right of it, as merged cells do.

    Where the joined name says nothing but the lowest alone does ("Content" over "tier1"), that is taken.
    """
    if len(rows) == 1:
        return list(rows[0])
    width = max(map(len, rows))
    spread: list[list[str]] = []
    for number, cells in enumerate(rows):
        padded = [*cells, *[""] * (width - len(cells))]
        if number < len(rows) - 1 and any(not cell.strip() for cell in padded):
            padded = _spread(padded)
        spread.append(padded)
    lowest = [cell.strip() for cell in spread[-1]]
    times = Counter(lowest)
    header = []
    for position in range(width):
        parts = [cells[position].strip() for cells in spread if cells[position].strip()]
        name, joined = lowest[position], " ".join(dict.fromkeys(parts))
        says_more = name and times[name] == 1 and field_for_column(name) and not field_for_column(joined)
        header.append(name if says_more else joined)
    return header


def _spread(cells: Sequence[str]) -> list[str]:
    result: list[str] = []
    for cell in cells:
        result.append(cell if cell.strip() or not result else result[-1])
    return result


def _header_by_shape(records: Sequence[list[str]]) -> int:
    """Return the first record that is about as full as the table; lines above a table are sparse."""
    width = modal_width(records)
    for index, cells in enumerate(records[:_SEARCHED]):
        if _filled(cells) * 2 > width or width < _PAIR:
            return index
    return 0


def _is_data(first: Sequence[str], below: Sequence[list[str]]) -> bool:
    """Whether the record where a header should be is a row like those below it."""
    cells = [cell.strip() for cell in first]
    filled = [cell for cell in cells if cell]
    typed = [cell for cell in filled if kind_of(cell) not in {"text", "code"} and not _YEAR.fullmatch(cell)]
    codes = sum(kind_of(cell) == "code" for cell in filled)
    if typed and (len(typed) + codes) * 5 >= len(filled) * 2:
        return True
    again = 0
    for position, cell in enumerate(cells):
        column = {
            row[position].strip() for row in below if position < len(row) and row[: len(cells)] != first
        }
        again += bool(cell) and cell in column
    return again >= _PAIR or (again == 1 and bool(typed or codes))


def _header_height(records: Sequence[list[str]]) -> int:
    """Return how many records the header takes: those above the first with values of the columns' kinds."""
    body = records[_MAX_HEADER_ROWS:]
    if len(body) < _MAX_HEADER_ROWS:
        return 1
    typed = [position for position, kind in enumerate(_profile(body)) if kind not in {"", "text"}]
    if len(typed) < _PAIR:
        return 1
    height = 1
    for cells in records[1:_MAX_HEADER_ROWS]:
        is_name = [position < len(cells) and kind_of(cells[position]) == "text" for position in typed]
        if not all(is_name):
            break
        height += 1
    return height


def _profile(records: Sequence[list[str]]) -> list[str]:
    """Return per column the kind that nearly all its values have, "" where they have none in common."""
    width = modal_width(records)
    kinds = []
    for position in range(width):
        counts = Counter(kind_of(cells[position]) for cells in records if len(cells) == width)
        counts.pop("", None)
        kind, rows = counts.most_common(1)[0] if counts else ("", 0)
        kinds.append(kind if rows and rows >= counts.total() * 0.9 else "")
    return kinds


def _note_preamble(grid: Grid, first: int, repairs: Repairs) -> None:
    for line, cells in zip(grid.lines[:first], grid.records[:first], strict=True):
        text = " | ".join(cell for cell in cells if cell.strip())
        shown = text if len(text) <= _QUOTED_CHARS else f"{text[:_QUOTED_CHARS]}…"
        repairs.add(f"Line {line} stands above the column names and is no deal; it is left out: {shown!r}.")


def _without_repeated_headers(
    header: Sequence[list[str]], records: list[list[str]], lines: list[int], repairs: Repairs
) -> tuple[list[list[str]], list[int]]:
    names = {tuple(_trimmed(cells)) for cells in header if _filled(cells) > 1 or len(cells) == 1}
    repeated = [index for index, cells in enumerate(records) if tuple(_trimmed(cells)) in names]
    if not repeated:
        return records, lines
    shown = ", ".join(str(lines[index]) for index in repeated[:_LISTED_LINES])
    shown += ", …" if len(repeated) > _LISTED_LINES else ""
    repairs.add(f"The column names stand in the file again (line {shown}); left out {len(repeated):,} times.")
    gone = set(repeated)
    kept = [index for index in range(len(records)) if index not in gone]
    return [records[index] for index in kept], [lines[index] for index in kept]


def _trimmed(cells: Sequence[str]) -> list[str]:
    trimmed = [cell.strip() for cell in cells]
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    return trimmed


# --- width ----------------------------------------------------------------------------------


def _aligned(
    header: list[str], records: list[list[str]], lines: list[int], repairs: Repairs, filename: str
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return unique column names and rows of their width; what is missing is "", what is too much is kept."""
    named = len(header) or modal_width(records)
    trailing = _empty_tail(header, named, records)
    named -= trailing
    if trailing and any(len(cells) > named for cells in records):
        repairs.add(f"{trailing} columns at the end have neither name nor values; they are left out.")
        records = [_cut_tail(cells, named) for cells in records]
    kinds = _profile(records[:_PROFILED])
    rows: list[list[str]] = []
    for line, cells in zip(lines, records, strict=True):
        if len(cells) == named:
            rows.append(cells)
            continue
        rows.append(_mended(cells, named, kinds, header, line, repairs))
    width = max((len(cells) for cells in rows), default=named)
    width = max(width, named)
    columns = _unique_columns(header[:named] if header else [""] * named, repairs, is_named=bool(header))
    if width > MAX_COLUMNS:
        raise ImportRefused(filename, f"has {width:,} columns, more than the {MAX_COLUMNS} that can be read.")
    taken = set(columns)
    extra = (name for number in count(1) if (name := f"_extra_{number}") not in taken)
    columns += islice(extra, width - named)
    return columns, [
        tuple(cells) if len(cells) == width else (*cells, *[""] * (width - len(cells))) for cells in rows
    ]


def _empty_tail(header: list[str], named: int, records: list[list[str]]) -> int:
    """Return how many columns at the right end have neither a name nor a value; one column always stays."""
    used = max((position for position, name in enumerate(header, 1) if name.strip()), default=0)
    if not header or used == named:
        # A delimiter at the end of (nearly) every row: one more column, always empty.
        return 0
    for cells in records:
        for position in range(len(cells), used, -1):
            if cells[position - 1].strip():
                used = position
                break
    return max(0, named - max(used, 1))


def _cut_tail(cells: list[str], named: int) -> list[str]:
    return cells if len(cells) <= named or any(cell.strip() for cell in cells[named:]) else cells[:named]


def _mended(
    cells: list[str], named: int, kinds: list[str], header: list[str], line: int, repairs: Repairs
) -> list[str]:
    """Tell about a row of odd width; an empty value too many goes to the end if the kinds show it."""
    found = f"Line {line}: {len(cells)} values for {named} columns;"
    if len(cells) < named:
        repairs.add(f"{found} missing values are unknown.", "short rows")
        return [*cells, *[""] * (named - len(cells))]
    place = _superfluous(cells, named, kinds)
    if place is None:
        repairs.add(f"{found} the rest is kept in _extra columns.", "long rows")
        return cells
    after = f"after {header[place - 1].strip()!r}" if 0 < place <= len(header) else "at its start"
    repairs.add(f"{found} extra '' {after} kept as _extra_1. Check the quotes.", "long rows")
    return [*cells[:place], *cells[place + 1 :], ""]


def _superfluous(cells: list[str], named: int, kinds: list[str]) -> int | None:
    """Return the place of the one empty value without which more values have the kind of their column."""
    if len(cells) != named + 1 or len(kinds) < named:
        return None
    own = [kind_of(cell) for cell in cells]
    # fit[i]: values up to i that fit where they stand; shifted[i]: values from i on that fit one place left.
    straight = [kind != "" and kind == own[place] for place, kind in enumerate(kinds[:named])]
    moved = [kind != "" and kind == own[place + 1] for place, kind in enumerate(kinds[:named])]
    best, place = sum(straight), None
    fitting = sum(moved)
    for position in range(named):
        if not own[position] and fitting > best:
            best, place = fitting, position
        fitting += straight[position] - moved[position]
    return place


def _unique_columns(header: Sequence[str], repairs: Repairs, *, is_named: bool = True) -> list[str]:
    columns: list[str] = []
    taken: set[str] = set()
    for position, cell in enumerate(header, start=1):
        name = cell.strip() or f"column_{position}"
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        if is_named and unique != cell.strip():
            repairs.add(f"Column {position} is called {cell.strip()!r}; it is read as {unique!r}.")
        taken.add(unique)
        columns.append(unique)
    return columns
