"""Words with a meaning that deals can confirm or deny: safe, premium, low risk, video.

A fact is the words that make a claim and a judge, which says of one deal whether it is true,
false, or not said by the deal. How many deals a text claims it of is found in `claims`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from core.deals import Deal
from core.deals.vocabulary import GARM_RISKS, QUALITY_ALIASES, garm_risk, word_key

# Whether something is true of a deal; None when the deal does not say.
Judge = Callable[[Deal], bool | None]


def phrase(words: str) -> re.Pattern[str]:
    """Compile the pattern of an English phrase, in capitals or not."""
    return re.compile(words, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fact:
    """A kind of claim: the words that make it, and what they ask of a deal."""

    kind: str
    words: re.Pattern[str]
    judge_of: Callable[[str], Judge]


_AND = r"\s*(?:/|&|\+|,\s*(?:and\s+|or\s+)?|\band\b|\bor\b)\s*"


def _listed(word: str) -> str:
    """Return the pattern of words side by side ("CTV video"), and of such groups joined by "and" or "/"."""
    group = rf"(?:{word})(?:[\s-]+(?:{word}))*"
    return rf"\b{group}(?:{_AND}{group})*\b"


def _fixed(judge: Judge) -> Callable[[str], Judge]:
    return lambda _: judge


def opposite(judge: Judge) -> Judge:
    """Return the judge of "not ..."; what a deal does not say stays unknown."""

    def verdict(deal: Deal) -> bool | None:
        found = judge(deal)
        return None if found is None else not found

    return verdict


def _family_safe(deal: Deal) -> bool | None:
    return deal.safety.family_safe


def _brand_safe(deal: Deal) -> bool | None:
    risk = garm_risk(deal.safety.garm_risk_rating)
    return None if risk is None else risk in {"Low", "Medium"}


_LEVEL = re.compile(r"\b(low|medium|high)\b", re.IGNORECASE)


def _has_risk(said: str) -> Judge:
    """Below the safety floor is worse than high, so it counts as high."""
    levels = {word.title() for word in _LEVEL.findall(said)}
    if re.match(r"up to|at most|max|no ", said, re.IGNORECASE):
        worst = max(map(GARM_RISKS.index, levels))
        levels = set(GARM_RISKS[: worst + 1])
    if "High" in levels:
        levels.add("Floor")

    def verdict(deal: Deal) -> bool | None:
        risk = garm_risk(deal.safety.garm_risk_rating)
        return None if risk is None else risk in levels

    return verdict


QUALITY_WORDS = r"premium|mid-?\s?tier|(?-i:RON)|run[\s-]of[\s-]network"


def _has_quality(said: str) -> Judge:
    words = re.findall(QUALITY_WORDS, said, re.IGNORECASE)
    tiers = {QUALITY_ALIASES[word_key(word)] for word in words}

    def verdict(deal: Deal) -> bool | None:
        tier = deal.commercial.quality_tier
        return None if tier is None else tier in tiers

    return verdict


# Words of a format, longest first; those of other things ("video gamers", "podcast fans") are no formats.
_NO_FORMAT = (
    r"(?![\s-]*(?:gam(?:es?|ing|ers?)|fans?|lovers?|listeners?|viewers?|streamers|speakers?|phile)\b)"
)
_FORMATS = {
    "ctv": r"ctv|connected[\s-]tv|ott|streaming[\s-]tv",
    "video": r"video|olv",
    "audio": r"audio|podcasts?",
    "display": r"display|banners?",
    "native": r"native",
}
FORMAT_WORDS = rf"(?:{'|'.join(_FORMATS.values())}){_NO_FORMAT}"


def _is_ctv(deal: Deal) -> bool | None:
    if deal.formats and "video" not in deal.formats:
        return False
    return "ctv" in deal.devices if deal.devices else None


def _is_format(name: str) -> Judge:
    if name == "ctv":
        return _is_ctv
    return lambda deal: name in deal.formats if deal.formats else None


def _has_formats(said: str) -> Judge:
    """Words side by side must all be true of a deal, of joined groups one: "CTV video and audio"."""
    groups = [
        [_is_format(name) for name, words in _FORMATS.items() if re.search(rf"\b(?:{words})\b", group, re.I)]
        for group in re.split(_AND, said, flags=re.IGNORECASE)
    ]

    def verdict(deal: Deal) -> bool | None:
        return _any(_all(judge(deal) for judge in judges) for judges in groups if judges)

    return verdict


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    known = set(verdicts)
    return False if False in known else None if None in known else True


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    known = set(verdicts)
    return True if True in known else None if None in known else False


_PEOPLE = "families|children|kids|all ages|the whole family"
_LEVELS = r"(?:low|medium|high)(?:\s*(?:to|or|and|/|-|,)\s*(?:low|medium|high))*"
_AT_MOST = r"(?:(?:up to|at most|max(?:imum)?|no (?:more|worse|higher) than)\s+)?"

FACTS = (
    Fact(
        "family-safe",
        phrase(
            r"\b(?:family|families|kids?|child(?:ren)?)[\s-]?(?:safe|friendly)\b"
            rf"|\b(?:safe|suitable) for (?:{_PEOPLE})\b"
        ),
        _fixed(_family_safe),
    ),
    Fact(
        "family-safe",
        phrase(r"\bnon-?\s?family\b(?![\s-]?(?:safe|friendly))"),
        _fixed(opposite(_family_safe)),
    ),
    Fact("brand-safe", phrase(r"\bbrand[\s-](?:safe|suitable)\b"), _fixed(_brand_safe)),
    Fact("risk", phrase(rf"\b{_AT_MOST}{_LEVELS}[\s-](?:garm[\s-])?risk\b"), _has_risk),
    Fact(
        "risk",
        phrase(
            r"\b(?:garm|risk)(?: (?:risk|rating|ratings|level|is|are|rated))*\s+"
            r"(?:low|medium|high)\b(?![\s-]risk)"
        ),
        _has_risk,
    ),
    Fact("quality", phrase(_listed(QUALITY_WORDS)), _has_quality),
    Fact("format", phrase(_listed(FORMAT_WORDS)), _has_formats),
)
