"""Vectors become a 2-D map on which similar deals lie close together.

The map depends on the vectors alone, so it stays where it is when clustering settings change.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from core.arrays import FloatArray
from core.settings import RANDOM_SEED

# UMAP's own default; neighbours wider than this blur small themes.
_NEIGHBOURS = 15
# With the PCA start, 100 epochs reach the trustworthiness of the default 200 to 500 (.9969
# against .9970 at 10,000 deals) in a quarter of the time.
_EPOCHS = 100
# Known neighbours a new vector is placed beside.
_PLACE_NEIGHBOURS = 5
# Distances below this are rounding: vectors that close are the same one.
_ROUNDING = 1e-6
# Radius of the ring of new points on one place, on a map that reaches from -1 to 1.
_RING = 0.01
_SAME_PLACE_DIGITS = 5
# Distinct vectors needed for a neighbour graph that says more than PCA does.
_FEWEST_FOR_UMAP = 16


def project(embeddings: npt.NDArray[Any], *, seed: int = RANDOM_SEED) -> FloatArray:
    """Lay the vectors out on a map.

    embeddings: (n, d), any length of rows; zero rows are allowed. Returns (n, 2) float32, centred
    and scaled into [-1, 1]. The same vectors and seed give the same map. Vectors that are few or
    mostly equal are laid out by PCA, and all-equal ones on a ring, so that each can be clicked.

    Raises ValueError when embeddings is not 2-D or holds NaN or infinite values.
    """
    vectors = np.asarray(embeddings, dtype=np.float64)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():  # noqa: PLR2004
        raise ValueError("The map needs one row of finite numbers for each deal.")
    unit = _unit(vectors)
    if len(unit) <= 2 or len(np.unique(unit, axis=0)) < _FEWEST_FOR_UMAP:  # noqa: PLR2004
        return _fit_frame(_plain_layout(unit))
    return _fit_frame(_umap_layout(unit, seed))


def place(
    known_vectors: npt.NDArray[Any], known_places: npt.NDArray[Any], new_vectors: npt.NDArray[Any]
) -> FloatArray:
    """Lay new vectors out on a map that exists: each goes beside its nearest neighbours.

    known_vectors: (n, d), n >= 1. known_places: (n, 2), of `project`. new_vectors: (m, d). Returns
    (m, 2) float32 in [-1, 1]: the mean of the places of the 5 neighbours with the smallest cosine
    distance, weighted by its inverse. Those that would hide each other or a known one are spread
    on a small ring, so that each can be clicked.

    Raises ValueError when n is 0, the shapes do not fit or a value is NaN or infinite.
    """
    arrays = [np.asarray(item, dtype=np.float64) for item in (known_vectors, known_places, new_vectors)]
    known, places, new = arrays
    fit = len(known) == len(places) > 0 and known.shape[1:] == new.shape[1:] and places.shape[1:] == (2,)
    if not fit or not all(np.isfinite(item).all() for item in arrays):
        raise ValueError("Placing on a map needs finite vectors and places of the same deals.")
    placed = _beside_neighbours(_unit(new), _unit(known), places)
    everywhere = np.round(np.concatenate([places, placed]), _SAME_PLACE_DIGITS)
    offsets = _rings(everywhere, radius=_RING)[len(places) :]
    return np.clip(placed + offsets, -1, 1).astype(np.float32)


def _unit(vectors: npt.NDArray[np.float64]) -> FloatArray:
    peaks = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    scaled = vectors / np.where(peaks > 0, peaks, 1)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return (scaled / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _beside_neighbours(
    unit: FloatArray, among: FloatArray, places: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the weighted mean place (m, 2) of the nearest of `among` for each row."""
    if not len(unit):
        return np.empty((0, 2))
    distances, nearest = _nearest(unit, among, min(_PLACE_NEIGHBOURS, len(among)))
    # Softened by a tenth of the mean: a deal exactly like a known one lies beside it, not on it.
    weights = 1 / (distances + 0.1 * distances.mean(axis=1, keepdims=True) + _ROUNDING)
    weights /= weights.sum(axis=1, keepdims=True)
    beside: npt.NDArray[np.float64] = (weights[:, :, None] * places[nearest]).sum(axis=1)
    return beside


def _nearest(unit: FloatArray, among: FloatArray, count: int) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Return cosine distances and rows (m, count) of the nearest of `among`, nearest first."""
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # Sums over several threads differ in the last digits, enough to swap neighbours.
    with threadpool_limits(limits=1):
        # Brute force keeps numba's own neighbour search, 30 s of compilation, out of the process.
        finder = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute").fit(among)
        distances, nearest = finder.kneighbors(unit)
    return distances, nearest


def _umap_layout(unit: FloatArray, seed: int) -> FloatArray:
    """Return UMAP's raw layout (n, 2) of at least 16 unit vectors."""
    from threadpoolctl import threadpool_limits

    count = min(_NEIGHBOURS, len(unit) - 1)
    distances, neighbours = _nearest(unit, unit, count)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # Neither concerns us: we use no neural net, and place no new deals on an old map.
        warnings.filterwarnings("ignore", message="Tensorflow not installed", category=ImportWarning)
        warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]", category=UserWarning)
        # Importing UMAP takes two seconds, and thirteen on a machine that never compiled it.
        from umap import UMAP

        layout: FloatArray = UMAP(
            n_neighbors=count,
            metric="cosine",
            precomputed_knn=(neighbours, distances.astype(np.float32)),
            init="pca",
            n_epochs=_EPOCHS,
            n_jobs=1,
            random_state=seed,
        ).fit_transform(unit)
    return layout


def _plain_layout(unit: FloatArray) -> FloatArray:
    """Lay few vectors out by their two leading directions, equal ones on a small ring."""
    centred = (unit - unit.mean(axis=0, keepdims=True)) if len(unit) else unit
    left, spread, directions = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    # The sign of a direction is arbitrary: its largest entry is made positive.
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    layout = np.zeros((len(unit), 2))
    layout[:, : min(2, len(spread))] = (left * spread * signs)[:, :2]
    return (layout + _rings(unit, radius=max(0.02 * float(np.abs(layout).max(initial=0)), 1e-3))).astype(
        np.float32
    )


def _rings(vectors: npt.NDArray[Any], radius: float) -> npt.NDArray[np.float64]:
    """Return offsets that spread equal rows evenly on a ring; distinct ones stay put."""
    offsets = np.zeros((len(vectors), 2))
    if not len(vectors):
        return offsets
    _, twins, counts = np.unique(vectors, axis=0, return_inverse=True, return_counts=True)
    for twin in np.flatnonzero(counts > 1):
        rows = np.flatnonzero(twins == twin)
        angles = 2 * np.pi * np.arange(len(rows)) / len(rows)
        offsets[rows] = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return offsets


def _fit_frame(layout: FloatArray) -> FloatArray:
    """Centre the layout and scale its longer half axis to 1; both axes keep one scale."""
    if not len(layout):
        return np.zeros((0, 2), dtype=np.float32)
    middle = (layout.max(axis=0) + layout.min(axis=0)) / 2
    centred = layout - middle
    reach = float(np.abs(centred).max())
    framed: FloatArray = (centred / (reach if reach > 0 else 1)).astype(np.float32)
    return framed
