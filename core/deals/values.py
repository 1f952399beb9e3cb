"""One cell becomes a typed value, or a sentence that says why it stays unknown."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.deals.model import Money
from core.deals.vocabulary import CURRENCY_SYMBOLS, DEVICES, FORMAT_ALIASES, UNKNOWN_WORDS, Kind


@dataclass(frozen=True, slots=True)
class Reading:
    """What one cell gave.

    value: typed by the kind of the field; None or () when unknown.
    doubt: None, or what was found and what was done about it.
    """

    value: Any
    doubt: str | None = None


def read_cell(kind: Kind, cell: object) -> Reading:
    """Read one cell of text, or one JSON value. Never raises on content."""
    return _READERS[kind](cell)


# Half of a character, as a cut JSON escape leaves it: no encoder, hash or database takes it.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    """Return the text with each lone surrogate replaced by U+FFFD."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def _plain(cell: object) -> str:
    return "" if cell is None else storable(str(cell)).strip()


def _known(cell: object) -> str:
    text = _plain(cell)
    return "" if text.casefold() in UNKNOWN_WORDS else text


def _read_id(cell: object) -> Reading:
    # A float has lost digits already, and one blank id makes a whole pandas column floats.
    if isinstance(cell, (bool, float, list, tuple, dict)):
        return Reading(None, f"{cell!r} is no deal id; give ids as text")
    return Reading(_plain(cell) or None)


def _read_text(cell: object) -> Reading:
    if isinstance(cell, (list, tuple)):
        return Reading(", ".join(filter(None, map(_known, cell))) or None)
    return Reading(_known(cell) or None)


def _items(cell: object) -> tuple[str, ...]:
    if isinstance(cell, (list, tuple)):
        return tuple(_plain(item) for item in cell)
    text = _plain(cell)
    if text.startswith("["):
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, list):
            return tuple(_plain(item) for item in parsed)
    separator = next((mark for mark in "|;," if mark in text), "|")
    return tuple(part.strip() for part in text.split(separator))


def _read_list(cell: object) -> Reading:
    kept = (item for item in _items(cell) if item.casefold() not in UNKNOWN_WORDS)
    return Reading(tuple(dict.fromkeys(kept)))


def _read_countries(cell: object) -> Reading:
    # "NA" is Namibia here, so only blanks count as unknown.
    return Reading(tuple(dict.fromkeys(item for item in _items(cell) if item not in {"", "-"})))


_TRUTHS = {
    "true": True, "yes": True, "y": True, "1": True,
    "false": False, "no": False, "n": False, "0": False,
}  # fmt: skip


def _read_boolean(cell: object) -> Reading:
    if isinstance(cell, bool):
        return Reading(cell)
    text = _known(cell)
    if not text:
        return Reading(None)
    if text.casefold() in _TRUTHS:
        return Reading(_TRUTHS[text.casefold()])
    return Reading(None, f"{text!r} is neither yes nor no; kept as unknown")


_MONEY = re.compile(
    r"^(?P<before>[^\d\s.,+-]{1,3}|[A-Za-z]{3})?\s*(?P<amount>\d[\d.,\s]*)"
    r"(?:\s*(?:-|\u2013|to)\s*[^\d\s]{0,3}\s*(?P<high>\d[\d.,]*))?\s*(?P<after>[^\d\s.,+-]{1,3}|[A-Za-z]{3})?(?:\s*CPM)?$"
)


def _read_money(cell: object) -> Reading:
    text = " ".join(_known(cell).split())  # long runs of blanks would make the pattern slow
    if not text:
        return Reading(None)
    match = _MONEY.match(text)
    amount = _decimal(match["amount"]) if match else None
    if match is None or amount is None or not all(map(_marks_money, match.group("before", "after"))):
        return Reading(None, f"{text!r} is not an amount; the price stays unknown")
    currency = _currency(match["before"]) or _currency(match["after"])
    doubt = f"{text!r} is a range; its lower end is used as the floor" if match["high"] else None
    return Reading(Money(amount, currency), doubt)


def _marks_money(mark: str | None) -> bool:
    """Whether a mark next to a number may belong to a price; "5%", "5k" and "<5" are none."""
    return (
        mark is None
        or _currency(mark) is not None
        or mark.upper() == "CPM"
        or any(unicodedata.category(character) == "Sc" for character in mark)
    )


def _currency(mark: str | None) -> str | None:
    if not mark:
        return None
    mark = mark.strip().upper()
    return CURRENCY_SYMBOLS.get(mark) or (mark if re.fullmatch(r"[A-Z]{3}", mark) and mark != "CPM" else None)


def _decimal(text: str) -> Decimal | None:
    """Read an amount written with either decimal mark; None when it could mean two numbers."""
    text = text.strip()
    if re.search(r"\s", text) and not re.fullmatch(r"\d{1,3}(\s\d{3})+([.,]\d+)?", text):
        return None  # "10 15": two prices
    digits = re.sub(r"\s", "", text)
    if "," in digits and "." in digits:
        decimal_mark = max(",.", key=digits.rfind)
        whole = digits[: digits.rfind(decimal_mark)]
        if not re.fullmatch(r"\d{1,3}([.,]\d{2,3})*[.,]\d{3}", whole):  # pairs: 12,34,567.00 in India
            return None
        digits = digits.replace("." if decimal_mark == "," else ",", "").replace(decimal_mark, ".")
    elif "," in digits:
        if re.fullmatch(r"\d{1,3}(,\d{3})+", digits):
            return None  # "1,234": twelve hundred in one country, one and a quarter in another
        digits = digits.replace(",", ".")
    return Decimal(digits) if re.fullmatch(r"\d+(\.\d+)?", digits) else None


# Counts are stored as 64-bit integers; the largest seen in a file is 3.4e11.
_LARGEST_COUNT = 2**63 - 1
_MULTIPLES = {"": 1, "K": 10**3, "M": 10**6, "MM": 10**6, "B": 10**9}


def _read_count(cell: object) -> Reading:
    text = _known(cell)
    if not text:
        return Reading(None)
    match = re.fullmatch(r"(\d+(?:,\d{3})*(?:\.\d+)?)\s*(K|MM|M|B)?", text, re.IGNORECASE)
    number = match and _times(match[1].replace(",", ""), _MULTIPLES[(match[2] or "").upper()])
    if number is None:
        return Reading(None, f"{text[:40]!r} is not a count; it stays unknown")
    return Reading(number)


def _times(digits: str, multiple: int) -> int | None:
    """Multiply exactly; None when the product is too large to be a count."""
    whole, _, fraction = digits.partition(".")
    if len(whole.lstrip("0")) > len(str(_LARGEST_COUNT)):
        return None
    number = int(Decimal(f"{whole}.{fraction[:9]}") * multiple)
    return number if number <= _LARGEST_COUNT else None


def _read_formats(cell: object) -> Reading:
    """Read formats; the value is (formats, devices they imply)."""
    formats: dict[str, None] = {}
    devices: dict[str, None] = {}
    unknown = []
    for word in _read_list(cell).value:
        known = FORMAT_ALIASES.get(word.casefold())
        if known is None:
            unknown.append(word)
            continue
        formats[known[0]] = None
        if known[1]:
            devices[known[1]] = None
    doubt = f"{', '.join(map(repr, unknown))} is no known format; kept as unknown" if unknown else None
    return Reading((tuple(formats), tuple(devices)), doubt)


def _read_devices(cell: object) -> Reading:
    words = list(dict.fromkeys(word.casefold() for word in _read_list(cell).value))
    unknown = [word for word in words if word not in DEVICES]
    doubt = f"{', '.join(map(repr, unknown))} is no known device; kept as unknown" if unknown else None
    return Reading(tuple(word for word in words if word in DEVICES), doubt)


def _read_time(cell: object) -> Reading:
    text = _known(cell)
    if not text:
        return Reading(None)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return Reading(None, f"{text!r} is no ISO date such as 2026-11-30; it stays unknown")
    return Reading(text)


_READERS: dict[Kind, Callable[[Any], Reading]] = {
    "id": _read_id,
    "text": _read_text,
    "list": _read_list,
    "countries": _read_countries,
    "boolean": _read_boolean,
    "money": _read_money,
    "count": _read_count,
    "formats": _read_formats,
    "devices": _read_devices,
    "time": _read_time,
}
