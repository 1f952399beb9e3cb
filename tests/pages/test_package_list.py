"""The review queue: worst first, two clicks to mend, chips that count, decisions and merges of several."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.deals import Deal
from core.deals.signals import signals_of
from core.packages import Approve, Package, Reject, RemoveDeals
from core.proposals.proposal import Unpackaged
from core.settings import MIN_PACKAGE_DEALS
from core.storage import Workspace
from core.wording.findings import Fix, open_errors
from tests.pages.conftest import (
    SMALL,
    assert_healthy,
    click,
    ledger,
    open_page,
    said,
    select_rows,
    small_clustering,
    small_deals,
    small_outcomes,
    table,
    words,
)
from tests.pages.reviewing import (
    current,
    in_focus,
    queued,
    reviewed,
    sheet,
    show,
    sound,
    status_counts,
    tick,
)

PLANTED = "Planted Kids Package"


def about(signal: str, without: str) -> list[Deal]:
    return [
        deal for deal in small_deals().deals if signal in (found := signals_of(deal)) and without not in found
    ]


@pytest.fixture
def planted(proposed: str, store: Workspace) -> str:
    """A run in which somebody put two political deals among four for kids."""
    kids, political = about("KIDS", "POLITICAL")[:4], about("POLITICAL", "KIDS")[:2]
    assert len(kids) == 4
    assert len(political) == 2
    store.add_package(proposed, PLANTED, [deal.deal_id for deal in (*kids, *political)])
    return proposed


def test_kids_with_political_is_found_and_mended_in_two_clicks(planted: str, store: Workspace) -> None:
    app = open_page("packages", planted)
    assert queued(app)[0] == PLANTED
    assert table(app, "Package").value["Worst finding"][0] == "✕ Error: Kids with political"
    app = select_rows(app, "packages_", [0])  # the first click, of which the card needs none
    assert in_focus(app) == PLANTED
    click(app, "Remove 2 political deals")  # the second one
    assert_healthy(app)
    package = next(item for item in store.packages(planted) if item.name == PLANTED)
    assert len(package.deal_ids) == 4
    found = sheet(store, planted, package).findings
    assert "KIDS_POLITICAL" not in {finding.code for finding in found}
    assert said(app, "success")[0].startswith("Saved: remove ")
    assert in_focus(app) == PLANTED  # it stays on the card, wherever it is in the list now
    assert "Kids with political" not in words(app)
    total, states = ledger(app)
    assert total == sum(states.values()) == 60


def test_the_worst_come_first_and_the_sound_last(planted: str, store: Workspace) -> None:
    app = open_page("packages", planted)
    worst = list(table(app, "Package").value["Worst finding"])
    errors = [row for row, text in enumerate(worst) if text.startswith("✕ Error")]
    assert errors == list(range(len(errors)))
    assert len(errors) == len(store.packages(planted)) - len(sound(store, planted))


def test_a_click_on_a_name_opens_it_and_the_keys_go_on(proposed: str) -> None:
    app = open_page("packages", proposed)
    names = queued(app)
    key = next(item.key for item in app.dataframe if (item.key or "").startswith("packages_"))
    app.session_state[key] = {"selection": {"rows": [], "columns": [], "cells": [(3, "Package")]}}
    app.run()
    assert in_focus(app) == names[3]
    click(app, "Next")
    assert in_focus(app) == names[4]
    click(app, "Previous")
    click(app, "Previous")
    assert in_focus(app) == names[2]
    assert "3 of 11" in words(app)


def _stays_large(package: Package, fix: Fix) -> bool:
    left = len(package.deal_ids) - len(fix.parts[0]) if fix.kind == "remove" else len(fix.parts[0])
    return left >= MIN_PACKAGE_DEALS


@pytest.mark.parametrize("kind", ["remove", "split"])
def test_every_fix_of_a_card_does_what_it_says(proposed: str, store: Workspace, kind: str) -> None:
    package, fix = next(
        (package, fix)
        for package in store.packages(proposed)
        for finding in sheet(store, proposed, package).findings
        for fix in finding.fixes
        if fix.kind == kind and _stays_large(package, fix)
    )
    app = reviewed(proposed, package)
    escaped = next(button.label for button in app.button if button.label.replace("\\", "") == fix.label)
    click(app, escaped)
    assert_healthy(app)
    left = {item.deal_ids for item in store.packages(proposed) if item.name.startswith(package.name)}
    if kind == "remove":
        assert left == {tuple(one for one in package.deal_ids if one not in fix.parts[0])}
    else:
        assert {frozenset(ids) for ids in left} == {frozenset(part) for part in fix.parts}
    total, states = ledger(app)
    assert total == sum(states.values()) == 60
    assert in_focus(app) == package.name


# --- chips ------------------------------------------------------------------------------------


def test_chips_of_nothing_are_not_there(proposed: str) -> None:
    assert list(status_counts(open_page("packages", proposed))) == ["Pending", "Approved", "Rejected", "All"]


def test_few_deals_need_review_and_are_not_pending_too(proposed: str, store: Workspace) -> None:
    package = store.packages(proposed)[0]
    store.edit_packages(proposed, {package.id: 1}, [RemoveDeals(package.deal_ids[:1])])
    app = open_page("packages", proposed)
    assert status_counts(app) == {"Pending": 10, "Needs review": 1, "Approved": 0, "Rejected": 0, "All": 11}
    assert package.name not in queued(app)
    assert queued(show(app, "needs_review")) == [package.name]


def test_a_proposal_of_few_deals_is_made_by_hand(clustered: str, store: Workspace) -> None:
    outcome = small_outcomes()[0]
    first, *rest = outcome.proposals
    reason = "It names fewer than 3 deals."
    few = tuple(Unpackaged(one, reason, proposed="Tiny Package") for one in first.deal_ids[:2])
    store.save_outcome(clustered, replace(outcome, proposals=tuple(rest), unpackaged=few))
    app = show(open_page("packages", clustered), "needs_review")
    assert_healthy(app)
    assert status_counts(app)["Needs review"] == 1
    click(app, "Make it by hand")
    assert_healthy(app)
    made = store.packages(clustered)[-1]
    assert (made.name, set(made.deal_ids)) == ("Tiny Package", set(first.deal_ids[:2]))
    assert status_counts(app)["Needs review"] == 1  # now it is a package, which still is too small
    assert queued(app) == ["Tiny Package"]


def newer_file(store: Workspace, run_id: str, package: Package) -> str:
    """Load a file in which the first deal of the package has another name; return its id."""
    changed = package.deal_ids[0]
    deals = tuple(
        replace(deal, deal_name="Another name") if deal.deal_id == changed else deal
        for deal in small_deals().deals
    )
    store.update_deals(run_id, replace(small_deals(), deals=deals), SMALL.name, replace=True)
    return changed


def test_a_newer_file_makes_an_approved_package_wait_again(proposed: str, store: Workspace) -> None:
    package = sound(store, proposed)[0]
    store.edit_packages(proposed, {package.id: 1}, [Approve()])
    changed = newer_file(store, proposed, package)
    app = show(open_page("packages", proposed), "again")
    assert status_counts(app)["Approve again"] == 1
    assert queued(app) == [package.name]
    assert "was approved by analyst at" in words(app)
    assert f"since then {changed} changed: approve it again" in words(app)
    click(app, "Approve again")
    assert_healthy(app)
    assert current(store, proposed, package).status == "approved"
    assert "Approve again" not in status_counts(app)


# --- several together -------------------------------------------------------------------------


def test_several_are_merged_under_a_name(proposed: str, store: Workspace) -> None:
    one, other = store.packages(proposed)[:2]
    app = tick(open_page("packages", proposed), one, other)
    next(box for box in app.text_input if box.label == "Name of the merged package").set_value("Both Package")
    click(app, "Merge 2")
    assert_healthy(app)
    standing = {package.id for package in store.packages(proposed)}
    assert len(standing) == 10
    (kept,) = {one.id, other.id} & standing
    merged = next(package for package in store.packages(proposed) if package.id == kept)
    assert merged.name == "Both Package"
    assert set(merged.deal_ids) == {*one.deal_ids, *other.deal_ids}
    assert in_focus(app) == "Both Package"
    total, states = ledger(app)
    assert total == sum(states.values()) == 60


def test_several_are_rejected_and_reopened(proposed: str, store: Workspace) -> None:
    one, other = store.packages(proposed)[:2]
    app = click(tick(open_page("packages", proposed), one, other), "Reject 2")
    assert said(app, "success") == ["Saved: reject (2 packages)."]
    total, states = ledger(app)
    assert total == sum(states.values()) == 60
    assert states["taken out by the analyst"] == len({*one.deal_ids, *other.deal_ids})
    app = click(tick(show(app, "rejected"), one, other), "Reopen 2")
    assert said(app, "success") == ["Saved: reopen (2 packages)."]
    assert {package.status for package in store.packages(proposed)} == {"pending"}


def test_a_rejected_package_of_deals_that_are_gone_breaks_nothing(proposed: str, store: Workspace) -> None:
    package = store.packages(proposed)[0]
    store.edit_packages(proposed, {package.id: 1}, [Reject()])
    deals = tuple(deal for deal in small_deals().deals if deal.deal_id not in package.deal_ids)
    store.update_deals(proposed, replace(small_deals(), deals=deals), SMALL.name, replace=True)
    app = open_page("packages", proposed)
    assert_healthy(app)
    show(app, "rejected")
    assert_healthy(app)
    assert "3 deals of this package are no longer in the run" in said(app, "warning")[0]


def test_errors_keep_their_package_from_being_approved(planted: str, store: Workspace) -> None:
    package = next(item for item in store.packages(planted) if item.name == PLANTED)
    assert open_errors(sheet(store, planted, package).findings, ())
    app = reviewed(planted, package)
    assert next(button for button in app.button if button.label == "Approve").disabled
    assert len(small_clustering().clusters) == 6
