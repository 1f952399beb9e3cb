"""When a deal runs: the dates of its flight as moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import lru_cache

from core.deals.deal import Deal

_OPEN_START = datetime.min.replace(tzinfo=UTC)
_OPEN_END = datetime.max.replace(tzinfo=UTC)


@lru_cache(maxsize=20_000)
def start_of(text: str | None) -> datetime | None:
    """Return the first moment (UTC) of a flight that starts so; None when it is unknown or unreadable.

    text: ISO 8601, a date or a date-time; without an offset it is UTC.
    """
    return _moment(text, time.min)


@lru_cache(maxsize=20_000)
def end_of(text: str | None) -> datetime | None:
    """Return the last moment (UTC) of a flight that ends so: a date includes its whole day."""
    return _moment(text, time.max)


def _moment(text: str | None, clock: time) -> datetime | None:
    text = (text or "").strip()
    try:
        try:
            moment = datetime.combine(date.fromisoformat(text), clock)
        except ValueError:
            moment = datetime.fromisoformat(text)
        # Near year 1 and 9999 an offset leads out of the calendar.
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def running_time(deal: Deal) -> tuple[datetime, datetime]:
    """Return first and last moment (UTC) of a deal's flight; unknown is open."""
    return start_of(deal.start_time) or _OPEN_START, end_of(deal.end_time) or _OPEN_END
