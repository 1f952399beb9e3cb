"""The values that reading a table passes along: what was asked, what was found, what came out."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.settings import MAX_LISTED_REPAIRS


@dataclass(frozen=True, slots=True)
class TableOptions:
    """What an analyst decided instead of the detection; None = detect.

    encoding: a Python codec name. delimiter: one character. sheet: name of a worksheet.
    header_line: 1-based line of the column names, 0 = the file has none.
    """

    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_line: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """How a file was understood; None where a notion does not apply to its format.

    format: "csv", "tsv", "xlsx" or "parquet". header_line: 1-based, 0 = no header was found.
    sheets: names of all worksheets of a workbook, the one that was read among them.
    """

    format: str
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_line: int | None = None
    sheets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that cannot be used: its 1-based line, its text as it stood there, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """Text cells under unique column names.

    rows: each as long as `columns`. Every record that was read is in `rows` or in `refusals`.
    lines: 1-based line in the file (or row of the sheet) where each row starts, aligned with `rows`.
    repairs: sentences about what was mended or left out on the way.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    repairs: tuple[str, ...]
    refusals: tuple[Refusal, ...] = ()
    source: Source = Source("csv")


@dataclass(slots=True)
class Repairs:
    """Sentences about repairs; of each kind only the first MAX_LISTED_REPAIRS are spelled out.

    A file with 200,000 ragged rows would otherwise bring 200,000 sentences; the rest is counted.
    """

    sentences: list[str] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def add(self, sentence: str, kind: str = "") -> None:
        """Add a sentence; those with a kind ("long rows") may come by the thousand."""
        if kind:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            if self._counts[kind] > MAX_LISTED_REPAIRS:
                return
        self.sentences.append(sentence)

    def listed(self) -> tuple[str, ...]:
        """Return all sentences, with one more for every kind that was cut."""
        cut = (
            f"{count:,} {kind} in all; the first {MAX_LISTED_REPAIRS} are listed."
            for kind, count in self._counts.items()
            if count > MAX_LISTED_REPAIRS
        )
        return (*self.sentences, *cut)


@dataclass(slots=True)
class Grid:
    """Records before anybody knows which of them is the header.

    records: as wide as they stood in the file. lines: where each starts, aligned with `records`.
    """

    records: list[list[str]]
    lines: list[int]
    repairs: Repairs = field(default_factory=Repairs)
    refusals: list[Refusal] = field(default_factory=list)
