"""Whether a deal is about something that a brief wants left out: "no gambling", "without news"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from core.deals.deal import Deal
from core.deals.signals import SIGNS
from core.deals.taxonomy import categories, lookup


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject: the words that name it, and the categories it covers, each with all below it.

    category_ids: ids of IAB Content Taxonomy 3.1.
    """

    words: tuple[str, ...]
    category_ids: tuple[str, ...] = ()


_GAMBLING = Topic(
    ("gambling", "gambler", "casino", "betting", "bettor", "bet", "wager", "lottery", "poker", "bingo"),
    SIGNS["GAMBLING"].categories,
)
_POLITICS = Topic(("political", "politics", "politician", "election"), SIGNS["POLITICAL"].categories)
_ALCOHOL = Topic(("alcohol", "alcoholic", "beer", "wine", "liquor", "whiskey", "vodka"), ("211",))
_KIDS = Topic(("kid", "child", "children", "toddler"), SIGNS["KIDS"].categories)
_NEWS = Topic(("news", "newspaper"), (*SIGNS["NEWS"].categories, *SIGNS["POLITICAL"].categories))
# What people call a subject -> the subject; any other name is taken by its own words and category.
_TOPICS = {
    **dict.fromkeys(("gambling", "casino", "casinos", "betting", "gaming and betting"), _GAMBLING),
    **dict.fromkeys(("politics", "political", "elections", "election"), _POLITICS),
    **dict.fromkeys(("alcohol", "alcoholic beverages", "liquor", "booze"), _ALCOHOL),
    **dict.fromkeys(("kids", "children", "child"), _KIDS),
    **dict.fromkeys(("news", "newspapers"), _NEWS),
}
# Longest first.
TOPIC_NAMES = tuple(sorted(_TOPICS, key=lambda name: (-len(name), name)))


def is_about(deal: Deal, topic: str) -> bool | None:
    """Whether name, categories, concepts, audience, publishers or description speak of a topic.

    Words count whole and in any case, also in names such as "PM_CasinoGames_US"; a denial
    ("non-political", "gambling excluded") does not count. None when the deal says neither its
    category nor its concepts: a name alone cannot clear it.
    """
    words, names = _marks_of(topic)
    if any(_key(tier) in names for tier in deal.taxonomy.path) or words.search(_text_of(deal)):
        return True
    return False if deal.taxonomy.path or deal.concepts else None


@lru_cache(maxsize=256)
def _marks_of(topic: str) -> tuple[re.Pattern[str], frozenset[str]]:
    known = _TOPICS.get(_key(topic)) or _by_name(topic)
    return _pattern(known.words), _names_below(known.category_ids)


def _by_name(topic: str) -> Topic:
    category = lookup(topic)
    return Topic((topic,), (category.id,) if category else ())


def _names_below(category_ids: Iterable[str]) -> frozenset[str]:
    """Return the names of these categories and of all below them."""
    tops = [categories()[category_id].path for category_id in category_ids]
    return frozenset(
        _key(category.name)
        for category in categories().values()
        if any(category.path[: len(top)] == top for top in tops)
    )


_DENIED_BEFORE = r"(?<!non )(?<!no )(?<!not )(?<!without )"
_DENIED_AFTER = r"(?! (?:excluded|blocked|free)\b)"


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    forms = "|".join(" ".join(map(_form, _plain(word).split())) for word in words)
    return re.compile(rf"{_DENIED_BEFORE}\b(?:{forms})\b{_DENIED_AFTER}")


def _form(word: str) -> str:
    """Return the pattern of a word in singular and plural."""
    if len(word) <= 3 or word.endswith("ss"):  # noqa: PLR2004  (short words: no plural is cut off)
        return re.escape(word) + "s?"
    if word.endswith(("y", "ies")):
        return re.escape(word.removesuffix("ies").removesuffix("y")) + "(?:y|ies)"
    return re.escape(word.removesuffix("s")) + "(?:e?s)?"


def _text_of(deal: Deal) -> str:
    """Return what the deal says of itself, a part on each line: no phrase reaches over two."""
    parts = (
        deal.deal_name,
        deal.description,
        *deal.taxonomy.path,
        *deal.concepts,
        *deal.audience.inferred_audience,
        *deal.publishers,
    )
    return _plain("\n".join(filter(None, parts)))


_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_WORD = re.compile(r"(?:[^\w\n]|_)+")


def _plain(text: str) -> str:
    """Return the words of a text in lower case, also those of "CasinoGames_US"; lines stay."""
    return _NO_WORD.sub(" ", _HUMP.sub(" ", text)).casefold()


def _key(name: str) -> str:
    return " ".join(re.findall(r"\w+", name.casefold().replace("&", " and ")))
