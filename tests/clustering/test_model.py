import pytest

from core.clustering import METHODS, ClusteringSettings
from core.errors import ClusteringError


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"method": "dbscan"}, "method"),
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
    settings = ClusteringSettings(method="kmeans", overlap=True, components=7)
    assert ClusteringSettings.from_dict(settings.to_dict()) == settings


def test_settings_of_another_version_are_refused_with_the_unknown_name():
    with pytest.raises(ClusteringError, match="colour"):
        ClusteringSettings.from_dict({"colour": "red"})


def test_every_method_is_accepted():
    assert [ClusteringSettings(method=method).method for method in METHODS] == ["gmm", "kmeans"]
