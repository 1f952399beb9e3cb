import subprocess
import sys

import numpy as np
import pytest

from core.embeddings import Encoder
from core.errors import EncodingFailed
from tests.fakes.embeddings import FakeEncoder


def test_it_is_an_encoder_for_the_type_checker_and_gives_unit_rows():
    encoder: Encoder = FakeEncoder()
    vectors = encoder.encode(["sports news", "", "Format: video", "日本語", "\ud800"])
    assert vectors.shape == (5, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_no_texts_give_no_rows():
    assert FakeEncoder().encode([]).shape == (0, 384)


def test_texts_that_share_words_are_closer_than_texts_that_do_not():
    sports, football, cooking = FakeEncoder().encode(
        [
            "live sports football stadium",
            "football stadium highlights sports",
            "baking recipes kitchen family",
        ]
    )
    assert sports @ football > 0.6
    assert abs(sports @ cooking) < 0.2


def test_labels_that_all_deal_texts_share_do_not_make_them_alike():
    one, other = FakeEncoder().encode(["SSP: Index. Format: video", "SSP: Magnite. Format: audio"])
    assert abs(one @ other) < 0.2


def test_noise_tells_texts_of_the_same_words_apart():
    plain, reordered = FakeEncoder().encode(["auto news", "news auto"])
    assert 0.9 < plain @ reordered < 0.999
    assert np.array_equal(*FakeEncoder(noise=0).encode(["auto news", "news auto"]))


def test_a_text_has_the_same_vector_alone_in_a_batch_and_in_another_process():
    alone = FakeEncoder().encode(["auto news"])[0]
    assert np.array_equal(FakeEncoder().encode(["x", "auto news"])[1], alone)
    code = (
        "from tests.fakes.embeddings import FakeEncoder; "
        "print(FakeEncoder().encode(['auto news'])[0, :3].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(alone[:3].tolist())


def test_history_holds_the_batches_and_failure_is_raised_while_it_is_set():
    encoder = FakeEncoder(dimensions=8)
    encoder.encode(["a", "b"])
    encoder.failure = EncodingFailed("out of memory")
    with pytest.raises(EncodingFailed, match="out of memory"):
        encoder.encode(["c"])
    encoder.failure = None
    assert encoder.encode(["c"]).shape == (1, 8)
    assert encoder.history == [("a", "b"), ("c",), ("c",)]
    assert encoder.texts == ["a", "b", "c", "c"]
