"""The file of a SQLite workspace: where it is, what it holds, and whether that is whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, make_url

from core.storage.migrations import HEAD
from core.storage.schema import APPLICATION_ID, Base

Check = Literal["quick_check", "integrity_check"]

# The file may be in use: so long another program is waited for, as the connections of the store do.
WAIT_S = 30.0
_MAGIC = b"SQLite format 3\0"
# https://www.sqlite.org/rescode.html: the file is damaged, or is no database.
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file holds.

    problem: what is damaged, None = nothing that was looked for. foreign: it is a database of
    another program. version: of its tables, None when none was recorded.
    """

    problem: str | None = None
    foreign: bool = False
    version: str | None = None


def file_of(url: str | URL) -> Path | None:
    """Return the file of a SQLite address, None for other databases and those in memory."""
    location = make_url(url)
    name = location.database
    is_file = location.get_backend_name() == "sqlite" and name and name != ":memory:"
    return Path(name) if is_file and name and not name.startswith("file:") else None


def address_of(file: Path) -> URL:
    """Return the address of a SQLite file."""
    return URL.create("sqlite", database=str(file))


def examine(file: Path, check: Check = "quick_check") -> Examined:
    """Look at a file without changing what it holds.

    check: of SQLite; both read the whole structure (0.04 s for 30 MB), and integrity_check compares
    the indexes as well. Neither sees a changed letter in a text. Raises OSError and sqlite3.Error
    when the file cannot be read for another reason than damage.
    """
    size = file.stat().st_size
    if size == 0:
        # SQLite takes it for a new database, in which every table is just not made yet.
        return Examined("it is empty")
    with file.open("rb") as opened:
        header = opened.read(100)
    if not header.startswith(_MAGIC):
        return Examined("file is not a database")
    # 1 stands for 65,536 bytes (https://www.sqlite.org/fileformat.html).
    page_size = int.from_bytes(header[16:18]) if header[16:18] != b"\0\1" else 65_536
    # While a log is there, a page may be half written: it is whole in the log.
    if size % max(page_size, 1) and not _log_of(file).exists():
        return Examined("its end is missing")
    try:
        with closing(sqlite3.connect(file, timeout=WAIT_S)) as connection:
            return _examine(connection, check)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return Examined(str(error))
        raise


def _examine(connection: sqlite3.Connection, check: Check) -> Examined:
    (told,) = connection.execute(f"PRAGMA {check}(1)").fetchone()
    if told != "ok":
        return Examined(told.splitlines()[-1])
    (program,) = connection.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if program not in {0, APPLICATION_ID} or (program == 0 and tables and "runs" not in tables):
        return Examined(foreign=True)
    version = None
    if "alembic_version" in tables:
        (version,) = connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()
    if program == APPLICATION_ID and version is None:
        return Examined("it lacks the version of its tables")
    missing = Base.metadata.tables.keys() - tables
    if version == HEAD and missing:
        return Examined(f"it lacks the table {min(missing)}")
    return Examined(version=version)


def is_damage(error: BaseException | None) -> bool:
    """Whether an error of the driver says that the file is damaged."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")
