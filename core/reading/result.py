"""What reading a file gave: deals, and an account of everything that was noticed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import orjson

from core.deals.deal import Deal
from core.deals.taxonomy import Category
from core.reading.grid import Source

Severity = Literal["refused", "merged", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something an analyst should know about one record.

    row: line in a text file, or position in a list; 1-based.
    message: what was found and what was done about it.
    severity: "refused" and "merged" count a whole record, "warning" only a value.
    found: the cell as it stood in the file; of a refused record its text, or its columns as JSON.
    to_do: what the analyst can do about it.
    """

    row: int
    column: str
    message: str
    severity: Severity = "warning"
    deal_id: str | None = None
    found: str = ""
    to_do: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts of records; `read == loaded + merged + refused` always holds."""

    read: int
    loaded: int
    merged: int
    refused: int


@dataclass(frozen=True, slots=True)
class CategorySuggestion:
    """A category of the file that is not in IAB Content Taxonomy 3.1 by that name.

    raw: the words of the file, "A > B". deals: how many deals hold them.
    mapped: the category of 3.1 that an official mapping names for an old code or id, else None.
    near: categories of 3.1 with near names, when there is no mapping.
    """

    raw: str
    message: str
    deals: int
    mapped: Category | None = None
    near: tuple[Category, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What a file gave.

    mapping: source column -> field it fills; columns without a field are kept in `Deal.extra`.
    repairs: sentences about what was mended or assumed in the file as a whole.
    samples: every source column -> up to three different values of it.
    ambiguous: field -> the columns that fill it where there are several, the one used first.
    source: how the file was understood (format, encoding, delimiter, sheet, header line).
    categories: words of the file -> what IAB Content Taxonomy 3.1 has instead; the deals keep the words.
    has_floor_rating: some deal is rated GARM "Floor", which a file may mean either way.
    floor_is_lowest_risk: the analyst said that it means the safest level here; else it means the worst.
    """

    deals: tuple[Deal, ...]
    problems: tuple[Problem, ...]
    ledger: Ledger
    mapping: Mapping[str, str] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()
    samples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: Source | None = None
    categories: Mapping[str, CategorySuggestion] = field(default_factory=dict)
    has_floor_rating: bool = False
    floor_is_lowest_risk: bool = False

    @property
    def unmapped(self) -> dict[str, tuple[str, ...]]:
        """Columns that fill no field -> example values; their cells are in `Deal.extra`."""
        return {column: found for column, found in self.samples.items() if column not in self.mapping}

    def to_report(self) -> dict[str, Any]:
        """Return everything but the deals as JSON-like values, for the workspace to keep."""
        return {
            "ledger": asdict(self.ledger),
            "problems": [asdict(problem) for problem in self.problems],
            "mapping": dict(self.mapping),
            "repairs": list(self.repairs),
            "samples": {column: list(found) for column, found in self.samples.items()},
            "ambiguous": {name: list(columns) for name, columns in self.ambiguous.items()},
            "source": asdict(self.source) if self.source else None,
            "categories": [asdict(suggestion) for suggestion in self.categories.values()],
            "has_floor_rating": self.has_floor_rating,
            "floor_is_lowest_risk": self.floor_is_lowest_risk,
        }

    @classmethod
    def from_report(cls, deals: tuple[Deal, ...], report: Mapping[str, Any]) -> ImportResult:
        """Rebuild a result from `to_report`; parts that an older report lacks are empty."""
        source = report.get("source")
        suggestions = [_suggestion(entry) for entry in report.get("categories", ())]
        return cls(
            deals=deals,
            problems=tuple(Problem(**problem) for problem in report["problems"]),
            ledger=Ledger(**report["ledger"]),
            mapping=dict(report["mapping"]),
            repairs=tuple(report["repairs"]),
            samples={column: tuple(found) for column, found in report.get("samples", {}).items()},
            ambiguous={name: tuple(columns) for name, columns in report.get("ambiguous", {}).items()},
            source=Source(**{**source, "sheets": tuple(source["sheets"])}) if source else None,
            categories={suggestion.raw: suggestion for suggestion in suggestions},
            has_floor_rating=report.get("has_floor_rating", False),
            floor_is_lowest_risk=report.get("floor_is_lowest_risk", False),
        )


def _suggestion(entry: Mapping[str, Any]) -> CategorySuggestion:
    mapped = entry["mapped"]
    return CategorySuggestion(
        entry["raw"],
        entry["message"],
        entry["deals"],
        _category(mapped) if mapped else None,
        tuple(map(_category, entry["near"])),
    )


def _category(entry: Mapping[str, Any]) -> Category:
    return Category(entry["id"], tuple(entry["path"]), entry["sensitive"])


def refused_rows(result: ImportResult) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of a table of the refused records: row, reason, to do, their own columns.

    Records that could not be taken apart have their text in the column "text".
    """
    refused = [problem for problem in result.problems if problem.severity == "refused"]
    taken_apart = [(problem, _columns(problem.found)) for problem in refused]
    columns = list(dict.fromkeys(name for _, cells in taken_apart for name in cells or ()))
    has_text = any(cells is None for _, cells in taken_apart)
    header = ["row", "reason", "to_do", *(["text"] if has_text else []), *columns]
    rows = []
    for problem, cells in taken_apart:
        text = ["" if cells is not None else problem.found] if has_text else []
        own = [(cells or {}).get(name, "") for name in columns]
        rows.append([str(problem.row), problem.message, problem.to_do, *text, *own])
    return header, rows


def _columns(found: str) -> dict[str, str] | None:
    try:
        record = orjson.loads(found)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and all(isinstance(x, str) for x in record.values()) else None
