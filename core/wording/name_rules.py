"""The name of a package: how a good one is built, and names that collide.

What a name claims of the deals is in `wording`. The convention is
"[Quality] [Vertical/Audience] [Format] Package", or the trafficking pattern
"Buyer-DSP-InventoryDescription-MMDDYY".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from core.counting import counted
from core.deals import Deal, Safety
from core.deals.flight import end_of, running_time, start_of
from core.deals.periods import YEAR
from core.deals.taxonomy import categories, check_category
from core.deals.text_normalisation import has_words
from core.errors import PackageError
from core.settings import DESCRIPTION_LIMIT, NAME_LIMIT
from core.wording.claim_facts import FORMAT_WORDS, QUALITY_WORDS
from core.wording.claim_findings import CLAIM_RULES, claim_findings, claims_of
from core.wording.findings import CheckRules, Finding, Rule, ids_of, named
from core.wording.generated_text import name_of
from core.wording.unique_names import spelling, telling_words

NAME_RULES: Mapping[str, Rule] = {
    **CLAIM_RULES,
    "NAME_EMPTY": Rule("error", "A package needs a name"),
    "NAME_LENGTH": Rule("error", f"A name has at most {NAME_LIMIT} characters"),
    "NAME_VERIFIED": Rule("warning", "No data here can prove that inventory is verified"),
    "NAME_QUALITY": Rule("warning", "A quality word in the name must fit every deal"),
    "NAME_VERTICAL": Rule("warning", "A name says its vertical in words, not as a code or number"),
    "NAME_YEAR": Rule("warning", "A year in the name must fit the flights"),
    "NAME_SEASON": Rule("warning", "A season in the name must fit the flights"),
    "NAME_DUPLICATE": Rule("warning", "Every package needs a name of its own"),
    "NAME_NEAR_DUPLICATE": Rule("warning", "Names of packages must be easy to tell apart"),
    "NAME_DESCRIPTION": Rule("info", f"Platforms take at most {DESCRIPTION_LIMIT} characters of description"),
    "NAME_CONVENTION": Rule("info", "A name reads [Quality] [Vertical/Audience] [Format] Package"),
}


def check_name(
    name: str,
    members: Sequence[Deal],
    rules: CheckRules,
    *,
    description: str = "",
    names: NameIndex | None = None,
    package_id: str | None = None,
) -> tuple[Finding, ...]:
    """Check a name while it is typed: what it claims of the deals, its form, and collisions.

    description: the reasoning; only its length is checked. names: names already taken.
    package_id: the package that is to have the name; it does not collide with itself.
    """
    claims = claims_of(name, "", members, rules)
    index = names if names is not None else NameIndex.of(())
    return (
        *claim_findings(claims, members),
        *word_findings(name, members, rules, description, index, package_id),
    )


def word_findings(
    name: str,
    members: Sequence[Deal],
    rules: CheckRules,
    description: str,
    names: NameIndex,
    package_id: str | None,
) -> Iterator[Finding]:
    """Yield what is wrong with a name besides its claims."""
    if not has_words(name):
        yield _broken("NAME_EMPTY", "write one")
        return
    yield from _lengths(name, description)
    yield from _qualities(name, members)
    yield from _vertical(name)
    yield from _times(name, members, rules.today)
    yield from _collisions(name, names, package_id)
    yield from _convention(name)


def _broken(code: str, what: str, deals: Sequence[Deal] = (), said: str = "") -> Finding:
    rule = NAME_RULES[code]
    ids = tuple(deal.deal_id for deal in deals)
    return Finding(code, rule.severity, f"{rule.words}: {what}.", ids, said=said)


def _lengths(name: str, description: str) -> Iterator[Finding]:
    if len(name) > NAME_LIMIT:
        yield _broken("NAME_LENGTH", f"this one has {len(name)}")
    if len(description) > DESCRIPTION_LIMIT:
        yield _broken("NAME_DESCRIPTION", f"the reasoning has {len(description)} and will be cut there")


# --- quality and verticals ----------------------------------------------------------------------

_VERIFIED = re.compile(r"\bverified\b", re.IGNORECASE)
# "Premium" is a claim. Other quality words, and the tiers of deals that contradict them.
_CONTRADICTED_BY: Mapping[str, frozenset[str]] = {
    "performance": frozenset({"Premium"}),
    "essential": frozenset({"Premium", "RON"}),
}


def _qualities(name: str, members: Sequence[Deal]) -> Iterator[Finding]:
    name = name.replace("_", " ")
    if _VERIFIED.search(name):
        yield _broken("NAME_VERIFIED", "leave the word out, or prove it elsewhere", said="verified")
    for word, tiers in _CONTRADICTED_BY.items():
        if re.search(rf"\b{word}\b", name, re.IGNORECASE):
            wrong = [deal for deal in members if deal.commercial.quality_tier in tiers]
            if wrong:
                found = " or ".join(sorted({deal.commercial.quality_tier or "" for deal in wrong}))
                what = f"{word.title()!r}, and {len(wrong)} of {len(members)} are {found}"
                yield _broken("NAME_QUALITY", what, wrong, word)


# The kinds of words of a name by the letter that stands for them in its form.
_KINDS = re.compile(
    rf"(?<!\w)(?:(?P<Q>{QUALITY_WORDS}|performance|essentials?|verified)(?!\w)"
    rf"|(?P<F>{FORMAT_WORDS})(?!\w)"
    r"|(?P<S>(?:high|low|medium|mixed)-risk|(?:family|brand)-(?:safe|suitable)|non-family|mixed-safety)(?!\w)"
    r"|(?P<P>packages?)(?!\w)|(?P<x>[^\s/]+))",
    re.IGNORECASE,
)
_GOOD_FORM = re.compile(r"[QS]*x+F*P")
# What tells apart names that would be alike: "(GB)", "2".
_TAIL = re.compile(r"(?:\s*\([^()]*\)|\s+\d+)+\s*$")
_TRAFFICKING = re.compile(r"[^\s-]+-[^\s-]+-[^\s-]+-\d{6}")


def _parts(name: str) -> list[tuple[str, str]]:
    """Return kind and text of each word: Q quality, S safety, x subject, F format, P package."""
    return [(match.lastgroup or "x", match[0]) for match in _KINDS.finditer(_TAIL.sub("", name))]


def _convention(name: str) -> Iterator[Finding]:
    if _TRAFFICKING.fullmatch(name.strip()):
        return
    form = "".join(kind for kind, _ in _parts(name))
    if _GOOD_FORM.fullmatch(form):
        return
    if not form.endswith("P"):
        yield _broken("NAME_CONVENTION", 'this one does not end with "Package"')
    elif "x" not in form:
        yield _broken("NAME_CONVENTION", "this one has no vertical and no audience")
    else:
        yield _broken("NAME_CONVENTION", "the words of this one stand in another order")


_IAB_CODE = re.compile(r"IAB\d{1,2}(?:-\d{1,2})?", re.IGNORECASE)


def _is_code(word: str) -> bool:
    """Whether a word is a code of Content Taxonomy 1.0 or an id of 3.1 that is no plain number."""
    is_id = word in categories() and not word.isdigit() and any(map(str.isdigit, word))
    return is_id or bool(_IAB_CODE.fullmatch(word))


def _vertical(name: str) -> Iterator[Finding]:
    """Look for codes anywhere, and for numbers where nothing else says what the package is about."""
    subject = [word.strip(".,:;()#") for kind, word in _parts(name) if kind == "x"]
    codes = [word for word in subject if _is_code(word)]
    if not codes and subject and all(map(str.isdigit, subject)):
        codes = subject
    if codes:
        yield _broken("NAME_VERTICAL", f"{', '.join(codes)} in this one", said=" ".join(codes))


# --- years and seasons --------------------------------------------------------------------------

_YEARS_AHEAD = 10


def years_in(text: str, today: date) -> tuple[int, int] | None:
    """Return the first and last year that a text names, as whole words; None when it names none.

    Numbers more than ten years ahead are something else ("Cyberpunk 2077").
    """
    found = [int(year) for year in YEAR.findall(text) if int(year) <= today.year + _YEARS_AHEAD]
    return (min(found), max(found)) if found else None


def contradicts_years(deal: Deal, years: tuple[int, int], today: date) -> bool:
    """Whether a deal is known to run outside these years: its dates lie outside, or it runs after them.

    A deal runs after them when they are over and it is active or has begun, and has not ended.
    """
    start, end = start_of(deal.start_time), end_of(deal.end_time)
    first, last = years
    if (start and start.year > last) or (end and end.year < first):
        return True
    ended = deal.status in {"paused", "expired"} or bool(end and end.date() < today)
    known = deal.status == "active" or start is not None or end is not None
    return last < today.year and known and not ended


@dataclass(frozen=True, slots=True)
class _Season:
    name: str
    words: re.Pattern[str]
    first: tuple[int, int]
    last: tuple[int, int]


_SEASONS = (
    _Season(
        "BFCM", re.compile(r"\b(?:bfcm|black\s?friday|cyber\s?monday)\b", re.IGNORECASE), (11, 24), (11, 27)
    ),
    _Season("Holiday", re.compile(r"\bholidays?\b", re.IGNORECASE), (11, 15), (12, 25)),
    _Season("Back-to-School", re.compile(r"\bback[\s-]to[\s-]school\b", re.IGNORECASE), (8, 1), (9, 15)),
)


def _times(name: str, members: Sequence[Deal], today: date) -> Iterator[Finding]:
    years = years_in(name, today)
    spoken = name.replace("_", " ")
    for season in _SEASONS:
        if season.words.search(spoken):
            missed = [deal for deal in members if not _meets(deal, season, years)]
            if missed:
                when = f"{_day(season.first)} to {_day(season.last)}"
                what = f"{season.name} is {when}, never in the flight of {counted(len(missed), 'deal')}"
                yield _broken("NAME_SEASON", f"{what}: {named(ids_of(missed))}", missed, season.name)
    if years:
        wrong = [deal for deal in members if contradicts_years(deal, years, today)]
        if wrong:
            said = "-".join(str(year) for year in sorted(set(years)))
            what = f"{said}, against the flight of {counted(len(wrong), 'deal')}: {named(ids_of(wrong))}"
            yield _broken("NAME_YEAR", what, wrong, said)


def _meets(deal: Deal, season: _Season, years: tuple[int, int] | None) -> bool:
    """Whether the flight of a deal meets the season in one of the years, or in any when none is named."""
    start, end = running_time(deal)
    # Three years of a longer flight are enough: they hold every season.
    first, last = years or (start.year, min(end.year, start.year + 2))
    return any(
        start <= datetime.combine(date(year, *season.last), time.max, UTC)
        and datetime(year, *season.first, tzinfo=UTC) <= end
        for year in range(first, last + 1)
    )


def _day(day: tuple[int, int]) -> str:
    return f"{date(2000, *day):%b} {day[1]}"


# --- collisions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NameIndex:
    """The names of packages, to find in one step what a name collides with.

    names: package id -> name. same, near: a name in the form in which they are compared -> ids.
    """

    names: Mapping[str, str]
    same: Mapping[str, tuple[str, ...]]
    near: Mapping[frozenset[str], tuple[str, ...]]

    @classmethod
    def of(cls, names: Iterable[tuple[str, str]]) -> NameIndex:
        """Build the index from (package id, name)."""
        taken = dict(names)
        same: dict[str, list[str]] = {}
        near: dict[frozenset[str], list[str]] = {}
        for package_id, name in taken.items():
            same.setdefault(spelling(name), []).append(package_id)
            near.setdefault(telling_words(name), []).append(package_id)
        return cls(
            taken,
            {key: tuple(ids) for key, ids in same.items()},
            {key: tuple(ids) for key, ids in near.items()},
        )

    def collisions(self, name: str, package_id: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the other packages with the same name, and those with a nearly equal one."""
        same = tuple(one for one in self.same.get(spelling(name), ()) if one != package_id)
        near = self.near.get(telling_words(name), ())
        return same, tuple(one for one in near if one != package_id and one not in same)


def _collisions(name: str, names: NameIndex, package_id: str | None) -> Iterator[Finding]:
    same, near = names.collisions(name, package_id)
    if same:
        yield _broken(
            "NAME_DUPLICATE", f"{len(same)} other packages have it" if len(same) > 1 else "another has it"
        )
    if near:
        others = named([repr(names.names[one]) for one in near])
        yield _broken("NAME_NEAR_DUPLICATE", f"this one is nearly {others}")


# --- names to suggest ---------------------------------------------------------------------------

_BROADCAST = re.compile(r"\b(?:tv|television|broadcast(?:ers?|ing)?)\b", re.IGNORECASE)
_COMMERCE = re.compile(r"\b(?:e-?commerce|shopping|retail)\b", re.IGNORECASE)
_NEWS_AND_SHOWS = re.compile(r"\b(?:news|entertainment)\b", re.IGNORECASE)


def suggest_name(members: Sequence[Deal]) -> str:
    """Return a name by the convention, of words that the deals bear out.

    Premium: every deal of tier Premium, and on CTV or of a broadcaster. Essential: Mid-tier news or
    entertainment. Performance: RON or Mid-tier of high volume, or of e-commerce.
    """
    if not members:
        return "Mixed Package"
    plain = [_for_a_name(deal) for deal in members]
    return " ".join(filter(None, [_quality_word(members), name_of(plain)]))


def _quality_word(members: Sequence[Deal]) -> str:
    tiers = {deal.commercial.quality_tier for deal in members}
    if tiers == {"Premium"} and all(map(_is_broadcast, members)):
        return "Premium"
    if tiers == {"Mid-tier"} and all(_NEWS_AND_SHOWS.search(_subject(deal)) for deal in members):
        return "Essential"
    high = all(deal.commercial.volume_tier == "High" for deal in members)
    if (
        tiers
        and tiers <= {"RON", "Mid-tier"}
        and (high or all(_COMMERCE.search(_subject(deal)) for deal in members))
    ):
        return "Performance"
    return ""


def _is_broadcast(deal: Deal) -> bool:
    texts = (deal.inventory_type or "", *deal.publishers)
    return "ctv" in deal.devices or any(_BROADCAST.search(text) for text in texts)


def _subject(deal: Deal) -> str:
    return " ".join((*deal.taxonomy.path, *deal.concepts)).replace("_", " ")


def _for_a_name(deal: Deal) -> Deal:
    """Return the deal without what has no place in a suggested name: tiers of quality, safety, codes."""
    tiers = {name: _in_words(getattr(deal.taxonomy, name)) for name in ("tier1", "tier2", "tier3")}
    return replace(
        deal,
        taxonomy=replace(deal.taxonomy, **tiers),
        safety=Safety(),
        commercial=replace(deal.commercial, quality_tier=None),
    )


def _in_words(tier: str | None) -> str | None:
    """Return the name of a category that is given as a code or id; None when nobody knows it."""
    if not tier or not (tier.isdigit() or _is_code(tier)):
        return tier
    category = check_category((tier,)).category
    return category.name if category else None


def trafficking_name(buyer: str, dsp: str, description: str, day: date) -> str:
    """Return "Buyer-DSP-InventoryDescription-MMDDYY" as PubMatic asks for it.

    Words are joined without blanks or dashes, each with a capital. Raises PackageError when a part is blank.
    """
    parts = {"buyer": buyer, "DSP": dsp, "description": description}
    written = {what: _joined(text) for what, text in parts.items()}
    if blank := [what for what, text in written.items() if not text]:
        raise PackageError(f"A trafficking name needs a {blank[0]}: write one.")
    return "-".join([*written.values(), f"{day:%m%d%y}"])


def _joined(text: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in re.findall(r"[^\W_]+", text))
