"""The card: locks, reasons, deals moved and split off, copies; each is a step that keeps the ledger whole."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.packages import Lock, Package, Rename
from core.storage import Workspace
from tests.pages.conftest import (
    assert_healthy,
    click,
    ledger,
    open_page,
    said,
    select_rows,
    small_deals,
    table,
    words,
)
from tests.pages.reviewing import current, in_focus, name_box, reviewed, unsound


def assert_sums(app: AppTest) -> None:
    """Every deal is in one state, and no action lost one."""
    assert_healthy(app)
    total, states = ledger(app)
    assert total == sum(states.values()) == 60


@pytest.fixture
def large(proposed: str, store: Workspace) -> Package:
    """The largest package."""
    return max(store.packages(proposed), key=lambda package: len(package.deal_ids))


# --- decisions --------------------------------------------------------------------------------


def test_a_reason_outlives_an_edit_by_somebody_else(proposed: str, store: Workspace) -> None:
    package = unsound(store, proposed)[0]
    app = reviewed(proposed, package)
    app.text_input(key=f"reason_{package.id}").set_value("Agreed with the buyer.")
    store.edit_packages(proposed, {package.id: 1}, [Rename("Theirs")])
    click(app, "Approve with a reason")
    assert "changed meanwhile" in said(app, "error")[0]
    assert app.text_input(key=f"reason_{package.id}").value == "Agreed with the buyer."
    click(app, "Approve with a reason")
    saved = current(store, proposed, package)
    assert (saved.status, saved.name) == ("approved", "Theirs")
    assert {item.reason for item in saved.overrides} == {"Agreed with the buyer."}


def test_a_locked_package_refuses_everything_but_unlock(
    proposed: str, store: Workspace, large: Package
) -> None:
    app = click(reviewed(proposed, large), "Lock")
    assert said(app, "success") == [f"Saved: lock ({large.name!r})."]
    assert in_focus(app) == large.name
    assert "Locked" in words(app)
    off = {button.label for button in app.button if button.disabled}
    assert {"Approve", "Reject", "Reopen", "Save name and reasoning", "Add", "Split the package"} <= off
    assert name_box(app).disabled
    assert not [
        button for button in app.button if (button.key or "").startswith("fix_") and not button.disabled
    ]
    click(app, "Unlock")
    assert not current(store, proposed, large).locked
    assert not next(button for button in app.button if button.label == "Reject").disabled


def test_a_package_locked_meanwhile_is_said_in_one_sentence(
    proposed: str, store: Workspace, large: Package
) -> None:
    app = reviewed(proposed, large)
    store.edit_packages(proposed, {large.id: 1}, [Lock()])
    click(app, "Reject")
    assert_healthy(app)
    assert len(said(app, "error")) == 1
    assert current(store, proposed, large).status == "pending"


# --- deals ------------------------------------------------------------------------------------


def test_selected_deals_move_to_another_package(proposed: str, store: Workspace, large: Package) -> None:
    goal = next(package for package in store.packages(proposed) if package.id != large.id)
    app = select_rows(reviewed(proposed, large), "members_", [0, 1])
    assert next(button for button in app.button if button.label == "Move").disabled
    app.selectbox(key=f"move_{large.id}_1").set_value(goal.id).run()
    click(app, "Move")
    assert_sums(app)
    moved = large.deal_ids[:2]
    assert current(store, proposed, large).deal_ids == large.deal_ids[2:]
    assert current(store, proposed, goal).deal_ids == (*goal.deal_ids, *moved)
    assert said(app, "success") == [f"Saved: move 2 deals from {large.name!r} to {goal.name!r}."]
    assert in_focus(app) == large.name


def test_selected_deals_become_a_package_of_their_own(
    proposed: str, store: Workspace, large: Package
) -> None:
    app = select_rows(reviewed(proposed, large), "members_", [0, 2, 4])
    click(app, "Split them off")
    assert_sums(app)
    off = {large.deal_ids[place] for place in (0, 2, 4)}
    assert set(store.packages(proposed)[-1].deal_ids) == off
    assert set(current(store, proposed, large).deal_ids) == set(large.deal_ids) - off
    assert said(app, "success") == [f"Saved: split {large.name!r} off 3 deals."]


@pytest.mark.parametrize("by", ["ssp", "currency", "device", "geo", "format"])
def test_a_package_is_split_by_what_its_deals_have(
    proposed: str, store: Workspace, large: Package, by: str
) -> None:
    app = reviewed(proposed, large)
    app.selectbox(key="split_by").set_value(by).run()
    before = len(store.packages(proposed))
    click(app, "Split the package")
    assert_sums(app)
    refused = [text for text in said(app, "error") if "have the same" in text]
    if refused:
        assert len(store.packages(proposed)) == before
    else:
        parts = [item for item in store.packages(proposed) if item.name.startswith(large.name)]
        assert len(parts) > 1
        assert {one for part in parts for one in part.deal_ids} == set(large.deal_ids)


def test_a_copy_is_pending_and_shares_its_deals(proposed: str, store: Workspace, large: Package) -> None:
    app = click(reviewed(proposed, large), "Duplicate")
    assert_sums(app)
    copy = store.packages(proposed)[-1]
    assert (copy.name, copy.deal_ids, copy.status) == (f"{large.name} (copy)", large.deal_ids, "pending")
    app = reviewed(proposed, large)
    count = len(large.deal_ids)
    assert f"Shares {count} deals with: '{large.name} (copy)' ({count})" in words(app)


def test_the_deals_say_how_they_came_in(proposed: str, large: Package) -> None:
    app = reviewed(proposed, large)
    new = next(deal.deal_id for deal in small_deals().deals if deal.deal_id not in large.deal_ids)
    app.multiselect(key=f"add_{large.id}_1").set_value([new])
    click(app, "Add")
    assert_sums(app)
    rows = table(app, "Deal id").value.set_index("Deal id")["Put in"]
    assert rows[new] == "Added by analyst."
    assert set(rows.drop(new)) == {"Proposed"}


# --- many packages ----------------------------------------------------------------------------


def test_among_many_deals_those_to_add_are_searched(proposed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages._packages.package_card._MOST_OFFERED", 10)
    app = open_page("packages", proposed)
    box = next(item for item in app.text_input if item.label == "Find deals to add")
    assert "The first 10 of" in words(app)
    wanted = small_deals().deals[-1]
    box.set_value(wanted.deal_id.lower()).run()
    options = next(item for item in app.multiselect if item.label == "Add deals").options
    assert options == [f"{wanted.deal_id} · {wanted.deal_name}"]
