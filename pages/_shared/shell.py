"""What surrounds every page: navigation, the run, the steps, the job under way."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import streamlit as st

from core import clock
from core.counting import counted
from core.coverage import STATE_WORDS, DealState, count_states
from core.errors import DealweaverError
from core.storage import Job, RunSummary
from pages._shared import state
from pages._shared.history import undo_and_redo
from pages._shared.services import jobs, workspace
from pages._shared.texts import literal

_log = logging.getLogger(__name__)

PAGES = (
    # file, title, icon, address
    ("pages/deals.py", "Deals", ":material/table_rows:", "deals"),
    ("pages/clusters.py", "Clusters", ":material/bubble_chart:", "clusters"),
    ("pages/packages.py", "Packages", ":material/inventory_2:", "packages"),
    ("pages/export.py", "Export", ":material/download:", "export"),
    ("pages/settings.py", "Settings", ":material/settings:", "settings"),
)

# How long the end of a job is news to a session that did not see it.
_NEWS_S = 600.0


def ensure_shell(page: str) -> None:
    """Go through app.py first when this page was opened without it.

    After a server restart a deep link runs the page's file alone, without navigation and
    header; app.py then brings the reader back here with the same address.
    """
    if state.SHELL not in st.session_state:
        st.session_state[state.TARGET] = (page, st.query_params.to_dict())
        st.switch_page("app.py")


def enter_shell() -> None:
    """Mark the shell as drawn, and go on to the page that was asked for, if any."""
    st.session_state[state.SHELL] = True
    target = st.session_state.pop(state.TARGET, None)
    if target:
        page, query = target
        st.switch_page(page, query_params=query)


def header() -> None:
    """Draw what every page shows above its content."""
    run = state.current_run()
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        if run:
            _steps(run)
        else:
            st.caption("No deals loaded yet.")
    with right:
        _run_picker(run)
    if run:
        undo_and_redo(run)
        _job_line(run.id)
    if message := state.told():
        kind, text = message
        (st.error if kind == "error" else st.success)(literal(text))


def _run_picker(run: RunSummary | None) -> None:
    runs = workspace().runs()
    if not runs:
        return
    by_id = {item.id: item for item in runs}

    def open_chosen() -> None:
        if chosen := st.session_state["run_picker"]:
            state.open_run(chosen)

    st.session_state["run_picker"] = run.id if run else None
    st.selectbox(
        "Run",
        list(by_id),
        key="run_picker",
        format_func=lambda run_id: (
            f"{by_id[run_id].name} · {by_id[run_id].deals:,} deals · saved {_clock(by_id[run_id].saved_at)}"
        ),
        placeholder="Open an earlier run",
        on_change=open_chosen,
        label_visibility="collapsed",
    )


def _clock(moment: str) -> str:
    return f"{moment[:10]} {moment[11:19]} UTC"


def _steps(run: RunSummary) -> None:
    clustered = run.clusters is not None
    steps = (
        (True, f"Deals {run.deals:,}"),
        (clustered, f"Clusters {run.clusters}" if clustered else "Clusters"),
        (
            run.approved > 0 and not run.pending,
            f"Packages {run.approved}/{run.packages} approved" if run.packages else "Packages",
        ),
        (run.exported, "Export"),
    )
    with st.container(horizontal=True, gap="small"):
        for done, label in steps:
            st.badge(
                label,
                icon=":material/check:" if done else ":material/radio_button_unchecked:",
                color="green" if done else "gray",
            )


def ledger_line(run_id: str, states: Sequence[DealState] | None = None) -> None:
    """Say where every deal stands; the counts add up to the deals loaded. states: when they are known."""
    if states is None:
        store = workspace()
        states = state.states_of(
            run_id, store.clustering(run_id), store.outcomes(run_id), store.packages(run_id)
        )
    counts = count_states(states)
    words = " · ".join(f"{count:,} {STATE_WORDS[name]}" for name, count in counts.items())
    st.caption(f"{len(states):,} deals: {words}")


# --- jobs -------------------------------------------------------------------------------------


def _job_line(run_id: str) -> None:
    job = jobs().job(run_id)
    if job is None:
        return
    if job.running:
        _running_job(run_id)
    else:
        _ended_job(job)


@st.fragment(run_every=1.0)
def _running_job(run_id: str) -> None:
    job = jobs().job(run_id)
    if job is None or not job.running:
        st.rerun()
        return
    left, right = st.columns([5, 1], vertical_alignment="center")
    left.progress(job.done / job.total if job.total else 0.0, text=f"{job.title}: {_progress_in_words(job)}")
    right.button(
        "Cancel", key=f"cancel_{run_id}", on_click=jobs().cancel, args=(run_id,), icon=":material/close:"
    )


def _progress_in_words(job: Job) -> str:
    if job.state == "queued":
        return f"waits for {counted(job.ahead, 'other job')} to end" if job.ahead else "begins"
    counts = f" {job.done:,} of {job.total:,}" if job.total else ""
    eta = f", about {job.eta_s:.0f} s left" if job.eta_s is not None else ""
    return f"{job.stage}{counts}{eta}"


def _ended_job(job: Job) -> None:
    if job.state == "done":
        _good_news(job)
        return
    left, buttons = st.columns([4, 1.6], vertical_alignment="center")
    with left:
        if job.state == "cancelled":
            st.warning(f"{job.title} was cancelled. {job.note or 'What was finished is kept.'}")
        else:
            icon = ":material/power_off:" if job.state == "interrupted" else ":material/error:"
            st.error(literal(f"{job.title}: {job.error}"), icon=icon)
    row = buttons.container(horizontal=True)
    # Late, because what starts jobs draws with the shell.
    from pages._shared.resume import can_resume, resume

    if can_resume(job):
        row.button(
            "Resume", key=f"resume_{job.id}", on_click=resume, args=(job,), icon=":material/play_arrow:"
        )
    row.button(
        "Dismiss",
        key=f"dismiss_{job.run_id}",
        on_click=jobs().dismiss,
        args=(job.run_id,),
        icon=":material/close:",
    )


def _good_news(job: Job) -> None:
    """Say once in every session how a job ended: good news needs no click to go away."""
    recent = job.ended_s is not None and clock.epoch_s() - job.ended_s < _NEWS_S
    if recent and job.id > st.session_state.get(state.JOB_SEEN, 0):
        st.session_state[state.JOB_SEEN] = job.id
        st.success(literal(f"{job.title}: {job.note}"), icon=":material/check_circle:")


def job_running(run_id: str) -> bool:
    """Whether a job of this run is under way, so that its buttons are off."""
    job = jobs().job(run_id)
    return job is not None and job.running


def run_guarded(page: object) -> None:
    """Draw the header and run a page; whatever they raise becomes one sentence on the screen."""
    try:
        header()
        page.run()  # type: ignore[attr-defined]
    except DealweaverError as error:
        st.error(literal(str(error)), icon=":material/error:")
    except Exception:
        # The last catch of the screen: a traceback helps nobody there, and would show data.
        _log.exception("A page failed")
        st.error(state.UNEXPECTED, icon=":material/error:")


def no_run_yet() -> None:
    """Say what to do on a page that needs deals, and stop the page."""
    st.info("Load deals first: the sample, or your own file.")
    st.page_link("pages/deals.py", label="Go to Deals", icon=":material/table_rows:")
    st.stop()
