"""A run with everything made from it, copied: within a workspace, or from one database to another.

Preferences, which could hold what is private, and jobs, which belong to a process, are no part of it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, insert, select
from sqlalchemy.orm import Session

from core.packages.package import new_package_id
from core.storage.database import get_run
from core.storage.schema import Base

COPIED = (
    "runs", "deals", "arrays", "clusterings", "templates", "askings", "outcomes", "attempts", "kept_answers",
    "packages", "steps", "events",
)  # fmt: skip
"""Tables of a run, each after those that it refers to."""

# Rows that a workspace has once for all its runs, by what names them.
_SHARED = {"templates": "id", "kept_answers": "question"}
# Tables whose numbers other rows name.
_NAMED = ("askings", "steps")
_ROWS_AT_ONCE = 500
_IDS_AT_ONCE = 10_000

Row = dict[str, Any]


# --- copying ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ids:
    """Ids of the copy; a package that is not named keeps its own."""

    run: str
    packages: Mapping[str, str]
    numbers: dict[str, dict[int, int]] = field(default_factory=lambda: {name: {} for name in _NAMED})

    def number(self, table: str, former: int | None) -> int | None:
        return None if former is None else self.numbers[table].get(former)


def copy_run(source: Session, target: Session, run_id: str) -> str:
    """Copy a run and return the id of the copy; both sessions may be of the same workspace.

    Ids of run and packages stay where the target has no such ids yet. Calls under way are nobody's in
    the copy. Raises WorkspaceError when there is no such run.
    """
    get_run(source, run_id)
    ids = _new_ids(source, target, run_id)
    for name in COPIED:
        table = Base.metadata.tables[name]
        for rows in rows_of(source, table, run_id):
            _put(target, table, rows, ids)
    return ids.run


def _new_ids(source: Session, target: Session, run_id: str) -> _Ids:
    runs, packages, events = (Base.metadata.tables[name] for name in ("runs", "packages", "events"))
    named = set(source.scalars(select(packages.c.id).where(packages.c.run_id == run_id)))
    told = select(events.c.package_id).where(events.c.run_id == run_id, events.c.package_id.is_not(None))
    named.update(source.scalars(told.distinct()))
    free = re.fullmatch("[0-9a-f]{12}", run_id) and not _taken(target, runs, [run_id])
    taken = _taken(target, packages, sorted(named))
    changed = (one for one in sorted(named) if one in taken or not re.fullmatch("pkg-[0-9a-f]{12}", one))
    return _Ids(run_id if free else uuid.uuid4().hex[:12], {one: new_package_id() for one in changed})


def _taken(session: Session, table: Table, ids: list[str], key: str = "id") -> set[str]:
    """Return those of the ids that a table has."""
    parts = (ids[start : start + _IDS_AT_ONCE] for start in range(0, len(ids), _IDS_AT_ONCE))
    column = table.c[key]
    return {one for part in parts for one in session.scalars(select(column).where(column.in_(part)))}


def rows_of(session: Session, table: Table, run_id: str) -> Iterator[list[Row]]:
    """Yield the rows of a run in one of its tables, in the order of their keys, some at a time."""
    wanted = _of_run(table, run_id).order_by(*table.primary_key)
    found = session.execute(wanted).mappings()
    yield from ([dict(row) for row in part] for part in found.partitions(_ROWS_AT_ONCE))


def _of_run(table: Table, run_id: str) -> Select[Any]:
    askings = Base.metadata.tables["askings"]
    used = select(askings.c.template_id).where(askings.c.run_id == run_id, askings.c.template_id.is_not(None))
    owned: Mapping[str, Callable[[], ColumnElement[bool]]] = {
        "runs": lambda: table.c.id == run_id,
        "templates": lambda: table.c.id.in_(used),
    }
    return select(table).where(owned.get(table.name, lambda: table.c.run_id == run_id)())


def _put(session: Session, table: Table, rows: list[Row], ids: _Ids) -> None:
    """Add rows with the ids of the copy; those that number themselves get the next numbers."""
    key = _SHARED.get(table.name)
    if key is not None:
        known = _taken(session, table, [row[key] for row in rows], key)
        rows = [row for row in rows if row[key] not in known]
    counted = table.autoincrement_column
    fresh = [_changed(table.name, row, ids) for row in rows]
    if counted is not None:
        for row in fresh:
            del row[counted.name]
    if not fresh:
        return
    if table.name in _NAMED:
        adding = insert(table).returning(table.c.id, sort_by_parameter_order=True)
        numbers = session.scalars(adding, fresh).all()
        ids.numbers[table.name].update(zip((row["id"] for row in rows), numbers, strict=True))
    else:
        session.execute(insert(table), fresh)


def _changed(name: str, row: Row, ids: _Ids) -> Row:
    own = {"run_id": ids.run} if "run_id" in row else {}
    change = _CHANGES.get(name)
    return {**row, **own, **(change(row, ids) if change else {})}


def _changes_of_outcome(row: Row, ids: _Ids) -> Row:
    outcome = row["outcome"]
    asking = ids.number("askings", outcome.get("asking"))
    return {"outcome": {**outcome, "asking": asking}} if "asking" in outcome else {}


def _changes_of_attempt(row: Row, ids: _Ids) -> Row:
    # Whoever waits for the reply keeps it in the run it was asked for.
    return {"asking": ids.number("askings", row["asking"]), "lease_until_s": 0.0}


def _changes_of_package(row: Row, ids: _Ids) -> Row:
    own = ids.packages.get(row["id"], row["id"])
    return {"id": own, "package": {**row["package"], "id": own}}


def _changes_of_event(row: Row, ids: _Ids) -> Row:
    own = ids.packages.get(row["package_id"], row["package_id"])
    told = {side: {**row[side], "id": own} for side in ("before", "after") if row[side]}
    return {"package_id": own, "step_id": ids.number("steps", row["step_id"]), **told}


_CHANGES: Mapping[str, Callable[[Row, _Ids], Row]] = {
    "runs": lambda _, ids: {"id": ids.run},
    "outcomes": _changes_of_outcome,
    "attempts": _changes_of_attempt,
    "packages": _changes_of_package,
    "events": _changes_of_event,
}
