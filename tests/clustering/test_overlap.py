import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clustering.geometry import scale_to_unit
from core.clustering.overlap import (
    DEFAULT_COEFFICIENT,
    explained_shares,
    find_memberships,
    residual_coefficients,
    strength_of,
)
from core.settings import MEMBERSHIP_THRESHOLD


def test_default_threshold_stands_for_the_default_coefficient():
    ends = strength_of(np.array([-1.0, 0.0, DEFAULT_COEFFICIENT, 1.0, 2.0]))
    assert ends == pytest.approx([0, 0, MEMBERSHIP_THRESHOLD, 1, 1])


@given(st.lists(st.floats(-1, 2), min_size=2, max_size=20))
def test_strength_grows_with_the_coefficient(coefficients):
    assert (np.diff(strength_of(np.sort(np.array(coefficients)))) >= 0).all()


def test_coefficient_is_the_least_squares_weight_of_the_second_centre():
    rng = np.random.default_rng(0)
    points, centres = scale_to_unit(rng.normal(size=(20, 6))), scale_to_unit(rng.normal(size=(3, 6)))
    own = np.arange(20) % 3
    found = residual_coefficients(points, own[:, None], centres)
    for row in range(20):
        for other in range(3):
            near = abs(centres[own[row]] @ centres[other]) > 0.6
            pair = np.column_stack([centres[own[row]], centres[other]])
            expected = 0 if near else np.linalg.lstsq(pair, points[row], rcond=None)[0][1]
            assert found[row, other] == pytest.approx(expected, abs=1e-9)


def test_a_third_centre_counts_what_two_leave_unexplained():
    rng = np.random.default_rng(1)
    points, centres = scale_to_unit(rng.normal(size=(12, 40))), scale_to_unit(rng.normal(size=(5, 40)))
    taken = np.array([rng.choice(5, 2, replace=False) for _ in range(12)])
    found = residual_coefficients(points, taken, centres)
    for row in range(12):
        for other in set(range(5)) - set(taken[row].tolist()):
            pair, three = centres[taken[row]].T, centres[[*taken[row], other]].T
            explained = pair @ np.linalg.lstsq(pair, centres[other], rcond=None)[0]
            near = np.linalg.norm(explained) > 0.6
            expected = 0 if near else np.linalg.lstsq(three, points[row], rcond=None)[0][2]
            assert found[row, other] == pytest.approx(expected, abs=1e-9)
        assert (found[row, taken[row]] == 0).all()


def test_explained_share_is_that_of_the_least_squares_fit():
    rng = np.random.default_rng(2)
    points, centres = scale_to_unit(rng.normal(size=(10, 8))), scale_to_unit(rng.normal(size=(4, 8)))
    taken = np.array([rng.choice(4, 2, replace=False) for _ in range(10)])
    for row, share in enumerate(explained_shares(points, taken, centres)):
        axes = centres[taken[row]].T
        fitted = axes @ np.linalg.lstsq(axes, points[row], rcond=None)[0]
        assert share == pytest.approx(fitted @ fitted)


def test_a_centre_without_direction_explains_nothing():
    centres = np.array([[0.0, 0.0], [1.0, 0.0]])
    points = scale_to_unit(np.array([[3.0, 4.0]]))
    assert explained_shares(points, np.array([[0, 1]]), centres) == pytest.approx([0.36])


def test_a_deal_that_lies_between_many_groups_is_no_bridge():
    points = np.repeat(np.eye(8), 8, axis=0)
    points[0, 1] = 1
    points[8] = [0.9, 1, *[0.9] * 6]
    groups = [np.arange(8) + 8 * place for place in range(8)]
    found = find_memberships(points, groups, threshold=0.3, largest=12, max_share=1)
    assert [(extra.row, extra.group) for extra in found] == [(0, 1)]


def groups_around_axes(per_group, bridges):
    """Three groups around the axes; the first rows of group 0 also point along axis 1."""
    points = np.repeat(np.eye(3), per_group, axis=0)
    points += 0.05 * np.random.default_rng(0).normal(size=points.shape)
    points[:bridges, 1] += np.linspace(0.9, 0.6, bridges)
    return points, [np.arange(per_group) + k * per_group for k in range(3)]


def test_bridges_get_a_second_membership_in_the_right_group():
    points, groups = groups_around_axes(10, bridges=2)
    found = find_memberships(points, groups, threshold=0.3, largest=25, max_share=0.2)
    assert [(one.row, one.group) for one in found] == [(0, 1), (1, 1)]
    assert 1 >= found[0].strength >= found[1].strength >= 0.3


def test_full_groups_take_nobody():
    points, groups = groups_around_axes(10, bridges=3)
    assert find_memberships(points, groups, threshold=0.3, largest=10, max_share=1) == []
    one = find_memberships(points, groups, threshold=0.3, largest=11, max_share=1)
    assert [found.row for found in one] == [0]


def test_no_more_than_the_share_gets_a_second_membership():
    points, groups = groups_around_axes(10, bridges=8)
    assert len(find_memberships(points, groups, threshold=0.01, largest=99, max_share=0.1)) == 3


def test_a_deal_of_three_themes_joins_as_many_as_allowed():
    points, groups = groups_around_axes(10, bridges=1)
    points[0] = [1.0, 0.8, 0.7]
    chosen = {"threshold": 0.3, "largest": 25, "max_share": 0.2}
    joined = [
        [(one.row, one.group) for one in find_memberships(points, groups, most=most, **chosen)]
        for most in (1, 2, 3, 9)
    ]
    assert joined == [[], [(0, 1)], [(0, 1), (0, 2)], [(0, 1), (0, 2)]]


def test_groups_kept_apart_share_no_deal():
    points, groups = groups_around_axes(10, bridges=2)
    points[0, 2] = 0.5
    apart = np.zeros((3, 3), dtype=bool)
    apart[0, 1] = apart[1, 0] = True
    found = find_memberships(points, groups, threshold=0.3, largest=25, max_share=0.2, apart=apart)
    assert [(one.row, one.group) for one in found] == [(0, 2)]


def test_parts_of_one_theme_do_not_overlap():
    points = np.repeat([[1.0, 0.3], [1.0, -0.3]], 10, axis=0)
    groups = [np.arange(10), np.arange(10, 20)]
    assert find_memberships(points, groups, threshold=0.01, largest=99, max_share=1) == []


@pytest.mark.parametrize("groups", [[], [np.arange(5)]])
def test_a_single_group_has_no_overlap(groups):
    assert find_memberships(np.ones((5, 2)), groups, threshold=0.1, largest=9, max_share=1) == []
