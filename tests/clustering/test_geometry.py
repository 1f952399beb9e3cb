import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from core.clustering.geometry import (
    build_tree,
    group_means,
    reduce_dimensions,
    scale_to_unit,
    whiten_by_tree,
    whitener,
    whitener_of_groups,
)
from tests.clustering import plant


def test_rows_get_length_one_and_zero_rows_stay_zero():
    scaled = scale_to_unit(np.array([[3.0, 4.0], [0.0, 0.0], [1e200, 1e200]]))
    assert np.linalg.norm(scaled, axis=1) == pytest.approx([1, 0, 1])


@pytest.mark.parametrize(
    ("deals", "width", "expected"), [(10, 384, 2), (80, 384, 10), (600, 384, 64), (600, 5, 5), (2, 9, 1)]
)
def test_one_dimension_for_every_eight_deals_up_to_64(deals, width, expected):
    vectors = np.random.default_rng(0).normal(size=(deals, width))
    assert reduce_dimensions(vectors).shape == (deals, expected)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_vectors_span_no_dimension(value):
    assert reduce_dimensions(np.full((20, 8), value)).shape == (20, 0)


def test_directions_that_do_not_vary_are_dropped():
    three = np.eye(384)[[0, 1, 2] * 40]
    assert reduce_dimensions(three).shape == (120, 2)


def test_reduction_ignores_the_length_of_the_vectors():
    vectors = np.random.default_rng(0).normal(size=(50, 20))
    assert reduce_dimensions(vectors * 7) == pytest.approx(reduce_dimensions(vectors), abs=1e-5)


def test_tree_cut_finds_blobs_and_numbers_them_by_first_appearance():
    points = np.repeat(np.array([[5.0, 0], [0, 5.0], [9.0, 9.0]]), 4, axis=0)
    assert build_tree(points).cut(3).tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_tree_cut_keeps_equal_points_together():
    assert build_tree(np.ones((6, 2))).cut(4).tolist() == [0] * 6


def test_group_means_match_the_plain_formula():
    rng = np.random.default_rng(1)
    points, labels = rng.normal(size=(30, 3)), np.arange(30) % 4
    means, sizes = group_means(points, labels)
    assert sizes.tolist() == [8, 8, 7, 7]
    assert means == pytest.approx(np.stack([points[labels == k].mean(axis=0) for k in range(4)]))


def test_whitener_turns_the_covariance_into_the_identity():
    rng = np.random.default_rng(2)
    root = rng.normal(size=(5, 5))
    covariance = root @ root.T + np.eye(5)
    white = whitener(covariance)
    assert white.T @ covariance @ white == pytest.approx(np.eye(5), abs=1e-9)


def test_groups_of_equal_points_are_scaled_alike_and_finitely():
    points = np.repeat(np.eye(3), 2, axis=0)
    white = whitener_of_groups(points, np.repeat([0, 1, 2], 2))
    assert white == pytest.approx(white[0, 0] * np.eye(3))
    assert np.isfinite(white).all()


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_whitening_finds_themes_under_wording_that_all_of_them_share(seed):
    planted = plant([30] * 8, nuisance=0.8, noise=0.5, seed=seed)
    truth = [theme[0] for theme in planted.themes]
    points = reduce_dimensions(planted.vectors)
    plain, white = (build_tree(space).cut(8) for space in (points, whiten_by_tree(points)))
    assert adjusted_rand_score(truth, plain) < adjusted_rand_score(truth, white) == pytest.approx(1)
