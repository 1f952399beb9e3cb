import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from core.clustering.geometry import build_tree, reduce_dimensions, whiten_by_tree
from core.clustering.kmeans import choose_size, fit_kmeans, partition_bic
from tests.clustering import plant


@pytest.fixture(scope="module")
def planted():
    return plant([40, 25, 30, 15, 22, 18, 35, 28], seed=3)


def test_number_of_clusters_comes_from_the_data(planted):
    points = whiten_by_tree(reduce_dimensions(planted.vectors))
    tree = build_tree(points)
    size, curve = choose_size(points, tree, min_size=5)
    labels, _ = fit_kmeans(points, tree.cut(size))
    assert 7 <= size <= 11
    assert adjusted_rand_score([theme[0] for theme in planted.themes], labels) > 0.9
    assert min(curve, key=lambda pair: pair[1])[0] == size


def test_bic_prefers_the_true_partition_to_a_shuffled_one(planted):
    points = reduce_dimensions(planted.vectors)
    truth = np.array([theme[0] for theme in planted.themes])
    assert partition_bic(points, truth) < partition_bic(points, np.roll(truth, 50))
