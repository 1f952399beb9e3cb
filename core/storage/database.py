"""The connection to the workspace database: transactions, and what every part of it shares."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, make_url, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from core import clock
from core.deals import Deal
from core.errors import WorkspaceDamaged, WorkspaceError
from core.exports.files import sync
from core.packages import Package
from core.storage import clusterings
from core.storage.backup import AutomaticBackups, backup, backups_of, part_in
from core.storage.migrations import HEAD, VERSIONS, is_newer, upgrade, version_of
from core.storage.schema import APPLICATION_ID, DealRow, EventRow, RunRow, open_engine
from core.storage.sqlite_file import address_of, examine, file_of, is_damage

# Until people sign in, the one person at this machine decides.
ANALYST = "analyst"


class Database:
    """One database, opened; its tables are made, or brought up to this version, when they are not.

    url: SQLAlchemy URL; the folder of a SQLite file is made when it is missing, and a file there is
    checked before it is used, and copied before its tables are changed. Raises WorkspaceError when
    the database cannot be opened or used or is of a newer version, WorkspaceDamaged when the file is
    damaged; it is then left as it is.
    """

    def __init__(self, url: str) -> None:
        try:
            location = make_url(url)
        except SQLAlchemyError:  # its message would repeat the URL, password included
            raise WorkspaceError(
                "The address of the workspace is no database URL: check DEALWEAVER_DATABASE_URL."
            ) from None
        self._file = file_of(location)
        self._closed = False
        self._backups = AutomaticBackups(self._file)
        is_new = self._file is not None and not self._file.exists()
        try:
            if self._file is not None:
                _prepare(self._file)
            self._engine = open_engine(location)
            self._writing: Engine = self._engine.execution_options(writer=True)
            with ExitStack() as undo:
                undo.callback(self._engine.dispose)
                self._bring_up_to_date(location)
                if not is_new:
                    self._backups.at_start()
                undo.pop_all()
        except (SQLAlchemyError, sqlite3.Error, OSError, ImportError) as error:
            raise WorkspaceError(_cannot_open(location, error)) from error

    def _bring_up_to_date(self, location: URL) -> None:
        with self._engine.connect() as connection:
            version = version_of(connection)
        _refuse_newer(location, version)
        if version == HEAD:
            return
        if self._file is not None:
            backup(location)
        take_steps(self._engine)

    def close(self) -> None:
        """Give the connections back, after the copy that is being made.

        A call to a model that was left behind may still note its answer: each transaction that ends
        from now on gives its own connection back.
        """
        self._backups.close()
        self._closed = True
        self._give_back()

    def _give_back(self) -> None:
        # Not through the engine, which would begin a new pool: connections that are in use now return
        # to this one, and whoever returns them asks it again.
        self._engine.pool.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._transaction(self._engine, "read") as session:
            yield session

    @contextmanager
    def _saving(self) -> Iterator[Session]:
        with self._transaction(self._writing, "saved, nothing was changed") as session:
            yield session

    @contextmanager
    def _transaction(self, engine: Engine, what: str) -> Iterator[Session]:
        try:
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            if self._file is not None and is_damage(getattr(error, "orig", None)):
                raise WorkspaceDamaged(self._file, _cause(error), backups_of(self._file)) from error
            raise WorkspaceError(
                f"The workspace could not be {what} ({_cause(error)}): try again."
            ) from error
        finally:
            if self._closed:
                self._give_back()

    def _note_approvals(self, count: int) -> None:
        """Count approvals that were saved; from time to time a copy is made in the background."""
        self._backups.note_approvals(count)


# --- opening ----------------------------------------------------------------------------------


def _prepare(file: Path) -> None:
    """Make the file when there is none; refuse one that is damaged, foreign or newer, unchanged."""
    if not file.exists():
        _make(file)
    elif file.is_file():
        found = examine(file)
        if found.problem:
            raise WorkspaceDamaged(file, found.problem, backups_of(file))
        if found.foreign:
            raise WorkspaceError(
                f"{file} is a database of another program: check DEALWEAVER_HOME and DEALWEAVER_DATABASE_URL."
            )
        _refuse_newer(address_of(file), found.version)
        if found.version is not None and found.version not in VERSIONS:
            problem = f"its tables are of a version that never was ({found.version!r})"
            raise WorkspaceDamaged(file, problem, backups_of(file))


def _make(file: Path) -> None:
    """Make an empty workspace aside and move it into place, so that an empty file is always a damaged one."""
    with part_in(file.parent) as part:
        engine = open_engine(address_of(part))
        try:
            take_steps(engine)
        finally:
            engine.dispose()
        sync(part)
        try:
            file.hardlink_to(part)
        except FileExistsError:  # another program was first
            return
        except OSError:  # some disks have no links
            part.replace(file)
    sync(file.parent)


def take_steps(engine: Engine) -> None:
    """Bring the tables up to this version in one transaction; of two programs, the second finds it done."""
    options = engine.execution_options(writer=True, migrating=True)
    with options.connect() as connection:
        with connection.begin():
            upgrade(connection)
            if connection.dialect.name == "sqlite":
                _sign(connection)
        connection.invalidate()  # it does not look after foreign keys


def _sign(connection: Connection) -> None:
    """Write into a SQLite file what it is, after a last look at the rows that refer to others."""
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if lost is not None:
        raise IntegrityError(None, None, Exception(f"a row of {lost[0]} belongs to a row that is gone"))
    connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version={int(HEAD)}")


def _refuse_newer(location: URL, version: str | None) -> None:
    if is_newer(version):
        name = location.render_as_string(hide_password=True)
        raise WorkspaceError(
            f"The workspace {name} was written by a newer version of Dealweaver (tables {version}, this one "
            f"knows {HEAD}) and was left as it is: update Dealweaver, or choose another workspace with "
            "DEALWEAVER_HOME."
        )


def _cannot_open(location: URL, error: Exception) -> str:
    remedy = "check DEALWEAVER_HOME and the rights of its folder"
    if location.get_backend_name() == "postgresql":
        remedy = "check DEALWEAVER_DATABASE_URL, and that the server runs"
    if isinstance(error, ImportError):
        remedy = "install its driver (for PostgreSQL: pip install 'dealweaver[postgres]'), or " + remedy
    name = location.render_as_string(hide_password=True)
    return f"The workspace {name} cannot be opened ({_cause(error)}): {remedy}."


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def get_run(session: Session, run_id: str) -> RunRow:
    """Return the row of a run. Raises WorkspaceError when there is none of this id."""
    row = session.get(RunRow, run_id)
    if row is None:
        raise _no_run(run_id)
    return row


def _no_run(run_id: str) -> WorkspaceError:
    return WorkspaceError(f"There is no run {run_id!r} in this workspace: choose another one.")


def check_loads(row: RunRow, loads: int | None) -> None:
    """Raise WorkspaceError when another file came into the run; None does not check."""
    if loads is not None and clusterings.loads_of(row) != loads:
        raise WorkspaceError("Another file came into the run meanwhile: build the clusters again.")


def log_event(
    session: Session,
    run_id: str,
    what: str,
    *,
    who: str = ANALYST,
    before: Package | None = None,
    after: Package | None = None,
) -> None:
    """Add to the audit trail, in the transaction of what it tells. before, after: the package it is about."""
    at = clock.timestamp()
    # Not through the row: reading one takes milliseconds, and a transaction may have many events.
    saved = update(RunRow).where(RunRow.id == run_id).values(saved_at=at)
    found = session.scalar(saved.returning(RunRow.id).execution_options(synchronize_session=False))
    if found is None:
        raise _no_run(run_id)
    session.add(
        EventRow(
            run_id=run_id,
            at=at,
            who=who,
            what=what,
            package_id=after.id if after else None,
            before=before.to_dict() if before else None,
            after=after.to_dict() if after else None,
        )
    )


def read_deals(session: Session, run_id: str) -> tuple[Deal, ...]:
    """Return the deals of a run in the order of the file."""
    rows = session.scalars(select(DealRow.record).where(DealRow.run_id == run_id).order_by(DealRow.position))
    with _no_search_for_cycles():
        return tuple(Deal.from_dict(record) for record in rows)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Let Python not look for reference cycles: 10,000 deals hold none, and it takes 0.35 of their 0.6 s."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def deal_ids_of(session: Session, run_id: str) -> set[str]:
    """Return the ids of the deals of a run."""
    return set(session.scalars(select(DealRow.deal_id).where(DealRow.run_id == run_id)))
