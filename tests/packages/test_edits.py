"""Edits of packages: what each allows, what it changes, and what happens to a decision."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deals import Deal
from core.deals.model import Commercial, Safety
from core.errors import PackageError
from core.packages import (
    AddDeals,
    Approve,
    Package,
    Reject,
    RemoveDeals,
    Rename,
    Reopen,
    SetReasoning,
    apply_edit,
)
from core.packages.model import STATUSES
from core.proposals.rules import counted_reasoning

KNOWN = frozenset({"1", "2", "3", "4", "007"})
DEALS = {deal_id: Deal(deal_id) for deal_id in KNOWN}
PACKAGE = Package("pkg-1", "Sports Package", ("1", "2"), "Live sports.", "rules", cluster_id="c1")


def edited(package, *edits, who="Ada", deals=DEALS):
    for edit in edits:
        package = apply_edit(package, edit, deals=deals, who=who)
    return package


# --- content ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (Rename("News Package"), {"name": "News Package"}),
        (Rename("  News \t\n Package "), {"name": "News Package"}),
        (Rename("n" * 255), {"name": "n" * 255}),
        (SetReasoning(" Because.\n"), {"reasoning": "Because."}),
        (SetReasoning(""), {"reasoning": ""}),
        (AddDeals(("3",)), {"deal_ids": ("1", "2", "3")}),
        (AddDeals(("007", "2", "007", "3")), {"deal_ids": ("1", "2", "007", "3")}),
        (RemoveDeals(("1",)), {"deal_ids": ("2",)}),
        (RemoveDeals(("2", "2")), {"deal_ids": ("1",)}),
    ],
)
def test_content_edit_changes_its_own_field_and_makes_one_new_version(edit, changes):
    assert edited(PACKAGE, edit) == replace(PACKAGE, **changes, version=2, edited=True)


def test_a_reasoning_that_only_counts_the_deals_counts_them_again():
    deals = {number: Deal(number, ssp_name="Magnite", formats=("video",)) for number in ("1", "2", "3", "4")}
    made = replace(PACKAGE, deal_ids=("1", "2", "3"), reasoning=counted_reasoning(list(deals.values())[:3]))
    grown = edited(made, AddDeals(("4",)), Approve(), deals=deals)
    assert grown.reasoning.startswith("4 deals from 1 SSPs")
    assert grown.status == "approved"
    assert edited(grown, RemoveDeals(("4",)), deals=deals).reasoning == made.reasoning
    own_words = replace(made, reasoning="Three deals of one kind.")
    assert edited(own_words, AddDeals(("4",)), deals=deals).reasoning == "Three deals of one kind."


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (Rename("  \n\t"), "needs a name"),
        (Rename("n" * 256), "256 characters"),
        (AddDeals(("3", "99", "x")), "id 99, x"),
        (AddDeals(("7",)), "id 7"),
        (RemoveDeals(("3",)), "does not hold 3"),
        (RemoveDeals(("1", "99")), "does not hold 99"),
        (RemoveDeals(("2", "1")), "would hold no deal"),
    ],
)
@pytest.mark.parametrize("status", STATUSES)
def test_edit_against_the_rules_is_refused_and_says_what_to_do(edit, sentence, status):
    with pytest.raises(PackageError, match=sentence) as caught:
        edited(replace(PACKAGE, status=status), edit)
    assert ":" in str(caught.value), "the remedy stands behind a colon"


@pytest.mark.parametrize(
    "edit",
    [
        Rename("Sports Package"),
        Rename(" Sports  Package "),
        SetReasoning("Live sports. "),
        AddDeals(()),
        AddDeals(("2", "1")),
        RemoveDeals(()),
    ],
)
@pytest.mark.parametrize("decision", [Approve(), Reject(), Reopen()])
def test_edit_that_changes_nothing_keeps_version_and_decision(edit, decision):
    package = edited(PACKAGE, decision)
    assert edited(package, edit) is package


# --- decisions --------------------------------------------------------------------------------


@pytest.mark.parametrize(("decision", "status"), [(Approve(), "approved"), (Reject(), "rejected")])
def test_decision_names_who_and_when_and_leaves_the_content(decision, status):
    package = edited(PACKAGE, decision, who="Ada")
    when = datetime.fromisoformat(package.decided_at)
    assert timedelta(0) <= datetime.now(UTC) - when < timedelta(minutes=1)
    assert package == replace(
        PACKAGE, status=status, version=2, decided_by="Ada", decided_at=package.decided_at, edited=False
    )


@pytest.mark.parametrize("decision", [Approve(), Reject(), Reopen()])
def test_deciding_the_same_again_keeps_the_first_decision(decision):
    package = edited(PACKAGE, decision, who="Ada")
    assert edited(package, decision, who="Bob") is package


@pytest.mark.parametrize("decision", [Approve(), Reject()])
def test_reopening_forgets_who_decided(decision):
    assert edited(PACKAGE, decision, Reopen()) == replace(PACKAGE, version=3)


def test_rejected_package_can_be_approved_without_reopening():
    package = edited(edited(PACKAGE, Reject(), who="Ada"), Approve(), who="Bob")
    assert (package.status, package.decided_by, package.version) == ("approved", "Bob", 3)


@pytest.mark.parametrize("decision", [Approve(), Reject()])
@pytest.mark.parametrize(
    "edit", [Rename("Other"), SetReasoning("Other"), AddDeals(("3",)), RemoveDeals(("1",))]
)
def test_decision_holds_only_for_the_content_it_was_given_for(decision, edit):
    package = edited(PACKAGE, decision, edit)
    assert (package.status, package.decided_by, package.decided_at) == ("pending", None, None)
    assert (package.version, package.edited) == (3, True)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Rename("News"), "Rename to 'News'"),
        (SetReasoning("x"), "Change the reasoning"),
        (AddDeals(("1", "2")), "Add 1, 2"),
        (RemoveDeals(("1",)), "Remove 1"),
        (Approve(), "Approve"),
        (Approve(despite_claims=True), "Approve despite what its words claim"),
        (Reject(), "Reject"),
        (Reopen(), "Reopen"),
    ],
)
def test_every_edit_says_in_the_audit_trail_what_it_does(edit, words):
    assert str(edit) == words


# --- claims -----------------------------------------------------------------------------------

TIERS = {
    "1": Deal("1", commercial=Commercial("Premium"), safety=Safety("Low", family_safe=True)),
    "2": Deal("2", commercial=Commercial("Premium"), safety=Safety("Low", family_safe=False)),
    "3": Deal("3", commercial=Commercial("Remnant")),
    "4": Deal("4"),
}
SAFE = replace(PACKAGE, name="Family-Safe Package")


def test_package_whose_deals_contradict_its_words_is_not_approved():
    with pytest.raises(PackageError, match=r"'Family-Safe Package' says .*contradict it \(2\): change"):
        edited(SAFE, Approve(), deals=TIERS)
    assert edited(SAFE, Reject(), deals=TIERS).status == "rejected"


def test_analyst_can_approve_despite_the_claims_and_they_stay_with_the_package():
    package = edited(SAFE, Approve(despite_claims=True), deals=TIERS)
    assert (package.status, package.contradicted) == ("approved", True)
    assert [claim.against for claim in package.claims] == [("2",)]


def test_unknown_values_do_not_stand_in_the_way():
    assert edited(replace(SAFE, deal_ids=("1", "4")), Approve(), deals=TIERS).status == "approved"


@pytest.mark.parametrize(
    ("edits", "contradicted"),
    [
        ((RemoveDeals(("2",)),), False),
        ((Rename("Sports Package"),), False),
        ((SetReasoning("All deals are premium."), Rename("Sports Package")), False),
        ((RemoveDeals(("2",)), AddDeals(("2",))), True),
        ((Rename("Premium Package"), AddDeals(("3",))), True),
    ],
)
def test_edited_package_is_judged_by_what_it_is_now(edits, contradicted):
    package = edited(SAFE, *edits, deals=TIERS)
    assert package.contradicted is contradicted
    if not contradicted:
        assert edited(package, Approve(), deals=TIERS).status == "approved"
        return
    with pytest.raises(PackageError, match="contradict"):
        edited(package, Approve(), deals=TIERS)


def test_claims_are_checked_again_when_the_deals_changed_after_the_words():
    package = edited(replace(SAFE, deal_ids=("1",)), SetReasoning("Other."), deals=TIERS)
    assert not package.contradicted
    changed = TIERS | {"1": replace(TIERS["1"], safety=Safety("Low", family_safe=False))}
    with pytest.raises(PackageError, match="contradict"):
        edited(package, Approve(), deals=changed)


def test_package_with_a_deal_that_is_gone_is_not_approved_even_despite_its_claims():
    with pytest.raises(PackageError, match="not in the run any more"):
        edited(SAFE, Approve(despite_claims=True), deals={"1": TIERS["1"]})


# --- any sequence -----------------------------------------------------------------------------

some_ids = st.lists(st.sampled_from([*sorted(KNOWN), "99"]), max_size=3).map(tuple)
some_text = st.sampled_from(["", " ", "Sports Package", "Other", "n" * 300])
edits = st.one_of(
    st.builds(Rename, some_text),
    st.builds(SetReasoning, some_text),
    st.builds(AddDeals, some_ids),
    st.builds(RemoveDeals, some_ids),
    st.sampled_from([Approve(), Approve(despite_claims=True), Reject(), Reopen()]),
)


@given(st.lists(edits, max_size=20))
def test_any_sequence_of_edits_leaves_a_sound_package(sequence):
    package = PACKAGE
    for edit in sequence:
        before = package
        try:
            package = edited(before, edit)
        except PackageError:
            continue
        assert package.version == before.version + (package != before)
        assert len(set(package.deal_ids)) == len(package.deal_ids) >= 1
        assert set(package.deal_ids) <= KNOWN
        assert 0 < len(package.name) <= 255
        assert (package.id, package.source, package.cluster_id) == ("pkg-1", "rules", "c1")
        assert (package.decided_by is None) == (package.decided_at is None) == (package.status == "pending")
        same_content = (package.name, package.deal_ids, package.reasoning) == (
            before.name,
            before.deal_ids,
            before.reasoning,
        )
        assert same_content or (package.status == "pending" and package.edited)
