"""The columns of exported tables: names, order and values, the same in CSV and in the workbook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import orjson

from core.deals import Deal
from core.exports.cells import EXCEL_CELL
from core.packages import Package
from core.packages.fact_sheet import SCALE_NOTE, PackageFacts, currency_of
from core.packages.review import BY_HAND
from core.packages.sheet import PackageSheet
from core.proposals import is_rules_source
from core.wording.findings import Finding

_YES_NO = {True: "true", False: "false", None: ""}


def _listed(values: Iterable[str]) -> str:
    return "; ".join(values)


def _floor_amount(deal: Deal) -> Decimal | None:
    floor = deal.commercial.floor_price
    return floor.amount if floor else None


PACKAGE_COLUMNS: dict[str, Callable[[Package], object]] = {
    "package_id": lambda package: package.id,
    "package_name": lambda package: package.name,
    "package_status": lambda package: package.status,
    "package_version": lambda package: package.version,
    "approved_by": lambda package: package.decided_by if package.status == "approved" else None,
    "approved_at": lambda package: package.decided_at if package.status == "approved" else None,
}

DEAL_COLUMNS: dict[str, Callable[[Deal], object]] = {
    "deal_id": lambda deal: deal.deal_id,
    "deal_name": lambda deal: deal.deal_name,
    "ssp_name": lambda deal: deal.ssp_name,
    "publishers": lambda deal: _listed(deal.publishers),
    "format": lambda deal: _listed(deal.formats),
    "device": lambda deal: _listed(deal.devices),
    "floor_price": _floor_amount,
    "currency": currency_of,
    "price_type": lambda deal: deal.price_type,
    "start_date": lambda deal: deal.start_time,
    "end_date": lambda deal: deal.end_time,
    "geos": lambda deal: _listed(deal.geos),
    "tier1": lambda deal: deal.taxonomy.tier1,
    "tier2": lambda deal: deal.taxonomy.tier2,
    "garm_risk": lambda deal: deal.safety.garm_risk_rating,
    "family_safe": lambda deal: _YES_NO[deal.safety.family_safe],
    "quality_tier": lambda deal: deal.commercial.quality_tier,
    "scale": lambda deal: deal.scale,
    "scale_unit": lambda deal: deal.scale_unit,
}

MEMBERSHIP_COLUMNS = ("membership_source", "membership_reason", "warnings")
DEALS_HEADER = (*PACKAGE_COLUMNS, *DEAL_COLUMNS, *MEMBERSHIP_COLUMNS)


def membership(package: Package, deal_id: str) -> tuple[str, str]:
    """Return who put a deal into the package (llm, analyst or rule), and why in words."""
    if deal_id in package.by_hand:
        return "analyst", package.by_hand[deal_id]
    if package.source == BY_HAND:
        return "analyst", "Put together by an analyst"
    return "rule" if is_rules_source(package.source) else "llm", f"Suggested by {package.source}"


def deal_rows(sheets: Iterable[PackageSheet]) -> Iterator[list[object]]:
    """Yield one row under DEALS_HEADER for each deal of each package."""
    # A deal may be in many packages; what it says of itself is the same in each.
    known: dict[int, list[object]] = {}
    for sheet in sheets:
        package = [value(sheet.package) for value in PACKAGE_COLUMNS.values()]
        about: dict[str, list[str]] = {}
        for finding in _to_warn_of(sheet.findings):
            for deal_id in finding.deal_ids:
                about.setdefault(deal_id, []).append(_worded(finding))
        for deal in sheet.members:
            own = known.get(id(deal))
            if own is None:
                own = known[id(deal)] = [value(deal) for value in DEAL_COLUMNS.values()]
            row = [*package, *own, *membership(sheet.package, deal.deal_id)]
            warnings = [*about.get(deal.deal_id, ()), *_too_long(DEALS_HEADER, row)]
            yield [*row, " | ".join(warnings)]


def _to_warn_of(findings: Iterable[Finding]) -> Iterator[Finding]:
    return (finding for finding in findings if finding.severity != "info")


def _worded(finding: Finding) -> str:
    return f"{finding.code}: {finding.sentence}"


def _too_long(header: Sequence[str], row: Sequence[object]) -> list[str]:
    return [
        f"{name} has {len(cell):,} characters; a cell of Excel holds {EXCEL_CELL:,}"
        for name, cell in zip(header, row, strict=False)
        if isinstance(cell, str) and len(cell) > EXCEL_CELL
    ]


# --- packages ---------------------------------------------------------------------------------


def _mix(counts: Mapping[str, int]) -> str:
    return _listed(f"{name} ({count})" for name, count in counts.items())


def floors_in_words(facts: PackageFacts) -> Iterator[str]:
    """Yield the range of floors for each currency: "USD 5.50-7 over 2 of 3 deals"."""
    for part in facts.counts.floors:
        ends = f"{part.lowest:f}-{part.highest:f}"
        yield f"{part.currency} {ends} over {part.deals} of {facts.counts.deals} deals"


def scales_in_words(facts: PackageFacts) -> Iterator[str]:
    """Yield the sum of forecasts for each unit: never one over different units, never without its limits."""
    for part in facts.scale:
        unit = f"{part.unit} per {part.period}" if part.period else part.unit
        yield f"{part.total:,} {unit} over {part.deals} of {facts.counts.deals} deals ({SCALE_NOTE})"


FACT_COLUMNS: dict[str, Callable[[PackageFacts], object]] = {
    "flight_start": lambda facts: facts.flight.start,
    "flight_end": lambda facts: facts.flight.end,
    "flight_is_empty": lambda facts: _YES_NO[facts.flight.empty],
    "start_unknown": lambda facts: facts.flight.start_open,
    "end_unknown": lambda facts: facts.flight.end_open,
    "geos_of_any_deal": lambda facts: _listed(facts.geos_any),
    "geos_of_every_deal": lambda facts: _listed(facts.geos_all),
    "geo_unknown": lambda facts: facts.geo_unknown,
    "floors": lambda facts: _listed(floors_in_words(facts)),
    "floor_clears_all": lambda facts: _listed(
        f"{part.currency} {part.clears_all:f}" for part in facts.counts.floors
    ),
    "floor_none": lambda facts: facts.floor_zero,
    "floor_unknown": lambda facts: facts.counts.floor_unknown,
    "scale": lambda facts: _listed(scales_in_words(facts)),
    "scale_unknown": lambda facts: facts.scale_unknown,
    "worst_garm_risk": lambda facts: facts.counts.worst_risk,
    "garm_risk_unknown": lambda facts: facts.counts.risk_unknown,
    "family_safe": lambda facts: facts.counts.family_safe,
    "family_safe_deals": lambda facts: facts.counts.family_safe_deals,
    "safe_for_verticals": lambda facts: _listed(facts.safe_for_verticals),
    "safe_for_verticals_known": lambda facts: facts.verticals_known,
    "tier1": lambda facts: _mix(facts.counts.tier1),
    "tier1_mode": lambda facts: _listed(facts.tier1_modes),
    "quality_tiers": lambda facts: _mix(facts.counts.quality),
    "quality_mode": lambda facts: _listed(facts.quality_modes),
    "volume_tiers": lambda facts: _mix(facts.counts.volume),
    "volume_mode": lambda facts: _listed(facts.volume_modes),
    "audiences": lambda facts: _listed(facts.counts.audiences),
    "formats": lambda facts: _mix(facts.counts.formats),
    "devices": lambda facts: _mix(facts.devices),
    "ssps": lambda facts: _mix(facts.counts.ssps),
    "ssp_count": lambda facts: facts.ssp_count,
    "publishers": lambda facts: _mix(facts.publishers),
    "price_types": lambda facts: _mix(facts.price_types),
    "currencies": lambda facts: _mix(facts.currencies),
    "statuses": lambda facts: _mix(facts.statuses),
}

PACKAGES_HEADER = (
    *PACKAGE_COLUMNS, "deal_count", "deal_ids", "reasoning", *FACT_COLUMNS, "garm_floor_reading", "warnings"
)  # fmt: skip
FACTS_HEADER = ("package_id", "package_name", *FACT_COLUMNS)


def package_rows(sheets: Iterable[PackageSheet], floor_reading: str) -> Iterator[list[object]]:
    """Yield one row under PACKAGES_HEADER for each package.

    floor_reading: how the GARM rating "Floor" was read for these facts.
    """
    for sheet in sheets:
        package = sheet.package
        row = [
            *(value(package) for value in PACKAGE_COLUMNS.values()),
            len(package.deal_ids),
            joined_ids(package.deal_ids),
            package.reasoning,
            *facts_of_sheet(sheet),
            floor_reading,
        ]
        warnings = [*map(_worded, _to_warn_of(sheet.findings)), *_too_long(PACKAGES_HEADER, row)]
        yield [*row, " | ".join(warnings)]


def facts_of_sheet(sheet: PackageSheet) -> list[object]:
    """Return the facts of a package under FACT_COLUMNS."""
    return [value(sheet.facts) for value in FACT_COLUMNS.values()]


def joined_ids(deal_ids: Sequence[str]) -> str:
    """Return ids with semicolons between them; as a JSON list when one of them holds a semicolon."""
    if any(";" in deal_id for deal_id in deal_ids):
        return orjson.dumps(list(deal_ids)).decode()
    return ";".join(deal_ids)


def long_cells(sheets: Iterable[PackageSheet]) -> tuple[tuple[PackageSheet, str], ...]:
    """Return the packages with a cell that Excel cannot hold, and which cell it is in words."""
    found = []
    for sheet in sheets:
        texts = (sheet.package.name, joined_ids(sheet.package.deal_ids), sheet.package.reasoning)
        found += [(sheet, problem) for problem in _too_long(("package_name", "deal_ids", "reasoning"), texts)]
    return tuple(found)
