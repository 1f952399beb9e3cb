import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clustering.sizing import Bounds, bound_sizes, split, squared_distances


def points_of(count, seed=0, width=4):
    return np.random.default_rng(seed).normal(size=(count, width))


@st.composite
def bounds_of(draw):
    low = draw(st.integers(1, 12))
    return Bounds(low, draw(st.integers(low, 30)))


@pytest.mark.parametrize(
    ("low", "high", "deals", "fits"),
    [
        (5, 25, 30, True),
        (20, 25, 30, False),
        (20, 25, 50, True),
        (5, 5, 7, False),
        (1, 1, 9, True),
        (5, 9, 4, False),
    ],
)
def test_bounds_know_what_can_be_divided(low, high, deals, fits):
    assert Bounds(low, high).fits(deals) is fits


@given(bounds=bounds_of(), count=st.integers(1, 150), seed=st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_split_makes_the_fewest_parts_and_keeps_both_bounds(bounds, count, seed):
    if not bounds.fits(count):
        count = bounds.high * -(-count // bounds.high)
    parts = split(points_of(count, seed), np.arange(count), bounds)
    assert len(parts) == bounds.parts(count)
    assert all(bounds.low <= len(part) <= bounds.high for part in parts)
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))


def test_split_cuts_between_two_meanings_not_in_the_middle():
    points = np.concatenate([points_of(12), points_of(28) + 50])
    parts = split(points, np.arange(40), Bounds(5, 30))
    assert sorted(len(part) for part in parts) == [12, 28]
    assert sorted(map(min, parts)) == [0, 12]


def test_split_of_equal_points_is_balanced():
    parts = split(np.zeros((30, 3)), np.arange(30), Bounds(5, 25))
    assert sorted(len(part) for part in parts) == [15, 15]


def test_split_works_without_any_dimension():
    assert len(split(np.zeros((30, 0)), np.arange(30), Bounds(5, 25))) == 2


@given(
    bounds=bounds_of(),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    mode=st.sampled_from(["leave_out", "attach"]),
    room=st.sampled_from([None, 0.85]),
    seed=st.integers(0, 50),
)
@settings(max_examples=120, deadline=None)
def test_every_row_is_in_one_group_or_left_over_with_a_sentence(bounds, sizes, mode, room, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    target = bounds.within(room) if room else None
    sizing = bound_sizes(points_of(len(labels), seed), labels, bounds, small_clusters=mode, target=target)
    placed = [row for group in sizing.groups for row in group.tolist()]
    assert sorted([*placed, *sizing.left_over]) == list(range(len(labels)))
    assert all(bounds.low <= len(group) <= bounds.high for group in sizing.groups)
    assert all(reason.endswith(".") for reason in sizing.left_over.values())
    assert sizing.groups or len(labels) < bounds.low


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) >= 5),
    seed=st.integers(0, 50),
)
@settings(max_examples=60, deadline=None)
def test_attach_places_every_deal_when_the_bounds_are_wide(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    sizing = bound_sizes(points_of(len(labels), seed), labels, Bounds(5, 25), small_clusters="attach")
    assert not sizing.left_over


def test_thirty_deals_between_20_and_25_keep_25_and_leave_the_outermost_5():
    points = points_of(30)
    points[[3, 9, 12, 20, 27]] *= 100
    sizing = bound_sizes(points, np.zeros(30, dtype=int), Bounds(20, 25), small_clusters="attach")
    assert [len(group) for group in sizing.groups] == [25]
    assert sorted(sizing.left_over) == [3, 9, 12, 20, 27]
    assert "cannot be divided" in sizing.left_over[3]


def test_small_group_is_left_out_with_its_size_as_reason():
    labels = np.array([0] * 10 + [1] * 3)
    sizing = bound_sizes(points_of(13), labels, Bounds(5, 25), small_clusters="leave_out")
    assert sorted(sizing.left_over) == [10, 11, 12]
    assert "3 deals" in sizing.left_over[10]
    assert (sizing.small, sizing.attached) == (1, 0)


def test_small_group_goes_to_the_nearest_group_with_room():
    points = np.repeat([[0.0, 0], [10, 0], [12, 0]], [10, 8, 2], axis=0)
    labels = np.repeat([0, 1, 2], [10, 8, 2])
    near = bound_sizes(points, labels, Bounds(5, 20), small_clusters="attach")
    assert sorted(len(group) for group in near.groups) == [10, 10]
    full = bound_sizes(points, labels, Bounds(5, 10), small_clusters="attach")
    assert sorted(len(group) for group in full.groups) == [10, 10]
    assert near.attached == full.attached == 2


def test_small_groups_form_their_own_when_every_other_is_full():
    labels = np.repeat([0, 1, 2], [10, 3, 3])
    sizing = bound_sizes(points_of(16), labels, Bounds(5, 10), small_clusters="attach")
    assert sorted(len(group) for group in sizing.groups) == [6, 10]


def test_too_few_for_an_own_group_are_added_to_a_full_one_that_is_then_split():
    labels = np.repeat([0, 1], [10, 2])
    sizing = bound_sizes(points_of(12), labels, Bounds(5, 10), small_clusters="attach")
    assert sum(len(group) for group in sizing.groups) == 12


@pytest.mark.parametrize("mode", ["leave_out", "attach"])
def test_small_groups_are_put_together_when_there_is_no_other(mode):
    sizing = bound_sizes(points_of(12), np.arange(12) // 3, Bounds(5, 25), small_clusters=mode)
    assert [len(group) for group in sizing.groups] == [12]


def test_target_leaves_room_where_it_can():
    bounds = Bounds(5, 20)
    sizing = bound_sizes(
        points_of(40), np.zeros(40, dtype=int), bounds, small_clusters="attach", target=bounds.within(0.85)
    )
    assert max(len(group) for group in sizing.groups) <= 17


def test_distances_match_the_plain_formula():
    points, centres = points_of(6), points_of(3, seed=1)
    plain = np.square(points[:, None] - centres[None]).sum(axis=2)
    assert squared_distances(points, centres) == pytest.approx(plain)
