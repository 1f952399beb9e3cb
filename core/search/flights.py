"""The days a brief names: "Q4 2026", "Nov 24-27, 2026", "from 2026-12-01 to 2027-01-31".

A day, month or quarter needs its year; without one nobody knows which is meant.
"""

from __future__ import annotations

import calendar
import re
from datetime import date

from core.reading.values import read_cell
from core.search.filters import Filter, Flight

_MONTHS = "jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    rf"|(?:{_MONTHS})\.?)"
)
_YEAR = r"20\d\d"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DAYS = re.compile(rf"({_MONTH})\s+({_DAY})\s*-\s*({_DAY}),?\s+({_YEAR})", re.IGNORECASE)
# One time, from a day to half a year; the last three forms lack the year that a second time gives.
_TIME = (
    rf"(?:{_YEAR}-\d{{2}}-\d{{2}}|Q[1-4][\s/-]*{_YEAR}|H[12][\s/-]*{_YEAR}"
    rf"|{_MONTH}\s+{_DAY}\s*-\s*{_DAY},?\s+{_YEAR}|{_MONTH}\s+{_DAY},?\s+{_YEAR}|{_DAY}\s+{_MONTH},?\s+{_YEAR}"
    rf"|{_MONTH}\s+{_YEAR})"
)
_OPEN_TIME = rf"(?:{_TIME}|Q[1-4]|{_MONTH}\s+{_DAY}|{_DAY}\s+{_MONTH}|{_MONTH})"
FLIGHT = re.compile(
    rf"(?<![\w-])(?:(?:flight(?:\s+dates?)?:?|running|live)\s+)?(?:"
    rf"(?:from\s+|between\s+)?(?P<first>{_OPEN_TIME})\s*(?:-|to|until|till|through|and)\s*(?P<last>{_TIME})"
    rf"|(?P<since>from|starting(?:\s+on|\s+in)?|starts?|since|after|as of)\s+(?P<start>{_TIME})"
    rf"|(?P<until>until|till|through|to|by|ending(?:\s+on|\s+in)?|ends?)\s+(?P<end>{_TIME})"
    rf"|(?:(?:in|on|for|during)\s+)?(?P<only>{_TIME}))(?![\w-])",
    re.IGNORECASE,
)

_Span = tuple[date, date]


def read_flight(match: re.Match[str]) -> Filter | None:
    """Return the flight that a match of `FLIGHT` asks for; None for a day no calendar has."""
    said = " ".join(match[0].split())
    if match["last"]:
        last = _span(match["last"])
        first = _span(match["first"], like=match["last"])
        if first is None or last is None or first[0] > last[1]:
            return None
        return Flight(said, first[0], last[1])
    span = _span(match["start"] or match["end"] or match["only"])
    if span is None:
        return None
    since = match["since"] and not _DAYS.fullmatch(match["start"])  # "from Nov 24-27, 2026" ends
    return Flight(said, None if match["until"] else span[0], None if since else span[1])


def _span(text: str, like: str = "") -> _Span | None:
    """Return first and last day of a time; like: another time, whose year it takes when it has none."""
    if not re.search(_YEAR, text) and (year := re.search(_YEAR, like)):
        text = f"{text} {year[0]}"
    if part := re.fullmatch(rf"([QH])(\d)[\s/-]*({_YEAR})", text, re.IGNORECASE):
        months = 3 if part[1].upper() == "Q" else 6
        return _months(int(part[3]), months * (int(part[2]) - 1) + 1, months)
    if days := _DAYS.fullmatch(text):
        first, last = _date(f"{days[1]} {days[2]} {days[4]}"), _date(f"{days[1]} {days[3]} {days[4]}")
        return (first, last) if first and last and first <= last else None
    if month := re.fullmatch(rf"({_MONTH})\s+({_YEAR})", text, re.IGNORECASE):
        start = _date(f"{month[1]} 1 {month[2]}")
        return _months(start.year, start.month, 1) if start else None
    day = _date(text)
    return (day, day) if day else None


def _months(year: int, month: int, count: int) -> _Span:
    last = month + count - 1
    return date(year, month, 1), date(year, last, calendar.monthrange(year, last)[1])


def _date(text: str) -> date | None:
    """Read a day as a cell of a file is read."""
    found = read_cell("time", text).value
    return date.fromisoformat(found) if found else None
