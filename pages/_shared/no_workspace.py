"""The one page there is while the workspace cannot be opened: what is wrong, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import streamlit as st

from core.errors import DealweaverError, SettingError, WorkspaceDamaged
from core.settings import get_settings
from core.storage.backup import backups, restore
from pages._shared import state
from pages._shared.backups_panel import ListedBackup, backups_table, listed, restore_command
from pages._shared.services import workspace
from pages._shared.texts import literal

_one_at_a_time = Lock()


def trouble() -> DealweaverError | None:
    """Return why the workspace cannot be opened, None when it is open."""
    try:
        workspace()
    except DealweaverError as error:
        return error
    return None


def draw(error: DealweaverError) -> None:
    """Draw the page: the sentence, the backups there are, and how to put one back."""
    st.title("The workspace cannot be opened")
    if message := state.told():
        st.error(literal(message[1]), icon=":material/error:")
    st.error(literal(str(error)), icon=":material/error:")
    found = [] if isinstance(error, SettingError) else listed(backups(get_settings().workspace_url))
    if found:
        _way_back(found, damaged=isinstance(error, WorkspaceDamaged))
    st.button("Try again", icon=":material/refresh:")


def _way_back(found: Sequence[ListedBackup], *, damaged: bool) -> None:
    st.subheader("Backups")
    backups_table(found)
    by_path = {item.path: item for item in found}
    chosen = st.selectbox(
        "Backup", list(by_path), key="backup_to_restore", format_func=lambda path: by_path[path].made
    )
    if damaged:
        st.button(
            "Restore this backup",
            type="primary",
            on_click=_restore,
            args=(chosen,),
            icon=":material/settings_backup_restore:",
        )
        st.caption(
            "First stop every other program that uses this workspace. The backup is checked and stays; the "
            "damaged file is set aside beside it."
        )
        st.write("Or stop Dealweaver, run this, and start it again:")
    else:
        st.write("To go back to it, stop Dealweaver, run this, and start it again. Nothing is thrown away:")
    restore_command(chosen)


@state.guarded
def _restore(path: Path) -> None:
    with _one_at_a_time:
        if not isinstance(trouble(), WorkspaceDamaged):  # another tab was first
            return
        aside = restore(get_settings().workspace_url, path)
    kept = f" The damaged file is kept as {aside.name}." if aside else ""
    state.tell(f"The workspace is that of the backup again.{kept}")
