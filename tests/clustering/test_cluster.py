import json

import pytest

from core.clustering import METHODS, Cluster, Clustering, ClusteringSettings, LeftOver, Links
from core.errors import ClusteringError


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"method": "birch"}, "agglomerative"),
        ({"covariance": "round"}, "spherical"),
        ({"max_memberships": 0}, "clusters"),
        ({"method": "hdbscan", "components": 7}, "own number"),
        ({"small_clusters": "drop"}, "small_clusters"),
        ({"min_size": 0}, "smallest"),
        ({"max_deals": 4, "min_size": 5}, "largest"),
        ({"threshold": 0.0}, "threshold"),
        ({"threshold": 1.1}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"max_overlap_share": -0.1}, "share"),
        ({"max_overlap_share": 1.5}, "share"),
        ({"components": 0}, "components"),
    ],
)
def test_impossible_settings_are_refused_by_name(values, word):
    with pytest.raises(ClusteringError, match=word):
        ClusteringSettings(**values)


def test_settings_survive_storage():
    settings = ClusteringSettings(
        method="kmeans", overlap=True, components=7, keep_apart=("ssp", "format"), pack=True
    )
    assert ClusteringSettings.from_dict(settings.to_dict()) == settings


def test_settings_of_another_version_are_refused_with_the_unknown_name():
    with pytest.raises(ClusteringError, match="colour"):
        ClusteringSettings.from_dict({"colour": "red"})


def test_every_method_is_accepted():
    accepted = [ClusteringSettings(method=method).method for method in METHODS]
    assert accepted == ["gmm", "kmeans", "hdbscan", "dbscan", "agglomerative"]


def test_a_clustering_survives_storage_as_json():
    clustering = Clustering(
        (Cluster("a1", (0, 2), (1.0, 0.4)), Cluster("b2", (1, 2), (1.0, 1.0))),
        (LeftOver(3, "Excluded by the analyst."),),
        ClusteringSettings(keep_apart=("ssp",)),
        {"components": 2},
        Links((("D1", "D2"),), (("D1", "D3"),), ("D4",)),
        novel=(1,),
    )
    assert Clustering.from_dict(json.loads(json.dumps(clustering.to_dict()))) == clustering


def test_a_clustering_saved_before_links_existed_has_none():
    saved = Clustering((), (), ClusteringSettings()).to_dict()
    old = {name: saved[name] for name in ("settings", "clusters", "left_over", "diagnostics")}
    assert Clustering.from_dict(old).links == Links()
