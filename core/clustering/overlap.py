"""Further memberships: which deals belong to another cluster as well as to their own.

Tempered posteriors are the wrong tool: after whitening they are all close to 0 or 1, and
against planted bridge deals they reach F1 .09 to .11. The residual coefficient reaches .62 to .71.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.arrays import BoolArray, FloatArray, IntArray
from core.clustering.geometry import scale_to_unit
from core.settings import MEMBERSHIP_THRESHOLD

# The residual coefficient that found planted bridge deals best; it is what the public default
# threshold stands for.
DEFAULT_COEFFICIENT = 0.28
# Clusters closer than this are parts of one theme; for clusters as far opposite the directions
# of the two cancel out. No deal bridges either.
SAME_THEME_COSINE = 0.6
# Share of a deal that its centres and the further one must explain together. A bridge lies between two
# themes (.57 to .83 in nine of ten); noise lies between many (under .4 in one of two).
LEAST_EXPLAINED = 0.4
# Share of the largest size that oversize groups are split to, so that second members find room.
ROOM = 0.85


# Only a deal's own cluster counts 1.
STRONGEST_FURTHER = 0.999

# Rows compared with all groups at a time.
_BLOCK = 2_000

_EXPONENT = float(np.log(MEMBERSHIP_THRESHOLD) / np.log(DEFAULT_COEFFICIENT))


@dataclass(frozen=True, slots=True)
class FurtherMembership:
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


def residual_coefficients(points: FloatArray, taken: IntArray, centres: FloatArray) -> FloatArray:
    """Return how much of each centre is left in a point after the centres it has explained it.

    points: (n, d) unit length. taken: (n, t) places of the centres each point has. centres: (k, d)
    unit length. The result (n, k) is the coefficient of a further centre in the least-squares fit
    of the point by the centres it has and this one; with one centre a that is, for a point x and
    another centre c, (x.c - (a.c)(x.a)) / (1 - (a.c)^2).
    Centres that those the point has explain too well count 0: with one, a cosine over .6 or under -.6.
    """
    closeness, projections = _closeness(centres), points @ centres.T
    between = closeness[taken]
    weights = np.linalg.solve(closeness[taken[:, :, None], taken[:, None, :]], between)
    own = np.take_along_axis(projections, taken, axis=1)
    new_share = 1 - (between * weights).sum(axis=1)
    bridgeable = new_share >= 1 - SAME_THEME_COSINE**2
    explained = (weights * own[:, :, None]).sum(axis=1)
    coefficients = np.zeros_like(projections)
    np.divide(projections - explained, new_share, out=coefficients, where=bridgeable)
    np.put_along_axis(coefficients, taken, 0, axis=1)
    return coefficients


def _closeness(centres: FloatArray) -> FloatArray:
    closeness: FloatArray = centres @ centres.T
    np.fill_diagonal(closeness, 1)  # a centre of zeros has no direction, but must not divide by zero
    return closeness


def explained_shares(points: FloatArray, taken: IntArray, centres: FloatArray) -> FloatArray:
    """Return the share (n,) of each point's squared length that its centres explain together.

    points: (n, d) unit length. taken: (n, t) places of its centres, linearly independent. centres: (k, d)
    unit length or zero, which explains nothing.
    """
    closeness = _closeness(centres)
    projections = centres[taken] @ points[:, :, None]
    weights = np.linalg.solve(closeness[taken[:, :, None], taken[:, None, :]], projections)
    shares: FloatArray = (weights * projections).sum(axis=(1, 2))
    return shares


def find_memberships(
    points: FloatArray,
    groups: list[IntArray],
    *,
    threshold: float,
    largest: int,
    max_share: float,
    most: int = 2,
    apart: BoolArray | None = None,
) -> list[FurtherMembership]:
    """Return the strongest further memberships that the bounds leave room for.

    points: (n, d) whitened, n counts all deals. groups: rows of each cluster, disjoint.
    most: groups a row may be in, its own among them. At most max_share * n rows get a further
    membership, and no group grows over `largest`. apart: (k, k), groups that share no deal.
    """
    if len(groups) < 2 or points.shape[1] == 0:  # noqa: PLR2004
        return []
    rows = np.concatenate(groups)
    own = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    unit = scale_to_unit(points)
    centres = scale_to_unit(np.stack([unit[group].mean(axis=0) for group in groups]))
    barred = np.zeros((len(groups), len(groups)), dtype=np.bool_) if apart is None else apart
    room = [largest - len(group) for group in groups]
    found: list[FurtherMembership] = []
    # One round for each further membership; who gets none in a round is done.
    places, taken = np.arange(len(rows)), own[:, None]
    for turn in range(most - 1):
        group_of, best = _strongest(unit[rows[places]], taken, centres, barred)
        cap = int(max_share * len(points)) if turn == 0 else len(places)
        chosen: list[int] = []
        for place in np.lexsort((rows[places], -best)).tolist():
            if best[place] < threshold or len(chosen) >= cap:
                break
            group = int(group_of[place])
            if room[group] > 0:
                room[group] -= 1
                chosen.append(place)
                strength = min(float(best[place]), STRONGEST_FURTHER)
                found.append(FurtherMembership(int(rows[places[place]]), group, strength))
        places, taken = places[chosen], np.column_stack([taken[chosen], group_of[chosen]])
    return found


def _strongest(
    unit: FloatArray, taken: IntArray, centres: FloatArray, barred: BoolArray
) -> tuple[IntArray, FloatArray]:
    """Return the best further group of each row and its strength, in blocks that bound the memory.

    taken: (n, t) groups each row is in already. A row that no two groups explain gets strength 0.
    """
    group_of, best = np.zeros(len(unit), dtype=np.intp), np.zeros(len(unit))
    for start in range(0, len(unit), _BLOCK):
        block = slice(start, start + _BLOCK)
        coefficients = residual_coefficients(unit[block], taken[block], centres)
        coefficients[barred[taken[block]].any(axis=1)] = 0
        strengths = strength_of(coefficients)
        group_of[block] = strengths.argmax(axis=1)
        best[block] = strengths.max(axis=1)
        rows = start + np.flatnonzero(best[block])
        explained = explained_shares(unit[rows], np.column_stack([taken[rows], group_of[rows]]), centres)
        best[rows[explained < LEAST_EXPLAINED]] = 0
    return group_of, best
