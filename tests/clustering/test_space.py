import numpy as np
import pytest

from core.clustering import Cluster, Clustering, ClusteringSettings, LeftOver
from core.clustering.geometry import reduce_dimensions
from core.clustering.space import OUTSIDE, ClusterSpace, own_labels
from core.errors import ClusteringError
from tests.clustering import plant


def clustering_of(groups, left_over=()):
    clusters = tuple(
        Cluster(f"c{place}", tuple(group), (1.0,) * len(group)) for place, group in enumerate(groups)
    )
    return Clustering(clusters, tuple(LeftOver(i, "far") for i in left_over), ClusteringSettings())


@pytest.fixture(scope="module")
def planted():
    return plant([30, 30, 30], seed=3)


@pytest.fixture(scope="module")
def space(planted):
    groups = [range(25), range(30, 60), range(60, 90)]
    return ClusterSpace.of(planted.vectors, clustering_of(groups, range(25, 30)))


def test_spread_within_clusters_is_round(space):
    inside = space.labels != OUTSIDE
    inner = space.points[inside] - space.centres[space.labels[inside]]
    variances = np.linalg.eigvalsh(inner.T @ inner / inside.sum())
    # The covariance is pulled 5 % towards its mean variance, which moves small ones most.
    assert variances.max() < 1.06
    assert variances.min() > 0.4


def test_centres_and_weights_are_those_of_own_members(space):
    assert space.labels[25:30].tolist() == [OUTSIDE] * 5
    assert space.centres[0] == pytest.approx(space.points[:25].mean(axis=0), abs=1e-4)
    assert space.weights.tolist() == pytest.approx([25 / 85, 30 / 85, 30 / 85])


def test_directions_are_those_of_the_reduction(planted):
    # Without clusters nothing is whitened.
    space = ClusterSpace.of(planted.vectors, clustering_of([]))
    assert space.points == pytest.approx(reduce_dimensions(planted.vectors), abs=1e-4)


def test_vectors_seen_before_land_on_their_points(planted, space):
    again = space.transform(planted.vectors[::7] * 3)
    assert again == pytest.approx(space.points[::7], abs=1e-3)


def test_new_deals_lie_nearest_to_their_theme(space):
    more = plant([60, 60, 60], seed=3)  # the same themes, as directions are drawn first
    distances = space.distances(space.transform(more.vectors))
    assert distances.argmin(axis=1).tolist() == [theme for (theme,) in more.themes]


def test_second_memberships_do_not_count():
    clusters = (
        Cluster("a", (0, 1, 2), (1.0, 1.0, 0.4)),
        Cluster("b", (2, 3), (1.0, 1.0)),
    )
    found = Clustering(clusters, (LeftOver(4, "far"),), ClusteringSettings())
    assert own_labels(found, 5).tolist() == [0, 0, 1, 1, OUTSIDE]


def test_labels_refuse_deals_that_are_not_there():
    with pytest.raises(ClusteringError, match=r"deal 7.*only 5.*again"):
        own_labels(clustering_of([[1, 7]]), 5)


@pytest.mark.parametrize(
    ("vectors", "groups"),
    [
        (np.ones((6, 4)), [[0, 1, 2], [3, 4, 5]]),
        (np.zeros((6, 4)), [[0, 1, 2], [3, 4, 5]]),
        (np.eye(6), []),
        (np.eye(6), [range(6)]),
        (np.vstack([np.ones((4, 4)), np.eye(4)[:2]]), [[0, 1], [2, 3]]),
        (np.vstack([np.zeros((2, 4)), np.eye(4)]), [[0, 1], [2, 3], [4, 5]]),
        (np.ones((1, 4)), [[0]]),
        (np.ones((0, 4)), []),
    ],
    ids=["equal", "zero", "no cluster", "one cluster", "equal members", "some zero", "one deal", "none"],
)
def test_poor_data_gives_finite_figures(vectors, groups):
    space = ClusterSpace.of(vectors, clustering_of(groups))
    assert space.points.shape[0] == len(vectors)
    assert space.centres.shape == (len(groups), space.points.shape[1])
    assert np.isfinite(space.distances(space.points)).all()
    assert np.isfinite(space.transform(np.full((2, vectors.shape[1]), 0.5))).all()


def test_cluster_without_own_members_is_nearest_to_nobody(planted):
    clusters = (
        Cluster("a", tuple(range(45)), (1.0,) * 45),
        Cluster("b", (0, 1), (0.5, 0.5)),
        Cluster("c", tuple(range(45, 90)), (1.0,) * 45),
    )
    space = ClusterSpace.of(planted.vectors, Clustering(clusters, (), ClusteringSettings()))
    assert np.isinf(space.distances(space.points)[:, 1]).all()
    assert space.weights[1] == 0
    assert space.nearest_to(np.array([0]), 1).tolist() == [[2]]


def test_nearest_clusters_leave_out_the_cluster_itself(space):
    nearest = space.nearest_to(np.arange(3), 5)
    assert nearest.shape == (3, 2)
    assert all(place not in row for place, row in enumerate(nearest.tolist()))
