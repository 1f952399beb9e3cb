import inspect
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

import core.clustering
from core.clustering import (
    COVARIANCES,
    DENSITY_METHODS,
    METHODS,
    ClusteringSettings,
    Links,
    cluster_deals,
    cluster_deals_semantically,
    cluster_deals_with_soft_assignments,
    partition,
)
from core.clustering.sizing import NOISE_REASON, Bounds
from core.deals.deal import Deal, content_hash
from core.errors import ClusteringError
from tests.clustering import plant

SIZES = [40, 25, 30, 15, 22, 18, 35, 28, 12, 9]


@pytest.fixture(scope="module")
def planted():
    return plant(SIZES, seed=5, bridges=30)


@pytest.fixture(scope="module")
def made(planted):
    """Clusters the planted deals as they are; with the same settings once."""
    return cache(lambda chosen: cluster_deals(planted.deals, planted.vectors, chosen))


def named(clustering, deals):
    """Clusters as sets of deal ids, which do not depend on the order of the input."""
    return {
        frozenset(deals[index]["deal_id"] for index in cluster.members) for cluster in clustering.clusters
    }


def own_memberships(clustering):
    return [
        index
        for cluster in clustering.clusters
        for index, strength in zip(cluster.members, cluster.strengths, strict=True)
        if strength == 1
    ]


def test_every_public_name_exists():
    assert all(hasattr(core.clustering, name) for name in core.clustering.__all__)


def test_signatures_are_the_published_ones():
    assert str(inspect.signature(cluster_deals_semantically)).count("=") == 3
    hard = {n: p.default for n, p in inspect.signature(cluster_deals_semantically).parameters.items()}
    soft = {
        n: p.default for n, p in inspect.signature(cluster_deals_with_soft_assignments).parameters.items()
    }
    empty = inspect.Parameter.empty
    shared = {"deals": empty, "embeddings": empty, "max_deals_per_cluster": 30, "min_cluster_size": 5}
    assert hard == {**shared, "method": "gmm"}
    assert soft == {**shared, "probability_threshold": 0.3}


@pytest.mark.parametrize("method", METHODS)
def test_planted_themes_are_found(planted, method):
    found = cluster_deals(
        planted.deals,
        planted.vectors,
        ClusteringSettings(method=method, max_deals=60, small_clusters="attach"),
    )
    labels = {index: k for k, cluster in enumerate(found.clusters) for index in cluster.members}
    core_deals = [i for i, themes in enumerate(planted.themes) if len(themes) == 1]
    truth = [planted.themes[i][0] for i in core_deals]
    assert len(labels) == len(planted.deals)
    assert adjusted_rand_score(truth, [labels[i] for i in core_deals]) > 0.9


def test_bridges_join_their_second_theme():
    planted = plant([24] * 16, seed=8, bridges=40, noise=0.3)
    found = cluster_deals(
        planted.deals,
        planted.vectors,
        ClusteringSettings(max_deals=30, overlap=True, small_clusters="attach"),
    )
    doubled = [
        index
        for cluster in found.clusters
        for index, strength in zip(cluster.members, cluster.strengths, strict=True)
        if strength < 1
    ]
    bridges = {i for i, themes in enumerate(planted.themes) if len(themes) == 2}
    assert len(bridges & set(doubled)) >= 0.6 * len(bridges)
    assert len(bridges & set(doubled)) >= 0.6 * len(doubled)
    assert found.diagnostics["further_memberships"] == len(doubled)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("overlap", [False, True])
def test_same_clusters_for_any_order_of_the_deals(planted, made, method, overlap):
    chosen = ClusteringSettings(method=method, max_deals=25, overlap=overlap)
    first = made(chosen)
    mixed, order = planted.shuffled(seed=1)
    second = cluster_deals(mixed.deals, mixed.vectors, chosen)
    assert named(first, planted.deals) == named(second, mixed.deals)
    assert [cluster.id for cluster in first.clusters] == [cluster.id for cluster in second.clusters]
    assert [sorted(order[list(c.members)]) for c in second.clusters] == [
        list(c.members) for c in first.clusters
    ]
    assert first.diagnostics == second.diagnostics


@pytest.mark.parametrize("method", METHODS)
def test_same_clusters_for_any_number_of_threads(planted, method):
    chosen = ClusteringSettings(method=method, max_deals=25, overlap=True)
    results = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            results.append(cluster_deals(planted.deals, planted.vectors, chosen))
    assert results[0] == results[1]


@pytest.mark.parametrize("scale", [4.0, 1e-30, 1e200])
def test_same_clusters_for_float64_and_any_length_of_the_vectors(planted, made, scale):
    base = made(ClusteringSettings())
    scaled = cluster_deals(planted.deals, planted.vectors.astype(np.float64) * scale)
    assert named(base, planted.deals) == named(scaled, planted.deals)


@pytest.mark.parametrize(
    "convert", [lambda v: v.astype(np.float16), lambda v: (v * 1000).astype(int), np.ndarray.tolist]
)
def test_other_kinds_of_numbers_are_accepted(planted, convert):
    found = cluster_deals(
        planted.deals, convert(planted.vectors), ClusteringSettings(small_clusters="attach")
    )
    assert not found.left_over


def test_cluster_id_is_the_content_hash_of_its_sorted_deal_ids(planted):
    for cluster in cluster_deals(planted.deals, planted.vectors).clusters:
        assert cluster.id == content_hash(sorted(planted.deals[i]["deal_id"] for i in cluster.members))


def test_clusters_come_largest_first_and_list_members_ascending(planted):
    clusters = cluster_deals(planted.deals, planted.vectors, ClusteringSettings(overlap=True)).clusters
    sizes = [len(cluster.members) for cluster in clusters]
    assert sizes == sorted(sizes, reverse=True)
    assert all(list(cluster.members) == sorted(set(cluster.members)) for cluster in clusters)


def test_deals_and_mappings_give_the_same_clusters(planted):
    objects = [Deal(deal_id=deal["deal_id"]) for deal in planted.deals]
    assert cluster_deals(objects, planted.vectors) == cluster_deals(planted.deals, planted.vectors)


@pytest.mark.parametrize("deal", [{}, {"deal_id": None}, {"deal_id": "twin"}, {"deal_id": 7}])
def test_missing_and_repeated_ids_still_work_in_any_order(planted, deal):
    deals = [deal] * len(planted.deals)
    first = cluster_deals(deals, planted.vectors)
    mixed, _ = planted.shuffled(seed=2)
    second = cluster_deals(deals, mixed.vectors)
    assert [cluster.id for cluster in first.clusters] == [cluster.id for cluster in second.clusters]
    assert len({cluster.id for cluster in first.clusters}) == len(first.clusters)


@given(
    count=st.integers(0, 60),
    width=st.integers(1, 12),
    low=st.integers(1, 8),
    extra=st.integers(0, 20),
    distinct=st.integers(1, 60),
    method=st.sampled_from(METHODS),
    overlap=st.booleans(),
    mode=st.sampled_from(["leave_out", "attach"]),
    pack=st.booleans(),
    memberships=st.integers(1, 4),
    ssps=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
def test_any_vectors_end_in_bounded_clusters_or_left_over(
    count, width, low, extra, distinct, method, overlap, mode, pack, memberships, ssps, seed
):
    rng = np.random.default_rng(seed)
    pool = rng.normal(size=(distinct, width))
    pool[0] = 0
    vectors = pool[rng.integers(distinct, size=count)]
    deals = [{"deal_id": str(number), "console": number % ssps} for number in rng.permutation(count)]
    ids = [deal["deal_id"] for deal in deals]
    links = Links(((ids[0], ids[1]),), ((ids[0], ids[2]),), (ids[3],)) if ssps == 1 and count > 3 else Links()
    links = links if low + extra > 1 else Links()
    chosen = ClusteringSettings(
        method=method,
        max_deals=low + extra,
        min_size=low,
        overlap=overlap,
        small_clusters=mode,
        pack=pack,
        max_memberships=memberships,
        keep_apart=("console",),
    )
    found = cluster_deals(deals, vectors, chosen, links=links)
    own, left = own_memberships(found), [one.index for one in found.left_over]
    assert all(len({deals[i]["console"] for i in cluster.members}) == 1 for cluster in found.clusters)
    for cluster in found.clusters:
        named_members = {ids[index] for index in cluster.members}
        assert not any(set(pair) <= named_members for pair in links.apart)
        assert not named_members & set(links.excluded)
    homes = {ids[index]: place for index, place in found.own_cluster().items()}
    assert all(homes.get(first) == homes.get(second) for first, second in links.together)
    members = {index for cluster in found.clusters for index in cluster.members}
    assert members.isdisjoint(left)
    assert members | set(left) == set(range(count))
    assert len(left) == len(set(left))
    assert set(own) == members
    assert all(low <= len(cluster.members) <= low + extra for cluster in found.clusters)
    assert all(0 < strength <= 1 for cluster in found.clusters for strength in cluster.strengths)
    assert all(one.reason.endswith(".") for one in found.left_over)
    extras = sum(len(cluster.members) for cluster in found.clusters) - len(members)
    assert extras <= 0.2 * count * max(0, memberships - 1)
    order = rng.permutation(count)
    again = cluster_deals([deals[i] for i in order], vectors[order], chosen, links=links)
    assert [cluster.id for cluster in again.clusters] == [cluster.id for cluster in found.clusters]


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_every_covariance_finds_clear_themes_and_keeps_its_curve(covariance):
    planted = plant([30] * 8, seed=3, nuisance=0.0, noise=0.3)
    found = cluster_deals(
        planted.deals, planted.vectors, ClusteringSettings(max_deals=60, covariance=covariance)
    )
    owner = found.own_cluster()
    truth = [planted.themes[index][0] for index in owner]
    assert adjusted_rand_score(truth, list(owner.values())) > (0.6 if covariance == "full" else 0.8)
    assert (
        min(found.diagnostics["bic"], key=lambda point: point["bic"])["components"]
        == (found.diagnostics["components"])
    )


@pytest.mark.parametrize("method", DENSITY_METHODS)
def test_noise_is_left_over_with_its_reason_or_attached(method):
    planted = plant(SIZES, seed=5, bridges=60, noise=0.5)
    chosen = ClusteringSettings(method=method, max_deals=60)
    found = cluster_deals(planted.deals, planted.vectors, chosen)
    assert found.left_over
    assert any(item.reason == NOISE_REASON for item in found.left_over)
    attached = cluster_deals(planted.deals, planted.vectors, replace(chosen, small_clusters="attach"))
    assert not attached.left_over


def test_packing_makes_fewer_clusters_within_the_bounds():
    small = plant([6] * 30, seed=2)
    loose, packed = (
        cluster_deals(small.deals, small.vectors, ClusteringSettings(max_deals=25, pack=pack))
        for pack in (False, True)
    )
    assert len(packed.clusters) < 0.7 * len(loose.clusters)
    assert all(5 <= len(cluster.members) <= 25 for cluster in packed.clusters)


def test_deals_kept_apart_never_share_a_cluster_and_rare_kinds_are_named(planted):
    deals = [
        {**deal, "console": ("rare" if place < 3 else "north" if place % 2 else "south")}
        for place, deal in enumerate(planted.deals)
    ]
    chosen = ClusteringSettings(keep_apart=("console",), overlap=True, small_clusters="attach")
    found = cluster_deals(deals, planted.vectors, chosen)
    assert found.diagnostics["further_memberships"] > 0
    assert all(len({deals[index]["console"] for index in c.members}) == 1 for c in found.clusters)
    assert [item.index for item in found.left_over] == [0, 1, 2]
    assert found.left_over[0].reason.startswith("There are only 3 deals with console: rare to cluster")


def test_links_are_kept_and_stay_with_the_clustering(planted):
    free = cluster_deals(planted.deals, planted.vectors)
    ids = [deal["deal_id"] for deal in planted.deals]
    near, far = free.clusters[0].members, free.clusters[-1].members
    links = Links(((ids[near[0]], ids[far[0]]),), ((ids[near[1]], ids[near[2]]),), (ids[far[1]],))
    found = cluster_deals(planted.deals, planted.vectors, links=links)
    home = found.own_cluster()
    assert home[near[0]] == home[far[0]]
    assert home[near[1]] != home[near[2]]
    assert [item.reason for item in found.left_over if item.index == far[1]] == ["Excluded by the analyst."]
    assert found.links == links
    unchanged = {cluster.id for cluster in free.clusters} & {cluster.id for cluster in found.clusters}
    assert len(unchanged) >= len(free.clusters) - 4


def test_links_against_a_rule_are_refused_with_both_names(planted):
    deals = [{**deal, "console": str(place % 2)} for place, deal in enumerate(planted.deals)]
    links = Links(((deals[0]["deal_id"], deals[1]["deal_id"]),))
    with pytest.raises(ClusteringError, match=deals[1]["deal_id"]):
        cluster_deals(deals, planted.vectors, ClusteringSettings(keep_apart=("console",)), links=links)


def test_excluding_nearly_all_deals_leaves_the_rest_over(planted):
    ids = [deal["deal_id"] for deal in planted.deals]
    found = cluster_deals(planted.deals, planted.vectors, links=Links(excluded=tuple(ids[3:])))
    assert not found.clusters
    assert len(found.left_over) == len(ids)
    assert sum(item.reason == "Excluded by the analyst." for item in found.left_over) == len(ids) - 3


@pytest.mark.parametrize(
    ("count", "low", "high", "clustered"),
    [
        (0, 5, 30, 0),
        (1, 5, 30, 0),
        (4, 5, 30, 0),
        (5, 5, 30, 5),
        (6, 5, 30, 6),
        (1, 1, 1, 1),
        (2, 2, 2, 2),
        (30, 20, 25, 25),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_few_deals(count, low, high, clustered, method):
    vectors = np.random.default_rng(0).normal(size=(count, 384))
    deals = [{"deal_id": str(number)} for number in range(count)]
    found = cluster_deals(
        deals,
        vectors,
        ClusteringSettings(method=method, max_deals=high, min_size=low, small_clusters="attach"),
    )
    assert sum(len(cluster.members) for cluster in found.clusters) == clustered
    assert len(found.left_over) == count - clustered


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_equal_vectors_are_divided_within_the_bounds(value, method):
    found = cluster_deals(
        [{}] * 100, np.full((100, 384), value), ClusteringSettings(method=method, max_deals=25)
    )
    assert [len(cluster.members) for cluster in found.clusters] == [25] * 4
    assert len({cluster.id for cluster in found.clusters}) == 4


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(DENSITY_METHODS)))
@pytest.mark.parametrize("components", [1, 10, 1000])
def test_fixed_number_of_components_is_used_as_far_as_there_are_deals(planted, method, components):
    found = cluster_deals(
        planted.deals, planted.vectors, ClusteringSettings(method=method, components=components)
    )
    assert found.diagnostics["components"] == min(components, len(planted.deals))
    assert found.clusters


def test_diagnostics_hold_the_bic_curve_as_plain_values(planted):
    diagnostics = cluster_deals(planted.deals, planted.vectors).diagnostics
    best = min(diagnostics["bic"], key=lambda point: point["bic"])
    assert best["components"] == diagnostics["components"]
    assert len(diagnostics["bic"]) >= 4
    content_hash(dict(diagnostics))


def test_small_overlaps_are_called_unreliable():
    small = plant([10] * 6)
    notes = cluster_deals(small.deals, small.vectors, ClusteringSettings(overlap=True)).diagnostics["notes"]
    assert "60 deals" in notes[0]


@pytest.mark.parametrize(
    ("vectors", "sentence"),
    [
        (np.full((6, 8), np.nan), "6 of 6"),
        (np.array([[1.0, 2], [np.inf, 1], [1, 1], [1, 1], [1, 1], [1, 1]]), "1 of 6"),
        (np.zeros((5, 8)), "6 deals but 5 vectors"),
        (np.zeros((0, 384)), "6 deals but 0 vectors"),
        (np.zeros(6), "1 dimension"),
        (np.zeros((6, 0)), "no columns"),
        (np.array([["a"]] * 6), "not numbers"),
    ],
)
def test_unusable_vectors_are_refused_with_a_sentence(vectors, sentence):
    for call in (cluster_deals, cluster_deals_semantically, cluster_deals_with_soft_assignments):
        with pytest.raises(ClusteringError, match=sentence):
            call([{}] * 6, vectors)


def test_fewer_deals_than_the_minimum_give_no_clusters_whatever_the_vectors():
    for vectors in (np.zeros((0, 384)), np.zeros((4, 384))):
        assert cluster_deals_semantically([{}] * 4, vectors) == []
        assert cluster_deals_with_soft_assignments([{}] * 4, vectors) == []


def test_published_functions_return_the_clusters_as_index_lists(planted):
    hard = cluster_deals_semantically(planted.deals, planted.vectors)
    assert hard == [
        list(cluster.members) for cluster in cluster_deals(planted.deals, planted.vectors).clusters
    ]
    soft = cluster_deals_with_soft_assignments(planted.deals, planted.vectors, 25, 5, 0.2)
    assert sum(map(len, soft)) > len({index for members in soft for index in members})
    assert max(map(len, soft)) <= 25


def test_a_lower_threshold_adds_memberships(planted):
    counts = [
        cluster_deals(
            planted.deals, planted.vectors, ClusteringSettings(overlap=True, threshold=threshold)
        ).diagnostics["further_memberships"]
        for threshold in (0.9, 0.5, 0.3, 0.1)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_progress_is_told_in_sentences(planted):
    told = []
    cluster_deals(planted.deals, planted.vectors, on_progress=told.append)
    assert told[0] == "Comparing 264 vectors"
    assert any(sentence.startswith("Fitting ") for sentence in told)


def test_many_deals_are_clustered_in_parts(planted, monkeypatch):
    monkeypatch.setattr(partition, "DIRECT_LIMIT", 100)
    monkeypatch.setattr(partition, "_CELLS", 20)
    monkeypatch.setattr(partition, "PART", Bounds(60, 150))
    told = []
    found = cluster_deals(
        planted.deals, planted.vectors, ClusteringSettings(small_clusters="attach"), told.append
    )
    assert found.diagnostics["parts"] > 1
    assert sorted(own_memberships(found)) == list(range(264))
    assert any(sentence.startswith("Part 1 of ") for sentence in told)
