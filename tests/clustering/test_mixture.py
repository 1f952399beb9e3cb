import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from core.clustering.geometry import build_tree, group_means, reduce_dimensions, whiten_by_tree
from core.clustering.mixture import choose_mixture, fit_mixture, ridge_of, search_sizes, size_grid
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
