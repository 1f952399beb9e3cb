"""Copies of a workspace file: made while it is in use, checked, kept in order, and taken back.

A copy stands in the folder `backups` beside the workspace, under the UTC time it was made and the
start of its SHA-256, by which a copy that was damaged later is known. Where the clock was set back, the
time is the next after the newest copy's: the order is always that in which they were made.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import re
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import URL, make_url

from core import clock
from core.errors import WorkspaceDamaged, WorkspaceError
from core.exports.files import sync
from core.storage.migrations import HEAD, is_newer
from core.storage.sqlite_file import WAIT_S, examine, file_of, is_damage

KEPT = 10
"""Copies that stay; older ones go."""
EVERY_APPROVALS = 25
_DAY_S = 24 * 3600

_NAME = re.compile(r"-(\d{8}-\d{6}-\d{6})-([0-9a-f]{12})\.db$")
_STAMP = "%Y%m%d-%H%M%S-%f"
_log = logging.getLogger(__name__)


def backup(url: str | URL, folder: Path | None = None) -> Path:
    """Copy the workspace as it is now into a folder, and return the copy.

    folder: None = `backups` beside the workspace, where only the newest 10 stay. Raises
    WorkspaceError when there is no workspace, or the copy cannot be written or is not sound,
    WorkspaceDamaged when the workspace itself is damaged.
    """
    file = _file_here(url)
    target = folder or _folder_of(file)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with part_in(target) as part:
            _copy(file, part)
            found = examine(part, "integrity_check")
            if found.problem:
                raise WorkspaceDamaged(file, found.problem, backups(url))
            stamp = clock.now().strftime(_STAMP)
            if folder is None:
                stamp = _after_newest(file, stamp)
            made = target / f"{file.stem}-{stamp}-{_digest(part)}.db"
            sync(part)
            part.replace(made)
        sync(target)
        # Counted without the new one: what was just called safe must not go, whatever the names say.
        others = [copy for copy in backups_of(file) if copy != made]
        for old in others[KEPT - 1 :] if folder is None else ():
            old.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        if is_damage(error):
            raise WorkspaceDamaged(file, str(error), backups(url)) from error
        raise WorkspaceError(
            f"The workspace could not be copied to {target} ({error}): free space there, "
            "or choose another folder with --to."
        ) from error
    return made


def backups(url: str | URL) -> tuple[Path, ...]:
    """Return the copies beside the workspace, newest first; none for a database on a server."""
    file = file_of(url)
    return () if file is None else backups_of(file)


def backups_of(file: Path) -> tuple[Path, ...]:
    """Return the copies beside a workspace file, newest first."""
    found = _folder_of(file).glob(f"{glob.escape(file.stem)}-*.db")
    return tuple(sorted((path for path in found if _made(path, file)), reverse=True))


def restore(url: str | URL, path: Path) -> Path | None:
    """Put a copy in the place of the workspace; return where the present file was set aside to.

    The copy is checked first, and stays. Raises WorkspaceError when it is no sound workspace of this
    version or an older one, or when the present workspace is in use.
    """
    file = _file_here(url, must_exist=False)
    try:
        with part_in(file.parent) as part:
            shutil.copyfile(path, part)
            _check_copy(part, path)
            if file.exists():
                shutil.copymode(file, part)
            sync(part)
            aside = _set_aside(file) if file.exists() else None
            part.replace(file)
        sync(file.parent)
    except (OSError, sqlite3.Error) as error:
        raise WorkspaceError(
            f"The backup {path} could not be put in place of {file} ({error}): "
            "the workspace is as it was; check the names and the rights of the folder."
        ) from error
    return aside


class AutomaticBackups:
    """Copies that nobody has to think of; one that fails is told in the log and tried again later.

    file: the workspace, None when its copies are the business of a server.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._approvals = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def at_start(self) -> None:
        """Copy a workspace that changed since its newest copy, when that is older than a day."""
        if self._file is None:
            return
        newest = next(iter(backups_of(self._file)), None)
        made_s = newest.stat().st_mtime if newest else 0.0
        changed_s = self._file.stat().st_mtime
        age_s = clock.epoch_s() - made_s
        # Made more than a day from now: the clock was set back since, so its age is not known.
        if age_s < -_DAY_S or (changed_s > made_s and age_s > _DAY_S):
            self._copy()

    def note_approvals(self, count: int) -> None:
        """Count saved approvals; every 25 of them a copy is made in the background."""
        with self._lock:
            self._approvals += count
            if self._file is None or self._approvals < EVERY_APPROVALS or self._working():
                return
            self._approvals = 0
            # No daemon: a program that ends waits for its last copy.
            self._thread = threading.Thread(target=self._copy, name="backup")
            self._thread.start()

    def close(self) -> None:
        """Wait for the copy that is being made."""
        with self._lock:
            if self._thread is not None:
                self._thread.join()

    def _working(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _copy(self) -> None:
        assert self._file is not None  # noqa: S101  (both callers have looked)
        try:
            backup(URL.create("sqlite", database=str(self._file)))
        except WorkspaceError as error:
            _log.warning("No automatic backup: %s", error)


# --- steps ------------------------------------------------------------------------------------


def _file_here(url: str | URL, *, must_exist: bool = True) -> Path:
    """Return the file of the workspace. Raises WorkspaceError when it has none, or none is there."""
    file = file_of(url)
    if file is None:
        name = make_url(url).database
        raise WorkspaceError(
            "The workspace is on a database server, where copies are the business of its own tools: "
            f"make one with pg_dump --format=custom {name}, and take it back with pg_restore."
        )
    if must_exist and not file.exists():
        raise WorkspaceError(f"There is no workspace at {file}: check DEALWEAVER_HOME.")
    return file


def _folder_of(file: Path) -> Path:
    return file.parent / "backups"


def _made(path: Path, file: Path) -> datetime | None:
    """Return when a copy of the file was made, as its name says; None for any other file."""
    named = _NAME.fullmatch(path.name.removeprefix(file.stem))  # of workspace.db, not of workspace-2.db
    try:
        return datetime.strptime(named[1], _STAMP) if named else None
    except ValueError:  # digits that are no time, such as month 13
        return None


def _after_newest(file: Path, stamp: str) -> str:
    """Return the stamp, or the next after the newest copy's when that is later.

    After a clock that ran ahead was set right, or with copies from a machine where it does, the new copy
    would else count as the oldest: listed last, not the one the doctor looks at, and the first to go next
    time, while the older ones stay for years.
    """
    newest = next((made for path in backups_of(file) if (made := _made(path, file))), None)
    if newest is None or stamp > newest.strftime(_STAMP):
        return stamp
    return (newest + timedelta(microseconds=1)).strftime(_STAMP)


@contextmanager
def part_in(folder: Path) -> Iterator[Path]:
    """Give a file in the folder to be filled and moved into place; it is gone when that failed."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{uuid.uuid4().hex}.part"
    part.touch(exist_ok=False)  # with the rights that files of this user have
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _copy(file: Path, part: Path) -> None:
    """Copy one state of a database that may be written to meanwhile."""
    with closing(sqlite3.connect(file, timeout=WAIT_S)) as connection:
        connection.execute("VACUUM INTO ?", (str(part),))


def _digest(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:12]


def _check_copy(part: Path, path: Path) -> None:
    """Raise WorkspaceError unless a copy can take the place of a workspace; path: its name for people."""
    named = _NAME.search(path.name)
    found = examine(part, "integrity_check")
    problem = found.problem
    if problem is None and named and named[2] != _digest(part):
        problem = "it was changed since it was made"
    if problem is None and found.foreign:
        problem = "it is a database of another program"
    if problem:
        raise WorkspaceError(f"The backup {path} cannot be used ({problem}): choose an older one.")
    if is_newer(found.version):
        raise WorkspaceError(
            f"The backup {path} is of a newer version of Dealweaver (tables {found.version}, this one knows "
            f"{HEAD}): update Dealweaver first."
        )


def _set_aside(file: Path) -> Path:
    """Keep the present file under another name as well. Raises WorkspaceError when it is in use."""
    _take_log_in(file)
    stamp = clock.now().strftime(_STAMP)
    aside = file.with_name(f"{file.stem}-set-aside-{stamp}.db")
    try:
        aside.hardlink_to(file)
    except OSError:  # some disks have no links
        shutil.copyfile(file, aside)
        sync(aside)
    for ending in ("-wal", "-shm"):
        # What is left of a log belongs to the former file: read with the new one, it would damage it.
        left = file.with_name(f"{file.name}{ending}")
        if left.exists():
            left.replace(aside.with_name(f"{aside.name}{ending}"))
    sync(file.parent)
    return aside


def _take_log_in(file: Path) -> None:
    """Write what is in the log into the file, which SQLite does only when nobody else has it open."""
    try:
        with closing(sqlite3.connect(file, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise WorkspaceError(
                f"The workspace {file} is in use: stop Dealweaver first, so that nothing is saved meanwhile."
            ) from error
        raise
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
