import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from core.clustering.geometry import build_tree, group_means, reduce_dimensions, whiten_by_tree
from core.clustering.mixture import (
    choose_mixture,
    crossing_groups,
    fit_mixture,
    fit_themes,
    ridge_of,
    search_sizes,
    size_grid,
)
from tests.clustering import plant


@pytest.fixture(scope="module")
def planted():
    return plant([40, 25, 30, 15, 22, 18, 35, 28], seed=3, noise=0.6)


@pytest.fixture(scope="module")
def points(planted):
    return whiten_by_tree(reduce_dimensions(planted.vectors))


@pytest.fixture(scope="module")
def tree(points):
    return build_tree(points)


@pytest.mark.parametrize("components", [1, 4, 8, 12])
def test_em_agrees_with_scikit_learn_from_the_same_start(points, tree, components):
    start = tree.cut(components)
    ours = fit_mixture(points, start, tolerance=1e-7)
    means, sizes = group_means(points, start)
    exact = points.astype(np.float64)
    covariance = (exact.T @ exact - (means * sizes[:, None]).T @ means) / len(exact)
    oracle = GaussianMixture(
        components,
        covariance_type="tied",
        means_init=means,
        weights_init=sizes / sizes.sum(),
        precisions_init=np.linalg.inv(covariance + ridge_of(points) * np.eye(len(covariance))),
        reg_covar=ridge_of(points),
        tol=1e-7,
        max_iter=100,
    ).fit(exact)
    assert (ours.labels == oracle.predict(exact)).all()
    assert ours.log_likelihood / len(exact) == pytest.approx(oracle.score(exact), abs=1e-4)
    assert ours.bic == pytest.approx(oracle.bic(exact), rel=1e-5)
    assert ours.means == pytest.approx(oracle.means_, abs=1e-2)
    assert ours.weights == pytest.approx(oracle.weights_, abs=1e-3)


def test_likelihood_never_falls_with_more_steps(points, tree):
    start = tree.cut(8)
    values = [fit_mixture(points, start, tolerance=0, max_steps=n).log_likelihood for n in range(1, 8)]
    assert np.diff(values).min() > -1e-2


def test_whitened_points_are_round_within_components(points, tree):
    mixture = fit_mixture(points, tree.cut(8))
    assert mixture.whitener.T @ mixture.covariance @ mixture.whitener == pytest.approx(
        np.eye(points.shape[1]), abs=1e-6
    )


def test_bic_finds_the_planted_themes(planted, points, tree):
    mixture, curve = choose_mixture(points, tree, min_size=5)
    truth = [theme[0] for theme in planted.themes]
    assert 7 <= mixture.components <= 11
    assert adjusted_rand_score(truth, mixture.labels) > 0.95
    assert min(curve, key=lambda pair: pair[1])[0] == mixture.components
    assert [size for size, _ in curve] == sorted({size for size, _ in curve})


@pytest.fixture(scope="module")
def worded():
    """Six themes of 30; five of each also carry a word of their own kind, the same for all themes."""
    rng = np.random.default_rng(0)
    themes = np.repeat(np.arange(6), 30)
    has_word = np.tile(np.arange(30) < 5, 6)
    points = rng.normal(size=(180, 12))
    points[:, :6] += 12 * np.eye(6)[themes]
    points[has_word, 6] += 25
    return points.astype(np.float32), themes, has_word


def test_a_word_that_crosses_the_themes_is_no_theme(worded):
    points, themes, has_word = worded
    crossing = crossing_groups(points, np.where(has_word, 6, themes))
    assert crossing.tolist() == [False] * 6 + [True]


def test_themes_far_from_all_others_stay(worded):
    points, themes, has_word = worded
    kept = np.unique(themes[~has_word], return_inverse=True)[1]
    assert not crossing_groups(points[~has_word], kept).any()


def test_deals_of_a_dissolved_component_return_to_their_themes(worded):
    points, themes, has_word = worded
    start = np.where(has_word, 6, themes)
    assert adjusted_rand_score(themes, fit_mixture(points, start).labels) < 0.9
    assert adjusted_rand_score(themes, fit_themes(points, start).labels) == 1


@pytest.mark.parametrize("groups", [1, 2])
def test_two_groups_at_least_are_left(worded, groups):
    points, themes, _ = worded
    assert not crossing_groups(points, themes % groups).any()


def test_shrinkage_pulls_the_covariance_towards_the_identity(points, tree):
    spreads = [
        np.linalg.eigvalsh(fit_mixture(points, tree.cut(8), shrinkage=share, max_steps=1).covariance)
        for share in (0, 0.3, 1)
    ]
    assert [spread.sum() for spread in spreads] == pytest.approx([spreads[0].sum()] * 3)
    assert spreads[0][-1] - spreads[0][0] > spreads[1][-1] - spreads[1][0] > 0
    assert spreads[2] == pytest.approx(spreads[2][0])


@pytest.mark.parametrize(
    ("deals", "min_size", "first", "last"),
    [
        (5, 5, 1, 1),
        (9, 5, 1, 1),
        (10, 5, 1, 2),
        (30, 5, 1, 6),
        (1000, 5, 16, 200),
        (100, 20, 1, 5),
        (3, 1, 1, 3),
    ],
)
def test_grid_never_asks_for_clusters_that_must_be_too_small(deals, min_size, first, last):
    grid = size_grid(deals, min_size)
    assert grid[0] == first
    assert last / 1.25 <= grid[-1] <= last
    assert grid == sorted(set(grid))


def test_search_stops_after_two_rises_and_refines_around_the_best():
    tried = []

    def score(size):
        tried.append(size)
        return (size - 12) ** 2

    assert search_sizes([2, 4, 8, 16, 32, 64, 128], score) == 12
    assert tried == [2, 4, 8, 16, 32, 64, 6, 12, 10, 14]


def test_search_does_not_stop_at_the_hump_after_one_cluster():
    scores = {1: 10, 2: 12, 3: 11, 4: 9, 5: 5, 6: 8}
    assert search_sizes(sorted(scores), scores.__getitem__) == 5
