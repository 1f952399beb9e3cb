"""The connection to the workspace database: transactions, and what every part of it shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.deals import Deal
from core.errors import WorkspaceError
from core.packages import Package
from core.workspace import clusterings
from core.workspace.schema import Base, DealRow, EventRow, RunRow, open_engine

# Until people sign in, the one person at this machine decides.
ANALYST = "analyst"


class Database:
    """One database, opened; its tables are made when they are missing.

    url: SQLAlchemy URL; the folder of a SQLite file is made when it is missing.
    Raises WorkspaceError when the database cannot be opened or used.
    """

    def __init__(self, url: str) -> None:
        try:
            location = make_url(url)
        except SQLAlchemyError:  # its message would repeat the URL, password included
            raise WorkspaceError(
                "The address of the workspace is no database URL: check DEALWEAVER_DATABASE_URL."
            ) from None
        try:
            if location.drivername.startswith("sqlite") and location.database not in {None, "", ":memory:"}:
                Path(str(location.database)).parent.mkdir(parents=True, exist_ok=True)
            self._engine = open_engine(url)
            self._writing: Engine = self._engine.execution_options(writer=True)
            Base.metadata.create_all(self._writing)
        except (SQLAlchemyError, OSError, ImportError) as error:  # ImportError: a driver is missing
            raise WorkspaceError(
                f"The workspace {location.render_as_string(hide_password=True)} cannot be opened "
                f"({_cause(error)}): check DEALWEAVER_HOME and the rights of its folder."
            ) from error

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

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
            raise WorkspaceError(
                f"The workspace could not be {what} ({_cause(error)}): try again."
            ) from error


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def now() -> str:
    """Return the time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


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
    at = now()
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
    return tuple(Deal.from_dict(record) for record in rows)


def deal_ids_of(session: Session, run_id: str) -> set[str]:
    """Return the ids of the deals of a run."""
    return set(session.scalars(select(DealRow.deal_id).where(DealRow.run_id == run_id)))
