from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from core.clustering import Cluster, Clustering, ClusteringSettings, LeftOver, Links, cluster_deals
from core.clustering.incremental import join_deals, nearest_clusters
from core.errors import ClusteringError
from tests.clustering import plant

SIZES = [20] * 8
SETTINGS = ClusteringSettings(max_deals=40, small_clusters="attach")


def without(clustering, held_out):
    """The clustering as it is before these deals come."""
    clusters = []
    for cluster in clustering.clusters:
        kept = [
            pair for pair in zip(cluster.members, cluster.strengths, strict=True) if pair[0] not in held_out
        ]
        clusters.append(Cluster(cluster.id, *(tuple(column) for column in zip(*kept, strict=True))))
    left_over = tuple(left for left in clustering.left_over if left.index not in held_out)
    return replace(clustering, clusters=tuple(clusters), left_over=left_over)


def by_theme(planted, settings=SETTINGS, **other):
    """One cluster for each theme, bridges with their first."""
    groups = {}
    for index, own in enumerate(planted.themes):
        groups.setdefault(own[0], []).append(index)
    clusters = tuple(
        Cluster(f"c{theme}", tuple(members), (1.0,) * len(members))
        for theme, members in sorted(groups.items())
    )
    return Clustering(clusters, (), settings, **other)


@pytest.fixture(scope="module")
def planted():
    return plant(SIZES, seed=7)


@pytest.fixture(scope="module")
def new(planted):
    return sorted(np.random.default_rng(0).choice(len(planted.deals), 32, replace=False).tolist())


@pytest.fixture(scope="module")
def old(planted, new):
    return without(by_theme(planted), set(new))


def test_new_deals_join_their_theme(planted, new, old):
    joined = join_deals(planted.deals, planted.vectors, old, new)
    own = joined.own_cluster()
    assert [own[index] for index in new] == [planted.themes[index][0] for index in new]
    assert joined.left_over == ()
    assert joined.diagnostics["joined_deals"] == len(new)


def test_joining_comes_close_to_clustering_all_again():
    planted = plant([40, 25, 30, 15, 22, 18, 35, 28, 12, 20], seed=5, bridges=30)
    settings = ClusteringSettings(max_deals=60, small_clusters="attach")
    held_out = np.random.default_rng(1).permutation(len(planted.deals))[: len(planted.deals) // 5]
    kept = np.setdiff1d(np.arange(len(planted.deals)), held_out)
    early = cluster_deals([planted.deals[i] for i in kept], planted.vectors[kept], settings)
    clusters = tuple(
        replace(cluster, members=tuple(kept[list(cluster.members)].tolist())) for cluster in early.clusters
    )
    joined = join_deals(
        planted.deals, planted.vectors, replace(early, clusters=clusters), held_out.tolist()
    ).own_cluster()
    again = cluster_deals(planted.deals, planted.vectors, settings).own_cluster()
    both = sorted(joined.keys() & again.keys())
    assert len(both) == len(planted.deals)
    assert adjusted_rand_score([joined[i] for i in both], [again[i] for i in both]) > 0.9


def test_old_deals_ids_and_order_stay(planted, new, old):
    joined = join_deals(planted.deals, planted.vectors, old, new)
    assert [cluster.id for cluster in joined.clusters] == [cluster.id for cluster in old.clusters]
    for before, after in zip(old.clusters, joined.clusters, strict=True):
        assert set(after.members) - set(new) == set(before.members)
        assert list(after.members) == sorted(after.members)
        assert after.strengths == (1.0,) * len(after.members)
    assert sorted(joined.own_cluster()) == list(range(len(planted.deals)))


def test_second_memberships_stay_with_their_deals(planted, new, old):
    first, second, *rest = old.clusters
    guest = second.members[0]
    pairs = sorted([*zip(first.members, first.strengths, strict=True), (guest, 0.4)])
    doubled = replace(
        old, clusters=(Cluster(first.id, *(tuple(c) for c in zip(*pairs, strict=True))), second, *rest)
    )
    joined = join_deals(planted.deals, planted.vectors, doubled, new)
    strengths = dict(zip(joined.clusters[0].members, joined.clusters[0].strengths, strict=True))
    assert strengths.pop(guest) == 0.4
    assert set(strengths.values()) == {1.0}
    assert joined.own_cluster()[guest] == 1


def test_order_of_deals_and_of_new_ones_does_not_matter(planted, new, old):
    tight = replace(old, settings=replace(SETTINGS, max_deals=19))
    first = join_deals(planted.deals, planted.vectors, tight, new)
    assert join_deals(planted.deals, planted.vectors, tight, new[::-1]) == first
    mixed, order = planted.shuffled(seed=3)
    place = np.argsort(order).tolist()
    moved = replace(
        tight,
        clusters=tuple(
            replace(c, members=tuple(sorted(place[i] for i in c.members))) for c in tight.clusters
        ),
    )
    second = join_deals(mixed.deals, mixed.vectors, moved, [place[i] for i in new])
    assert [{place[i] for i in c.members} for c in first.clusters] == [
        set(c.members) for c in second.clusters
    ]
    assert {place[left.index] for left in first.left_over} == {left.index for left in second.left_over}


def test_full_clusters_take_nobody(planted, new, old):
    most = max(len(cluster.members) for cluster in old.clusters)
    joined = join_deals(
        planted.deals, planted.vectors, replace(old, settings=replace(SETTINGS, max_deals=most)), new
    )
    assert max(len(cluster.members) for cluster in joined.clusters) <= most
    room = sum(most - len(cluster.members) for cluster in old.clusters)
    assert len(joined.left_over) == len(new) - room
    assert {left.reason for left in joined.left_over} == {
        f"Every cluster it may join is full at {most} deals."
    }
    assert joined.diagnostics["joined_deals"] == room


def test_closest_deals_choose_first(planted):
    new = list(by_theme(planted).clusters[0].members[-6:])
    one_seat = len(by_theme(planted).clusters[0].members) - len(new) + 1
    old = replace(
        without(by_theme(planted), set(new)),
        left_over=tuple(LeftOver(index, "far") for index in new),
        settings=replace(SETTINGS, max_deals=one_seat),
    )
    rows = nearest_clusters(planted.vectors, old, new)
    closest = min(zip(rows, new, strict=True), key=lambda pair: pair[0][0][1])[1]
    joined = join_deals(planted.deals, planted.vectors, old, new)
    assert set(joined.clusters[0].members) & set(new) == {closest}


def test_left_over_deals_get_another_chance(planted, new, old):
    waiting = replace(old, left_over=tuple(LeftOver(index, "too small") for index in new))
    joined = join_deals(planted.deals, planted.vectors, waiting, new[:5])
    assert [left.index for left in joined.left_over] == new[5:]
    assert set(new[:5]) <= joined.own_cluster().keys()


def test_deals_that_wait_do_not_shape_the_space(planted, new, old):
    strangers = np.random.default_rng(2).normal(size=(150, 64)).astype(np.float32)
    deals = [*planted.deals, *({"deal_id": f"X{n}"} for n in range(150))]
    vectors, arrivals = np.vstack([planted.vectors, strangers]), [*new, *range(160, 310)]
    unlisted = replace(old, settings=replace(SETTINGS, max_deals=400))
    listed = replace(unlisted, left_over=tuple(LeftOver(index, "far") for index in arrivals))
    assert join_deals(deals, vectors, listed, arrivals) == join_deals(deals, vectors, unlisted, arrivals)


def test_rules_keep_new_deals_apart(planted, new, old):
    names = ["a", "b"] * 4
    deals = [{**deal, "team": names[own[0]]} for deal, own in zip(planted.deals, planted.themes, strict=True)]
    stranger, rival = new[:2]
    deals[stranger]["team"] = "c"
    deals[rival]["team"] = "b" if deals[rival]["team"] == "a" else "a"
    ruled = replace(old, settings=replace(SETTINGS, keep_apart=("team",)))
    joined = join_deals(deals, planted.vectors, ruled, new)
    assert joined.left_over == (LeftOver(stranger, "No cluster holds deals that are like it in team."),)
    for cluster in joined.clusters:
        assert len({deals[index]["team"] for index in cluster.members}) == 1


def ids(planted, *indices):
    return tuple(planted.deals[index]["deal_id"] for index in indices)


def test_links_are_kept(planted, new, old):
    excluded, parted, tied, pair_a, pair_b = new[:5]
    own = by_theme(planted).own_cluster()
    rival = old.clusters[own[parted]].members[0]
    friend = old.clusters[(own[tied] + 1) % 8].members[0]
    links = Links(
        together=(ids(planted, tied, friend), ids(planted, pair_a, pair_b)),
        apart=(ids(planted, parted, rival),),
        excluded=ids(planted, excluded),
    )
    joined = join_deals(planted.deals, planted.vectors, replace(old, links=links), new)
    found = joined.own_cluster()
    assert joined.left_over == (LeftOver(excluded, "Excluded by the analyst."),)
    assert found[parted] != found[rival]
    assert found[tied] == found[friend]
    assert found[pair_a] == found[pair_b]
    assert joined.links == links


def test_links_that_no_cluster_can_keep_leave_a_deal_over(planted, new, old):
    rivals = tuple(ids(planted, new[0], cluster.members[0]) for cluster in old.clusters)
    joined = join_deals(planted.deals, planted.vectors, replace(old, links=Links(apart=rivals)), new[:1])
    assert joined.left_over == (LeftOver(new[0], "The links of the analyst keep it out of every cluster."),)


def test_bridges_and_strangers_are_novel():
    planted = plant([30] * 12, seed=2, bridges=12, noise=0.3)
    strangers = np.random.default_rng(0).normal(size=(10, 64)).astype(np.float32)
    count = len(planted.deals)
    deals = [*planted.deals, *({"deal_id": f"X{n}"} for n in range(10))]
    core = np.random.default_rng(1).choice(360, 60, replace=False).tolist()
    odd = list(range(360, count + 10))
    old = without(by_theme(planted), set(core + odd))
    joined = join_deals(deals, np.vstack([planted.vectors, strangers]), old, core + odd)
    novel = set(joined.novel)
    assert novel <= joined.own_cluster().keys()
    assert len(novel & set(odd)) >= 0.8 * len(odd)
    assert len(novel & set(core)) <= 0.15 * len(core)
    assert joined.diagnostics["novel_deals"] == len(novel)


def test_deal_whose_cluster_is_full_is_not_novel(planted, new, old):
    at_home = join_deals(planted.deals, planted.vectors, old, new)
    pushed = join_deals(
        planted.deals, planted.vectors, replace(old, settings=replace(SETTINGS, max_deals=18)), new
    )
    assert pushed.own_cluster() != at_home.own_cluster()
    assert set(pushed.novel) <= set(at_home.novel)


def test_joining_twice_counts_both(planted, new, old):
    once = join_deals(planted.deals, planted.vectors, old, new[:10])
    twice = join_deals(planted.deals, planted.vectors, once, new[10:])
    assert twice.diagnostics["joined_deals"] == len(new)
    assert set(once.novel) <= set(twice.novel)


def test_no_new_deals_change_nothing(planted, old):
    assert join_deals(planted.deals, planted.vectors, old, []) == old


def test_without_clusters_new_deals_are_left_over():
    deals = [{"deal_id": str(n)} for n in range(3)]
    old = Clustering((), (LeftOver(0, "too few"),), SETTINGS)
    joined = join_deals(deals, np.eye(3), old, [1, 2])
    reason = "There is no cluster that it could join."
    assert joined.left_over == (LeftOver(0, "too few"), LeftOver(1, reason), LeftOver(2, reason))


def test_equal_vectors_join_without_novelty():
    deals = [{"deal_id": str(n)} for n in range(12)]
    old = Clustering((Cluster("a", tuple(range(8)), (1.0,) * 8),), (), SETTINGS)
    joined = join_deals(deals, np.ones((12, 4)), old, [8, 9, 10, 11])
    assert joined.clusters[0].members == tuple(range(12))
    assert joined.novel == ()


@pytest.mark.parametrize(
    ("new", "words"), [([0], "index 0 is in a cluster"), ([500], "no deal at index 500"), ([-1], "index -1")]
)
def test_wrong_indices_are_refused(planted, new, words):
    with pytest.raises(ClusteringError, match=words):
        join_deals(planted.deals, planted.vectors, by_theme(planted), new)


def test_nearest_clusters_of_left_over_deals(planted, new, old):
    waiting = replace(old, left_over=tuple(LeftOver(index, "far") for index in new))
    rows = nearest_clusters(planted.vectors, waiting, new)
    assert [row[0][0] for row in rows] == [planted.themes[index][0] for index in new]
    for row in rows:
        distances = [distance for _, distance in row]
        assert len({place for place, _ in row}) == 3
        assert distances == sorted(distances)
        assert distances[0] > 0


def test_nearest_clusters_list_no_more_than_there_are():
    found = Clustering((Cluster("a", (0, 1), (1.0, 1.0)),), (LeftOver(2, "far"),), SETTINGS)
    assert [len(row) for row in nearest_clusters(np.eye(3), found, [2])] == [1]
    none = Clustering((), (LeftOver(0, "far"),), SETTINGS)
    assert nearest_clusters(np.eye(3), none, [0, 1]) == [[], []]
