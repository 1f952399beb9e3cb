"""Two clusterings side by side: matched clusters, deals that changed, figures that add up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clustering.cluster import Cluster, Clustering, ClusteringSettings, LeftOver
from core.clustering.compare import Match, Moved, compare_clusterings


def clustering(*groups, deals, extra=None):
    """Clusters of these deals; `extra` gives the first cluster a further member."""
    clusters = []
    for place, group in enumerate(groups):
        strengths = {
            **dict.fromkeys(group, 1.0),
            **({extra: 0.4} if extra is not None and place == 0 else {}),
        }
        clusters.append(
            Cluster(str(place), tuple(sorted(strengths)), tuple(strengths[i] for i in sorted(strengths)))
        )
    placed = {index for group in groups for index in group}
    left = tuple(LeftOver(index, "Far.") for index in range(deals) if index not in placed)
    return Clustering(tuple(clusters), left, ClusteringSettings())


def compared(before, after, deals):
    ids = [f"d{index}" for index in range(deals)]
    return compare_clusterings(ids, clustering(*before, deals=deals), clustering(*after, deals=deals))


def test_clusters_are_matched_whatever_their_order_and_nothing_moved():
    result = compared([[0, 1, 2], [3, 4]], [[3, 4], [0, 1, 2]], 6)
    assert result.matches == (Match(0, 1, 3), Match(1, 0, 2))
    assert (result.moved, result.same, result.adjusted_rand) == ((), 6, 1.0)
    assert (result.split, result.merged) == ((), ())


def test_matching_keeps_as_many_deals_as_possible_in_place():
    # Taking the largest overlap (3) first would keep 3 + 0 deals, the other way 2 + 2.
    result = compared([[0, 1, 2, 3, 4], [5, 6]], [[0, 1, 2, 5, 6], [3, 4]], 7)
    assert result.matches == (Match(0, 1, 2), Match(1, 0, 2))
    assert [item.index for item in result.moved] == [0, 1, 2]


def test_every_kind_of_change_is_listed_and_counted():
    result = compared([[0, 1, 2, 3], [4, 5, 6]], [[0, 1, 2, 4], [5, 6, 7]], 9)
    assert result.moved == (
        Moved(3, "d3", 0, None),
        Moved(4, "d4", 1, 0),
        Moved(7, "d7", None, 1),
    )
    assert [item.change for item in result.moved] == ["left over", "moved", "clustered"]
    assert (result.same, result.changed, result.newly_left_over, result.newly_clustered) == (6, 1, 1, 1)


def test_deals_of_a_cluster_without_a_match_moved():
    result = compared([[0, 1, 2], [3, 4]], [[0, 1, 2, 3, 4]], 5)
    assert (result.matches, [item.index for item in result.moved]) == ((Match(0, 0, 3),), [3, 4])


@pytest.mark.parametrize(
    ("before", "after", "split", "merged"),
    [
        ([[0, 1, 2, 3]], [[0, 1], [2, 3]], (0,), ()),
        ([[0, 1], [2, 3]], [[0, 1, 2, 3]], (), (0,)),
        ([[0, 1, 2, 3, 4]], [[0, 1, 2, 3], [4]], (), ()),  # one stray makes no split
        ([[0, 1], [2]], [[0, 1]], (), ()),
    ],
)
def test_split_and_merged_clusters_are_named_but_strays_are_not(before, after, split, merged):
    result = compared(before, after, 5)
    assert (result.split, result.merged) == (split, merged)


def test_further_memberships_do_not_count():
    ids = ["a", "b", "c", "d"]
    plain = clustering([0, 1], [2, 3], deals=4)
    result = compare_clusterings(ids, plain, clustering([0, 1], [2, 3], deals=4, extra=3))
    assert (result.same, result.adjusted_rand) == (4, 1.0)


def test_the_adjusted_rand_index_counts_deals_clustered_both_times():
    result = compared([[0, 1, 2], [3, 4, 5]], [[0, 1], [3, 4, 5]], 7)
    assert result.adjusted_rand == 1.0
    # Hand-made: pairs together in both 2, before 6, after 6 of 15 -> (2 - 2.4) / (6 - 2.4).
    crossed = compared([[0, 1, 2], [3, 4, 5]], [[0, 1, 3], [2, 4, 5]], 6)
    assert crossed.adjusted_rand == pytest.approx((2 - 36 / 15) / (6 - 36 / 15))


@pytest.mark.parametrize(("before", "after"), [([], []), ([[0, 1]], []), ([], [[0, 1]])])
def test_without_clusters_on_a_side_there_is_nothing_to_agree_on(before, after):
    result = compared(before, after, 2)
    assert (result.adjusted_rand, result.matches) == (None, ())
    assert (result.newly_left_over, result.newly_clustered) == (2 * bool(before), 2 * bool(after))


labels = st.lists(st.integers(-1, 4), min_size=1, max_size=40)


@given(before=labels, seed=st.integers(0, 100))
@settings(max_examples=60, deadline=None)
def test_the_figures_add_up_to_all_deals(before, seed):
    n = len(before)
    after = np.random.default_rng(seed).permutation(before).tolist()
    groups = [[[i for i in range(n) if side[i] == label] for label in range(5)] for side in (before, after)]
    result = compared(*[[group for group in side if group] for side in groups], n)
    assert result.same + result.changed + result.newly_left_over + result.newly_clustered == n
    assert len(result.moved) == n - result.same
    assert result.same == sum(match.shared for match in result.matches) + sum(
        a == b == -1 for a, b in zip(before, after, strict=True)
    )
