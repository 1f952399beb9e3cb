"""The tables of the workspace, and how a connection to it behaves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Engine, ForeignKey, LargeBinary, String, UniqueConstraint, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry


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
    """Numbers of a run as float32; vectors and map have one row for each deal, in deal order."""

    __tablename__ = "arrays"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)


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
    """One package; `replaced` marks a suggestion that a newer one took the place of."""

    __tablename__ = "packages"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    version: Mapped[int] = mapped_column()
    replaced: Mapped[bool] = mapped_column(default=False)
    package: Mapped[dict[str, Any]]
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012


class EventRow(Base):
    """The audit trail: append-only, written in the same transaction as what it tells."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    at: Mapped[str]
    who: Mapped[str]
    what: Mapped[str]
    package_id: Mapped[str | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class PreferenceRow(Base):
    """A setting that an analyst changed on the screen; never a key."""

    __tablename__ = "preferences"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


def open_engine(url: str) -> Engine:
    """Return an engine whose writers wait for each other instead of losing updates.

    On SQLite: write-ahead log, full synchronisation (a confirmed write survives a power cut),
    and writers that take their lock at the start of the transaction (`execution_options(writer=True)`).
    """
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
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
    writer = connection.get_execution_options().get("writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")
