"""Where every deal stands: one state each, whatever happened to its clusters and packages."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clustering import Cluster, Clustering, ClusteringSettings, LeftOver
from core.coverage import (
    JOINED_LATER,
    STATE_WORDS,
    OpenProposal,
    Reconciliation,
    clusters_to_ask,
    count_states,
    deal_states,
    open_proposals,
    reconcile,
)
from core.deals import Deal
from core.packages import Package
from core.proposals import Outcome, Proposal, Unpackaged

DEALS = tuple(Deal(f"d{n}") for n in range(5))
FAR_AWAY = LeftOver(4, "It is like no other deal.")
CLUSTERING = Clustering(
    (Cluster("a", (0, 1, 2, 3), (1.0,) * 4),), (FAR_AWAY,), ClusteringSettings(min_size=2)
)
PACKAGE = Package("pkg-1", "Sports Package", ("d0", "d1", "d2"), "Sports.", "rules", cluster_id="a")
DONE = Outcome(
    "a",
    ("d0", "d1", "d2", "d3"),
    "done",
    "rules",
    proposals=(Proposal("Sports Package", ("d0", "d1", "d2"), "Sports."),),
    unpackaged=(Unpackaged("d3", "No sports."),),
)
FAILED = Outcome("a", DONE.deal_ids, "failed", "gemini", error="Gemini is in trouble.")
UNSENT = replace(FAILED, status="not_sent", error="Not sent: the run was cancelled.")


def states_of(clustering=CLUSTERING, outcome=DONE, packages=(PACKAGE,)):
    outcomes = {outcome.cluster_id: outcome} if outcome else {}
    return {item.deal_id: item for item in deal_states(DEALS, clustering, outcomes, packages)}


def words_of(states):
    return {deal_id: (item.state, item.reason) for deal_id, item in states.items()}


def test_before_clustering_every_deal_waits():
    states = states_of(clustering=None, outcome=None, packages=())
    assert {(item.state, item.reason) for item in states.values()} == {("not_sent", "Not clustered yet.")}


def test_after_proposing_each_deal_is_packaged_unpackaged_or_left_out():
    assert words_of(states_of()) == {
        "d0": ("packaged", "Sports Package"),
        "d1": ("packaged", "Sports Package"),
        "d2": ("packaged", "Sports Package"),
        "d3": ("excluded_by_model", "No sports."),
        "d4": ("left_out_by_filter", "It is like no other deal."),
    }


@pytest.mark.parametrize("asked", [FAILED, UNSENT])
def test_deals_of_a_cluster_that_rules_stand_in_for_stand_as_the_rules_left_them(asked):
    outcome = replace(asked, proposals=DONE.proposals, unpackaged=DONE.unpackaged, stand_in="Rules")
    assert words_of(states_of(outcome=outcome)) == words_of(states_of())
    assert states_of(outcome=outcome, packages=())["d0"].state == "removed_by_analyst"


def test_cluster_that_was_not_sent_is_asked_for_although_rules_stand_in():
    stood_in = {"proposals": DONE.proposals, "unpackaged": DONE.unpackaged, "stand_in": "Rules"}
    assert clusters_to_ask(DEALS, CLUSTERING, {"a": replace(UNSENT, **stood_in)}) == ("a",)
    assert clusters_to_ask(DEALS, CLUSTERING, {"a": replace(FAILED, **stood_in)}) == (), "it is retried"


def test_approved_packages_hold_their_deals_as_pending_ones_do():
    assert words_of(states_of(packages=[replace(PACKAGE, status="approved")])) == words_of(states_of())


def test_deals_of_a_rejected_package_count_as_taken_out_and_name_it():
    states = states_of(packages=[replace(PACKAGE, status="rejected")])
    assert states["d0"].state == "removed_by_analyst"
    assert "'Sports Package'" in states["d0"].reason


def test_deal_in_a_rejected_and_a_live_package_is_packaged():
    other = Package("pkg-2", "Other", ("d0", "d3", "d4"), "", "Analyst")
    states = states_of(packages=[replace(PACKAGE, status="rejected"), other])
    removed = "removed_by_analyst"
    assert [states[f"d{n}"].state for n in range(4)] == ["packaged", removed, removed, "packaged"]


def test_deal_taken_out_of_its_package_is_visible_as_taken_out():
    states = states_of(packages=[replace(PACKAGE, deal_ids=("d0", "d1", "d4"), edited=True)])
    assert words_of(states)["d2"] == ("removed_by_analyst", "Taken out of its package.")


def test_deal_taken_out_of_its_package_is_not_called_excluded_by_the_answer_about_another_cluster():
    overlapping = replace(
        CLUSTERING, clusters=(*CLUSTERING.clusters, Cluster("b", (2, 4), (0.5, 1.0))), left_over=()
    )
    other = Outcome(
        "b", ("d2", "d4"), "done", "x", unpackaged=(Unpackaged("d2", "No."), Unpackaged("d4", "No."))
    )
    packages = [replace(PACKAGE, deal_ids=("d0", "d1", "d3"), edited=True)]
    states = {
        item.deal_id: item.state
        for item in deal_states(DEALS, overlapping, {"a": DONE, "b": other}, packages)
    }
    assert (states["d2"], states["d4"]) == ("removed_by_analyst", "excluded_by_model")


# --- review -----------------------------------------------------------------------------------

SMALL = replace(PACKAGE, id="pkg-2", name="Small", deal_ids=("d3", "d4"))


@pytest.mark.parametrize(
    ("package", "state"),
    [
        (SMALL, "needs_review"),
        (replace(SMALL, deal_ids=("d3", "d4", "gone")), "needs_review"),
        (replace(SMALL, status="approved"), "packaged"),
        (replace(SMALL, status="rejected"), "removed_by_analyst"),
        (replace(SMALL, deal_ids=("d2", "d3", "d4")), "packaged"),
    ],
)
def test_deals_only_in_an_undecided_package_under_three_deals_need_review(package, state):
    states = states_of(packages=[PACKAGE, package])
    assert (states["d3"].state, states["d4"].state) == (state, state)
    assert states["d2"].state == "packaged"


PAIR = replace(
    DONE,
    proposals=(),
    unpackaged=(
        *(Unpackaged(f"d{n}", "In 'Pair', too small.", proposed="Pair") for n in (0, 1)),
        Unpackaged("d2", "Nobody said.", omitted=True),
        Unpackaged("d3", "No sports."),
    ),
)


def test_answer_tells_small_proposals_omitted_and_excluded_deals_apart():
    states = words_of(states_of(outcome=PAIR, packages=()))
    assert [states[f"d{n}"] for n in range(4)] == [
        ("needs_review", "In 'Pair', too small."),
        ("needs_review", "In 'Pair', too small."),
        ("omitted_by_model", "Nobody said."),
        ("excluded_by_model", "No sports."),
    ]


def test_deal_that_an_answer_forgot_altogether_is_omitted():
    states = states_of(outcome=replace(PAIR, unpackaged=PAIR.unpackaged[:3]), packages=())
    assert states["d3"].state == "omitted_by_model"


def test_rejected_package_settles_a_small_proposal():
    made = Package("pkg-3", "Pair", ("d0", "d1"), "", "Analyst", status="rejected")
    assert states_of(outcome=PAIR, packages=[made])["d0"].state == "removed_by_analyst"


@pytest.mark.parametrize(
    ("packages", "deal_ids"),
    [
        ((), ("d0", "d1")),
        ((Package("p", "P", ("d0",), "", "Analyst"),), ("d1",)),
        ((Package("p", "P", ("d0",), "", "Analyst", status="rejected"),), ("d1",)),
        ((Package("p", "P", ("d0", "d1"), "", "Analyst"),), None),
    ],
)
def test_small_proposals_are_offered_without_the_deals_that_packages_hold(packages, deal_ids):
    offered = open_proposals(DEALS, CLUSTERING, {"a": PAIR}, packages)
    wanted = (OpenProposal("a", "Pair", deal_ids, "In 'Pair', too small."),) if deal_ids else ()
    assert offered == wanted


def test_proposals_reconcile_with_what_became_of_them():
    packages = [
        PACKAGE,
        SMALL,
        replace(SMALL, id="pkg-3", status="approved"),
        replace(PACKAGE, id="pkg-4", status="rejected"),
        replace(PACKAGE, id="pkg-5", status="approved"),
    ]
    counts = reconcile(packages, DEALS, open_proposals(DEALS, CLUSTERING, {"a": PAIR}, ()))
    assert counts == Reconciliation(proposed=6, approved=2, rejected=1, pending=1, needs_review=2)
    assert counts.balanced
    assert not replace(counts, pending=0).balanced


def test_failed_cluster_gives_its_reason_to_each_of_its_deals():
    states = states_of(outcome=FAILED, packages=())
    assert {words_of(states)[f"d{n}"] for n in range(4)} == {("cluster_failed", "Gemini is in trouble.")}
    assert states["d4"].state == "left_out_by_filter"


def test_packages_from_before_keep_their_deals_when_a_retry_fails():
    states = states_of(outcome=FAILED)
    assert [states[f"d{n}"].state for n in range(4)] == ["packaged"] * 3 + ["cluster_failed"]


@pytest.mark.parametrize("outcome", [None, UNSENT])
def test_cluster_without_an_answer_is_not_proposed_yet(outcome):
    states = states_of(outcome=outcome, packages=())
    assert [states[f"d{n}"].state for n in range(5)] == ["not_sent"] * 4 + ["left_out_by_filter"]
    why = outcome.error if outcome else "Its cluster has not been proposed for yet."
    assert states["d0"].reason == why


def test_answer_for_a_cluster_of_an_older_clustering_says_nothing():
    stale = replace(DONE, cluster_id="gone")
    assert states_of(outcome=stale, packages=())["d3"].state == "not_sent"


JOINED = replace(
    CLUSTERING, clusters=(replace(CLUSTERING.clusters[0], members=(0, 1, 2, 3, 4), strengths=(1.0,) * 5),),
    left_over=(),
)  # fmt: skip


def test_deal_that_joined_an_answered_cluster_is_not_proposed_yet_and_says_so():
    states = states_of(clustering=JOINED)
    assert words_of(states)["d4"] == ("not_sent", JOINED_LATER)
    assert words_of(states)["d3"] == ("excluded_by_model", "No sports.")


def test_deal_that_joined_a_failed_cluster_did_not_fail():
    states = states_of(clustering=JOINED, outcome=FAILED, packages=())
    assert [states[f"d{n}"].state for n in range(5)] == ["cluster_failed"] * 4 + ["not_sent"]


@pytest.mark.parametrize("outcome", [DONE, replace(DONE, unpackaged=()), FAILED])
def test_deal_that_left_an_answered_cluster_is_where_it_is_now(outcome):
    left = replace(
        CLUSTERING,
        clusters=(Cluster("a", (0, 1, 2), (1.0,) * 3),),
        left_over=(LeftOver(3, "Excluded by the analyst."), FAR_AWAY),
    )
    assert words_of(states_of(clustering=left, outcome=outcome))["d3"] == (
        "left_out_by_filter",
        "Excluded by the analyst.",
    )


@pytest.mark.parametrize(
    ("clustering", "outcome", "asked"),
    [
        (CLUSTERING, None, ("a",)),
        (CLUSTERING, UNSENT, ("a",)),
        (CLUSTERING, DONE, ()),
        (CLUSTERING, FAILED, ()),
        (JOINED, DONE, ("a",)),
        (JOINED, FAILED, ()),
    ],
)
def test_clusters_to_ask_are_those_with_deals_nobody_was_asked_about(clustering, outcome, asked):
    assert clusters_to_ask(DEALS, clustering, {"a": outcome} if outcome else {}) == asked


def test_hand_made_package_takes_a_deal_from_outside_every_cluster():
    mine = Package("pkg-2", "Mine", ("d0", "d1", "d4"), "", "Analyst")
    assert states_of(packages=[mine])["d4"].state == "packaged"


def test_counts_come_in_the_order_of_deciding_without_empty_states():
    counts = count_states(states_of().values())
    assert list(counts.items()) == [
        ("packaged", 3),
        ("excluded_by_model", 1),
        ("left_out_by_filter", 1),
    ]
    assert set(counts) <= set(STATE_WORDS)


@st.composite
def situations(draw):
    """Draw deals, a clustering with overlaps, an outcome of any kind per cluster, and any packages."""
    deals = tuple(Deal(f"d{n}") for n in range(draw(st.integers(0, 10))))
    ids = [deal.deal_id for deal in deals]
    homes = [draw(st.sampled_from(["a", "b", None])) for _ in deals]
    guests = [draw(st.sampled_from(["a", "b", None, None])) for _ in deals]
    clusters, outcomes = [], {}
    for name in ("a", "b"):
        members = tuple(n for n in range(len(deals)) if homes[n] and name in (homes[n], guests[n]))
        clusters.append(Cluster(name, members, (1.0,) * len(members)))
        status = draw(st.sampled_from(["done", "failed", "not_sent", None]))
        inside = tuple(ids[n] for n in members)
        taken = tuple(deal_id for deal_id in inside if draw(st.booleans()))
        if status == "done":
            marks = st.sampled_from([{}, {"omitted": True}, {"proposed": "Small"}])
            rest = tuple(
                Unpackaged(deal_id, "No.", **draw(marks)) for deal_id in inside if deal_id not in taken
            )
            outcomes[name] = Outcome(name, inside, status, "x", (Proposal("P", taken, "W"),), rest)
        elif status:
            outcomes[name] = Outcome(name, inside, status, "x", error="E.")
    left = tuple(LeftOver(n, "Far.") for n in range(len(deals)) if homes[n] is None)
    clustering = Clustering(tuple(clusters), left, ClusteringSettings())
    packages = [
        Package(f"p{n}", "P", tuple(draw(st.sets(st.sampled_from(ids)))), "", "x", status=status)
        for n, status in enumerate(
            draw(st.lists(st.sampled_from(["pending", "approved", "rejected"]), max_size=3))
        )
        if ids
    ]
    return deals, draw(st.sampled_from([clustering, None])), outcomes, packages


@given(situations())
def test_every_deal_has_exactly_one_state_with_a_reason(situation):
    deals = situation[0]
    states = deal_states(*situation)
    assert [item.deal_id for item in states] == [deal.deal_id for deal in deals]
    assert sum(count_states(states).values()) == len(deals)
    assert all(item.reason and item.state in STATE_WORDS for item in states)
    unmade = open_proposals(*situation)
    assert reconcile(situation[3], deals, unmade).balanced
    packaged = {deal_id for package in situation[3] for deal_id in package.deal_ids}
    assert all(packaged.isdisjoint(item.deal_ids) for item in unmade)
