"""What the analyst linked ends together, what was kept apart ends apart, and the bounds hold."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clustering.cluster import Links
from core.clustering.links import RowLinks, check_strata, components_of, keep_links
from core.clustering.sizing import Bounds
from core.errors import ClusteringError

NAMES = ["a", "b", "c", "d", "e", "f"]


def points_of(*coordinates):
    return np.array(coordinates, dtype=float)[:, None]


def groups_of(*groups):
    return [np.array(group, dtype=np.intp) for group in groups]


def kept(points, groups, loose, bounds, links, strata=None):
    """The groups as lists, and the loose rows."""
    made, left = keep_links(points, groups, loose, bounds, links, strata)
    return [group.tolist() for group in made], left


# --- links as rows ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("links", "rows"),
    [
        (Links(), RowLinks()),
        (Links(together=(("a", "b"), ("c", "b"))), RowLinks(together=((0, 1, 2),))),
        (Links(together=(("a", "b"), ("e", "d"))), RowLinks(together=((0, 1), (3, 4)))),
        (Links(together=(("a", "b"), ("c", "d"), ("a", "d"))), RowLinks(together=((0, 1, 2, 3),))),
        (Links(together=(("a", "a"),)), RowLinks()),
        (Links(apart=(("c", "a"), ("a", "c"))), RowLinks(apart=((0, 2),))),
        (Links(together=(("a", "gone"),), apart=(("b", "gone"),)), RowLinks()),
        (Links(together=(("a", "gone"), ("gone", "b"))), RowLinks(together=((0, 1),))),
        (Links(together=(("a", "b"), ("b", "c")), excluded=("b",)), RowLinks(((0, 2),), (), (1,))),
        (Links(apart=(("a", "b"),), excluded=("b", "gone")), RowLinks((), (), (1,))),
    ],
)
def test_links_of_deals_become_links_of_rows(links, rows):
    assert components_of(links, NAMES, max_deals=4) == rows
    assert bool(rows) == (rows != RowLinks())


@pytest.mark.parametrize(
    "links",
    [
        Links(together=(("a", "b"),), apart=(("b", "a"),)),
        Links(together=(("a", "c"), ("c", "b")), apart=(("a", "b"),)),
        Links(apart=(("a", "a"),)),
    ],
)
def test_links_that_contradict_each_other_are_refused_by_name(links):
    with pytest.raises(ClusteringError, match=r"(a and b|b and a|a and a) .*remove one of the links\.$"):
        components_of(links, NAMES, max_deals=4)


def test_more_linked_deals_than_a_cluster_holds_are_refused_with_both_numbers():
    links = Links(together=tuple(("a", name) for name in NAMES[1:]))
    with pytest.raises(ClusteringError, match=r"^6 deals .*\(a, b, c, d, e and 1 more\).* at most 4"):
        components_of(links, NAMES, max_deals=4)


def test_linked_deals_that_a_rule_keeps_apart_are_refused_by_name():
    links = RowLinks(together=((0, 1, 3),))
    check_strata(links, [("video",), ("video",), (None,), ("video",)], NAMES)
    with pytest.raises(ClusteringError, match=r"^b and d are linked"):
        check_strata(links, [("video",), ("video",), ("video",), (None,)], NAMES)


# --- one decision at a time -------------------------------------------------------------------

BOUNDS = Bounds(2, 4)


def test_without_links_nothing_changes():
    groups, loose = kept(
        points_of(0, 0, 9, 9, 50), groups_of([0, 1], [2, 3]), {4: "Far."}, BOUNDS, RowLinks()
    )
    assert (groups, loose) == ([[0, 1], [2, 3]], {4: "Far."})


def test_linked_deals_gather_where_most_of_them_are():
    points = points_of(0, 0, 0, 9, 9, 9)
    groups, loose = kept(points, groups_of([0, 1, 2], [3, 4, 5]), {}, BOUNDS, RowLinks(((0, 1, 3),)))
    assert (groups, loose) == ([[0, 1, 2, 3], [4, 5]], {})


def test_equal_shares_gather_in_the_group_nearest_to_their_mean():
    points = points_of(0, 5, 5, 6, 10, 10)
    groups, _ = kept(points, groups_of([0, 1, 2], [3, 4, 5]), {}, BOUNDS, RowLinks(((0, 3),)))
    assert groups == [[0, 1, 2, 3], [4, 5]]


def test_the_farthest_deal_without_links_makes_room():
    points = points_of(0, 0, -3, 0, 9, 9, 9)
    groups, loose = kept(points, groups_of([0, 1, 2, 3], [4, 5, 6]), {}, BOUNDS, RowLinks(((0, 1, 4),)))
    assert (groups, loose) == ([[0, 1, 3, 4], [2, 5, 6]], {})


def test_a_deal_that_makes_room_is_left_over_with_a_reason_when_every_other_cluster_is_full():
    points = points_of(0, 0, -3, 0, 9, 9, 9, 9, 9)
    groups, loose = kept(
        points, groups_of([0, 1, 2, 3], [4, 5, 6, 7]), {8: "Far."}, BOUNDS, RowLinks(((0, 1, 8),))
    )
    assert groups == [[0, 1, 3, 8], [4, 5, 6, 7]]
    assert list(loose) == [2]
    assert loose[2].endswith("no other cluster has room for it.")


def test_another_block_leaves_as_a_whole_when_no_single_deal_is_left():
    links = RowLinks(((0, 1, 2), (3, 4)))
    groups, loose = kept(points_of(0, 0, 0, 5, 5), groups_of([0, 1, 2, 3]), {4: "Far."}, BOUNDS, links)
    assert (groups, loose) == ([[3, 4], [0, 1, 2]], {})


@pytest.mark.parametrize(
    ("rows", "bounds", "groups", "loose"),
    [
        ([8, 9], Bounds(2, 4), [[0, 1, 2, 3], [4, 5, 8, 9]], []),  # joins the nearest with room for all
        ([8, 9, 10], Bounds(3, 4), [[0, 1, 2, 3], [4, 5, 6], [8, 9, 10]], []),  # founds its own
        ([8, 9], Bounds(3, 4), [[0, 1, 2, 3], [4, 5, 6]], [8, 9]),  # neither
    ],
)
def test_linked_left_over_deals_join_found_a_cluster_or_stay(rows, bounds, groups, loose):
    points = points_of(0, 0, 0, 0, 9, 9, 9, 9, 0, 0, 0)
    before = groups_of(*[[row for row in group if row not in rows] for group in groups if group != rows])
    left = dict.fromkeys(rows, "Far.")
    made, after = kept(points, before, left, bounds, RowLinks((tuple(rows),)))
    assert (made, sorted(after)) == (groups, loose)
    assert all("linked to 1 more" in reason for reason in after.values())


def test_the_farther_of_two_that_stay_apart_leaves_for_the_nearest_cluster_without_conflict():
    points = points_of(0, 0, 0, 1, 2, 2, 9, 9)
    groups, _ = kept(
        points, groups_of([0, 1, 2, 3], [4, 5], [6, 7]), {}, BOUNDS, RowLinks((), ((0, 3), (3, 4)))
    )
    assert groups == [[0, 1, 2], [4, 5], [3, 6, 7]]


def test_a_deal_leaves_with_all_it_is_linked_to():
    points = points_of(0, 0, 2, 3, 9, 9)
    groups, _ = kept(points, groups_of([0, 1, 2, 3], [4, 5]), {}, BOUNDS, RowLinks(((2, 3),), ((0, 3),)))
    assert groups == [[0, 1], [2, 3, 4, 5]]


def test_deals_of_a_cluster_that_became_too_small_go_to_the_nearest_with_room():
    points = points_of(0, 0, 1, 2, 3, 9, 9, 9)
    groups, loose = kept(points, groups_of([0, 1, 2], [3, 4], [5, 6, 7]), {}, BOUNDS, RowLinks(((0, 1, 3),)))
    assert (groups, loose) == ([[0, 1, 2, 3], [4, 5, 6, 7]], {})


def test_no_deal_joins_a_cluster_of_another_stratum():
    points = points_of(0, 0, 0, 1, 1, 9, 9)
    strata = [("video",)] * 3 + [("audio",)] * 2 + [("video",)] * 2
    groups, _ = kept(
        points, groups_of([0, 1, 2], [3, 4], [5, 6]), {}, BOUNDS, RowLinks((), ((0, 2),)), strata
    )
    assert groups == [[0, 1], [3, 4], [2, 5, 6]]


def test_deals_without_any_direction_are_linked_too():
    groups, _ = kept(np.zeros((5, 0)), groups_of([0, 1], [2, 3]), {4: "x."}, BOUNDS, RowLinks(((1, 4),)))
    assert groups == [[0, 1, 4], [2, 3]]


# --- every promise at once --------------------------------------------------------------------


@st.composite
def cases(draw):
    """Groups within bounds, some rows loose, links without contradiction."""
    low = draw(st.integers(1, 5))
    bounds = Bounds(low, draw(st.integers(low, 10)))
    sizes = draw(st.lists(st.integers(bounds.low, bounds.high), max_size=7))
    extra = draw(st.integers(0, 8))
    n = sum(sizes) + extra
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    order = rng.permutation(n)
    cuts = np.cumsum(sizes).astype(int)
    parts = np.split(order, cuts) if sizes else [order]
    blocks = np.split(rng.permutation(n), np.cumsum(rng.integers(1, bounds.high + 1, size=n)))
    linked = draw(st.integers(0, 6))
    together = [(str(block[0]), str(row)) for block in blocks[:linked] for row in block[1:]]
    block_of = {str(row): place for place, block in enumerate(blocks[:linked]) for row in block}
    tried = [
        tuple(map(str, rng.choice(n, 2, replace=False)))
        for _ in range(draw(st.integers(0, 12)) if n > 1 else 0)
    ]
    apart = [(a, b) for a, b in tried if block_of.get(a, a) != block_of.get(b, b)]
    names = [str(row) for row in range(n)]
    rows = components_of(Links(tuple(together), tuple(apart)), names, bounds.high)
    groups = [np.sort(part) for part in parts[: len(sizes)]]
    loose = dict.fromkeys(parts[-1].tolist() if extra else [], "Far.")
    return rng.normal(size=(n, 3)), groups, loose, bounds, rows


@given(case=cases())
@settings(max_examples=300, deadline=None)
def test_links_and_bounds_hold_and_every_row_is_somewhere_once(case):
    points, groups, loose, bounds, links = case
    before = [group.copy() for group in groups], dict(loose)
    made, left = keep_links(points, groups, loose, bounds, links)
    home = {row: place for place, group in enumerate(made) for row in group.tolist()}
    assert sorted([*(row for group in made for row in group.tolist()), *left]) == list(range(len(points)))
    assert all(bounds.low <= len(group) <= bounds.high for group in made)
    assert all(len({home.get(row) for row in block}) == 1 for block in links.together)
    assert all(home.get(a) is None or home.get(a) != home.get(b) for a, b in links.apart)
    assert all(reason.endswith(".") for reason in left.values())
    again = keep_links(points, groups, loose, bounds, links)
    assert [group.tolist() for group in again[0]] == [group.tolist() for group in made]
    assert again[1] == left
    assert ([group.tolist() for group in groups], loose) == (
        [group.tolist() for group in before[0]],
        before[1],
    )


@given(case=cases(), seed=st.integers(0, 100))
@settings(max_examples=100, deadline=None)
def test_strata_never_mix(case, seed):
    points, groups, loose, bounds, links = case
    side = np.random.default_rng(seed).integers(0, 2, size=len(points))
    for place, group in enumerate(groups):
        side[group] = place % 2
    strata = [str(value) for value in side]
    within = [block for block in links.together if len({strata[row] for row in block}) == 1]
    links = replace(links, together=tuple(within))
    made, _ = keep_links(points, groups, loose, bounds, links, strata)
    assert all(len({strata[row] for row in group.tolist()}) == 1 for group in made)
