"""The fact sheet of a package: everything that is counted over its deals, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import streamlit as st

from core.counting import counted
from core.deals.facts import UNKNOWN_CURRENCY
from core.deals.flight import end_of, start_of
from core.packages.fact_sheet import (
    GEOS_ALL_NOTE,
    GEOS_ANY_NOTE,
    SCALE_NOTE,
    TYPICAL_MOST_DEALS,
    Flight,
    PackageFacts,
)
from core.settings import MIN_PACKAGE_DEALS
from pages._shared import tables
from pages._shared.texts import literal

_MOST_VALUES = 6
_MOST_COUNTRIES = 20
_NONE = "-"


def facts_table(facts: PackageFacts, *, floor_is_lowest_risk: bool) -> None:
    """Draw the fact sheet."""
    lines = fact_lines(facts, floor_is_lowest_risk=floor_is_lowest_risk)
    st.table(
        {
            "Fact": [name for name, _ in lines],
            "Counted over the deals": [literal(value) for _, value in lines],
        },
        border="horizontal",
        hide_index=True,
        hide_header=True,
        alt="Facts counted over the deals of the package",
    )


def fact_lines(facts: PackageFacts, *, floor_is_lowest_risk: bool = False) -> list[tuple[str, str]]:
    """Return (fact, value in words); unknown is "-" or counted, never zero."""
    counts, total = facts.counts, facts.counts.deals
    return [
        ("Deals", _size(facts)),
        ("Flight", flight_words(facts.flight)),
        (f"Countries of {GEOS_ANY_NOTE}", _with_unknown(_listed(facts.geos_any), facts.geo_unknown)),
        (f"Countries of {GEOS_ALL_NOTE}", _listed(facts.geos_all)),
        *_floors(facts),
        *_scale(facts),
        ("Worst risk", _with_unknown(_risk(counts.worst_risk, floor_is_lowest_risk), counts.risk_unknown)),
        ("Family-safe", f"{counts.family_safe}: {counts.family_safe_deals:,} of {total:,} say so"),
        ("Safe for verticals", _verticals(facts)),
        ("Formats", _mix(counts.formats)),
        ("Devices", _mix(facts.devices)),
        ("SSPs", _ssps(facts)),
        ("Categories", _mix(counts.tier1, facts.tier1_modes)),
        ("Quality", _mix(counts.quality, facts.quality_modes)),
        ("Volume", _mix(counts.volume, facts.volume_modes)),
        ("Audiences", _mix(counts.audiences)),
        ("Publishers", _mix(facts.publishers)),
        ("Price types", _mix(facts.price_types)),
        ("Currencies", _mix(facts.currencies)),
        ("Status of deals", _mix(facts.statuses)),
    ]


def _size(facts: PackageFacts) -> str:
    deals = facts.counts.deals
    if facts.typical_size:
        return f"{deals:,}"
    if deals < MIN_PACKAGE_DEALS:
        return f"{deals:,}: fewer than {MIN_PACKAGE_DEALS}"
    return f"{deals:,}: more than the usual {TYPICAL_MOST_DEALS}"


def flight_words(flight: Flight) -> str:
    """Return when all deals run."""
    known = flight.start or flight.end
    if flight.empty:
        words = f"none: the last starts {_start(flight)}, the first ends {_end(flight)} UTC"
    elif known:
        words = f"{_start(flight)} to {_end(flight)} UTC"
    else:
        return "open: no deal has dates"
    parts = [
        f"{count:,} without {what}"
        for count, what in ((flight.start_open, "start"), (flight.end_open, "end"))
        if count
    ]
    return "; ".join([words, *parts])


def _start(flight: Flight) -> str:
    begins = start_of(flight.start)
    return f"{begins:%Y-%m-%d %H:%M}".removesuffix(" 00:00") if begins else "open"


def _end(flight: Flight) -> str:
    ends = end_of(flight.end)
    return f"{ends:%Y-%m-%d %H:%M}".removesuffix(" 23:59") if ends else "open"


def money(amount: Decimal, currency: str) -> str:
    """Return "5.50 USD CPM"."""
    return f"{amount:,.2f} {_currency(currency)} CPM"


def _floors(facts: PackageFacts) -> list[tuple[str, str]]:
    total = facts.counts.deals
    lines = []
    for floor in sorted(facts.counts.floors, key=lambda item: item.currency == UNKNOWN_CURRENCY):
        same = floor.lowest == floor.highest
        span = "" if same else f"{floor.lowest:,.2f} to "
        words = f"{span}{money(floor.highest, floor.currency)} over {floor.deals:,} of {total:,}"
        lines.append((f"Floors {_currency(floor.currency)}", f"{words}; {floor.clears_all:,.2f} clears all"))
    rest = [
        f"{facts.counts.floor_unknown:,} unknown" if facts.counts.floor_unknown else "",
        f"{facts.floor_zero:,} say 0, which is no floor" if facts.floor_zero else "",
    ]
    if said := "; ".join(filter(None, rest)):
        lines.append(("Floors unknown or 0", said))
    return lines or [("Floors", _NONE)]


def _currency(currency: str) -> str:
    return "of unknown currency" if currency == UNKNOWN_CURRENCY else currency


def _scale(facts: PackageFacts) -> list[tuple[str, str]]:
    lines = []
    for part in facts.scale:
        unit = part.unit.replace("_", " ")
        period = f" per {part.period}" if part.period else ""
        words = f"{part.total:,} {unit}{period} over {part.deals:,} of {facts.counts.deals:,}"
        lines.append((f"Scale, {unit}{period}", f"{words}: {SCALE_NOTE}"))
    if not lines:
        return [("Scale", _NONE)]
    if facts.scale_unknown:
        lines.append(("Scale unknown", counted(facts.scale_unknown, "deal")))
    return lines


def _risk(risk: str | None, floor_is_lowest_risk: bool) -> str:
    if risk == "Floor":
        return "Floor: below the brand-safety floor"
    note = ' (this file calls it "Floor", too)' if floor_is_lowest_risk and risk == "Low" else ""
    return f"{risk}{note}" if risk else _NONE


def _verticals(facts: PackageFacts) -> str:
    if not facts.verticals_known:
        return _NONE
    listed = _listed(facts.safe_for_verticals) if facts.safe_for_verticals else "none in common"
    return f"{listed} ({facts.verticals_known:,} of {facts.counts.deals:,} say)"


def _ssps(facts: PackageFacts) -> str:
    listed = _mix(facts.counts.ssps)
    if facts.ssp_count <= 1:
        return listed
    return f"{listed}; a curated deal needs {facts.ssp_count:,} deal ids"


def _mix(mix: Mapping[str, int], modes: Sequence[str] = ()) -> str:
    """Write values with counts; several that are equally frequent are said to tie."""
    listed = tables.first(mix, _MOST_VALUES) or _NONE
    tie = len(modes) > 1 and len(modes) <= _MOST_VALUES
    return f"{listed}; tie: {', '.join(modes)}" if tie else listed


def _listed(values: Sequence[str]) -> str:
    more = len(values) - _MOST_COUNTRIES
    return (", ".join(values[:_MOST_COUNTRIES]) + (f" and {more:,} more" if more > 0 else "")) or _NONE


def _with_unknown(words: str, unknown: int) -> str:
    return f"{words}; {unknown:,} unknown" if unknown else words
