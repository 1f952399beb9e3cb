"""Commands over several packages: what each does, and the way back and forth through any of them."""

from dataclasses import replace
from datetime import date
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clustering import Cluster, Clustering, ClusteringSettings, LeftOver
from core.coverage import count_states, deal_states, open_proposals, reconcile
from core.deals import Commercial, Deal, Safety
from core.errors import PackageError
from core.packages import (
    AddDeals,
    Approve,
    Duplicate,
    EditPackages,
    Lock,
    MakePackage,
    Merge,
    MoveDeals,
    Package,
    Reject,
    RemoveDeals,
    Rename,
    Reopen,
    Review,
    SetReasoning,
    Split,
    Unlock,
    perform,
    redo,
    replay,
    undo,
)
from core.packages.history import Change
from core.proposals import Outcome, Proposal, Unpackaged
from core.wording.findings import CheckRules, OverlapPolicy
from core.wording.generated_text import counted_reasoning

RULES = CheckRules(date(2026, 3, 1), overlap=OverlapPolicy("allow"))
SSPS = ("Magnite", "OpenX", None)
DEALS = {
    f"d{n}": Deal(
        f"d{n}",
        ssp_name=SSPS[n % 3],
        currency=("USD", "EUR")[n % 2],
        formats=(("video",), ("video", "display"), ())[n % 3],
        devices=(("ctv",), ("phone", "tablet"))[n % 2],
        geos=(("US", "CA"), ("CA", "US"), ())[n % 3],
        safety=Safety("Low", family_safe=(True, None, False)[n % 3]),
        commercial=Commercial("Premium"),
    )
    for n in range(12)
}
A = Package("a", "Alpha", ("d0", "d1", "d2", "d3"), "Sports.", "gemini", cluster_id="c")
B = Package("b", "Beta", ("d3", "d4", "d5"), "News.", "Rules (no AI)", cluster_id="c")
C = Package("c", "Gamma", ("d6",), "", "Analyst", edited=True)
START = Review((A, B, C))


def done(command, review=START, who="Ada", rules=RULES):
    ids = (f"new-{number}" for number in count(1))
    return perform(review, command, DEALS, who, rules, new_id=lambda: next(ids))


def after(command, review=START):
    return {package.id: package for package in done(command, review)[0].packages}


def with_package(package, review=START):
    return replace(
        review, packages=tuple(package if item.id == package.id else item for item in review.packages)
    )


# --- each command -----------------------------------------------------------------------------


def test_edits_of_several_packages_are_all_made_or_none():
    review, changes = done(EditPackages(("a", "b"), (AddDeals(("d6",)), Approve())))
    assert [(package.status, package.version) for package in review.packages] == [
        ("approved", 3),
        ("approved", 3),
        ("pending", 1),
    ]
    assert [(change.package_id, change.what) for change in changes] == [
        ("a", "Add d6"),
        ("a", "Approve"),
        ("b", "Add d6"),
        ("b", "Approve"),
    ]
    with pytest.raises(PackageError, match="does not hold d5"):
        done(EditPackages(("b", "a"), (RemoveDeals(("d5",)),)))


def test_package_by_hand_says_of_each_deal_that_an_analyst_put_it_there():
    made = after(MakePackage("  My  package", ("d7", "d8", "d7"), " Because. "))["new-1"]
    assert (made.name, made.deal_ids, made.reasoning) == ("My package", ("d7", "d8"), "Because.")
    assert (made.source, made.edited, made.status, made.version) == ("Analyst", True, "pending", 1)
    assert made.by_hand == dict.fromkeys(("d7", "d8"), "Put into a package by Ada.")


def test_moved_deals_leave_one_package_and_come_into_another_with_their_history():
    packages = after(MoveDeals("a", "b", ("d3", "d1")))
    assert packages["a"].deal_ids == ("d0", "d2")
    assert packages["b"].deal_ids == ("d3", "d4", "d5", "d1")
    assert packages["b"].by_hand == {"d1": "Moved from 'Alpha' by Ada."}, "d3 was proposed for both"


def test_decisions_do_not_hold_for_packages_that_deals_were_moved_between():
    review, _ = done(EditPackages(("a", "b"), (Approve(),)))
    assert {package.status for package in done(MoveDeals("a", "b", ("d1",)), review)[0].packages} == {
        "pending"
    }


def test_merged_packages_become_the_first_with_all_their_deals_and_reasons():
    packages = after(Merge(("b", "a"), "All"))
    assert list(packages) == ["b", "c"]
    merged = packages["b"]
    assert (merged.name, merged.deal_ids) == ("All", ("d3", "d4", "d5", "d0", "d1", "d2"))
    assert (merged.reasoning, merged.source) == ("News.\n\nSports.", "Rules (no AI) and gemini")
    assert merged.by_hand == dict.fromkeys(("d0", "d1", "d2"), "Merged from 'Alpha' by Ada.")
    assert (merged.status, merged.version, merged.edited) == ("pending", 2, True)


def test_reasons_that_only_count_deals_count_those_of_the_merged_package():
    counted = [
        replace(item, reasoning=counted_reasoning([DEALS[one] for one in item.deal_ids])) for item in (A, B)
    ]
    merged = after(Merge(("a", "b"), "All"), Review(tuple(counted)))["a"]
    assert merged.reasoning == counted_reasoning([DEALS[one] for one in merged.deal_ids])


@pytest.mark.parametrize(
    ("by", "parts"),
    [
        ("ssp", {"Magnite": "03", "OpenX": "1", "SSP unknown": "2"}),
        ("currency", {"USD": "02", "EUR": "13"}),
        ("device", {"ctv": "02", "phone, tablet": "13"}),
        ("geo", {"CA, US": "013", "geo unknown": "2"}),
        ("format", {"video": "03", "display, video": "1", "format unknown": "2"}),
    ],
)
def test_split_puts_deals_of_one_value_together_and_loses_none(by, parts):
    packages = list(after(Split("a", by=by)).values())
    made = [package for package in packages if package.id == "a" or package.id.startswith("new")]
    assert {package.name: package.deal_ids for package in made} == {
        f"Alpha ({label})": tuple(f"d{n}" for n in numbers) for label, numbers in parts.items()
    }
    assert all(package.status == "pending" and package.edited for package in made)
    assert set(made[1].by_hand.values()) == {"Split from 'Alpha' by Ada."}


@pytest.mark.parametrize(
    ("parts", "kept", "made"),
    [
        ((("d1",),), "023", ["1"]),
        ((("d0", "d2"), ("d3", "d1")), "02", ["13"]),
        ((("d3",), ("d0",)), "12", ["3", "0"]),
    ],
)
def test_split_by_given_parts_leaves_the_rest_where_it_is(parts, kept, made):
    packages = after(Split("a", parts=parts))
    assert "".join(packages["a"].deal_ids) == "".join(f"d{n}" for n in kept)
    assert packages["a"].name == "Alpha"
    new = [package for package_id, package in packages.items() if package_id.startswith("new")]
    assert [package.deal_ids for package in new] == [tuple(f"d{n}" for n in part) for part in made]
    assert [package.name for package in new] == [f"Alpha ({n})" for n in range(2, 2 + len(made))]


def test_copy_is_pending_and_open_whatever_the_package_is():
    locked, _ = done(EditPackages(("a",), (AddDeals(("d7",)), Approve(), Lock())))
    copy = after(Duplicate("a"), locked)["new-1"]
    original = locked.found("a")[1]
    assert (copy.name, copy.deal_ids, copy.by_hand) == ("Alpha (copy)", original.deal_ids, original.by_hand)
    assert (copy.status, copy.locked, copy.version, copy.decided_by) == ("pending", False, 1, None)
    assert (copy.approved_content, copy.edited) == (None, True)


LONG = replace(A, name="n" * 255)


@pytest.mark.parametrize("command", [Duplicate("a"), Split("a", by="ssp"), Split("a", parts=(("d1",),))])
def test_names_that_are_made_stay_within_the_limit(command):
    names = [package.name for package in after(command, with_package(LONG)).values()]
    assert max(map(len, names)) == 255
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (EditPackages(("gone",), (Reject(),)), "not there any more"),
        (MakePackage(" ", ("d1",)), "needs a name"),
        (MakePackage("\u200b", ("d1",)), "needs a name"),
        (MakePackage("Mine", ()), "at least one deal"),
        (MakePackage("Mine", ("d1", "99")), "id 99"),
        (MoveDeals("a", "gone", ("d1",)), "not there any more"),
        (MoveDeals("a", "a", ("d1",)), "in 'Alpha' already"),
        (MoveDeals("a", "b", ()), "No deal to move"),
        (MoveDeals("a", "b", ("d5",)), "does not hold d5"),
        (MoveDeals("c", "b", ("d6",)), "would hold no deal: merge it with 'Beta'"),
        (Merge(("a",), "All"), "two packages"),
        (Merge(("a", "a"), "All"), "two packages"),
        (Merge(("a", "b"), " "), "needs a name"),
        (Split("c", by="ssp"), "have the same SSP"),
        (Split("a", parts=()), "stay together"),
        (Split("a", parts=(("d0", "d1", "d2", "d3"),)), "stay together"),
        (Split("a", parts=(("d0",), ("d0", "d1"))), "d0 is in two parts"),
        (Split("a", parts=(("d5",),)), "does not hold d5"),
        (Duplicate("gone"), "not there any more"),
    ],
)
def test_command_against_the_rules_is_refused_and_says_what_to_do(command, sentence):
    with pytest.raises(PackageError, match=sentence) as caught:
        done(command)
    assert isinstance(command, MakePackage) or ":" in str(caught.value), "the remedy stands behind a colon"


@pytest.mark.parametrize(
    "command",
    [
        EditPackages(("a",), (Rename("Other"),)),
        MoveDeals("a", "b", ("d1",)),
        MoveDeals("b", "a", ("d4",)),
        Merge(("b", "a"), "All"),
        Merge(("a", "b"), "All"),
        Split("a", by="ssp"),
    ],
)
def test_locked_package_takes_part_in_no_command_that_changes_it(command):
    with pytest.raises(PackageError, match="'Alpha' is locked"):
        done(command, with_package(replace(A, locked=True)))


NAMES = {"a": "Alpha", "b": "Beta", "c": "Gamma", "d": "Delta"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (EditPackages(("a",), (Rename("B"), Approve())), "Rename to 'B', approve ('Alpha')"),
        (EditPackages(("a", "b"), (Reject(),)), "Reject (2 packages)"),
        (MakePackage("Mine ", ("d1",)), "Make 'Mine' by hand"),
        (MoveDeals("a", "b", ("d1", "d2", "d3")), "Move 3 deals from 'Alpha' to 'Beta'"),
        (MoveDeals("a", "b", ("d1",)), "Move 1 deal from 'Alpha' to 'Beta'"),
        (Merge(("a", "b"), "All"), "Merge 'Alpha' and 'Beta' into 'All'"),
        (Merge(("a", "b", "c", "d"), "All"), "Merge 'Alpha' and 'Beta' and 2 more into 'All'"),
        (Split("a", by="ssp"), "Split 'Alpha' by SSP"),
        (Split("a", parts=(("d1", "d2"),)), "Split 'Alpha' off 2 deals"),
        (Duplicate("a"), "Duplicate 'Alpha'"),
    ],
)
def test_every_command_says_in_words_what_it_does(command, words):
    assert command.words(NAMES) == words
    assert str(command) == command.words({})


def test_command_that_changes_nothing_makes_no_change():
    assert done(EditPackages(("a",), (Rename("Alpha"), Reopen(), Unlock()))) == (START, ())


# --- back and forth ---------------------------------------------------------------------------


def content(review: Review) -> list[tuple[int, Package]]:
    """Return the packages with their places, without the versions."""
    return [
        (place, replace(package, version=0))
        for place, package in zip(review.places, review.packages, strict=True)
    ]


@pytest.mark.parametrize(
    "command",
    [
        EditPackages(("a", "b"), (Rename("Same"), Approve("Seen."), Lock())),
        MakePackage("Mine", ("d7",)),
        MoveDeals("a", "b", ("d1",)),
        Merge(("b", "a", "c"), "All"),
        Split("a", by="ssp"),
        Duplicate("a"),
    ],
)
def test_undone_command_leaves_the_content_before_it_in_newer_versions(command):
    there, changes = done(command)
    back, undone = undo(there, changes)
    again, redone = redo(back, changes)
    assert content(back) == content(START)
    assert content(again) == content(there)
    assert replay((*changes, *undone, *redone), START) == again
    seen = {package.id: package.version for package in START.packages}
    for change in (*changes, *undone, *redone):
        if change.after:
            assert change.after.version > seen.get(change.package_id, 0)
            seen[change.package_id] = change.after.version


@pytest.mark.parametrize("turn", [undo, redo])
def test_step_whose_package_was_changed_by_something_else_is_refused(turn):
    there, changes = done(MoveDeals("a", "b", ("d1",)))
    before = there if turn is undo else START
    other = with_package(replace(before.found("b")[1], name="Else"), before)
    with pytest.raises(PackageError, match=r"'Else' was changed since by something else.*: change it"):
        turn(other, changes)


def test_replay_begins_with_nothing_and_keeps_the_places():
    made = [Change(item.id, None, item, place) for place, item in ((7, A), (2, B))]
    review = replay([*made, Change("a", A, None, 7)])
    assert (review.packages, review.places, review.end) == ((B,), (2,), 8)
    assert review.retired == {"a": 1}


# --- any sequence -----------------------------------------------------------------------------

CLUSTERING = Clustering(
    (Cluster("c", tuple(range(10)), (1.0,) * 10),),
    (LeftOver(10, "Far."), LeftOver(11, "Far.")),
    ClusteringSettings(),
)
OUTCOMES = {
    "c": Outcome(
        "c",
        tuple(f"d{n}" for n in range(10)),
        "done",
        "gemini",
        proposals=tuple(Proposal(item.name, item.deal_ids, item.reasoning) for item in (A, B)),
        unpackaged=(
            Unpackaged("d6", "Small.", proposed="Small"),
            Unpackaged("d7", "Small.", proposed="Small"),
            Unpackaged("d8", "No.", omitted=True),
            Unpackaged("d9", "No."),
        ),
    )
}

places = st.integers(0, 5)
some_deals = st.lists(st.sampled_from([*DEALS, "99"]), max_size=4).map(tuple)
some_names = st.sampled_from(["", "Alpha", "Family-Safe Package", "Premium Package", "n" * 255])
some_edits = st.one_of(
    st.builds(Rename, some_names),
    st.builds(SetReasoning, some_names),
    st.builds(AddDeals, some_deals),
    st.builds(RemoveDeals, some_deals),
    st.sampled_from([Approve(), Approve("Seen."), Reject(), Reopen(), Lock(), Unlock(), Unlock()]),
)


moves = st.one_of(
    st.tuples(st.just("edit"), st.lists(places, min_size=1, max_size=3), st.lists(some_edits, max_size=2)),
    st.tuples(st.just("make"), some_names, some_deals),
    st.tuples(st.just("move"), places, places, st.sets(places, max_size=2)),
    st.tuples(st.just("merge"), st.lists(places, min_size=1, max_size=3), some_names),
    st.tuples(st.just("split"), places, st.sampled_from(["ssp", "currency", "device", "geo", "format"])),
    st.tuples(st.just("cut"), places, st.sets(places, max_size=2)),
    st.tuples(st.just("copy"), places),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def sequences(size):
    """Draw moves; each is a function of the packages that stand then, or one of the words undo and redo."""
    return st.lists(moves, min_size=size, max_size=size)


def command_of(move, review):  # noqa: PLR0911  (a return for each kind of move)
    """Return the command of a move about the packages that stand, None without any to do it with."""
    kind, *arguments = move
    packages = review.packages
    if kind == "make":
        return MakePackage(*arguments)
    if not packages:
        return None

    def chosen(place):
        return packages[place % len(packages)]

    if kind == "edit":
        ids = tuple(dict.fromkeys(chosen(place).id for place in arguments[0]))
        return EditPackages(ids, tuple(arguments[1]))
    if kind == "merge":
        return Merge(tuple(chosen(place).id for place in arguments[0]), arguments[1])
    first = chosen(arguments[0])
    if kind == "split":
        return Split(first.id, by=arguments[1])
    if kind == "copy":
        return Duplicate(first.id)
    held = tuple(first.deal_ids[place % len(first.deal_ids)] for place in arguments[-1])
    deal_ids = tuple(dict.fromkeys(held))
    if kind == "cut":
        return Split(first.id, parts=(deal_ids,))
    return MoveDeals(first.id, chosen(arguments[1]).id, deal_ids)


class Desk:
    """Carries moves out as the workspace does: steps that are undone newest first, and made again."""

    def __init__(self) -> None:
        self.review, self.trail = START, []
        self.done, self.undone = [], []

    def move(self, move) -> None:
        if move[0] == "undo":
            if self.done:
                self.turn(undo, self.done, self.undone)
        elif move[0] == "redo":
            if self.undone:
                self.turn(redo, self.undone, self.done)
        elif (command := command_of(move, self.review)) is not None:
            self.perform(command)

    def perform(self, command) -> None:
        try:
            self.review, changes = perform(self.review, command, DEALS, "Ada", RULES)
        except PackageError:
            return
        if changes:
            self.done.append(changes)
            self.undone.clear()
            self.trail += changes

    def turn(self, turn, source, target) -> None:
        self.review, changes = turn(self.review, source[-1])
        target.append(source.pop())
        self.trail += changes


def assert_sound(review: Review) -> None:
    """Check what must hold for the packages of a run, whatever was done to them."""
    assert len({package.id for package in review.packages}) == len(review.packages)
    for package in review.packages:
        assert len(set(package.deal_ids)) == len(package.deal_ids) >= 1
        assert set(package.deal_ids) <= set(DEALS)
        assert set(package.by_hand) <= set(package.deal_ids)
        assert 0 < len(package.name) <= 255
        assert (package.approved_content is not None) == (package.status == "approved")
        assert package.status != "approved" or package.approval_holds(DEALS)
    deals = list(DEALS.values())
    states = deal_states(deals, CLUSTERING, OUTCOMES, review.packages)
    assert sum(count_states(states).values()) == len(deals) == len({item.deal_id for item in states})
    unmade = open_proposals(deals, CLUSTERING, OUTCOMES, review.packages)
    assert reconcile(review.packages, deals, unmade).balanced


@settings(max_examples=15, deadline=None)
@given(sequences(200))
def test_any_200_commands_keep_the_sums_and_can_be_taken_back_and_made_again(moves):
    desk = Desk()
    for move in moves:
        desk.move(move)
        assert_sound(desk.review)
    while desk.undone:
        desk.turn(redo, desk.undone, desk.done)
    end = content(desk.review)
    while desk.done:
        desk.turn(undo, desk.done, desk.undone)
    assert content(desk.review) == content(START)
    while desk.undone:
        desk.turn(redo, desk.undone, desk.done)
    assert content(desk.review) == end
    beginnings = [Change(item.id, None, item, place) for place, item in enumerate(START.packages)]
    assert replay([*beginnings, *desk.trail]) == desk.review
