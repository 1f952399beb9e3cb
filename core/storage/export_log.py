"""Which files were exported from a run, and what the packages in them come from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import select

from core.storage.database import ANALYST, Database, log_event
from core.storage.schema import AskingRow, EventRow, OutcomeRow

EXPORT = "Export"
# What `log_export` writes.
_WRITTEN = re.compile(
    rf"{EXPORT} (?P<packages>\d+) packages? as (?P<file>.+?)"
    r"(?: \((?P<label>.+), sha256 (?P<checksum>[0-9a-f]{64})\))?"
)


@dataclass(frozen=True, slots=True)
class ExportEvent:
    """A file that was exported.

    at: UTC, ISO 8601. label: what kind of file it is. checksum: SHA-256 of its bytes; both None for
    a file of which nobody noted them.
    """

    at: str
    who: str
    packages: int
    filename: str
    label: str | None = None
    checksum: str | None = None


class ExportBook(Database):
    """The part of the workspace about exports; each method is one transaction."""

    def log_export(
        self,
        run_id: str,
        packages: int,
        filename: str,
        who: str = ANALYST,
        *,
        label: str | None = None,
        checksum: str | None = None,
    ) -> None:
        """Write an export into the audit trail. label, checksum: of the file, see `ExportEvent`."""
        counted = "1 package" if packages == 1 else f"{packages} packages"
        known = f" ({label}, sha256 {checksum})" if label and checksum else ""
        with self._saving() as session:
            log_event(session, run_id, f"{EXPORT} {counted} as {filename}{known}", who=who)

    def exports(self, run_id: str) -> tuple[ExportEvent, ...]:
        """Return the exports of a run, newest first."""
        events = (
            select(EventRow.at, EventRow.who, EventRow.what)
            .where(EventRow.run_id == run_id, EventRow.what.startswith(f"{EXPORT} "))
            .order_by(EventRow.id.desc())
        )
        with self._reading() as session:
            rows = session.execute(events).all()
        return tuple(
            ExportEvent(at, who, int(found["packages"]), found["file"], found["label"], found["checksum"])
            for at, who, what in rows
            if (found := _WRITTEN.fullmatch(what))
        )

    def prompts_used(self, run_id: str) -> tuple[str, ...]:
        """Return the ids of the prompts that the kept answers of a run were asked with, oldest first."""
        with self._reading() as session:
            askings = OutcomeRow.outcome["asking"].as_integer()
            named = set(session.scalars(select(askings).where(OutcomeRow.run_id == run_id)))
            rows = session.execute(
                select(AskingRow.id, AskingRow.template_id)
                .where(AskingRow.run_id == run_id, AskingRow.template_id.is_not(None))
                .order_by(AskingRow.id)
            ).all()
        return tuple(dict.fromkeys(prompt for asking, prompt in rows if prompt and asking in named))
