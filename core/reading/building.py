"""One record becomes a deal: its cells are read by the plan of its columns, doubts are collected.

A cell that is doubted keeps its own words in `Deal.extra`, so that no reading loses them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from core.deals.deal import Audience, Commercial, Deal, Money, Safety, Taxonomy
from core.deals.vocabulary import FIELDS, ColumnMeaning, Kind
from core.reading.result import Problem
from core.reading.values import (
    NO_CONVENTION,
    Convention,
    Reading,
    is_damaged,
    json_text,
    read_cell,
    shown,
    storable,
)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What an analyst decided about a file.

    floor_is_lowest_risk: the GARM rating "Floor" means the safest level here, not the worst.
    encoding, delimiter, sheet, header_line: how to take the file apart; None = find out.
    """

    floor_is_lowest_risk: bool = False
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_line: int | None = None


_Part = TypeVar("_Part", Taxonomy, Safety, Audience, Commercial)


class Row(NamedTuple):
    """One record: where it stands, its column names, their cells, and what is kept without reading."""

    line: int
    names: tuple[str, ...]
    cells: Sequence[object]
    kept: Mapping[str, str] | None = None


_TO_DO: dict[Kind, str] = {
    "id": "Give every deal its id as text.",
    "money": "Write one amount, such as 12.50 or USD 12.50.",
    "count": "Write a whole number, such as 1500000 or 1.5M.",
    "time": "Write dates as year-month-day, such as 2026-11-30.",
    "boolean": "Write yes or no.",
    "currency": "Write an ISO 4217 code, such as USD.",
    "list": 'Write a list as ["a", "b"] or with | between its items.',
    "countries": 'Write a list as ["US", "GB"] or with | between its items.',
}
_ANY_TO_DO = "Correct the cell in the file, or map its column to another field."

# A column with more distinct texts than this gains nothing from remembering them.
_REMEMBERED = 20_000
# Longer texts are rarely repeated.
_SHORT = 60
# What stands in the place of the id in a row that adds up the others.
_SUMMARIES = frozenset({"total", "totals", "grand total", "sum"})
_EMPTY_FORMATS: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
# Values of a list or of formats that say nothing.
_NOTHING: tuple[object, ...] = ((), _EMPTY_FORMATS)


class ColumnReader:
    """Reads the cells of one column; equal texts are read once."""

    __slots__ = ("_convention", "_known", "column", "kind", "meaning", "name")

    def __init__(self, column: str, meaning: ColumnMeaning, convention: Convention = NO_CONVENTION) -> None:
        self.column = column
        self.meaning = meaning
        self.name = meaning.field.name
        self.kind = meaning.field.kind
        self._convention = convention
        self._known: dict[str, Reading] = {}

    def read(self, cell: object) -> Reading:
        """Return what the cell says."""
        if type(cell) is not str or self.kind == "id":
            return self._read(cell)
        reading = self._known.get(cell)
        if reading is None:
            reading = self._read(cell)
            if len(self._known) < _REMEMBERED:
                self._known[cell] = reading
        return reading

    def _read(self, cell: object) -> Reading:
        reading = read_cell(self.kind, cell, self._convention)
        if self.kind == "money" and self.meaning.currency:
            reading = _in_currency_of_header(reading, self.meaning.currency, cell)
        if self.kind != "id" and isinstance(cell, str) and is_damaged(cell):
            doubt = f"{shown(cell)} holds a character that cannot be read, shown as U+FFFD"
            reading = Reading(reading.value, ". ".join(filter(None, (reading.doubt, doubt))))
        return reading


# What a sign means that several currencies share, where the header names one of them.
_SHARED_SIGNS = {
    "$": frozenset(
        """
        ARS AUD BBD BMD BND BSD BZD CAD CLP COP CUP DOP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD SGD SRD TTD
        TWD USD UYU XCD
        """.split()  # noqa: SIM905  (three letters each, better read as a block)
    ),
    "\u00a5": frozenset({"CNY", "JPY"}),
}


def _bears_sign_of(cell: object, currency: str) -> bool:
    """Whether the cell marks its amount with nothing but a sign that the currency shares with others."""
    if not isinstance(cell, str) or any(map(str.isalpha, re.sub("cpm", "", cell, flags=re.IGNORECASE))):
        return False
    return any(sign in cell and currency in codes for sign, codes in _SHARED_SIGNS.items())


def _in_currency_of_header(reading: Reading, currency: str, cell: object) -> Reading:
    money: Money | None = reading.value
    if money is None or (reading.doubt and "currency" in reading.doubt):
        return reading
    if money.currency is None or _bears_sign_of(cell, currency):
        return Reading(Money(money.amount, currency), reading.doubt)
    if money.currency == currency:
        return reading
    doubt = f"The cell is in {money.currency}, its column in {currency}; the cell is used"
    return Reading(money, ". ".join(filter(None, (reading.doubt, doubt))))


class Notes:
    """What holds for many records alike, counted: one sentence for the file instead of one for each row."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self.has_floor_rating = False

    def add(self, kind: str, column: str) -> None:
        """Count one record."""
        self._counts[kind, column] += 1

    def sentences(self) -> list[str]:
        """Return a sentence for each kind and column, in the order of first appearance."""
        return [
            _NOTES[kind].format(column=column, count=count, rows="row" if count == 1 else "rows")
            for (kind, column), count in self._counts.items()
        ]


_NOTES = {
    "price as floor": "{column}: the price is used as the floor in {count:,} {rows} of fixed-price deals.",
    "price apart": (
        "{column}: a price is no floor unless the deal is fixed-price; kept apart in {count:,} {rows}."
    ),
    "other volume": "{column}: another volume than the one used as scale; kept apart in {count:,} {rows}.",
    "several categories": (
        "{column}: {count:,} {rows} name several categories; the first is the deal's, "
        "the others are kept as concepts."
    ),
    "floor rating": (
        '{column}: GARM "Floor" in {count:,} {rows} is read as the worst level, below the brand-safety '
        "floor; say so if this file means the lowest risk."
    ),
    "floor is low": '{column}: GARM "Floor" in {count:,} {rows} is read as the lowest risk, as chosen.',
}


class Plan(NamedTuple):
    """How the records with one set of columns are read.

    readers: (position, reader) of the columns with a field, the most direct name first.
    extras: (position, column) of the others.
    """

    readers: tuple[tuple[int, ColumnReader], ...]
    extras: tuple[tuple[int, str], ...]
    id_position: int


class _Reading(NamedTuple):
    """What the cells of one record gave so far; filled while it is read."""

    values: dict[str, Any]
    origins: dict[str, ColumnReader]
    extra: dict[str, str]
    problems: list[Problem]


class Builder:
    """Builds deals from the rows of one file."""

    def __init__(
        self, readers: Mapping[str, ColumnReader], ignored: Sequence[str], options: ReadOptions
    ) -> None:
        self._readers = readers
        self._ignored = frozenset(ignored)
        self._options = options
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._parts: dict[object, Any] = {}
        self._texts: dict[str, str] = {}
        self.notes = Notes()

    def _plan(self, names: tuple[str, ...]) -> Plan:
        plan = self._plans.get(names)
        if plan is None:
            read = [(i, self._readers[name]) for i, name in enumerate(names) if name in self._readers]
            read.sort(key=lambda item: item[1].meaning.rank)
            extras = tuple(
                (i, name)
                for i, name in enumerate(names)
                if name not in self._readers and name not in self._ignored
            )
            ids = (i for i, reader in read if reader.name == "deal_id")
            plan = self._plans[names] = Plan(tuple(read), extras, next(ids, -1))
        return plan

    def is_summary(self, row: Row) -> bool:
        """Whether the row adds up the others: "Total" where the id stands, and no deal name."""
        plan = self._plan(row.names)
        if plan.id_position < 0:
            return False
        deal_id = row.cells[plan.id_position]
        names = [row.cells[i] for i, reader in plan.readers if reader.name == "deal_name"]
        return (
            isinstance(deal_id, str)
            and " ".join(deal_id.casefold().split()) in _SUMMARIES
            and all(name is None or not str(name).strip() for name in names)
        )

    def build(self, row: Row) -> tuple[Deal | None, list[Problem]]:
        """Return the deal of a row, None when it has no usable id, and what was doubted.

        Raises RecursionError for a value that is nested without end.
        """
        plan = self._plan(row.names)
        reading = _Reading({}, {}, dict(row.kept) if row.kept else {}, [])
        self._read_fields(row, plan, reading)
        self._keep_others(row, plan, reading.extra)
        values, problems = reading.values, reading.problems
        deal_id = values.get("deal_id")
        if not deal_id:
            others = [problem for problem in problems if problem.to_do != _TO_DO["id"]]
            return None, [*others, _without_id(row, problems)]
        problems += self._settle(row.line, reading)
        deal = self._deal(values, reading.extra)
        return deal, [replace(problem, deal_id=deal_id) for problem in problems] if problems else problems

    def _read_fields(self, row: Row, plan: Plan, found: _Reading) -> None:
        values, origins, extra, problems = found
        for position, reader in plan.readers:
            cell = row.cells[position]
            if cell is None or cell == "":
                continue
            reading = reader.read(cell)
            if reading.doubt is not None:
                problems.append(_doubted(row.line, reader, cell, reading.doubt))
                extra[reader.column] = _words(cell)
            value = reading.value
            if value is None or value in _NOTHING:
                continue
            name = reader.name
            if name in values:
                if values[name] != value:
                    extra[reader.column] = _words(cell)
                    problems += self._differs(row.line, reader, origins[name], cell)
            elif name == "deal_id" and position != plan.id_position:
                # A blank id is not filled from the next column: a row number would pass for an id.
                extra[reader.column] = _words(cell)
            else:
                values[name] = value
                origins[name] = reader
                if name == "price":
                    extra[reader.column] = _words(cell)

    def _keep_others(self, row: Row, plan: Plan, extra: dict[str, str]) -> None:
        texts = self._texts
        for position, column in plan.extras:
            cell = row.cells[position]
            if cell is None or (isinstance(cell, (str, list)) and not cell):
                continue
            text = storable(cell) if type(cell) is str else _json(cell)
            if len(text) <= _SHORT and len(texts) < _REMEMBERED:
                text = texts.setdefault(text, text)
            extra[column] = text

    def _differs(
        self, line: int, reader: ColumnReader, used: ColumnReader, cell: object
    ) -> tuple[Problem, ...]:
        if reader.kind == "count" and reader.meaning.unit != used.meaning.unit:
            self.notes.add("other volume", reader.column)
            return ()
        message = f"{shown(cell)} differs from column {used.column}, which is used."
        to_do = "Choose the right column in the mapping."
        return (Problem(line, reader.column, message, found=_cut(cell), to_do=to_do),)

    def _settle(self, line: int, found: _Reading) -> list[Problem]:
        """Decide what depends on more than one cell: price, currency, unit, category, risk."""
        values, origins, extra, _ = found
        if "price" in values:
            self._settle_price(values, origins, extra)
        if "scale" in values:
            meaning = origins["scale"].meaning
            values.setdefault("scale_unit", meaning.unit)
            values.setdefault("period", meaning.period)
        if "taxonomy_tier1" in values:
            self._settle_category(values, origins)
        if values.get("safety_garm_risk_rating") == "Floor":
            self.notes.has_floor_rating = True
            column = origins["safety_garm_risk_rating"].column
            if self._options.floor_is_lowest_risk:
                values["safety_garm_risk_rating"] = "Low"
                extra[column] = "Floor"
            self.notes.add("floor is low" if self._options.floor_is_lowest_risk else "floor rating", column)
        return _settle_currency(line, values)

    def _settle_price(
        self, values: dict[str, Any], origins: Mapping[str, ColumnReader], extra: dict[str, str]
    ) -> None:
        price: Money = values.pop("price")
        column = origins["price"].column
        if values.get("price_type") == "fixed" and "commercial_floor_price" not in values:
            values["commercial_floor_price"] = price
            del extra[column]
            self.notes.add("price as floor", column)
        else:
            self.notes.add("price apart", column)

    def _settle_category(self, values: dict[str, Any], origins: Mapping[str, ColumnReader]) -> None:
        first, *others = values["taxonomy_tier1"]
        if len(first) > 1 and not ("taxonomy_tier2" in values or "taxonomy_tier3" in values):
            values |= {f"taxonomy_tier{tier}": name for tier, name in enumerate(first, start=1)}
        else:
            values["taxonomy_tier1"] = " > ".join(first)
        if others:
            concepts = [*values.get("concepts", ()), *(" > ".join(path) for path in others)]
            values["concepts"] = tuple(dict.fromkeys(concepts))
            self.notes.add("several categories", origins["taxonomy_tier1"].column)

    def _deal(self, values: Mapping[str, Any], extra: dict[str, str]) -> Deal:
        formats, implied = values.get("format", _EMPTY_FORMATS)
        floor: Money | None = values.get("commercial_floor_price")
        get = values.get
        return Deal(
            deal_id=values["deal_id"],
            formats=formats,
            devices=get("device") or implied,
            taxonomy=self._part(
                Taxonomy, get("taxonomy_tier1"), get("taxonomy_tier2"), get("taxonomy_tier3")
            ),
            safety=self._part(
                Safety,
                get("safety_garm_risk_rating"),
                get("safety_family_safe"),
                get("safety_safe_for_verticals", ()),
            ),
            audience=self._part(
                Audience,
                get("audience_inferred_audience", ()),
                get("audience_demographic_hint"),
                get("audience_audience_provenance"),
            ),
            commercial=self._part(
                Commercial, get("commercial_quality_tier"), get("commercial_volume_tier"), floor
            ),
            extra=extra,
            **{name: values[name] for name in _SAME_NAME if name in values},
        )

    def _part(self, kind: type[_Part], *values: Any) -> _Part:  # noqa: ANN401  (fields of any type)
        """Return a nested part of a deal; equal ones are one object, which spares most of the memory."""
        key = (kind, values)
        part = self._parts.get(key)
        if part is None:
            part = self._parts[key] = kind(*values)
        result: _Part = part
        return result


# Fields that stand in the record under their own name at the top level.
_SAME_NAME = tuple(
    field.name
    for field in FIELDS
    if field.name not in {"deal_id", "format", "device", "price"}
    and not field.name.startswith(("taxonomy_", "safety_", "audience_", "commercial_"))
)


def _settle_currency(line: int, values: dict[str, Any]) -> list[Problem]:
    """Give floor and deal one currency; where cell and column differ, the column is used and it is said."""
    floor: Money | None = values.get("commercial_floor_price")
    currency = values.get("currency")
    if floor is None:
        return []
    if currency is None:
        if floor.currency:
            values["currency"] = floor.currency
        return []
    if floor.currency == currency:
        return []
    values["commercial_floor_price"] = Money(floor.amount, currency)
    if floor.currency is None:
        return []
    message = f"The floor price is written in {floor.currency}, the currency is {currency}, which is used."
    return [Problem(line, "currency", message, to_do="Check which of the two currencies is right.")]


def _doubted(line: int, reader: ColumnReader, cell: object, doubt: str) -> Problem:
    to_do = _TO_DO.get(reader.kind, _ANY_TO_DO)
    return Problem(line, reader.column, f"{doubt}.", found=_cut(cell), to_do=to_do)


def _without_id(row: Row, problems: Sequence[Problem]) -> Problem:
    message = "The record has no deal id; add one and load it again."
    doubts = [problem.message for problem in problems if problem.to_do == _TO_DO["id"]]
    text = f"{message} ({doubts[0]})" if doubts else message
    return Problem(row.line, "deal_id", text, "refused", found=record_text(row), to_do=_TO_DO["id"])


def record_text(row: Row) -> str:
    """Return the columns of a record that are not blank, as JSON text."""
    filled = {
        name: _words(cell)
        for name, cell in zip(row.names, row.cells, strict=True)
        if cell not in (None, "", [], {})
    }
    return json_text(filled)


def _words(cell: object) -> str:
    return storable(cell if isinstance(cell, str) else json_text(cell))


def _json(cell: object) -> str:
    return storable(json.dumps(cell, default=str, ensure_ascii=False))


def _cut(cell: object) -> str:
    text = _words(cell)
    return text if len(text) <= 200 else f"{text[:199]}…"  # noqa: PLR2004  (enough to recognise it)
