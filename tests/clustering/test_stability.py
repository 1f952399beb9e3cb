import numpy as np
import pytest

from core.clustering.geometry import group_means
from core.clustering.stability import NEIGHBOURHOOD, measure_stability, neighbourhoods


def blobs(sizes, seed=0, spread=1.0, width=6):
    """Points around far centres, and the number of the centre."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(sizes), width)) * 12
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return centres[labels] + spread * rng.normal(size=(len(labels), width)), labels


def stability_of(points, labels, seed=1):
    return measure_stability(points, labels, group_means(points, labels)[0], seed)


def test_separate_clusters_never_part():
    assert stability_of(*blobs([20, 15, 9, 30])).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("clusters", [2, 4, 12])
def test_random_clusters_are_near_the_bottom(clusters):
    points, _ = blobs([240])
    labels = np.random.default_rng(2).permutation(np.arange(240) % clusters)
    assert stability_of(points, labels).max() < 0.1


def test_one_random_cluster_is_told_from_good_ones():
    points, labels = blobs([20] * 10)
    labels[::10], labels[5::10] = 10, 11  # every tenth deal, whatever its theme
    stability = stability_of(points, labels)
    # Two clusters more than themes: the samples cut themes that one need not cut.
    assert stability[:10].min() > 0.6
    assert stability[10:].max() < 0.2


def test_merged_themes_are_blamed_and_a_theme_cut_to_size_is_not():
    points, labels = blobs([20] * 6)
    changed = np.maximum(labels - 1, 0)
    changed[labels == 5] = np.arange(20) % 2 + 4
    stability = stability_of(points, changed)
    assert stability[0] < 0.6
    assert stability[1:].tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("points", "labels"),
    [
        (np.arange(8.0)[:, None], np.zeros(8, dtype=int)),
        (np.arange(3.0)[:, None], np.array([0, 0, 1])),
    ],
    ids=["one cluster", "too few deals"],
)
def test_nothing_to_compare_gives_no_figure(points, labels):
    assert np.isnan(stability_of(points, labels)).all()


def test_lone_deals_have_no_figure():
    points, labels = blobs([10, 10, 1])
    stability = stability_of(points, labels)
    assert np.isnan(stability[2])
    assert (stability[:2] > 0.9).all()


def test_same_seed_gives_the_same_figures():
    points, labels = blobs([20, 15, 9, 30], spread=8)
    first = stability_of(points, labels)
    assert 0 < first.min() < first.max() < 1
    assert first.tolist() == stability_of(points, labels).tolist()
    assert first.tolist() != stability_of(points, labels, seed=2).tolist()


@pytest.mark.parametrize(("clusters", "deals"), [(60, 1_000), (400, 10_000), (7, 20_000), (2, 9), (1, 9)])
def test_neighbourhoods_hold_every_cluster_once_with_others(clusters, deals):
    centres = np.random.default_rng(0).normal(size=(clusters, 5))
    found = list(neighbourhoods(centres, deals))
    assert sorted(np.concatenate(found or [[]]).tolist()) == (list(range(clusters)) if clusters > 1 else [])
    assert all(len(places) >= 2 for places in found)
    if deals <= NEIGHBOURHOOD:
        assert len(found) == (clusters > 1)
    if clusters == 400:
        assert max(len(places) for places in found) * deals / clusters <= NEIGHBOURHOOD
