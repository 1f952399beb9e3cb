"""A file or a list of records becomes deals; everything doubtful becomes a problem, nothing vanishes.

The ledger adds up: records read = loaded + merged + refused.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from core.deals.model import Audience, Commercial, Deal, Money, Safety, Taxonomy
from core.deals.tables import decode, read_table
from core.deals.values import read_cell, storable
from core.deals.vocabulary import (
    FIELDS,
    IGNORED_COLUMNS,
    Field,
    column_key,
    field_for_column,
    name_rank,
)
from core.errors import ImportRefused
from core.settings import MAX_ROWS, get_settings

Severity = Literal["refused", "merged", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something an analyst should know about one record.

    row: line in a text file, or position in a list; 1-based.
    severity: "refused" and "merged" count a whole record, "warning" only a value.
    """

    row: int
    column: str
    message: str
    severity: Severity = "warning"
    deal_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts of records; `read == loaded + merged + refused` always holds."""

    read: int
    loaded: int
    merged: int
    refused: int


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What a file gave.

    mapping: source column -> field it fills; columns without a field are kept in `Deal.extra`.
    repairs: sentences about what was mended in the file as a whole.
    """

    deals: tuple[Deal, ...]
    problems: tuple[Problem, ...]
    ledger: Ledger
    mapping: Mapping[str, str] = field(default_factory=dict)
    repairs: tuple[str, ...] = ()


def read_deals(data: bytes, filename: str) -> ImportResult:
    """Read deals from JSON, JSON Lines, or a delimited table, nested or flattened.

    The content decides the format, not the name. Raises ImportRefused with a reason a
    person can act on: empty, too large, no text, no table, no deals, no id column.
    """
    limit_mb = get_settings().upload_mb
    if len(data) > limit_mb * 1_000_000:
        raise ImportRefused(
            filename, f"is {len(data) / 1e6:.1f} MB, more than the {limit_mb} MB allowed: split it."
        )
    if not data.strip():
        raise ImportRefused(filename, "is empty: choose a file with deals (CSV, TSV, JSON or JSON Lines).")
    if data.startswith(b"PK\x03\x04"):
        raise ImportRefused(filename, "is a workbook or zip archive: save the sheet as CSV and load that.")
    text, notes = decode(data, filename)
    if text.lstrip()[:1] in {"[", "{"}:
        numbered, refused = _json_records(text, filename)
        result = _read_records(numbered, refused)
        result = replace(result, repairs=tuple(notes))
    else:
        table = read_table(data, filename)
        records = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
        result = _read_records(zip(table.lines, records, strict=True))
        result = replace(result, mapping=_mapping(table.columns), repairs=table.repairs)
    if "deal_id" not in result.mapping.values():
        known = ", ".join(list(result.mapping)[:8])
        if not known:
            raise ImportRefused(
                filename, "is no table of deals: none of its columns is known; name the id column deal_id."
            )
        raise ImportRefused(
            filename, f"has no column for the deal id (known columns: {known}): name that column deal_id."
        )
    if not result.ledger.read:
        raise ImportRefused(filename, "has a header but no rows: choose a file with one deal per row.")
    return result


def parse_deals(records: Sequence[Mapping[str, Any] | Deal]) -> ImportResult:
    """Read deals from plain nested dicts, as the library's callers hold them."""
    return _read_records(enumerate(records, start=1))


def parse_deal(record: Mapping[str, Any], row: int = 1) -> tuple[Deal | None, list[Problem]]:
    """Read one nested or flat record; None when it has no usable id. Never raises on content."""
    try:
        values, extra, problems = _read_fields(record, row)
    except RecursionError:
        return None, [Problem(row, "", "The record is nested too deeply to be a deal.", "refused")]
    deal_id = values.get("deal_id")
    if not deal_id:
        message = "The record has no deal id; add one and load it again."
        doubt = next((p.message for p in problems if p.column == "deal_id"), None)
        problems.append(Problem(row, "deal_id", f"{message} ({doubt})" if doubt else message, "refused"))
        return None, problems
    problems += _currency_doubt(values, row)
    problems = [replace(problem, deal_id=deal_id) for problem in problems]
    return _build(values, extra), problems


def _read_records(numbered: Iterable[tuple[int, Any]], refused: Iterable[Problem] = ()) -> ImportResult:
    problems = list(refused)
    unread = len(problems)
    read = merged = 0
    deals: dict[str, Deal] = {}
    mapping: dict[str, str] = {}
    for row, record in numbered:
        read += 1
        deal: Deal | None
        found: list[Problem]
        if isinstance(record, Deal):
            deal, found = record, []
        elif isinstance(record, Mapping):
            mapping |= {name: owner.name for name, owner, _ in _cells(record) if owner}
            deal, found = parse_deal(record, row)
        else:
            deal, found = None, [Problem(row, "", f"{reprlib.repr(record)} is no deal record.", "refused")]
        problems += found
        if deal is None:
            continue
        known = deals.get(deal.deal_id)
        if known is None:
            deals[deal.deal_id] = deal
        else:
            problems.append(_repeated(known, deal, row))
            merged += known == deal
    ledger = Ledger(
        read=read + unread, loaded=len(deals), merged=merged, refused=read + unread - len(deals) - merged
    )
    problems.sort(key=lambda problem: problem.row)
    return ImportResult(tuple(deals.values()), tuple(problems), ledger, mapping)


def _repeated(known: Deal, deal: Deal, row: int) -> Problem:
    if known == deal:
        return Problem(
            row, "deal_id", "The same deal stands in the file twice; merged.", "merged", deal.deal_id
        )
    message = f"Deal {deal.deal_id} stands in the file already with other values; the first one is kept."
    return Problem(row, "deal_id", message, "refused", deal.deal_id)


# --- one record -----------------------------------------------------------------------------


# Objects inside one another that are flattened; no field of a deal lies deeper than two.
_LEVELS = 8


def _cells(record: Mapping[str, Any], levels: int = _LEVELS) -> list[tuple[str, Field | None, Any]]:
    """Flatten a nested record: (path joined by "_", field it fills or None, value)."""
    cells: list[tuple[str, Field | None, Any]] = []
    for key, value in record.items():
        name = storable(str(key))
        if isinstance(value, Mapping) and levels:
            cells += _cells({f"{name}_{inner}": item for inner, item in value.items()}, levels - 1)
        elif column_key(name) not in IGNORED_COLUMNS:
            cells.append((name, field_for_column(name), value))
    return cells


def _read_fields(record: Mapping[str, Any], row: int) -> tuple[dict[str, Any], dict[str, str], list[Problem]]:
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    extra: dict[str, str] = {}
    problems: list[Problem] = []
    for column, owner, cell in sorted(_cells(record), key=lambda found: name_rank(found[0])):
        if owner is None:
            if cell not in (None, "", []):
                extra[column] = storable(cell) if isinstance(cell, str) else json.dumps(cell, default=str)
            continue
        reading = read_cell(owner.kind, cell)
        if reading.doubt:
            problems.append(Problem(row, column, f"{reading.doubt}."))
        # A blank id is not filled from the next column: a row number would pass for an id.
        is_blank = reading.value in (None, (), ((), ()))
        if is_blank and (owner.kind != "id" or owner.name in values):
            continue
        if owner.name not in values:
            values[owner.name], origin[owner.name] = reading.value, column
        elif values[owner.name] != reading.value:
            extra[column] = storable(str(cell))
            problems.append(
                Problem(row, column, f"{cell!r} differs from column {origin[owner.name]}, which is used.")
            )
    return values, extra, problems


def _currency_doubt(values: Mapping[str, Any], row: int) -> list[Problem]:
    floor, currency = values.get("commercial_floor_price"), values.get("currency")
    if not (floor and floor.currency and currency) or floor.currency == currency.upper():
        return []
    message = f"The floor price is written in {floor.currency}, the currency is {currency}, which is used."
    return [Problem(row, "currency", message)]


def _build(values: Mapping[str, Any], extra: Mapping[str, str]) -> Deal:
    formats, implied = values.get("format", ((), ()))
    floor: Money | None = values.get("commercial_floor_price")
    currency = values.get("currency")
    currency = currency.upper() if currency else (floor.currency if floor else None)
    return Deal(
        deal_id=values["deal_id"],
        formats=formats,
        devices=values.get("device") or implied,
        taxonomy=Taxonomy(*(values.get(f"taxonomy_tier{tier}") for tier in (1, 2, 3))),
        safety=Safety(
            values.get("safety_garm_risk_rating"),
            values.get("safety_family_safe"),
            values.get("safety_safe_for_verticals", ()),
        ),
        audience=Audience(
            values.get("audience_inferred_audience", ()),
            values.get("audience_demographic_hint"),
            values.get("audience_audience_provenance"),
        ),
        commercial=Commercial(
            values.get("commercial_quality_tier"),
            values.get("commercial_volume_tier"),
            Money(floor.amount, currency) if floor else None,
        ),
        currency=currency,
        extra=dict(extra),
        **{name: values[name] for name in _SAME_NAME if name in values},
    )


_BUILT = {"deal_id", "format", "device", "currency"}
# Fields that stand in the record under their own name at the top level.
_SAME_NAME = tuple(
    field.name
    for field in FIELDS
    if field.name not in _BUILT
    and not field.name.startswith(("taxonomy_", "safety_", "audience_", "commercial_"))
)


def _mapping(columns: Iterable[str]) -> dict[str, str]:
    owners = ((column, field_for_column(column)) for column in columns)
    return {column: owner.name for column, owner in owners if owner}


# --- JSON -----------------------------------------------------------------------------------

_WRAPPERS = (("deals",), ("data", "deals"), ("response", "deals"))


def _json_records(text: str, filename: str) -> tuple[list[tuple[int, Any]], list[Problem]]:
    try:
        document = _loads(text)
    except ValueError as error:
        if text.lstrip().startswith("{") and "\n" in text.strip():
            return _json_lines(text, filename)
        raise ImportRefused(filename, f"is no valid JSON ({error}): export it again.") from None
    except RecursionError:
        raise ImportRefused(filename, "is nested too deeply to hold deals: export it again.") from None
    records = _find_records(document)
    if records is None or (records and not any(isinstance(record, dict) for record in records)):
        raise ImportRefused(
            filename, 'holds no deals: expected a list of deals, or an object with a list under "deals".'
        )
    if not records:
        raise ImportRefused(filename, "holds an empty list: there is no deal to load.")
    if len(records) > MAX_ROWS:
        raise ImportRefused(filename, f"has more than {MAX_ROWS:,} deals: split it and load the parts.")
    return list(enumerate(records, start=1)), []


def _json_lines(text: str, filename: str) -> tuple[list[tuple[int, Any]], list[Problem]]:
    records: list[tuple[int, Any]] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records.append((number, _loads(line)))
        except (ValueError, RecursionError) as error:
            problems.append(Problem(number, "", f"The line is no valid JSON ({error}).", "refused"))
    if not any(isinstance(record, dict) for _, record in records):
        raise ImportRefused(filename, "is neither valid JSON nor JSON Lines: export it again.")
    return records, problems


def _loads(text: str) -> object:
    """Parse JSON; numbers stay the text that stood in the file, so that ids keep every digit."""
    return json.loads(
        text,
        parse_int=str,
        parse_float=str,
        parse_constant=_refuse_constant,
        object_pairs_hook=_unique_keys,
    )


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is no JSON value")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return result


def _find_records(document: object) -> list[Any] | None:
    """Return the list of records in any known shape of a deal document, None when there is none."""
    if isinstance(document, list):
        return document
    if not isinstance(document, Mapping):
        return None
    for path in _WRAPPERS:
        inner: object = document
        for key in path:
            inner = inner.get(key) if isinstance(inner, Mapping) else None
        if isinstance(inner, list):
            return inner
    if any(owner and owner.name == "deal_id" for _, owner, _ in _cells(document)):
        return [document]
    lists = [value for value in document.values() if isinstance(value, list)]
    if (
        lists
        and len(lists) == len(document)
        and all(isinstance(item, dict) for part in lists for item in part)
    ):
        return [record for part in lists for record in part]
    return None
