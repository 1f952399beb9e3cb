"""Whether a workspace is sound and safe: looked at as it is, without changing or upgrading it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from core import clock
from core.errors import WorkspaceError
from core.storage.backup import backups_of
from core.storage.migrations import HEAD, is_newer, version_of
from core.storage.schema import Base, open_engine
from core.storage.sqlite_file import WAIT_S, examine, file_of, is_damage

_DAY_S = 24 * 3600
# A copy and a workspace that grows want as much again, and an empty one still wants this much.
_LEAST_FREE_MB = 100
# With which a server keeps what it confirmed through a power cut.
_SAFE_SETTINGS = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "local", "remote_write", "remote_apply"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `sentence` says what was found, and what to do when it is not ok."""

    name: str
    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, in order."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there is nothing to do."""
        return all(finding.ok for finding in self.findings)


def doctor(url: str | URL) -> Report:
    """Look at everything a workspace stands on. Raises WorkspaceError when it cannot be looked at.

    File: structure, indexes, references, readable records, version, free space, age and soundness of
    the newest backup. Server: connection, version, tables, and settings that keep confirmed changes.
    """
    file = file_of(url)
    try:
        findings = _of_server(url) if file is None else _of_file(file)
    except (OSError, sqlite3.Error, SQLAlchemyError, ImportError) as error:
        name = make_url(url).render_as_string(hide_password=True)
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise WorkspaceError(
            f"The workspace {name} cannot be looked at ({cause}): check DEALWEAVER_HOME and "
            "DEALWEAVER_DATABASE_URL."
        ) from error
    return Report(tuple(findings))


# --- a file -----------------------------------------------------------------------------------


def _of_file(file: Path) -> list[Finding]:
    if not file.exists():
        return [Finding("file", True, f"There is no workspace at {file} yet; the first start makes it.")]
    found = examine(file, "integrity_check")
    problem = found.problem or ("it is a database of another program" if found.foreign else None)
    backup = _newest_backup(file)
    if problem:
        remedy = "choose a backup with python -m core restore" if backups_of(file) else "it has no backup"
        return [Finding("file", False, f"{file} cannot be used ({problem}): {remedy}."), backup]
    return [
        Finding("file", True, f"{file} is whole."),
        _version(found.version),
        _records(file),
        _free_space(file),
        backup,
    ]


def _version(version: str | None) -> Finding:
    if is_newer(version):
        return Finding("version", False, f"Its tables are of the newer version {version}: update Dealweaver.")
    if version != HEAD:
        sentence = f"Its tables are of an older version; the next start copies it and makes them {HEAD}."
        return Finding("version", True, sentence)
    return Finding("version", True, f"Its tables are of version {HEAD}, as this program needs them.")


def _records(file: Path) -> Finding:
    """Look at rows that refer to others, and whether every record can be read; no check of SQLite does."""
    with closing(sqlite3.connect(file, timeout=WAIT_S)) as connection:
        try:
            bad = [f"a row of {row[0]} is lost" for row in connection.execute("PRAGMA foreign_key_check")]
            for table, column in _json_columns(connection):
                (count,) = connection.execute(
                    f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL AND NOT json_valid({column})"  # noqa: S608  (own names)
                ).fetchone()
                bad += [f"{count} unreadable in {table}.{column}"] if count else []
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            bad = [str(error)]
    if bad:
        told = ", ".join(bad[:3])
        return Finding("records", False, f"Records are damaged ({told}): choose a backup to restore.")
    return Finding("records", True, "Every record can be read.")


def _json_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [
        (f'"{table}"', f'"{column[1]}"')
        for (table,) in tables
        for column in connection.execute(f'PRAGMA table_info("{table}")')
        if column[2] == "JSON"
    ]


def _free_space(file: Path) -> Finding:
    free_mb = shutil.disk_usage(file.parent).free // 1_000_000
    size_mb = file.stat().st_size // 1_000_000
    needed_mb = max(_LEAST_FREE_MB, 2 * size_mb)
    if free_mb < needed_mb:
        sentence = f"Only {free_mb} MB are free, and backups want {needed_mb} MB: free some space."
        return Finding("space", False, sentence)
    return Finding("space", True, f"{free_mb} MB are free; the workspace has {size_mb} MB.")


def _newest_backup(file: Path) -> Finding:
    copies = backups_of(file)
    if not copies:
        return Finding("backup", False, "There is no backup yet: make one with python -m core backup.")
    made_s, changed_s = copies[0].stat().st_mtime, file.stat().st_mtime
    problem = examine(copies[0], "integrity_check").problem
    if problem:
        return Finding("backup", False, f"{copies[0]} is damaged ({problem}): make another one now.")
    if changed_s > made_s and clock.epoch_s() - made_s > _DAY_S:
        days = int((clock.epoch_s() - made_s) / _DAY_S)
        old = f"The newest of {len(copies)} backups is {days} days old"
        return Finding("backup", False, f"{old}: make one with python -m core backup.")
    return Finding("backup", True, f"{len(copies)} backups; the newest is {copies[0]}.")


# --- a server ---------------------------------------------------------------------------------


def _of_server(url: str | URL) -> list[Finding]:
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            version = version_of(connection)
            findings = [Finding("server", True, "The database answers."), _version(version)]
            missing = Base.metadata.tables.keys() - inspect(connection).get_table_names()
            if version == HEAD and missing:
                sentence = f"It lacks the table {min(missing)}: restore a dump of the database."
                findings.append(Finding("tables", False, sentence))
            for name in _SAFE_SETTINGS if engine.dialect.name == "postgresql" else ():
                findings.append(_setting(name, connection.exec_driver_sql(f"SHOW {name}").scalar_one()))
    finally:
        engine.dispose()
    return findings


def _setting(name: str, value: str) -> Finding:
    if value in _SAFE_SETTINGS[name]:
        return Finding(name, True, f"The server runs with {name} = {value}.")
    sentence = f"The server runs with {name} = {value}, so a power cut can cost saved changes: set it to on."
    return Finding(name, False, sentence)
