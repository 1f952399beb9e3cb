"""A model's text becomes packages as it wrote them: strictly read, nothing of it believed yet.

Cut JSON is never repaired: a repaired tail has been measured to pass damaged answers as
whole ones. What the packages say is checked in `validate`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from core.errors import UnusableAnswer

_BRACKET = re.compile(r"[\[{]")
# A bracket that opens JSON rather than a remark in brackets, or the last one of a cut text.
_OPENS_JSON = re.compile(r'\{\s*("|\Z)|\[\s*([\[{]|\Z)')

Part = Literal["name", "deals", "reasoning"]

_KEYS: dict[Part, tuple[str, ...]] = {
    "name": ("package_name", "name", "packageName", "title"),
    "deals": ("deal_ids", "deals", "dealIds", "ids"),
    "reasoning": ("reasoning", "why", "reason", "rationale"),
}


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """The packages of an answer in the model's own words; read a part of one with `part_of`.

    issues: sentences about what was odd in its form.
    """

    packages: tuple[Mapping[str, Any], ...]
    issues: tuple[str, ...] = ()

    @property
    def salvaged(self) -> bool:
        """Whether the packages had to be found in a text that was not the JSON asked for."""
        return bool(self.issues)


def parse_answer(text: str) -> ParsedAnswer:
    """Read the packages of an answer.

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
    return ParsedAnswer(tuple(packages), tuple(dict.fromkeys(oddities)))


def _decoder(oddities: list[str]) -> json.JSONDecoder:
    """Return a decoder that reads NaN as null and notes keys that stand twice."""

    def as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            oddities.append("The answer gave a key twice in one object; the last value was used.")
        return dict(pairs)

    return json.JSONDecoder(object_pairs_hook=as_dict, parse_constant=lambda _: None)


def part_of(package: Mapping[str, Any], part: Part) -> object:
    """Return one part of a package under whichever of its keys the model used, None without it."""
    return next((package[key] for key in _KEYS[part] if package.get(key) is not None), None)


def _is_package(document: object) -> TypeGuard[Mapping[str, Any]]:
    return (
        isinstance(document, Mapping)
        and part_of(document, "deals") is not None
        and part_of(document, "name") is not None
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
        elif found and all(part_of(item, "deals") is not None for item in found):
            lists.append(found)
    return max([*lists, *filter(None, [singles])], key=len, default=None)
