"""A run as a file of its own, which other workspaces open without a key.

It is a SQLite workspace with one run. A file that comes in is from anybody: it is checked as a copy,
and read in full, before a row of it reaches the workspace.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from sqlalchemy import Column, Table, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.clustering import Clustering, ClusteringSettings
from core.clustering.quality import Quality
from core.deals import Deal
from core.errors import DealweaverError, WorkspaceError
from core.exports.files import sync
from core.packages import Package
from core.packages.package import STATUSES
from core.proposals import Answer, Outcome
from core.proposals.templates import template_id
from core.reading import ImportResult
from core.storage.calls import CallState
from core.storage.copies import COPIED, Row, rows_of
from core.storage.database import take_steps
from core.storage.migrations import HEAD, VERSIONS, is_newer
from core.storage.reviews import StepState
from core.storage.schema import Base, open_engine
from core.storage.sqlite_file import address_of, examine, is_damage

SUFFIX = ".dealweaver"
MOST_MB = 500
"""Size of a file that is still opened, in MB."""


# --- a file that goes out ---------------------------------------------------------------------


@contextmanager
def new_file(file: Path) -> Iterator[Session]:
    """Give an empty workspace to copy a run into, which is in the file's place when that went well.

    Raises WorkspaceError when the file cannot be written, or its name has another ending.
    """
    if file.suffix != SUFFIX:
        raise WorkspaceError(f"{file.name} is no name for a workspace file: let it end in {SUFFIX}.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, because a file moves whole only within a disk.
        with TemporaryDirectory(dir=file.parent, prefix=".") as folder:
            part = Path(folder) / file.name
            with _session_on(part) as session:
                yield session
            with closing(sqlite3.connect(part)) as connection:
                connection.execute("PRAGMA journal_mode=DELETE")  # so that it is one file
            sync(part)
            part.replace(file)
        sync(file.parent)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        if is_damage(getattr(error, "orig", None)):  # not of this file, which is new
            raise
        raise WorkspaceError(
            f"{file} cannot be written ({_cause(error)}): choose another folder or free some space."
        ) from error


@contextmanager
def _session_on(file: Path) -> Iterator[Session]:
    """Give a session on a SQLite file whose tables are of this version, and save what it changed."""
    engine = open_engine(address_of(file))
    try:
        take_steps(engine)
        with Session(engine) as session, session.begin():
            yield session
    finally:
        engine.dispose()


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


# --- a file that comes in ---------------------------------------------------------------------


@contextmanager
def opened_file(file: Path, name: str) -> Iterator[tuple[Session, str]]:
    """Give the content of a workspace file, checked, in the tables of this version, and its run's id.

    name: of the file, for people. The file itself stays as it is. Raises WorkspaceError when it is too
    large, damaged, of a newer version or another program, or does not hold one run.
    """
    try:
        _check_size(file, name)
        with TemporaryDirectory(prefix="dealweaver-", ignore_cleanup_errors=True) as folder:
            copy = Path(folder) / "run.db"
            shutil.copyfile(file, copy)
            _check_file(copy, name)
            with _session_on(copy) as session:
                run_id = _checked_run(session, name)
                yield session, run_id
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        raise _refusal(name, _cause(error)) from error


def _refusal(name: str, problem: str) -> WorkspaceError:
    return WorkspaceError(f"{name} cannot be opened ({problem}): choose a file that Dealweaver saved.")


def _check_size(file: Path, name: str) -> None:
    if not file.is_file():
        raise _refusal(name, "there is no such file")
    size_mb = file.stat().st_size / 1_000_000
    if size_mb > MOST_MB:
        raise WorkspaceError(
            f"{name} has {size_mb:,.0f} MB, more than the {MOST_MB} MB that are opened: save a smaller run."
        )


def _check_file(copy: Path, name: str) -> None:
    """Raise WorkspaceError unless a file is a sound workspace of this version or an older one."""
    found = examine(copy)
    problem = found.problem or ("it is a file of another program" if found.foreign else _active_part(copy))
    problem = problem or examine(copy, "integrity_check").problem
    if problem:
        raise _refusal(name, problem)
    if is_newer(found.version):
        raise WorkspaceError(
            f"{name} was saved by a newer version of Dealweaver (tables {found.version}, this one knows "
            f"{HEAD}): update Dealweaver first."
        )
    if found.version is not None and found.version not in VERSIONS:
        raise _refusal(name, "nobody knows the version of its tables")


def _active_part(file: Path) -> str | None:
    """Say what in a file would do more than hold rows: a view, a trigger, a value that is worked out."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")
        parts = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    for kind, name, sql in parts:
        if kind not in {"table", "index"} or re.search(r"\b(VIRTUAL|GENERATED|CHECK|AS)\b", sql or "", re.I):
            return f"it holds more than rows in {name!r}"
    return None


# --- is it a run? -----------------------------------------------------------------------------

# What reading values raises that are not what they should be.
_UNREADABLE = (
    ArithmeticError, AttributeError, DealweaverError, LookupError, RecursionError, TypeError, ValueError
)  # fmt: skip


def _checked_run(session: Session, name: str) -> str:
    """Return the id of the one run, after every row was read as the app reads it."""
    runs: Sequence[str] = session.scalars(select(Base.metadata.tables["runs"].c.id)).all()
    if len(runs) != 1:
        raise _refusal(name, f"it holds {len(runs)} runs instead of one")
    for table_name in COPIED:
        try:
            _check_rows(session, Base.metadata.tables[table_name], runs[0])
        except _UNREADABLE as error:
            raise _refusal(name, f"its {table_name.replace('_', ' ')} cannot be read") from error
    return runs[0]


def _check_rows(session: Session, table: Table, run_id: str) -> None:
    """Raise one of _UNREADABLE when a row does not hold what its columns promise."""
    check = _CHECKS.get(table.name)
    for rows in rows_of(session, table, run_id):
        for row in rows:
            if not all(_fits(column, row[column.name]) for column in table.columns):
                raise TypeError(table.name)
            if check is not None and not check(row):
                raise ValueError(table.name)
    if table.name == "deals":
        _check_places(session, run_id)


def _fits(column: Column[Any], value: object) -> bool:
    kind = column.type.python_type
    if value is None:
        return bool(column.nullable)
    return isinstance(value, (float, int) if kind is float else kind)


def _check_places(session: Session, run_id: str) -> None:
    """Raise ValueError when deals have gaps between them, or clusters name deals that are not there."""
    runs, deals = (Base.metadata.tables[name] for name in ("runs", "deals"))
    places = session.scalars(select(deals.c.position).where(deals.c.run_id == run_id)).all()
    saved = session.scalar(select(runs.c.clustering).where(runs.c.id == run_id))
    used: set[int] = set()
    if saved:
        clustering = Clustering.from_dict(saved)
        used.update(index for cluster in clustering.clusters for index in cluster.members)
        used.update(item.index for item in clustering.left_over)
    if set(places) != set(range(len(places))) or not used <= set(places):
        raise ValueError("deals")


def _reads_run(row: Row) -> bool:
    ImportResult.from_report((), row["report"])
    return row["clustering"] is None or _reads_clustering(row["clustering"], row["clustering"].get("quality"))


def _reads_clustering(clustering: Mapping[str, Any], quality: Mapping[str, Any] | None) -> bool:
    Clustering.from_dict(clustering)
    return quality is None or bool(Quality.from_dict(quality))


def _reads_event(row: Row) -> bool:
    sides = [Package.from_dict(row[side]) for side in ("before", "after") if row[side]]
    return all(package.id == row["package_id"] for package in sides)


def _reads_package(row: Row) -> bool:
    package = Package.from_dict(row["package"])
    return (package.id, package.version) == (row["id"], row["version"]) and package.status in STATUSES


# Table -> whether a row of it can be read and agrees with itself.
_CHECKS: Mapping[str, Callable[[Row], bool]] = {
    "runs": _reads_run,
    "deals": lambda row: Deal.from_dict(row["record"]).deal_id == row["deal_id"],
    "arrays": lambda row: row["columns"] > 0 and len(row["data"]) % (4 * row["columns"]) == 0,
    "clusterings": lambda row: (
        _reads_clustering(row["clustering"], row["quality"])
        and bool(ClusteringSettings.from_dict(row["settings"]))
    ),
    "templates": lambda row: template_id(row["text"]) == row["id"],
    "outcomes": lambda row: Outcome.from_dict(row["outcome"]).cluster_id == row["cluster_id"],
    "attempts": lambda row: row["state"] in get_args(CallState),
    "kept_answers": lambda row: bool(Answer.from_dict(row["answer"])),
    "packages": _reads_package,
    "steps": lambda row: row["state"] in get_args(StepState),
    "events": _reads_event,
}
