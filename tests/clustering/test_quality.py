import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples
from threadpoolctl import threadpool_limits

from core.clustering import Cluster, Clustering, ClusteringSettings, LeftOver, cluster_deals
from core.clustering.quality import Quality, mean_silhouettes, measure_quality
from core.clustering.space import ClusterSpace
from core.errors import ClusteringError
from tests.clustering import plant

WORDS = ["golf", "baking", "opera", "cars", "gardens", "chess", "sailing", "cinema", "finance", "yoga"]
FIGURES = ("cohesion", "separation", "silhouette", "stability")


def with_words(planted):
    """The planted deals with a text of their themes' words and words that all share."""
    return [
        {**deal, "deal_name": "Open market package", "concepts": [f"{WORDS[theme]} fans" for theme in themes]}
        for deal, themes in zip(planted.deals, planted.themes, strict=True)
    ]


def clustering_of(groups, left_over=()):
    clusters = tuple(
        Cluster(f"c{place}", tuple(sorted(group)), (1.0,) * len(group)) for place, group in enumerate(groups)
    )
    return Clustering(clusters, tuple(LeftOver(i, "far") for i in left_over), ClusteringSettings())


def by_theme(planted, themes):
    """One group for each row of themes; bridges belong to the first of theirs."""
    return [[i for i, own in enumerate(planted.themes) if own[0] in row] for row in themes]


def shuffled(planted, clustering, seed):
    """The same deals and clusters in another order, and the new place of each old index."""
    mixed, order = planted.shuffled(seed)
    place = np.argsort(order).tolist()
    clusters = tuple(
        replace(cluster, members=tuple(sorted(place[i] for i in cluster.members)))
        for cluster in clustering.clusters
    )
    left_over = tuple(LeftOver(place[left.index], left.reason) for left in clustering.left_over)
    return mixed, replace(clustering, clusters=clusters, left_over=left_over), place


@pytest.fixture(scope="module")
def planted():
    return plant([20] * 10, seed=4, bridges=20)


@pytest.fixture(scope="module")
def good(planted):
    clustering = clustering_of(by_theme(planted, [[theme] for theme in range(10)]))
    return clustering, measure_quality(with_words(planted), planted.vectors, clustering)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tight_clusters_beat_a_merged_and_random_ones(seed):
    planted = plant([20] * 24, seed=seed, bridges=20)
    merged, *tight = by_theme(planted, [[0, 1], *([theme] for theme in range(2, 16))])
    rest = np.random.default_rng(0).permutation([i for i, own in enumerate(planted.themes) if own[0] >= 16])
    groups = [merged, *tight, *np.array_split(rest, 8)]
    first, *others = measure_quality(planted.deals, planted.vectors, clustering_of(groups)).clusters
    good, random = others[:14], others[14:]
    for name in ("cohesion", "silhouette", "stability"):
        worst = min(getattr(cluster, name) for cluster in good)
        assert getattr(first, name) < worst, name
        assert max(getattr(cluster, name) for cluster in random) < worst, name
    assert max(cluster.stability for cluster in random) < 0.25


def test_stability_follows_purity(planted):
    rng = np.random.default_rng(1)
    labels = np.array([own[0] for own in planted.themes])
    for theme in range(0, 10, 2):  # the deals of each pair of themes are mixed more and more
        pair = np.flatnonzero((labels == theme) | (labels == theme + 1))
        mixed = rng.choice(pair, theme * len(pair) // 8, replace=False)
        labels[mixed] = rng.permutation(labels[mixed])
    groups = [np.flatnonzero(labels == theme).tolist() for theme in range(10)]
    purity = [np.mean([k in planted.themes[i] for i in group]) for k, group in enumerate(groups)]
    quality = measure_quality(planted.deals, planted.vectors, clustering_of(groups))
    assert np.corrcoef(purity, [cluster.stability for cluster in quality.clusters])[0, 1] > 0.7


def test_terms_name_the_theme(good):
    _, quality = good
    for theme, cluster in enumerate(quality.clusters):
        assert cluster.terms[0] == f"{WORDS[theme]} fans"
        assert not {"package", "concepts", WORDS[theme]} & set(cluster.terms[:1])


def test_typical_deals_are_no_bridges(planted, good):
    clustering, quality = good
    typical = [index for cluster in quality.clusters for index in cluster.typical]
    assert len(typical) == 30
    assert all(len(planted.themes[index]) == 1 for index in typical)
    for cluster, figures in zip(clustering.clusters, quality.clusters, strict=True):
        assert set(figures.typical) <= set(cluster.members)


def test_nearest_are_other_clusters(good):
    clustering, quality = good
    ids = {cluster.id for cluster in clustering.clusters}
    for cluster in quality.clusters:
        assert len(set(cluster.nearest)) == 3
        assert set(cluster.nearest) <= ids - {cluster.cluster_id}


def test_cohesion_and_separation_are_cosines():
    half = np.sqrt(0.5)
    vectors = np.array([[3, 0, 0], [0, 1, 0], [half, half, 0], [0, 0, 2], [0, 0, 1], [0, 1, 1]])
    quality = measure_quality(
        [{"deal_id": str(n)} for n in range(6)], vectors, clustering_of([[0, 1, 2], [3, 4, 5]])
    )
    first, second = quality.clusters
    assert first.cohesion == pytest.approx((2 * half + 1) / 3)
    direction = np.array([0, half, 2 + half]) / np.hypot(half, 2 + half)
    assert second.cohesion == pytest.approx(np.hypot(half, 2 + half) / 3)
    assert first.separation == second.separation == pytest.approx(1 - half * direction[1])


def test_silhouettes_are_those_of_scikit_learn(planted):
    groups = [np.array(group) for group in by_theme(planted, [[0, 1], [2], [3, 7], [4], [5, 6], [8, 9]])]
    groups.append(groups[0][:1])
    groups[0] = groups[0][1:]
    labels = np.zeros(len(planted.deals), dtype=np.intp)
    for place, group in enumerate(groups):
        labels[group] = place
    space = ClusterSpace.fit(planted.vectors, labels, len(groups))
    measured = mean_silhouettes(space.points, groups, space.nearest_to(np.arange(len(groups)), 10))
    exact = silhouette_samples(space.points.astype(np.float64), labels)
    assert measured == pytest.approx([exact[group].mean() for group in groups], abs=1e-6)


def test_run_figures_are_means_weighted_by_size(good):
    clustering, quality = good
    sizes = [len(cluster.members) for cluster in clustering.clusters]
    for name in FIGURES:
        values = [getattr(cluster, name) for cluster in quality.clusters]
        assert getattr(quality, name) == pytest.approx(np.average(values, weights=sizes))


def test_second_memberships_and_left_over_deals_do_not_count(planted):
    groups = by_theme(planted, [[theme] for theme in range(5)])
    outside = [i for i, own in enumerate(planted.themes) if own[0] >= 5]
    plain = clustering_of(groups, outside)
    first = plain.clusters[0]
    guest = replace(first, members=(*first.members, groups[1][0]), strengths=(*first.strengths, 0.5))
    doubled = replace(plain, clusters=(guest, *plain.clusters[1:]))
    measured = [measure_quality(planted.deals, planted.vectors, found) for found in (plain, doubled)]
    assert measured[0] == measured[1]


def test_same_figures_for_any_order_and_number_of_threads(planted):
    deals = with_words(planted)
    clustering = cluster_deals(deals, planted.vectors, ClusteringSettings(max_deals=25))
    first = measure_quality(deals, planted.vectors, clustering)
    mixed, moved, place = shuffled(planted, clustering, seed=2)
    with threadpool_limits(2):
        second = measure_quality(with_words(mixed), mixed.vectors, moved)
    expected = tuple(
        replace(cluster, typical=tuple(place[i] for i in cluster.typical)) for cluster in first.clusters
    )
    assert second == replace(first, clusters=expected)


def test_another_seed_changes_stability_only(planted):
    clustering = cluster_deals(planted.deals, planted.vectors, ClusteringSettings(max_deals=15))
    one, other = (measure_quality(planted.deals, planted.vectors, clustering, seed=seed) for seed in (1, 2))
    assert one.stability != other.stability
    assert replace(one, stability=None, clusters=()) == replace(other, stability=None, clusters=())


def test_one_cluster_has_nothing_to_be_compared_with(planted):
    quality = measure_quality(planted.deals, planted.vectors, clustering_of([range(len(planted.deals))]))
    for figures in (quality, quality.clusters[0]):
        assert figures.cohesion > 0
        assert (figures.separation, figures.silhouette, figures.stability) == (None, None, None)
    assert "one cluster" in quality.notes[0]
    assert quality.clusters[0].nearest == ()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_vectors_have_neither_silhouette_nor_stability(value):
    deals = [{"deal_id": str(n)} for n in range(12)]
    quality = measure_quality(deals, np.full((12, 5), value), clustering_of([range(6), range(6, 12)]))
    assert (quality.silhouette, quality.stability) == (None, None)
    assert quality.cohesion == pytest.approx(value)
    assert "alike" in quality.notes[0]


def test_no_clusters_have_no_figures():
    quality = measure_quality([{"deal_id": "1"}], np.ones((1, 3)), clustering_of([], [0]))
    assert quality == Quality((), None, None, None, None, quality.notes)
    assert "no clusters" in quality.notes[0]


def test_cluster_of_guests_has_no_figures(planted):
    plain = clustering_of(by_theme(planted, [[0], [1], [2]]))
    guests = Cluster("guests", (0, 1), (0.5, 0.5))
    quality = measure_quality(
        planted.deals, planted.vectors, replace(plain, clusters=(guests, *plain.clusters))
    )
    assert [getattr(quality.clusters[0], name) for name in FIGURES] == [None] * 4
    assert [cluster.cluster_id for cluster in quality.clusters] == ["guests", "c0", "c1", "c2"]
    assert quality.clusters[1:] == measure_quality(planted.deals, planted.vectors, plain).clusters


def test_figures_survive_json(good):
    _, quality = good
    assert Quality.from_dict(json.loads(json.dumps(quality.to_dict()))) == quality


def test_steps_are_announced(planted):
    steps = []
    clustering = clustering_of(by_theme(planted, [[0, 1], [2, 3]]))
    measure_quality(planted.deals, planted.vectors, clustering, on_progress=steps.append)
    assert steps == [
        "Measuring 2 clusters",
        "Clustering samples again, neighbourhood 1 of 1",
        "Looking for shared terms",
    ]


def test_notes_say_what_was_sampled():
    planted = plant([25] * 64, seed=1)
    quality = measure_quality(
        planted.deals, planted.vectors, clustering_of(by_theme(planted, [[theme] for theme in range(64)]))
    )
    text = " ".join(quality.notes)
    assert all(words in text for words in ("30 samples", "1,500 neighbouring deals", "10 nearest clusters"))


def test_vectors_of_other_deals_are_refused(planted):
    with pytest.raises(ClusteringError, match="200 vectors"):
        measure_quality(planted.deals, planted.vectors[:200], clustering_of([[0, 1]]))
