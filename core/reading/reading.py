"""A file or a list of records becomes deals; everything doubtful becomes a problem, nothing vanishes.

The ledger adds up: records read = loaded + merged + refused.
"""

from __future__ import annotations

import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.deals.deal import Deal
from core.deals.taxonomy import check_category
from core.deals.vocabulary import IGNORED_COLUMNS, column_key, field_for_column
from core.errors import ImportRefused, NeedsMapping
from core.reading.building import Builder, ColumnReader, ReadOptions, Row, record_text
from core.reading.grid import Refusal, Source, Table, TableOptions
from core.reading.json_text import looks_like_json
from core.reading.mapping import Chosen, ColumnMapping, map_columns, samples_of
from core.reading.merging import merge_repeats
from core.reading.records import find_records
from core.reading.result import CategorySuggestion, ImportResult, Ledger, Problem
from core.reading.sandbox import read_json_safely, read_table_safely
from core.reading.values import (
    NO_CONVENTION,
    Convention,
    convention_of,
    json_text,
    read_cell,
    shown,
    storable,
)
from core.settings import MAX_COLUMNS, get_settings

__all__ = [
    "ImportResult",
    "Ledger",
    "Problem",
    "ReadOptions",
    "parse_deal",
    "parse_deals",
    "read_deals",
]

# Objects of the nested record; each may be null as a whole.
_GROUPS = frozenset({"taxonomy", "safety", "audience", "commercial"})
# Objects inside one another that are flattened; no field of a deal lies deeper than two.
_LEVELS = 8
# Columns of all records of a JSON file together: records with names of their own (an object keyed by
# date, for example) would make a table that nobody can look at.
_MAX_JSON_COLUMNS = 10 * MAX_COLUMNS
# Doubts about one column that are told one by one; a wrongly mapped column has one in every row.
_LISTED_DOUBTS = 1_000
# Categories that are compared with the taxonomy; a column with more holds something else.
_CHECKED_CATEGORIES = 500
_REFUSED_TEXT = 20_000
# Formats that know numbers, and always write them with a point.
_TYPED = frozenset({"json", "jsonl", "xlsx", "parquet"})


def read_deals(
    data: bytes,
    filename: str,
    options: ReadOptions | None = None,
    *,
    mapping: Chosen | None = None,
) -> ImportResult:
    """Read deals from a table (CSV, TSV, XLSX, Parquet), JSON or JSON Lines, nested or flattened.

    The content decides the format, not the name.
    mapping: source column -> field name, "" or None for none; it wins over what the names suggest.
    Raises ImportRefused with a reason a person can act on: empty, too large, no text, no table, no
    deals; NeedsMapping when no column is known to hold the deal id.
    """
    options = options or ReadOptions()
    _check_size(data, filename)
    asked = TableOptions(options.encoding, options.delimiter, options.sheet, options.header_line)
    if looks_like_json(data):
        return _read_json(data, filename, asked, options, mapping)
    table = read_table_safely(data, filename, asked)
    if not table.rows and not table.refusals:
        # The id is asked for first: a file of the wrong kind often looks like a header alone.
        _need_id(map_columns(table.columns, mapping, filename), table.columns, {}, filename)
        raise ImportRefused(filename, "has a header but no rows: choose a file with one deal per row.")
    rows, doubts = _table_rows(table, mapping)
    return _read_rows(
        rows, options, mapping, filename, _of_refusals(table.refusals), doubts, table.repairs, table.source
    )


def _check_size(data: bytes, filename: str) -> None:
    limit_mb = get_settings().upload_mb
    if len(data) > limit_mb * 1_000_000:
        raise ImportRefused(
            filename, f"is {len(data) / 1e6:.1f} MB, more than the {limit_mb} MB allowed: split it."
        )
    if not data.strip():
        raise ImportRefused(filename, "is empty: choose a file with deals (CSV, TSV, JSON or JSON Lines).")


def _read_json(
    data: bytes, filename: str, asked: TableOptions, options: ReadOptions, mapping: Chosen | None
) -> ImportResult:
    parsed = read_json_safely(data, filename, asked)
    document = find_records(parsed, filename)
    rows: list[Row | Problem | tuple[int, Deal]] = [
        _as_row(line, record) for line, record in document.records
    ]
    return _read_rows(
        rows,
        options,
        mapping,
        filename,
        _of_refusals(parsed.refusals),
        repairs=(*parsed.repairs, *document.repairs),
        source=parsed.source,
    )


def _of_refusals(refusals: Iterable[Refusal]) -> list[Problem]:
    return [
        Problem(
            refusal.line,
            "",
            refusal.reason,
            "refused",
            found=storable(refusal.text[:_REFUSED_TEXT]),
            to_do="Correct the row in the file and load it again.",
        )
        for refusal in refusals
    ]


def parse_deals(records: Sequence[Mapping[str, Any] | Deal]) -> ImportResult:
    """Read deals from plain nested dicts, as the library's callers hold them."""
    rows: list[Row | Problem | tuple[int, Deal]] = [
        (number, record) if isinstance(record, Deal) else _as_row(number, record)
        for number, record in enumerate(records, start=1)
    ]
    return _read_rows(rows, ReadOptions())


def parse_deal(record: Mapping[str, Any], row: int = 1) -> tuple[Deal | None, list[Problem]]:
    """Read one nested or flat record; None when it has no usable id. Never raises on content."""
    flat = _as_row(row, record)
    if not isinstance(flat, Row):
        return None, [flat]
    columns = map_columns(flat.names)
    builder = Builder(_readers(columns, [flat]), columns.ignored, ReadOptions())
    deal, problems = _build(builder, flat)
    if deal is None:
        return None, problems
    problems += [Problem(row, "", sentence, deal_id=deal.deal_id) for sentence in builder.notes.sentences()]
    return deal, problems


# --- records to rows ------------------------------------------------------------------------


def _as_row(line: int, record: object) -> Row | Problem:
    if not isinstance(record, Mapping):
        text = reprlib.repr(record)
        message = f"{storable(text)} is no deal record."
        to_do = "Give every deal as an object with its fields."
        return Problem(line, "", message, "refused", found=storable(text), to_do=to_do)
    kept = record.get("extra")
    if isinstance(kept, Mapping) and all(isinstance(text, str) for text in kept.values()):
        # What `Deal.to_dict` kept of columns without a field goes back where it was.
        extra = {storable(str(column)): storable(text) for column, text in kept.items()}
        record = {name: value for name, value in record.items() if name != "extra"}
    else:
        extra = None
    names, cells = _flat(record)
    return Row(line, names, cells, extra)


def _flat(record: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Flatten a nested record: (paths joined by "_", values); names stay unique."""
    flat: dict[str, Any] = {}
    _flatten("", record, _LEVELS, flat)
    return tuple(flat), tuple(flat.values())


def _flatten(prefix: str, record: Mapping[str, Any], levels: int, flat: dict[str, Any]) -> None:
    for key, value in record.items():
        name = prefix + (key if type(key) is str and key.isascii() else storable(str(key)))
        if isinstance(value, Mapping) and levels:
            _flatten(f"{name}_", value, levels - 1, flat)
            continue
        if value is None and name in _GROUPS:
            continue  # "audience": null is a group nobody filled, not a column called audience
        unique, number = name, 2
        while unique in flat:
            unique, number = f"{name}_{number}", number + 1
        flat[unique] = value


def _table_rows(
    table: Table, mapping: Chosen | None
) -> tuple[list[Row | Problem | tuple[int, Deal]], list[Problem]]:
    """Return the rows of a table; cells that hold a JSON object are opened where its keys are fields."""
    columns = table.columns
    nested = [
        position
        for position, column in enumerate(columns)
        if not (mapping or {}).get(column)
        and column_key(column) not in IGNORED_COLUMNS
        and field_for_column(column) is None
        and any(row[position].startswith("{") for row in table.rows)
    ]
    pairs = zip(table.lines, table.rows, strict=True)
    if not nested:
        return [Row(line, columns, cells) for line, cells in pairs], []
    doubts: list[Problem] = []
    return [_opened(line, columns, cells, nested, doubts) for line, cells in pairs], doubts


def _opened(
    line: int, columns: tuple[str, ...], cells: Sequence[str], nested: Sequence[int], doubts: list[Problem]
) -> Row:
    inner: dict[str, Any] = {}
    kept: dict[str, str] = {}
    taken = set()
    for position in nested:
        text = cells[position].strip()
        if not text:
            taken.add(position)  # as if the record of this row had no such object
            continue
        if not text.startswith("{"):
            continue
        try:
            found = json.loads(text, parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            message = "The cell looks like JSON but cannot be read; kept as text."
            to_do = "Correct the JSON in the cell."
            doubts.append(Problem(line, columns[position], message, found=text[:200], to_do=to_do))
            continue
        flat: dict[str, Any] = {}
        _flatten(f"{columns[position]}_", found, _LEVELS, flat)
        if not any(field_for_column(name) for name in flat):
            continue
        taken.add(position)
        for name, value in flat.items():
            # A column of the table wins: it stands in the file by that very name.
            used = cells[columns.index(name)] if name in columns else inner.get(name)
            if used in (None, ""):
                inner[name] = value
            elif value not in (None, "") and _differ(name, used, value):
                kept[columns[position]] = text
                message = (
                    f"{shown(value)} for {name} inside the cell differs from column {name}, which is used."
                )
                to_do = "Correct one of the two in the file."
                doubts.append(Problem(line, columns[position], message, found=text[:200], to_do=to_do))
    if not taken:
        return Row(line, columns, cells)
    plain = {name: cells[i] for i, name in enumerate(columns) if i not in taken}
    both = {**plain, **inner}
    return Row(line, tuple(both), tuple(both.values()), kept or None)


def _text(cell: object) -> str:
    return cell.strip() if isinstance(cell, str) else json_text(cell)


def _differ(name: str, one: object, two: object) -> bool:
    """Whether two cells for one column say different things; other words for the same are no difference."""
    owner = field_for_column(name)
    if owner is None:
        return _text(one) != _text(two)
    return bool(read_cell(owner.kind, one).value != read_cell(owner.kind, two).value)


# --- rows to deals --------------------------------------------------------------------------


def _read_rows(
    rows: Sequence[Row | Problem | tuple[int, Deal]],
    options: ReadOptions,
    mapping: Chosen | None = None,
    filename: str | None = None,
    refused: Sequence[Problem] = (),
    doubts: Sequence[Problem] = (),
    repairs: Sequence[str] = (),
    source: Source | None = None,
) -> ImportResult:
    """Read the rows of one source.

    filename: None for the records of a caller, which are never refused as a whole.
    """
    records = [row for row in rows if isinstance(row, Row)]
    names = _all_names(records, filename)
    columns = map_columns(names, mapping, filename or "")
    samples: dict[str, tuple[str, ...]] = {}
    if filename is not None:
        samples = samples_of(names, ((row.names, row.cells) for row in records))
        _need_id(columns, names, samples, filename)
    typed = source is not None and source.format in _TYPED
    builder = Builder(_readers(columns, records, typed=typed), columns.ignored, options)
    numbered: list[tuple[int, Deal]] = []
    problems: list[Problem] = [*refused, *doubts]
    for row in rows:
        if isinstance(row, Problem):
            problems.append(row)
        elif isinstance(row, Row):
            if filename is not None and numbered and row is records[-1] and builder.is_summary(row):
                problems.append(_of_summary(row))
                continue
            deal, found = _build(builder, row)
            problems += found
            if deal is not None:
                numbered.append((row.line, deal))
        else:
            numbered.append(row)
    if filename is not None and rows and not numbered:
        _need_filled_id(columns, names, samples, filename)
    merged = merge_repeats(numbered)
    categories, about_categories = _check_categories(merged.deals, numbered, columns)
    problems += merged.problems
    problems += about_categories
    read, loaded = len(rows) + len(refused), len(merged.deals)
    return ImportResult(
        deals=merged.deals,
        problems=_listed(problems),
        ledger=Ledger(read, loaded, merged.merged, read - loaded - merged.merged),
        mapping=columns.fields,
        repairs=(*repairs, *columns.repairs, *builder.notes.sentences()),
        samples=samples,
        ambiguous=columns.ambiguous,
        source=source,
        categories=categories,
        has_floor_rating=builder.notes.has_floor_rating,
        floor_is_lowest_risk=options.floor_is_lowest_risk,
    )


def _build(builder: Builder, row: Row) -> tuple[Deal | None, list[Problem]]:
    try:
        return builder.build(row)
    except RecursionError:
        message = "The record is nested too deeply to be a deal."
        return None, [Problem(row.line, "", message, "refused", to_do="Export it without nested details.")]


def _of_summary(row: Row) -> Problem:
    message = "The last row looks like a summary row, not like a deal."
    to_do = "Give it a deal name and load it again if it is a deal."
    return Problem(row.line, "deal_id", message, "refused", found=record_text(row), to_do=to_do)


def _all_names(records: Sequence[Row], filename: str | None) -> tuple[str, ...]:
    names: dict[str, None] = {}
    last: tuple[str, ...] | None = None
    for row in records:
        if row.names is last:
            continue
        last = row.names
        names.update(dict.fromkeys(last))
        if filename is not None and max(len(last), len(names) // 10) > MAX_COLUMNS:
            found = len(names)
            raise ImportRefused(
                filename,
                f"has {found:,} columns by row {row.line}, more than can be read "
                f"({MAX_COLUMNS:,} in a record, {_MAX_JSON_COLUMNS:,} in all): export fewer.",
            )
    return tuple(names)


def _readers(
    columns: ColumnMapping, records: Sequence[Row], *, typed: bool = False
) -> dict[str, ColumnReader]:
    conventions = _conventions(columns, records)
    return {
        column: ColumnReader(column, meaning, replace(conventions.get(column, NO_CONVENTION), typed=typed))
        for column, meaning in columns.uses.items()
    }


def _conventions(columns: ColumnMapping, records: Sequence[Row]) -> dict[str, Convention]:
    """Return how every column of amounts, counts or dates is written, as far as its cells prove it."""
    kinds = {
        column: meaning.field.kind
        for column, meaning in columns.uses.items()
        if meaning.field.kind in {"money", "count", "time"}
    }
    texts: dict[str, set[str]] = {column: set() for column in kinds}
    places: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for row in records:
        wanted = places.get(row.names)
        if wanted is None:
            wanted = [(i, name) for i, name in enumerate(row.names) if name in kinds]
            places[row.names] = wanted
        for position, name in wanted:
            cell = row.cells[position]
            if type(cell) is str:
                texts[name].add(cell)
    found = {column: convention_of(kind, texts[column]) for column, kind in kinds.items()}
    # One export writes all its dates alike: a start that proves nothing is written like the end.
    orders = {found[column].day_first for column, kind in kinds.items() if kind == "time"} - {None}
    if len(orders) == 1:
        for column, kind in kinds.items():
            if kind == "time":
                found[column] = Convention(day_first=next(iter(orders)))
    return found


def _need_id(
    columns: ColumnMapping, names: Sequence[str], samples: Mapping[str, tuple[str, ...]], filename: str
) -> None:
    """Raise NeedsMapping when no column holds the deal id."""
    if "deal_id" in columns.fields.values():
        return
    known = ", ".join(list(columns.fields)[:8])
    reason = (
        f"has no column for the deal id (known columns: {known}): name that column deal_id."
        if known
        else "is no table of deals: none of its columns is known; name the id column deal_id."
    )
    raise NeedsMapping(filename, reason, tuple(names), dict(samples))


def _need_filled_id(
    columns: ColumnMapping, names: Sequence[str], samples: Mapping[str, tuple[str, ...]], filename: str
) -> None:
    """Raise NeedsMapping when the columns for the deal id are blank in every row."""
    holders = [column for column, name in columns.fields.items() if name == "deal_id"]
    if not any(samples.get(column) for column in holders):
        reason = f"has no deal id in any row of its column {holders[0]!r}: choose another column for it."
        raise NeedsMapping(filename, reason, tuple(names), dict(samples))


# --- categories -----------------------------------------------------------------------------


def _check_categories(
    deals: Sequence[Deal], numbered: Sequence[tuple[int, Deal]], columns: ColumnMapping
) -> tuple[dict[str, CategorySuggestion], list[Problem]]:
    """Compare every different category with the taxonomy; the deals keep the words of the file."""
    counts = Counter(deal.taxonomy for deal in deals)
    firsts: dict[Any, tuple[int, Deal]] = {}
    for line, deal in numbered:
        firsts.setdefault(deal.taxonomy, (line, deal))
    fields = columns.fields.items()
    column = next((column for column, name in fields if name == "taxonomy_tier1"), "taxonomy_tier1")
    suggestions: dict[str, CategorySuggestion] = {}
    problems: list[Problem] = []
    for taxonomy, count in list(counts.items())[:_CHECKED_CATEGORIES]:
        check = check_category(taxonomy.path)
        if check.message is None:
            continue
        raw = " > ".join(taxonomy.path)
        suggestions[raw] = CategorySuggestion(raw, check.message, count, check.category, check.near)
        line, deal = firsts.get(taxonomy, (1, deals[0]))
        message = f"{check.message} The file's words stay" + (f", in {count:,} deals." if count > 1 else ".")
        to_do = "Correct the category in the file if it is meant otherwise."
        problems.append(Problem(line, column, message, deal_id=deal.deal_id, found=raw, to_do=to_do))
    left = len(counts) - _CHECKED_CATEGORIES
    if left > 0:
        line = numbered[0][0]
        message = f"{len(counts):,} different categories; only the first {_CHECKED_CATEGORIES} were checked."
        problems.append(Problem(line, column, message, to_do="Check whether this column holds categories."))
    return suggestions, problems


def _listed(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems by row; beyond a thousand doubts about one column the others are counted."""
    listed: list[Problem] = []
    counts: Counter[str] = Counter()
    last: dict[str, Problem] = {}
    for problem in sorted(problems, key=lambda problem: problem.row):
        if problem.severity == "warning":
            counts[problem.column] += 1
            if counts[problem.column] > _LISTED_DOUBTS:
                last[problem.column] = problem
                continue
        listed.append(problem)
    for column, problem in last.items():
        more = counts[column] - _LISTED_DOUBTS
        message = (
            f"{more:,} more cells of this column are doubted, the last in row {problem.row}; "
            "their words are kept with the deals."
        )
        listed.append(Problem(problem.row, column, message, to_do="Check the mapping of this column."))
    return tuple(listed)
