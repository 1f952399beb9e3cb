"""Figures of the packages that rules propose: themes found, coverage, names, brand safety, speed.

Run `python -m benchmarks.rules [--seeds 3]`. Planted and sample deals are embedded by the real model
and clustered as the app does. Times are CPU seconds. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import sample_data
from benchmarks.clustering import (
    FIRST_SEED,
    LARGEST,
    Groups,
    Themes,
    cpu_of,
    groups_of,
    majority_theme,
    purity,
    settings_for,
)
from benchmarks.planted import Planted, planted_deals
from benchmarks.report import Row, Target, tell
from core.clustering import cluster_deals
from core.deals import Deal
from core.deals.vocabulary import garm_risk
from core.embeddings import Encoder, embed_deals, load_encoder
from core.proposals import Answer, DealGroup, RulesProposer
from core.reading import read_deals
from core.settings import MIN_PACKAGE_DEALS
from core.wording.claims import check_claims

DEALS = 1_000
# Share of deals thrown together that an earlier trial of the rules packaged: 806 of 1,000.
THROWN_COVERAGE = 0.806
# Smallest group of one vertical and format that counts as a cluster of sample deals.
_SMALLEST = 8

# --- figures --------------------------------------------------------------------------------

# The four ways of keeping brand-safety levels apart: no low or no high risk, no unsafe or no safe.
_LEVELS = tuple((risk, safe) for risk in ("Low", "High") for safe in (True, False))


def packageable(deals: Sequence[Deal]) -> int:
    """Return how many deals packages of three could hold if only brand safety kept them apart.

    Exact: for every choice of levels that get packages, each set of them must find three deals each
    among those that may be in one of the set (Hall's theorem); then all that fit a chosen one are held.
    """
    open_to = [_levels_of(deal) for deal in deals]

    def takers(levels: Sequence[tuple[str, bool]]) -> int:
        return sum(not own.isdisjoint(levels) for own in open_to)

    return max(
        (
            takers(chosen)
            for count in range(1, len(_LEVELS) + 1)
            for chosen in combinations(_LEVELS, count)
            if all(
                takers(some) >= MIN_PACKAGE_DEALS * len(some)
                for size in range(1, count + 1)
                for some in combinations(chosen, size)
            )
        ),
        default=0,
    )


def _levels_of(deal: Deal) -> frozenset[tuple[str, bool]]:
    risk, safe = garm_risk(deal.safety.garm_risk_rating), deal.safety.family_safe
    if risk == "Floor":
        return frozenset()
    return frozenset(
        (level, family)
        for level, family in _LEVELS
        if risk not in {"Low", "High"} - {level} and safe is not (not family)
    )


def mixes(deals: Sequence[Deal]) -> int:
    """Return how many promises a package breaks: high with low or Floor, safe for families with not."""
    risks = {garm_risk(deal.safety.garm_risk_rating) for deal in deals}
    verdicts = {deal.safety.family_safe for deal in deals}
    return ("High" in risks and not risks.isdisjoint({"Low", "Floor"})) + ({True, False} <= verdicts)


def recovered(groups: Groups, themes: Themes) -> float:
    """Return the share of themes with half of their core deals in groups they are the majority of.

    Core deals belong to one theme; a theme may be spread over several groups.
    """
    core = Counter(theme for belongs in themes if len(belongs) == 1 for theme in belongs)
    found: Counter[int] = Counter()
    for group in groups:
        majority = majority_theme(group, themes)
        if majority is not None:
            found[majority] += sum(themes[index] == {majority} for index in group)
    return sum(2 * found[theme] >= count for theme, count in core.items()) / len(core) if core else 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """Clusters and what the rules proposed for each."""

    groups: Sequence[DealGroup]
    answers: Sequence[Answer]

    @classmethod
    def of(cls, groups: Sequence[DealGroup]) -> Run:
        """Ask the rules about every cluster."""
        return cls(groups, [RulesProposer().propose(group) for group in groups])

    def packages(self) -> list[list[Deal]]:
        """Return the deals of each package."""
        by_id = {deal.deal_id: deal for group in self.groups for deal in group.deals}
        return [[by_id[i] for i in item.deal_ids] for answer in self.answers for item in answer.proposals]

    def indices_in(self, deals: Sequence[Deal]) -> list[list[int]]:
        """Return each package as indices into these deals."""
        place = {deal.deal_id: index for index, deal in enumerate(deals)}
        return [[place[deal.deal_id] for deal in package] for package in self.packages()]

    def covered(self) -> float:
        """Return the share of deals in a package."""
        return sum(map(len, self.packages())) / sum(len(group.deals) for group in self.groups)

    def covered_packageable(self) -> float:
        """Return the deals in a package, by those that brand safety lets be in one."""
        return sum(map(len, self.packages())) / sum(packageable(group.deals) for group in self.groups)

    def distinct_names(self) -> float:
        """Return the different names by the packages of all clusters."""
        names = [item.name for answer in self.answers for item in answer.proposals]
        return len(set(names)) / len(names)

    def repeated_names(self) -> int:
        """Return the packages named like an earlier one of their cluster."""
        return sum(
            len(answer.proposals) - len({item.name for item in answer.proposals}) for answer in self.answers
        )

    def contradicted(self) -> int:
        """Return the packages whose words their own deals contradict."""
        words = [(item.name, item.reasoning) for answer in self.answers for item in answer.proposals]
        return sum(
            any(claim.contradicted for claim in check_claims(*said, deals))
            for said, deals in zip(words, self.packages(), strict=True)
        )


def rows_of(
    what: str, runs: Sequence[Run], *, least: Target | None = None, least_packageable: Target | None = None
) -> Iterator[Row]:
    """Yield the figures every kind of cluster has; least: coverage of all deals, or of the packageable."""
    none = Target(0, at_least=False)
    sizes = [[len(deals) for deals in run.packages()] for run in runs]
    per_cluster = tuple(len(own) / len(run.groups) for own, run in zip(sizes, runs, strict=True))
    mixed = tuple(sum(map(mixes, run.packages())) for run in runs)
    yield Row(f"{what}: coverage", tuple(run.covered() for run in runs), least)
    yield Row(
        f"{what}: coverage of packageable",
        tuple(run.covered_packageable() for run in runs),
        least_packageable,
    )
    yield Row(f"{what}: packages per cluster", per_cluster)
    yield Row(f"{what}: deals per package", tuple(sum(own) / len(own) for own in sizes))
    yield Row(f"{what}: brand-safety levels mixed", mixed, none)
    yield Row(f"{what}: contradict their words", tuple(run.contradicted() for run in runs), none)
    yield Row(f"{what}: names repeated in a cluster", tuple(run.repeated_names() for run in runs), none)
    yield Row(f"{what}: distinct names of all", tuple(run.distinct_names() for run in runs))


# --- clusters -------------------------------------------------------------------------------


def alike(deals: Sequence[Deal]) -> list[DealGroup]:
    """Return clusters of 8 to 25 deals that share vertical and format."""
    shared: defaultdict[str, list[Deal]] = defaultdict(list)
    for deal in deals:
        if deal.taxonomy.tier1:
            shared[f"{deal.taxonomy.tier1} {'/'.join(deal.formats)}"].append(deal)
    groups = []
    for name, members in sorted(shared.items()):
        parts = -(-len(members) // LARGEST)
        if len(members) >= _SMALLEST * parts:
            groups += [DealGroup(f"{name} {part}", tuple(members[part::parts])) for part in range(parts)]
    return groups


def thrown_together(deals: Sequence[Deal], seed: int) -> list[DealGroup]:
    """Return clusters of 25 deals each, drawn without regard to what they are."""
    drawn = random.Random(seed).sample(list(deals), len(deals))
    return [
        DealGroup(f"random {start}", tuple(drawn[start : start + LARGEST]))
        for start in range(0, len(drawn), LARGEST)
    ]


def of_one_theme(planted: Planted) -> list[DealGroup]:
    """Return clusters of up to 25 core deals of one theme."""
    members: defaultdict[int, list[Deal]] = defaultdict(list)
    for deal, belongs in zip(planted.deals, planted.themes, strict=True):
        if len(belongs) == 1:
            members[min(belongs)].append(deal)
    groups = []
    for theme, deals in sorted(members.items()):
        parts = -(-len(deals) // LARGEST)
        groups += [DealGroup(f"{theme} {part}", tuple(deals[part::parts])) for part in range(parts)]
    return groups


@dataclass(slots=True)
class Bench:
    """What every section needs; the model is loaded when a section embeds deals."""

    seeds: range
    _encoder: list[Encoder] = field(default_factory=list)

    def sample(self) -> tuple[Deal, ...]:
        """Return the deals of the sample file."""
        path = Path(sample_data.__file__).with_name("deals.json")
        return tuple(read_deals(path.read_bytes(), path.name).deals)

    def clustered(self, deals: Sequence[Deal]) -> list[tuple[int, ...]]:
        """Return the clusters of these deals as indices."""
        self._encoder = self._encoder or [load_encoder()]
        return groups_of(cluster_deals(deals, embed_deals(deals, self._encoder[0]), settings_for()))


def as_groups(deals: Sequence[Deal], clusters: Groups) -> list[DealGroup]:
    """Return clusters of indices as proposers take them."""
    return [
        DealGroup(str(place), tuple(deals[index] for index in members))
        for place, members in enumerate(clusters)
    ]


# --- sections -------------------------------------------------------------------------------


def coherent(bench: Bench) -> Iterator[Row]:
    """Clusters as good clustering would give them."""
    target = Target(0.99)
    yield from rows_of("vertical, format", [Run.of(alike(bench.sample()))], least_packageable=target)
    themes = [Run.of(of_one_theme(planted_deals(DEALS, seed))) for seed in bench.seeds]
    yield from rows_of("planted theme", themes, least_packageable=target)


def thrown(bench: Bench) -> Iterator[Row]:
    """Clusters that share nothing on purpose: only honest groups may cover them."""
    runs = [Run.of(thrown_together(bench.sample(), seed)) for seed in bench.seeds]
    yield from rows_of("sample", runs, least=Target(THROWN_COVERAGE))


def clustered(bench: Bench) -> Iterator[Row]:
    """Clusters that the app makes; packages must be purer than they are, and find as many themes."""
    deals, target = bench.sample(), Target(0.9)
    sample = Run.of(as_groups(deals, bench.clustered(deals)))
    yield from rows_of("sample", [sample], least_packageable=target)
    sets = [planted_deals(DEALS, seed) for seed in bench.seeds]
    clusters = [bench.clustered(planted.deals) for planted in sets]
    runs = [Run.of(as_groups(planted.deals, own)) for planted, own in zip(sets, clusters, strict=True)]
    yield from rows_of("planted", runs, least_packageable=target)
    for what, figure in (("purity", purity), ("themes recovered", recovered)):
        before = [figure(own, planted.themes) for planted, own in zip(sets, clusters, strict=True)]
        after = [
            figure(run.indices_in(planted.deals), planted.themes)
            for run, planted in zip(runs, sets, strict=True)
        ]
        yield Row(f"planted: {what}, clusters", tuple(before))
        yield Row(f"planted: {what}, packages", tuple(after), Target(0.9))
        gained = tuple(new - old for new, old in zip(after, before, strict=True))
        yield Row(f"planted: {what}, packages above clusters", gained, Target(0))


def speed(bench: Bench) -> Iterator[Row]:
    """CPU seconds for 40 clusters of 25 deals."""
    groups = thrown_together(planted_deals(DEALS, bench.seeds[0]).deals, FIRST_SEED)
    seconds = min(cpu_of(lambda: Run.of(groups)) for _ in range(3))
    yield Row(f"{len(groups)} clusters of {LARGEST}: CPU seconds", (seconds,), Target(1.5, at_least=False))


SECTIONS: tuple[tuple[str, Callable[[Bench], Iterator[Row]]], ...] = (
    ("Coherent clusters", coherent),
    ("Deals thrown together", thrown),
    ("Clusters of the app", clustered),
    ("Speed", speed),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every section; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="planted and random sets per figure")
    chosen = parser.parse_args(arguments)
    bench = Bench(range(FIRST_SEED, FIRST_SEED + chosen.seeds))
    return tell((title, partial(section, bench)) for title, section in SECTIONS)


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.exit(main())
