"""The only session-state keys, and the run a session looks at.

The session is a cache: a reload loses it, so everything that matters is in the workspace,
and the address carries the run's id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar

import streamlit as st

from core import clock
from core.clustering import Clustering
from core.coverage import DealState, deal_states
from core.deals import Deal
from core.errors import DealweaverError, WorkspaceDamaged, WorkspaceError
from core.packages import Package
from core.proposals import Outcome
from core.storage import RunSummary
from pages._shared.services import workspace
from pages._shared.texts import literal

_log = logging.getLogger(__name__)
_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")

UNEXPECTED = (
    "This page met an error it did not expect. Nothing you saved is lost: reload the page; "
    "the details are in the log of the app."
)

SHELL = "shell"
TARGET = "target"
RUN = "run"
DRAFT = "draft"
SELECTED = "selected_deals"
SETTINGS_OF = "settings_of_run"
MESSAGE = "message"
_SHOWN_SINCE = "message_shown_since"
JOB_SEEN = "newest_job_seen"
_DEALS = "cached_deals"
_LOADS = "loads_of_run"

RUN_PARAMETER = "run"


def current_run() -> RunSummary | None:
    """Return the run of this session: the one in the address, else the last one opened."""
    run_id = st.query_params.get(RUN_PARAMETER) or st.session_state.get(RUN)
    if not run_id:
        return None
    try:
        run = workspace().run(run_id)
    except WorkspaceDamaged:
        raise
    except WorkspaceError:
        leave_run()
        st.warning(
            f"There is no run {literal(repr(run_id))} in this workspace (any more): "
            "open another one or load a file."
        )
        return None
    st.session_state[RUN] = run_id
    st.session_state[_LOADS] = run.loads
    if st.query_params.get(RUN_PARAMETER) != run_id:
        st.query_params[RUN_PARAMETER] = run_id
    return run


def open_run(run_id: str) -> None:
    """Look at this run from now on."""
    if st.session_state.get(RUN) != run_id:
        st.session_state.pop(SELECTED, None)
    st.session_state[RUN] = run_id
    st.query_params[RUN_PARAMETER] = run_id


def leave_run() -> None:
    """Look at no run."""
    for key in (RUN, SELECTED, _DEALS):
        st.session_state.pop(key, None)
    st.query_params.pop(RUN_PARAMETER, None)


def deals_of(run_id: str) -> tuple[Deal, ...]:
    """Return the deals of a run; a session reads them once for each file that was loaded."""
    cached = st.session_state.get(_DEALS)
    asked = (run_id, st.session_state.get(_LOADS))
    if cached is None or cached[0] != asked:
        cached = (asked, workspace().deals(run_id))
        st.session_state[_DEALS] = cached
    deals: tuple[Deal, ...] = cached[1]
    return deals


def remembered(name: str, question: object, answer: Callable[[], _Answer]) -> _Answer:
    """Return the answer to a question; a session works the last one of each name out only once."""
    key = f"remembered_{name}"
    if key not in st.session_state or st.session_state[key][0] != question:
        st.session_state[key] = (question, answer())
    found: _Answer = st.session_state[key][1]
    return found


def states_of(
    run_id: str,
    clustering: Clustering | None,
    outcomes: dict[str, Outcome],
    packages: Sequence[Package],
) -> tuple[DealState, ...]:
    """Return where every deal of the run stands."""
    return deal_states(deals_of(run_id), clustering, outcomes, packages)


# A table sends its selection, or a box its text, right after a click: the rerun that follows must not take
# away what the click said.
SHOWN_S = 3.0


def tell(message: str) -> None:
    """Show a sentence at the top of the page after the next rerun."""
    st.session_state[MESSAGE] = ("success", message)
    st.session_state.pop(_SHOWN_SINCE, None)


def complain(message: str) -> None:
    """Show an error at the top of the page after the next rerun."""
    st.session_state[MESSAGE] = ("error", message)
    st.session_state.pop(_SHOWN_SINCE, None)


def told() -> tuple[str, str] | None:
    """Return kind and text of the sentence to show: once, and in reruns that follow at once."""
    message: tuple[str, str] | None = st.session_state.get(MESSAGE)
    if message is None:
        return None
    first = _SHOWN_SINCE not in st.session_state
    since: float = st.session_state.setdefault(_SHOWN_SINCE, clock.monotonic_s())
    if clock.monotonic_s() - since < SHOWN_S:
        return message
    del st.session_state[MESSAGE]
    del st.session_state[_SHOWN_SINCE]
    return message if first else None


def guarded(action: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
    """Let a callback complain in one sentence: it runs before the page, outside the page's guard."""

    @wraps(action)
    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
        try:
            action(*args, **kwargs)
        except DealweaverError as error:
            complain(str(error))
        except Exception:
            _log.exception("An action failed")
            complain(UNEXPECTED)

    return run
