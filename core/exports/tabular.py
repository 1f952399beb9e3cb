"""Packages as CSV: fixed columns, ids as text, no cell that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from core.deals import Deal
from core.deals.facts import Facts, facts_of
from core.errors import ExportError
from core.packages import Package
from core.proposals import is_rules_source

_Item = TypeVar("_Item")

_PLAIN_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*%?")


def neutralise(cell: str) -> str:
    """Return the cell so that no spreadsheet runs it: a leading apostrophe marks it as text.

    Formulas start with = + - @ (also full-width) or |, %, tab, line break, possibly behind blanks
    and invisible characters; plain numbers stay numbers.
    """
    unquoted = cell.lstrip("'")
    visible = _first_visible(unquoted)
    dangerous = visible in set("=+-@|%") or unquoted[:1] in set("\t\r\n")
    if not dangerous or (cell == unquoted and _PLAIN_NUMBER.fullmatch(cell)):
        return cell
    return f"'{cell}"


def _first_visible(text: str) -> str:
    """Return the first character that is no blank, control, format or combining mark, in plain form."""
    # The Hangul filler is a letter by category and a blank to the eye.
    seen = (char for char in text if unicodedata.category(char)[0] not in "ZCM" and char != "\u3164")
    return unicodedata.normalize("NFKC", next(seen, ""))[:1]


def _floor_amount(deal: Deal) -> str:
    floor = deal.commercial.floor_price
    return str(floor.amount) if floor else ""


_YES_NO = {True: "true", False: "false", None: ""}

_PACKAGE_COLUMNS: dict[str, Callable[[Package], object]] = {
    "package_id": lambda package: package.id,
    "package_name": lambda package: package.name,
    "package_status": lambda package: package.status,
    "package_version": lambda package: package.version,
    "approved_by": lambda package: package.decided_by if package.status == "approved" else None,
    "approved_at": lambda package: package.decided_at if package.status == "approved" else None,
}

_DEAL_COLUMNS: dict[str, Callable[[Deal], object]] = {
    "deal_id": lambda deal: deal.deal_id,
    "deal_name": lambda deal: deal.deal_name,
    "ssp_name": lambda deal: deal.ssp_name,
    "publishers": lambda deal: "; ".join(deal.publishers),
    "format": lambda deal: "; ".join(deal.formats),
    "device": lambda deal: "; ".join(deal.devices),
    "floor_price": _floor_amount,
    "currency": lambda deal: deal.currency,
    "price_type": lambda deal: deal.price_type,
    "start_date": lambda deal: deal.start_time,
    "end_date": lambda deal: deal.end_time,
    "geos": lambda deal: "; ".join(deal.geos),
    "tier1": lambda deal: deal.taxonomy.tier1,
    "tier2": lambda deal: deal.taxonomy.tier2,
    "garm_risk": lambda deal: deal.safety.garm_risk_rating,
    "family_safe": lambda deal: _YES_NO[deal.safety.family_safe],
    "quality_tier": lambda deal: deal.commercial.quality_tier,
    "scale": lambda deal: deal.scale,
    "scale_unit": lambda deal: deal.scale_unit,
}


def _mix(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{name} ({count})" for name, count in counts.items())


def _floors(facts: Facts) -> str:
    return "; ".join(
        f"{part.currency} {part.lowest}-{part.highest} over {part.deals} of {facts.deals}"
        for part in facts.floors
    )


_FACT_COLUMNS: dict[str, Callable[[Facts], object]] = {
    "formats": lambda facts: _mix(facts.formats),
    "ssps": lambda facts: _mix(facts.ssps),
    "tier1": lambda facts: _mix(facts.tier1),
    "quality_tiers": lambda facts: _mix(facts.quality),
    "floors": _floors,
    "floor_unknown": lambda facts: facts.floor_unknown,
    "worst_garm_risk": lambda facts: facts.worst_risk,
    "garm_risk_unknown": lambda facts: facts.risk_unknown,
    "family_safe": lambda facts: facts.family_safe,
}


def packages_deals_csv(packages: Iterable[Package], deals: Mapping[str, Deal], *, bom: bool = False) -> bytes:
    """Write one row for each deal of each package, UTF-8.

    deals: deal id -> deal. bom: start with a byte order mark, which Excel needs to see UTF-8.
    Raises ExportError when a package holds a deal that is not in `deals`.
    """
    header = (*_PACKAGE_COLUMNS, *_DEAL_COLUMNS, "membership_source")
    rows = []
    for package in packages:
        source = _membership_source(package)
        for deal in members(package, deals):
            cells = (*_values(_PACKAGE_COLUMNS, package), *_values(_DEAL_COLUMNS, deal), source)
            rows.append(cells)
    return _csv(header, rows, bom=bom)


def _membership_source(package: Package) -> str:
    """Return who put the deals together: llm, analyst or rule."""
    if package.edited:
        return "analyst"
    return "rule" if is_rules_source(package.source) else "llm"


def packages_csv(packages: Iterable[Package], deals: Mapping[str, Deal], *, bom: bool = False) -> bytes:
    """Write one row for each package with its deal ids, reasoning and counted facts, UTF-8.

    Raises ExportError when a package holds a deal that is not in `deals`.
    """
    header = (
        *_PACKAGE_COLUMNS, "deal_count", "deal_ids", "reasoning", "proposal_source", *_FACT_COLUMNS
    )  # fmt: skip
    rows = []
    for package in packages:
        facts = facts_of(members(package, deals))
        rows.append(
            (
                *_values(_PACKAGE_COLUMNS, package),
                len(package.deal_ids),
                ";".join(package.deal_ids),
                package.reasoning,
                package.source,
                *_values(_FACT_COLUMNS, facts),
            )
        )
    return _csv(header, rows, bom=bom)


def members(package: Package, deals: Mapping[str, Deal]) -> list[Deal]:
    """Return the deals of a package. Raises ExportError that names the missing ones."""
    missing = [deal_id for deal_id in package.deal_ids if deal_id not in deals]
    if missing:
        raise ExportError(
            f"{package.name!r} holds deals that are not in the workspace ({', '.join(missing)}): remove them."
        )
    return [deals[deal_id] for deal_id in package.deal_ids]


def _values(columns: Mapping[str, Callable[[_Item], object]], item: _Item) -> list[object]:
    return [value(item) for value in columns.values()]


def table_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Write any table as CSV, UTF-8, with the same guard against formulas."""
    return _csv(header, rows, bom=False)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]], *, bom: bool) -> bytes:
    stream = io.StringIO(newline="")
    # Every cell in quotes: a spreadsheet that splits at semicolons must not find a formula in the middle.
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
    writer.writerow([neutralise(cell) for cell in header])
    writer.writerows([neutralise("" if cell is None else str(cell)) for cell in row] for row in rows)
    return stream.getvalue().encode("utf-8-sig" if bom else "utf-8")
