import numpy as np
import pytest

from benchmarks.clustering import (
    accounted,
    coverage,
    majority_theme,
    naive_groups,
    overlap_f1,
    packageable,
    purity,
)
from benchmarks.report import Row, Target
from core.clustering import Cluster, Clustering, ClusteringSettings, LeftOver

A, B, C = frozenset([0]), frozenset([1]), frozenset([2])
BRIDGE, NOISE = frozenset([0, 1]), frozenset()


@pytest.mark.parametrize(
    ("group", "themes", "expected"),
    [
        ([0, 1, 2], [A, B, B], 1),
        ([0, 1], [B, A], 0),
        ([0, 1, 2], [BRIDGE, B, NOISE], 1),
        ([0], [NOISE], None),
        ([], [], None),
    ],
)
def test_the_majority_theme_is_the_commonest_and_the_lowest_on_a_tie(group, themes, expected):
    assert majority_theme(group, themes) == expected


@pytest.mark.parametrize(
    ("groups", "themes", "expected"),
    [
        ([[0, 1, 2, 3]], [A, A, A, B], 3 / 4),
        ([[0, 1], [2, 3]], [A, A, A, B], 3 / 4),
        ([[0, 1, 2]], [A, A, NOISE], 1.0),  # noise fills no slot
        ([[0, 1, 2]], [A, A, BRIDGE], 1.0),  # a bridge counts for either theme
        ([[0, 1, 2]], [C, C, BRIDGE], 2 / 3),
        ([[0, 1], [1, 2, 3]], [A, A, B, B], 4 / 5),  # a deal in two clusters fills two slots
        ([[0]], [NOISE], 0.0),
        ([], [A], 0.0),
    ],
)
def test_purity_is_the_share_of_slots_of_the_majority_theme(groups, themes, expected):
    assert purity(groups, themes) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("groups", "themes", "expected"),
    [
        ([[0, 1, 2, 3, 4]], [A] * 5, 1.0),
        ([[0, 1, 2, 3], [4]], [A] * 5, 0.0),  # three mates are too few
        ([[0, 1, 2, 3, 4, 5]], [A] * 5 + [B], 5 / 6),
        ([[0, 1, 2, 3, 4]], [A] * 4 + [BRIDGE], 1.0),  # a bridge is a mate but no core deal
        ([[0, 1, 2, 3, 4]], [A] * 4 + [NOISE], 0.0),
        ([[0, 1, 2, 3, 4], [0, 5]], [A] * 6, 5 / 6),
        ([[0, 1, 2]], [NOISE] * 3, 0.0),
    ],
)
def test_a_core_deal_is_packageable_among_four_mates(groups, themes, expected):
    assert packageable(groups, themes) == pytest.approx(expected)


def test_coverage_counts_each_deal_once():
    assert coverage([[0, 1], [1, 2]], 4) == pytest.approx(3 / 4)


OWN = {0: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 1}


@pytest.mark.parametrize(
    ("groups", "themes", "expected"),
    [
        # The bridge 2 sits with theme 0 and also joins the cluster of theme 1.
        ([[0, 1, 2], [2, 3, 4, 5]], [A, A, BRIDGE, B, B, B], 1.0),
        # Nothing found.
        ([[0, 1, 2], [3, 4, 5]], [A, A, BRIDGE, B, B, B], 0.0),
        # One right and one wrong: precision 1/2, recall 1.
        ([[0, 1, 2], [0, 2, 3, 4, 5]], [A, A, BRIDGE, B, B, B], 2 / 3),
        # Two bridges, one found: precision 1, recall 1/2.
        ([[0, 1, 2], [2, 3, 4, 5]], [A, BRIDGE, BRIDGE, B, B, B], 2 / 3),
        # The further cluster stands for a theme the bridge does not have.
        ([[0, 1, 2], [2, 3, 4, 5]], [A, A, BRIDGE, C, C, C], 0.0),
        # The further cluster stands for the same theme as its own.
        ([[0, 1, 2], [2, 3, 4, 5]], [A, A, BRIDGE, A, A, A], 0.0),
        # Nothing to find and nothing claimed.
        ([[0, 1, 2], [3, 4, 5]], [A, A, A, B, B, B], 1.0),
    ],
)
def test_overlap_f1_asks_for_the_second_theme_of_a_bridge(groups, themes, expected):
    assert overlap_f1(groups, OWN, themes) == pytest.approx(expected)


def test_a_deal_that_is_nowhere_or_twice_is_not_accounted_for():
    clustering = Clustering(
        (Cluster("c", (0, 1), (1.0, 1.0)),),
        (LeftOver(1, "twice"), LeftOver(2, "alone")),
        ClusteringSettings(),
    )
    assert accounted(clustering, 4) == pytest.approx(2 / 4)


def test_the_naive_baseline_cuts_in_input_order_and_drops_what_is_small():
    rng = np.random.default_rng(3)
    centres = np.zeros((62, 2))
    centres[:58] = [10, 0]
    vectors = (centres + rng.normal(scale=0.01, size=centres.shape)).astype(np.float32)
    groups = naive_groups(vectors)
    assert sorted(index for group in groups for index in group) == list(range(58))
    assert groups == [list(range(25)), list(range(25, 50)), list(range(50, 58))]


@pytest.mark.parametrize(
    ("values", "target", "reached"),
    [
        ((0.9, 0.95), Target(0.9), True),
        ((0.89, 0.95), Target(0.9), False),  # the worst value counts, not the median
        ((0.1, 0.21), Target(0.2, at_least=False), False),
        ((0.1, 0.2), Target(0.2, at_least=False), True),
        ((0.1,), None, True),
    ],
)
def test_a_target_is_reached_by_the_worst_value(values, target, reached):
    assert Row("figure", values, target).reached is reached


def test_a_row_says_what_was_missed():
    assert ">= 0.9: NOT reached" in str(Row("purity", (0.8, 0.95), Target(0.9)))
    assert "0.800    0.875    0.950" in str(Row("purity", (0.8, 0.95)))


@pytest.mark.parametrize(
    ("target", "values", "kept"),
    [
        (Target(0.9), (0.95, 0.89), False),
        (Target(0.9, median=True), (0.95, 0.89, 0.91), True),
        (Target(0.9, median=True), (0.95, 0.89, 0.89), False),
        (Target(0.2, at_least=False, median=True), (0.1, 0.3, 0.2), True),
    ],
)
def test_a_target_is_kept_by_every_value_or_by_the_median(target, values, kept):
    assert Row("", values, target).reached is kept
