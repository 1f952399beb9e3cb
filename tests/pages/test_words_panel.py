"""Name and reasoning: checked while typed, offered, and never lost when somebody else saves."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.packages import AddDeals, Rename, SetReasoning
from core.storage import Workspace
from core.wording.name_rules import suggest_name
from pages._packages.words_panel import Draft, Words
from tests.pages.conftest import (
    PICTURE,
    assert_healthy,
    assert_no_live_markdown,
    click,
    said,
    small_deals,
    words,
)
from tests.pages.reviewing import current, name_box, reasoning_box, reviewed, sheet, tick

BASE = Words("Base", "Why")


@pytest.mark.parametrize(
    ("mine", "saved", "merged", "disputed"),
    [
        (BASE, BASE, BASE, ()),
        (BASE, Words("Theirs", "Why"), Words("Theirs", "Why"), ()),
        (Words("Mine", "Why"), BASE, Words("Mine", "Why"), ()),
        (Words("Mine", "Why"), Words("Base", "Theirs"), Words("Mine", "Theirs"), ()),
        (Words("Same", "Why"), Words("Same", "Why"), Words("Same", "Why"), ()),
        (Words("Mine", "Why"), Words("Theirs", "Why"), Words("Mine", "Why"), ("name",)),
        (Words("Mine", "Mine"), Words("Theirs", "Theirs"), Words("Mine", "Mine"), ("name", "reasoning")),
    ],
)
def test_typed_words_meet_saved_ones_field_by_field(
    mine: Words, saved: Words, merged: Words, disputed: tuple[str, ...]
) -> None:
    assert Draft(BASE, mine).over(saved) == (merged, disputed)


# --- somebody else ----------------------------------------------------------------------------


def columns(app: AppTest) -> dict[str, list[str]]:
    """Return what stands under Before, Mine and Theirs, a text for each field in dispute."""
    found: dict[str, list[str]] = {}
    for column in app.columns:
        titles = [item.value.strip("*") for item in column.markdown]
        if titles and titles[0] in {"Before", "Mine", "Theirs"}:
            found.setdefault(titles[0], []).extend(item.value for item in column.text)
    return found


@pytest.fixture
def disputed(proposed: str, store: Workspace) -> AppTest:
    """The card of the first package after both sides named it, and somebody gave it a deal."""
    first = store.packages(proposed)[0]
    app = reviewed(proposed, first)
    name_box(app).set_value("My name")
    new = next(deal.deal_id for deal in small_deals().deals if deal.deal_id not in first.deal_ids)
    edits = [Rename("Their name"), AddDeals((new,))]
    store.edit_packages(proposed, {first.id: first.version}, edits)
    click(app, "Save name")
    assert_healthy(app)
    return app


def test_a_stale_save_shows_all_three_versions_and_changes_nothing(
    disputed: AppTest, proposed: str, store: Workspace
) -> None:
    (sentence,) = said(disputed, "error")
    assert sentence.startswith("'Their name' was changed meanwhile (version 3, yours 1)")
    assert store.packages(proposed)[0].name == "Their name"
    name = "Mixed-Safety Premium Politics Video Package"
    assert columns(disputed) == {"Before": [name], "Mine": ["My name"], "Theirs": ["Their name"]}


def test_mine_is_saved_on_top_of_their_other_changes(
    disputed: AppTest, proposed: str, store: Workspace
) -> None:
    click(disputed, "Keep mine")
    assert_healthy(disputed)
    saved = store.packages(proposed)[0]
    assert (saved.name, saved.version) == ("My name", 4)
    assert len(saved.deal_ids) == 4  # their deal is there
    assert name_box(disputed).value == "My name"
    assert said(disputed, "success") == ["Saved: rename to 'My name' ('Their name')."]


def test_theirs_can_be_taken(disputed: AppTest, proposed: str, store: Workspace) -> None:
    before = store.packages(proposed)
    click(disputed, "Take theirs")
    assert_healthy(disputed)
    assert store.packages(proposed) == before
    assert name_box(disputed).value == "Their name"


def test_a_dispute_that_moves_on_is_shown_again(disputed: AppTest, proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    store.edit_packages(proposed, {first.id: first.version}, [Rename("Their third name")])
    click(disputed, "Keep mine")
    assert_healthy(disputed)
    assert "changed meanwhile" in said(disputed, "error")[0]
    assert columns(disputed)["Mine"] == ["My name"]
    assert columns(disputed)["Theirs"] == ["Their third name"]
    click(disputed, "Keep mine")
    assert store.packages(proposed)[0].name == "My name"


def test_typed_words_survive_a_rerun_after_somebody_saved(proposed: str, store: Workspace) -> None:
    """A page is drawn anew when a box is left, before anybody can press Save."""
    first = store.packages(proposed)[0]
    app = reviewed(proposed, first)
    store.edit_packages(proposed, {first.id: first.version}, [Rename("Their name")])
    name_box(app).set_value("My name").run()
    assert_healthy(app)
    assert columns(app)["Mine"] == ["My name"]


def test_words_that_nobody_disputes_go_on_from_what_others_saved(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    app = reviewed(proposed, first)
    reasoning_box(app).set_value("Only the reasoning is mine.").run()
    store.edit_packages(proposed, {first.id: first.version}, [Rename("Their name")])
    app.run()
    assert (name_box(app).value, reasoning_box(app).value) == ("Their name", "Only the reasoning is mine.")
    assert "Typed, not saved yet." in words(app)
    click(app, "Save name")
    saved = current(store, proposed, first)
    assert (saved.name, saved.reasoning) == ("Their name", "Only the reasoning is mine.")


def test_typed_words_survive_a_look_at_another_package(proposed: str, store: Workspace) -> None:
    first, second = store.packages(proposed)[:2]
    app = reviewed(proposed, first)
    name_box(app).set_value("My name").run()
    tick(app, second)
    assert name_box(app).value == second.name
    tick(app, first)
    assert name_box(app).value == "My name"
    click(app, "Undo typing")
    assert name_box(app).value == first.name
    assert current(store, proposed, first) == first


def test_words_of_both_sides_are_no_markdown(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    app = reviewed(proposed, first)
    name_box(app).set_value(f"Mine {PICTURE}")
    edits = [Rename(f"Theirs {PICTURE}"), SetReasoning(PICTURE)]
    store.edit_packages(proposed, {first.id: first.version}, edits)
    click(app, "Save name")
    assert_no_live_markdown(app)


# --- the name while it is typed ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "finding"),
    [
        ("IAB2 Video Package", "Code in the name"),
        ("Verified Politics Video Package", "Verified is unproven"),
        ("Family-Safe Politics Video Package", "Family-safe claim"),
        ("Politics Video", "Unusual name"),
    ],
)
def test_a_name_is_checked_before_it_is_saved(
    proposed: str, store: Workspace, typed: str, finding: str
) -> None:
    first = store.packages(proposed)[0]
    app = reviewed(proposed, first)
    assert finding not in words(app)
    name_box(app).set_value(typed).run()
    assert_healthy(app)
    assert f"{finding}." in words(app)
    assert current(store, proposed, first) == first


def test_a_name_that_another_package_has_is_said(proposed: str, store: Workspace) -> None:
    first, second = store.packages(proposed)[:2]
    app = reviewed(proposed, first)
    name_box(app).set_value(second.name).run()
    assert "Name is taken." in words(app)


def test_the_suggested_name_goes_into_the_box_and_waits(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    suggested = suggest_name(sheet(store, proposed, first).members)
    assert suggested != first.name
    app = click(reviewed(proposed, first), "Use ")
    assert name_box(app).value == suggested
    assert current(store, proposed, first) == first
    click(app, "Save name")
    assert current(store, proposed, first).name == suggested


def test_a_trafficking_name_is_made_of_its_parts(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    app = reviewed(proposed, first)
    assert "A trafficking name needs a buyer: write one." in words(app)
    app.text_input(key="trafficking_buyer").set_value("Acme Cars")
    app.text_input(key="trafficking_dsp").set_value("DV360")
    app.text_input(key=f"trafficking_{first.id}").set_value("Politics Video").run()
    (name,) = [item.value for item in app.code]
    begins = sheet(store, proposed, first).facts.flight.start
    assert begins
    year, month, day = begins[2:4], begins[5:7], begins[8:10]
    assert name == f"AcmeCars-DV360-PoliticsVideo-{month}{day}{year}"
    click(app, "Use this name")
    assert name_box(app).value == name
    assert "Unusual name" not in words(app)
