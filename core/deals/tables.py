"""Bytes of a delimited text file become a table of text cells.

Nothing is typed here and nothing is dropped: a row of the wrong width is kept and listed
among the repairs. Files that are no text, or no table, are refused with a reason.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from itertools import count, islice

from charset_normalizer import from_bytes

from core.errors import ImportRefused
from core.settings import MAX_COLUMNS, MAX_ROWS

DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Table:
    """Text cells under unique column names.

    rows: each as long as `columns`.
    lines: 1-based line in the file where each row ends, aligned with `rows`.
    repairs: sentences about what was mended on the way.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    repairs: tuple[str, ...]


def decode(data: bytes, filename: str) -> tuple[str, list[str]]:
    """Return the text of a file and what had to be assumed about its encoding.

    Raises ImportRefused when the bytes are no text.
    """
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            try:
                return data.decode(encoding), []
            except UnicodeDecodeError:
                raise ImportRefused(
                    filename,
                    f"starts as {encoding} but does not stay so: save it as UTF-8 and load it again.",
                ) from None
    if b"\0" in data[:4096]:
        raise ImportRefused(filename, "is not a text file: export the deals as CSV, TSV, JSON or JSON Lines.")
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        encoding = _guess_encoding(data[:200_000])
        text = data.decode(encoding, errors="replace")
        replaced = text.count("�")
        note = f"The file is not UTF-8; read as {encoding}"
        return text, [f"{note}, {replaced} characters could not be read." if replaced else f"{note}."]


def _guess_encoding(data: bytes) -> str:
    """Return the likeliest 8-bit encoding; where several fit equally well, what Western Excel writes."""
    matches = list(from_bytes(data, cp_isolation=["cp1252", "cp1250", "cp1251", "latin_1"]))
    if not matches:
        return "cp1252"
    fewest = min((match.chaos, -match.coherence) for match in matches)
    fitting = [match for match in matches if (match.chaos, -match.coherence) == fewest]
    western = any("cp1252" in match.could_be_from_charset for match in fitting)
    return "cp1252" if western else fitting[0].encoding


def read_table(data: bytes, filename: str) -> Table:
    """Read a delimited file (comma, semicolon, tab or pipe) whose first row names the columns.

    Raises ImportRefused for an empty file, a file that is no text, broken quotes, and
    more than MAX_ROWS rows or MAX_COLUMNS columns.
    """
    text, repairs = decode(data, filename)
    if not text.strip():
        raise ImportRefused(filename, "is empty: choose a file with a header row and one deal per row.")
    records = _records(text, filename)
    if not records:
        raise ImportRefused(filename, "holds no rows: choose a file with a header row and one deal per row.")
    columns, renamed = _unique_columns(records[0][1], filename)
    width = max(len(columns), *(len(cells) for _, cells in records)) if len(records) > 1 else len(columns)
    if width > MAX_COLUMNS:
        raise ImportRefused(filename, f"has {width} columns, more than the {MAX_COLUMNS} that can be read.")
    extra = (name for number in count(1) if (name := f"_extra_{number}") not in columns)
    columns += list(islice(extra, width - len(columns)))
    repairs += renamed
    rows, lines = [], []
    named = len(records[0][1])
    for line, cells in records[1:]:
        if len(cells) != named:
            repairs.append(
                f"Line {line}: {len(cells)} values for {named} columns; "
                + (
                    "missing values are unknown."
                    if len(cells) < named
                    else "the rest is kept in _extra columns."
                )
            )
        rows.append((*cells, *[""] * (width - len(cells))))
        lines.append(line)
    return Table(tuple(columns), tuple(rows), tuple(lines), tuple(repairs))


def _records(text: str, filename: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    records: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                records.append((reader.line_num, cells))
            if len(records) > MAX_ROWS + 1:
                raise ImportRefused(
                    filename, f"has more than {MAX_ROWS:,} rows: split it and load the parts."
                )
    except csv.Error as error:
        raise ImportRefused(
            filename,
            f"cannot be read as a table near line {reader.line_num} ({error}): check the quotes there.",
        ) from None
    return records


def _delimiter(text: str) -> str:
    """Choose the delimiter that gives the sampled lines the same width most often."""
    sample = [line for line in text.lstrip()[:65_536].splitlines()[:50] if line.strip()]

    def score(mark: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in csv.reader(sample, delimiter=mark))
        width, rows = widths.most_common(1)[0]
        return (rows / len(sample) if width > 1 else 0.0, width)

    return max(DELIMITERS, key=score)


def _unique_columns(header: list[str], filename: str) -> tuple[list[str], list[str]]:
    if len(header) > MAX_COLUMNS:
        raise ImportRefused(
            filename, f"has {len(header)} columns, more than the {MAX_COLUMNS} that can be read."
        )
    columns: list[str] = []
    repairs: list[str] = []
    for position, cell in enumerate(header, start=1):
        name = cell.strip() or f"column_{position}"
        unique, number = name, 2
        while unique in columns:
            unique, number = f"{name}_{number}", number + 1
        if unique != cell.strip():
            repairs.append(f"Column {position} is called {cell.strip()!r}; it is read as {unique!r}.")
        columns.append(unique)
    return columns, repairs
