"""The long-lived parts every session of this process shares: workspace and jobs."""

from __future__ import annotations

import streamlit as st

from core.settings import get_settings
from core.workspace import JobRegistry, Workspace


@st.cache_resource(show_spinner=False)
def workspace() -> Workspace:
    """Open the workspace database once for this process."""
    return Workspace(get_settings().workspace_url)


@st.cache_resource(show_spinner=False)
def jobs() -> JobRegistry:
    """Return the jobs of this process; they outlive reruns, reloads and page changes."""
    return JobRegistry()
