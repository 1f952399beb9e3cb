"""Packages from counted facts alone: the default without a key, and never called AI.

Deals are gathered under shared facets (vertical, format, quality tier, audience); the
facet group that is largest and most coherent becomes a package, its deals are taken out,
and so on. A deal below the brand-safety floor is never packaged; high risk never joins low.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from core.deals import Deal
from core.deals.facts import Facts, facts_of
from core.deals.vocabulary import garm_risk
from core.proposals.model import Answer, DealGroup, Proposal, Unpackaged
from core.settings import MIN_PACKAGE_DEALS

SOURCE = "Rules (no AI)"

_MAX_PACKAGES = 6
# More deals than this add nothing to a package's score: 3-15 deals are a typical package.
_TYPICAL_MAX = 15
# Candidates that share more than this of their deals with a chosen package say the same thing.
_SAME_PACKAGE = 0.6
# A word stands in the name when at least this share of the deals carries it.
_NAME_SHARE = 0.8

Facet = tuple[str, str]  # (kind, value)


@dataclass(frozen=True, slots=True)
class RulesProposer:
    """Proposes packages by facets; needs no key and no network, and always answers."""

    @property
    def source(self) -> str:
        """The label that says no model was used."""
        return SOURCE

    def propose(self, group: DealGroup) -> Answer:
        """Return at most six packages of at least three deals; the rest is listed with its reason."""
        deals = sorted(group.deals, key=lambda deal: deal.deal_id)
        sellable = [deal for deal in deals if _risk(deal) != "Floor"]
        chosen = _choose(sellable)
        packaged = {deal.deal_id for members in chosen for deal in members}
        reasons = (
            Unpackaged(deal.deal_id, _why_left(deal)) for deal in deals if deal.deal_id not in packaged
        )
        return Answer(tuple(map(_proposal, chosen)), tuple(reasons))


def _why_left(deal: Deal) -> str:
    if _risk(deal) == "Floor":
        return "It is rated below the brand-safety floor (GARM Floor)."
    return f"Fewer than {MIN_PACKAGE_DEALS} deals of the cluster share its vertical or audience."


def _choose(deals: Sequence[Deal]) -> list[tuple[Deal, ...]]:
    """Cover the deals greedily with the best facet groups."""
    candidates = list(_candidates(deals))
    chosen: list[tuple[Deal, ...]] = []
    covered: set[str] = set()
    while len(chosen) < _MAX_PACKAGES:
        scored = [
            (score, -position, members)
            for position, members in enumerate(candidates)
            if (score := _score(members, covered)) > 0 and not any(_alike(members, known) for known in chosen)
        ]
        if not scored:
            break
        _, _, best = max(scored, key=lambda item: item[:2])
        # Deals already packaged stay where they are: a package tells one story about its own deals.
        own = tuple(deal for deal in best if deal.deal_id not in covered)
        chosen.append(own)
        covered |= {deal.deal_id for deal in own}
    return chosen


def _candidates(deals: Sequence[Deal]) -> Iterator[tuple[Deal, ...]]:
    """Yield groups that share one to three facets, one of them a vertical or an audience."""
    seen: set[tuple[str, ...]] = set()
    for wanted in _facet_sets(deals):
        members = [deal for deal in deals if wanted <= _facets(deal)]
        for compatible in _by_risk(members):
            ids = tuple(deal.deal_id for deal in compatible)
            if len(ids) >= MIN_PACKAGE_DEALS and ids not in seen:
                seen.add(ids)
                yield tuple(compatible)


def _facet_sets(deals: Sequence[Deal]) -> list[frozenset[Facet]]:
    found: dict[frozenset[Facet], None] = {}
    for deal in deals:
        facets = sorted(_facets(deal))
        for size in (3, 2, 1):
            for wanted in combinations(facets, size):
                if any(kind in {"vertical", "audience"} for kind, _ in wanted):
                    found[frozenset(wanted)] = None
    return list(found)


def _facets(deal: Deal) -> frozenset[Facet]:
    facets: list[Facet] = [("audience", name) for name in deal.audience.inferred_audience]
    if deal.taxonomy.tier1:
        facets.append(("vertical", deal.taxonomy.tier1))
    if deal.formats:
        facets.append(("format", _format(deal)))
    if deal.commercial.quality_tier:
        facets.append(("quality", deal.commercial.quality_tier))
    return frozenset(facets)


def _by_risk(deals: Sequence[Deal]) -> list[list[Deal]]:
    """Split deals so that high risk never meets low, and safe for families never meets unsafe."""
    high = [deal for deal in deals if _risk(deal) == "High"]
    rest = [deal for deal in deals if _risk(deal) != "High"]
    parts = []
    for part in (high, rest):
        unsafe = [deal for deal in part if deal.safety.family_safe is False]
        safe = [deal for deal in part if deal.safety.family_safe is True]
        unknown = [deal for deal in part if deal.safety.family_safe is None]
        parts += [safe + unknown, unsafe] if safe else [unsafe + unknown]
    return [sorted(part, key=lambda deal: deal.deal_id) for part in parts]


def _score(members: Sequence[Deal], covered: set[str]) -> float:
    new = [deal for deal in members if deal.deal_id not in covered]
    if len(new) < MIN_PACKAGE_DEALS:
        return 0.0
    return float(min(len(new), _TYPICAL_MAX) * _coherence(new) ** 4)


def _coherence(members: Sequence[Deal]) -> float:
    """Return how alike the deals are: the mean share of the commonest value over four facts, in (0, 1]."""
    facts = facts_of(members)
    mixes = (facts.tier1, facts.formats, facts.quality, facts.audiences)
    return sum(max(mix.values(), default=0) / len(members) for mix in mixes) / len(mixes)


def _alike(members: Sequence[Deal], known: Sequence[Deal]) -> bool:
    left, right = {deal.deal_id for deal in members}, {deal.deal_id for deal in known}
    return len(left & right) / len(left | right) > _SAME_PACKAGE


def _risk(deal: Deal) -> str | None:
    return garm_risk(deal.safety.garm_risk_rating)


def _format(deal: Deal) -> str:
    return "CTV" if deal.formats == ("video",) and deal.devices == ("ctv",) else "/".join(deal.formats)


# --- words ------------------------------------------------------------------------------------


def _proposal(members: tuple[Deal, ...]) -> Proposal:
    facts = facts_of(members)
    return Proposal(_name(members, facts), tuple(deal.deal_id for deal in members), _reasoning(facts))


def _name(members: Sequence[Deal], facts: Facts) -> str:
    """Write "[Quality] [Vertical/Audience] [Format] Package" from words that most deals carry."""
    formats = [_format(deal) for deal in members]
    audience = _common(facts.audiences, len(members))
    words = (
        "Family-Safe" if facts.family_safe == "yes" else None,
        _common(facts.quality, len(members)),
        _common(facts.tier1, len(members)) or audience or next(iter(facts.tier1), None),
        audience if _common(facts.tier1, len(members)) and audience else None,
        _common({name: formats.count(name) for name in formats}, len(members)),
    )
    known = [_titled(word) for word in words if word]
    return " ".join([*known, "Package"]) if known else "Mixed Package"


def _common(mix: Mapping[str, int], deals: int) -> str | None:
    """Return the value that most deals carry, None when too few do."""
    value = max(mix, key=lambda name: (mix[name], name), default=None)
    return value if value and mix[value] >= _NAME_SHARE * deals else None


def _titled(word: str) -> str:
    return word if any(char.isupper() for char in word) else word.title()


def _reasoning(facts: Facts) -> str:
    def share(mix: Mapping[str, int], what: str) -> str:
        if not mix:
            return f"no deal says its {what}"
        value, count = next(iter(mix.items()))
        return f"{count} of {facts.deals} are {value} ({what})"

    floors = ", ".join(
        f"{part.lowest}-{part.highest} {part.currency} CPM over {part.deals}" for part in facts.floors
    )
    sentences = (
        f"{facts.deals} deals from {len(facts.ssps)} SSPs: "
        + "; ".join(
            (
                share(facts.tier1, "vertical"),
                share(facts.formats, "format"),
                share(facts.quality, "quality tier"),
                share(facts.audiences, "audience"),
            )
        ),
        f"Worst known risk {facts.worst_risk or 'unknown'}; "
        f"{facts.family_safe_deals} of {facts.deals} family-safe",
        f"Floors {floors or 'unknown'}" + (f"; {facts.floor_unknown} unknown" if facts.floor_unknown else ""),
        "No language model was used",
    )
    return ". ".join(sentences) + "."
