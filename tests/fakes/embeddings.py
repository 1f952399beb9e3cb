"""A fake embedding model: texts that share words lie close together, and no weights are needed.

Every word has its own random direction, drawn from a hash of the word; a text points along the
sum of its words' directions plus a little noise drawn from a hash of the whole text. So texts on
one topic form real clusters, and the same text has the same vector in every process.

    encoder = FakeEncoder()
    vectors = embed_deals(deals, encoder)
    assert encoder.history == [...]  # the batches it was asked for
    encoder.failure = EncodingFailed("out of memory")  # the next calls raise it
"""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.settings import EMBEDDING_DIMENSIONS

__all__ = ["FakeEncoder"]

FloatArray = NDArray[np.float32]

# A word before a colon is a label ("Format:") that all deal texts share; it says nothing.
_WORD = re.compile(r"\b\w+\b(?!:)")


class FakeEncoder:
    """An `Encoder` without a model.

    dimensions: length of a vector. noise: length of the noise next to the unit-length topic
    direction; 0 gives equal vectors to texts of the same words.
    history: the batches asked for, oldest first. failure: raised by `encode` while it is set.
    """

    def __init__(self, dimensions: int = EMBEDDING_DIMENSIONS, noise: float = 0.2) -> None:
        self.dimensions = dimensions
        self.noise = noise
        self.name = f"fake:{dimensions}:{noise}"
        self.history: list[tuple[str, ...]] = []
        self.failure: Exception | None = None

    @property
    def texts(self) -> list[str]:
        """Every text asked for, in order."""
        return [text for batch in self.history for text in batch]

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return (len(texts), dimensions) float32, unit length. Raises `failure` when it is set."""
        self.history.append(tuple(texts))
        if self.failure is not None:
            raise self.failure
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._vector(text)
        return vectors

    def _vector(self, text: str) -> NDArray[np.float64]:
        topic = np.zeros(self.dimensions)
        for word in sorted(set(_WORD.findall(text.casefold()))):
            topic += _direction(f"word {word}", self.dimensions)
        length = float(np.linalg.norm(topic))
        noise = _direction(f"text {text}", self.dimensions)
        # A text without words still gets a direction: no caller has to handle zero rows.
        vector = topic / length + self.noise * noise if length else noise
        unit: NDArray[np.float64] = vector / np.linalg.norm(vector)
        return unit


@lru_cache(maxsize=50_000)
def _direction(name: str, dimensions: int) -> NDArray[np.float64]:
    """Return the unit vector that belongs to a name; read-only, because it is shared."""
    # Not hash(): it differs from process to process.
    seed = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    drawn = np.random.default_rng(seed).normal(size=dimensions)
    unit: NDArray[np.float64] = drawn / np.linalg.norm(drawn)
    unit.flags.writeable = False
    return unit
