import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from core.projection import place, project
from tests.clustering import plant

# Of several workers only one then waits for UMAP to be compiled (with `--dist loadgroup`).
pytestmark = pytest.mark.xdist_group("umap")


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


def test_new_vectors_are_placed_beside_their_neighbours_and_inside_the_frame():
    planted = plant([30] * 8, width=384, nuisance=0.2)
    themes = np.array(planted.themes)[:, 0]
    new = np.arange(len(themes)) % 5 == 0
    known = project(planted.vectors[~new])
    placed = place(planted.vectors[~new], known, planted.vectors[new])
    assert placed.shape == (new.sum(), 2)
    assert placed.dtype == np.float32
    assert np.abs(placed).max() <= 1
    distances = np.linalg.norm(placed[:, None] - known, axis=2)
    assert (themes[~new][distances.argmin(axis=1)] == themes[new]).mean() > 0.95


def test_a_place_follows_from_the_neighbours_and_not_from_what_comes_along():
    vectors = plant([20, 20, 20]).vectors
    known = project(vectors[:50])
    together = place(vectors[:50], known, vectors[50:])
    alone = [place(vectors[:50], known, vectors[row : row + 1])[0] for row in range(50, 60)]
    assert np.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("known", [1, 4, 30])
def test_new_points_hide_neither_each_other_nor_a_known_one(known):
    vectors = np.random.default_rng(0).normal(size=(known, 8))
    places = project(vectors)
    twins = np.concatenate([vectors, vectors[:1], vectors[:1]])
    everything = np.concatenate([places, place(vectors, places, twins)])
    assert len(np.unique(np.round(everything, 4), axis=0)) == len(everything)


def test_nothing_to_place_gives_no_places():
    assert place(np.ones((1, 3)), np.zeros((1, 2)), np.ones((0, 3))).shape == (0, 2)


@pytest.mark.parametrize(
    ("known", "places", "new"),
    [
        (np.ones((0, 3)), np.ones((0, 2)), np.ones((1, 3))),
        (np.ones((2, 3)), np.ones((1, 2)), np.ones((1, 3))),
        (np.ones((2, 3)), np.ones((2, 2)), np.ones((1, 4))),
        (np.ones((2, 3)), np.full((2, 2), np.nan), np.ones((1, 3))),
        (np.ones((2, 3)), np.ones((2, 2)), np.full((1, 3), np.nan)),
    ],
)
def test_what_cannot_be_placed_is_refused(known, places, new):
    with pytest.raises(ValueError, match="same deals"):
        place(known, places, new)
