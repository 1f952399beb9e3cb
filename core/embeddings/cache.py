"""Vectors kept by the text they were made of, so that no text is encoded twice.

The cache is a file of its own beside the workspace and holds nothing that cannot be computed
again: when it is damaged, it is begun anew.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from core import clock
from core.arrays import FloatArray
from core.embeddings.encoder import Encoder, load_encoder, vectors_name

_log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, used_day INTEGER NOT NULL, data BLOB NOT NULL)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS oldest ON vectors (used_day);
"""
_KEYS_AT_ONCE = 5_000
# Room that is made at once when the file reaches its limit, so that not every text makes some.
_KEPT_SHARE = 0.8
_DAY_S = 86_400


class EmbeddingCache:
    """A SQLite file of float16 vectors; safe to share between threads and processes.

    limit_mb: size of the file at which vectors that were not used for longest are dropped.
    A cache that cannot be read or written answers as an empty one, and the log says so.
    """

    def __init__(self, path: Path, limit_mb: int) -> None:
        self._path = path
        self._limit_bytes = limit_mb * 1_000_000

    def get(self, name: str, texts: Sequence[str]) -> dict[str, FloatArray]:
        """Return text -> vector (d,) float32 of those texts that are known for these weights.

        name: names model, weights and number format, see `Encoder.name`.
        """
        wanted = {_key(name, text): text for text in texts}
        with self._connection() as connection:
            if connection is None:
                return {}
            found = dict(row for some in _portions(list(wanted)) for row in _select(connection, some))
            today = int(clock.epoch_s() // _DAY_S)
            connection.executemany(
                "UPDATE vectors SET used_day = ? WHERE key = ? AND used_day < ?",
                ((today, key, today) for key in found),
            )
            vectors = {wanted[key]: _unpacked(data) for key, data in found.items()}
            return {text: vector for text, vector in vectors.items() if vector is not None}
        return {}

    def put(self, name: str, texts: Sequence[str], vectors: FloatArray) -> None:
        """Keep vectors (len(texts), d), rounded to float16."""
        today = int(clock.epoch_s() // _DAY_S)
        rows = [
            (_key(name, text), today, _packed(vector)) for text, vector in zip(texts, vectors, strict=True)
        ]
        with self._connection() as connection:
            if connection is not None:
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
                self._make_room(connection)

    def _make_room(self, connection: sqlite3.Connection) -> None:
        pages, free, size = (
            connection.execute(f"PRAGMA {what}").fetchone()[0]
            for what in ("page_count", "freelist_count", "page_size")
        )
        used = (pages - free) * size
        if used <= self._limit_bytes:
            return
        rows = connection.execute("SELECT count(*) FROM vectors").fetchone()[0]
        surplus = int(rows * (1 - _KEPT_SHARE * self._limit_bytes / used)) + 1
        connection.execute(
            "DELETE FROM vectors WHERE key IN (SELECT key FROM vectors ORDER BY used_day, key LIMIT ?)",
            (surplus,),
        )

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection | None]:
        """Open the file for one transaction; None when that is not possible."""
        try:
            connection = self._open()
        except (sqlite3.Error, OSError) as error:
            _log.warning("The embedding cache cannot be opened (%s): going on without it.", error)
            yield None
            return
        with closing(connection):
            try:
                with connection:
                    yield connection
            except sqlite3.Error as error:
                # A full disk or a lock that nobody gives back: the vectors themselves are at hand.
                _log.warning("The embedding cache cannot be used (%s): going on without it.", error)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _connect(self._path)
        except sqlite3.OperationalError:
            raise  # locked, no rights, disk full: the file itself may be sound
        except sqlite3.DatabaseError as error:
            _log.warning("The embedding cache is damaged (%s): it is begun anew.", error)
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            return _connect(self._path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10)
    try:
        # A lost last write costs one computation, so the file need not reach the disk at once.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _packed(vector: FloatArray) -> bytes:
    data = vector.astype(np.float16).tobytes()
    return data + zlib.crc32(data).to_bytes(4, "big")


def _unpacked(packed: bytes) -> FloatArray | None:
    """Return a vector, None when it is not what was written: the database does not check its pages."""
    data, check = packed[:-4], packed[-4:]
    if zlib.crc32(data).to_bytes(4, "big") != check:
        return None
    return np.frombuffer(data, dtype=np.float16).astype(np.float32)


def _select(connection: sqlite3.Connection, keys: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    marks = ",".join("?" * len(keys))
    return connection.execute(
        f"SELECT key, data FROM vectors WHERE key IN ({marks})",  # noqa: S608  (marks only)
        keys,
    ).fetchall()


def _portions(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        yield keys[start : start + _KEYS_AT_ONCE]


def _key(name: str, text: str) -> bytes:
    return hashlib.sha256(f"{name}\0{text}".encode("utf-8", "surrogatepass")).digest()


class CachedEncoder:
    """An encoder that asks the cache first, and loads its model only for texts the cache lacks.

    All vectors are rounded to float16, so that a text has the same vector whether it was kept or
    not (every top-10 neighbour of 100,000 texts stays the same).
    """

    def __init__(self, name: str, load: Callable[[], Encoder], cache: EmbeddingCache) -> None:
        self.name = name
        self._load = load
        self._cache = cache
        self._lock = threading.Lock()
        self._encoder: Encoder | None = None

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return (len(texts), d) float32. Raises EncodingFailed, or what loading the model raises."""
        known = self._cache.get(self.name, texts)
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing or not texts:
            fresh = self._model().encode(missing)
            if not texts:
                return fresh
            rounded = fresh.astype(np.float16).astype(np.float32)
            if np.isfinite(rounded).all():
                self._cache.put(self.name, missing, rounded)
            known |= dict(zip(missing, rounded, strict=True))
        return np.stack([known[text] for text in texts])

    def _model(self) -> Encoder:
        with self._lock:
            if self._encoder is None:
                self._encoder = self._load()
            return self._encoder


def open_encoder(model_name: str, cache: EmbeddingCache) -> Encoder:
    """Return the encoder of a model with the cache before it; as `load_encoder`, but loading later.

    A model of the hub is loaded at once: only then its weights have a name.
    Raises EncoderUnavailable or WeightsMismatch, here or when the first text is encoded.
    """
    name = vectors_name(model_name)
    if name is not None:
        return CachedEncoder(name, lambda: load_encoder(model_name), cache)
    encoder = load_encoder(model_name)
    return CachedEncoder(encoder.name, lambda: encoder, cache)
