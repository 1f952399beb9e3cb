"""Figures of the clusters: the table, one cluster in detail, the run as a whole, how it was found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from core.clustering import Clustering
from core.clustering.quality import Quality
from core.counting import counted
from pages._shared import state, tables
from pages._shared.cluster_view import ClusterView, select_deals
from pages._shared.texts import literal


def clusters_table(view: ClusterView) -> None:
    """Draw the table of clusters; selected rows select their deals, a single one is told in detail."""
    clusters = view.clustering.clusters
    st.subheader(counted(len(clusters), "cluster"))
    if not clusters:
        st.info("No group was large enough for a cluster: lower the fewest deals, then build again.")
        return
    quality_line(view.quality)
    key = f"clusters_{view.rows_key}"
    event = st.dataframe(
        tables.clusters_frame(view.deals, view.clustering, view.quality),
        key=key,
        hide_index=True,
        placeholder="-",
        column_config=tables.CLUSTER_COLUMNS,
        on_select=partial(_rows_selected, key, view),
        selection_mode="multi-row",
        alt="Table of clusters",
    )
    _unusual(view)
    rows = [row for row in event.selection.rows if row < len(clusters)]
    if len(rows) == 1:
        _one_cluster(view, rows[0])
    else:
        st.caption(
            "Select one row to see its typical deals and neighbours, or several to work on their deals."
        )


def _unusual(view: ClusterView) -> None:
    novel = view.clustering.novel
    if not novel:
        return
    row = st.container(horizontal=True, vertical_alignment="center")
    row.write(
        f":material/new_releases: Unusual for their cluster: {counted(len(novel), 'deal')} placed later, "
        "farther from every cluster than 95 % of the others from theirs."
    )
    ids = [view.deals[index].deal_id for index in novel]
    row.button("Select unusual deals", on_click=select_deals, args=(ids,))


@state.guarded
def _rows_selected(key: str, view: ClusterView) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    members = [index for row in rows for index in view.clustering.clusters[row].members]
    select_deals([view.deals[index].deal_id for index in members])


def quality_line(quality: Quality | None) -> None:
    """Say the means of the run in one line, with what was sampled."""
    if quality is None:
        st.caption("Nothing was measured yet.")
        return
    figures = [
        f"{name.lower()} **{value:.2f}**"
        for name in tables.FIGURE_COLUMNS
        if (value := getattr(quality, name.lower())) is not None
    ]
    if figures:
        words = "\n".join(f"- **{name}**: {text}" for name, text in tables.FIGURE_COLUMNS.items())
        st.markdown("On average: " + " · ".join(figures), help=words)
    if quality.notes:
        st.caption(literal(" ".join(quality.notes)))


def _one_cluster(view: ClusterView, place: int) -> None:
    cluster = view.clustering.clusters[place]
    figures, labels = view.figures.get(cluster.id), view.labels()
    with st.container(border=True):
        st.subheader(f"Cluster {literal(labels[place])}")
        typical = _typical(view, place)
        known = {item.id: label for item, label in zip(view.clustering.clusters, labels, strict=True)}
        nearest = [known[other] for other in (figures.nearest if figures else ()) if other in known]
        left, right = st.columns(2)
        left.markdown(
            _listed("Typical deals", [view.deals[i].deal_name or view.deals[i].deal_id for i in typical])
        )
        right.markdown(_listed("Nearest other clusters", nearest))
        st.dataframe(
            members_frame(view, place),
            key=f"members_{cluster.id}",
            hide_index=True,
            placeholder="-",
            column_config=tables.DEAL_COLUMNS,
            alt=f"Table of the {len(cluster.members)} deals of cluster {place + 1}",
        )


def _typical(view: ClusterView, place: int) -> list[int]:
    cluster = view.clustering.clusters[place]
    figures = view.figures.get(cluster.id)
    return [index for index in (figures.typical if figures else ()) if index in cluster.members]


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"**{title}**\n", *(f"- {literal(line)}" for line in lines or ["not measured"])])


def members_frame(view: ClusterView, place: int) -> pd.DataFrame:
    """Return the deals of one cluster with a note on each that is typical, unusual or shared."""
    cluster, own = view.clustering.clusters[place], view.clustering.own_cluster()
    novel, typical = set(view.clustering.novel), set(_typical(view, place))
    frame = tables.deals_frame([view.deals[index] for index in cluster.members])
    notes = [
        ", ".join(
            note
            for note, holds in (
                ("unusual for its cluster", index in novel),
                ("typical", index in typical),
                (f"shared with cluster {own.get(index, place) + 1}", own.get(index, place) != place),
            )
            if holds
        )
        or None
        for index in cluster.members
    ]
    frame.insert(2, "Note", notes)
    return frame


def diagnostics(clustering: Clustering) -> None:
    """Draw the curve that chose the number of groups, and what the run noted."""
    curve = clustering.diagnostics.get("bic")
    panel = st.expander(
        "How these clusters were found", key="found_open", on_change="rerun", icon=":material/query_stats:"
    )
    if not panel.open:
        return  # the curve alone takes longer to draw than the rest of the page
    with panel:
        for note in clustering.diagnostics.get("notes") or ():
            st.caption(literal(str(note)))
        if not curve:
            st.caption("This method chooses no number of groups by a curve.")
            return
        frame = pd.DataFrame(curve).rename(columns={"components": "Groups", "bic": "BIC"})
        # Against zero the curve would be a flat line: what counts is the distance from the best.
        frame["Above the best"] = frame["BIC"] - frame["BIC"].min()
        st.line_chart(
            frame, x="Groups", y="Above the best", height=220, alt="BIC for each number of groups tried"
        )
        st.caption(
            f"{clustering.diagnostics.get('components')} groups had the lowest BIC, the best balance of fit "
            "and simplicity; groups over the largest size were then split by meaning."
        )
        st.dataframe(
            frame.round(1),
            hide_index=True,
            alt="Table of BIC for each number of groups tried",
            width="content",
        )
