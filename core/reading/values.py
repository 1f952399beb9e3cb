"""One cell becomes a typed value, or a sentence that says why it stays unknown.

A cell that could mean two things ("1,234", "03/04/2026") is read by what the other cells of
its column prove; without proof it stays unknown and is doubted.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from core.deals.deal import Money
from core.deals.vocabulary import (
    DEVICE_ALIASES,
    FORMAT_ALIASES,
    INVENTORY_ALIASES,
    INVENTORY_TYPES,
    PRICE_TYPE_ALIASES,
    PRICE_TYPES,
    QUALITY_ALIASES,
    STATUS_ALIASES,
    STATUSES,
    UNKNOWN_WORDS,
    VOLUME_ALIASES,
    VOLUME_TIERS,
    Kind,
    currency_code,
    garm_risk,
    word_key,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one cell gave.

    value: typed by the kind of the field; None or () when unknown.
    doubt: None, or what was found and what was done about it.
    """

    value: Any
    doubt: str | None = None


DecimalMark = Literal[".", ","]


@dataclass(frozen=True, slots=True)
class Convention:
    """How one column writes its values, as far as its cells prove it.

    decimal_mark: "." or ","; "mixed" when some cells prove one and some the other; None without proof.
    day_first: whether 03/04/2026 is in April; "mixed" and None likewise.
    typed: the source writes numbers as such, always with a point (JSON, XLSX, Parquet): "1.125" is one.
    """

    decimal_mark: DecimalMark | Literal["mixed"] | None = None
    day_first: bool | Literal["mixed"] | None = None
    typed: bool = False

    def mark_in(self, cell: object) -> str | None:
        """Return the decimal mark by which one cell is read."""
        if isinstance(cell, float) or (
            self.typed and isinstance(cell, str) and _TYPED_NUMBER.fullmatch(cell.strip())
        ):
            return "."
        return self.decimal_mark


_TYPED_NUMBER = re.compile(r"[0-9]+\.[0-9]+")
NO_CONVENTION = Convention()


def read_cell(kind: Kind, cell: object, convention: Convention = NO_CONVENTION) -> Reading:
    """Read one cell of text, or one JSON value. Never raises on content."""
    if kind in _BY_CONVENTION:
        return _BY_CONVENTION[kind](cell, convention)
    return _READERS[kind](cell)


def convention_of(kind: Kind, cells: Iterable[str]) -> Convention:
    """Return what the cells of one column prove about the way they are written."""
    if kind in {"money", "count"}:
        marks = {mark for cell in cells for mark in _proven_marks(cell)}
        return Convention(decimal_mark=marks.pop() if len(marks) == 1 else "mixed" if marks else None)
    if kind == "time":
        orders = {order for cell in cells if (order := _proven_order(cell)) is not None}
        return Convention(day_first=orders.pop() if len(orders) == 1 else "mixed" if orders else None)
    return NO_CONVENTION


# Half of a character, as a cut JSON escape leaves it: no encoder, hash or database takes it.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def storable(text: str) -> str:
    """Return the text with each lone surrogate replaced by U+FFFD."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def is_damaged(text: str) -> bool:
    """Whether the text holds half of a character, or the mark of one that could not be decoded."""
    return not text.isascii() and ("\ufffd" in text or _LONE_SURROGATE.search(text) is not None)


def shown(cell: object, limit: int = 60) -> str:
    """Return a cell in quotes for a sentence, cut when it is long."""
    text = cell if isinstance(cell, str) else json_text(cell)
    text = storable(text)
    return repr(text if len(text) <= limit else f"{text[: limit - 1]}…")


def json_text(value: object) -> str:
    """Return a JSON value as text; "…" where it is nested without end."""
    try:
        return json.dumps(value, default=str, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "…"


def _plain(cell: object) -> str:
    return "" if cell is None else storable(cell if isinstance(cell, str) else str(cell)).strip()


def _known(cell: object) -> str:
    text = _plain(cell)
    return "" if text.casefold() in UNKNOWN_WORDS else text


# --- ids and text ---------------------------------------------------------------------------

# The longest id of a known SSP has 64 characters; a longer text than this is no id but damage.
MAX_ID_LENGTH = 255
# What Excel shows of a long number: its last digits are gone from the file.
_EXCEL_ROUNDED = re.compile(r"\d[.,]\d+E\+\d{2}")


# What exports write where there is no id; "NA" alone may be one.
_NO_IDS = frozenset({"-", "--", "\u2013", "\u2014", "n/a", "#n/a", "(not set)", "null", "none"})


def _read_id(cell: object) -> Reading:
    # A float has lost digits already, and one blank id makes a whole pandas column floats.
    if isinstance(cell, (bool, float, list, tuple, dict)):
        return Reading(None, f"{shown(cell)} is no deal id; give ids as text")
    text = ("" if cell is None else str(cell)).strip()
    if is_damaged(text):  # mending it would make another id
        return Reading(None, f"{shown(text)} holds a character that cannot be read; export the id again")
    if len(text) > MAX_ID_LENGTH:
        return Reading(None, f"{shown(text)} has {len(text):,} characters, which is no deal id")
    if text.startswith('="') and text.endswith('"') and len(text) > len('=""'):
        text = text[2:-1].strip()  # written so that Excel keeps every digit
    if text.casefold() in _NO_IDS:
        return Reading(None, f"{shown(text)} stands for no id")
    if "E+" in text and _EXCEL_ROUNDED.fullmatch(text):
        doubt = f"{text!r} looks rounded by Excel; format the id column as text and export again"
        return Reading(text, doubt)
    return Reading(text or None)


def _read_text(cell: object) -> Reading:
    if isinstance(cell, (list, tuple)):
        return Reading(", ".join(filter(None, map(_known, cell))) or None)
    if isinstance(cell, dict):
        return Reading(_named(cell))
    return Reading(_known(cell) or None)


def _named(item: object) -> str:
    """Return the text of a list item; of an object its name, as `{"id": 1, "name": "x"}` has it."""
    if isinstance(item, dict):
        name = next((item[key] for key in ("name", "domain", "id") if isinstance(item.get(key), str)), None)
        return _plain(name if name is not None else json_text(item))
    return _plain(item)


# --- lists ----------------------------------------------------------------------------------

# A list as Python prints it; longer ones are not worth the doubt whether they are one.
_PRINTED_LIST_LIMIT = 10_000
_PRINTED_ITEM = re.compile(
    r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^,'"\[\](){}]+))\s*(?:,|$)""", re.DOTALL
)


def _bracketed(text: str) -> tuple[str, ...] | None:
    """Return the items of a JSON list, or of a list as Python prints it; None when it is neither."""
    try:
        parsed = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, list):
        return tuple(map(_named, parsed))
    if not text.endswith("]") or len(text) > _PRINTED_LIST_LIMIT:
        return None
    inner, position, items = text[1:-1].strip(), 0, []
    while position < len(inner):
        match = _PRINTED_ITEM.match(inner, position)
        if match is None:
            return None
        items.append(_plain(next(group for group in match.groups() if group is not None)))
        position = match.end()
    return tuple(items)


def _items(cell: object, marks: str = "|;,") -> tuple[tuple[str, ...], bool]:
    """Return the items of a list cell, and whether it looked like JSON but is none."""
    if isinstance(cell, (list, tuple)):
        return tuple(map(_named, cell)), False
    if isinstance(cell, dict):
        return (_named(cell),), False
    text = _plain(cell)
    if text.startswith("["):
        parsed = _bracketed(text)
        return (parsed, False) if parsed is not None else ((text,), True)
    for mark in marks:
        if mark in text:
            return tuple(part.strip() for part in text.split(mark)), False
    return (text,), False


def _read_list(cell: object) -> Reading:
    items, broken = _items(cell)
    kept = tuple(dict.fromkeys(item for item in items if item.casefold() not in UNKNOWN_WORDS))
    return Reading(kept, f"{shown(cell)} looks like a list but is none; kept as text" if broken else None)


# "NA" is Namibia here.
_NO_COUNTRIES = UNKNOWN_WORDS - {"na"}


def _read_countries(cell: object) -> Reading:
    items, broken = _items(cell)
    kept = tuple(dict.fromkeys(item for item in items if item.casefold() not in _NO_COUNTRIES))
    return Reading(kept, f"{shown(cell)} looks like a list but is none; kept as text" if broken else None)


def _read_category(cell: object) -> Reading:
    """Read categories; the value is one tuple for each, its path "A > B > C" in at most three parts."""
    words = (word for word in _category_words(cell) if word.casefold() not in UNKNOWN_WORDS)
    return Reading(tuple(dict.fromkeys(map(_path, words))))


def _category_words(cell: object, levels: int = 3) -> Iterator[str]:
    """Yield the categories of a cell, also of lists inside lists."""
    # No comma: categories such as "Illegal Drugs, Tobacco, eCigarettes, Vaping, Alcohol" hold them.
    items, broken = _items(cell, "")
    for item in items:
        if levels and not broken and item.startswith("["):
            yield from _category_words(item, levels - 1)
        else:
            yield from (part.strip() for part in re.split("[|;]", item))


def _path(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(">"))
    if len(parts) == 1 or not all(parts):
        return (text,)
    return parts if len(parts) <= 3 else (*parts[:2], " > ".join(parts[2:]))  # noqa: PLR2004  (three tiers)


# --- booleans and sets of words ----------------------------------------------------------------

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
    return Reading(None, f"{shown(text)} is neither yes nor no; kept as unknown")


def _word_reader(name: str, words: Mapping[str, str], choices: Iterable[str]) -> Callable[[object], Reading]:
    known = ", ".join(choices)

    def read(cell: object) -> Reading:
        text = _known(cell)
        value = words.get(word_key(text))
        doubt = f"{shown(text)} is no known {name} ({known}); kept as unknown"
        return Reading(value, doubt if text and value is None else None)

    return read


def _read_quality(cell: object) -> Reading:
    text = _known(cell)  # tiers beyond the three ranked ones are a seller's own words, and stay
    return Reading(QUALITY_ALIASES.get(word_key(text), text) or None)


def _read_risk(cell: object) -> Reading:
    text = _known(cell)
    risk = garm_risk(text)
    doubt = f"{shown(text)} is no GARM risk (Low, Medium, High, Floor); kept as unknown"
    return Reading(risk, doubt if text and risk is None else None)


def _read_currency(cell: object) -> Reading:
    text = _known(cell)
    code = currency_code(text) if text else None
    doubt = f"{shown(text)} is no ISO 4217 currency such as USD; kept as unknown"
    return Reading(code, doubt if text and code is None else None)


# --- numbers ----------------------------------------------------------------------------------

_MONEY = re.compile(
    r"(?P<before>[^\d\s.,+\-'\u2019(<>]{1,4})?\s*(?P<amount>\d[\d.,\s'\u2019]*)"
    r"(?:(?:-|\u2013|to)\s*(?P<between>[^\d\s.,+\-'\u2019]{1,4})?\s*(?P<high>\d[\d.,]*))?"
    r"\s*(?P<after>[^\d\s.,+\-'\u2019(<>]{1,5})?(?:\s*CPM)?",
    re.IGNORECASE,
)
# Longer texts hold more than an amount; without a bound a hostile cell would make the pattern slow.
_LONGEST_AMOUNT = 60
# Marks that make a number something else than a price: parts, multiples, cents.
_NO_PRICE_MARKS = frozenset(("PCT", "PTS", "BPS", "MM", "BN", "MN", "MIO", "CT", "CTS", "IMP", "IMPS"))


def _read_money(cell: object, convention: Convention) -> Reading:
    text = " ".join(_known(cell).split()) if not isinstance(cell, (list, tuple, dict)) else shown(cell)
    if not text:
        return Reading(None)
    match = _MONEY.fullmatch(text) if len(text) <= _LONGEST_AMOUNT else None
    marks = [mark for mark in match.group("before", "between", "after") if mark] if match else []
    if match is None or not all(map(_may_mark_money, marks)):
        return Reading(None, f"{shown(text)} is not an amount; the price stays unknown")
    amount = _decimal(match["amount"], convention.mark_in(cell))
    if amount is None:
        return Reading(None, _ambiguous(text))
    currencies = {code for mark in marks if (code := currency_code(mark))}
    unknown = [mark for mark in marks if mark.upper() != "CPM" and not currency_code(mark)]
    currency = currencies.pop() if len(currencies) == 1 and not unknown else None
    doubts = []
    if match["high"]:
        doubts.append(f"{text!r} is a range; its lower end is used as the floor")
    if unknown:
        doubts.append(f"{unknown[0]!r} in {text!r} is no known currency; the currency stays unknown")
    elif currencies:
        doubts.append(f"{text!r} names two currencies; the currency stays unknown")
    return Reading(Money(amount, currency), ". ".join(doubts) or None)


def _ambiguous(text: str) -> str:
    if re.fullmatch(r"\D*\d{1,3},\d{3}\D*", text):
        return f"{text!r} could be a thousand or a fraction; the price stays unknown"
    return f"{text!r} is not an amount; the price stays unknown"


def _may_mark_money(mark: str) -> bool:
    """Whether a mark next to a number may belong to a price; "5%", "5k" and "5 apples" are none."""
    if currency_code(mark) or mark.upper() == "CPM":
        return True
    if any(unicodedata.category(character) == "Sc" for character in mark):
        return True
    return mark.isalpha() and 2 <= len(mark) <= 3 and mark.upper() not in _NO_PRICE_MARKS  # noqa: PLR2004


_GROUPED = {
    ",": re.compile(r"\d{1,3}(,\d{3})+"),
    ".": re.compile(r"\d{1,3}(\.\d{3})+"),
    " ": re.compile(r"\d{1,3}(\s\d{3})+([.,]\d+)?"),
    "'": re.compile(r"\d{1,3}(['\u2019]\d{3})+([.,]\d+)?"),
}
# Groups of a number that has both marks; pairs as in 12,34,567.00 are usual in India.
_MIXED_GROUPS = re.compile(r"\d{1,3}(,\d{2,3})*,\d{3}|\d{1,3}(\.\d{3})+")


def _decimal(text: str, proven: str | None = None) -> Decimal | None:
    """Read an amount written with either decimal mark; None when it could mean two numbers.

    proven: the decimal mark that other cells of the column prove.
    """
    digits = _without_soft_groups(text.strip())
    if digits is None:
        return None
    if "," in digits and "." in digits:
        decimal_mark = max(",.", key=digits.rfind)
        whole, _, fraction = digits.rpartition(decimal_mark)
        if not _MIXED_GROUPS.fullmatch(whole):
            return None
        digits = f"{re.sub('[.,]', '', whole)}.{fraction}"
    elif "," in digits or "." in digits:
        found = _one_kind_of_mark(digits, "," if "," in digits else ".", proven)
        if found is None:
            return None
        digits = found
    return Decimal(digits) if re.fullmatch(r"\d+(\.\d+)?", digits) else None


def _without_soft_groups(text: str) -> str | None:
    """Take out blanks and apostrophes between groups of three; None when they stand elsewhere."""
    for mark, pattern in ((" ", r"\s"), ("'", "['\u2019]")):
        if re.search(pattern, text):
            if not _GROUPED[mark].fullmatch(text):
                return None  # "10 15": two prices
            text = re.sub(pattern, "", text)
    return text


def _one_kind_of_mark(digits: str, mark: str, proven: str | None) -> str | None:
    """Return the digits with a decimal point, for a number that holds only commas or only points."""
    grouped = bool(_GROUPED[mark].fullmatch(digits)) and not digits.startswith("0")
    if digits.count(mark) > 1:
        return digits.replace(mark, "") if grouped else None
    if not grouped or proven == mark:
        return digits.replace(mark, ".")
    if proven in {",", "."}:
        return digits.replace(mark, "")
    # Without proof "1.234" is what every program writes for a fraction; "1,234" could be either.
    return digits if mark == "." and proven is None else None


def _proven_marks(cell: str) -> Iterator[DecimalMark]:
    """Yield the decimal marks that one cell proves: "2,50" a comma, "1,234.00" a point, "1,234" none."""
    for digits in re.findall(r"\d[\d.,]*\d", cell[:_LONGEST_AMOUNT]):
        commas, points = digits.count(","), digits.count(".")
        if commas and points:
            yield "," if digits.rfind(",") > digits.rfind(".") else "."
        elif commas + points:
            mark: DecimalMark = "," if commas else "."
            other: DecimalMark = "." if commas else ","
            grouped = bool(_GROUPED[mark].fullmatch(digits)) and not digits.startswith("0")
            if commas + points > 1 and grouped:
                yield other
            elif commas + points == 1 and not grouped:
                yield mark


# Counts are stored as 64-bit integers; the largest seen in a file is 3.4e11.
_LARGEST_COUNT = 2**63 - 1
_MULTIPLES = {
    "": 1, "k": 10**3, "thousand": 10**3, "m": 10**6, "mm": 10**6, "mn": 10**6, "mio": 10**6,
    "million": 10**6, "millions": 10**6, "b": 10**9, "bn": 10**9, "billion": 10**9, "billions": 10**9,
}  # fmt: skip
_COUNT = re.compile(r"(?P<number>\d[\d.,\s'\u2019]*)(?P<multiple>[a-z]*)", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"\d(\.\d+)?e\+?\d{1,2}", re.IGNORECASE)


def _read_count(cell: object, convention: Convention) -> Reading:
    text = _known(cell) if not isinstance(cell, (list, tuple, dict)) else shown(cell)
    if not text:
        return Reading(None)
    number = _count(text, convention.mark_in(cell)) if len(text) <= _LONGEST_AMOUNT else None
    if number is None:
        return Reading(None, f"{shown(text, 40)} is not a count; it stays unknown")
    return Reading(number)


def _count(text: str, proven: str | None) -> int | None:
    """Return a whole number of 64 bits, None when it is none or could be two."""
    if _SCIENTIFIC.fullmatch(text):
        return _whole(Decimal(text))
    match = _COUNT.fullmatch(text)
    if match is None or match["multiple"].casefold() not in _MULTIPLES:
        return None
    multiple = _MULTIPLES[match["multiple"].casefold()]
    digits = match["number"].strip()
    if multiple == 1:
        if _GROUPED[","].fullmatch(digits):
            return _whole(Decimal(digits.replace(",", "")))
        if re.fullmatch(r"\d{1,3}\.\d{3}", digits) and proven != ",":
            return None  # "1.234": a thousand in one country, and no count at all in another
    amount = _decimal(digits, proven)
    if amount is None:
        return None
    # A multiple such as 1.0000000001B need not come out whole; a plain count must.
    return _whole(amount) if multiple == 1 else _whole((amount * multiple).to_integral_value("ROUND_FLOOR"))


def _whole(amount: Decimal) -> int | None:
    if amount > _LARGEST_COUNT or amount != amount.to_integral_value():
        return None
    return int(amount)


# --- formats, devices, inventory ---------------------------------------------------------------


def _split_known(words: Iterable[str], known: Mapping[str, Any]) -> tuple[list[Any], list[str]]:
    """Return what the words mean and which are unknown; "Display/Video" is two when both are known."""
    found, unknown = [], []
    for word in words:
        parts = [word] if word_key(word) in known else re.split(r"\s*(?:/|\+|&|\band\b)\s*", word)
        if all(word_key(part) in known for part in parts):
            found += [known[word_key(part)] for part in parts]
        else:
            unknown.append(word)
    return found, unknown


def _not_known(unknown: Iterable[str], what: str) -> str | None:
    names = ", ".join(shown(word) for word in unknown)
    return f"{names} is no known {what}; kept as unknown" if names else None


def _read_formats(cell: object) -> Reading:
    """Read formats; the value is (formats, devices they imply)."""
    found, unknown = _split_known(_read_list(cell).value, FORMAT_ALIASES)
    formats = tuple(dict.fromkeys(name for name, _ in found))
    devices = tuple(dict.fromkeys(device for _, device in found if device))
    return Reading((formats, devices), _not_known(unknown, "format"))


def _read_devices(cell: object) -> Reading:
    found, unknown = _split_known(_read_list(cell).value, DEVICE_ALIASES)
    return Reading(tuple(dict.fromkeys(found)), _not_known(unknown, "device"))


def _read_inventory(cell: object) -> Reading:
    found, unknown = _split_known(_read_list(cell).value, INVENTORY_ALIASES)
    what = f"inventory type ({', '.join(INVENTORY_TYPES)})"
    return Reading(", ".join(dict.fromkeys(found)) or None, _not_known(unknown, what))


# --- times ----------------------------------------------------------------------------------

_SLASHED = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)(.*)", re.DOTALL)
_YEAR_FIRST = re.compile(r"(\d{4})([/.])(\d{1,2})\2(\d{1,2})(?!\d)(.*)", re.DOTALL)
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_MONTHS = tuple(name[:3] for name in _MONTH_NAMES)
_DAY_MONTH = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th)?[\s\-]+([a-z]{3,9})\.?,?[\s\-]+(\d{4}|\d{2})(?!\d)(.*)", re.I
)
_MONTH_DAY = re.compile(r"([a-z]{3,9})\.?[\s\-]+(\d{1,2})(?:st|nd|rd|th)?,?[\s\-]+(\d{4})(?!\d)(.*)", re.I)
_CLOCK = re.compile(
    r"(?:[T,\s]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([ap]m)?)?\s*(z|utc|gmt|[+\-]\d{2}:?\d{2})?",
    re.I,
)
_LONGEST_TIME = 60
_CENTURY = 2000  # two-digit years: deals are of this century


def _read_time(cell: object, convention: Convention) -> Reading:
    text = _known(cell) if not isinstance(cell, (list, tuple, dict)) else shown(cell)
    if not text:
        return Reading(None)
    if len(text) > _LONGEST_TIME or (text.isdigit() and len(text) != len("20261130")):
        found = None  # a bare number is a serial of Excel or seconds since 1970: nobody can tell
    else:
        try:
            found = _iso_text(text) or _local_text(text, convention.day_first)
        except (ValueError, OverflowError):
            found = None
    if found is None:
        return Reading(None, f"{shown(text)} is no date such as 2026-11-30; it stays unknown")
    if found == "":
        doubt = f"{text!r} could be day or month first, and the column does not show which; it stays unknown"
        return Reading(None, doubt)
    return Reading(found)


def _iso_text(text: str) -> str | None:
    if not text[:4].isdigit():
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _written(moment, with_clock=len(text) > len("2026-11-30"))


def _written(moment: datetime, *, with_clock: bool) -> str:
    if moment.tzinfo is not None:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return moment.isoformat() if with_clock else moment.date().isoformat()


def _local_text(  # noqa: PLR0911  (one for each form)
    text: str, day_first: bool | str | None
) -> str | None:
    """Read the usual other forms; "" when day and month could be swapped, None when it is no date."""
    if match := _YEAR_FIRST.fullmatch(text):
        year, _, month, day, rest = match.groups()
        return _moment(year, month, day, rest)
    if match := _SLASHED.fullmatch(text):
        one, mark, two, year, rest = match.groups()
        if mark == "-" and len(year) == 2:  # noqa: PLR2004
            return None  # "26-11-30" starts with the year as often as not
        order = True if mark == "." else _order_of(int(one), int(two))
        if order is None:
            order = day_first if isinstance(day_first, bool) else None
        if order is None:
            _moment(year, "1", "1", rest)  # raises when the rest is no time of day
            return ""
        return _moment(year, two if order else one, one if order else two, rest)
    if match := _DAY_MONTH.fullmatch(text):
        day, name, year, rest = match.groups()
        return _moment(year, _month(name), day, rest)
    if match := _MONTH_DAY.fullmatch(text):
        name, day, year, rest = match.groups()
        return _moment(year, _month(name), day, rest)
    return None


def _month(name: str) -> str:
    name = name.casefold()
    if name not in _MONTH_NAMES and name not in {*_MONTHS, "sept"}:
        raise ValueError(f"{name} is no month")
    return str(_MONTHS.index(name[:3]) + 1)


def _moment(year: str, month: str, day: str, rest: str) -> str | None:
    clock = _CLOCK.fullmatch(rest.rstrip())
    if clock is None:
        return None
    hour, minute, second, half, zone = clock.groups()
    date = f"{int(year) + (_CENTURY if len(year) == 2 else 0):04}-{int(month):02}-{int(day):02}"  # noqa: PLR2004
    if hour is None and zone is None:
        return _written(datetime.fromisoformat(date), with_clock=False)
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:  # noqa: PLR2004  (a clock with am and pm)
            return None
        hours = hours % 12 + (12 if half.casefold() == "pm" else 0)
    offset = "" if zone is None else "+00:00" if zone[0] not in "+-" else zone
    return _written(
        datetime.fromisoformat(f"{date}T{hours:02}:{minute or '00'}:{second or '00'}{offset}"),
        with_clock=True,
    )


def _order_of(one: int, two: int) -> bool | None:
    """Return whether the day stands first, None when both readings are dates."""
    if one == two or two > 12 >= one:  # noqa: PLR2004  (months of a year)
        return False
    return True if one > 12 >= two else None  # noqa: PLR2004


def _proven_order(cell: str) -> bool | None:
    match = _SLASHED.match(cell.strip()[:_LONGEST_TIME])
    if match is None or match[2] == "." or int(match[1]) == int(match[3]):
        return None
    return _order_of(int(match[1]), int(match[3]))


_BY_CONVENTION: dict[Kind, Callable[[object, Convention], Reading]] = {
    "money": _read_money,
    "count": _read_count,
    "time": _read_time,
}
_READERS: dict[Kind, Callable[[Any], Reading]] = {
    "id": _read_id,
    "text": _read_text,
    "list": _read_list,
    "countries": _read_countries,
    "category": _read_category,
    "boolean": _read_boolean,
    "currency": _read_currency,
    "formats": _read_formats,
    "devices": _read_devices,
    "inventory": _read_inventory,
    "risk": _read_risk,
    "quality": _read_quality,
    "status": _word_reader("status", STATUS_ALIASES, STATUSES),
    "price_type": _word_reader("price type", PRICE_TYPE_ALIASES, PRICE_TYPES),
    "volume": _word_reader("volume tier", VOLUME_ALIASES, VOLUME_TIERS),
}
