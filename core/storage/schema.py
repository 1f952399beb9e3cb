"""The tables of the workspace, and how a connection to it behaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    JSON,
    URL,
    Engine,
    ForeignKey,
    LargeBinary,
    String,
    UniqueConstraint,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

# "Deal": tells the file of a workspace from other SQLite files, and is the lock of writers on a server.
APPLICATION_ID = 0x4465616C


class Base(DeclarativeBase):
    """Common base of the tables."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012  (read by SQLAlchemy)


class RunRow(Base):
    """One loaded file and everything made from it."""

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str]
    filename: Mapped[str]
    created_at: Mapped[str]
    saved_at: Mapped[str]
    report: Mapped[dict[str, Any]]
    # Megabytes at 10,000 deals, so it is read only where it is asked for.
    clustering: Mapped[dict[str, Any] | None] = mapped_column(JSON, deferred=True)


class DealRow(Base):
    """One deal of a run, in the order of the file."""

    __tablename__ = "deals"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    deal_id: Mapped[str]
    record: Mapped[dict[str, Any]]
    __table_args__ = (UniqueConstraint("run_id", "deal_id"),)


class ClusteringRow(Base):
    """A clustering the run has or had; the newest one is the run's own, unless the run has none.

    loads: files in the run when it was made; its indices count among the deals of then. clusters,
    left_over: how many, so that a list of them reads no members.
    """

    __tablename__ = "clusterings"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[str]
    what: Mapped[str]
    loads: Mapped[int]
    clusters: Mapped[int]
    left_over: Mapped[int]
    settings: Mapped[dict[str, Any]]
    quality: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    clustering: Mapped[dict[str, Any]]
    # An id never comes back: a page drawn before must not go back to another clustering.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  (read by SQLAlchemy)


class ArrayRow(Base):
    """Numbers of a run as float32; vectors and map have one row for each deal, in deal order.

    made_by: the model the vectors are of, see `Encoder.name`; None when nobody noted it.
    """

    __tablename__ = "arrays"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)
    made_by: Mapped[str | None]


class OutcomeRow(Base):
    """What became of one cluster's proposals, without raw texts; see `answers.standing_outcomes`."""

    __tablename__ = "outcomes"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    cluster_id: Mapped[str]
    created_at: Mapped[str]
    outcome: Mapped[dict[str, Any]]


class AskingRow(Base):
    """One start of asking for packages; its id counts the generations of answers.

    source: who was asked. template_id: the words around the deals, None for the rules.
    """

    __tablename__ = "askings"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    at: Mapped[str]
    source: Mapped[str]
    template_id: Mapped[str | None]
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  (read by SQLAlchemy)


class AttemptRow(Base):
    """One call about a cluster; its reply stands here before anything of it is read.

    state: running = under way until `lease_until_s` at most (seconds since the epoch); answered =
    the reply is here and was not used yet; done = it was accepted; failed = it was not, or
    none came. A state that is done or failed stays, whatever comes later. question: names what was
    asked, see `cachekey.answer_key`; None when it cannot be asked again in the same way.
    """

    __tablename__ = "attempts"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    cluster_id: Mapped[str]
    asking: Mapped[int] = mapped_column(ForeignKey("askings.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    state: Mapped[str]
    started_at: Mapped[str]
    lease_until_s: Mapped[float]
    question: Mapped[str | None]
    prompt_hash: Mapped[str | None]
    requested_model: Mapped[str | None]
    answered_model: Mapped[str | None]
    finish_reason: Mapped[str | None]
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    latency_s: Mapped[float | None]
    raw: Mapped[str] = mapped_column(default="")
    error: Mapped[str | None]
    __table_args__ = (UniqueConstraint("run_id", "cluster_id", "asking", "attempt"),)


class AnswerCacheRow(Base):
    """A checked answer under the name of its question; it goes with the run that paid for it."""

    __tablename__ = "kept_answers"
    question: Mapped[str] = mapped_column(String(64), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[str]
    answer: Mapped[dict[str, Any]]


class TemplateRow(Base):
    """A version of the prompt template; saved again, it is the newest again."""

    __tablename__ = "templates"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    text: Mapped[str]
    made_at: Mapped[str]


class PackageRow(Base):
    """One package; `replaced` marks one that does not stand any more: a newer one took its place."""

    __tablename__ = "packages"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    version: Mapped[int] = mapped_column()
    replaced: Mapped[bool] = mapped_column(default=False)
    package: Mapped[dict[str, Any]]
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012


class EventRow(Base):
    """The audit trail: append-only, written in the same transaction as what it tells.

    kind: what made a package what it is after the event, one of `package_rows.Kind`; those events in
    order give the packages that stand. None = the event is about no package, or older than this
    column. step_id: the step of an analyst it belongs to. position: the package's place.
    """

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    at: Mapped[str]
    who: Mapped[str]
    what: Mapped[str]
    package_id: Mapped[str | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    step_id: Mapped[int | None] = mapped_column(index=True)
    kind: Mapped[str | None]
    position: Mapped[int | None]


class StepRow(Base):
    """One command of an analyst about packages; its changes are the events that name it.

    state: done; undone = taken back, and can be made again; dropped = taken back for good.
    """

    __tablename__ = "steps"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    at: Mapped[str]
    who: Mapped[str]
    what: Mapped[str]
    state: Mapped[str]
    # An id never comes back: the order of ids is the order of steps.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  (read by SQLAlchemy)


class JobRow(Base):
    """Long work on a run, and the process that does it; times are seconds since the epoch.

    state: one of `job_book.State`; while it is queued or running, `owner` is believed to live until
    `lease_until_s`. cancel_asked: some process was asked to stop it. seen: it ended, and need not be
    shown any more.
    """

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    title: Mapped[str]
    params: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(index=True)
    owner: Mapped[str]
    lease_until_s: Mapped[float]
    cancel_asked: Mapped[bool] = mapped_column(default=False)
    seen: Mapped[bool] = mapped_column(default=False)
    stage: Mapped[str] = mapped_column(default="")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    queued_s: Mapped[float]
    started_s: Mapped[float] = mapped_column(default=0.0)
    stage_started_s: Mapped[float] = mapped_column(default=0.0)
    progressed_s: Mapped[float] = mapped_column(default=0.0)
    ended_s: Mapped[float | None]
    error: Mapped[str | None]
    note: Mapped[str | None]
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  (read by SQLAlchemy)


class PreferenceRow(Base):
    """A setting that an analyst changed on the screen; never a key."""

    __tablename__ = "preferences"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


def open_engine(url: str | URL) -> Engine:
    """Return an engine whose writers wait for each other instead of losing updates.

    `execution_options(writer=True)`: the transaction takes the one lock of writers when it begins, so
    it changes what it has read, and waits for it for 30 seconds at most. Others see one state of the
    database while they read.
    On SQLite: write-ahead log, full synchronisation (a confirmed write survives a power cut).
    `execution_options(migrating=True)`: tables that others refer to can be made anew.
    """
    kind = make_url(url).get_backend_name()
    engine = create_engine(url, **_OPTIONS.get(kind, {}))
    for name, listener in _LISTENERS.get(kind, {}).items():
        event.listen(engine, name, listener)
    return engine


def _configure_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver's own transaction handling starts too late for a writer; `_begin_sqlite` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"
    ):  # fmt: skip
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("migrating"):
        # Else dropping the old one of a table that was made anew would delete the rows of all others.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writer") else "BEGIN")


def _configure_postgresql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # The last one frees the lock of a writer whose program hangs.
    for setting in ("lock_timeout='30s'", "idle_in_transaction_session_timeout='5min'"):
        cursor.execute(f"SET {setting}")
    cursor.close()
    connection.commit()


def _begin_postgresql(connection: Connection) -> None:
    writer = connection.get_execution_options().get("writer")
    connection.exec_driver_sql(
        # Every statement after the lock sees what the writers before have saved.
        f"SELECT pg_advisory_xact_lock({APPLICATION_ID})"
        if writer
        else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    )


_OPTIONS: dict[str, dict[str, Any]] = {
    "postgresql": {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}
}
_LISTENERS: dict[str, dict[str, Callable[..., None]]] = {
    "sqlite": {"connect": _configure_sqlite, "begin": _begin_sqlite},
    "postgresql": {"connect": _configure_postgresql, "begin": _begin_postgresql},
}
