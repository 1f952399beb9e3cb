"""Planted vectors: theme directions, shared nuisance wording and noise, as deal texts have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Planted:
    """Deals with known themes.

    themes[i]: the themes deal i was drawn from, two for a bridge.
    """

    deals: list[dict[str, str]]
    vectors: npt.NDArray[np.float32]
    themes: list[tuple[int, ...]]

    def shuffled(self, seed: int) -> tuple[Planted, npt.NDArray[np.intp]]:
        """Return the same deals in another order, and the order."""
        order = np.random.default_rng(seed).permutation(len(self.deals))
        return Planted(
            [self.deals[i] for i in order], self.vectors[order], [self.themes[i] for i in order]
        ), order


def plant(
    sizes: list[int],
    *,
    seed: int = 0,
    width: int = 64,
    noise: float = 0.35,
    nuisance: float = 0.6,
    bridges: int = 0,
) -> Planted:
    """Draw deals around one random direction for each theme.

    sizes: deals of each theme. noise: length of the random part of a vector. nuisance: length of
    one of six directions that all themes share. bridges: deals halfway between two themes.
    """
    rng = np.random.default_rng(seed)
    directions = _unit_rows(rng, len(sizes), width)
    wording = _unit_rows(rng, 6, width)
    themes: list[tuple[int, ...]] = [(theme,) for theme, size in enumerate(sizes) for _ in range(size)]
    themes += [tuple(sorted(rng.choice(len(sizes), 2, replace=False).tolist())) for _ in range(bridges)]
    clean = np.stack([directions[list(pair)].sum(axis=0) / np.sqrt(len(pair)) for pair in themes])
    vectors = (
        clean
        + nuisance * wording[rng.integers(6, size=len(themes))]
        + noise * rng.normal(size=clean.shape) / np.sqrt(width)
    )
    ids = rng.permutation(len(themes))
    deals = [{"deal_id": f"D{number:05d}"} for number in ids]
    return Planted(deals, vectors.astype(np.float32), themes)


def _unit_rows(rng: np.random.Generator, rows: int, width: int) -> npt.NDArray[np.float64]:
    drawn = rng.normal(size=(rows, width))
    unit: npt.NDArray[np.float64] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit
