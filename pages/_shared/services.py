"""The long-lived parts every session of this process shares: workspace, jobs and embedding model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.settings import get_settings
from core.storage import Workspace
from core.work import JobRegistry

if TYPE_CHECKING:
    from core.embeddings import Encoder


@st.cache_resource(show_spinner=False)
def workspace() -> Workspace:
    """Open the workspace database once for this process."""
    return Workspace(get_settings().workspace_url)


@st.cache_resource(show_spinner=False)
def jobs() -> JobRegistry:
    """Return the jobs of this process; they outlive reruns, reloads and page changes."""
    return JobRegistry(workspace())


def encoder() -> Encoder:
    """Return the embedding model behind the vectors kept before; it is loaded when a text is new."""
    from core import embeddings

    settings = get_settings()
    cache = embeddings.EmbeddingCache(settings.embedding_cache, settings.embedding_cache_mb)
    return embeddings.open_encoder(settings.embedding_model, cache)
