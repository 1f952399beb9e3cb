"""Edits of packages: what each allows, what it changes, and what happens to a decision."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import clock
from core.deals import Deal
from core.deals.deal import Commercial, Safety
from core.errors import PackageError
from core.packages import (
    AddDeals,
    Approve,
    Lock,
    Package,
    Reject,
    RemoveDeals,
    Rename,
    Reopen,
    SetReasoning,
    Unlock,
    apply_edit,
)
from core.packages.checks import Others
from core.packages.edits import with_newer_deals
from core.packages.package import STATUSES
from core.wording.findings import CheckRules, OverlapPolicy
from core.wording.generated_text import counted_reasoning

KNOWN = frozenset({"1", "2", "3", "4", "007"})
DEALS = {deal_id: Deal(deal_id) for deal_id in KNOWN}
PACKAGE = Package("pkg-1", "Sports Package", ("1", "2"), "Live sports.", "rules", cluster_id="c1")
RULES = CheckRules(date(2026, 3, 1))


def edited(package, *edits, who="Ada", deals=DEALS, rules=RULES, others=None):
    for edit in edits:
        package = apply_edit(package, edit, deals=deals, who=who, rules=rules, others=others)
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
        (Rename("Ne\x00ws\ud83d"), {"name": "News"}),
        (SetReasoning("One.\x00\n\nTwo.\ud83d"), {"reasoning": "One.\n\nTwo."}),
        (AddDeals(("3",)), {"deal_ids": ("1", "2", "3")}),
        (AddDeals(("007", "2", "007", "3")), {"deal_ids": ("1", "2", "007", "3")}),
        (RemoveDeals(("1",)), {"deal_ids": ("2",)}),
        (RemoveDeals(("2", "2")), {"deal_ids": ("1",)}),
    ],
)
def test_content_edit_changes_its_own_field_and_makes_one_new_version(edit, changes):
    after = edited(PACKAGE, edit)
    assert replace(after, by_hand={}) == replace(PACKAGE, **changes, version=2, edited=True)


def test_package_says_how_an_analyst_put_a_deal_there_until_it_leaves():
    grown = edited(PACKAGE, AddDeals(("3", "2")), who="Ada")
    assert grown.by_hand == {"3": "Added by Ada."}
    assert edited(grown, Rename("Other"), AddDeals(("4",)), who="Bob").by_hand == {
        "3": "Added by Ada.",
        "4": "Added by Bob.",
    }
    assert edited(grown, RemoveDeals(("3",))).by_hand == {}
    assert edited(PACKAGE, RemoveDeals(("1",)), AddDeals(("1",))).by_hand == {"1": "Added by Ada."}


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
        (Rename("\u200b"), "needs a name"),
        (Rename("\u3164"), "needs a name"),
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
    assert timedelta(0) <= clock.now() - when < timedelta(minutes=1)
    content = PACKAGE.content(DEALS) if status == "approved" else None
    assert package == replace(
        PACKAGE,
        status=status,
        version=2,
        decided_by="Ada",
        decided_at=package.decided_at,
        edited=False,
        approved_content=content,
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
        (Approve("Seen."), "Approve with the reason 'Seen.'"),
        (Reject(), "Reject"),
        (Reopen(), "Reopen"),
        (Lock(), "Lock"),
        (Unlock(), "Unlock"),
    ],
)
def test_every_edit_says_in_the_audit_trail_what_it_does(edit, words):
    assert str(edit) == words


# --- errors that checks find ------------------------------------------------------------------

TIERS = {
    "1": Deal("1", commercial=Commercial("Premium"), safety=Safety("Low", family_safe=True)),
    "2": Deal("2", commercial=Commercial("Premium"), safety=Safety("Low", family_safe=False)),
    "3": Deal("3", commercial=Commercial("Remnant")),
    "4": Deal("4"),
}
SAFE = replace(PACKAGE, name="Family-Safe Package")


def test_package_with_an_error_is_not_approved_and_the_sentence_says_which():
    with pytest.raises(PackageError, match=r"'Family-Safe Package' is not approved.*; mend it, or approve"):
        edited(SAFE, Approve(), deals=TIERS)
    with pytest.raises(PackageError, match="not approved"):
        edited(SAFE, Approve("  "), deals=TIERS)
    assert edited(SAFE, Reject(), deals=TIERS).status == "rejected"


@pytest.mark.parametrize("reason", ["\u200b", "\u2060\u00ad", "\u3164", ".", "-- !", "\x00"])
def test_reason_without_words_releases_nothing(reason):
    with pytest.raises(PackageError, match="not approved"):
        edited(SAFE, Approve(reason), deals=TIERS)


def test_reason_releases_an_approved_package_from_an_error_that_is_new():
    others = Others.of([PACKAGE, replace(PACKAGE, id="pkg-2", name="Weather Deals")])
    forbidden = replace(RULES, overlap=OverlapPolicy("forbid"))
    approved = edited(PACKAGE, Approve(), who="Ada", others=others)
    assert edited(approved, Approve(), rules=forbidden, others=others) is approved
    released = edited(approved, Approve("Both sell it."), who="Bob", rules=forbidden, others=others)
    assert [(item.code, item.who) for item in released.overrides] == [("OVERLAP", "Bob")]
    assert (released.version, released.decided_by) == (3, "Bob")
    assert edited(released, Approve("Again."), rules=forbidden, others=others) is released


def test_reason_releases_each_error_and_is_kept_with_who_gave_it():
    package = edited(SAFE, Approve(" Two deals are\nbeing corrected. "), who="Ada", deals=TIERS)
    assert (package.status, package.contradicted) == ("approved", True)
    (override,) = package.overrides
    assert (override.code, override.who) == ("FAMILY_CLAIM", "Ada")
    assert override.reason == "Two deals are being corrected."
    assert override.at == package.decided_at


def test_package_without_errors_needs_no_reason_and_keeps_none():
    assert edited(PACKAGE, Approve("Just so.")).overrides == ()


@pytest.mark.parametrize("then", [Reopen(), Reject(), Rename("Family-Safe Deals Package")])
def test_reasons_go_with_the_approval_they_were_given_for(then):
    package = edited(SAFE, Approve("Seen."), then, deals=TIERS)
    assert (package.overrides, package.approved_content) == ((), None)
    with pytest.raises(PackageError, match="not approved"):
        edited(package, Approve(), deals=TIERS)


def test_unknown_values_do_not_stand_in_the_way():
    assert edited(replace(SAFE, deal_ids=("1", "4")), Approve(), deals=TIERS).status == "approved"


@pytest.mark.parametrize(("mode", "approved"), [("allow", True), ("forbid", False)])
def test_what_other_packages_hold_counts_when_the_policy_forbids_it(mode, approved):
    others = Others.of([PACKAGE, replace(PACKAGE, id="pkg-2", name="Weather Deals")])
    rules = replace(RULES, overlap=OverlapPolicy(mode))
    if approved:
        assert edited(PACKAGE, Approve(), rules=rules, others=others).status == "approved"
        return
    with pytest.raises(PackageError, match="not approved"):
        edited(PACKAGE, Approve(), rules=rules, others=others)


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
    with pytest.raises(PackageError, match="not approved"):
        edited(package, Approve(), deals=TIERS)


def test_claims_are_checked_again_when_the_deals_changed_after_the_words():
    package = edited(replace(SAFE, deal_ids=("1",)), SetReasoning("Other."), deals=TIERS)
    assert not package.contradicted
    changed = TIERS | {"1": replace(TIERS["1"], safety=Safety("Low", family_safe=False))}
    with pytest.raises(PackageError, match="not approved"):
        edited(package, Approve(), deals=changed)


def test_package_with_a_deal_that_is_gone_is_not_approved_even_with_a_reason():
    with pytest.raises(PackageError, match="not in the run any more"):
        edited(SAFE, Approve("Seen."), deals={"1": TIERS["1"]})


# --- approval is bound to content -------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"deals": DEALS | {"1": Deal("1", ssp_name="Magnite")}},
        {"deals": {deal_id: deal for deal_id, deal in DEALS.items() if deal_id != "1"}},
        {"name": "Other"},
        {"reasoning": "Other."},
        {"deal_ids": ("1", "2", "3")},
    ],
)
def test_approval_holds_for_the_words_and_deals_it_was_given_for_only(changes):
    approved = edited(PACKAGE, Approve())
    assert approved.approval_holds(DEALS)
    deals = changes.pop("deals", DEALS)
    other = replace(approved, **changes)
    assert other.content(deals) != approved.approved_content
    assert not other.approval_holds(deals)


def test_approval_of_other_content_is_given_anew():
    approved = edited(PACKAGE, Approve(), who="Ada")
    deals = DEALS | {"1": Deal("1", ssp_name="Magnite")}
    again = edited(approved, Approve(), who="Bob", deals=deals)
    assert (again.decided_by, again.version) == ("Bob", 3)
    assert again.approval_holds(deals)
    unrecorded = replace(approved, approved_content=None)
    assert not unrecorded.approval_holds(DEALS)
    assert edited(unrecorded, Approve(), who="Bob").approval_holds(DEALS)


CHANGED = DEALS | {"1": Deal("1", ssp_name="Magnite")}
WITHOUT_ONE = {deal_id: deal for deal_id, deal in DEALS.items() if deal_id != "1"}


def newer(package, deals, *, changed=(), gone=()):
    return with_newer_deals(package, changed, gone, DEALS, deals, "Eve")


@pytest.mark.parametrize(
    ("deals", "delta", "kept"),
    [(CHANGED, {"changed": ("1",)}, ("1", "2")), (WITHOUT_ONE, {"gone": ("1",)}, ("2",))],
)
def test_approved_package_of_changed_deals_is_pending_and_says_which_and_who_approved(deals, delta, kept):
    approved = edited(PACKAGE, Approve(), who="Ada")
    amber = newer(approved, deals, **delta)
    assert (amber.status, amber.changed, amber.deal_ids) == ("pending", ("1",), kept)
    assert (amber.decided_by, amber.decided_at) == ("Ada", approved.decided_at)
    assert (amber.version, amber.approved_content) == (3, None)
    renamed = edited(amber, Rename("Other"), who="Bob", deals=deals)
    assert (renamed.changed, renamed.decided_by) == (("1",), "Ada"), "an edit decides nothing"
    for decision, status in ((Approve(), "approved"), (Reject(), "rejected")):
        decided = edited(amber, decision, who="Bob", deals=deals)
        assert (decided.status, decided.changed, decided.decided_by) == (status, (), "Bob")


def test_changed_deals_of_one_newer_file_after_another_add_up():
    amber = newer(edited(PACKAGE, Approve()), CHANGED, changed=("1",))
    assert newer(amber, CHANGED, changed=("2", "1")).changed == ("1", "2")


def test_package_that_was_not_approved_is_only_opened_by_a_newer_file():
    rejected = edited(PACKAGE, Reject())
    after = newer(rejected, CHANGED, changed=("1",))
    assert (after.status, after.changed, after.decided_by, after.version) == ("pending", (), None, 3)


def test_package_of_gone_deals_alone_is_rejected_and_still_names_them():
    after = newer(edited(PACKAGE, Approve()), {}, gone=("1", "2"))
    assert (after.status, after.deal_ids, after.decided_by) == ("rejected", ("1", "2"), "Eve")


def test_newer_file_leaves_a_package_of_other_deals_alone():
    approved = edited(PACKAGE, Approve())
    assert newer(approved, CHANGED, changed=("3",), gone=("4",)) is approved


# --- locks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        Rename("Other"),
        SetReasoning("x"),
        AddDeals(("3",)),
        RemoveDeals(("1",)),
        Approve(),
        Reject(),
        Reopen(),
    ],
)
def test_locked_package_refuses_every_edit_until_it_is_unlocked(edit):
    locked = edited(PACKAGE, Lock())
    with pytest.raises(PackageError, match="'Sports Package' is locked: unlock it"):
        edited(locked, edit)
    assert edited(locked, Unlock(), edit).locked is False


def test_lock_keeps_the_decision_and_says_nothing_twice():
    approved = edited(PACKAGE, Approve())
    locked = edited(approved, Lock())
    assert locked == replace(approved, locked=True, version=3)
    assert edited(locked, Lock()) is locked
    assert edited(approved, Unlock()) is approved


def test_newer_file_changes_a_locked_package_too():
    amber = newer(edited(PACKAGE, Approve(), Lock()), CHANGED, changed=("1",))
    assert (amber.status, amber.locked, amber.changed) == ("pending", True, ("1",))


# --- any sequence -----------------------------------------------------------------------------

some_ids = st.lists(st.sampled_from([*sorted(KNOWN), "99"]), max_size=3).map(tuple)
some_text = st.sampled_from(["", " ", "Sports Package", "Other", "n" * 300])
edits = st.one_of(
    st.builds(Rename, some_text),
    st.builds(SetReasoning, some_text),
    st.builds(AddDeals, some_ids),
    st.builds(RemoveDeals, some_ids),
    st.sampled_from([Approve(), Approve("Seen."), Reject(), Reopen(), Lock(), Unlock()]),
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
