"""Deals as rows of a DV360 Structured Data File for inventory sources: one row for each member.

Exchange to Rate are as published. The columns after Rate, and the values of Status, were not checked
against version 10.1 (see UNVERIFIED); what is not known stays blank there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from core.deals import Deal
from core.deals.flight import end_of, start_of
from core.exports.cells import table_csv
from core.packages import Package
from core.packages.fact_sheet import currency_of
from core.packages.sheet import PackageSheet

UNVERIFIED = "Check the columns after Rate, and the exchange names, against your SDF version."

_RATE_TYPES = {"auction": "Auction", "fixed": "Fixed"}
# How published versions of the file write times.
_TIME = "%m/%d/%Y %H:%M"


@dataclass(frozen=True, slots=True)
class Dv360Options:
    """How the deals are bought; the analyst's choice, the same for all rows."""

    commitment: Literal["Nonguaranteed", "Guaranteed"] = "Nonguaranteed"
    delivery: Literal["Programmatic", "Tag"] = "Programmatic"


@dataclass(frozen=True, slots=True)
class NotExportable:
    """A member that cannot be a row, and what it lacks; nothing is filled in for it."""

    package_id: str
    deal_id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Sdf:
    """The file, and the members that are not in it."""

    data: bytes
    left_out: tuple[NotExportable, ...]


_Column = Callable[[Package, Deal, Dv360Options], object]

COLUMNS: dict[str, _Column] = {
    "Exchange": lambda _, deal, __: deal.ssp_name,
    "Product Id": lambda _, deal, __: deal.deal_id,
    "Inventory Source Id": lambda *_: None,  # blank = DV360 makes a new one
    "Product Name": lambda _, deal, __: deal.deal_name or deal.deal_id,
    "Commitment Type": lambda _, __, options: options.commitment,
    "Rate Type": lambda _, deal, __: _RATE_TYPES.get(deal.price_type or ""),
    "Delivery Method": lambda _, __, options: options.delivery,
    "Publisher/Seller": lambda _, deal, __: deal.publishers[0] if len(deal.publishers) == 1 else None,
    "Rate": lambda _, deal, __: deal.commercial.floor_price and deal.commercial.floor_price.amount,
    "Currency Code": lambda _, deal, __: currency_of(deal),
    "Start Date": lambda _, deal, __: _time(start_of(deal.start_time)),
    "End Date": lambda _, deal, __: _time(end_of(deal.end_time)),
    "Order Name": lambda package, *_: package.name,
    "Units Purchased": lambda *_: None,
    "Status": lambda *_: None,
    "Paused Reason": lambda *_: None,
    "Format": lambda _, deal, __: deal.formats[0].capitalize() if len(deal.formats) == 1 else None,
    "Sizes": lambda *_: None,
    "Permissioned Partners": lambda *_: None,
    "Permissioned Advertisers": lambda *_: None,
}


def dv360_sdf(sheets: Sequence[PackageSheet], options: Dv360Options | None = None) -> Sdf:
    """Write one row for each member that has an exchange, a floor above 0 and a currency."""
    options = options or Dv360Options()
    left_out = not_exportable(sheets)
    missing = {(item.package_id, item.deal_id) for item in left_out}
    rows = [
        [value(sheet.package, deal, options) for value in COLUMNS.values()]
        for sheet in sheets
        for deal in sheet.members
        if (sheet.package.id, deal.deal_id) not in missing
    ]
    return Sdf(table_csv(tuple(COLUMNS), rows), left_out)


def not_exportable(sheets: Sequence[PackageSheet]) -> tuple[NotExportable, ...]:
    """Return the members that lack what a row must have."""
    return tuple(
        NotExportable(
            sheet.package.id,
            deal.deal_id,
            f"{deal.deal_id} lacks {' and '.join(lacks)}: complete it in the deal file.",
        )
        for sheet in sheets
        for deal in sheet.members
        if (lacks := _lacks(deal))
    )


def _lacks(deal: Deal) -> list[str]:
    floor = deal.commercial.floor_price
    found = {
        "an exchange": bool(deal.ssp_name),
        "a floor above 0": floor is not None and floor.amount > 0,
        "a currency": currency_of(deal) is not None,
    }
    return [what for what, there in found.items() if not there]


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime(_TIME) if moment else None
