"""Whether the deals of a package may stand together: fixed rules, the same answer every time, no model.

Each rule has a code; what breaks it is said in words, with the deals it is about and what would
mend it in one click. What a deal does not say breaks no rule but FAMILY_CLAIM; it is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.counting import counted
from core.deals import Deal
from core.deals.countries import common_places, places_of
from core.deals.facts import mix
from core.deals.flight import end_of, running_time, start_of
from core.deals.signals import Signal, signals_of
from core.deals.vocabulary import garm_risk
from core.packages.fact_sheet import currency_of, flight_of
from core.packages.likely_duplicates import twins_of
from core.packages.package import Package
from core.settings import MIN_PACKAGE_DEALS
from core.wording import Claim
from core.wording.claim_findings import claim_findings, claims_family_safe, claims_of
from core.wording.findings import SEVERITIES, CheckRules, Finding, Fix, Rule, Severity, ids_of, named, removal
from core.wording.name_rules import (
    NAME_RULES,
    NameIndex,
    contradicts_years,
    word_findings,
    years_in,
)

# Code -> how bad at worst, and the rule in words; in the order in which findings are shown.
RULES: Mapping[str, Rule] = {
    "KIDS_POLITICAL": Rule("error", "Kids content must not stand with politics or news"),
    "KIDS_RESTRICTED": Rule(
        "error", "Kids content must not stand with gambling, alcohol, cannabis or pharma"
    ),
    "GAMBLING_FAMILY": Rule("error", "Gambling must not stand with what is called safe for families"),
    "FLOOR_CONTENT": Rule("error", "Content below the brand-safety floor should not be monetised"),
    "RISK_MIX": Rule("warning", "Low risk should not stand with high risk"),
    "QUALITY_MIX": Rule("warning", "Premium should not stand with run of network"),
    "FORMAT_MIX": Rule("warning", "Deals should have one format, and CTV should stand alone"),
    "CURRENCY_MIX": Rule("warning", "Deals should have one currency"),
    "PRICE_MIX": Rule("warning", "Fixed prices should not stand with auctions"),
    "NO_COMMON_FLIGHT": Rule("error", "There must be a time when all deals run"),
    "NO_COMMON_GEO": Rule("warning", "Deals should share a country"),
    "EXPIRED": Rule("warning", "Deals should still run"),
    "NOT_STARTED": Rule("warning", "Deals should have started"),
    "INACTIVE": Rule("warning", "Deals should be active"),
    "STALE_NAME": Rule("warning", "A year in the name of a deal should fit when it runs"),
    "DUP_MEMBER": Rule("warning", "No deal should be there twice under two ids"),
    "MULTI_SSP": Rule("info", "A curated deal needs one deal id for each SSP"),
    "FEW_DEALS": Rule("warning", f"A package should hold at least {MIN_PACKAGE_DEALS} deals"),
    "OVERLAP": Rule("error", "Packages should not share deals"),
    **NAME_RULES,
}


@dataclass(frozen=True, slots=True)
class Others:
    """The packages of a run that stand (are not rejected), to compare one with all in one step.

    names: their names. holders: deal id -> ids of the packages that hold it.
    """

    names: NameIndex
    holders: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, packages: Iterable[Package]) -> Others:
        """Build the index; rejected packages are left out."""
        standing = [package for package in packages if package.status != "rejected"]
        holders: dict[str, list[str]] = {}
        for package in standing:
            for deal_id in dict.fromkeys(package.deal_ids):
                holders.setdefault(deal_id, []).append(package.id)
        return cls(
            NameIndex.of((package.id, package.name) for package in standing),
            {deal_id: tuple(ids) for deal_id, ids in holders.items()},
        )

    def sharing(self, package: Package) -> dict[str, tuple[str, ...]]:
        """Return the deals of the package that others hold too, and the ids of these others."""
        found = (
            (deal_id, tuple(one for one in self.holders.get(deal_id, ()) if one != package.id))
            for deal_id in package.deal_ids
        )
        return {deal_id: others for deal_id, others in found if others}


_NO_OTHERS = Others.of(())


@dataclass(frozen=True, slots=True)
class _Case:
    """One package with what several checks look at.

    about: signal -> the deals that give it. risks: deal id -> GARM risk as the rules read it.
    """

    package: Package
    members: Sequence[Deal]
    rules: CheckRules
    others: Others
    claims: tuple[Claim, ...]
    about: Mapping[Signal, Sequence[Deal]]
    risks: Mapping[str, str | None]

    @classmethod
    def of(cls, package: Package, members: Sequence[Deal], rules: CheckRules, others: Others) -> _Case:
        places = {deal_id: place for place, deal_id in enumerate(package.deal_ids)}
        ordered = sorted(members, key=lambda deal: places.get(deal.deal_id, len(places)))
        about: dict[Signal, list[Deal]] = {}
        for deal in ordered:
            for signal in signals_of(deal):
                about.setdefault(signal, []).append(deal)
        claims = claims_of(package.name, package.reasoning, ordered, rules)
        floor_is_lowest = rules.floor_is_lowest_risk
        risks = {
            deal.deal_id: garm_risk(deal.safety.garm_risk_rating, floor_is_lowest_risk=floor_is_lowest)
            for deal in ordered
        }
        return cls(package, ordered, rules, others, claims, about, risks)

    def where(self, test: Callable[[Deal], bool]) -> list[Deal]:
        """Return the deals of which something is true, in the order of the package."""
        return [deal for deal in self.members if test(deal)]

    def any_of(self, *groups: Iterable[Deal]) -> list[Deal]:
        """Return the deals of several groups, each once, in the order of the package."""
        wanted = {deal.deal_id for group in groups for deal in group}
        return self.where(lambda deal: deal.deal_id in wanted)

    def rated(self, *risks: str) -> list[Deal]:
        """Return the deals with one of these GARM risks, as the rules read them."""
        return self.where(lambda deal: self.risks[deal.deal_id] in risks)


def check_package(
    package: Package, members: Sequence[Deal], rules: CheckRules, others: Others | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong with a package, worst first, then in the order of RULES.

    members: its deals. others: what its name and deals may collide with; itself may be among them.
    """
    case = _Case.of(package, members, rules, others or _NO_OTHERS)
    found = [finding for check in _CHECKS for finding in check(case)]
    return tuple(sorted(found, key=lambda item: (SEVERITIES.index(item.severity), _PLACES[item.code])))


_PLACES = {code: place for place, code in enumerate(RULES)}


def _broken(
    code: str,
    what: str,
    deals: Iterable[Deal],
    fixes: Sequence[Fix] = (),
    severity: Severity | None = None,
) -> Finding:
    rule = RULES[code]
    return Finding(code, severity or rule.severity, f"{rule.words}: {what}.", ids_of(deals), tuple(fixes))


def _silent(deals: int, of_what: str) -> str:
    return f"; {deals} of unknown {of_what}" if deals else ""


# --- what must not meet -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Side:
    """Deals that have something in common, and the word for it."""

    word: str
    deals: Sequence[Deal]


def _conflict(
    case: _Case, code: str, one: _Side, other: _Side, unknown: str = "", severity: Severity | None = None
) -> Iterator[Finding]:
    """Yield a finding when both sides have deals; the fix takes the smaller out, of equal ones the other."""
    if not one.deals or not other.deals:
        return
    first, second = sorted((other, one), key=lambda side: len(side.deals))
    fixes = [fix for side in (first, second) for fix in removal(case.members, side.deals, side.word)]
    what = f"{len(one.deals)} {one.word}, {len(other.deals)} {other.word}{unknown}"
    yield _broken(code, what, case.any_of(one.deals, other.deals), fixes[:1], severity)


def _about(case: _Case, word: str, *signals: Signal) -> _Side:
    return _Side(word, case.any_of(*(case.about.get(signal, ()) for signal in signals)))


def _kids_political(case: _Case) -> Iterator[Finding]:
    kids, political = _about(case, "kids", "KIDS"), _about(case, "political", "POLITICAL")
    if political.deals:
        return _conflict(case, "KIDS_POLITICAL", kids, political)
    return _conflict(case, "KIDS_POLITICAL", kids, _about(case, "news", "NEWS"), severity="warning")


def _kids_restricted(case: _Case) -> Iterator[Finding]:
    restricted = _about(case, "gambling or restricted", "GAMBLING", "RESTRICTED")
    return _conflict(case, "KIDS_RESTRICTED", _about(case, "kids", "KIDS"), restricted)


def _gambling_family(case: _Case) -> Iterator[Finding]:
    gambling = _about(case, "gambling", "GAMBLING")
    safe = _Side("family-safe", case.where(lambda deal: deal.safety.family_safe is True))
    unknown = _silent(sum(deal.safety.family_safe is None for deal in case.members), "family safety")
    if safe.deals:
        yield from _conflict(case, "GAMBLING_FAMILY", safe, gambling, unknown)
    elif gambling.deals and claims_family_safe(case.claims):
        what = f"the words say family-safe, with gambling in {counted(len(gambling.deals), 'deal')}"
        fixes = removal(case.members, gambling.deals, "gambling")
        yield _broken("GAMBLING_FAMILY", what + unknown, gambling.deals, fixes)


def _floor_content(case: _Case) -> Iterator[Finding]:
    below = case.rated("Floor")
    if below:
        what = f"{len(below)} of {len(case.members)} rated so{_unrated(case)}"
        yield _broken("FLOOR_CONTENT", what, below, removal(case.members, below, which="rated Floor"))


def _unrated(case: _Case) -> str:
    return _silent(list(case.risks.values()).count(None), "risk")


def _risk_mix(case: _Case) -> Iterator[Finding]:
    low = _Side("low-risk", case.rated("Low"))
    high = _Side("high-risk", case.rated("High", "Floor"))
    return _conflict(case, "RISK_MIX", low, high, _unrated(case))


def _quality_mix(case: _Case) -> Iterator[Finding]:
    tiers = {deal.deal_id: deal.commercial.quality_tier for deal in case.members}
    premium = _Side("Premium", case.where(lambda deal: tiers[deal.deal_id] == "Premium"))
    ron = _Side("RON", case.where(lambda deal: tiers[deal.deal_id] == "RON"))
    unknown = _silent(list(tiers.values()).count(None), "quality")
    return _conflict(case, "QUALITY_MIX", premium, ron, unknown)


# --- what should be one -------------------------------------------------------------------------

# The value by which a deal belongs to a part; several when it would fit several; () when unknown.
_SPLITS: Mapping[str, Callable[[Deal], Sequence[str]]] = {
    "SSP": lambda deal: (deal.ssp_name,) if deal.ssp_name else (),
    "currency": lambda deal: (currency,) if (currency := currency_of(deal)) else (),
    "device": lambda deal: ("CTV" if "ctv" in deal.devices else "non-CTV",) if deal.devices else (),
    "geo": lambda deal: places_of(deal.geos),
    "format": lambda deal: ("/".join(sorted(deal.formats)),) if deal.formats else (),
    "price type": lambda deal: (deal.price_type,) if deal.price_type else (),
}


def _parts(members: Sequence[Deal], by: str) -> dict[str, list[Deal]]:
    """Part deals by a value: the commonest takes its deals, then the commonest of the rest, and so on.

    Deals without a value are in no part.
    """
    left = [(deal, values) for deal in members if (values := _SPLITS[by](deal))]
    parts: dict[str, list[Deal]] = {}
    while left:
        counts = Counter(value for _, values in left for value in dict.fromkeys(values))
        most = max(counts, key=counts.__getitem__)
        parts[most] = [deal for deal, values in left if most in values]
        left = [item for item in left if most not in item[1]]
    return parts


def _split(members: Sequence[Deal], by: str, parts: Mapping[str, Sequence[Deal]]) -> tuple[Fix, ...]:
    """Return the fix that makes a package of each part, and one of the deals in none."""
    if len(parts) < 2:  # noqa: PLR2004  (one part is no split)
        return ()
    unknown = [deal for deal in members if not _SPLITS[by](deal)]
    groups = {**parts, "unknown": unknown} if unknown else parts
    label = named([f"{value} {len(deals)}" for value, deals in groups.items()])
    return (Fix("split", f"Split by {by} ({label})", tuple(map(ids_of, groups.values()))),)


def _all_but_most(members: Sequence[Deal], by: str, parts: Mapping[str, Sequence[Deal]]) -> tuple[Fix, ...]:
    """Return the fix that takes out what differs from most deals; () when no part is the largest."""
    sizes = sorted(map(len, parts.values()), reverse=True)
    most = max(parts, key=lambda value: len(parts[value]))
    # Deals of several formats differ in themselves: keeping them mends nothing.
    if len(sizes) < 2 or sizes[0] == sizes[1] or (by == "format" and "/" in most):  # noqa: PLR2004
        return ()
    kept = set(ids_of(parts[most]))
    others = [deal for deal in members if _SPLITS[by](deal) and deal.deal_id not in kept]
    return removal(members, others, which=f"of another {by} than {most}")


def _shares(members: Sequence[Deal], by: str) -> str:
    """Write how many deals have each value, and how many none."""
    counts = [f"{count} {value}" for value, count in mix(members, _SPLITS[by]).items()]
    return named(counts) + _silent(sum(not _SPLITS[by](deal) for deal in members), by)


def _mixed(case: _Case, code: str, *ways: str) -> Finding:
    """Return the finding that deals differ in one or several ways: names of _SPLITS."""
    members = case.members
    parts = {by: _parts(members, by) for by in ways}
    what = "; ".join(_shares(members, by) for by in ways)
    deals = case.where(lambda deal: any(_SPLITS[by](deal) for by in ways))
    fixes = [fix for make in (_split, _all_but_most) for by in ways for fix in make(members, by, parts[by])]
    return _broken(code, what, deals, fixes)


def _differ(case: _Case, by: str) -> bool:
    return len({value for deal in case.members for value in _SPLITS[by](deal)}) > 1


def _format_mix(case: _Case) -> Iterator[Finding]:
    formats = len({name for deal in case.members for name in deal.formats}) > 1
    ways = [by for by, differs in (("format", formats), ("device", _differ(case, "device"))) if differs]
    if ways:
        yield _mixed(case, "FORMAT_MIX", *ways)


def _currency_mix(case: _Case) -> Iterator[Finding]:
    if _differ(case, "currency"):
        yield _mixed(case, "CURRENCY_MIX", "currency")


def _price_mix(case: _Case) -> Iterator[Finding]:
    if _differ(case, "price type"):
        yield _mixed(case, "PRICE_MIX", "price type")


def _no_common_geo(case: _Case) -> Iterator[Finding]:
    known = [deal.geos for deal in case.members if deal.geos]
    if known and not common_places(known):
        yield _mixed(case, "NO_COMMON_GEO", "geo")


def _multi_ssp(case: _Case) -> Iterator[Finding]:
    ssps = _parts(case.members, "SSP")
    if len(ssps) > 1:
        what = f"{len(ssps)} SSPs here, {_shares(case.members, 'SSP')}"
        known = case.where(lambda deal: bool(deal.ssp_name))
        yield _broken("MULTI_SSP", what, known, _split(case.members, "SSP", ssps))


# --- time ---------------------------------------------------------------------------------------


def _no_common_flight(case: _Case) -> Iterator[Finding]:
    flight = flight_of(case.members)
    if not flight.empty:
        return
    times = {deal.deal_id: running_time(deal) for deal in case.members}
    # Of moments with equally many deals the latest counts: what ends soon is worth less.
    starts = sorted({start for start, _ in times.values()}, reverse=True)
    latest, earliest = starts[0], min(end for _, end in times.values())
    late_or_early = case.where(
        lambda deal: times[deal.deal_id][0] > earliest or times[deal.deal_id][1] < latest
    )
    best = max(starts, key=lambda moment: sum(start <= moment <= end for start, end in times.values()))
    absent = case.where(lambda deal: not times[deal.deal_id][0] <= best <= times[deal.deal_id][1])
    what = f"the last starts {flight.start}, the first ends {flight.end}"
    if flight.start_open or flight.end_open:
        what += f"; {flight.start_open} without start, {flight.end_open} without end"
    fixes = removal(case.members, absent, which="with other flights than most")
    yield _broken("NO_COMMON_FLIGHT", what, late_or_early, fixes)


def _each(code: str, kind: str, test: Callable[[Deal, CheckRules], bool]) -> _Check:
    """Return the check of what should be so of each deal; test: whether it is not; kind: word for such."""

    def check(case: _Case) -> Iterator[Finding]:
        found = case.where(lambda deal: test(deal, case.rules))
        if found:
            words = f"not so for {len(found)} of {len(case.members)}, {named(ids_of(found))}"
            yield _broken(code, words, found, removal(case.members, found, kind))

    return check


def _has_ended(deal: Deal, rules: CheckRules) -> bool:
    end = end_of(deal.end_time)
    return deal.status == "expired" or (end is not None and end.date() < rules.today)


def _starts_later(deal: Deal, rules: CheckRules) -> bool:
    start = start_of(deal.start_time)
    return start is not None and start.date() > rules.today


def _is_inactive(deal: Deal, rules: CheckRules) -> bool:  # noqa: ARG001  (same form as the others)
    return deal.status is not None and deal.status not in {"active", "expired"}


def _has_stale_name(deal: Deal, rules: CheckRules) -> bool:
    years = years_in(deal.deal_name or "", rules.today)
    return years is not None and contradicts_years(deal, years, rules.today)


# --- the same deal twice ------------------------------------------------------------------------


def _dup_member(case: _Case) -> Iterator[Finding]:
    groups = twins_of(case.members)
    if groups:
        doubled = case.any_of(*groups)
        extra = case.any_of(*(group[1:] for group in groups))
        what = "; ".join(named(ids_of(group)) for group in groups[:_MOST_GROUPS])
        more = len(groups) - _MOST_GROUPS
        what += f"; and {counted(more, 'group')} more" if more > 0 else ""
        fixes = removal(case.members, extra, "doubled")
        yield _broken("DUP_MEMBER", f"{len(doubled)} look alike ({what})", doubled, fixes)


_MOST_GROUPS = 3


# --- size and overlap ---------------------------------------------------------------------------


def _few_deals(case: _Case) -> Iterator[Finding]:
    if len(case.members) < MIN_PACKAGE_DEALS:
        yield _broken("FEW_DEALS", f"this one holds {len(case.members)}", ())


def _overlap(case: _Case) -> Iterator[Finding]:
    """Judge shared deals by the policy: allow says nothing, warn counts them, forbid takes none."""
    policy = case.rules.overlap
    if policy.mode == "allow":
        return
    sharing = case.others.sharing(case.package)
    share = len(sharing) / len(case.members) if case.members else 0.0
    if not sharing or (policy.mode == "warn" and share <= policy.most_shared):
        return
    shared = case.where(lambda deal: deal.deal_id in sharing)
    holders = dict.fromkeys(one for others in sharing.values() for one in others)
    titles = named([repr(case.others.names.names[one]) for one in holders])
    limit = "" if policy.mode == "forbid" else f", at most {policy.most_shared:.0%} may be"
    what = f"{len(shared)} of {len(case.members)} also in {titles}{limit}"
    severity: Severity = "error" if policy.mode == "forbid" else "warning"
    fixes = removal(case.members, shared, "shared")
    yield _broken("OVERLAP", what, shared, fixes, severity)


# --- words --------------------------------------------------------------------------------------


def _claims(case: _Case) -> Iterator[Finding]:
    return claim_findings(case.claims, case.members)


def _words_of_name(case: _Case) -> Iterator[Finding]:
    """Yield the findings about the name that are no claims: those of `_claims` say the rest."""
    package = case.package
    return word_findings(
        package.name, case.members, case.rules, package.reasoning, case.others.names, package.id
    )


_Check = Callable[[_Case], Iterator[Finding]]

_CHECKS: tuple[_Check, ...] = (
    _kids_political,
    _kids_restricted,
    _gambling_family,
    _floor_content,
    _risk_mix,
    _claims,
    _quality_mix,
    _format_mix,
    _currency_mix,
    _price_mix,
    _no_common_flight,
    _no_common_geo,
    _each("EXPIRED", "ended", _has_ended),
    _each("NOT_STARTED", "later", _starts_later),
    _each("INACTIVE", "inactive", _is_inactive),
    _each("STALE_NAME", "outdated", _has_stale_name),
    _dup_member,
    _multi_ssp,
    _few_deals,
    _overlap,
    _words_of_name,
)
