"""Undo and redo: named after the step, after a restart too, and the list of steps."""

from __future__ import annotations

import streamlit as st
from streamlit.testing.v1 import AppTest

from core.packages import Rename
from core.storage import Workspace
from pages._shared import services
from tests.pages.conftest import PICTURE, assert_healthy, click, ledger, open_page, plain, said, table
from tests.pages.reviewing import current, name_box, reviewed, sound, tick


def button(app: AppTest, key: str):
    return next(item for item in app.button if item.key == key)


def labels(app: AppTest) -> tuple[str, str]:
    return plain(button(app, "undo").label), plain(button(app, "redo").label)


def states_of(store: Workspace, run_id: str) -> list[tuple[str, str]]:
    """Return status and name of each package, which undo must bring back; versions only grow."""
    return [(package.status, package.name) for package in store.packages(run_id)]


def test_before_the_first_step_there_is_nothing_to_undo(proposed: str) -> None:
    app = open_page("packages", proposed)
    assert not [item for item in app.button if item.key in {"undo", "redo"}]
    assert not [box for box in app.expander if box.label.startswith("History")]


def test_a_step_is_named_undone_and_made_again(proposed: str, store: Workspace) -> None:
    fine = sound(store, proposed)[:3]
    before = states_of(store, proposed)
    app = click(tick(open_page("packages", proposed), *fine), "Approve 3")
    assert labels(app) == ("Undo: approve (3 packages)", "Redo")
    after = states_of(store, proposed)
    button(app, "undo").click().run()
    assert_healthy(app)
    assert said(app, "success") == ["Undone: approve (3 packages)."]
    assert states_of(store, proposed) == before
    assert labels(app) == ("Undo", "Redo: approve (3 packages)")
    assert button(app, "undo").disabled
    button(app, "redo").click().run()
    assert said(app, "success") == ["Done again: approve (3 packages)."]
    assert states_of(store, proposed) == after
    total, states = ledger(app)
    assert total == sum(states.values()) == 60


def test_steps_survive_a_restart_of_the_app(proposed: str, store: Workspace) -> None:
    before = states_of(store, proposed)
    first = store.packages(proposed)[0]
    app = reviewed(proposed, first)
    name_box(app).set_value("Another Package")
    click(app, "Save name")
    click(app, "Reject")
    services.jobs().close()
    services.workspace().close()
    st.cache_resource.clear()
    later = open_page("packages", proposed)
    assert labels(later)[0] == "Undo: reject ('Another Package')"
    for _ in range(2):
        button(later, "undo").click().run()
        assert_healthy(later)
    assert states_of(store, proposed) == before
    for _ in range(2):
        button(later, "redo").click().run()
        assert_healthy(later)
    saved = current(store, proposed, first)
    assert (saved.name, saved.status) == ("Another Package", "rejected")


def test_the_header_of_the_export_page_has_them_too(proposed: str, store: Workspace) -> None:
    first = sound(store, proposed)[0]
    click(reviewed(proposed, first), "Approve")
    app = open_page("export", proposed)
    button(app, "undo").click().run()
    assert_healthy(app)
    assert current(store, proposed, first).status == "pending"


def test_the_history_lists_steps_with_their_state(proposed: str) -> None:
    app = open_page("packages", proposed)
    for _ in range(3):
        click(app, "Reject")
    button(app, "undo").click().run()
    button(app, "undo").click().run()
    click(app, "Duplicate")
    (box,) = [item for item in app.expander if item.label.startswith("History")]
    assert box.label == "History: step 2 of 2"
    history = table(app, "When (UTC)").value
    assert [state.split(" ")[1].strip(",") for state in history["State"]] == [
        "done",
        "undone",
        "undone",
        "done",
    ]
    assert history["Step"][0].startswith("Duplicate ")
    assert set(history["Who"]) == {"analyst"}


def test_a_name_in_a_step_is_no_markdown_and_not_endless(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    store.edit_packages(proposed, {first.id: 1}, [Rename(f"{PICTURE} {'long ' * 40}")])
    app = open_page("packages", proposed)
    label = button(app, "undo").label
    assert PICTURE not in label
    assert plain(label).startswith(f"Undo: rename to '{PICTURE}")
    assert len(plain(label)) < 80


def test_what_a_newer_step_of_somebody_else_forbids_is_said(proposed: str, store: Workspace) -> None:
    app = click(open_page("packages", proposed), "Reject")
    store.undo(proposed)
    button(app, "undo").click().run()
    assert_healthy(app)
    assert said(app, "error") == ["There is nothing to undo: nothing was done to packages yet."]
