"""The name and the reasoning that counted facts give to deals, in words that the deals bear out."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence

from core.deals import Deal
from core.deals.facts import UNKNOWN_CURRENCY, facts_of, mix
from core.deals.text_normalisation import clean_text
from core.deals.vocabulary import garm_risk
from core.settings import NAME_LIMIT

# A word stands in the name when at least this share of the deals carries it.
_NAME_SHARE = 0.8
# Tier-1 categories that say how content is made, not what it is about: there tier 2 is the vertical.
_VAGUE_TIERS = frozenset({"Genres"})


def name_of(members: Sequence[Deal]) -> str:
    """Write "[Quality] [Vertical/Audience] [Format] Package" from words that most deals carry.

    What a buyer pays for (quality, audience, format) is only named when no deal says otherwise.
    """
    kind = _common(members, lambda deal: (format_of(deal),)) or _common(members, lambda deal: deal.formats)
    vertical = _common(members, lambda deal: (vertical_of(deal),), contested=True)
    audience = _common(members, lambda deal: deal.audience.inferred_audience)
    words = (
        *safety_words(members),
        _common(members, lambda deal: (deal.commercial.quality_tier,)),
        *_subject_words(vertical, audience, kind),
        kind,
    )
    known = [word for word in words if word]
    return clean_text(" ".join([*known, "Package"]) if known else "Mixed Package", NAME_LIMIT)


def safety_words(members: Sequence[Deal]) -> list[str]:
    """Return what is true of the brand safety of every deal, and whether some are worse than the rest.

    Packages apart because of brand safety differ in these words, whatever else they share.
    Unknown is neither safe nor unsafe, and nothing with a high risk is called safe.
    """
    high = [risk_of(deal) == "High" for deal in members]
    verdicts = {deal.safety.family_safe for deal in members}
    risk = "High-Risk" if all(high) else "Mixed-Risk" if any(high) else ""
    if verdicts == {True}:
        family = "" if any(high) else "Family-Safe"
    else:
        family = "Non-Family" if verdicts == {False} else "Mixed-Safety" if False in verdicts else ""
    return [risk, family]


def _subject_words(vertical: str, audience: str, kind: str) -> list[str]:
    """Return vertical and audience without saying a word twice: "Travel", "Eco Travelers" is the latter."""
    if _roots(vertical) & _roots(audience):
        vertical = ""
    spoken = [*vertical.split(), *audience.split()]
    return [word for word in spoken if word.casefold() != kind.casefold()]


def _roots(words: str) -> set[str]:
    """Return the beginnings of the longer words: "travel" for "Travelers" and "Travel"."""
    return {word[:4] for word in re.findall(r"\w{4,}", words.casefold())}


def _common(
    members: Sequence[Deal], values_of: Callable[[Deal], Iterable[str | None]], *, contested: bool = False
) -> str:
    """Return the value that most deals carry, "" when too few do.

    contested: whether the others may carry another value, or must be silent about it.
    """
    counts = mix(members, values_of)
    value = max(counts, key=lambda name: (counts[name], name), default="")
    silent = sum(not any(values_of(deal)) for deal in members)
    if not value or not is_most(counts[value], len(members)):
        return ""
    return _titled(value) if contested or counts[value] + silent == len(members) else ""


def _titled(word: str) -> str:
    return word if any(char.isupper() for char in word) else string.capwords(word)


def counted_reasoning(members: Sequence[Deal]) -> str:
    """Return the reasoning of the rules for these deals: counts and nothing else, in any order of them."""
    facts = facts_of(members)
    verdicts = [deal.safety.family_safe for deal in members]
    verticals = _verticals(members)
    subjects = max([*verticals.values(), *facts.audiences.values()], default=0)

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
                share(verticals, "vertical"),
                share(facts.formats, "format"),
                share(facts.quality, "quality tier"),
                share(facts.audiences, "audience"),
            )
        ),
        f"Worst known risk {facts.worst_risk or 'unknown'}; "
        f"{facts.family_safe_deals} of {facts.deals} family-safe"
        + (f"; {unrated} do not say" if (unrated := verdicts.count(None)) else ""),
        f"Floors {floors or 'unknown'}" + (f"; {facts.floor_unknown} unknown" if facts.floor_unknown else ""),
        *(
            ["No vertical and no audience is shared by most of them"]
            if not is_most(subjects, facts.deals)
            else []
        ),
        "No language model was used",
    )
    return ". ".join(sentences) + "."


def _currency(code: str) -> str:
    return "(currency unknown)" if code == UNKNOWN_CURRENCY else code


# --- facets of a deal ------------------------------------------------------------------------


def vertical_of(deal: Deal) -> str | None:
    """Return the category that says what a deal is about."""
    tiers = deal.taxonomy
    return tiers.tier2 if tiers.tier1 in _VAGUE_TIERS else tiers.tier1


def _verticals(deals: Sequence[Deal]) -> dict[str, int]:
    return mix(deals, lambda deal: (vertical_of(deal),))


def risk_of(deal: Deal) -> str | None:
    """Return the GARM risk of a deal, None when it does not say."""
    return garm_risk(deal.safety.garm_risk_rating)


def format_of(deal: Deal) -> str:
    """Return the formats of a deal as a name says them; "" when it does not say."""
    if deal.formats == ("video",) and deal.devices == ("ctv",):
        return "CTV"
    return "/".join(name.title() for name in deal.formats)


def is_most(carriers: int, deals: int) -> bool:
    """Whether enough deals carry a word for it to stand in the name of all."""
    return carriers >= _NAME_SHARE * deals
