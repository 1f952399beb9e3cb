"""What left the workspace and when, with checksums, and everything else that happened in the run."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages._shared.services import workspace


def history_panel(run_id: str) -> None:
    """Draw the exports, newest first, and the audit trail."""
    exports = workspace().exports(run_id)
    if exports:
        st.dataframe(
            {
                "Exported at (UTC)": [event.at for event in exports],
                "Who": [event.who for event in exports],
                "File": [event.filename for event in exports],
                "Kind": [event.label for event in exports],
                "Packages": [event.packages for event in exports],
                "SHA-256": [event.checksum for event in exports],
            },
            hide_index=True,
            placeholder="-",
            column_config={"SHA-256": st.column_config.TextColumn(width="large")},
            alt="Exported files, newest first",
        )
    else:
        st.info("Nothing was exported from this run yet.")
    st.caption("Everything that happened in this run, newest first")
    trail = pd.DataFrame(workspace().events(run_id)).rename(
        columns={"at": "When (UTC)", "who": "Who", "what": "What", "package_id": "Package"}
    )
    st.dataframe(
        trail.iloc[::-1],
        hide_index=True,
        placeholder="-",
        column_config={"What": st.column_config.TextColumn(width=560)},
        alt="Audit trail, newest first",
    )
