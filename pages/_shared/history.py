"""Undo and redo of what was done to packages, and the list of steps, which is kept with the run."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.counting import counted
from core.storage import RunSummary
from core.storage.reviews import Step, StepState
from pages._shared import state
from pages._shared.services import workspace
from pages._shared.texts import literal

_MOST_CHARS = 60
_STATE_WORDS: dict[StepState, str] = {
    "done": "✓ done",
    "undone": "↶ undone, can be made again",
    "dropped": "✕ undone, another step came after it",
}


def undo_and_redo(run: RunSummary) -> None:
    """Draw the two buttons, each named after its step; nothing before the first step."""
    steps = workspace().steps(run.id)
    if not steps:
        return
    done = next((step for step in steps if step.state == "done"), None)
    undone = next((step for step in reversed(steps) if step.state == "undone"), None)
    row = st.container(horizontal=True, vertical_alignment="center")
    for label, step, action, shortcut, icon in (
        ("Undo", done, _undo, "u", ":material/undo:"),
        ("Redo", undone, _redo, "y", ":material/redo:"),
    ):
        row.button(
            f"{label}: {literal(_short(step))}" if step else label,
            key=label.lower(),
            type="tertiary",
            on_click=action,
            args=(run.id,),
            disabled=step is None,
            shortcut=shortcut,
            icon=icon,
            help=literal(step.what) if step and len(step.what) > _MOST_CHARS else None,
        )


def _short(step: Step) -> str:
    words = _lower(step.what)
    return words if len(words) <= _MOST_CHARS else f"{words[: _MOST_CHARS - 1].rstrip()}…"


def _lower(words: str) -> str:
    return f"{words[:1].lower()}{words[1:]}"


@state.guarded
def _undo(run_id: str) -> None:
    step = workspace().undo(run_id)
    state.tell(f"Undone: {_lower(step.what)}.")


@state.guarded
def _redo(run_id: str) -> None:
    step = workspace().redo(run_id)
    state.tell(f"Done again: {_lower(step.what)}.")


def history_list(steps: Sequence[Step]) -> None:
    """Draw the steps of the run, newest first."""
    if not steps:
        return
    done = sum(step.state == "done" for step in steps)
    live = sum(step.state != "dropped" for step in steps)
    with st.expander(f"History: step {done:,} of {live:,}", icon=":material/history:"):
        st.dataframe(
            {
                "When (UTC)": [f"{step.at[:10]} {step.at[11:19]}" for step in steps],
                "Who": [step.who for step in steps],
                "Step": [step.what for step in steps],
                "State": [_STATE_WORDS[step.state] for step in steps],
            },
            hide_index=True,
            column_config={"Step": st.column_config.TextColumn(width="large")},
            alt=f"Table of {counted(len(steps), 'step')}, newest first",
        )
