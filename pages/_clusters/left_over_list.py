"""Deals outside every cluster: why, what lies nearest, and two ways back in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from core.clustering import LeftOver
from core.clustering.edits import AttachDeals, NewCluster
from core.clustering.incremental import nearest_clusters
from core.counting import counted
from core.storage.clusterings import VECTORS, known_rows
from pages._clusters.edit_panel import edit
from pages._shared import state
from pages._shared.cluster_view import ClusterView, digest, select_deals
from pages._shared.services import workspace

# From this many deals on, a filter by reason saves reading.
_LONG = 10
_ALL = "All reasons"

# Deal index -> places of the nearest clusters, nearest first.
Nearest = dict[int, list[int]]


def left_over_list(view: ClusterView) -> None:
    """Draw the deals outside every cluster, and the actions on the selected ones."""
    items = view.clustering.left_over
    if not items:
        return
    st.subheader(f"{counted(len(items), 'deal')} outside every cluster")
    shown = _filtered(items)
    ids = [view.deals[item.index].deal_id for item in shown]
    # Selections are positions: other rows are another table.
    key = f"left_over_{digest([view.rows_key, *ids])}"
    event = st.dataframe(
        left_over_frame(view, shown, _nearest(view)),
        key=key,
        hide_index=True,
        placeholder="-",
        on_select=partial(_rows_selected, key, ids),
        selection_mode="multi-row",
        column_config={
            "Deal id": st.column_config.TextColumn(pinned=True),
            "Nearest clusters": st.column_config.TextColumn(
                help="Number and terms, nearest first, full clusters too."
            ),
        },
        alt="Table of deals outside every cluster",
    )
    _actions(view, tuple(ids[row] for row in event.selection.rows if row < len(ids)))


def _filtered(items: Sequence[LeftOver]) -> list[LeftOver]:
    counts = Counter(item.reason for item in items)
    if len(items) < _LONG or len(counts) == 1:
        return list(items)
    reason = st.selectbox(
        "Why",
        [_ALL, *(name for name, _ in counts.most_common())],
        key="left_over_reason",
        format_func=lambda name: f"{name} ({counts[name] if name in counts else len(items):,})",
    )
    return [item for item in items if reason in {_ALL, item.reason}]


def _nearest(view: ClusterView) -> Nearest:
    """Return the nearest clusters of the left-over deals that have a vector, by deal index."""
    indices = tuple(item.index for item in view.clustering.left_over)

    def find() -> Nearest:
        vectors = workspace().array(view.run_id, VECTORS)
        if vectors is None or not view.clustering.clusters:
            return {}
        known = known_rows(vectors, len(view.deals))
        asked = [index for index in indices if known[index]]
        # A deal without a vector is as far from every direction as from the others.
        filled = np.where(known[:, None], vectors, 0)
        found = nearest_clusters(filled, view.clustering, asked)
        return {index: [place for place, _ in near] for index, near in zip(asked, found, strict=True)}

    return state.remembered("nearest", (view.rows_key, len(view.deals), indices), find)


def left_over_frame(view: ClusterView, items: Sequence[LeftOver], nearest: Nearest) -> pd.DataFrame:
    """One row for each deal: id, name, why, and the nearest clusters as far as known."""
    labels = view.labels()
    return pd.DataFrame(
        [
            {
                "Deal id": view.deals[item.index].deal_id,
                "Name": view.deals[item.index].deal_name,
                "Why": item.reason,
                "Nearest clusters": "; ".join(labels[place] for place in nearest.get(item.index, ())) or None,
            }
            for item in items
        ],
        columns=["Deal id", "Name", "Why", "Nearest clusters"],
    )


@state.guarded
def _rows_selected(key: str, ids: Sequence[str]) -> None:
    select_deals([ids[row] for row in st.session_state[key]["selection"]["rows"]])


def _actions(view: ClusterView, ids: tuple[str, ...]) -> None:
    row = st.container(horizontal=True)
    count = f"{len(ids):,} " if ids else ""
    row.button(
        f"Attach {count}to nearest",
        on_click=edit,
        args=(view, AttachDeals(ids)),
        disabled=view.busy or not ids or not view.clustering.clusters,
        icon=":material/call_merge:",
        help="Each selected deal joins the nearest cluster that has room and that no rule keeps it from.",
    )
    row.button(
        f"Own cluster of {counted(len(ids), 'deal')}" if ids else "Own cluster",
        on_click=edit,
        args=(view, NewCluster(ids)),
        disabled=view.busy or not ids,
        icon=":material/add_circle:",
        help="The selected deals form one cluster, whatever the smallest size is.",
    )
    if not ids:
        st.caption("Select rows to attach them, or to make a cluster of them.")
