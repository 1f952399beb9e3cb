"""Which column of a file fills which field, as far as names tell, and as the analyst decided.

A column whose name is not certain fills nothing: it is kept with the deal, and near names are
suggested for the analyst to choose from.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from core.deals.vocabulary import (
    FIELD_BY_NAME,
    FIELDS,
    IGNORED_COLUMNS,
    ColumnMeaning,
    column_key,
    field_for_column,
    meaning_of_column,
)
from core.errors import ImportRefused
from core.reading.values import json_text, storable

# Field names a caller may map a column to, in the order of the record.
FIELD_NAMES = tuple(FIELD_BY_NAME)
# Below this likeness (difflib ratio) two names are rarely about the same thing.
_NEAR = 0.72
# Before every rank by name: a column that the analyst moved to a field fills it first.
_MOVED = -1
SAMPLES_PER_COLUMN = 3
_SAMPLE_LENGTH = 80
_SAMPLE_ROWS = 1_000

Chosen = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """What every column of a file does.

    uses: column -> the field it fills, and what its header adds.
    ambiguous: field -> the columns that fill it, the one used first; only where there are several.
    ignored: columns that are not kept at all (technical ones).
    repairs: sentences about the choice.
    """

    uses: Mapping[str, ColumnMeaning] = field(default_factory=dict)
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, str]:
        """Column -> name of the field it fills."""
        return {column: meaning.field.name for column, meaning in self.uses.items()}


def map_columns(columns: Sequence[str], chosen: Chosen | None = None, filename: str = "") -> ColumnMapping:
    """Decide what every column fills. Raises ImportRefused when `chosen` names an unknown field.

    chosen: column -> field name; "" or None leaves the column without a field. It wins over names,
    and a field that is chosen for some column is filled by no other.
    """
    chosen = _checked(chosen or {}, filename)
    taken = {name for column, name in chosen.items() if name and column in set(columns)}
    uses: dict[str, ColumnMeaning] = {}
    for column in columns:
        meaning = meaning_of_column(column)
        if column in chosen:
            meaning = _as_chosen(chosen[column], meaning)
        elif column_key(column) in IGNORED_COLUMNS or (meaning and meaning.field.name in taken):
            meaning = None
        if meaning:
            uses[column] = meaning
    ignored = [c for c in columns if column_key(c) in IGNORED_COLUMNS and not chosen.get(c)]
    repairs = [f"Technical columns are not kept: {', '.join(ignored)}."] if ignored else []
    missing = [column for column, name in chosen.items() if name and column not in set(columns)]
    if missing:
        repairs.append(f"The mapping names columns that the file does not have: {', '.join(missing)}.")
    return ColumnMapping(uses, _ambiguous(uses), tuple(ignored), tuple(repairs))


def _checked(chosen: Chosen, filename: str) -> dict[str, str]:
    """Return the choice with field names as the record has them."""
    result: dict[str, str] = {}
    for column, name in chosen.items():
        known = field_for_column(name) if name else None
        if name and known is None:
            near = ", ".join(suggest_fields(name)) or ", ".join(FIELD_NAMES)
            reason = (
                f"cannot be mapped: {name!r} (for the column {column!r}) is no field of a deal; use {near}."
            )
            raise ImportRefused(filename or "The mapping", reason)
        result[column] = known.name if known else ""
    return result


def _as_chosen(name: str, by_name: ColumnMeaning | None) -> ColumnMeaning | None:
    if not name:
        return None
    owner = FIELD_BY_NAME[name]
    if by_name and by_name.field is owner:
        return by_name  # confirmed, not moved: it stands where its name puts it
    if by_name and by_name.field.kind == owner.kind:  # the header's currency or unit stays true
        return ColumnMeaning(owner, _MOVED, by_name.currency, by_name.unit, by_name.period)
    return ColumnMeaning(owner, _MOVED)


def _ambiguous(uses: Mapping[str, ColumnMeaning]) -> dict[str, tuple[str, ...]]:
    columns: dict[str, list[tuple[int, str]]] = {}
    for column, meaning in uses.items():
        columns.setdefault(meaning.field.name, []).append((meaning.rank, column))
    return {
        name: tuple(column for _, column in sorted(found, key=lambda item: item[0]))
        for name, found in columns.items()
        if len(found) > 1
    }


@lru_cache(maxsize=4_096)
def suggest_fields(column: str, limit: int = 3) -> tuple[str, ...]:
    """Return names of fields that a column might mean, nearest first; () when none is near."""
    key = column_key(column)
    if not key:
        return ()
    names = _names()
    near = dict.fromkeys(names[name] for name in difflib.get_close_matches(key, names, n=6, cutoff=_NEAR))
    # "Deal floor incl. fee" holds a name as a whole: likelier than a name of similar letters.
    within = {
        owner: None
        for name, owner in sorted(names.items(), key=lambda item: -len(item[0]))
        if len(name) > 3 and name in key  # noqa: PLR2004  ("cat" is in "location")
    }
    return tuple(dict.fromkeys([*within, *near]))[:limit]


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {column_key(name): field.name for field in FIELDS for name in (*field.aliases, field.name)}


def samples_of(
    columns: Sequence[str], rows: Iterable[tuple[Sequence[str], Sequence[object]]]
) -> dict[str, tuple[str, ...]]:
    """Return up to three different example values of every column, from the first rows.

    rows: (column names, cells) of each; records of JSON need not all have the same columns.
    """
    found: dict[str, dict[str, None]] = {column: {} for column in columns}
    for number, (names, cells) in enumerate(rows):
        if number >= _SAMPLE_ROWS:
            break
        for name, cell in zip(names, cells, strict=True):
            examples = found[name]
            if len(examples) < SAMPLES_PER_COLUMN and cell not in (None, "", [], {}):
                text = storable(cell if isinstance(cell, str) else json_text(cell)).strip()
                if text:
                    cut = text if len(text) <= _SAMPLE_LENGTH else f"{text[: _SAMPLE_LENGTH - 1]}…"
                    examples[cut] = None
    return {column: tuple(examples) for column, examples in found.items()}
