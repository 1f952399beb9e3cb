"""Packages from counted facts alone: the default without a key, and never called AI.

Deals are gathered under shared facets (vertical, format, quality tier, audience); the
facet group that is largest and most coherent becomes a package, its deals are taken out,
and so on. A deal below the brand-safety floor is never packaged; high risk never joins low.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from core.deals import Deal
from core.deals.facts import UNKNOWN_CURRENCY, facts_of, mix
from core.deals.vocabulary import garm_risk
from core.proposals.answer import NAME_LIMIT, clean_text
from core.proposals.model import FIRST_CALL, Answer, AskContext, DealGroup, Proposal, Unpackaged
from core.settings import MIN_PACKAGE_DEALS

SOURCE = "Rules (no AI)"
_STAND_IN = "Rules (AI failed: "

_MAX_PACKAGES = 6
# More deals than this add nothing to a package's score: 3-15 deals are a typical package.
_TYPICAL_MAX = 15
# A word stands in the name when at least this share of the deals carries it.
_NAME_SHARE = 0.8

Facet = tuple[str, str]  # (kind, value)
Split = Callable[[Sequence[Deal]], list[list[Deal]]]
# Tier-1 categories that say how content is made, not what it is about: there tier 2 is the vertical.
_VAGUE_TIERS = frozenset({"Genres"})
# A package is about a vertical or an audience; format and quality alone are no product.
_SUBJECTS = frozenset({"vertical", "audience"})


def rules_label(reason: str) -> str:
    """Return the label of packages that rules made because a model failed; reason: one sentence."""
    return f"{_STAND_IN}{clean_text(reason.rstrip('. '), NAME_LIMIT)})"


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
        deals = sorted(group.deals, key=lambda deal: deal.deal_id)
        sellable = [deal for deal in deals if _risk(deal) != "Floor"]
        chosen = _choose(sellable)
        packaged = {deal.deal_id for members in chosen for deal in members}
        full = len(chosen) == _MAX_PACKAGES
        reasons = (
            Unpackaged(deal.deal_id, _why_left(deal, full)) for deal in deals if deal.deal_id not in packaged
        )
        return Answer(tuple(map(_proposal, chosen)), tuple(reasons))


def _why_left(deal: Deal, full: bool) -> str:
    if _risk(deal) == "Floor":
        return "It is rated below the brand-safety floor (GARM Floor)."
    if not _subjects(deal):
        return "It names no vertical and no audience to group it by."
    if full:
        return f"It fits none of the {_MAX_PACKAGES} packages that a cluster gives at most."
    return (
        f"Fewer than {MIN_PACKAGE_DEALS} of the deals left share its vertical or audience "
        "without mixing brand-safety levels."
    )


def _choose(deals: Sequence[Deal]) -> list[list[Deal]]:
    """Cover the deals greedily with the best facet groups; single deals left over join where they fit.

    No deal is in two packages: each package tells one story about its own deals.
    """
    left = {deal.deal_id for deal in deals}
    chosen: list[list[Deal]] = []
    # First packages that can keep a family-safe promise, then what one vertical has left over.
    for split in (_by_family, _by_risk):
        candidates = list(_candidates(deals, split))
        while len(chosen) < _MAX_PACKAGES:
            groups = ([deal for deal in members if deal.deal_id in left] for members in candidates)
            full = (group for group in groups if len(group) >= MIN_PACKAGE_DEALS)
            best = max(full, key=_score, default=None)
            if best is None:
                break
            left -= {deal.deal_id for deal in best}
            same = next((one for one in chosen if name_of(one) == name_of(best) and _fits(one, best)), None)
            if same is None:
                chosen.append(best)
            else:
                same += best
    for deal in deals:
        host = next((members for members in chosen if _fits(members, [deal])), None)
        if deal.deal_id in left and host is not None:
            host.append(deal)
    return chosen


def _fits(members: Sequence[Deal], guests: Sequence[Deal]) -> bool:
    """Whether guests share the subject of a package, its risk, and leave its name as true as it was."""
    together = [*members, *guests]
    return (
        bool(frozenset.intersection(*map(_subjects, together)))
        and sum(map(bool, _by_risk(together))) == 1
        and name_of(together) == name_of(members)
    )


def _candidates(deals: Sequence[Deal], split: Split) -> Iterator[tuple[Deal, ...]]:
    """Yield groups that share one to three facets, one of them a vertical or an audience."""
    facets = [(deal, _facets(deal)) for deal in deals]
    seen: set[tuple[str, ...]] = set()
    for wanted in _facet_sets([own for _, own in facets]):
        members = [deal for deal, own in facets if wanted <= own]
        for compatible in split(members):
            ids = tuple(deal.deal_id for deal in compatible)
            if len(ids) >= MIN_PACKAGE_DEALS and ids not in seen:
                seen.add(ids)
                yield tuple(compatible)


def _facet_sets(all_facets: Sequence[frozenset[Facet]]) -> list[frozenset[Facet]]:
    found: dict[frozenset[Facet], None] = {}
    for facets in all_facets:
        for size in (3, 2, 1):
            for wanted in combinations(sorted(facets), size):
                if any(kind in _SUBJECTS for kind, _ in wanted):
                    found[frozenset(wanted)] = None
    return list(found)


def _facets(deal: Deal) -> frozenset[Facet]:
    facets: list[Facet] = []
    if deal.formats:
        facets.append(("format", _format(deal)))
    if deal.commercial.quality_tier:
        facets.append(("quality", deal.commercial.quality_tier))
    return _subjects(deal).union(facets)


def _subjects(deal: Deal) -> frozenset[Facet]:
    """Return what a deal is about: its vertical and its audiences."""
    facets: list[Facet] = [("audience", name) for name in deal.audience.inferred_audience]
    if vertical := _vertical(deal):
        facets.append(("vertical", vertical))
    return frozenset(facets)


def _vertical(deal: Deal) -> str | None:
    tiers = deal.taxonomy
    return tiers.tier2 if tiers.tier1 in _VAGUE_TIERS and tiers.tier2 else tiers.tier1


def _verticals(deals: Sequence[Deal]) -> dict[str, int]:
    return mix(deals, lambda deal: (_vertical(deal),))


def _by_risk(deals: Sequence[Deal]) -> list[list[Deal]]:
    """Split deals so that high risk never meets low, and unlike verticals not safe and unsafe.

    Within one vertical some sellers vouch for families and some do not; the fact sheet says so.
    Across verticals the same mix would put children's channels beside anything.
    """
    verticals = {_vertical(deal) for deal in deals}
    one_vertical = len(verticals) == 1 and None not in verticals
    return _high_and_rest(deals) if one_vertical else _by_family(deals)


def _by_family(deals: Sequence[Deal]) -> list[list[Deal]]:
    """Split deals so that high risk never meets low, and safe for families never meets unsafe."""
    parts = []
    for part in _high_and_rest(deals):
        unsafe = [deal for deal in part if deal.safety.family_safe is False]
        safe = [deal for deal in part if deal.safety.family_safe is True]
        unknown = [deal for deal in part if deal.safety.family_safe is None]
        parts += [safe + unknown, unsafe] if safe else [unsafe + unknown]
    return [sorted(part, key=lambda deal: deal.deal_id) for part in parts]


def _high_and_rest(deals: Sequence[Deal]) -> list[list[Deal]]:
    high = [deal for deal in deals if _risk(deal) == "High"]
    return [high, [deal for deal in deals if _risk(deal) != "High"]]


def _score(members: Sequence[Deal]) -> float:
    return float(min(len(members), _TYPICAL_MAX) * _coherence(members) ** 4)


def _coherence(members: Sequence[Deal]) -> float:
    """Return how alike the deals are: the mean share of the commonest value over four facts, in (0, 1]."""
    facts = facts_of(members)
    mixes = (_verticals(members), facts.formats, facts.quality, facts.audiences)
    return sum(max(mix.values(), default=0) / len(members) for mix in mixes) / len(mixes)


def _risk(deal: Deal) -> str | None:
    return garm_risk(deal.safety.garm_risk_rating)


def _format(deal: Deal) -> str:
    if deal.formats == ("video",) and deal.devices == ("ctv",):
        return "CTV"
    return "/".join(name.title() for name in deal.formats)


# --- words ------------------------------------------------------------------------------------


def _proposal(members: Sequence[Deal]) -> Proposal:
    return Proposal(name_of(members), tuple(deal.deal_id for deal in members), _reasoning(members))


def name_of(members: Sequence[Deal]) -> str:
    """Write "[Quality] [Vertical/Audience] [Format] Package" from words that most deals carry."""
    facts = facts_of(members)
    formats = mix(members, lambda deal: (_format(deal),))
    kind = _common(formats, len(members)) or _common(facts.formats, len(members)) or ""
    words = (
        _safety_word(members),
        _common(facts.quality, len(members)),
        *_subject_words(
            _common(_verticals(members), len(members)), _common(facts.audiences, len(members)), kind
        ),
        kind,
    )
    known = [word for word in words if word]
    return clean_text(" ".join([*known, "Package"]) if known else "Mixed Package", NAME_LIMIT)


def _safety_word(members: Sequence[Deal]) -> str | None:
    """Return the one word on brand safety that is true of every deal, None when there is none."""
    if all(_risk(deal) == "High" for deal in members):
        return "High-Risk"
    verdicts = {deal.safety.family_safe for deal in members}
    if verdicts == {True}:
        return "Family-Safe"
    return "Non-Family" if verdicts == {False} else None


def _subject_words(vertical: str | None, audience: str | None, kind: str) -> list[str]:
    """Return vertical and audience without saying a word twice: "Travel", "Eco Travelers" is the latter."""
    if vertical and audience and _roots(vertical) & _roots(audience):
        vertical = None
    spoken = [word for subject in (vertical, audience) if subject for word in subject.split()]
    return [word for word in spoken if word.casefold() != kind.casefold()]


def _roots(words: str) -> set[str]:
    """Return the beginnings of the longer words: "travel" for "Travelers" and "Travel"."""
    return {word[:4] for word in re.findall(r"\w{4,}", words.casefold())}


def _common(mix: Mapping[str, int], deals: int) -> str | None:
    """Return the value that most deals carry, None when too few do."""
    value = max(mix, key=lambda name: (mix[name], name), default=None)
    return _titled(value) if value and mix[value] >= _NAME_SHARE * deals else None


def _titled(word: str) -> str:
    return word if any(char.isupper() for char in word) else string.capwords(word)


def _reasoning(members: Sequence[Deal]) -> str:
    facts = facts_of(members)

    def share(mix: Mapping[str, int], what: str) -> str:
        if not mix:
            return f"no deal says its {what}"
        value, count = next(iter(mix.items()))
        return f"{count} of {facts.deals} are {value} ({what})"

    floors = ", ".join(
        f"{part.lowest}-{part.highest} {_currency(part.currency)} CPM over {part.deals}"
        for part in facts.floors
    )
    sentences = (
        f"{facts.deals} deals from {len(facts.ssps)} SSPs: "
        + "; ".join(
            (
                share(_verticals(members), "vertical"),
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


def _currency(code: str) -> str:
    return "(currency unknown)" if code == UNKNOWN_CURRENCY else code
