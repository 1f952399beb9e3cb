"""The tables of the first release.

Databases of that release have them already, without a record of it: what is there stays as it is.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables that are not there yet."""
    _table("preferences", _text("name", key=True), _text("value"))
    _table(
        "runs",
        sa.Column("id", sa.String(32), primary_key=True),
        _text("name"),
        _text("filename"),
        _text("created_at"),
        _text("saved_at"),
        _json("report"),
        _json("clustering", null=True),
    )
    _table(
        "templates",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        _text("id"),
        _text("text"),
        _text("made_at"),
        sa.UniqueConstraint("id"),
    )
    _table(
        "deals",
        _run(key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        _text("deal_id"),
        _json("record"),
        sa.UniqueConstraint("run_id", "deal_id"),
    )
    _table(
        "arrays",
        _run(key=True),
        _text("kind", key=True),
        _integer("columns"),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    _table(
        "clusterings",
        _id(),
        _run(),
        _text("created_at"),
        _text("what"),
        _integer("loads"),
        _integer("clusters"),
        _integer("left_over"),
        _json("settings"),
        _json("quality", null=True),
        _json("clustering"),
        autoincrement=True,
    )
    _table("outcomes", _id(), _run(), _text("cluster_id"), _text("created_at"), _json("outcome"))
    _table(
        "askings",
        _id(),
        _run(),
        _text("at"),
        _text("source"),
        _text("template_id", null=True),
        autoincrement=True,
    )
    _table(
        "attempts",
        _id(),
        _run(),
        _text("cluster_id"),
        sa.Column("asking", sa.Integer, sa.ForeignKey("askings.id", ondelete="CASCADE"), nullable=False),
        _integer("attempt"),
        _text("state"),
        _text("started_at"),
        sa.Column("lease_until_s", sa.Double, nullable=False),
        _text("question", null=True),
        _text("prompt_hash", null=True),
        _text("requested_model", null=True),
        _text("answered_model", null=True),
        _text("finish_reason", null=True),
        _integer("input_tokens", null=True),
        _integer("output_tokens", null=True),
        sa.Column("latency_s", sa.Double),
        _text("raw"),
        _text("error", null=True),
        sa.UniqueConstraint("run_id", "cluster_id", "asking", "attempt"),
    )
    _table(
        "kept_answers",
        sa.Column("question", sa.String(64), primary_key=True),
        _run(),
        _text("created_at"),
        _json("answer"),
    )
    _table(
        "packages",
        sa.Column("id", sa.String(32), primary_key=True),
        _run(),
        _integer("position"),
        _integer("version"),
        sa.Column("replaced", sa.Boolean, nullable=False),
        _json("package"),
    )
    _table(
        "events",
        _id(),
        _run(),
        _text("at"),
        _text("who"),
        _text("what"),
        _text("package_id", null=True),
        _json("before", null=True),
        _json("after", null=True),
    )
    for name in ("clusterings", "outcomes", "askings", "attempts", "kept_answers", "packages", "events"):
        op.create_index(f"ix_{name}_run_id", name, ["run_id"], if_not_exists=True)


def _table(name: str, *parts: sa.schema.SchemaItem, autoincrement: bool = False) -> None:
    op.create_table(name, *parts, if_not_exists=True, sqlite_autoincrement=autoincrement)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)


def _run(*, key: bool = False) -> sa.Column[str]:
    return sa.Column(
        "run_id", sa.String(32), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=key, nullable=False
    )


def _text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String, primary_key=key, nullable=null)


def _integer(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=null)


def _json(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON, nullable=null)
