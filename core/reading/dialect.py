"""Which delimiter and which quote a delimited text uses, found in a sample of its lines."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.deals.vocabulary import field_for_column

DELIMITERS = (",", ";", "\t", "|")
# Only where none of the others makes a table: these stand in ordinary text.
RARE_DELIMITERS = (" ", "^", "~")
_RARE_FACTOR = 0.5
_RARE_MIN_WIDTH = 3
_RARE_MIN_SHARE = 0.95
_SAMPLE_CHARS = 65_536
_SAMPLE_LINES = 300
_SURE_SHARE = 0.85
# Spreadsheet programs write the delimiter into a first line of its own.
_HINT = re.compile(r"\A\s*\"?sep=(.)\"?[ \t]*(?:\r\n|\r|\n)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How records become cells.

    spaced: every delimiter is followed by a space that belongs to it ("a, b, c").
    """

    delimiter: str
    quote: str = '"'
    spaced: bool = False


def take_hint(text: str) -> tuple[str | None, int]:
    """Return the delimiter that a first line "sep=;" names, and the length of that line."""
    match = _HINT.match(text)
    return (match[1], match.end()) if match else (None, 0)


def find_dialect(text: str, delimiter: str | None = None) -> Dialect:
    """Return the likeliest dialect; a given delimiter is kept."""
    lines = _sample(text)
    if not lines:
        return Dialect(delimiter or ",")
    chosen = delimiter or _find_delimiter(lines)
    quote = "'" if _is_single_quoted(lines, chosen) else '"'
    return Dialect(chosen, quote, _is_spaced(lines, chosen, quote))


def _sample(text: str) -> list[str]:
    start = text.lstrip("\r\n")[:_SAMPLE_CHARS]
    lines = re.split(r"\r\n|\r|\n", start)
    if len(start) == _SAMPLE_CHARS and len(lines) > 1:
        lines.pop()  # cut in the middle
    return [line for line in lines if line.strip()][:_SAMPLE_LINES]


def _widths(lines: Sequence[str], delimiter: str, quote: str = '"') -> list[int]:
    try:
        return [len(row) for row in csv.reader(lines, delimiter=delimiter, quotechar=quote) if row]
    except csv.Error:
        return [line.count(delimiter) + 1 for line in lines]


def _find_delimiter(lines: Sequence[str]) -> str:
    """Choose by the share of rows at the modal width times log2 of that width.

    A delimiter that shapes the first line like all others beats one that does not: lists in cells
    ("a|b|c") are often as regular as columns, but a header holds no lists. Column names of deals decide
    before anything else, because a preamble hides the header.
    """
    known = {mark: _known_names(lines, mark) for mark in DELIMITERS}
    most = max(known.values())
    if most > 1:
        return max(DELIMITERS, key=lambda mark: (known[mark], _score(lines, mark)))
    sure = [mark for mark in DELIMITERS if _fits_first_line(lines, mark)]
    candidates = sure or [*DELIMITERS, *RARE_DELIMITERS]
    best = max(candidates, key=lambda mark: _score(lines, mark))
    return best if _score(lines, best) > 0 else ","


def _known_names(lines: Sequence[str], mark: str) -> int:
    rows = csv.reader([line[:_SAMPLE_CHARS] for line in lines[:20]], delimiter=mark)
    try:
        return max(sum(field_for_column(cell) is not None for cell in row) for row in rows)
    except (csv.Error, ValueError):
        return 0


def _modal(widths: Sequence[int]) -> tuple[int, float]:
    """Return the most frequent width and its share; of equally frequent ones the larger."""
    if not widths:
        return 0, 0.0
    width, rows = max(Counter(widths).items(), key=lambda item: (item[1], item[0]))
    return width, rows / len(widths)


def _fits_first_line(lines: Sequence[str], mark: str) -> bool:
    widths = _widths(lines, mark)
    width, share = _modal(widths)
    return width > 1 and share >= _SURE_SHARE and widths[0] == width


def _score(lines: Sequence[str], mark: str) -> float:
    width, share = max(
        (_modal(_widths(lines, mark, quote)) for quote in "\"'"),
        key=lambda item: item[1] * math.log2(item[0]),
    )
    if mark not in RARE_DELIMITERS:
        return share * math.log2(width)
    if width < _RARE_MIN_WIDTH or share < _RARE_MIN_SHARE:
        return 0.0
    return _RARE_FACTOR * share * math.log2(width)


def _is_single_quoted(lines: Sequence[str], mark: str) -> bool:
    """Whether cells are wrapped in single quotes; apostrophes and Excel's text marks ('0012) are not."""
    cut = re.escape(mark)
    if any(re.search(rf'(?:^|{cut})\s?"', line) for line in lines):
        return False
    wrapped = sum(len(re.findall(rf"(?:^|{cut})\s?'(?:[^']|'')*'(?=\s?{cut}|\s*$)", line)) for line in lines)
    opened = sum(len(re.findall(rf"(?:^|{cut})\s?'", line)) for line in lines)
    if not wrapped or wrapped * 2 < opened:
        return False
    plain, quoted = _modal(_widths(lines, mark)), _modal(_widths(lines, mark, "'"))
    if quoted[1] > plain[1]:
        return True
    first = [cell.strip() for cell in lines[0].split(mark)]
    is_named = all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in first)
    return is_named or (wrapped >= max(3, len(lines) * 0.8) and wrapped == opened)


def _is_spaced(lines: Sequence[str], mark: str, quote: str) -> bool:
    if mark.isspace():
        return False
    # Inside quotes a comma is mostly followed by a space; only the others count.
    bare = [re.sub(f"{quote}[^{quote}]*{quote}", quote, line) for line in lines]
    marks = sum(line.count(mark) for line in bare)
    followed = sum(line.count(f"{mark} ") for line in bare)
    return marks > len(lines) // 2 and followed >= marks * 0.99
