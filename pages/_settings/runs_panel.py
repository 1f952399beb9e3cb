"""The runs of the workspace: open, rename, duplicate, delete, compare, and take them elsewhere as a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import streamlit as st

from core.counting import counted
from core.exports import safe_name
from core.packages import Package
from core.packages.compare import PairKind, RunComparison
from core.packages.package import STATUSES
from core.storage import RunSummary, Workspace
from core.storage.run_files import MOST_MB, SUFFIX
from pages._shared import shell, state
from pages._shared.cluster_view import digest
from pages._shared.services import workspace
from pages._shared.tables import STATUS_ICONS
from pages._shared.texts import literal

_OPENED_FILES = "opened_workspace_files"
_COMPARED = 2

_PAIR_WORDS: dict[PairKind, str] = {
    "same": "= the same",
    "renamed": "✎ renamed",
    "changed": "± other deals",
    "renamed and changed": "✎± renamed, other deals",
}


def runs_panel(current: RunSummary | None) -> None:
    """Draw the list of runs, what can be done with the ticked ones, and the way in for a file."""
    st.subheader("Runs")
    runs = workspace().runs()
    if runs:
        ticked = _list(runs, current)
        if len(ticked) == _COMPARED:
            newer, older = ticked  # the list has the newest first
            _comparison(older, newer)
        elif len(ticked) > _COMPARED:
            st.info("Tick one run to work on it, or two to compare them.")
        elif chosen := (ticked[0] if ticked else current):
            _one_run(chosen, is_open=current is not None and chosen.id == current.id)
    else:
        st.info("There is no run yet: load deals, or open a workspace file.")
    _open_file()


def _list(runs: Sequence[RunSummary], current: RunSummary | None) -> list[RunSummary]:
    """Draw the table and return the ticked runs; its key names the rows, because ticks are positions."""
    open_id = current.id if current else None
    answer = st.dataframe(
        {
            "Run": [f"{'▶ ' if run.id == open_id else ''}{run.name}" for run in runs],
            "Deals": [run.deals for run in runs],
            "Clusters": [run.clusters for run in runs],
            "Packages": [run.packages for run in runs],
            "Approved": [run.approved for run in runs],
            "File": [run.filename for run in runs],
            "Saved (UTC)": [f"{run.saved_at[:10]} {run.saved_at[11:19]}" for run in runs],
        },
        key=f"runs_{digest(run.id for run in runs)}",
        hide_index=True,
        placeholder="-",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"Run": st.column_config.TextColumn(pinned=True, width="medium")},
        alt=f"Table of {counted(len(runs), 'run')}, newest first",
    )
    st.caption("▶ is the open run. Tick a run to work on it, or two to compare them.")
    # Ticks come in the order they were made.
    return [runs[row] for row in sorted(answer["selection"]["rows"]) if row < len(runs)]


# --- one run ----------------------------------------------------------------------------------


def _one_run(run: RunSummary, *, is_open: bool) -> None:
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    left.text_input("Name of the run", run.name, key=f"run_name_{run.id}")
    row = right.container(horizontal=True, vertical_alignment="bottom")
    row.button("Save name", on_click=_rename, args=(run.id,), icon=":material/edit:")
    row.button(
        "Open run", on_click=_open, args=(run,), icon=":material/folder_open:", disabled=is_open,
        help="It is open already." if is_open else None,
    )  # fmt: skip
    row.button("Duplicate", on_click=_duplicate, args=(run,), icon=":material/content_copy:")
    if row.button("Delete run", icon=":material/delete:", disabled=shell.job_running(run.id)):
        _confirm_delete(run.id, run.name)
    st.download_button(
        "Download workspace file",
        # On another thread, which does not know the session.
        partial(_file_of, workspace(), run.id),
        file_name=safe_name(run.name, SUFFIX, "run"),
        mime="application/vnd.sqlite3",
        on_click="ignore",
        icon=":material/download:",
        help="The run with everything made from it, decisions and history included, in one file that another "
        "Dealweaver opens without a key. It holds no settings and no keys.",
    )


@state.guarded
def _rename(run_id: str) -> None:
    workspace().rename_run(run_id, st.session_state[f"run_name_{run_id}"])
    state.tell("Saved: the run's name.")


@state.guarded
def _open(run: RunSummary) -> None:
    state.open_run(run.id)
    state.tell(f"Open now: {run.name}.")


@state.guarded
def _duplicate(run: RunSummary) -> None:
    name = f"{run.name} (copy)"
    state.open_run(workspace().duplicate_run(run.id, name))
    state.tell(f"Saved: {name}, which is open now. What you change in it leaves {run.name} as it is.")


@state.guarded
def _delete(run_id: str) -> None:
    workspace().delete_run(run_id)
    if st.session_state.get(state.RUN) == run_id:
        state.leave_run()
    state.tell("The run is deleted.")


@st.dialog("Delete this run?")
def _confirm_delete(run_id: str, name: str) -> None:
    st.write("Its deals, clusters, packages and decisions go with it. This cannot be undone.")
    st.text(name)
    if st.button(
        "Delete for good", type="primary", on_click=_delete, args=(run_id,), icon=":material/delete:"
    ):
        st.rerun()


# --- files ------------------------------------------------------------------------------------


def _file_of(store: Workspace, run_id: str) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"run{SUFFIX}"
        store.export_workspace(run_id, file)
        return file.read_bytes()


def _open_file() -> None:
    # Another key for every file: an uploader that keeps the last one would offer to open it again.
    key = f"workspace_file_{st.session_state.get(_OPENED_FILES, 0)}"
    st.file_uploader(
        f"Open a workspace file ({SUFFIX}, up to {MOST_MB} MB)",
        type=[SUFFIX],
        key=key,
        on_change=_open_upload,
        args=(key,),
        max_upload_size=MOST_MB,
    )


@state.guarded
def _open_upload(key: str) -> None:
    uploaded = st.session_state[key]
    if uploaded is None:
        return
    st.session_state[_OPENED_FILES] = st.session_state.get(_OPENED_FILES, 0) + 1
    with TemporaryDirectory() as folder:
        file = Path(folder) / "upload"  # never under the name it came with
        file.write_bytes(uploaded.getbuffer())
        run = workspace().run(workspace().import_workspace(file, uploaded.name))
    state.open_run(run.id)
    state.tell(f"Saved in this workspace, and open now: {run.name}, with {counted(run.deals, 'deal')}.")


# --- two runs ---------------------------------------------------------------------------------


def _comparison(older: RunSummary, newer: RunSummary) -> None:
    question = [(run.id, run.saved_at, run.packages, run.approved) for run in (older, newer)]
    found = state.remembered("run_comparison", question, lambda: workspace().compare_runs(older.id, newer.id))
    st.markdown(f"**{literal(newer.name)}** against **{literal(older.name)}**")
    st.markdown(_in_words(found))
    st.dataframe(
        {
            "Run": [older.name, newer.name],
            **{
                f"{STATUS_ICONS[status]} {status}": [
                    found.statuses_before[status], found.statuses_after[status]
                ]
                for status in STATUSES
            },
        },
        hide_index=True,
        alt="Packages of both runs by status",
    )  # fmt: skip
    packages = _packages_frame(found)
    if len(packages):
        st.dataframe(packages, hide_index=True, placeholder="-", alt="Table of packages of both runs")
    deals = _deals_frame(found)
    if len(deals):
        st.dataframe(deals, hide_index=True, placeholder="-", alt="Table of deals that differ")


def _in_words(found: RunComparison) -> str:
    kinds = [pair.kind for pair in found.pairs]
    counts = [
        (kinds.count("same"), "the same"),
        (len(kinds) - kinds.count("same"), "renamed or with other deals"),
        (len(found.only_after), "only in the newer run"),
        (len(found.only_before), "only in the older run"),
    ]
    packages = " · ".join(f"{count:,} {words}" for count, words in counts if count) or "none"
    delta = found.deals
    return (
        f"Deals: {len(delta.same):,} the same · {len(delta.new):,} new · {len(delta.changed):,} changed · "
        f"{len(delta.gone):,} gone. Packages: {packages}."
    )


def _packages_frame(found: RunComparison) -> pd.DataFrame:
    """One row for each package; what differs comes first."""
    pairs = sorted(found.pairs, key=lambda pair: pair.kind == "same")
    rows = [_row(_PAIR_WORDS[pair.kind], pair.before, pair.after, pair.shared) for pair in pairs]
    rows += [_row("+ only in the newer", None, package, None) for package in found.only_after]
    rows += [_row("- only in the older", package, None, None) for package in found.only_before]
    return pd.DataFrame(rows).astype({"Deals in both": "Int64"} if rows else {})


def _row(what: str, before: Package | None, after: Package | None, shared: int | None) -> dict[str, object]:
    return {
        "What": what,
        "In the older": _told(before),
        "In the newer": _told(after),
        "Deals in both": shared,
    }


def _told(package: Package | None) -> str | None:
    if package is None:
        return None
    return f"{STATUS_ICONS[package.status]} {package.name} ({len(package.deal_ids)})"


def _deals_frame(found: RunComparison) -> pd.DataFrame:
    delta = found.deals
    rows = [{"Deal id": deal_id, "What": "+ new"} for deal_id in delta.new]
    rows += [
        {
            "Deal id": change.deal_id,
            "What": "± changed",
            "Field": item.field,
            "In the older": item.before,
            "In the newer": item.after,
        }
        for change in delta.changed
        for item in change.fields
    ]
    rows += [{"Deal id": deal_id, "What": "- gone"} for deal_id in delta.gone]
    return pd.DataFrame(rows, columns=["Deal id", "What", "Field", "In the older", "In the newer"])
