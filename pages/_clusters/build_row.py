"""The long work of the Clusters page: build, place new deals, measure again."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from core.clustering import ClusteringSettings
from core.counting import counted
from core.work import JobContext
from core.work.tasks import build_clusters, measure_clusters, place_deals
from pages._clusters.settings_panel import chosen_settings
from pages._shared import shell, state
from pages._shared.cluster_view import ClusterView
from pages._shared.services import encoder, jobs, workspace

# Kinds of jobs, for `resume`.
BUILD, PLACE, MEASURE = "build", "place", "measure"


def action_row(run_id: str, view: ClusterView | None) -> None:
    """Draw the buttons that start jobs; view is None before the first build."""
    busy = shell.job_running(run_id)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.button(
        "Build clusters again" if view else "Build clusters",
        type="secondary" if view else "primary",
        on_click=_build,
        args=(run_id,),
        disabled=busy,
        icon=":material/bubble_chart:",
    )
    if view and view.waiting and view.clustering.clusters:
        row.button(
            f"Place {counted(len(view.waiting), 'new deal')}",
            type="primary",
            on_click=_place,
            args=(run_id, len(view.waiting)),
            disabled=busy,
            icon=":material/add_location:",
            help="Each joins the cluster it fits best. No other deal moves, and packages stay as they are.",
        )
    if view and view.unmeasured:
        row.button(
            "Measure again" if view.quality else "Measure the clusters",
            on_click=_measure,
            args=(run_id,),
            disabled=busy,
            icon=":material/straighten:",
            help=f"{counted(view.unmeasured, 'cluster')} changed since they were measured.",
        )
    if view:
        row.page_link(
            "pages/packages.py",
            label="Next: propose packages",
            icon=":material/arrow_forward:",
            width="content",
        )


@state.guarded
def _build(run_id: str) -> None:
    """Start with the settings on the screen; a setting that cannot work is said at once."""
    start_building(run_id, chosen_settings())


def start_building(run_id: str, settings: ClusteringSettings) -> None:
    """Build clusters as a job. Raises WorkspaceError when it cannot start."""
    work = partial(_build_work, workspace(), run_id, settings)
    jobs().start(run_id, "Build clusters", work, kind=BUILD, params=settings.to_dict())


@state.guarded
def _place(run_id: str, count: int) -> None:
    start_placing(run_id, f"Place {counted(count, 'new deal')}")


def start_placing(run_id: str, title: str) -> None:
    """Put new deals into the clusters as a job. Raises WorkspaceError when it cannot start."""
    jobs().start(run_id, title, partial(_place_work, workspace(), run_id), kind=PLACE)


@state.guarded
def _measure(run_id: str) -> None:
    start_measuring(run_id)


def start_measuring(run_id: str) -> None:
    """Measure the clusters as a job. Raises WorkspaceError when it cannot start."""
    work = partial(measure_clusters, workspace(), run_id)
    jobs().start(run_id, "Measure the clusters", work, kind=MEASURE)


def _build_work(store: Any, run_id: str, settings: ClusteringSettings, job: JobContext) -> str:  # noqa: ANN401
    return build_clusters(store, run_id, settings, encoder, job)


def _place_work(store: Any, run_id: str, job: JobContext) -> str:  # noqa: ANN401
    return place_deals(store, run_id, encoder, job)
