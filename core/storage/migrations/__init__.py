"""The steps from the tables of one version to those of the next.

To change a table: change its class in `schema`, and add `versions/NNNN_what.py` with the next
number, which is also its `revision`; a test compares what all steps make with the classes.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from core.errors import WorkspaceError

FOLDER = Path(__file__).parent
VERSIONS = frozenset(path.name[:4] for path in (FOLDER / "versions").glob("[0-9]*.py"))
"""Every version of the tables that this program knows."""
HEAD = max(VERSIONS)
"""The version of the tables that this program works with."""

# Alembic keeps the connection it works on in a place that all threads share.
_one_at_a_time = threading.Lock()


def version_of(connection: Connection) -> str | None:
    """Return the version of the tables of a database, None when no step was recorded in it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def is_newer(version: str | None) -> bool:
    """Whether tables of this version were made by a later program than this one."""
    return version is not None and version > HEAD


def upgrade(connection: Connection) -> None:
    """Take every step that the database lacks, in the transaction of the connection.

    Raises WorkspaceError when the database names a version that never was.
    """
    version = version_of(connection)
    if version is not None and version not in VERSIONS:
        raise WorkspaceError(f"The tables are of a version that never was ({version!r}): restore a backup.")
    from alembic.command import upgrade as take_steps
    from alembic.config import Config

    config = Config()
    # A percent sign starts an interpolation in settings of Alembic.
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _one_at_a_time:
        take_steps(config, "head")
