"""Jobs that other processes see, and the name of the model that vectors are of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table of jobs, and a column of arrays."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("kind", "title")),
        sa.Column("params", sa.JSON, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("state", "owner")),
        sa.Column("lease_until_s", sa.Double, nullable=False),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("cancel_asked", "seen")),
        sa.Column("stage", sa.String, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("done", "total")),
        *(
            sa.Column(name, sa.Double, nullable=False)
            for name in ("queued_s", "started_s", "stage_started_s", "progressed_s")
        ),
        sa.Column("ended_s", sa.Double, nullable=True),
        *(sa.Column(name, sa.String, nullable=True) for name in ("error", "note")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_run_id", "jobs", ["run_id"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.add_column("arrays", sa.Column("made_by", sa.String, nullable=True))
