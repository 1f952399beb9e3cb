"""A brief in plain English becomes filters on facts, and words to search by meaning.

    parse_brief("family-safe CTV for auto intenders, US, under $15")
    # filters: CTV; family-safe; US; floor under 15 USD.  meaning: "auto intenders"

Each kind of filter has one reader: a pattern, and what becomes of its match. Readers go through
the text in a fixed order, and what one has read the next ones no longer see. Whatever no reader
understands stays in the meaning text; only words that join others ("for", "deals") are set aside,
and listed. Lists of one kind ("US, UK or DE") ask for any of their items.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from core.deals.countries import countries, country_codes, place_names
from core.deals.deal import Money
from core.deals.text_normalisation import plain_text
from core.deals.vocabulary import CURRENCY_CODES, CURRENCY_SYMBOLS, GARM_RISKS, QUALITY_ALIASES, word_key
from core.reading.values import read_cell
from core.search.filters import (
    FamilySafe,
    Filter,
    FloorPrice,
    Formats,
    Not,
    OneOf,
    Places,
    RiskAtMost,
    Without,
)
from core.search.flights import FLIGHT, read_flight
from core.search.topics import TOPIC_NAMES


@dataclass(frozen=True, slots=True)
class Brief:
    """What a brief asks for.

    filters: what facts decide, in the order of the text; each remembers its words in `said`.
    meaning: the words that no filter understood, searched by meaning; "" when there are none.
    set_aside: joining words that are neither.
    """

    text: str
    filters: tuple[Filter, ...] = ()
    meaning: str = ""
    set_aside: tuple[str, ...] = ()


def parse_brief(text: str, *, ssps: Iterable[str] = (), floor_is_lowest_risk: bool = False) -> Brief:
    """Read a brief. Never raises: what is not understood is searched by meaning.

    ssps: the SSPs of the deals; only these are read as one. floor_is_lowest_risk: the GARM rating
    "Floor" means the safest level in the file of the deals.
    """
    plain = _plain(text)
    page = _Page(plain)
    for reader in _readers(frozenset(filter(None, ssps)), floor_is_lowest_risk=floor_is_lowest_risk):
        page.read(reader)
    page.read_exclusions()
    meaning, aside = _meaning(page.left, page.kept)
    filters = tuple(found for _, found in sorted(page.found, key=lambda item: item[0]))
    return Brief(text, filters, meaning, aside)


# Stands for a character that a reader has read; no word character, so that patterns stop at it.
_READ = "\x1f"


def _plain(text: str) -> str:
    """Return the text with one kind of dash, quote and blank, without characters nobody sees."""
    shown = "".join(" " if unicodedata.category(char) == "Cc" else char for char in plain_text(text))
    return shown.replace("\u2019", "'")


def _any_case(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Reader:
    """A pattern and what its match asks for; None when it asks for nothing after all.

    deniable: "no ..." before it asks for the opposite; without that a denial leaves it unread.
    """

    pattern: re.Pattern[str]
    make: Callable[[re.Match[str]], Filter | None]
    deniable: bool = True


_DENIAL = _any_case(
    r"\b(?:(?:no|not|without|excluding|excludes?|except(?: for)?|avoid(?:ing)?|never)\s+(?:(?:any|on|in)\s+)?"
    r"|non[\s-]+)$"
)


class _Page:
    """The text while it is read: what is left of it, and what was found where."""

    def __init__(self, text: str) -> None:
        self.left = text
        self.found: list[tuple[int, Filter]] = []
        self.kept: list[str] = []

    def read(self, reader: _Reader) -> None:
        """Take what a reader understands out of the text."""
        for match in reader.pattern.finditer(self.left):
            denial = _DENIAL.search(self.left[: match.start()])
            if denial and not reader.deniable:
                continue
            wanted = reader.make(match)
            if wanted is None:
                continue
            start = denial.start() if denial else match.start()
            if denial:
                wanted = _opposite(wanted, self.left[start : match.end()])
            if wanted is not None:
                self.kept += _NARROWER.findall(match[0]) if isinstance(wanted, Formats) else []
                self._take(start, match.end(), wanted)

    def read_exclusions(self) -> None:
        """Take "no gambling, alcohol or politics" out of the text: one filter for each topic."""
        for match in _EXCLUSION.finditer(self.left):
            topics = [_topic(words) for words in _TOPIC_JOINT.split(match["topics"])]
            if all(topic and len(topic.split()) <= _LONGEST_TOPIC for topic in topics):
                for topic in topics:
                    self._take(match.start(), match.end(), Without(f"{match['no']} {topic}", topic))

    def _take(self, start: int, end: int, wanted: Filter) -> None:
        self.found.append((start, wanted))
        self._blank(start, end)

    def _blank(self, start: int, end: int) -> None:
        self.left = self.left[:start] + _READ * (end - start) + self.left[end:]


def _opposite(wanted: Filter, said: str) -> Filter | None:
    said = _one_line(said)
    if isinstance(wanted, RiskAtMost):  # "no high risk" allows what is better than high
        better = GARM_RISKS.index(wanted.worst) - 1
        return replace(wanted, said=said, worst=GARM_RISKS[better]) if better >= 0 else None
    return Not(said, wanted)


def _one_line(text: str) -> str:
    return " ".join(text.split())


_JOINT = r"\s*(?:,\s*(?:and\s+|or\s+)?|/|&|\+|\band\b|\bor\b)\s*"


def _listed(word: str) -> str:
    """Return the pattern of a list of words."""
    return rf"(?:(?<![\w-])|(?<=\bnon-))(?:{word})(?:{_JOINT}(?:{word}))*(?![\w-])"


# --- format and device --------------------------------------------------------------------------

# Name of `filters.Formats` -> the words that mean it.
_FORMATS: Mapping[str, str] = {
    "ctv": r"ctv|connected[\s-]tvs?|ott|streaming[\s-]tv",
    "video": r"(?:online\s+)?video|olv|in-?stream|out-?stream|pre-?rolls?",
    "audio": r"audio|podcasts?",
    "display": r"display|banners?",
    "native": r"native",
    "desktop": r"desktop",
    "phone": r"smart-?phones?",
    "mobile": r"mobile",
    "tablet": r"tablets?",
    "stb": r"stb|set[\s-]top[\s-]box(?:es)?",
    "ooh": r"d?ooh|(?:digital[\s-])?out[\s-]of[\s-]home",
    "apps": r"in-?app",
}
# "Mobile gamers" and "podcast fans" are people and "video games" a subject: no formats.
_NO_FORMAT = (
    r"(?![\s-]*(?:gam(?:es?|ing|ers?)|fans?|lovers?|listeners?|viewers?|watchers?|streamers|speakers?"
    r"|buyers?|shoppers?|owners?|users?|intenders?|players?|americans?|phones?|banking|shopping|commerce"
    r"|plans?|carriers?|homes?|purchases?)\b)"
)
# Narrower than the format they ask for, so they are searched by meaning as well.
_NARROWER = _any_case(r"\bpodcasts?\b")
_FORMAT_WORD = rf"(?:{'|'.join(_FORMATS.values())}){_NO_FORMAT}"
_FORMAT_GROUP = rf"(?:{_FORMAT_WORD})(?:[\s-]+(?:{_FORMAT_WORD}))*"


def _formats(match: re.Match[str]) -> Filter | None:
    """Words side by side must all be true of a deal, of joined groups one: "CTV video and audio"."""
    groups = tuple(_names_in(group) for group in re.split(_JOINT, match[0], flags=re.IGNORECASE))
    return Formats(_one_line(match[0]), tuple(dict.fromkeys(filter(None, groups))))


def _names_in(group: str) -> tuple[str, ...]:
    """Return the formats a group names, in its order."""
    found = {
        name: match.start()
        for name, words in _FORMATS.items()
        if (match := re.search(rf"(?<![\w-])(?:{words})(?![\w-])", group, re.IGNORECASE))
    }
    return tuple(sorted(found, key=found.__getitem__))


# --- safety and quality -------------------------------------------------------------------------

_FAMILY = (
    r"\b(?:family|families|kids?|child(?:ren)?)[\s-]?(?:safe|friendly)\b"
    r"|\b(?:safe|suitable) for (?:families|children|kids|all ages|the whole family)\b"
)
_LEVEL = r"(?:low|medium|high)"
_LEVELS = rf"{_LEVEL}(?:\s*(?:to|or|and|/|-|,)\s*{_LEVEL})*"
_AT_MOST = r"up to|at most|max(?:imum)?|no (?:more|worse|higher) than|below|under"
_RISK = (
    rf"\b(?:(?P<how>{_AT_MOST})\s+)?"
    rf"(?:(?P<levels>{_LEVELS})[\s-]+(?:garm[\s-]+|brand[\s-]+)?risks?"
    rf"|(?:garm|risk)(?:\s+(?:risk|rating|level))*\s*(?:is|of|:)?\s*"
    rf"(?P<how2>{_AT_MOST})?\s*(?P<levels2>{_LEVELS}))\b"
)


def _risk_reader(*, floor_is_lowest_risk: bool) -> _Reader:
    """Read a level as the worst that may be: who accepts medium risk accepts low risk."""

    def make(match: re.Match[str]) -> Filter | None:
        levels = re.findall(_LEVEL, match["levels"] or match["levels2"], re.IGNORECASE)
        ranks = [GARM_RISKS.index(level.title()) for level in levels]
        how = (match["how"] or match["how2"] or "").casefold()
        denied = _DENIAL.search(match.string[: match.start()])
        # Denied or "below", the best of the levels named is the first that may not be.
        rank = min(ranks) - 1 if how in {"below", "under"} else min(ranks) if denied else max(ranks)
        if rank < 0:
            return None
        return RiskAtMost(_one_line(match[0]), GARM_RISKS[rank], floor_is_lowest_risk)

    return _Reader(_any_case(_RISK), make)


_QUALITY_WORD = r"premium|mid-?\s?tier|(?-i:RON)|run[\s-]of[\s-]network"


def _quality(match: re.Match[str]) -> Filter:
    words = re.findall(_QUALITY_WORD, match[0], re.IGNORECASE)
    return OneOf(_one_line(match[0]), "quality", _once(QUALITY_ALIASES[word_key(word)] for word in words))


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _fixed_value(kind: str, value: str) -> Callable[[re.Match[str]], Filter]:
    return lambda match: OneOf(_one_line(match[0]), kind, (value,))


def _volume(match: re.Match[str]) -> Filter:
    return OneOf(_one_line(match[0]), "volume", ((match["level"] or match["level2"]).title(),))


# --- SSPs and places ----------------------------------------------------------------------------


def _ssp_reader(ssps: frozenset[str]) -> _Reader:
    known = {_one_line(name).casefold(): name for name in sorted(ssps)}
    words = "|".join(
        r"\s+".join(map(re.escape, name.split())) for name in sorted(known, key=len, reverse=True)
    )

    def make(match: re.Match[str]) -> Filter:
        named = re.findall(rf"(?<!\w)(?:{words})(?!\w)", match[0], re.IGNORECASE)
        return OneOf(_one_line(match[0]), "ssp", _once(known[_one_line(name).casefold()] for name in named))

    return _Reader(_any_case(_listed(words) if words else r"(?!)"), make)


# Codes that are words of briefs as well: "IT decision makers", "AI", "TV". They count only in a list
# with a place that is certain, and at its end only where nothing else follows.
_CODES_LIKE_WORDS = frozenset(
    """AD AI AL AM AND ARE AS AT BB BE CAN CC CD COM CV DJ DO EST FIN FM GEO GM GP HR ID IN IRL IS IT LA MAC
    MAR MD ME ML MS MY NAM NO NOR PAN PC PE PER PM POL PR PS SC SM SO SUR TM TO TON TV VA VC""".split()  # noqa: SIM905
)
# Names that are words as well: only with a capital they are places.
_NAMES_LIKE_WORDS = frozenset({"chad", "china", "georgia", "guinea", "jersey", "jordan", "turkey", "holland"})
_ABOUT_PLACES = (
    r"(?!\s+(?:travel|trips?|touris[mt]s?|vacations?|holidays?|cruises?|food|cuisine|recipes?|music|news"
    r"|elections?|politics|expats?)\b)"
)
_GOING_TO = _any_case(
    r"\b(?:travel(?:l?ing|l?ers?)?|trips?|flights?|visit(?:s|ing|ors)?|vacations? in)(?:\s+to)?\s+$"
)


def _place_pattern() -> re.Pattern[str]:
    codes = "|".join(f"{country.code}|{country.long_code}" for country in countries().values())
    names = "|".join(r"\s+".join(map(re.escape, name.split())) for name in place_names())
    item = rf"(?:U\.S\.A\.|U\.S\.|U\.K\.|(?:the\s+)?(?:{codes}|EU|(?i:{names}))\b)"
    end = r"(?:[\s-]+(?:markets?|only|based)\b)?"
    return re.compile(rf"(?<![\w-]){item}(?:{_JOINT}{item})*{end}{_ABOUT_PLACES}")


def _places(match: re.Match[str]) -> Filter | None:
    words = re.split(_JOINT, re.sub(r"[\s-]+(?:markets?|only|based)$", "", match[0]))
    items = [re.sub(r"^the\s+(?!states)", "", word.strip(), flags=re.IGNORECASE) for word in words]
    certain = [item for item in items if item not in _CODES_LIKE_WORDS and item not in _NAMES_LIKE_WORDS]
    after = match.string[match.end() :]
    last_is_word = items[-1] in _CODES_LIKE_WORDS and re.match(r"\s+\w", after)
    codes = frozenset().union(*map(country_codes, items))
    if not certain or last_is_word or not codes or _GOING_TO.search(match.string[: match.start()]):
        return None
    return Places(_one_line(match[0]), tuple(sorted(codes)))


# --- floor prices -------------------------------------------------------------------------------

# Words before an amount -> what they make of it: (which end, whether the amount itself is out).
_LIMITS: tuple[tuple[str, tuple[str, bool]], ...] = (
    (r"no more than|not more than|not (?:above|over)|up to|at most|max(?:imum)?(?: of)?|<=|\u2264|within"
     r"|capped at|cap(?: of)?", ("highest", False)),
    (r"no less than|not less than|not (?:below|under)|at least|min(?:imum)?(?: of)?|>=|\u2265|starting at"
     r"|from", ("lowest", False)),
    (r"under|below|less than|lower than|cheaper than|<", ("highest", True)),
    (r"over|above|more than|higher than|greater than|>", ("lowest", True)),
)  # fmt: skip
_AFTER: tuple[tuple[str, tuple[str, bool]], ...] = (
    (r"or (?:less|below|under|lower|cheaper)|max(?:imum)?|tops", ("highest", False)),
    (r"or (?:more|above|over|higher)|and (?:up|above)|min(?:imum)?", ("lowest", False)),
)
_PRICE_NOUN = r"(?:(?:bid\s+|price\s+)?floors?(?:\s+prices?)?|e?cpms?|prices?|bids?)"
_MARK = "|".join(
    sorted(
        (rf"{re.escape(mark)}(?![a-z])" for mark in (*CURRENCY_SYMBOLS, *CURRENCY_CODES)),
        key=len,
        reverse=True,
    )
)
_CURRENCY_WORDS = {"dollars": "USD", "dollar": "USD", "bucks": "USD", "pounds": "GBP", "pound": "GBP"}
_UNIT = rf"{_MARK}|euros?\b|{'|'.join(_CURRENCY_WORDS)}\b"
_NUMBER = r"\d+(?:[.,]\d+)*(?![\d.,]*\d)(?!\s?(?:k|m|mm|b|bn|thousand|million|billion)\b)(?!\s?%)"


def _money(name: str) -> str:
    return rf"(?P<before{name}>{_MARK})?\s?(?P<number{name}>{_NUMBER})(?:\s?(?P<unit{name}>{_UNIT}))?"


_FLOOR = _any_case(
    rf"(?<![\w.])(?P<noun>{_PRICE_NOUN}\s*(?:is|are|of|:|between)?\s*)?"
    rf"(?:(?P<how>{'|'.join(words for words, _ in _LIMITS)})\s*)?(?:an?\s+|the\s+)?"
    rf"(?P<noun2>{_PRICE_NOUN}\s*(?:of\s+)?)?(?:between\s+)?{_money('1')}"
    rf"(?:\s*(?:-|\bto\b|\band\b)\s*{_money('2')})?"
    rf"(?P<noun3>(?:\s*{_PRICE_NOUN}){{1,2}})?"
    rf"(?:\s+(?P<after>{'|'.join(words for words, _ in _AFTER)})\b)?(?![\w%])"
)
_NO_PRICE_BEFORE = _any_case(
    r"(?:about|around|approx\.?|approximately|roughly|~|budgets?(?: of| is|:)?|incomes?(?: of)?|spend(?:ing)?"
    r"|worth|earning|households?|hhi|aged?|ages|adults|kids|than)\s*$"
)
_NO_PRICE_AFTER = _any_case(r"\s*(?:budgets?|incomes?|households?|hhi|in spend|spend|years?|or older)\b")


def _floor(match: re.Match[str]) -> Filter | None:
    before, after = match.string[: match.start()], match.string[match.end() :]
    if _NO_PRICE_BEFORE.search(before) or _NO_PRICE_AFTER.match(after):
        return None
    first, second = _amount(match, "1"), _amount(match, "2") if match["number2"] else None
    if first is None or (match["number2"] and second is None):
        return None
    marked = {money.currency for money in (first, second) if money and money.currency}
    named = any(match[name] for name in ("noun", "noun2", "noun3"))
    if len(marked) > 1 or not (marked or named):
        return None
    currency, said = next(iter(marked), None), _one_line(match[0])
    if second is not None:
        low, high = sorted((first.amount, second.amount))
        return FloorPrice(said, currency, low, high)
    return _limited(said, currency, first.amount, _limit(match))


def _limited(said: str, currency: str | None, amount: Decimal, limit: tuple[str, bool]) -> Filter:
    end, out = limit
    if end == "highest":
        return FloorPrice(said, currency, highest=amount, below=out)
    return FloorPrice(said, currency, lowest=amount, above=out)


def _limit(match: re.Match[str]) -> tuple[str, bool]:
    """Return which end an amount is; alone it is the most that is bid: "at $15 CPM"."""
    for group, table in (("how", _LIMITS), ("after", _AFTER)):
        for words, limit in table if match[group] else ():
            if re.fullmatch(words, match[group], re.IGNORECASE):
                return limit
    return ("highest", False)


def _amount(match: re.Match[str], name: str) -> Money | None:
    """Read an amount as a cell of a file is read; None when it could mean two numbers."""
    unit = match[f"unit{name}"] or ""
    unit = _CURRENCY_WORDS.get(unit.casefold(), unit)
    money: Money | None = read_cell(
        "money", f"{match[f'before{name}'] or ''}{match[f'number{name}']} {unit}"
    ).value
    return money


# --- exclusions and the rest --------------------------------------------------------------------

_LONGEST_TOPIC = 3
_STOP = (
    r"for|in|on|with|from|at|to|of|under|over|below|above|targeting|reaching|but|only|just|more|less|floor"
    r"|limit|preference|matter|problem|need|longer|other|older|younger"
)
_TOPIC_WORDS = rf"(?:(?<![\w'-])(?!(?:{_STOP}|and|n?or)\b)[\w'-]+[ ]?)+"
_TOPIC_JOINT = _any_case(r"\s*(?:,\s*(?:n?or\b)?|/|&|\band\b|\bn?or\b)\s*(?:no\s+)?")
_EXCLUSION = _any_case(
    r"\b(?P<no>no|without|excluding|exclude|excl\.?|except(?: for)?|avoid(?:ing)?|not|minus)\s+"
    r"(?:any\s+)?(?P<topics>"
    rf"{_TOPIC_WORDS}(?:,\s*{_TOPIC_WORDS})+,?\s*\bn?or\b\s*{_TOPIC_WORDS}"  # commas only before "or"
    rf"|{_TOPIC_WORDS}(?:\s*(?:/|&|\band\b|\bn?or\b)\s*(?:no\s+)?{_TOPIC_WORDS})*)"
)
_FREE_OF = _any_case(rf"\b(?P<topic>{'|'.join(TOPIC_NAMES)})[\s-]free\b")
# What an exclusion may end with without naming anything.
_GENERIC = frozenset(
    """ads apps content deal deals inventory only pages programming publishers shows site sites themes
    topics""".split()  # noqa: SIM905
)


def _topic(words: str) -> str:
    kept = words.split()
    while kept and kept[-1].casefold() in _GENERIC:
        kept.pop()
    return " ".join(kept)


# Joining words; at the ends of what is left they say nothing.
_JOINING = frozenset(
    """a an the and or but also for in on at of to from by via with within only just all any we i our need
    needs want wants find show give me please looking deal deals inventory package packages campaign plus as
    that which are is be should must sold through on reaching reach targeting target aimed ads ad
    advertising running runs run""".split()  # noqa: SIM905
)
_EDGES = " \t\n.:!?()[]\"'-&/+"


def _meaning(left: str, kept: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Return what no reader read, without joining words at the ends of its parts; and those words."""
    parts, aside = [], []
    for part in re.split(rf"[{_READ};\n]+|,(?!\d)", left):
        words = [word for word in part.split() if word.strip(_EDGES)]
        start, end = 0, len(words)
        while start < end and words[start].strip(_EDGES).casefold() in _JOINING:
            start += 1
        while end > start and words[end - 1].strip(_EDGES).casefold() in _JOINING:
            end -= 1
        aside += words[:start] + words[end:]
        if start < end:
            parts.append(" ".join(words[start:end]).strip(_EDGES))
    return ", ".join(dict.fromkeys([*parts, *kept])), tuple(aside)


def _readers(ssps: frozenset[str], *, floor_is_lowest_risk: bool) -> tuple[_Reader, ...]:
    """Return the readers in their order: what is certain and long goes first."""
    return (
        _Reader(FLIGHT, read_flight, deniable=False),
        _Reader(_FLOOR, _floor, deniable=False),
        _ssp_reader(ssps),
        _Reader(_any_case(_FAMILY), lambda match: FamilySafe(_one_line(match[0]))),
        _Reader(
            _any_case(r"\bbrand[\s-](?:safe|suitable)\b"),
            # At most medium, as for the claims of a package.
            lambda match: RiskAtMost(_one_line(match[0]), "Medium", floor_is_lowest_risk),
            deniable=False,
        ),
        _risk_reader(floor_is_lowest_risk=floor_is_lowest_risk),
        _Reader(_any_case(_listed(_FORMAT_GROUP)), _formats),
        _Reader(_any_case(_listed(_QUALITY_WORD)), _quality),
        _Reader(
            _any_case(
                r"\b(?P<level>high|medium|low)[\s-]volume\b|\bvolume:?\s+(?P<level2>high|medium|low)\b"
            ),
            _volume,
        ),
        _Reader(_any_case(r"\bfixed[\s-](?:price|cpm|rate|floor)s?\b"), _fixed_value("price", "fixed")),
        _Reader(
            _any_case(
                r"\b(?:private|open)[\s-]auctions?\b|\bbiddable\b|\bauction(?=[\s-]*(?:deals?|only|pric|[,;.]|$))"
            ),
            _fixed_value("price", "auction"),
        ),
        _Reader(
            _any_case(
                r"\b(?:currently|only)\s+active\b|\bactive(?=\s+deals?\b|\s+only\b)|\blive(?=\s+deals?\b)"
            ),
            _fixed_value("status", "active"),
        ),
        _Reader(
            _FREE_OF, lambda match: Without(_one_line(match[0]), match["topic"].casefold()), deniable=False
        ),
        _Reader(_place_pattern(), _places),
    )
