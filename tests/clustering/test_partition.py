import numpy as np
import pytest

from core.clustering import partition
from core.clustering.sizing import Bounds
from tests.clustering import plant


@pytest.fixture
def _small_parts(monkeypatch):
    monkeypatch.setattr(partition, "DIRECT_LIMIT", 200)
    monkeypatch.setattr(partition, "_CELLS", 40)
    monkeypatch.setattr(partition, "PART", Bounds(50, 150))


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize("themes", [0, 20])
def test_parts_hold_every_row_once_within_their_bounds(themes):
    vectors = plant([25] * themes, seed=1).vectors if themes else np.ones((500, 8))
    parts = partition.divide(vectors)
    assert sorted(np.concatenate(parts).tolist()) == list(range(500))
    assert all(50 <= len(part) <= 200 for part in parts)


@pytest.mark.usefixtures("_small_parts")
def test_parts_keep_themes_together():
    planted = plant([25] * 20, seed=1)
    themes = np.array([theme[0] for theme in planted.themes])
    parts = partition.divide(planted.vectors)
    kept = sum(max(np.count_nonzero(themes[part] == theme) for part in parts) for theme in range(20))
    assert kept / 500 > 0.98
