"""What the words of a package claim of its deals, as findings; the comparison is `core.wording.claims`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from core.deals import Deal
from core.deals.vocabulary import garm_risk
from core.wording import Claim
from core.wording.claims import check_claims
from core.wording.findings import CheckRules, Finding, Rule, ids_of, named, removal

CLAIM_RULES: Mapping[str, Rule] = {
    "FAMILY_CLAIM": Rule("error", "Words that say family-safe need deals that all say so"),
    "CLAIM": Rule("error", "What the words say must be true of the deals"),
}

_DENIAL = re.compile(r"(?:non|not?|never|without|isn't|aren't|free)\b", re.IGNORECASE)
# "30 of 30 are family-safe" and "100% family-safe" speak of all deals as well.
_OF_ALL = re.compile(
    r"(?:(?P<n>\w+)\s+(?:out\s+)?of\s+(?:(?:the|these|its)\s+)?(?P=n)\b|100\s?%)"
    r".*\b(?:family|kids?|child(?:ren)?)[\s-]?(?:safe|friendly)",
    re.IGNORECASE,
)


def claims_of(name: str, reasoning: str, members: Sequence[Deal], rules: CheckRules) -> tuple[Claim, ...]:
    """Return what name and reasoning say of the deals, with "Floor" read as the rules say."""
    if rules.floor_is_lowest_risk:
        members = [_with_floor_as_lowest(deal) for deal in members]
    return check_claims(name, reasoning, members)


def _with_floor_as_lowest(deal: Deal) -> Deal:
    if garm_risk(deal.safety.garm_risk_rating) != "Floor":
        return deal
    return replace(deal, safety=replace(deal.safety, garm_risk_rating="Low"))


def claims_family_safe(claims: Iterable[Claim]) -> bool:
    """Whether the words say of all deals that they are safe for families."""
    return any(map(_claims_family_safe, claims))


def _claims_family_safe(claim: Claim) -> bool:
    if claim.kind == "count":
        return bool(_OF_ALL.match(claim.said))
    return claim.kind == "family-safe" and not _DENIAL.match(claim.said)


def claim_findings(claims: Sequence[Claim], members: Sequence[Deal]) -> Iterator[Finding]:
    """Yield what the deals contradict; of a family-safe claim also what they do not say."""
    if claims_family_safe(claims):
        yield from _family_claim(members)
    for claim in claims:
        if claim.contradicted and not _claims_family_safe(claim):
            yield _contradiction(claim, members)


def _family_claim(members: Sequence[Deal]) -> Iterator[Finding]:
    said = {
        verdict: [deal for deal in members if deal.safety.family_safe is verdict] for verdict in _VERDICTS
    }
    against, silent = said[False], said[None]
    if not against and not silent:
        return
    words = f"{len(said[True])} of {len(members)} family-safe" + _against(against) + _silent(len(silent))
    severity = CLAIM_RULES["FAMILY_CLAIM"].severity if against else "warning"
    fixes = removal(members, against or silent, "contradicting" if against else "silent")
    yield Finding("FAMILY_CLAIM", severity, f"{words}.", ids_of(against or silent), fixes)


_VERDICTS = (True, False, None)


def _contradiction(claim: Claim, members: Sequence[Deal]) -> Finding:
    against = [deal for deal in members if deal.deal_id in set(claim.against)]
    if against:
        words = f"is true of {claim.true_of} of {claim.of}{_against(against)}{_silent(claim.unknown)}"
    else:
        words = f"is wrong over the {len(members)} deals of the package"
    severity = CLAIM_RULES["CLAIM"].severity
    fixes = removal(members, against, "contradicting")
    return Finding("CLAIM", severity, f'"{claim.said}" {words}.', ids_of(against), fixes, claim.said)


def _against(deals: Sequence[Deal]) -> str:
    verb = "contradicts" if len(deals) == 1 else "contradict"
    return f"; {len(deals)} {verb}: {named(ids_of(deals))}" if deals else ""


def _silent(deals: int) -> str:
    return f"; {deals} {'does' if deals == 1 else 'do'} not say" if deals else ""
