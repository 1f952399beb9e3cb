"""What is computed about a package from its deals, anew on every edit; never taken from a model's words.

Plain counts come from `core.deals.facts`; here is what only a package has: its flight, its
countries, how far its deals agree. Unknown is counted on its own, and there is no score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.deals import Deal
from core.deals.countries import common_places, places_of
from core.deals.facts import Facts, facts_of, mix
from core.deals.flight import end_of, start_of
from core.settings import MIN_PACKAGE_DEALS

# What a reader must know beside the figures.
SCALE_NOTE = "sum of member forecasts, overlap not removed"
GEOS_ANY_NOTE = "any deal (deal list)"
GEOS_ALL_NOTE = "every deal that says (curated deal)"

TYPICAL_MOST_DEALS = 15


@dataclass(frozen=True, slots=True)
class Flight:
    """When all deals of a package run.

    start: the latest known start; end: the earliest known end; text as the deals have it.
    start_open, end_open: deals without a start or end that could be read; they are open there.
    empty: no moment lies in all known flights.
    """

    start: str | None
    end: str | None
    start_open: int
    end_open: int
    empty: bool


@dataclass(frozen=True, slots=True)
class ScaleSum:
    """The forecasts of one unit and period, added; `deals` of the package have one. See SCALE_NOTE."""

    unit: str
    period: str | None
    total: int
    deals: int


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """Everything a fact sheet shows about a package.

    counts: what is counted over any group of deals.
    geos_any: countries of any deal; geos_all: those of every deal that names some; by name.
    floor_zero: deals with an explicit floor of 0, which says "no floor"; they are among the known.
    scale: by unit and period; `scale_unknown` counts deals without a number or without its unit.
    safe_for_verticals: what every deal that says so is safe for; `verticals_known` deals say.
    devices .. statuses: value -> deals that carry it, most frequent first, ties by name.
    tier1_modes .. volume_modes: the commonest values, all of them when they tie.
    """

    counts: Facts
    flight: Flight
    geos_any: tuple[str, ...]
    geos_all: tuple[str, ...]
    geo_unknown: int
    floor_zero: int
    scale: tuple[ScaleSum, ...]
    scale_unknown: int
    safe_for_verticals: tuple[str, ...]
    verticals_known: int
    devices: Mapping[str, int]
    publishers: Mapping[str, int]
    price_types: Mapping[str, int]
    currencies: Mapping[str, int]
    statuses: Mapping[str, int]
    tier1_modes: tuple[str, ...]
    quality_modes: tuple[str, ...]
    volume_modes: tuple[str, ...]

    @property
    def ssp_count(self) -> int:
        """How many deal ids a curated deal over these deals needs: one for each SSP."""
        return len(self.counts.ssps)

    @property
    def typical_size(self) -> bool:
        """Whether the package holds a usual number of deals: 3 to 15."""
        return MIN_PACKAGE_DEALS <= self.counts.deals <= TYPICAL_MOST_DEALS


def package_facts(members: Sequence[Deal], *, floor_is_lowest_risk: bool = False) -> PackageFacts:
    """Compute the facts of a package from its deals.

    floor_is_lowest_risk: the GARM rating "Floor" means the safest level in the file of these deals.
    """
    counts = facts_of(members, floor_is_lowest_risk=floor_is_lowest_risk)
    scale = _scale(members)
    floors = (deal.commercial.floor_price for deal in members)
    verticals = [deal.safety.safe_for_verticals for deal in members if deal.safety.safe_for_verticals]
    return PackageFacts(
        counts=counts,
        flight=flight_of(members),
        geos_any=tuple(sorted({place for deal in members for place in places_of(deal.geos)})),
        geos_all=common_places(deal.geos for deal in members),
        geo_unknown=sum(not deal.geos for deal in members),
        floor_zero=sum(floor is not None and floor.amount == 0 for floor in floors),
        scale=scale,
        scale_unknown=len(members) - sum(part.deals for part in scale),
        safe_for_verticals=_shared(verticals),
        verticals_known=len(verticals),
        devices=mix(members, lambda deal: deal.devices),
        publishers=mix(members, lambda deal: deal.publishers),
        price_types=mix(members, lambda deal: (deal.price_type,)),
        currencies=mix(members, lambda deal: (currency_of(deal),)),
        statuses=mix(members, lambda deal: (deal.status,)),
        tier1_modes=modes(counts.tier1),
        quality_modes=modes(counts.quality),
        volume_modes=modes(counts.volume),
    )


def currency_of(deal: Deal) -> str | None:
    """Return the currency of the floor, else the one of the deal; None when neither is known."""
    floor = deal.commercial.floor_price
    return (floor.currency if floor else None) or deal.currency


def modes(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return the commonest values; several when they tie, () when nothing is known."""
    most = max(counts.values(), default=0)
    return tuple(value for value, count in counts.items() if count == most)


def _shared(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return what is in every list, in the order of the first; () of no list."""
    first, *others = [list(dict.fromkeys(values)) for values in lists] or [[]]
    return tuple(value for value in first if all(value in other for other in others))


def _scale(members: Sequence[Deal]) -> tuple[ScaleSum, ...]:
    """Add up what has one unit and period: bid requests are no impressions, weeks are no months."""
    amounts: dict[tuple[str, str | None], list[int]] = {}
    for deal in members:
        if deal.scale is not None and deal.scale_unit:
            amounts.setdefault((deal.scale_unit, deal.period), []).append(deal.scale)
    return tuple(
        ScaleSum(unit, period, sum(known), len(known))
        for (unit, period), known in sorted(amounts.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    )


# --- flights ------------------------------------------------------------------------------------


def flight_of(members: Sequence[Deal]) -> Flight:
    """Return when all these deals run: from the latest start to the earliest end."""
    starts = _known((deal.start_time for deal in members), start_of)
    ends = _known((deal.end_time for deal in members), end_of)
    latest = max(starts, key=lambda item: item[0], default=None)
    earliest = min(ends, key=lambda item: item[0], default=None)
    return Flight(
        start=latest[1] if latest else None,
        end=earliest[1] if earliest else None,
        start_open=len(members) - len(starts),
        end_open=len(members) - len(ends),
        empty=bool(latest and earliest and latest[0] > earliest[0]),
    )


def _known(
    texts: Iterable[str | None], read: Callable[[str | None], datetime | None]
) -> list[tuple[datetime, str]]:
    return [(moment, text) for text in texts if text and (moment := read(text))]
