"""What keeps the workspace safe: its backups, how to go back to one, and whether anything is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import streamlit as st

from core.counting import counted
from core.settings import get_settings
from core.storage.backup import KEPT, backup, backups
from core.storage.health import Report, doctor
from core.storage.sqlite_file import file_of
from pages._shared import state
from pages._shared.texts import literal

_MADE = re.compile(r"-(\d{8}-\d{6})-\d{6}-[0-9a-f]{12}\.db$")
_REPORT = "workspace_report"


@dataclass(frozen=True, slots=True)
class ListedBackup:
    """A backup as it is listed. made: UTC, to the second. size_mb: 1,000,000 bytes each."""

    path: Path
    made: str
    size_mb: float


def listed(paths: Sequence[Path]) -> list[ListedBackup]:
    """Return what is known of backups, in their order; one that is gone meanwhile is left out."""
    found = []
    for path in paths:
        named = _MADE.search(path.name)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        made = datetime.strptime(named[1], "%Y%m%d-%H%M%S").isoformat(" ") if named else path.name
        found.append(ListedBackup(path, made, size / 1_000_000))
    return found


def backups_table(found: Sequence[ListedBackup]) -> None:
    """Draw the backups, newest first."""
    st.dataframe(
        {
            "Made (UTC)": [item.made for item in found],
            "Size in MB": [item.size_mb for item in found],
            "File": [item.path.name for item in found],
        },
        hide_index=True,
        column_config={"Size in MB": st.column_config.NumberColumn(format="%.1f")},
        alt=f"Table of {counted(len(found), 'backup')}, newest first",
    )


def restore_command(path: Path | None) -> None:
    """Show the exact command that puts a backup in the place of the workspace; None: any of them."""
    name = "BACKUP" if path is None else f'"{path}"'
    st.code(f"python -m core restore {name}", language="sh")


def backups_panel() -> None:
    """Draw the backups and the check of the workspace."""
    st.subheader("Backups")
    url = get_settings().workspace_url
    if file_of(url) is None:
        st.markdown(
            ":material/info: The workspace is on a database server. Its own tools make the copies: "
            "`pg_dump` makes one, `pg_restore` takes it back."
        )
    else:
        _of_file(listed(backups(url)))
    _check()


def _of_file(found: Sequence[ListedBackup]) -> None:
    st.write(
        "The workspace is copied once a day at start, before an upgrade, and every 25 approvals; the newest "
        f"{KEPT} copies stay."
    )
    if found:
        backups_table(found)
    else:
        st.info("There is no backup yet: make one now.")
    st.button("Back up now", on_click=_back_up, icon=":material/backup:")
    if found:
        with st.expander("How to go back to a backup", icon=":material/history:"):
            st.write(
                "Stop Dealweaver, run this, and start it again. What is there now is set aside, not lost."
            )
            restore_command(found[0].path)


@state.guarded
def _back_up() -> None:
    made = backup(get_settings().workspace_url)
    state.tell(f"Copied: {made.name}.")


# --- is anything wrong? -----------------------------------------------------------------------


def _check() -> None:
    st.button("Check the workspace", on_click=_look, icon=":material/stethoscope:")
    report: Report | None = st.session_state.get(_REPORT)
    if report is None:
        return
    st.dataframe(
        {
            "State": ["✓ ok" if finding.ok else "✕ wrong" for finding in report.findings],
            "What": [finding.name for finding in report.findings],
            "Found": [finding.sentence for finding in report.findings],
        },
        hide_index=True,
        column_config={"Found": st.column_config.TextColumn(width="large")},
        alt="What was looked at in the workspace",
    )
    for finding in report.findings:
        if not finding.ok:  # a cell of a table may be too narrow for what to do
            st.warning(literal(finding.sentence), icon=":material/error:")


@state.guarded
def _look() -> None:
    report = doctor(get_settings().workspace_url)
    st.session_state[_REPORT] = report
    wrong = sum(not finding.ok for finding in report.findings)
    if report.ok:
        state.tell("Checked: everything is in order.")
    else:
        state.complain(f"Checked: {counted(wrong, 'thing')} to see to, listed below.")
