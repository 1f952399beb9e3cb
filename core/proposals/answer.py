"""A model's text becomes proposals: a strict parser, and a validator that believes nothing.

Cut JSON is never repaired: a repaired tail has been measured to pass damaged answers as
whole ones. What is accepted names only deals of the cluster, and every deal of the cluster
ends in a proposal or in the list of unpackaged deals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from core.errors import UnusableAnswer
from core.proposals.model import Answer, Proposal, Unpackaged
from core.settings import MIN_PACKAGE_DEALS

NAME_LIMIT = 120
_REASONING_LIMIT = 2_000
_MAX_PACKAGES = 12
_MAX_ISSUES = 20

_BRACKET = re.compile(r"[\[{]")
# A bracket that opens JSON rather than a remark in brackets, or the last one of a cut text.
_OPENS_JSON = re.compile(r'\{\s*("|\Z)|\[\s*([\[{]|\Z)')

_KEYS = {
    "name": ("package_name", "name", "packageName", "title"),
    "deals": ("deal_ids", "deals", "dealIds", "ids"),
    "reasoning": ("reasoning", "why", "reason", "rationale"),
}


def parse_answer(text: str) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Return the packages of an answer, and sentences about what was odd in its form.

    Raises UnusableAnswer (with the raw text) when no complete list of packages is there.
    """
    oddities: list[str] = []
    decoder = _decoder(oddities)
    try:
        packages = _packages(decoder.decode(text))
    except RecursionError:
        packages = None
    except ValueError:
        oddities.clear()
        packages = _search(text, decoder)
        oddities.append("The answer held text around its JSON; the list in it was used.")
    if packages is None:
        raise UnusableAnswer("The model's answer is no list of packages: ask again.", raw=text)
    if not packages:
        raise UnusableAnswer("The model answered with an empty list of packages: ask again.", raw=text)
    return packages, list(dict.fromkeys(oddities))


def _decoder(oddities: list[str]) -> json.JSONDecoder:
    """Return a decoder that reads NaN as null and notes keys that stand twice."""

    def as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            oddities.append("The answer gave a key twice in one object; the last value was used.")
        return dict(pairs)

    return json.JSONDecoder(object_pairs_hook=as_dict, parse_constant=lambda _: None)


def _get(package: Mapping[str, Any], what: str) -> object:
    return next((package[key] for key in _KEYS[what] if package.get(key) is not None), None)


def _is_package(document: object) -> TypeGuard[Mapping[str, Any]]:
    return (
        isinstance(document, Mapping)
        and _get(document, "deals") is not None
        and _get(document, "name") is not None
    )


def _packages(document: object) -> list[Mapping[str, Any]] | None:
    """Find the packages in a parsed answer: a list, packages in wrappers, or a single package."""
    if isinstance(document, Mapping):
        if _is_package(document):
            return [document]
        named = document.get("packages")
        inner = [named] if isinstance(named, list) else document.values()
        found = [_packages(value) for value in inner if isinstance(value, (list, Mapping))]
        side_by_side = [value for value in inner if _is_package(value)]  # {"first": {...}, "second": {...}}
        whole = [packages for packages in (*found, side_by_side) if packages]
        return max(whole, key=len, default=[] if [] in found else None)
    if not isinstance(document, list):
        return None
    packages = [item for item in document if isinstance(item, Mapping)]
    return packages if len(packages) == len(document) else None


def _search(text: str, decoder: json.JSONDecoder) -> list[Mapping[str, Any]] | None:
    """Return the longest complete list of packages that stands anywhere in the text.

    None when any part of the text is cut or damaged JSON: its whole packages must not pass as all.
    """
    lists: list[list[Mapping[str, Any]]] = []
    singles: list[Mapping[str, Any]] = []
    position = 0
    while match := _BRACKET.search(text, position):
        try:
            document, position = decoder.raw_decode(text, match.start())
            found = _packages(document)
        except RecursionError:
            return None
        except ValueError:
            if _OPENS_JSON.match(text, match.start()):
                return None
            position = match.end()
            continue
        if _is_package(document):
            singles.append(document)  # one package per line
        elif found and all(_get(item, "deals") is not None for item in found):
            lists.append(found)
    return max([*lists, *filter(None, [singles])], key=len, default=None)


def validate_answer(text: str, aliases: Mapping[str, str]) -> Answer:
    """Turn a model's text into proposals over the deals behind `aliases` (alias -> deal id).

    Unknown ids are dropped and counted, packages under three deals dissolve, doubles merge,
    at most twelve packages stay; every correction is an issue. Raises UnusableAnswer.
    """
    packages, issues = parse_answer(text)
    resolve = _Resolver(aliases)
    proposals: list[Proposal] = []
    dissolved: dict[str, str] = {}
    for package in packages:
        proposal = _proposal(package, resolve, issues)
        if len(proposal.deal_ids) < MIN_PACKAGE_DEALS:
            reason = (
                f"The model put it in a package of {len(proposal.deal_ids)}, under {MIN_PACKAGE_DEALS} deals."
            )
            dissolved |= dict.fromkeys(proposal.deal_ids, reason)
            issues.append(
                f"{proposal.name!r} has fewer than {MIN_PACKAGE_DEALS} valid deals and was dropped."
            )
        elif any(set(known.deal_ids) == set(proposal.deal_ids) for known in proposals):
            issues.append(f"{proposal.name!r} repeats another package's deals and was dropped.")
        elif len(proposals) == _MAX_PACKAGES:
            dissolved |= dict.fromkeys(
                proposal.deal_ids, f"The model gave more than {_MAX_PACKAGES} packages."
            )
            issues.append(
                f"{proposal.name!r} is over the {_MAX_PACKAGES} packages of a cluster and was dropped."
            )
        else:
            proposals.append(proposal)
    if not proposals:
        raise UnusableAnswer("No package of the model's answer has three deals of this cluster.", raw=text)
    packaged = {deal_id for proposal in proposals for deal_id in proposal.deal_ids}
    unpackaged = tuple(
        Unpackaged(deal_id, dissolved.get(deal_id, "The model left it out of every package."))
        for deal_id in aliases.values()
        if deal_id not in packaged
    )
    if len(issues) > _MAX_ISSUES:
        issues = [*issues[:_MAX_ISSUES], f"{len(issues) - _MAX_ISSUES} more corrections of the same kinds."]
    return Answer(tuple(proposals), unpackaged, tuple(issues), raw=text)


def _proposal(package: Mapping[str, Any], resolve: _Resolver, issues: list[str]) -> Proposal:
    deal_ids, unknown = resolve.all(_get(package, "deals"))
    name = clean_text(_get(package, "name"), NAME_LIMIT)
    if not name:
        name = "Unnamed package"
        issues.append("A package came without a name: give it one before you approve it.")
    if unknown:
        issues.append(f"{name!r} named {unknown} ids that are not in this cluster; they were dropped.")
    return Proposal(name, deal_ids, clean_text(_get(package, "reasoning"), _REASONING_LIMIT) or "None given.")


def clean_text(value: object, limit: int) -> str:
    """Return a model's words as one line without control characters, `limit` characters at most."""
    text = value if isinstance(value, str) else ""
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


class _Resolver:
    """Finds the deal that an id of an answer means: an alias, the number of an alias, or a real id.

    What could mean two deals means none: a real id "2" beside an alias "D2", or ids that differ
    in case when the answer has neither spelling.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        meant = [
            (word, deal_id)
            for alias, deal_id in aliases.items()
            for word in (alias, re.sub(r"^\D+", "", alias), deal_id)
        ]
        self._exact = _unambiguous(meant)
        self._folded = _unambiguous((_folded(word), deal_id) for word, deal_id in meant)

    def all(self, ids: object) -> tuple[tuple[str, ...], int]:
        """Return the deals meant, each once, and how many ids meant none."""
        found: dict[str, None] = {}
        unknown = 0
        for item in _flat(ids):
            deal_id = self._exact.get(item) or self._folded.get(_folded(item))
            if deal_id is None:
                unknown += 1
            else:
                found[deal_id] = None
        return tuple(found), unknown


def _unambiguous(meant: Iterable[tuple[str, str]]) -> dict[str, str]:
    deals: dict[str, set[str]] = {}
    for word, deal_id in meant:
        deals.setdefault(word, set()).add(deal_id)
    return {word: next(iter(ids)) for word, ids in deals.items() if len(ids) == 1}


def _folded(text: str) -> str:
    return re.sub(r"\s+", "", text).casefold()


def _flat(ids: object) -> Iterable[str]:
    """Yield ids as text from a list, a number, or "D1, D2"."""
    items: Sequence[object] = ids if isinstance(ids, list) else [ids]
    for item in items:
        if isinstance(item, bool) or item is None:
            continue
        if isinstance(item, float):
            yield str(int(item)) if item.is_integer() else str(item)
        elif isinstance(item, int):
            yield str(item)
        elif isinstance(item, str):
            yield from (part.strip() for part in re.split(r"[,;]", item) if part.strip())
