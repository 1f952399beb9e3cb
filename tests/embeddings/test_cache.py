"""Vectors kept by the text they were made of: found again, dropped when old, never trusted when damaged."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from core import clock
from core.embeddings import CachedEncoder, EmbeddingCache, embed_deals, open_encoder
from core.embeddings.encoder import vectors_name
from core.errors import EncodingFailed
from tests.fakes.embeddings import FakeEncoder

TEXTS = ["auto news", "children cartoons", "auto news", "evening sports"]
DEALS = [{"deal_id": f"A-{number}", "deal_name": text} for number, text in enumerate(TEXTS)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "embeddings.db"


def encoder(path: Path, fake: FakeEncoder, limit_mb: int = 100) -> CachedEncoder:
    return CachedEncoder(fake.name, lambda: fake, EmbeddingCache(path, limit_mb))


def test_a_second_run_encodes_nothing_and_does_not_even_load_the_model(path):
    first = embed_deals(DEALS, encoder(path, FakeEncoder()))

    def load():
        raise AssertionError("every text is known")

    again = CachedEncoder(FakeEncoder().name, load, EmbeddingCache(path, 100))
    assert np.array_equal(embed_deals(DEALS, again), first)


def test_only_new_texts_are_encoded_each_once(path):
    encoder(path, FakeEncoder()).encode(TEXTS[:2])
    fake = FakeEncoder()
    encoder(path, fake).encode([*TEXTS, "evening sports"])
    assert fake.texts == ["evening sports"]


def test_a_text_has_the_same_vector_kept_or_new_and_close_to_the_models(path):
    fresh = encoder(path, FakeEncoder()).encode(TEXTS)
    kept = encoder(path, FakeEncoder()).encode(TEXTS)
    assert np.array_equal(fresh, kept)
    assert fresh.dtype == np.float32
    assert np.allclose(fresh, FakeEncoder().encode(TEXTS), atol=1e-3)


def test_other_weights_have_other_vectors(path):
    encoder(path, FakeEncoder()).encode(TEXTS)
    other = FakeEncoder(dimensions=8)
    assert encoder(path, other).encode(TEXTS).shape == (4, 8)
    assert len(other.texts) == 3


def test_no_text_asks_for_no_vector(path):
    assert encoder(path, FakeEncoder()).encode([]).shape == (0, 384)


def test_unusable_vectors_are_not_kept(path):
    class Broken(FakeEncoder):
        def encode(self, texts):
            return np.full((len(texts), 4), np.nan, dtype=np.float32)

    broken = Broken()
    with pytest.raises(EncodingFailed):
        embed_deals(DEALS, encoder(path, broken))
    assert EmbeddingCache(path, 100).get(broken.name, TEXTS) == {}


def test_over_its_limit_the_file_drops_what_was_not_used_for_longest(path):
    cache, vectors = EmbeddingCache(path, 1), np.ones((1_000, 384), dtype=np.float32)
    old, new = ([f"{age} {number}" for number in range(1_000)] for age in ("old", "new"))
    cache.put("m", old[:100], vectors[:100])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE vectors SET used_day = 1")
    connection.close()
    assert len(cache.get("m", old[:10])) == 10  # used again, so no longer old
    cache.put("m", new, vectors)
    kept_old = cache.get("m", old[:100])
    assert 0 < len(cache.get("m", new)) <= 1_000
    assert set(kept_old) <= set(old[:10])


def test_a_full_file_stays_near_its_limit(path):
    cache = EmbeddingCache(path, 1)
    for start in range(0, 5_000, 500):
        cache.put("m", [str(n) for n in range(start, start + 500)], np.ones((500, 384), dtype=np.float32))
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT count(*) FROM vectors").fetchone()[0]
    connection.close()
    assert 500 < rows * 800 < 1_000_000


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 100, b"\0" * 4096])
def test_a_damaged_file_is_begun_anew(path, content, caplog):
    encoder(path, FakeEncoder()).encode(TEXTS)
    for leftover in path.parent.iterdir():
        leftover.unlink()
    path.write_bytes(content)
    fake = FakeEncoder()
    assert encoder(path, fake).encode(TEXTS).shape == (4, 384)
    assert len(fake.texts) == 3
    assert encoder(path, FakeEncoder()).encode(TEXTS).shape == (4, 384)
    assert ("begun anew" in caplog.text) == bool(content)


def test_a_vector_damaged_inside_a_sound_file_is_not_taken_for_one(path):
    encoder(path, FakeEncoder()).encode(TEXTS)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE vectors SET data = substr(data, 1, 7)")
    connection.close()
    fake = FakeEncoder()
    assert encoder(path, fake).encode(TEXTS).shape == (4, 384)
    assert len(fake.texts) == 3


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert encoder(blocked / "embeddings.db", FakeEncoder()).encode(TEXTS).shape == (4, 384)
    assert "going on without it" in caplog.text


def test_threads_share_one_file(path):
    def work():
        encoder(path, FakeEncoder()).encode([f"text {number}" for number in range(50)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(EmbeddingCache(path, 100).get(FakeEncoder().name, [f"text {n}" for n in range(50)])) == 50


def test_the_name_tells_folders_apart_by_every_file(tmp_path):
    names = []
    for pooling in ("mean", "cls"):
        folder = tmp_path / pooling / "model"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"same weights")
        (folder / "pooling.json").write_text(pooling)
        names.append(vectors_name(str(folder)))
    assert names[0] != names[1]
    assert vectors_name("nobody/a-model-of-the-hub") is None


def test_the_default_model_has_a_name_before_it_is_loaded(path):
    opened = open_encoder("all-MiniLM-L6-v2", EmbeddingCache(path, 100))
    assert opened.name.startswith("all-MiniLM-L6-v2:53aa51172d142c89:")


def test_what_was_used_today_is_written_once_a_day(path):
    cache = EmbeddingCache(path, 100)
    cache.put("m", ["a"], np.ones((1, 4), dtype=np.float32))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE vectors SET used_day = 0")
    connection.close()
    cache.get("m", ["a"])
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT used_day FROM vectors").fetchone()[0] == int(
            clock.epoch_s() // 86_400
        )
    connection.close()
