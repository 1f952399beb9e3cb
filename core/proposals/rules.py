"""Packages from counted facts alone: the default without a key, and never called AI.

Deals are gathered under shared facets (vertical, audience, format, quality tier); the facet
group that is largest and most coherent becomes a package, its deals are taken out, and so on.
A deal below the brand-safety floor is never packaged, high risk never joins low, and what is
safe for families never joins what is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, product
from operator import and_, or_

from core.deals import Deal
from core.deals.text_normalisation import clean_text
from core.proposals.proposal import FIRST_CALL, Answer, AskContext, DealGroup, Proposal, Unpackaged
from core.settings import MIN_PACKAGE_DEALS
from core.wording.generated_text import (
    counted_reasoning,
    format_of,
    is_most,
    name_of,
    risk_of,
    safety_words,
    vertical_of,
)

SOURCE = "Rules (no AI)"
_STAND_IN = "Rules (AI failed: "

# Characters of the reason that a label gives.
_REASON_LIMIT = 120

_MAX_PACKAGES = 6
# More deals than this add nothing to a package's score: 3-15 deals are a typical package.
_TYPICAL_MAX = 15

# A set of deals: bit n stands for the n-th deal. Thousands of intersections a cluster stay cheap.
Members = int
# What is known of a deal, and which of it says what a package is about.
_KINDS = ("vertical", "audience", "format", "quality")
_SUBJECTS = frozenset({"vertical", "audience"})


def rules_label(reason: str) -> str:
    """Return the label of packages that rules made because a model failed; reason: one sentence."""
    return f"{_STAND_IN}{clean_text(reason.rstrip('. '), _REASON_LIMIT)})"


def is_rules_source(source: str) -> bool:
    """Whether this label of who proposed says that it was the rules, for whatever reason."""
    return source == SOURCE or source.startswith(_STAND_IN)


@dataclass(frozen=True, slots=True)
class RulesProposer:
    """Proposes packages by facets; needs no key and no network, and always answers."""

    @property
    def source(self) -> str:
        """The label that says no model was used."""
        return SOURCE

    def propose(self, group: DealGroup, context: AskContext = FIRST_CALL) -> Answer:  # noqa: ARG002  (no call)
        """Return at most six packages of at least three deals; the rest is listed with its reason."""
        proposals = propose_left_over(group.deals)
        packaged = {deal_id for proposal in proposals for deal_id in proposal.deal_ids}
        full = len(proposals) == _MAX_PACKAGES
        left = sorted(
            (deal for deal in group.deals if deal.deal_id not in packaged), key=lambda deal: deal.deal_id
        )
        return Answer(proposals, tuple(Unpackaged(deal.deal_id, _why_left(deal, full)) for deal in left))


def propose_left_over(deals: Iterable[Deal]) -> tuple[Proposal, ...]:
    """Return the packages that rules make of any deals, such as those a model's answer left out.

    No deal is in two of them: each package tells one story about its own deals.
    """
    sellable = sorted((deal for deal in deals if risk_of(deal) != "Floor"), key=lambda deal: deal.deal_id)
    return tuple(map(_proposal, _choose(_Cluster.of(sellable))))


def _why_left(deal: Deal, full: bool) -> str:
    if risk_of(deal) == "Floor":
        return "It is rated below the brand-safety floor (GARM Floor)."
    if not any(_facets(deal).values()):
        return "It names no vertical, audience, format or quality tier to group it by."
    if full:
        return f"It fits none of the {_MAX_PACKAGES} packages that a cluster gives at most."
    return (
        f"Fewer than {MIN_PACKAGE_DEALS} of the deals left share its vertical, audience, format or quality "
        "tier without mixing brand-safety levels."
    )


# --- covering a cluster -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cluster:
    """The deals of one cluster in the order of their bits, and who carries what.

    carriers: kind of facet -> value -> the deals that carry it.
    high .. unsafe: the deals that are known to be so.
    """

    deals: Sequence[Deal]
    carriers: Mapping[str, Mapping[str, Members]]
    high: Members
    low: Members
    safe: Members
    unsafe: Members

    @classmethod
    def of(cls, deals: Sequence[Deal]) -> _Cluster:
        def where(test: Callable[[Deal], bool]) -> Members:
            return sum(1 << place for place, deal in enumerate(deals) if test(deal))

        carriers: dict[str, dict[str, Members]] = {kind: {} for kind in _KINDS}
        for place, deal in enumerate(deals):
            for kind, values in _facets(deal).items():
                for value in values:
                    carriers[kind][value] = carriers[kind].get(value, 0) | 1 << place
        return cls(
            deals,
            carriers,
            high=where(lambda deal: risk_of(deal) == "High"),
            low=where(lambda deal: risk_of(deal) == "Low"),
            safe=where(lambda deal: deal.safety.family_safe is True),
            unsafe=where(lambda deal: deal.safety.family_safe is False),
        )

    def deals_of(self, members: Members) -> list[Deal]:
        """Return the deals of a set, in order."""
        return [deal for place, deal in enumerate(self.deals) if members >> place & 1]

    def groups(self, *, about: bool) -> list[Members]:
        """Return what shares a value of one to three kinds; about: whether one says what it is about."""
        common = {kind: list(filter(_is_package, own.values())) for kind, own in self.carriers.items()}
        found = (
            reduce(and_, wanted)
            for size in (3, 2, 1)
            for kinds in combinations(_KINDS, size)
            if bool(_SUBJECTS.intersection(kinds)) is about
            for wanted in product(*(common[kind] for kind in kinds))
        )
        return list(dict.fromkeys(filter(_is_package, found)))

    def parts(self, members: Members, *, apart: bool, safe_alone: bool = False) -> tuple[Members, ...]:
        """Return the largest sets that mix no brand-safety levels.

        apart: high risk joins nothing else. safe_alone: safe for families joins nothing unknown.
        """
        risks = (members & ~self.high, members & (self.high if apart else ~self.low))
        families = (self.safe if safe_alone else ~self.unsafe, ~self.safe)
        return tuple(risk & family for risk in risks for family in families)

    def mixes(self, members: Members) -> bool:
        """Whether high risk meets low, or what is safe for families what is not."""
        return bool(
            (members & self.high and members & self.low) or (members & self.safe and members & self.unsafe)
        )

    def score(self, members: Members) -> float:
        """Return the number of deals, at most a typical package, times the square of their coherence.

        Coherence, in [0, 1], is the mean share of the commonest value over the kinds of facets. Measured
        on sample deals thrown together, its fourth power packages 80 of 100 deals, its square 83; clusters
        of one theme then fall into fewer packages.
        """
        commonest = (
            max(((own & members).bit_count() for own in values.values()), default=0)
            for values in self.carriers.values()
        )
        deals = members.bit_count()
        return float(min(deals, _TYPICAL_MAX) * (sum(commonest) / len(_KINDS) / deals) ** 2)

    def shares_theme(self, members: Members, guests: Members) -> bool:
        """Whether guests share what a package is about, and bring it no risk that it does not hold."""
        together = members | guests
        return (
            not self.mixes(together)
            and any(guests & ~carriers == 0 for carriers in self._theme(members))
            and safety_words(self.deals_of(together)) == safety_words(self.deals_of(members))
        )

    def _theme(self, members: Members) -> list[Members]:
        """Return the carriers of what most members share: of their subjects, else of other facets."""
        shared = {
            kind: [
                own for own in values.values() if is_most((own & members).bit_count(), members.bit_count())
            ]
            for kind, values in self.carriers.items()
        }
        subjects = [own for kind in sorted(_SUBJECTS) for own in shared[kind]]
        return subjects or [own for values in shared.values() for own in values]

    def name_of(self, members: Members) -> str:
        """Return the name a package of these deals has."""
        return name_of(self.deals_of(members))


def _is_package(members: Members) -> bool:
    return members.bit_count() >= MIN_PACKAGE_DEALS


def _choose(cluster: _Cluster) -> list[list[Deal]]:
    """Cover the deals twice, with what is unknown beside safe deals or not, and keep what covers more."""
    attempts = [_covered(cluster, safe_alone=safe_alone) for safe_alone in (False, True)]
    return [
        cluster.deals_of(members) for members in max(attempts, key=lambda packages: sum(packages).bit_count())
    ]


def _covered(cluster: _Cluster, *, safe_alone: bool) -> list[Members]:
    """Cover the deals by what they are about, then what no subject holds together by format and quality."""
    chosen: list[Members] = []
    for about in (True, False):
        groups = cluster.groups(about=about)
        _take(cluster, groups, chosen, safe_alone=safe_alone)
        _join(cluster, chosen)
        _borrow(cluster, groups, chosen)
    _join(cluster, chosen, renaming=True)
    return chosen


def _left(cluster: _Cluster, chosen: Sequence[Members]) -> Members:
    return ((1 << len(cluster.deals)) - 1) & ~reduce(or_, chosen, 0)


def _take(cluster: _Cluster, groups: Sequence[Members], chosen: list[Members], *, safe_alone: bool) -> None:
    """Make packages of the deals left, the best first; one of the same name and levels takes them in."""
    parts = {
        part: None for group in groups for part in cluster.parts(group, apart=True, safe_alone=safe_alone)
    }
    while len(chosen) < _MAX_PACKAGES:
        left = _left(cluster, chosen)
        best = max(filter(_is_package, (part & left for part in parts)), key=cluster.score, default=None)
        if best is None:
            return
        name = cluster.name_of(best)
        for place, own in enumerate(chosen):
            same = cluster.name_of(own) == name == cluster.name_of(own | best)
            if same and cluster.shares_theme(own, best):
                chosen[place] |= best
                break
        else:
            chosen.append(best)


def _join(cluster: _Cluster, chosen: list[Members], *, renaming: bool = False) -> None:
    """Add single deals left over to the first package they fit.

    renaming: its name may say less then, as long as no other package has that name.
    """
    for guest in (1 << place for place in range(len(cluster.deals))):
        if not guest & _left(cluster, chosen):
            continue
        names = [cluster.name_of(own) for own in chosen]
        for place, own in enumerate(chosen):
            if cluster.shares_theme(own, guest):
                name = cluster.name_of(own | guest)
                if name == names[place] or (renaming and name not in names):
                    chosen[place] |= guest
                    break


def _borrow(cluster: _Cluster, groups: Sequence[Members], chosen: list[Members]) -> None:
    """Make packages of deals that are too few by borrowing alike ones from packages that can spare them."""
    parts = {part: None for group in groups for part in cluster.parts(group, apart=False)}
    while len(chosen) < _MAX_PACKAGES:
        left = _left(cluster, chosen)
        options = (_filled_up(part, left, chosen) for part in parts if part & left)
        best = max(
            filter(_is_package, options),
            key=lambda option: ((option & left).bit_count(), cluster.score(option)),
            default=None,
        )
        if best is None:
            return
        chosen[:] = [own & ~best for own in chosen] + [best]


def _filled_up(part: Members, left: Members, chosen: Sequence[Members]) -> Members:
    """Return the deals of a part that are left, and others of it that packages can spare, up to a package."""
    option = part & left
    for own in sorted(chosen, key=lambda members: -members.bit_count()):
        spare, lent = own.bit_count() - MIN_PACKAGE_DEALS, own & part
        while spare > 0 and lent and not _is_package(option):
            option |= lent & -lent  # its lowest bit
            lent &= lent - 1
            spare -= 1
    return option


# --- facets of a deal ------------------------------------------------------------------------


def _facets(deal: Deal) -> dict[str, tuple[str, ...]]:
    """Return the known values of a deal by kind of facet."""
    return {
        "audience": deal.audience.inferred_audience,
        "vertical": tuple(filter(None, [vertical_of(deal)])),
        "format": tuple(filter(None, [format_of(deal)])),
        "quality": tuple(filter(None, [deal.commercial.quality_tier])),
    }


def _proposal(members: Sequence[Deal]) -> Proposal:
    return Proposal(name_of(members), tuple(deal.deal_id for deal in members), counted_reasoning(members))
