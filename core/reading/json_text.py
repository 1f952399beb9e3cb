"""Bytes of a JSON or JSON Lines file become values in which every number is still text.

Stricter than Python's own reader: no NaN or Infinity, no key twice in one object, no deep nesting.
What the values mean is for `core.reading.reading`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.errors import ImportRefused
from core.reading.encoding import decode_bytes
from core.reading.grid import Refusal, Source
from core.reading.json_fault import place_of_fault
from core.settings import MAX_JSON_DEPTH, MAX_JSON_PARTS, MAX_ROWS

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


_JSON = Source("json")


@dataclass(frozen=True, slots=True)
class JsonText:
    """Values of a file: one for a document, one per line for JSON Lines.

    values: (1-based line, value); numbers are the text that stood in the file, null is None.
    """

    values: tuple[tuple[int, Any], ...]
    is_lines: bool
    repairs: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    source: Source = _JSON


class _Fault(ValueError):
    """What a hook of the parser found; the hooks do not know where."""


def looks_like_json(data: bytes) -> bool:
    """Whether the first character of a file, in whatever Unicode encoding, opens a list or an object."""
    start = data[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")
    return start[:1] in {b"[", b"{"}


def read_json(data: bytes, filename: str, encoding: str | None = None) -> JsonText:
    """Read one JSON document, or one value per line.

    Raises ImportRefused with the place when neither can be read, or values are nested too deeply.
    """
    decoded = decode_bytes(data, filename, encoding)
    if not decoded.text.strip():
        raise ImportRefused(filename, "is empty: choose a file with deals (CSV, TSV, JSON or JSON Lines).")
    if decoded.text.count("[") + decoded.text.count("{") > MAX_JSON_PARTS:
        raise ImportRefused(
            filename,
            f"holds more than {MAX_JSON_PARTS:,} lists and objects: split it and load the parts.",
        )
    try:
        return JsonText(
            ((1, parse_json(decoded.text)),), False, decoded.notes, (), Source("json", decoded.encoding)
        )
    except ValueError as error:
        refused = ImportRefused(filename, f"is no valid JSON ({error}): export it again.")
    if not _may_be_lines(decoded.text):
        raise refused
    values, refusals = _read_lines(decoded.text, filename)
    if not values:
        raise refused
    return JsonText(values, True, decoded.notes, refusals, Source("jsonl", decoded.encoding))


def parse_json(text: str) -> Any:  # noqa: ANN401  (JSON is anything)
    """Parse one JSON text, numbers staying text, so that ids keep every digit.

    Raises ValueError that names the place for anything that is no JSON (RFC 8259), for a key that
    stands twice in one object, and for nesting deeper than MAX_JSON_DEPTH.
    """
    place = _too_deep(text)
    if place is not None:
        raise ValueError(f"nested deeper than {MAX_JSON_DEPTH} levels at {_position(text, place)}")
    try:
        return json.loads(
            text,
            parse_int=str,
            parse_float=str,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
    except _Fault as fault:
        raise ValueError(f"{fault}{place_of_fault(text)}") from None


def _too_deep(text: str) -> int | None:
    """Return where the nesting passes the limit, None when it does not."""
    if text.count("[") + text.count("{") <= MAX_JSON_DEPTH:
        return None
    # Without strings and all else, every round takes the innermost level away: much faster than counting.
    brackets = _STRING.sub("", text).translate(_ONLY_BRACKETS)
    for _ in range(MAX_JSON_DEPTH):
        if not brackets:
            return None
        brackets = brackets.replace("[]", "").replace("{}", "")
    return _place_of_depth(text)


def _place_of_depth(text: str) -> int | None:
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                return match.start()
        elif mark in "]}":
            depth -= 1
    return None


class _Brackets(dict[int, str | None]):
    """A translation table that drops every character but brackets."""

    def __missing__(self, code: int) -> str | None:
        kept = chr(code) if chr(code) in "[]{}" else None
        self[code] = kept
        return kept


_ONLY_BRACKETS = _Brackets()


def _position(text: str, place: int) -> str:
    line = text.count("\n", 0, place) + 1
    return f"line {line} column {place - text.rfind(chr(10), 0, place)}"


def _refuse_constant(word: str) -> object:
    raise _Fault(f"{word} is no JSON value")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Fault(f"the key {twice!r} stands twice in one object")
    return result


def _may_be_lines(text: str) -> bool:
    return text.lstrip().startswith("{") and "\n" in text.strip()


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _read_lines(text: str, filename: str) -> tuple[tuple[tuple[int, Any], ...], tuple[Refusal, ...]]:
    values: list[tuple[int, Any]] = []
    refusals: list[Refusal] = []
    for number, line in _lines(text):
        if len(values) + len(refusals) >= MAX_ROWS:
            raise ImportRefused(filename, f"has more than {MAX_ROWS:,} lines: split it and load the parts.")
        try:
            values.append((number, parse_json(line)))
        except ValueError as error:
            refusals.append(Refusal(number, line, f"The line is no valid JSON ({error})."))
    return tuple(values), tuple(refusals)
