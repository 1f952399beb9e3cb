"""Vectors become a 2-D map on which similar deals lie close together.

The map depends on the vectors alone, so it stays where it is when clustering settings change.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from core.settings import RANDOM_SEED

FloatArray = npt.NDArray[np.float32]

# UMAP's own default; neighbours wider than this blur small themes.
_NEIGHBOURS = 15
# With the PCA start, 100 epochs reach the trustworthiness of the default 200 to 500 (.9969
# against .9970 at 10,000 deals) in a quarter of the time.
_EPOCHS = 100
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


def warm_up() -> None:
    """Compile UMAP's numba code on toy data, about 5 s, so that the first real map is quick.

    Meant for a background thread after the first paint.
    """
    toy = np.random.default_rng(RANDOM_SEED).normal(size=(2 * _FEWEST_FOR_UMAP, 8))
    project(toy)


def _unit(vectors: npt.NDArray[np.float64]) -> FloatArray:
    peaks = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
    scaled = vectors / np.where(peaks > 0, peaks, 1)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return (scaled / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _umap_layout(unit: FloatArray, seed: int) -> FloatArray:
    """Return UMAP's raw layout (n, 2) of at least 16 unit vectors."""
    # Importing UMAP takes two seconds, and thirteen on a machine that never compiled it.
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    count = min(_NEIGHBOURS, len(unit) - 1)
    # Sums over several threads differ in the last digits, enough to swap neighbours.
    with threadpool_limits(limits=1):
        # Brute force keeps numba's own neighbour search, 30 s of compilation, out of the process.
        finder = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute").fit(unit)
        distances, neighbours = finder.kneighbors(unit)
        with warnings.catch_warnings():
            # Neither concerns us: we use no neural net, and place no new deals on an old map.
            warnings.filterwarnings("ignore", message="Tensorflow not installed", category=ImportWarning)
            warnings.filterwarnings("ignore", message=r"precomputed_knn\[2\]", category=UserWarning)
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


def _rings(unit: FloatArray, radius: float) -> npt.NDArray[np.float64]:
    """Return offsets that spread equal vectors evenly on a ring; distinct ones stay put."""
    offsets = np.zeros((len(unit), 2))
    if not len(unit):
        return offsets
    _, twins = np.unique(unit, axis=0, return_inverse=True)
    for twin in np.unique(twins):
        rows = np.flatnonzero(twins == twin)
        if len(rows) > 1:
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
