"""Packages: proposing with and without a key, and decisions that are saved before they are confirmed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.packages import Approve, Rename, SetReasoning
from core.settings import get_settings
from core.workspace import Workspace
from tests.fakes.gemini import FakeGemini
from tests.pages.conftest import (
    PICTURE,
    assert_healthy,
    assert_no_live_markdown,
    click,
    go,
    ledger,
    links,
    open_page,
    said,
    screen,
    select_rows,
    small_clustering,
    small_deals,
    small_outcomes,
    table,
    watch_job,
    words,
)

KEY = "AIza-canary-of-the-tests-0123456789"


@pytest.fixture
def gemini(configure: Callable[..., None]) -> Iterator[FakeGemini]:
    """The fake service behind the app, and a key that it accepts."""
    with FakeGemini(api_key=KEY) as server:
        configure(GEMINI_API_KEY=KEY, DEALWEAVER_GEMINI_BASE_URL=server.url)
        yield server


def status_counts(app: AppTest) -> dict[str, int]:
    options = app.segmented_control(key="package_status").proto.options
    return {name: int(count) for name, count in (option.content.split(" ") for option in options)}


def show(app: AppTest, status: str) -> AppTest:
    app.segmented_control(key="package_status").set_value(status)
    return app.run()


# --- before there are packages ----------------------------------------------------------------


def test_without_deals_the_page_leads_to_deals() -> None:
    app = open_page("packages")
    assert_healthy(app)
    assert said(app, "info") == ["Load deals first: the sample, or your own file."]
    assert links(app) == [""]


def test_without_clusters_the_page_leads_to_clusters(loaded: str) -> None:
    app = open_page("packages", loaded)
    assert_healthy(app)
    assert said(app, "info") == ["There are no clusters yet: packages are proposed cluster by cluster."]
    assert links(app) == ["clusters"]


def test_with_every_deal_left_over_the_page_leads_back_to_clusters(loaded: str, store: Workspace) -> None:
    clustering = small_clustering()
    store.save_clustering(loaded, replace(clustering, clusters=(), left_over=()))
    app = open_page("packages", loaded)
    assert_healthy(app)
    assert links(app) == ["clusters"]


# --- proposing --------------------------------------------------------------------------------


def test_without_a_key_the_rules_propose_and_nothing_claims_to_be_ai(
    clustered: str, store: Workspace
) -> None:
    app = open_page("packages", clustered)
    assert app.selectbox(key="proposer").options == ["Rules (no AI)"]
    count = len(small_clustering().clusters)
    watch_job(click(app, f"Propose for {count} clusters"), clustered)
    packages = store.packages(clustered)
    assert len(packages) == sum(len(outcome.proposals) for outcome in small_outcomes())
    assert {package.source for package in packages} == {"Rules (no AI)"}
    assert said(app, "success")
    app.run()
    claims = screen(app).replace("\\", "").replace("Rules (no AI)", "")
    assert not re.findall(r"\bAI\b|artificial|intelligen|magic", claims, re.IGNORECASE)
    assert status_counts(app)["Pending"] == len(packages)


def test_the_ledger_adds_up_after_proposing(proposed: str, store: Workspace) -> None:
    app = open_page("packages", proposed)
    total, states = ledger(app)
    assert total == sum(states.values()) == 60
    packaged = {deal_id for package in store.packages(proposed) for deal_id in package.deal_ids}
    assert states["in packages"] == len(packaged)
    (box,) = app.expander
    assert box.label == f"{60 - len(packaged)} deals in no package"
    rest = table(app, "Deal id")
    if list(rest.value.columns) != ["Deal id", "Name", "Where it stands", "Why"]:
        rest = next(item for item in app.dataframe if "Where it stands" in item.value.columns)
    assert len(rest.value) == 60 - len(packaged)
    assert not set(rest.value["Deal id"]) & packaged


def test_one_cluster_can_be_proposed_for_alone(clustered: str, store: Workspace) -> None:
    app = open_page("packages", clustered)
    app.selectbox(key="one_cluster").set_value(2)
    app.run()
    watch_job(click(app, "Propose for it"), clustered)
    assert set(store.outcomes(clustered)) == {small_clustering().clusters[1].id}
    rest = len(small_clustering().clusters) - 1
    app.run()
    assert any(button.label == f"Propose for {rest} clusters" for button in app.button)


def test_a_cluster_chosen_in_a_run_with_more_clusters_breaks_nothing(
    clustered: str, store: Workspace
) -> None:
    other = store.create_run(small_deals(), "other.json")
    store.save_clustering(other, replace(small_clustering(), clusters=small_clustering().clusters[:1]))
    app = open_page("packages", clustered)
    app.selectbox(key="one_cluster").set_value(len(small_clustering().clusters))
    app.run()
    app.selectbox(key="run_picker").set_value(other)
    app.run()
    assert_healthy(app)
    watch_job(click(app, "Propose for it"), other)
    assert set(store.outcomes(other)) == {small_clustering().clusters[0].id}


def test_with_a_key_gemini_proposes_and_the_key_stays_where_it_is(
    clustered: str, store: Workspace, gemini: FakeGemini, caplog: pytest.LogCaptureFixture
) -> None:
    app = open_page("packages", clustered)
    assert app.selectbox(key="proposer").value == "Gemini"
    assert "go to Google" in words(app)
    watch_job(click(app, "Propose for 6"), clustered)
    assert said(app, "success")
    packages = store.packages(clustered)
    assert packages
    assert {package.source for package in packages} == {"gemini-2.5-flash"}
    known = {deal.deal_id for deal in small_deals().deals}
    assert all(set(package.deal_ids) <= known for package in packages)
    assert {call.key for call in gemini.calls} == {KEY}
    for name in ("packages", "settings", "export", "clusters", "deals"):
        go(app, name)
        assert_healthy(app)
        assert KEY not in screen(app)
    assert KEY not in str(app.session_state.to_dict())
    assert KEY not in caplog.text
    files = [path for path in get_settings().home.iterdir() if path.is_file()]
    assert files
    assert KEY.encode() not in b"".join(path.read_bytes() for path in files)


def test_a_wrong_key_gives_one_sentence_and_keeps_the_deals(
    clustered: str, store: Workspace, gemini: FakeGemini
) -> None:
    gemini.api_key = "another key"
    app = watch_job(click(open_page("packages", clustered), "Propose for 6"), clustered)
    sentence = "Gemini refused the key: check GEMINI_API_KEY and its permissions."
    assert said(app, "error") == [f"Propose packages with gemini-2.5-flash: {sentence}"]
    assert KEY not in screen(app)
    total, states = ledger(app)
    assert total == sum(states.values()) == 60
    assert store.packages(clustered) == ()
    assert {outcome.status for outcome in store.outcomes(clustered).values()} <= {"failed", "not_sent"}


def test_with_a_key_the_rules_can_still_be_chosen(
    clustered: str, store: Workspace, gemini: FakeGemini
) -> None:
    app = open_page("packages", clustered)
    app.selectbox(key="proposer").set_value("Rules (no AI)")
    app.run()
    assert "No data leaves this machine" in words(app)
    watch_job(click(app, "Propose for 6"), clustered)
    assert {package.source for package in store.packages(clustered)} == {"Rules (no AI)"}
    assert gemini.calls == ()


# --- failed clusters --------------------------------------------------------------------------


@pytest.fixture
def one_failed(proposed: str, store: Workspace) -> str:
    """A run in which the second cluster failed, with the model's answer kept."""
    done = small_outcomes()[1]
    store.save_outcome(
        proposed,
        replace(
            done,
            status="failed",
            proposals=(),
            unpackaged=(),
            source="gemini-2.5-flash",
            error=f"The answer holds no packages {PICTURE}.",
            raw="I cannot help with that.",
        ),
    )
    return proposed


def test_a_failed_cluster_is_listed_with_its_reason_and_answer(one_failed: str) -> None:
    app = open_page("packages", one_failed)
    assert_healthy(app)
    assert_no_live_markdown(app)
    assert "1 cluster failed." in words(app)
    assert [text.value for text in app.text if text.value.startswith("Cluster 2,")]
    assert "I cannot help with that." in [code.value for code in app.code]


@pytest.mark.parametrize("button", ["Retry failed (1)", "Use rules for them"])
def test_only_the_failed_cluster_is_tried_again(one_failed: str, store: Workspace, button: str) -> None:
    before = len(store.events(one_failed))
    app = watch_job(click(open_page("packages", one_failed), button), one_failed)
    assert {outcome.status for outcome in store.outcomes(one_failed).values()} == {"done"}
    proposals = [event for event in store.events(one_failed)[before:] if "Proposals for" in event["what"]]
    assert len(proposals) == 1
    app.run()
    assert "failed" not in words(app)


# --- deciding ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("button", "status", "word"), [("Approve", "approved", "approve"), ("Reject", "rejected", "reject")]
)
def test_a_decision_is_saved_before_it_is_confirmed(
    proposed: str, store: Workspace, button: str, status: str, word: str
) -> None:
    first = store.packages(proposed)[0]
    app = click(open_page("packages", proposed), button)
    assert_healthy(app)
    saved = store.packages(proposed)[0]
    assert (saved.id, saved.status, saved.version) == (first.id, status, 2)
    assert saved.decided_by == "analyst"
    assert said(app, "success") == [f"Saved: {word} ({first.name!r})."]
    counts = status_counts(app)
    assert counts["All"] == counts["Pending"] + counts["Approved"] + counts["Rejected"]
    assert counts[status.capitalize()] == 1


def test_a_decision_can_be_taken_back(proposed: str, store: Workspace) -> None:
    app = click(open_page("packages", proposed), "Approve")
    show(app, "approved")
    assert next(button for button in app.button if button.label == "Approve").disabled
    click(app, "Reopen")
    assert_healthy(app)
    assert store.packages(proposed)[0].status == "pending"
    assert said(app, "info") == ["No package is approved."]


def test_when_all_is_decided_the_page_leads_to_export(proposed: str, store: Workspace) -> None:
    versions = {package.id: package.version for package in store.packages(proposed)}
    store.edit_packages(proposed, versions, [Approve()])
    app = open_page("packages", proposed)
    assert_healthy(app)
    assert said(app, "info") == ["Every package is decided on."]
    assert links(app) == ["export"]


def test_several_packages_are_decided_on_together(proposed: str, store: Workspace) -> None:
    app = select_rows(open_page("packages", proposed), "packages_", [0, 2])
    assert "2 packages selected" in words(app)
    click(app, "Approve 2")
    assert_healthy(app)
    statuses = [package.status for package in store.packages(proposed)]
    assert statuses[:4] == ["approved", "pending", "approved", "pending"]
    # The list has other rows now: the old positions must not stand for other packages.
    assert "packages selected" not in words(app)


def test_a_bulk_decision_with_one_stale_package_changes_nothing(proposed: str, store: Workspace) -> None:
    app = select_rows(open_page("packages", proposed), "packages_", [0, 1])
    second = store.packages(proposed)[1]
    store.edit_packages(proposed, {second.id: second.version}, [Rename("Changed elsewhere")])
    click(app, "Reject 2")
    assert_healthy(app)
    (sentence,) = said(app, "error")
    assert sentence.startswith("'Changed elsewhere' was changed meanwhile")
    assert [package.status for package in store.packages(proposed)[:2]] == ["pending", "pending"]


# --- editing ----------------------------------------------------------------------------------


def test_name_and_reasoning_are_saved_together(proposed: str, store: Workspace) -> None:
    app = open_page("packages", proposed)
    old = store.packages(proposed)[0].name
    name_box(app).set_value("Auto  CTV East")
    reasoning_box(app).set_value("One buyer.")
    click(app, "Save name")
    assert_healthy(app)
    assert said(app, "success") == [f"Saved: rename to 'Auto  CTV East', change the reasoning ({old!r})."]
    saved = store.packages(proposed)[0]
    assert (saved.name, saved.reasoning) == ("Auto CTV East", "One buyer.")
    assert saved.edited
    assert name_box(app).value == "Auto CTV East"
    assert "Rules (no AI), edited by analyst" in words(app)


def test_saving_what_nobody_changed_makes_no_version(proposed: str, store: Workspace) -> None:
    before = store.packages(proposed)
    app = click(open_page("packages", proposed), "Save name")
    assert_healthy(app)
    assert said(app, "success") == ["Nothing to save: name and reasoning are as they were."]
    assert store.packages(proposed) == before


def test_an_edit_of_an_approved_package_asks_for_approval_again(proposed: str, store: Workspace) -> None:
    app = show(click(open_page("packages", proposed), "Approve"), "approved")
    name_box(app).set_value("Another name")
    click(app, "Save name")
    assert_healthy(app)
    assert store.packages(proposed)[0].status == "pending"


@pytest.mark.parametrize("name", ["", "   "])
def test_a_blank_name_is_refused_and_nothing_changes(proposed: str, store: Workspace, name: str) -> None:
    before = store.packages(proposed)
    app = open_page("packages", proposed)
    name_box(app).set_value(name)
    click(app, "Save name")
    assert_healthy(app)
    assert said(app, "error") == ["A package needs a name: write one before you save."]
    assert store.packages(proposed) == before


def test_words_of_a_model_are_shown_not_run(proposed: str, store: Workspace) -> None:
    first, second = store.packages(proposed)[:2]
    store.edit_packages(proposed, {first.id: 1}, [Rename(PICTURE), SetReasoning(PICTURE)])
    store.add_package(proposed, f"Twin {PICTURE}", first.deal_ids)
    app = open_page("packages", proposed)
    assert_no_live_markdown(app)
    click(app, "Approve")
    assert_healthy(app)
    assert said(app, "success") == [f"Saved: approve ({PICTURE!r})."]
    assert_no_live_markdown(app)
    assert second.status == "pending"


def test_selected_deals_leave_the_package_by_id(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    app = select_rows(open_page("packages", proposed), "members_", [0, 2])
    click(app, "Remove 2 selected deals")
    assert_healthy(app)
    assert first.deal_ids[0] in said(app, "success")[0]  # as it is written, not in small letters
    saved = store.packages(proposed)[0]
    gone = {first.deal_ids[0], first.deal_ids[2]}
    assert saved.deal_ids == tuple(deal_id for deal_id in first.deal_ids if deal_id not in gone)
    total, states = ledger(app)
    assert total == sum(states.values()) == 60
    assert next(button for button in app.button if button.label.startswith("Remove")).disabled


def test_the_last_deal_cannot_leave(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    app = select_rows(open_page("packages", proposed), "members_", list(range(len(first.deal_ids))))
    click(app, "Remove")
    assert_healthy(app)
    assert said(app, "error") == [f"{first.name!r} would hold no deal: reject it instead."]
    assert store.packages(proposed)[0] == first


def test_deals_are_added_at_the_end(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    new = [deal.deal_id for deal in small_deals().deals if deal.deal_id not in first.deal_ids][:2]
    app = open_page("packages", proposed)
    app.multiselect(key=f"add_{first.id}_1").set_value(new)
    click(app, "Add")
    assert_healthy(app)
    assert store.packages(proposed)[0].deal_ids == (*first.deal_ids, *new)
    assert not set(new) & set(app.multiselect[-1].proto.options)
    click(app, "Add")  # nothing is chosen: nothing happens
    assert store.packages(proposed)[0].version == 2


def test_a_stale_edit_is_refused_and_neither_version_is_lost(proposed: str, store: Workspace) -> None:
    app = open_page("packages", proposed)
    first = store.packages(proposed)[0]
    name_box(app).set_value("My name")
    store.edit_packages(proposed, {first.id: first.version}, [Rename("Their name")])
    click(app, "Save name")
    assert_healthy(app)
    (sentence,) = said(app, "error")
    assert sentence.startswith("'Their name' was changed meanwhile (version 2, yours 1)")
    assert store.packages(proposed)[0].name == "Their name"
    assert name_box(app).value == "My name"
    click(app, "Save name")  # knowing theirs
    assert_healthy(app)
    assert store.packages(proposed)[0].name == "My name"


def test_an_edit_starts_from_what_others_saved(proposed: str, store: Workspace) -> None:
    app = open_page("packages", proposed)
    first = store.packages(proposed)[0]
    store.edit_packages(proposed, {first.id: first.version}, [Rename("Their name")])
    app.run()
    assert name_box(app).value == "Their name"
    reasoning_box(app).set_value("Only the reasoning is mine.")
    click(app, "Save name")
    saved = store.packages(proposed)[0]
    assert (saved.name, saved.reasoning) == ("Their name", "Only the reasoning is mine.")


def test_a_package_that_a_new_proposal_replaced_cannot_be_approved(proposed: str, store: Workspace) -> None:
    app = open_page("packages", proposed)
    store.save_outcome(proposed, small_outcomes()[0])
    click(app, "Approve")
    assert_healthy(app)
    assert said(app, "error") == ["The package is not there any more: reload the page."]
    assert not [package for package in store.packages(proposed) if package.status == "approved"]


def test_facts_are_counted_over_the_deals_shown(proposed: str, store: Workspace) -> None:
    first = store.packages(proposed)[0]
    app = open_page("packages", proposed)
    facts = dict(table(app, "Fact").value.itertuples(index=False))
    members = [deal for deal in small_deals().deals if deal.deal_id in first.deal_ids]
    safe = sum(deal.safety.family_safe is True for deal in members)
    assert f"({safe} of {len(members)} say so)" in facts["Family-safe"]
    assert sum(int(count) for count in re.findall(r"\((\d+)\)", facts["Floors CPM"])) == len(members)


def name_box(app: AppTest):
    return next(item for item in app.text_input if item.label == "Name")


def reasoning_box(app: AppTest):
    return next(item for item in app.text_area if item.label == "Reasoning")
