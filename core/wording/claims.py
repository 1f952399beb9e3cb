"""What a name and a reasoning say about deals, compared with the deals.

The same check serves text of a model, of the rules and of an analyst. It reads plain English
by patterns: what is said of all deals ("Premium"), of some number ("3 of 8 are premium"), the
opposite ("non-premium"), or of all with a value of the deals ("all from Magnite"). A hedge
("mostly video") claims nothing that could be checked. Unknown is neither safe nor premium.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.deals import Deal
from core.deals.text_normalisation import plain_text
from core.deals.vocabulary import GARM_RISKS, garm_risk
from core.wording.claim_facts import FACTS, FORMAT_WORDS, QUALITY_WORDS, Judge, opposite, phrase


@dataclass(frozen=True, slots=True)
class Claim:
    """What a name or a reasoning says about its deals, compared with the deals.

    kind: the check that was made. said: the words that make the claim.
    true_of, unknown, of: deals it is true of, deals that do not say, deals checked.
    against: ids of the deals that contradict; empty when no single deal does (a wrong count).
    """

    kind: str
    said: str
    true_of: int
    unknown: int
    of: int
    against: tuple[str, ...] = ()

    @property
    def contradicted(self) -> bool:
        """Whether a known fact speaks against it; unknown alone does not."""
        return self.true_of + self.unknown < self.of


def check_claims(name: str, reasoning: str, deals: Sequence[Deal]) -> tuple[Claim, ...]:
    """Return what the words of a package say about its deals, each claim once.

    deals: all deals of the package. Without deals, or when nothing is said of them, ().
    """
    if not deals:
        return ()
    values = {field: _values(deals, readers[0]) for field, readers in _FIELDS.items()}
    texts = [" ".join(plain_text(name).split()), *_sentences(plain_text(reasoning))]
    labels = _labels([*values["vertical"], *values["audience"]], " ".join(texts))
    found = [*_audience_claims(texts[0], deals), *_opening_count(texts[1:], deals)]
    for text in texts:
        found += _totals(text, deals)
        found += _worst_risk(text, deals)
        found += _fact_claims(_WORST_RISK.sub("", text), deals, labels)
        found += _value_counts(text, deals, values)
        found += _universals(text, deals, values)
    once: dict[tuple[str, str], Claim] = {}
    for claim in found:
        once.setdefault((claim.kind, claim.said.casefold()), claim)
    return tuple(once.values())


def _sentences(text: str) -> list[str]:
    """Split a text at full stops, semicolons, colons and line ends; "2.5" stays whole."""
    parts = re.split(r"(?:\.(?!\d)|[;:!?\n])+", text)
    return [" ".join(part.split()) for part in parts if part.strip()]


# --- how much is claimed ------------------------------------------------------------------------

_NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_N = rf"(?:\d{{1,4}}|{'|'.join(_NUMBER_WORDS)}|none)"
_START = r"(?<![\w.-])"

_WORDS_BETWEEN = r"(?:[\w'%-]+\s+)"
_HEDGE = phrase(
    r"\b(?:most|mostly|mainly|primarily|largely|predominantly|some|many|several|few|partly|partially"
    r"|majority|half|often|complements?|alongside|unlike|instead of|rather than|versus|vs|except|excluding"
    rf"|avoids?|other than|nearly all|almost all|not (?:all|every|each))\s+{_WORDS_BETWEEN}{{0,3}}$"
)
_ROUGHLY = phrase(
    r"\b(?:over|more than|at least|about|around|approximately|roughly|nearly|almost|fewer than|less than)\s+"
    rf"{_N}\b[^,]*$"
)
_NEGATED = phrase(
    r"\b(?:non[\s-]+|(?:not(?!\s+(?:only|just|merely)\b)|no|never|without|isn't|aren't|free (?:of|from))"
    rf"\s+{_WORDS_BETWEEN}{{0,2}})$"
)
_OF = phrase(
    rf"{_START}(?P<n>{_N})\s+(?:out\s+)?of\s+(?:the\s+|these\s+|its\s+)?(?P<all>{_N})"
    r"(?:\s+deals)?(?:\s+(?:are|is|have|carry|offer|in|on|from))?\s+(?:an?\s+|the\s+)?"
)
_OF_BEFORE = phrase(_OF.pattern + "$")
_DEALS_BEFORE = phrase(rf"{_START}(?P<n>{_N})\s+(?:[\w/-]+\s+){{0,2}}$")
_DEALS_AFTER = phrase(r"(?:[\s-]+[\w/-]+){0,2}\s+deals?\b|\s+deals?\b")
_SHARE_BEFORE = phrase(
    rf"{_START}(?P<n>\d{{1,3}})\s?%\s+(?:of\s+(?:the\s+|these\s+|all\s+)?(?:deals|inventory|package|them)?\s*)?"
    r"(?:are\s+|is\s+)?$"
)


def _number(word: str) -> int:
    word = word.casefold()
    if word == "none":
        return 0
    return int(word) if word.isdigit() else _NUMBER_WORDS.index(word)


def _fact_claims(text: str, deals: Sequence[Deal], labels: re.Pattern[str]) -> Iterator[Claim]:
    text = text.replace("_", " ")
    for fact in FACTS:
        # "Video Gaming" is a vertical; only words of formats are hidden so, never those of safety.
        searched = labels.sub(_blank, text) if fact.kind == "format" else text
        for match in fact.words.finditer(searched):
            said, before, after = text[slice(*match.span())], text[: match.start()], text[match.end() :]
            claim = _claim(fact.kind, said, before, after, deals, fact.judge_of(match[0]))
            if claim:
                yield claim


def _claim(
    kind: str, said: str, before: str, after: str, deals: Sequence[Deal], judge: Judge
) -> Claim | None:
    """Check words by what stands before them: a number, a share, a hedge, a denial; else of all deals."""
    if _HEDGE.search(before) or _ROUGHLY.search(before):
        return None
    if counted := _OF_BEFORE.search(before):
        return _count(counted[0] + said, judge, deals, _number(counted["n"]))
    if share := _SHARE_BEFORE.search(before):
        wanted = int(share["n"]) * len(deals) / 100
        return _count(share[0] + said, judge, deals, wanted, slack=max(1, len(deals) // 100))
    denied = _NEGATED.search(before)
    counted = _DEALS_BEFORE.search(before)
    if counted and not denied and (tail := _DEALS_AFTER.match(after)):
        return _count(counted[0] + said + tail[0], judge, deals, _number(counted["n"]))
    if denied:
        return _of_all(kind, f"{denied[0]}{said}", deals, opposite(judge))
    return _of_all(kind, said, deals, judge)


def _of_all(kind: str, said: str, deals: Sequence[Deal], judge: Judge) -> Claim:
    verdicts = {deal.deal_id: judge(deal) for deal in deals}
    known = list(verdicts.values())
    against = tuple(deal_id for deal_id, verdict in verdicts.items() if verdict is False)
    return Claim(kind, said, known.count(True), known.count(None), len(deals), against)


def _count(said: str, judge: Judge, deals: Sequence[Deal], wanted: float, *, slack: int = 0) -> Claim:
    """Check a number of deals; deals that do not say may make it true, so it is unknown then."""
    verdicts = [judge(deal) for deal in deals]
    least = verdicts.count(True)
    right = abs(least - wanted) <= slack
    possible = least < wanted <= least + verdicts.count(None)
    return _checked_number("count", said, right=right, possible=possible)


def _checked_number(kind: str, said: str, *, right: bool, possible: bool = False) -> Claim:
    return Claim(kind, " ".join(said.split()), int(right), int(possible and not right), 1)


# --- numbers of the whole package ---------------------------------------------------------------

_TOTAL = phrase(
    rf"\b(?:all|these|the|total of|package of|set of|bundle of)\s+(?:of\s+the\s+)?(?P<n>{_N})\s+deals?\b"
    r"(?!\s+(?:from|at|by|with|in|on|of|that|which|whose)\b)"
)
_OF_TOTAL = phrase(
    rf"{_START}{_N}\s+(?:out\s+)?of\s+(?:the\s+|these\s+|its\s+)?(?P<n>{_N})(?=\s+deals\b|\s+(?:are|have)\b|\s+family)"
)
_OPENING = phrase(
    rf"^(?P<n>{_N})\s+deals\b(?=\s*$|,|\s+(?:from\s+{_N}\s+SSPs|that share|sharing|which share|all)\b)"
)
_SSPS = phrase(rf"\bfrom\s+(?P<n>{_N})\s+SSPs\b")
_WORST_RISK = phrase(r"\bworst (?:known )?(?:garm )?risk(?: is)? (?P<level>low|medium|high|floor)\b")


def _totals(text: str, deals: Sequence[Deal]) -> Iterator[Claim]:
    """Check how many deals, and how many SSPs, a text says there are."""
    for total in (_TOTAL, _OF_TOTAL):
        for match in total.finditer(text):
            yield _checked_number("all", match[0], right=_number(match["n"]) == len(deals))
    named = {deal.ssp_name for deal in deals}
    for match in _SSPS.finditer(text):
        wanted, known = _number(match["n"]), len(named - {None})
        unknown = sum(deal.ssp_name is None for deal in deals)
        yield _checked_number(
            "count", match[0], right=wanted == known, possible=known < wanted <= known + unknown
        )


def _opening_count(sentences: Sequence[str], deals: Sequence[Deal]) -> Iterator[Claim]:
    """Check "12 deals from 3 SSPs" at the start, which speaks of the whole package."""
    if sentences and (match := _OPENING.search(sentences[0])):
        yield _checked_number("all", match[0], right=_number(match["n"]) == len(deals))


def _worst_risk(text: str, deals: Sequence[Deal]) -> Iterator[Claim]:
    for match in _WORST_RISK.finditer(text):
        risks = [risk for deal in deals if (risk := garm_risk(deal.safety.garm_risk_rating))]
        worst = max(risks, key=GARM_RISKS.index, default=None)
        yield _checked_number("risk", match[0], right=match["level"].title() == worst, possible=worst is None)


# --- values of the deals ------------------------------------------------------------------------


Reader = Callable[[Deal], Sequence[str]]


def _known(value: str | None) -> tuple[str, ...]:
    return (value,) if value else ()


# Field -> how to read its values: first all of them, then those that a number may have been counted over.
_FIELDS: dict[str, tuple[Reader, ...]] = {
    "vertical": (
        lambda deal: deal.taxonomy.path,
        lambda deal: _known(deal.taxonomy.tier1),
        lambda deal: _known(deal.taxonomy.tier2),
        lambda deal: _known(deal.taxonomy.tier3),
        lambda deal: deal.taxonomy.path[:1] if not deal.taxonomy.tier2 else (),
    ),
    "audience": (lambda deal: deal.audience.inferred_audience,),
    "SSP": (lambda deal: _known(deal.ssp_name),),
}
_Values = Mapping[str, Sequence[str]]


def _values(deals: Sequence[Deal], read: Reader) -> list[str]:
    """Return the values of the deals, longest first: "Business Travelers" is not "Business"."""
    return sorted({value for deal in deals for value in read(deal)}, key=lambda value: (-len(value), value))


def _labels(values: Sequence[str], text: str) -> re.Pattern[str]:
    """Return the pattern of the values of several words that stand in a text."""
    said = text.casefold()  # compiling a pattern of all values took a third of the time
    several = (re.escape(value) for value in values if " " in value and value.casefold() in said)
    return phrase("|".join(several) or r"(?!)")


def _blank(match: re.Match[str]) -> str:
    return "_" * len(match[0])


_ALL = phrase(r"(?<!not )(?<!nearly )(?<!almost )\b(?:all|every|each|exclusively|only|entirely|100\s?%)")


def _value_counts(text: str, deals: Sequence[Deal], values: _Values) -> Iterator[Claim]:
    """Check "10 of 12 are Sports": right when it is, in one of the fields that hold the value."""
    named = [(value, readers) for field, readers in _FIELDS.items() for value in values[field]]
    for match in _OF.finditer(text):
        rest = text[match.end() :].casefold()
        starting = [item for item in named if _starts(rest, item[0].casefold())]
        if starting:
            value, readers = max(starting, key=lambda item: len(item[0]))
            counts = {sum(value in read(deal) for deal in deals) for read in readers} - {0}
            right = min(counts) <= _number(match["n"]) <= max(counts)
            yield _checked_number("count", match[0] + value, right=right)


def _starts(text: str, value: str) -> bool:
    return text.startswith(value) and not text[len(value) : len(value) + 1].isalnum()


def _universals(text: str, deals: Sequence[Deal], values: _Values) -> Iterator[Claim]:
    """Check "all deals come from Magnite or OpenX": values of one field, as they are written in it."""
    quantifier = _ALL.search(text)
    rest = text[quantifier.end() :] if quantifier else ""
    if not quantifier or "except" in rest:
        return
    for field, (read, *_) in _FIELDS.items():
        if named := _named(rest, values[field]):
            said = f"{quantifier[0]} {' or '.join(named)}"
            yield _of_all("all", said, deals, _carries(frozenset(named), read))


def _named(text: str, values: Sequence[str]) -> list[str]:
    """Return the values that stand in a text as whole words; values come longest first."""
    found = []
    for value in values:
        if value in text:
            without = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "", text)
            if without != text:
                found.append(value)
                text = without
    return found


def _carries(named: frozenset[str], read: Reader) -> Judge:
    return lambda deal: not named.isdisjoint(read(deal)) if read(deal) else None


# --- the audience of a name ---------------------------------------------------------------------

_PEOPLE_NOUNS = (
    "fans|lovers|intenders?|enthusiasts|buyers|shoppers|owners|listeners|viewers|players|travell?ers|gamers"
    "|professionals|executives|bettors|gamblers|investors|seekers|planners|renovators|users|subscribers|diners"
)
_INVENTED = phrase(rf"(?P<who>[\w'-]+)\s+(?:{_PEOPLE_NOUNS})\b")
_NO_SUBJECT = phrase(rf"(?:{QUALITY_WORDS}|{FORMAT_WORDS}|safe|friendly|risk|low|high|medium|all|every)")


def _audience_claims(name: str, deals: Sequence[Deal]) -> Iterator[Claim]:
    """Check the audience that a name names: one that deals list, or words like "Golf Fans".

    A deal that lists other audiences speaks against it, unless one of its own words is related
    ("Auto Intenders" beside "Auto Parts Buyers"): then it is unknown.
    """
    name = re.sub(r"\bmostly [^,()]+", "", name)  # a hedge, as `names` writes it, claims nothing
    listed = sorted({value for deal in deals for value in deal.audience.inferred_audience})
    said = _roots(name)
    named = [value for value in listed if (roots := _roots(value)) and roots <= said]
    if named:
        yield _of_all("audience", " or ".join(named), deals, _reaches([_roots(value) for value in named]))
        return
    match = _INVENTED.search(name)
    if match and not _NO_SUBJECT.fullmatch(match["who"]):
        yield _of_all("audience", match[0], deals, _reaches([_roots(match[0])], _roots(match["who"])))


def _reaches(wanted: Sequence[frozenset[str]], related: frozenset[str] | None = None) -> Judge:
    """Judge whether a deal lists an audience with all roots of one wanted; related: roots that excuse it."""
    near = related if related is not None else frozenset().union(*wanted)

    def verdict(deal: Deal) -> bool | None:
        audiences = [*deal.audience.inferred_audience, *_known(deal.audience.demographic_hint)]
        roots = [_roots(value) for value in audiences]
        if any(all_of <= own for all_of in wanted for own in roots):
            return True
        about = _roots(" ".join([*audiences, *deal.taxonomy.path, *deal.concepts]))
        return False if deal.audience.inferred_audience and not near & about else None

    return verdict


def _roots(text: str) -> frozenset[str]:
    """Return the beginnings of words, so that "Traveler", "travelers" and "travel" are one."""
    return frozenset(word[:5].rstrip("s") for word in re.findall(r"[a-z0-9]{2,}", text.casefold()))
