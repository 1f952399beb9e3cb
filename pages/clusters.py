"""Clusters: group similar deals, see them on the map, judge and correct the groups by hand."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from core.clustering.forecast import Outline
from core.clustering.keep_apart import columns_of
from core.counting import counted
from core.settings import MAP_POINTS
from core.storage import RunSummary
from core.storage.clusterings import MAP, OUTLINE, known_rows
from pages._clusters.build_row import action_row
from pages._clusters.cluster_tables import clusters_table, diagnostics
from pages._clusters.comparison_panel import comparison
from pages._clusters.deal_map import CLUSTER, COLOUR_BY, deal_map
from pages._clusters.edit_panel import decisions_line, selection_panel
from pages._clusters.left_over_list import left_over_list
from pages._clusters.settings_panel import settings_panel
from pages._shared import shell, state
from pages._shared.cluster_view import ClusterView, select_deals
from pages._shared.services import workspace

shell.ensure_shell("pages/clusters.py")


def _view(run: RunSummary) -> ClusterView | None:
    """Return what the page draws, None before the first build."""
    clustering = workspace().clustering(run.id)
    if clustering is None:
        return None
    return ClusterView(run.id, state.deals_of(run.id), clustering, workspace().quality(run.id))


def _settings(run: RunSummary, view: ClusterView | None) -> None:
    deals = state.deals_of(run.id)
    columns = state.remembered("columns", (run.id, run.loads), lambda: columns_of(deals))
    kept = workspace().array(run.id, OUTLINE)
    outline = None if kept is None else Outline.from_array(kept)
    settings_panel(run.id, deals, columns, outline, view.clustering if view else None)
    action_row(run.id, view)


@state.guarded
def _map_selected(key: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    # The numbers of the clusters are points as well, without a deal.
    select_deals([str(_first(point["customdata"])) for point in points if point.get("customdata")])


def _first(value: Any) -> Any:  # noqa: ANN401  (Streamlit gives a scalar or a list of one)
    return value[0] if isinstance(value, (list, tuple)) else value


def _map(view: ClusterView) -> None:
    places = workspace().array(view.run_id, MAP)
    if places is None:
        st.caption("There is no map yet: build the clusters again to draw one.")
        return
    colour_by = st.segmented_control(
        "Colour by", [CLUSTER, *COLOUR_BY], default=CLUSTER, key="colour_by", required=True
    )
    key = f"map_{view.run_id}"
    st.plotly_chart(
        deal_map(
            view.deals, places, view.clustering, colour_by or CLUSTER, dark=st.context.theme.type == "dark"
        ),
        key=key,
        on_select=partial(_map_selected, key),
        selection_mode=("lasso", "box", "points"),
        config={"displaylogo": False, "scrollZoom": True},
        alt="Map of deals: close points are similar deals. The table below lists the same clusters.",
    )
    st.caption("Close points are similar deals. Draw around points to select deals; numbers are clusters.")
    placed = int(known_rows(places, len(view.deals)).sum())
    if placed > MAP_POINTS:
        st.caption(f"The map shows a sample of {MAP_POINTS:,} of {placed:,} deals; tables hold all.")
    if placed < len(view.deals):
        st.caption(f"{counted(len(view.deals) - placed, 'deal')} of a newer file not on the map yet.")


st.title("Clusters")
st.write("Group deals that mean the same, whatever their SSP calls them.")
run = state.current_run()
if run is None:
    shell.no_run_yet()
else:
    view = _view(run)
    _settings(run, view)
    if view is None:
        st.info(
            f"{run.deals:,} deals wait to be clustered. The first time the embedding model is loaded and "
            "reads every deal, which can take a minute; after that, other settings take seconds."
        )
    else:
        decisions_line(view)
        shell.ledger_line(run.id)
        left, right = st.columns([1.7, 1])
        with left:
            _map(view)
        with right:
            selection_panel(view)
        clusters_table(view)
        left_over_list(view)
        comparison(view)
        diagnostics(view.clustering)
