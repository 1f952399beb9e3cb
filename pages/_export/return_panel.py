"""An edited file comes back: its differences are listed, and the accepted ones become steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core.counting import counted
from core.errors import DealweaverError
from core.exports import Difference, Returned, diff, read_back, with_accepted
from pages._shared import state
from pages._shared.cluster_view import digest
from pages._shared.package_view import PackageView
from pages._shared.services import workspace
from pages._shared.texts import literal

_RETURNED = "returned_file"
_UPLOAD = "export_upload"
_UPLOADS = "export_uploads"
_TYPES = ["json", "csv", "xlsx"]
_MOST_NOTES = 5
_MOST_HEIGHT, _ROW = 460, 35

_KIND_WORDS = {
    "renamed": "name",
    "reasoning": "reasoning",
    "added": "deals added",
    "removed": "deals taken out",
    "new": "new package",
    "missing": "not in the file",
    "refused": "refused",
}


def return_panel(view: PackageView) -> None:
    """Draw the way back for an exported file that was edited elsewhere."""
    st.write("Only names, reasoning and deals are read; facts of deals stay those of this run.")
    # Another key is another, empty box: a file that was read, or put away, is not read again.
    st.file_uploader(
        "Bring an edited file back",
        type=_TYPES,
        key=f"{_UPLOAD}_{st.session_state.get(_UPLOADS, 0)}",
        on_change=_read,
        args=(view.run.id,),
        help="packages.json, packages_deals.csv or the workbook, also as a spreadsheet saved it.",
    )
    run_id, returned = st.session_state.get(_RETURNED, (None, None))
    if run_id == view.run.id and returned is not None:
        _differences(view, returned)


@state.guarded
def _read(run_id: str) -> None:
    """Read the upload at once: its content is gone after a change of page."""
    uploads = st.session_state.get(_UPLOADS, 0)
    upload = st.session_state.get(f"{_UPLOAD}_{uploads}")
    if upload is None:
        return
    st.session_state[_UPLOADS] = uploads + 1
    st.session_state.pop(_RETURNED, None)
    st.session_state[_RETURNED] = (run_id, read_back(upload.getvalue(), upload.name))


def _put_away() -> None:
    st.session_state.pop(_RETURNED, None)


# --- what differs -------------------------------------------------------------------------------


def differences(view: PackageView, returned: Returned, *, missing: bool) -> tuple[Difference, ...]:
    """Return what differs between the file and the packages it names.

    missing: count approved packages that it lacks as taken out of it; an export of some packages
    lacks the others, and then says nothing about them.
    """
    named = {item.id for item in returned.packages}
    known = [
        package
        for package in view.packages
        if package.id in named or (missing and package.status == "approved")
    ]
    return diff(returned, known, view.deals)


def _differences(view: PackageView, returned: Returned) -> None:
    st.subheader(literal(returned.filename), anchor=False)
    notes = [*returned.notes[:_MOST_NOTES]]
    if len(returned.notes) > _MOST_NOTES:
        notes.append(f"And {len(returned.notes) - _MOST_NOTES:,} more notes.")
    for note in notes:
        st.caption(literal(note))
    found = differences(view, returned, missing=_asks_for_missing(view, returned))
    offered = [item for item in found if item.command is not None]
    refused = [item for item in found if item.command is None]
    if not found:
        st.success(
            f"No difference: {counted(len(returned.packages), 'package')} of the file are as they are here.",
            icon=":material/check_circle:",
        )
    for item in refused:
        st.error(literal(item.sentence), icon=":material/block:")
    if stale := len({item.package_id for item in offered if item.since_changed}):
        verb = "was" if stale == 1 else "were"
        st.warning(
            f"{counted(stale, 'package')} {verb} changed here after the file was written: "
            "to accept its values is to take back what was done since.",
            icon=":material/history:",
        )
    if offered:
        _offer(view, offered)
    st.button("Put the file away", on_click=_put_away, icon=":material/close:")


def _asks_for_missing(view: PackageView, returned: Returned) -> bool:
    named = {item.id for item in returned.packages}
    lacking = [item.name for item in view.packages if item.status == "approved" and item.id not in named]
    if not lacking:
        return False
    shown = ", ".join(map(repr, lacking[:_MOST_NOTES])) + (" ..." if len(lacking) > _MOST_NOTES else "")
    verb = "is" if len(lacking) == 1 else "are"
    st.caption(literal(f"{counted(len(lacking), 'approved package')} {verb} not in the file: {shown}"))
    return st.toggle(
        "They were taken out of it: offer to reject them",
        key="export_missing",
        help="Leave it off when the file was an export of some packages only.",
    )


def _offer(view: PackageView, offered: Sequence[Difference]) -> None:
    key = f"differences_{digest(f'{item.kind} {item.package_id} {item.sentence}' for item in offered)}"
    st.dataframe(
        pd.DataFrame(
            {
                "What": [_KIND_WORDS[item.kind] for item in offered],
                "Change": [item.sentence for item in offered],
                "Note": ["changed here since" if item.since_changed else None for item in offered],
            }
        ),
        key=key,
        hide_index=True,
        placeholder="-",
        height=min(_MOST_HEIGHT, _ROW * (len(offered) + 1) + 3),
        column_config={
            "What": st.column_config.TextColumn(width="small"),
            "Change": st.column_config.TextColumn(width=640),
        },
        on_select="rerun",
        selection_mode="multi-row",
        alt="What differs between the file and the packages",
    )
    rows = st.session_state.get(key, {}).get("selection", {}).get("rows", [])
    chosen = [offered[row] for row in rows if row < len(offered)]
    versions = {package.id: package.version for package in view.packages}
    row = st.container(horizontal=True)
    row.button(
        f"Accept {counted(len(chosen), 'change')}" if chosen else "Accept the selected changes",
        key="accept_chosen",
        type="primary",
        icon=":material/check:",
        on_click=_accept,
        args=(view.run.id, chosen, versions),
        disabled=not chosen,
    )
    row.button(
        f"Accept all {len(offered):,}",
        key="accept_all",
        icon=":material/done_all:",
        on_click=_accept,
        args=(view.run.id, offered, versions),
    )
    st.caption("What you do not accept stays as it is here. A changed package must be approved again.")


@state.guarded
def _accept(run_id: str, chosen: Sequence[Difference], versions: Mapping[str, int]) -> None:
    """Carry each out as a step of its own; one that is refused keeps none of the others back."""
    now, refusals, done = dict(versions), [], 0
    for item in chosen:
        command = item.command
        if command is None:
            continue
        seen = {package_id: now[package_id] for package_id in command.package_ids}
        try:
            changes = workspace().perform(run_id, seen, command)
        except DealweaverError as error:
            refusals.append(str(error))
            continue
        done += 1
        now |= {change.package_id: change.after.version for change in changes if change.after}
        _, returned = st.session_state[_RETURNED]
        st.session_state[_RETURNED] = (run_id, with_accepted(returned, item, changes))
    if refusals:
        state.complain(f"{counted(done, 'change')} accepted. Refused: {' '.join(dict.fromkeys(refusals))}")
    else:
        state.tell(f"{counted(done, 'change')} accepted from the file.")
