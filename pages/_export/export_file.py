"""The file itself: first rows, size, checksum and download; it is written once for each content."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from threading import Lock

import pandas as pd
import streamlit as st

from core.counting import counted
from core.exports import ExportJob, Preset, export, safe_name, summary_markdown
from core.exports.columns import PACKAGES_HEADER, package_rows
from core.storage import RunSummary
from pages._shared import state
from pages._shared.services import workspace

_PREVIEW_ROWS, _PREVIEW_CHARS, _PREVIEW_HEIGHT = 8, 2_000, 340
# A workbook of so many deals takes a second to write: then it waits for the download.
_DEALS_AT_ONCE = 3_000
_CSV, _HTML, _MARKDOWN = "text/csv", "text/html", "text/markdown"


@dataclass
class File:
    """A file that is written when somebody first needs it, and then kept.

    Page, callback and download may ask at the same moment, from different threads.
    """

    preset: Preset
    job: ExportJob
    _lock: Lock = field(default_factory=Lock)
    _data: bytes | None = None

    def data(self) -> bytes:
        """Return the bytes. Raises ExportError for packages that such a file cannot hold."""
        with self._lock:
            if self._data is None:
                self._data = export(self.preset.key, self.job)
            return self._data

    @property
    def checksum(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.data()).hexdigest()

    @property
    def waits(self) -> bool:
        """Whether writing it would keep the page waiting."""
        deals = sum(len(sheet.members) for sheet in self.job.sheets)
        return self.preset.key == "workbook" and self._data is None and deals > _DEALS_AT_ONCE


def file_name(run: RunSummary, preset: Preset) -> str:
    """Return the name of a download: that of the run and of the kind of file."""
    return safe_name(run.name, f"-{preset.filename}", "run")


def download(run: RunSummary, file: File | None) -> None:
    """Draw the button with size and checksum.

    file: None when something stands against it, which the page says above.
    """
    if file is None:
        st.button("Download", type="primary", icon=":material/download:", disabled=True, key="download_off")
        st.caption("Nothing is written yet: mend the errors above, or leave out their packages.")
        return
    preset = file.preset
    st.download_button(
        f"Download {preset.filename}",
        file.data if file.waits else file.data(),
        file_name=file_name(run, preset),
        mime=preset.mime,
        type="primary",
        icon=":material/download:",
        on_click=_note,
        args=(run, file),
    )
    if file.waits:
        st.caption("It is written when you download it; its checksum then stands in the history.")
    else:
        st.caption(f"{counted(len(file.data()), 'byte')} · SHA-256 `{file.checksum}`")


@state.guarded
def _note(run: RunSummary, file: File) -> None:
    workspace().log_export(
        run.id,
        len(file.job.sheets),
        file_name(run, file.preset),
        label=file.preset.label,
        checksum=file.checksum,
    )


# --- preview ------------------------------------------------------------------------------------


def preview(file: File) -> None:
    """Show how the file begins, as text: nothing in it is run or fetched."""
    preset, job = file.preset, file.job
    if preset.key == "workbook":
        st.caption(f"First rows of the sheet packages, one of six, of {counted(len(job.sheets), 'package')}")
        rows = package_rows(job.sheets[:_PREVIEW_ROWS], job.about.floor_reading)
        cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
        _table(pd.DataFrame(cells, columns=list(PACKAGES_HEADER)))
    elif preset.mime == _CSV:
        st.caption("First rows")
        data = io.BytesIO(file.data())
        _table(pd.read_csv(data, dtype=str, keep_default_na=False, nrows=_PREVIEW_ROWS))
    elif preset.mime in {_HTML, _MARKDOWN}:
        st.caption(f"The first of {counted(len(job.sheets), 'page')}")
        with st.container(height=_PREVIEW_HEIGHT, key="summary_preview"):
            # Its texts are escaped where they are written; the chart is in the HTML file alone.
            st.markdown(summary_markdown(job.sheets[0], job.about))
    else:
        st.caption("The file begins")
        text = file.data()[:_PREVIEW_CHARS].decode("utf-8", errors="replace")
        st.code(text, language="json" if "json" in preset.mime else None, height=_PREVIEW_HEIGHT)


def _table(frame: pd.DataFrame) -> None:
    st.dataframe(frame, hide_index=True, alt="First rows of the file")
