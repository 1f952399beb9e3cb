"""Second memberships: which deals belong to another cluster as well as to their own.

Tempered posteriors are the wrong tool: after whitening they are all close to 0 or 1, and
against planted bridge deals they reach F1 .09 to .11. The residual coefficient reaches .62 to .71.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.clustering.geometry import FloatArray, IntArray, scale_to_unit
from core.settings import MEMBERSHIP_THRESHOLD

# The residual coefficient that found planted bridge deals best; it is what the public default
# threshold stands for.
DEFAULT_COEFFICIENT = 0.28
# Clusters closer than this are parts of one theme; for clusters as far opposite the directions
# of the two cancel out. No deal bridges either.
SAME_THEME_COSINE = 0.6
# Share of the largest size that oversize groups are split to, so that second members find room.
ROOM = 0.85

# Rows compared with all groups at a time.
_BLOCK = 2_000

_EXPONENT = float(np.log(MEMBERSHIP_THRESHOLD) / np.log(DEFAULT_COEFFICIENT))


@dataclass(frozen=True, slots=True)
class SecondMembership:
    """Row `row` also belongs to group number `group`, with this strength in (0, 1]."""

    row: int
    group: int
    strength: float


def strength_of(coefficients: FloatArray) -> FloatArray:
    """Map residual coefficients to membership strengths in [0, 1].

    strength = coefficient ** .946, which is monotone and maps 0 to 0, 1 to 1 and the default
    coefficient .28 to the public default threshold .3.
    """
    strengths: FloatArray = np.clip(coefficients, 0, 1) ** _EXPONENT
    return strengths


def residual_coefficients(points: FloatArray, own: IntArray, centres: FloatArray) -> FloatArray:
    """Return how much of each centre is left in a point after its own centre explained it.

    points: (n, d) unit length. own: (n,) index of each point's centre. centres: (k, d) unit
    length. For a point x, its own centre a and another centre c, the result is the coefficient
    of c in the least-squares fit of x by a and c: (x.c - (a.c)(x.a)) / (1 - (a.c)^2).
    Pairs of centres with a cosine over .6 or under -.6 count 0.
    """
    closeness = centres @ centres.T
    projections = points @ centres.T
    between = closeness[own]
    explained = between * projections[np.arange(len(points)), own][:, None]
    bridgeable = np.abs(between) <= SAME_THEME_COSINE
    apart = np.where(bridgeable, 1 - np.square(between), 1)
    coefficients: FloatArray = np.where(bridgeable, (projections - explained) / apart, 0)
    coefficients[np.arange(len(points)), own] = 0
    return coefficients


def find_second_memberships(
    points: FloatArray, groups: list[IntArray], *, threshold: float, largest: int, max_share: float
) -> list[SecondMembership]:
    """Return the strongest second memberships that the bounds leave room for.

    points: (n, d) whitened, n counts all deals. groups: rows of each cluster, disjoint.
    At most one for each row, at most max_share * n in all, and no group grows over `largest`.
    """
    if len(groups) < 2 or points.shape[1] == 0:  # noqa: PLR2004
        return []
    rows = np.concatenate(groups)
    own = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    unit = scale_to_unit(points)
    centres = scale_to_unit(np.stack([unit[group].mean(axis=0) for group in groups]))
    second, best = _strongest(unit[rows], own, centres)
    room = [largest - len(group) for group in groups]
    found: list[SecondMembership] = []
    for place in np.lexsort((rows, -best)).tolist():
        if best[place] < threshold or len(found) >= int(max_share * len(points)):
            break
        group = int(second[place])
        if room[group] > 0:
            room[group] -= 1
            found.append(SecondMembership(int(rows[place]), group, float(best[place])))
    return found


def _strongest(unit: FloatArray, own: IntArray, centres: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the best second group of each row and its strength, in blocks that bound the memory."""
    second, best = np.zeros(len(unit), dtype=np.intp), np.zeros(len(unit))
    for start in range(0, len(unit), _BLOCK):
        block = slice(start, start + _BLOCK)
        strengths = strength_of(residual_coefficients(unit[block], own[block], centres))
        second[block] = strengths.argmax(axis=1)
        best[block] = strengths.max(axis=1)
    return second, best
