"""What code found out about a package, in words and chips: findings, flags, claims, odd deal names."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.counting import counted
from core.packages import Package
from core.packages.package import Flag
from core.proposals import Proposal
from core.wording import Claim
from core.wording.findings import Finding, Severity
from pages._shared.texts import literal

# Flag -> chip, and what it means.
FLAG_WORDS: dict[Flag, tuple[str, str]] = {
    "near_same": ("Near-same", "Another package of the same answer holds nearly the same deals."),
    "all_in_one": ("All in one", "It holds every deal of its cluster: nothing was told apart."),
    "salvaged": ("Salvaged", "It was read from a damaged answer: look at the raw reply."),
    "unnamed": ("Unnamed", "The answer gave it no usable name: the name is made from its deals."),
}
_MOST_NAMED = 6

# Severity -> its icon for texts, its sign for tables, its word, its colour.
SEVERITY_WORDS: dict[Severity, tuple[str, str, str, str]] = {
    "error": (":material/error:", "✕", "Error", "red"),
    "warning": (":material/warning:", "▲", "Warning", "orange"),
    "info": (":material/info:", "○", "Note", "blue"),
}

# Code of a finding -> what is wrong, in two or three words.
FINDING_WORDS: dict[str, str] = {
    "KIDS_POLITICAL": "Kids with political",
    "KIDS_RESTRICTED": "Kids with restricted",
    "GAMBLING_FAMILY": "Gambling with family-safe",
    "FLOOR_CONTENT": "Below the safety floor",
    "RISK_MIX": "Low with high risk",
    "QUALITY_MIX": "Premium with RON",
    "FORMAT_MIX": "Formats mixed",
    "CURRENCY_MIX": "Currencies mixed",
    "PRICE_MIX": "Price types mixed",
    "NO_COMMON_FLIGHT": "No common flight",
    "NO_COMMON_GEO": "No common country",
    "EXPIRED": "Ended deals",
    "NOT_STARTED": "Not started",
    "INACTIVE": "Inactive deals",
    "STALE_NAME": "Outdated deal names",
    "DUP_MEMBER": "Doubled deals",
    "MULTI_SSP": "Several SSPs",
    "FEW_DEALS": "Few deals",
    "OVERLAP": "Shared deals",
    "FAMILY_CLAIM": "Family-safe claim",
    "CLAIM": "Claim is not true",
    "NAME_EMPTY": "No name",
    "NAME_LENGTH": "Name too long",
    "NAME_VERIFIED": "Verified is unproven",
    "NAME_QUALITY": "Quality word is wrong",
    "NAME_VERTICAL": "Code in the name",
    "NAME_YEAR": "Year is wrong",
    "NAME_SEASON": "Season is wrong",
    "NAME_DUPLICATE": "Name is taken",
    "NAME_NEAR_DUPLICATE": "Name is nearly taken",
    "NAME_DESCRIPTION": "Reasoning is long",
    "NAME_CONVENTION": "Unusual name",
}


def finding_words(finding: Finding) -> str:
    """Return what is wrong in two or three words; kids content with news alone is no politics."""
    if finding.code == "KIDS_POLITICAL" and finding.severity != "error":
        return "Kids with news"
    return FINDING_WORDS[finding.code]


def worst_words(findings: Sequence[Finding]) -> str | None:
    """Return the worst finding for a table, "✕ Error: Kids with political", None without any."""
    if not findings:
        return None
    _, sign, word, _ = SEVERITY_WORDS[findings[0].severity]
    return f"{sign} {word}: {finding_words(findings[0])}"


def finding_line(finding: Finding) -> str:
    """Return a finding as Markdown: icon, severity, what is wrong, the sentence, and deals it leaves out."""
    icon, _, word, colour = SEVERITY_WORDS[finding.severity]
    line = f":{colour}[{icon}] **{word}: {finding_words(finding)}.** {literal(finding.sentence)}"
    if any(deal_id not in finding.sentence for deal_id in finding.deal_ids[:_MOST_NAMED]):
        noun = "Deal" if len(finding.deal_ids) == 1 else "Deals"
        line += f" {noun}: {literal(ids_in_words(finding.deal_ids))}."
    return line


def check_chips(item: Package | Proposal) -> None:
    """Draw a chip for each flag, and one for words that the deals contradict."""
    row = st.container(horizontal=True, gap="small")
    for flag in item.flags:
        label, meaning = FLAG_WORDS[flag]
        row.badge(label, icon=":material/flag:", color="orange", help=meaning)
    if item.contradicted:
        row.badge(
            "Contradicted",
            icon=":material/warning:",
            color="red",
            help="Name or reasoning say what is not true of every deal.",
        )


def claim_lines(claims: Sequence[Claim], deals: int) -> None:
    """Draw what the deals say to each claim that is not plainly true, then the true ones in a line."""
    for claim in claims:
        if claim.contradicted:
            st.caption(f":material/warning: {literal(claim_in_words(claim, deals))}")
    for claim in claims:
        if not claim.contradicted and claim.unknown:
            st.caption(f":material/help: {literal(claim_in_words(claim, deals))}")
    true = list(dict.fromkeys(claim.said for claim in claims if not claim.contradicted and not claim.unknown))
    if true:
        said = ", ".join(f'"{words}"' for words in true[:_MOST_NAMED])
        more = f" and {len(true) - _MOST_NAMED} more" if len(true) > _MOST_NAMED else ""
        st.caption(f":material/check: Checked and true: {literal(said)}{more}.")


def claim_in_words(claim: Claim, deals: int) -> str:
    """Say of how many deals a claim is true; deals: how many the package has."""
    if claim.contradicted and not claim.against:
        return f'"{claim.said}" is counted wrong over the {counted(deals, "deal")} of the package.'
    parts = [f'"{claim.said}": true of {claim.true_of} of {counted(claim.of, "deal")}']
    if claim.unknown:
        parts.append(f"{claim.unknown} {'does' if claim.unknown == 1 else 'do'} not say")
    if claim.against:
        verb = "contradicts" if len(claim.against) == 1 else "contradict"
        parts.append(f"{len(claim.against)} {verb}: {ids_in_words(claim.against)}")
    return "; ".join(parts) + "."


def ids_in_words(deal_ids: Sequence[str]) -> str:
    """Return the first ids, and how many more there are."""
    more = f" and {len(deal_ids) - _MOST_NAMED} more" if len(deal_ids) > _MOST_NAMED else ""
    return ", ".join(deal_ids[:_MOST_NAMED]) + more
