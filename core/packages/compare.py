"""What two runs have in common: their deals, and their packages whether or not they kept ids and names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.deals import Deal, Delta, compare_deals
from core.packages.package import STATUSES, Package, Status

PairKind = Literal["same", "renamed", "changed", "renamed and changed"]

# Packages of other names are one package when they share this part of their deals (Jaccard): of two of
# equal size, half of their deals.
_LEAST_SHARED = 1 / 3


@dataclass(frozen=True, slots=True)
class RunContent:
    """What is compared of a run; packages are those that count, in their order."""

    deals: Sequence[Deal]
    packages: Sequence[Package]


@dataclass(frozen=True, slots=True)
class PackagePair:
    """A package of one run and what it is in the other. shared: how many deals both hold."""

    before: Package
    after: Package
    shared: int

    @property
    def kind(self) -> PairKind:
        """What differs: the name, the deals, both or nothing."""
        renamed = self.before.name != self.after.name
        changed = not self.shared == len(self.before.deal_ids) == len(self.after.deal_ids)
        if renamed:
            return "renamed and changed" if changed else "renamed"
        return "changed" if changed else "same"


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Every deal and every package of two runs, in exactly one part.

    pairs, only_before: in the order of the run before; only_after: in that of the run after.
    statuses_before, statuses_after: packages of each status, all three named.
    """

    deals: Delta
    pairs: tuple[PackagePair, ...]
    only_before: tuple[Package, ...]
    only_after: tuple[Package, ...]
    statuses_before: Mapping[Status, int]
    statuses_after: Mapping[Status, int]


def compare_runs(before: RunContent, after: RunContent) -> RunComparison:
    """Match the packages of two runs one to one, and tell what differs.

    Packages with one id are the same; of the others, those that share the largest part of their deals.
    A shared name is enough with a single shared deal; without it they need a third of all their deals.
    """
    pairs = _pairs(before.packages, after.packages)
    matched = {pair.after.id for pair in pairs.values()}
    return RunComparison(
        deals=compare_deals(before.deals, after.deals),
        pairs=tuple(pairs[package.id] for package in before.packages if package.id in pairs),
        only_before=tuple(package for package in before.packages if package.id not in pairs),
        only_after=tuple(package for package in after.packages if package.id not in matched),
        statuses_before=_statuses(before.packages),
        statuses_after=_statuses(after.packages),
    )


def _statuses(packages: Sequence[Package]) -> dict[Status, int]:
    counts = Counter(package.status for package in packages)
    return {status: counts[status] for status in STATUSES}


def _pairs(before: Sequence[Package], after: Sequence[Package]) -> dict[str, PackagePair]:
    """Return the pairs by the id before: the best first, each package in one of them."""
    found: dict[str, PackagePair] = {}
    taken: set[int] = set()
    for *_, row, column, shared in sorted(_candidates(before, after)):
        one, other = before[row], after[column]
        if one.id not in found and column not in taken:
            found[one.id] = PackagePair(one, other, shared)
            taken.add(column)
    return found


def _candidates(
    before: Sequence[Package], after: Sequence[Package]
) -> list[tuple[bool, float, bool, int, int, int]]:
    """Return (other id, minus the shared part, other name, place, place, shared deals) of possible pairs."""
    holders: dict[str, list[int]] = {}
    for column, package in enumerate(after):
        for deal_id in package.deal_ids:
            holders.setdefault(deal_id, []).append(column)
    places = {package.id: column for column, package in enumerate(after)}
    candidates = []
    for row, one in enumerate(before):
        counts = Counter(column for deal_id in one.deal_ids for column in holders.get(deal_id, ()))
        if one.id in places:
            counts.setdefault(places[one.id], 0)
        for column, shared in counts.items():
            other = after[column]
            part = shared / max(len(one.deal_ids) + len(other.deal_ids) - shared, 1)
            same_id, same_name = one.id == other.id, one.name == other.name
            if same_id or same_name or part >= _LEAST_SHARED:
                candidates.append((not same_id, -part, not same_name, row, column, shared))
    return candidates
