"""Edits of clusterings: what each changes, what it links for the next run, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clustering import cluster_deals
from core.clustering.cluster import Cluster, Clustering, ClusteringSettings, LeftOver, Links
from core.clustering.edits import AttachDeals, ExcludeDeals, MoveDeals, NewCluster, apply_cluster_edit
from core.clustering.identity import cluster_id
from core.clustering.links import components_of
from core.errors import ClusteringError
from tests.clustering import plant

NAMES = [f"d{number}" for number in range(10)]
# Three directions; d1, d4 and d7 are the middle of their cluster.
ANGLES = np.radians([0, 2, 5, 60, 62, 65, 120, 122, 125, 64])
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
DEALS = [
    {"deal_id": name, "side": "right" if angle < 1 else "left"}
    for name, angle in zip(NAMES, ANGLES, strict=True)
]
SETTINGS = ClusteringSettings(max_deals=4, min_size=2)


def cluster(*members, extra=()):
    indices = tuple(sorted([*members, *extra]))
    strengths = tuple(0.4 if index in extra else 1.0 for index in indices)
    return Cluster(cluster_id([NAMES[index] for index in indices]), indices, strengths)


def clustering(*clusters, left_over=(9,), **changes):
    left = tuple(LeftOver(index, "Its group is small.") for index in left_over)
    return Clustering(clusters, left, changes.pop("settings", SETTINGS), {"deals": 10}, **changes)


BASE = clustering(cluster(0, 1, 2), cluster(3, 4, 5), cluster(6, 7, 8))
FIRST, SECOND, THIRD = (item.id for item in BASE.clusters)


def edited(before, *edits, deals=DEALS):
    for edit in edits:
        before = apply_cluster_edit(before, deals, VECTORS, edit)
    return before


def members(after):
    return [item.members for item in after.clusters]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (MoveDeals(("a", "b", "c"), "x"), "Move 3 deals to another cluster"),
        (MoveDeals(("a", "a"), "x"), "Move 1 deal to another cluster"),
        (NewCluster(("a", "b")), "Form a new cluster of 2 deals"),
        (ExcludeDeals(("a",)), "Exclude 1 deal"),
        (AttachDeals(("a", "b")), "Attach 2 deals to the nearest cluster"),
    ],
)
def test_every_edit_says_in_words_what_it_does(edit, words):
    assert str(edit) == words


# --- where the deals go -----------------------------------------------------------------------


def test_moved_deals_leave_their_cluster_and_the_largest_comes_first():
    after = edited(BASE, MoveDeals(("d3",), FIRST))
    assert members(after) == [(0, 1, 2, 3), (6, 7, 8), (4, 5)]
    assert after.clusters[0].strengths == (1, 1, 1, 1)
    assert after.clusters[0] == cluster(0, 1, 2, 3)
    assert after.clusters[1] == BASE.clusters[2]
    assert after.clusters[2].id == cluster(4, 5).id


def test_a_left_over_deal_can_be_moved():
    after = edited(BASE, MoveDeals(("d9",), THIRD))
    assert (members(after)[0], after.left_over) == ((6, 7, 8, 9), ())


def test_an_emptied_cluster_disappears():
    before = clustering(cluster(0, 1, 2), cluster(3, extra=(1,)), left_over=(4, 5, 6, 7, 8, 9))
    after = edited(before, MoveDeals(("d3",), before.clusters[0].id))
    assert after.clusters == (cluster(0, 1, 2, 3),)


def test_further_memberships_stay_except_in_the_cluster_a_deal_moves_to():
    before = clustering(cluster(0, 1, 2), cluster(3, 4, 5, extra=(0,)), cluster(6, 7, 8, extra=(0,)))
    after = edited(before, MoveDeals(("d0",), before.clusters[1].id))
    held = {item.members: item.strengths for item in after.clusters}
    assert held == {(0, 3, 4, 5): (1, 1, 1, 1), (0, 6, 7, 8): (0.4, 1, 1, 1), (1, 2): (1, 1)}
    assert {item.id for item in before.clusters[1:]} <= {item.id for item in after.clusters}


def test_moving_a_deal_where_it_is_changes_nothing():
    assert edited(BASE, MoveDeals(("d0", "d1"), FIRST)) is BASE


def test_a_new_cluster_may_be_of_any_size():
    assert members(edited(BASE, NewCluster(("d9",)))) == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9,)]
    assert members(edited(BASE, NewCluster(("d5", "d8", "d2")))) == [(2, 5, 8), (0, 1), (3, 4), (6, 7)]


def test_excluded_deals_leave_every_cluster_and_are_listed():
    before = clustering(cluster(0, 1, 2), cluster(3, 4, 5, extra=(0,)), cluster(6, 7, 8))
    after = edited(before, ExcludeDeals(("d0", "d9")))
    assert members(after) == [(3, 4, 5), (6, 7, 8), (1, 2)]
    assert [(item.index, item.reason) for item in after.left_over] == [
        (0, "Excluded by the analyst."),
        (9, "Excluded by the analyst."),
    ]
    assert edited(after, ExcludeDeals(("d9",))) is after


def test_attached_deals_join_the_nearest_cluster_with_room():
    after = edited(BASE, AttachDeals(("d9",)))
    assert (members(after)[0], after.left_over) == ((3, 4, 5, 9), ())
    full = clustering(cluster(0, 1, 2), cluster(3, 4, 5, extra=(0,)), cluster(6, 7, 8))
    assert members(edited(full, AttachDeals(("d9",))))[:2] == [(0, 3, 4, 5), (6, 7, 8, 9)]


def test_attached_deals_without_a_place_stay_left_over():
    before = clustering(cluster(0, 1, 2), left_over=(3, 4, 5, 6, 7, 8, 9))
    after = edited(before, AttachDeals(("d3", "d4")))
    assert (members(after), len(after.left_over)) == ([(0, 1, 2, 3)], 6)


def test_moved_deals_are_no_novelties_any_more():
    after = edited(replace(BASE, novel=(0, 8)), MoveDeals(("d0",), SECOND))
    assert after.novel == (8,)


def test_two_clusters_of_the_same_deals_have_different_ids():
    before = clustering(cluster(1, extra=(0,)), cluster(0, 2, extra=(1,)), left_over=tuple(range(3, 10)))
    after = edited(before, ExcludeDeals(("d2",)))
    assert members(after) == [(0, 1), (0, 1)]
    assert len({item.id for item in after.clusters}) == 2


# --- what the next run keeps ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edits", "links"),
    [
        ([MoveDeals(("d3",), FIRST)], Links((("d3", "d1"),), (("d3", "d4"),))),
        ([MoveDeals(("d9",), FIRST)], Links((("d9", "d1"),))),
        ([NewCluster(("d0", "d3", "d9"))], Links((("d0", "d3"), ("d3", "d9")), (("d0", "d1"), ("d3", "d4")))),
        ([NewCluster(("d0", "d1", "d2"))], Links((("d0", "d1"), ("d1", "d2")))),
        ([ExcludeDeals(("d0",))], Links(excluded=("d0",))),
        ([AttachDeals(("d9",))], Links((("d9", "d4"),))),
        ([ExcludeDeals(("d9",)), MoveDeals(("d9",), FIRST)], Links((("d9", "d1"),))),
        ([ExcludeDeals(("d9",)), AttachDeals(("d9",))], Links((("d9", "d4"),))),
        ([MoveDeals(("d3",), FIRST), ExcludeDeals(("d3",))], Links(excluded=("d3",))),
        ([MoveDeals(("d3",), FIRST), MoveDeals(("d3",), THIRD)], Links((("d3", "d7"),), (("d3", "d1"),))),
        # The deal in the middle of a chain leaves: the others stay linked.
        (
            [NewCluster(("d0", "d3", "d9")), MoveDeals(("d3",), THIRD)],
            Links((("d0", "d9"), ("d3", "d7")), (("d0", "d1"), ("d3", "d0"))),
        ),
    ],
)
def test_edits_become_links_and_later_ones_replace_earlier_ones(edits, links):
    before = BASE
    for edit in edits:
        # The id of a cluster changes with its members, so it is looked up by a deal that stays.
        if isinstance(edit, MoveDeals):
            stays = {FIRST: 1, SECOND: 4, THIRD: 7}[edit.cluster_id]
            now = next(item.id for item in before.clusters if stays in item.members)
            edit = replace(edit, cluster_id=now)  # noqa: PLW2901
        before = edited(before, edit)
    assert set(before.links.apart) == set(links.apart)
    assert (before.links.together, before.links.excluded) == (links.together, links.excluded)


def test_the_next_run_keeps_what_the_analyst_did():
    planted = plant([20, 20, 20], seed=3)
    asked = ClusteringSettings(max_deals=25, small_clusters="attach")
    before = cluster_deals(planted.deals, planted.vectors, asked)
    names = [deal["deal_id"] for deal in planted.deals]
    moved, out = [names[item.members[0]] for item in before.clusters[:2]]
    after = before
    for edit in (MoveDeals((moved,), before.clusters[2].id), ExcludeDeals((out,))):
        after = apply_cluster_edit(after, planted.deals, planted.vectors, edit)
    again = cluster_deals(planted.deals, planted.vectors, asked, links=after.links)
    home = {names[index]: place for index, place in again.own_cluster().items()}
    (_, joined), (_, left) = after.links.together[0], after.links.apart[0]
    assert home[moved] == home[joined] != home[left]
    assert [(names[item.index], item.reason) for item in again.left_over] == [
        (out, "Excluded by the analyst.")
    ]


def test_attach_keeps_to_deals_that_must_stay_apart():
    before = replace(BASE, links=Links(apart=(("d9", "d3"),)))
    after = edited(before, AttachDeals(("d9",)))
    assert members(after)[0] == (6, 7, 8, 9)
    assert after.links == Links((("d9", "d7"),), (("d9", "d3"),))


def test_no_deal_is_kept_apart_from_one_that_belongs_to_its_new_cluster_too():
    before = clustering(
        cluster(0, 1, 2), cluster(3, 4, 5, extra=(1,)), settings=replace(SETTINGS, max_deals=5)
    )
    assert edited(before, MoveDeals(("d0",), before.clusters[1].id)).links.apart == (("d0", "d2"),)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (MoveDeals((), FIRST), "select at least one"),
        (MoveDeals(("d0", "x1", "x2"), FIRST), "id x1, x2: reload"),
        (MoveDeals(("d0",), "gone"), "id gone: .*reload"),
        (MoveDeals(("d3", "d4"), FIRST), "5 deals, but the largest size is 4"),
        (NewCluster(("d0", "d3", "d4", "d6", "d9")), "5 deals, but the largest size is 4"),
        (NewCluster(("x1",)), "id x1: reload"),
        (ExcludeDeals(("x1",)), "id x1: reload"),
        (AttachDeals(("d9", "d3")), "^d3 has a cluster already: move it instead"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_in_one_sentence(edit, sentence):
    with pytest.raises(ClusteringError, match=sentence) as refused:
        edited(BASE, edit)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("clusters", [(), (cluster(0, 1, 2, 3),)])
def test_attach_without_any_room_is_refused(clusters):
    with pytest.raises(ClusteringError, match="full at 4 deals"):
        edited(clustering(*clusters), AttachDeals(("d9",)))


SIDES = replace(SETTINGS, keep_apart=("side",))


@pytest.mark.parametrize(
    ("edit", "pair"), [(MoveDeals(("d4",), FIRST), "d0 and d4"), (NewCluster(("d2", "d3")), "d2 and d3")]
)
def test_deals_that_a_rule_keeps_apart_are_not_mixed(edit, pair):
    with pytest.raises(ClusteringError, match=f"^{pair} differ in side"):
        edited(replace(BASE, settings=SIDES), edit)


def test_attach_keeps_to_the_rules():
    left = [*DEALS[:9], {"deal_id": "d9", "side": "right"}]
    after = edited(replace(BASE, settings=SIDES), AttachDeals(("d9",)), deals=left)
    assert members(after)[0] == (0, 1, 2, 9)


# --- any sequence of edits --------------------------------------------------------------------


def random_edit(before, rng):
    chosen = tuple(rng.choice(NAMES, size=rng.integers(1, 4), replace=False).tolist())
    ids = [item.id for item in before.clusters] or ["none"]
    edits = [
        MoveDeals(chosen, str(rng.choice(ids))),
        NewCluster(chosen),
        ExcludeDeals(chosen),
        AttachDeals(chosen),
    ]
    return edits[rng.choice(4, p=[0.4, 0.25, 0.1, 0.25])]


@given(seed=st.integers(0, 100_000), keep_apart=st.sampled_from([(), ("side",)]))
@settings(max_examples=40, deadline=None)
def test_fifty_edits_leave_every_deal_once_and_links_that_can_be_kept(seed, keep_apart):
    rng = np.random.default_rng(seed)
    now = clustering(cluster(0, 1, 2), cluster(3, 4, 5, extra=(0,)), cluster(6, 7, 8, extra=(5,)))
    now = replace(now, settings=replace(SETTINGS, keep_apart=keep_apart))
    for _ in range(50):
        try:
            now = edited(now, random_edit(now, rng))
        except ClusteringError:
            continue
        own = [
            i for item in now.clusters for i, s in zip(item.members, item.strengths, strict=True) if s == 1
        ]
        assert sorted([*own, *(item.index for item in now.left_over)]) == list(range(10))
        assert len({item.id for item in now.clusters}) == len(now.clusters)
        assert all(len(item.members) <= 4 and 1 in item.strengths for item in now.clusters)
        links = components_of(now.links, NAMES, max_deals=4)
        home = now.own_cluster()
        assert all(len({home.get(row) for row in block}) == 1 for block in links.together)
        held = [set(item.members) for item in now.clusters]
        assert not any(
            one in home and other in held[home[one]]
            for pair in links.apart
            for one, other in (pair, pair[::-1])
        )
        assert not set(links.excluded) & set(home)
        if keep_apart:
            assert all(
                len({DEALS[i]["side"] for i in item.members if home[i] == place}) == 1
                for place, item in enumerate(now.clusters)
            )


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_deals_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    edit = random_edit(BASE, rng)
    order = rng.permutation(10)
    place_of = np.argsort(order)
    shuffled = replace(
        BASE,
        clusters=tuple(
            replace(item, members=tuple(sorted(place_of[list(item.members)].tolist())))
            for item in BASE.clusters
        ),
        left_over=tuple(replace(item, index=int(place_of[item.index])) for item in BASE.left_over),
    )
    try:
        expected = edited(BASE, edit)
    except ClusteringError:
        return
    deals = [DEALS[index] for index in order]
    after = apply_cluster_edit(shuffled, deals, VECTORS[order], edit)
    assert [item.id for item in after.clusters] == [item.id for item in expected.clusters]
    assert after.links == expected.links
