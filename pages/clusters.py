"""Clusters: group similar deals, see them on the map, pick deals by hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core.clustering import METHODS, Clustering, ClusteringSettings
from core.deals import Deal
from core.settings import MAP_POINTS, MEMBERSHIP_THRESHOLD, MIN_CLUSTER_SIZE, PROPOSAL_MAX_DEALS, get_settings
from core.workspace import JobContext, build_clusters
from core.workspace.tasks import MAP
from pages._shared import shell, state, tables
from pages._shared.deal_map import CLUSTER, COLOUR_BY, deal_map
from pages._shared.services import jobs, workspace
from pages._shared.texts import counted

shell.ensure_shell("pages/clusters.py")

METHOD_WORDS = {"gmm": "Gaussian mixture (recommended)", "kmeans": "K-Means"}
SMALL_WORDS = {"attach": "Attach to the nearest cluster", "leave_out": "Leave out, and list"}


@state.guarded
def _build(run_id: str) -> None:
    """Start the job with the settings on the screen; a setting that cannot work is said at once."""
    choice = st.session_state
    settings = ClusteringSettings(
        method=choice["method"],
        max_deals=choice["max_deals"],
        min_size=choice["min_size"],
        overlap=choice["overlap"],
        threshold=choice["threshold"],
        small_clusters=choice["small_clusters"],
    )
    model = get_settings().embedding_model
    jobs().start(run_id, "Build clusters", partial(_work, workspace(), run_id, settings, model))


def _work(store: Any, run_id: str, settings: ClusteringSettings, model: str, job: JobContext) -> str:  # noqa: ANN401
    from core.embeddings import load_encoder

    return build_clusters(store, run_id, settings, partial(load_encoder, model), job)


def _settings(run_id: str, clustering: Clustering | None) -> None:
    used = clustering.settings if clustering else None
    columns = st.columns([2, 1, 1, 2, 1.2, 1.6], vertical_alignment="bottom")
    columns[0].selectbox(
        "Method",
        METHODS,
        key="method",
        index=METHODS.index(used.method) if used else 0,
        format_func=lambda name: METHOD_WORDS.get(name, name),
        persist_state="session",
        help="Gaussian mixture chooses the number of clusters itself and tells themes apart best.",
    )
    columns[1].number_input(
        "Most deals",
        min_value=1,
        max_value=500,
        value=used.max_deals if used else PROPOSAL_MAX_DEALS,
        key="max_deals",
        persist_state="session",
        help="Larger groups are split by meaning. A language model groups up to about 25 deals well.",
    )
    columns[2].number_input(
        "Fewest deals",
        min_value=1,
        max_value=100,
        value=used.min_size if used else MIN_CLUSTER_SIZE,
        key="min_size",
        persist_state="session",
    )
    columns[3].selectbox(
        "Smaller groups",
        list(SMALL_WORDS),
        key="small_clusters",
        index=list(SMALL_WORDS).index(used.small_clusters) if used else 0,
        format_func=SMALL_WORDS.__getitem__,
        persist_state="session",
    )
    overlap = columns[4].toggle(
        "Overlap",
        key="overlap",
        value=used.overlap if used else False,
        persist_state="session",
        help="Let a deal that belongs to two themes join a second cluster.",
    )
    columns[5].slider(
        "Membership strength",
        min_value=0.05,
        max_value=1.0,
        value=used.threshold if used else MEMBERSHIP_THRESHOLD,
        step=0.05,
        key="threshold",
        disabled=not overlap,
        persist_state="session",
        help="From this strength on a second membership is added: lower adds more.",
    )
    st.button(
        "Build clusters again" if clustering else "Build clusters",
        type="secondary" if clustering else "primary",
        on_click=_build,
        args=(run_id,),
        disabled=shell.job_running(run_id),
        icon=":material/bubble_chart:",
    )


def _select(deal_ids: Sequence[str]) -> None:
    st.session_state[state.SELECTED] = list(dict.fromkeys(deal_ids))


@state.guarded
def _map_selected(key: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    _select([str(_first(point["customdata"])) for point in points])


def _first(value: Any) -> Any:  # noqa: ANN401  (Streamlit gives a scalar or a list of one)
    return value[0] if isinstance(value, (list, tuple)) else value


@state.guarded
def _clusters_selected(key: str, deals: Sequence[Deal], clustering: Clustering) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    _select([deals[index].deal_id for row in rows for index in clustering.clusters[row].members])


def _map(run_id: str, deals: Sequence[Deal], clustering: Clustering) -> None:
    places = workspace().array(run_id, MAP)
    if places is None:
        return
    colour_by = st.segmented_control(
        "Colour by", [CLUSTER, *COLOUR_BY], default=CLUSTER, key="colour_by", required=True
    )
    if len(deals) > MAP_POINTS:
        st.caption(f"The map shows a sample of {MAP_POINTS:,} of {len(deals):,} deals; tables hold all.")
    key = f"map_{run_id}"
    st.plotly_chart(
        deal_map(deals, places, clustering, colour_by or CLUSTER, dark=st.context.theme.type == "dark"),
        key=key,
        on_select=partial(_map_selected, key),
        selection_mode=("lasso", "box", "points"),
        config={"displaylogo": False, "scrollZoom": True},
        alt="Map of deals: close points are similar deals. The table below lists the same clusters.",
    )
    st.caption("Close points are similar deals. Draw around points to select deals; numbers are clusters.")


def _selection(run_id: str, deals: Sequence[Deal]) -> None:
    chosen = set(st.session_state.get(state.SELECTED, ()))
    selected = [deal for deal in deals if deal.deal_id in chosen]
    if not selected:
        return
    with st.container(border=True):
        st.subheader(f"{counted(len(selected), 'deal')} selected")
        tables.show_deals(selected, f"selected_{len(selected)}", height=240)
        left, middle, right = st.columns([3, 1.4, 1], vertical_alignment="bottom")
        left.text_input("Name of the package", key="new_package_name", placeholder="Premium Auto CTV Package")
        middle.button(
            "Make a package",
            on_click=_make_package,
            args=(run_id, [deal.deal_id for deal in selected]),
            icon=":material/add:",
        )
        right.button("Clear", on_click=_select, args=((),))


@state.guarded
def _make_package(run_id: str, deal_ids: list[str]) -> None:
    package = workspace().add_package(run_id, st.session_state["new_package_name"], deal_ids)
    st.session_state["new_package_name"] = ""
    _select(())
    state.tell(f"{package.name!r} with {len(package.deal_ids)} deals is saved; it waits on Packages.")


def _tables(run_id: str, deals: Sequence[Deal], clustering: Clustering) -> None:
    st.subheader(counted(len(clustering.clusters), "cluster"))
    key = f"clusters_{run_id}_{clustering.clusters[0].id if clustering.clusters else ''}"
    if clustering.clusters:
        st.dataframe(
            tables.clusters_frame(deals, clustering),
            key=key,
            hide_index=True,
            placeholder="-",
            on_select=partial(_clusters_selected, key, deals, clustering),
            selection_mode="multi-row",
            alt="Table of clusters",
        )
    if clustering.left_over:
        st.subheader(f"{counted(len(clustering.left_over), 'deal')} outside every cluster")
        st.dataframe(
            pd.DataFrame(
                [
                    {
                        "Deal id": deals[item.index].deal_id,
                        "Name": deals[item.index].deal_name,
                        "Why": item.reason,
                    }
                    for item in clustering.left_over
                ]
            ),
            hide_index=True,
            placeholder="-",
            alt="Table of deals outside every cluster",
        )


def _diagnostics(clustering: Clustering) -> None:
    curve = clustering.diagnostics.get("bic")
    notes = clustering.diagnostics.get("notes") or []
    with st.expander("How these clusters were found", icon=":material/query_stats:"):
        for note in notes:
            st.caption(str(note))
        if curve:
            frame = pd.DataFrame(curve).rename(columns={"components": "Components", "bic": "BIC"})
            st.line_chart(frame, x="Components", y="BIC", height=220)
            st.caption(
                f"{clustering.diagnostics.get('components')} components had the lowest BIC, the best balance "
                "of fit and simplicity; "
                "groups over the largest size were then split by meaning."
            )


st.title("Clusters")
st.write("Group deals that mean the same, whatever their SSP calls them.")
run = state.current_run()
if run is None:
    shell.no_run_yet()
else:
    clustering = workspace().clustering(run.id)
    _settings(run.id, clustering)
    if clustering is None:
        st.info(
            f"{run.deals:,} deals wait to be clustered. The first time the embedding model is loaded and "
            "reads every deal, which can take a minute; after that, other settings take about a second."
        )
    else:
        deals = state.deals_of(run.id)
        shell.ledger_line(run.id)
        st.page_link("pages/packages.py", label="Next: propose packages", icon=":material/arrow_forward:")
        _map(run.id, deals, clustering)
        _selection(run.id, deals)
        _tables(run.id, deals, clustering)
        _diagnostics(clustering)
