"""The forecast is what a run then gives: exactly where groups are known, nearly where they are not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clustering import cluster_deals
from core.clustering.cluster import Clustering, ClusteringSettings
from core.clustering.forecast import Forecast, Outline, build_outline, forecast
from core.clustering.sizing import Bounds, bound_sizes
from core.deals.deal import Deal
from core.errors import ClusteringError
from tests.clustering import plant

SIZES = [40, 25, 30, 15, 22, 18, 35, 28, 12, 9]


@pytest.fixture(scope="module")
def planted():
    return plant(SIZES, seed=5)


@pytest.fixture(scope="module")
def outline(planted):
    return build_outline(planted.deals, planted.vectors)


def run_of(sizes, **changes):
    """A finished run that found groups of these sizes."""
    diagnostics = {"deals": sum(sizes), "group_sizes": sizes, "components": len(sizes)}
    return Clustering((), (), ClusteringSettings(**changes), diagnostics)


# --- what is said -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimate", "sentence"),
    [
        (
            Forecast(40, 6, 25, 12, 40, "tree"),
            "About 40 clusters of 6 to 25 deals, 12 left over, 40 model calls.",
        ),
        (Forecast(3, 1, 1, 0, 3, "run"), "About 3 clusters of 1 deal, none left over, 3 model calls."),
        (Forecast(1, 9, 9, 0, 1, "run"), "About 1 cluster of 9 deals, none left over, 1 model call."),
        (
            Forecast(1234, 5, 25, 137, 1234, "count"),
            "About 1,200 clusters of 5 to 25 deals, 140 left over, 1,200 model calls.",
        ),
        (Forecast(0, None, None, 3, 0, "count"), "No clusters, 3 left over, no model calls."),
        (Forecast(0, None, None, 0, 0, "count"), "No clusters, none left over, no model calls."),
    ],
)
def test_the_estimate_is_one_sentence_with_sensible_numbers(estimate, sentence):
    assert estimate.sentence == sentence


# --- the rules of sizing ----------------------------------------------------------------------


@given(
    low=st.integers(1, 8),
    spread=st.integers(0, 20),
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=8),
    mode=st.sampled_from(["leave_out", "attach"]),
    overlap=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_known_groups_give_exactly_the_clusters_that_sizing_makes_of_them(low, spread, sizes, mode, overlap):
    bounds = Bounds(low, low + spread)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    points = np.random.default_rng(0).normal(size=(len(labels), 3)) + labels[:, None]
    target = bounds.within(0.85) if overlap else None
    made = bound_sizes(points, labels, bounds, small_clusters=mode, target=target)
    asked = ClusteringSettings(max_deals=bounds.high, min_size=low, overlap=overlap, small_clusters=mode)
    estimate = forecast(len(labels), asked, last=run_of(sizes, min_size=low, max_deals=low))
    assert estimate.basis == "run"
    assert estimate.clusters == estimate.model_calls == len(made.groups)
    assert estimate.left_over == len(made.left_over)
    if mode == "leave_out" and made.groups:
        counts = [len(group) for group in made.groups]
        assert estimate.smallest <= min(counts)
        assert estimate.largest >= max(counts)


@pytest.mark.parametrize(
    ("sizes", "clusters", "smallest", "largest"),
    [([10] * 10, 5, 20, 20), ([24, 2, 3, 25], 3, 5, 25), ([30, 13, 13], 4, 5, 25)],
)
def test_packing_joins_groups_that_fit_together(sizes, clusters, smallest, largest):
    asked = ClusteringSettings(max_deals=25, min_size=5, pack=True)
    estimate = forecast(sum(sizes), asked, last=run_of(sizes))
    assert (estimate.clusters, estimate.smallest, estimate.largest) == (clusters, smallest, largest)


@pytest.mark.parametrize(
    ("sizes", "smallest", "largest"), [([30], 10, 20), ([48], 23, 25), ([30, 48], 10, 25), ([12], 12, 12)]
)
def test_sizes_are_those_that_splitting_can_give(sizes, smallest, largest):
    estimate = forecast(
        sum(sizes), ClusteringSettings(max_deals=25, min_size=10), last=run_of(sizes, min_size=10)
    )
    assert (estimate.smallest, estimate.largest) == (smallest, largest)


def test_noise_is_left_out_or_attached_but_excluded_deals_stay_out():
    noisy = run_of([20, 20, 10], method="dbscan")
    noisy = replace(noisy, diagnostics={**noisy.diagnostics, "deals": 57})
    asked = ClusteringSettings(method="dbscan", max_deals=25)
    assert forecast(57, asked, last=noisy).left_over == 7
    assert forecast(57, replace(asked, small_clusters="attach"), last=noisy).left_over == 0
    excluding = replace(noisy, settings=ClusteringSettings())
    attach = ClusteringSettings(max_deals=25, small_clusters="attach")
    assert forecast(57, attach, last=excluding).left_over == 7


def test_further_memberships_may_fill_a_cluster_up_to_the_bound():
    run = run_of([50, 12])
    assert forecast(62, ClusteringSettings(max_deals=25, overlap=True), last=run).largest == 25
    assert forecast(62, ClusteringSettings(max_deals=60, overlap=True), last=run).largest == 60


def test_a_run_of_fewer_deals_is_scaled():
    assert forecast(200, ClusteringSettings(max_deals=25), last=run_of([25] * 4)).clusters == 8


# --- what it is based on ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "made", "basis"),
    [
        ({"max_deals": 50, "overlap": True, "small_clusters": "attach", "pack": True}, {}, "run"),
        ({"method": "kmeans"}, {}, "tree"),
        ({"components": 7}, {}, "tree"),
        ({"min_size": 6}, {}, "tree"),
        ({"covariance": "diag"}, {}, "tree"),
        ({"keep_apart": ("ssp",)}, {}, "tree"),
        ({}, {"pack": True}, "run"),
        ({"method": "hdbscan"}, {}, "count"),
        ({"method": "hdbscan"}, {"method": "hdbscan"}, "run"),
    ],
)
def test_a_run_counts_only_where_it_found_the_same_groups(planted, outline, asked, made, basis):
    count = len(planted.deals)
    last = replace(run_of(SIZES), settings=ClusteringSettings(**made))
    assert forecast(count, ClusteringSettings(**asked), outline, last).basis == basis


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, ""),
        ({"method": "dbscan"}, "What dbscan finds and leaves out is known after a run."),
        ({"keep_apart": ("ssp",)}, "The rules that keep deals apart are not considered."),
    ],
)
def test_what_the_estimate_does_not_know_is_said(asked, words):
    assert forecast(100, ClusteringSettings(**asked)).note == words


def test_the_number_of_components_comes_from_the_settings_then_a_run_then_the_tree(planted, outline):
    many = ClusteringSettings(max_deals=300, min_size=1)
    count = len(planted.deals)
    last = run_of([count // 13] * 13, min_size=2)
    assert forecast(count, replace(many, components=4), outline, last).clusters == 4
    assert forecast(count, many, outline, last).clusters == 13
    assert forecast(count, replace(many, method="kmeans"), outline, last).clusters == outline.components


# --- against real runs ------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize(("low", "high"), [(3, 10), (5, 25), (8, 60)])
def test_the_tree_foretells_what_cutting_it_gives(planted, outline, low, high, overlap):
    asked = ClusteringSettings(method="agglomerative", max_deals=high, min_size=low, overlap=overlap)
    made = cluster_deals(planted.deals, planted.vectors, asked)
    estimate = forecast(planted.deals, asked, outline)
    assert estimate.basis == "tree"
    assert (estimate.clusters, estimate.left_over) == (len(made.clusters), len(made.left_over))


@pytest.mark.parametrize("method", ["gmm", "kmeans", "hdbscan"])
def test_a_run_foretells_every_other_bound_exactly(planted, method):
    made = cluster_deals(planted.deals, planted.vectors, ClusteringSettings(method=method))
    asked = ClusteringSettings(method=method, max_deals=12, overlap=True, small_clusters="attach")
    again = cluster_deals(planted.deals, planted.vectors, asked)
    estimate = forecast(planted.deals, asked, last=made)
    assert estimate.basis == "run"
    assert (estimate.clusters, estimate.left_over) == (len(again.clusters), len(again.left_over))


@pytest.mark.parametrize(("low", "high"), [(3, 10), (5, 25), (8, 40)])
def test_the_count_alone_comes_near(low, high):
    sizes = np.random.default_rng(3).integers(4, 61, size=20).tolist()
    planted = plant(sizes, seed=3, width=128)
    asked = ClusteringSettings(max_deals=high, min_size=low)
    made = cluster_deals(planted.deals, planted.vectors, asked)
    assert forecast(len(planted.deals), asked).clusters == pytest.approx(len(made.clusters), rel=0.2)


# --- rules that keep deals apart --------------------------------------------------------------


def test_groups_are_divided_by_what_keeps_deals_apart(planted, outline):
    asked = ClusteringSettings(max_deals=60, keep_apart=("ssp",))
    halves = [Deal(item["deal_id"], ssp_name=f"ssp {place % 2}") for place, item in enumerate(planted.deals)]
    one = forecast([replace(deal, ssp_name="x") for deal in halves], asked, outline)
    two = forecast(halves, asked, outline)
    assert (one.clusters, two.clusters) == (10, 19)  # a half of the smallest theme of 9 is too small
    assert two.left_over == 4


@pytest.mark.parametrize("crossing", [False, True])
def test_each_stratum_gets_its_share_of_the_components_asked_for(planted, outline, crossing):
    asked = ClusteringSettings(max_deals=200, min_size=1, components=10, keep_apart=("ssp",))
    sides = [place % 2 if crossing else theme[0] % 2 for place, theme in enumerate(planted.themes)]
    deals = [
        Deal(item["deal_id"], ssp_name=f"ssp {side}") for item, side in zip(planted.deals, sides, strict=True)
    ]
    made = cluster_deals(deals, planted.vectors, asked)
    assert forecast(deals, asked, outline).clusters == len(made.clusters)


def test_strays_among_the_groups_of_another_stratum_are_not_left_over(planted, outline):
    # One deal of each theme from 30 deals on lies in the stratum of the other themes.
    first = {theme: planted.themes.index(theme) for theme in planted.themes}
    large = {place for theme, place in first.items() if SIZES[theme[0]] >= 30}
    sides = [(theme[0] + (place in large)) % 2 for place, theme in enumerate(planted.themes)]
    deals = [
        Deal(item["deal_id"], ssp_name=f"ssp {side}") for item, side in zip(planted.deals, sides, strict=True)
    ]
    estimate = forecast(deals, ClusteringSettings(max_deals=60, keep_apart=("ssp",)), outline)
    assert (estimate.clusters, estimate.left_over) == (10, 0)


def test_a_stratum_with_too_few_deals_is_left_over(planted, outline):
    asked = ClusteringSettings(max_deals=60, small_clusters="attach", keep_apart=("ssp",))
    deals = [
        Deal(item["deal_id"], ssp_name="rare" if place < 3 else "usual")
        for place, item in enumerate(planted.deals)
    ]
    assert forecast(deals, asked, outline).left_over == 3
    assert forecast(deals, asked).left_over == 3


# --- the outline ------------------------------------------------------------------------------


def test_the_outline_survives_storage(outline):
    kept = outline.to_array()
    again = Outline.from_array(np.frombuffer(kept.tobytes(), dtype=np.float32).reshape(-1, kept.shape[1]))
    assert kept.dtype == np.float32
    assert (again.deals, again.components) == (outline.deals, outline.components)
    assert np.array_equal(again.rows, outline.rows)
    assert all(np.array_equal(again.cut(groups), outline.cut(groups)) for groups in (1, 2, 10, 50))


def test_the_order_of_the_deals_does_not_matter(planted, outline):
    shuffled, order = planted.shuffled(seed=1)
    again = build_outline(shuffled.deals, shuffled.vectors)
    assert np.array_equal(order[again.rows], outline.rows)
    assert np.array_equal(again.merges, outline.merges)


def test_a_large_file_is_sampled_evenly_and_scaled():
    planted = plant([20] * 160, seed=2, width=32)
    outline = build_outline(planted.deals, planted.vectors)
    assert (len(outline.rows), outline.deals) == (3000, 3200)
    estimate = forecast(3200, ClusteringSettings(max_deals=25, components=160), outline)
    assert estimate.clusters == pytest.approx(160, rel=0.05)


@pytest.mark.parametrize(
    ("count", "clusters", "left_over"), [(0, 0, 0), (1, 0, 1), (4, 0, 4), (12, 1, 0), (60, 2, 0)]
)
def test_few_or_equal_deals_can_be_forecast(count, clusters, left_over):
    deals = [{"deal_id": f"d{number}"} for number in range(count)]
    outline = build_outline(deals, np.ones((count, 8), dtype=np.float32))
    again = Outline.from_array(outline.to_array())
    for kept in (outline, again):
        estimate = forecast(deals, ClusteringSettings(max_deals=30), kept)
        assert (estimate.clusters, estimate.left_over) == (clusters, left_over)


def test_an_outline_of_other_deals_is_refused(planted, outline):
    with pytest.raises(ClusteringError, match=r"built for 234 deals, not for 5: build it again\.$"):
        forecast(planted.deals[:5], ClusteringSettings(), outline)
    with pytest.raises(ClusteringError, match=r"\(4, 2\)"):
        Outline.from_array(np.zeros((4, 2), dtype=np.float32))
