"""The sample deals as of today: the files stay as they were made, what is read from them moves along.

Flights move by whole weeks, so that weekdays stay. A quarter or year in a name moves with the flight of
its deal: it says of the flight what it said on the day the files were made for, right or wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from core import clock
from core.deals.periods import QUARTER
from core.errors import ImportRefused
from core.reading.reading import read_deals
from core.reading.result import ImportResult

FOLDER = Path(__file__).parents[2] / "sample_data"
FILENAME = "deals.json"
_WEEK_DAYS = 7
_QUARTER_MONTHS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """The sample deals as they are read today.

    made_for: the day the file was made for. weeks: how far its flights and names were moved; negative
        on a day before. result: what was read; it says in its repairs that it was moved.
    """

    filename: str
    made_for: date
    weeks: int
    result: ImportResult

    @property
    def note(self) -> str | None:
        """One sentence about how it was moved, None when it was made for this week."""
        if not self.weeks:
            return None
        return (
            f"The sample was made for {self.made_for.day} {self.made_for:%B %Y}: all flights, and the "
            f"quarters and years in names, are moved by whole weeks ({self.weeks}) to today."
        )


def read_sample(filename: str = FILENAME, today: date | None = None) -> Sample:
    """Read a file of the sample, moved by whole weeks to a day (the present one, UTC).

    Raises ImportRefused when the file is not there.
    """
    try:
        made_for = date.fromisoformat((FOLDER / "made_for.txt").read_text("ascii").strip())
        records = orjson.loads((FOLDER / filename).read_bytes())
    except OSError as error:
        where = f"cannot be read ({error.strerror}): the sample stands in the project's folder {FOLDER.name}."
        raise ImportRefused(filename, where) from None
    weeks = ((today or clock.today()) - made_for).days // _WEEK_DAYS
    result = read_deals(orjson.dumps([_moved(record, weeks) for record in records]), filename)
    sample = Sample(filename, made_for, weeks, result)
    if sample.note is None:
        return sample
    return replace(sample, result=replace(result, repairs=(sample.note, *result.repairs)))


def _moved(record: Mapping[str, Any], weeks: int) -> dict[str, Any]:
    by = timedelta(weeks=weeks)
    start = record.get("start_time")
    moved = {**record, "deal_name": _moved_name(record["deal_name"], start, by)}
    for name in ("start_time", "end_time"):
        if record.get(name):
            moved[name] = _moved_instant(record[name], by)
    return moved


def _moved_instant(text: str, by: timedelta) -> str:
    return (datetime.fromisoformat(text) + by).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moved_name(name: str, start: str | None, by: timedelta) -> str:
    return QUARTER.sub(lambda found: _moved_quarter(found, start, by), name)


def _moved_quarter(found: re.Match[str], start: str | None, by: timedelta) -> str:
    """Return the quarter in which the deal starts now; without a start, that of the moved middle."""
    quarter, gap, year = int(found[1]), found[2], found[3]
    before = (
        datetime.fromisoformat(start).date()
        if start
        else date(int(year or clock.today().year), (quarter - 1) * _QUARTER_MONTHS + 2, 15)
    )
    after = before + by
    moved = f"Q{(after.month - 1) // _QUARTER_MONTHS + 1}"
    # A year that the flight contradicts must go on contradicting it.
    return f"{moved}{gap}{int(year) + after.year - before.year}" if year else moved
