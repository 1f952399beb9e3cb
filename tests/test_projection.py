import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from core.projection import project, warm_up
from tests.clustering import plant


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 14, 15, 16, 17, 40])
def test_any_number_of_deals_gets_a_place_inside_the_frame(count):
    layout = project(np.random.default_rng(0).normal(size=(count, 384)))
    assert layout.shape == (count, 2)
    assert layout.dtype == np.float32
    assert np.abs(layout).max(initial=0) <= 1
    assert len(np.unique(layout, axis=0)) == count


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("count", [2, 8, 60])
def test_equal_vectors_lie_on_a_ring_so_that_each_can_be_picked(value, count):
    layout = project(np.full((count, 8), value))
    assert len(np.unique(layout, axis=0)) == count


def test_zero_rows_and_twins_among_others_are_fine():
    vectors = np.random.default_rng(0).normal(size=(60, 8))
    vectors[:20] = 0
    vectors[20:30] = vectors[20]
    assert np.isfinite(project(vectors)).all()


def test_same_vectors_give_the_same_map():
    vectors = plant([20, 20, 20]).vectors
    assert (project(vectors) == project(vectors)).all()


def test_neighbours_stay_neighbours():
    vectors = plant([30] * 8, width=384, nuisance=0.2).vectors
    assert trustworthiness(vectors, project(vectors), metric="cosine", n_neighbors=10) > 0.85


@pytest.mark.parametrize("vectors", [np.zeros(4), np.full((3, 2), np.nan)])
def test_vectors_that_cannot_be_drawn_are_refused(vectors):
    with pytest.raises(ValueError, match="finite numbers"):
        project(vectors)


def test_warm_up_needs_no_data():
    warm_up()
