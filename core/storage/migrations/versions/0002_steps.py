"""Steps of an analyst, and events that tell which of them, and what, made a package what it is.

The packages that stand begin the new trail: before it, suggestions came without an event.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# In words of SQL that every database knows; `packages` and `runs` as they are at this version.
_BEGIN_TRAIL = """
INSERT INTO events (run_id, at, who, what, package_id, after, kind, position)
SELECT packages.run_id, runs.saved_at, 'Dealweaver', 'Begin the trail of a package', packages.id,
       packages.package, 'begun', packages.position
FROM packages JOIN runs ON runs.id = packages.run_id
WHERE packages.replaced = false
ORDER BY packages.run_id, packages.position, packages.id
"""


def upgrade() -> None:
    """Add the table of steps and three columns of events."""
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_steps_run_id", "steps", ["run_id"])
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("step_id", sa.Integer, nullable=True))
        events.add_column(sa.Column("kind", sa.String, nullable=True))
        events.add_column(sa.Column("position", sa.Integer, nullable=True))
        events.create_index("ix_events_step_id", ["step_id"])
    op.execute(_BEGIN_TRAIL)
