"""Export: what goes out, a last look at it, and the files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from core.deals import Deal
from core.exports import packages_csv, packages_deals_csv, packages_json
from core.packages import Package
from core.workspace import RunSummary
from pages._shared import shell, state
from pages._shared.services import workspace
from pages._shared.texts import counted

shell.ensure_shell("pages/export.py")

_PREVIEW_ROWS = 8


def _formats(
    run: RunSummary, packages: Sequence[Package], deals: Mapping[str, Deal]
) -> dict[str, tuple[str, str, str, Callable[[], bytes]]]:
    """Return preset -> (sentence, file name, type, writer)."""
    bom = st.session_state.get("bom", False)
    about = {"run": run.name, "file": run.filename, "deals_loaded": run.deals, "packages": len(packages)}
    return {
        "Deals of packages (CSV)": (
            "One row for each deal of each package, with floors, flight, geo and safety.",
            "packages_deals.csv",
            "text/csv",
            lambda: packages_deals_csv(packages, deals, bom=bom),
        ),
        "Packages (CSV)": (
            "One row for each package with its deal ids, reasoning and counted facts.",
            "packages.csv",
            "text/csv",
            lambda: packages_csv(packages, deals, bom=bom),
        ),
        "Everything (JSON)": (
            "Packages with their full deals, decisions and origin in one document.",
            "packages.json",
            "application/json",
            lambda: packages_json(packages, deals, about=about),
        ),
    }


def _preview(data: bytes, mime: str) -> None:
    if mime == "text/csv":
        frame = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, nrows=_PREVIEW_ROWS)
        st.dataframe(frame, hide_index=True, alt="First rows of the file")
    else:
        st.code(data[:2_000].decode("utf-8", errors="replace"), language="json")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:40] or "run"


st.title("Export")
st.write("Only approved packages leave this workspace.")
run = state.current_run()
if run is None:
    shell.no_run_yet()
else:
    approved = [package for package in workspace().packages(run.id) if package.status == "approved"]
    shell.ledger_line(run.id)
    if not approved:
        st.info("No package is approved yet, so there is nothing to export.")
        st.page_link("pages/packages.py", label="Review packages", icon=":material/inventory_2:")
    else:
        deals = {deal.deal_id: deal for deal in state.deals_of(run.id)}
        distinct = {deal_id for package in approved for deal_id in package.deal_ids}
        st.write(f"{counted(len(approved), 'approved package')}, {counted(len(distinct), 'different deal')}.")
        presets = _formats(run, approved, deals)
        chosen = st.segmented_control(
            "File", list(presets), default=next(iter(presets)), key="preset", required=True
        )
        sentence, filename, mime, write = presets[chosen or next(iter(presets))]
        st.caption(sentence)
        if mime == "text/csv":
            st.toggle("Byte order mark (Excel needs it to see accents)", key="bom")
        data = write()
        st.download_button(
            f"Download {filename}",
            data,
            file_name=f"{_slug(run.name)}-{filename}",
            mime=mime,
            type="primary",
            icon=":material/download:",
            on_click=state.guarded(workspace().log_export),
            args=(run.id, len(approved), filename),
        )
        st.caption("First rows")
        _preview(data, mime)
        with st.expander("What happened in this run", icon=":material/history:"):
            events = pd.DataFrame(workspace().events(run.id)).rename(
                columns={"at": "When (UTC)", "who": "Who", "what": "What", "package_id": "Package"}
            )
            st.dataframe(events.iloc[::-1], hide_index=True, alt="Audit trail, newest first")
