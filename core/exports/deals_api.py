"""Packages as objects of the IAB Tech Lab Deals API ("Deal Sync API") v1.0: one deal for each package.

Field by field as the final text of the specification has it, with the errata of 2026-03-30
(IABTechLab/deal-api, CC BY 3.0). Earlier drafts have `guar` the other way round and no seller status 4.
What nobody knows is left out or, where an omission would say something, reported; nothing is invented.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson

from core.deals import Deal
from core.deals.countries import alpha3
from core.deals.facts import UNKNOWN_CURRENCY
from core.deals.flight import end_of, start_of
from core.deals.taxonomy import check_category
from core.deals.vocabulary import currency_code
from core.errors import ExportError
from core.packages.sheet import PackageSheet

SELLER_STATUS = {0: "active", 1: "paused", 2: "pending", 3: "complete", 4: "archived"}
AUXILIARY_DATA = {
    0: "undisclosed",
    1: "yes, and it stays as it is",
    2: "yes, and it may change",
    3: "no, and it stays so",
    4: "no, and that may change",
}
DYNAMIC_INVENTORY = {0: "undisclosed", 1: "static", 2: "dynamic"}
GUARANTEED = {0: "no", 1: "yes"}
PRICE_TYPE = {0: "dynamic", 1: "first price", 2: "second price plus", 3: "fixed"}
CURATION_FEE = {0: "undisclosed", 1: "percentage of spend", 2: "flat", 3: "CPM", 4: "none"}

NO_MEMBER_LIST = (
    "The specification has no list of member deals; they are in ext.member_deal_ids, which only systems "
    "that agreed on it read."
)

_AD_TYPES = {"display": 1, "video": 2, "audio": 3, "native": 4}
_DEVICE_TYPES = {
    "mobile": 1, "desktop": 2, "ctv": 3, "phone": 4, "tablet": 5, "connected": 6, "stb": 7, "ooh": 8,
}  # fmt: skip
# The specification has no kind of inventory for CTV: it may be an app or not.
_INVENTORY = {"websites": 1, "apps": 2, "dooh": 3}
_CONTENT_TAXONOMY_3_1 = 9
_STATIC, _GUARANTEED = 1, 1
_SINGLE_PUBLISHER, _MULTI_PUBLISHER = 1, 2
# Longest text of `desc` that the specification recommends.
_DESC_LIMIT = 250
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DealsApiOptions:
    """What only the analyst can say; the defaults claim nothing.

    origin: domain of the SSP that will receive bids for the deals; nothing is exported while it is blank.
    seller, curator: domains of who sold and who curated; blank = left out.
    created: when the deals were made in the origin system (ISO 8601; without a zone it is UTC).
    wseat, bseat: seats that may or may not bid; at most one of the two; neither = no restriction.
    currency: ISO 4217 code of floors whose own currency nobody knows.
    guar, units, total_cost: units and cost are written for guaranteed deals only.
    """

    origin: str = ""
    seller: str = ""
    created: str = ""
    sellerstatus: int = 2
    wseat: tuple[str, ...] = ()
    bseat: tuple[str, ...] = ()
    auxdata: int = 0
    dinventory: int = 0
    currency: str = ""
    guar: int = 0
    pricetype: int = 2
    units: int | None = None
    total_cost: Decimal | None = None
    curator: str = ""
    curfeetype: int = 0


def option_problems(options: DealsApiOptions) -> tuple[str, ...]:
    """Return a sentence for everything in the options that keeps packages from being exported."""
    problems = [
        f"{what} is {getattr(options, name)!r}, which is no domain: write it like ssp.example.com."
        for name, what in (("origin", "The origin"), ("seller", "The seller"), ("curator", "The curator"))
        if getattr(options, name).strip() and not _DOMAIN.fullmatch(getattr(options, name).strip())
    ]
    if not options.origin.strip():
        problems.insert(0, "The origin is not set: enter the domain of the SSP that will receive the bids.")
    if options.wseat and options.bseat:
        problems.append("Both allowed and blocked seats are set: the specification takes one of them.")
    if options.created and start_of(options.created) is None:
        problems.append(
            f"Created is {options.created!r}, which is no time: write it like 2026-11-30T12:00:00Z."
        )
    if options.currency and currency_code(options.currency) is None:
        problems.append(f"The currency {options.currency!r} is no ISO 4217 code: write one like USD.")
    problems += [
        f"{name} is {getattr(options, name)!r}: choose one of {', '.join(map(str, values))}."
        for name, values in _CHOICES.items()
        if getattr(options, name) not in values
    ]
    if options.guar == _GUARANTEED and (options.units is None or options.total_cost is None):
        problems.append("Guaranteed deals need their units and their total cost: enter both.")
    return tuple(problems)


_CHOICES: dict[str, Mapping[int, str]] = {
    "sellerstatus": SELLER_STATUS,
    "auxdata": AUXILIARY_DATA,
    "dinventory": DYNAMIC_INVENTORY,
    "guar": GUARANTEED,
    "pricetype": PRICE_TYPE,
    "curfeetype": CURATION_FEE,
}


def deals_api_json(sheets: Sequence[PackageSheet], options: DealsApiOptions) -> bytes:
    """Write a JSON list with one object for each package, each checked against the schema.

    Raises ExportError when an option is missing, or a package cannot be told as one deal.
    """
    return orjson.dumps(deals_api_objects(sheets, options), option=orjson.OPT_INDENT_2)


def deals_api_objects(sheets: Sequence[PackageSheet], options: DealsApiOptions) -> list[dict[str, Any]]:
    """Return one object for each package. Raises ExportError, see `deals_api_json`."""
    for problem in option_problems(options):
        raise ExportError(problem)
    for sheet in sheets:
        for doubt in package_problems(sheet, options):
            raise ExportError(f"{sheet.package.name!r}: {doubt.sentence}")
    payloads = [_payload(sheet, options) for sheet in sheets]
    for payload in payloads:
        check_payload(payload)
    return payloads


def check_payload(payload: Mapping[str, Any]) -> None:
    """Check one object against the schema. Raises ExportError that names the place."""
    error = next(iter(_validator().iter_errors(payload)), None)
    if error is not None:
        place = ".".join(map(str, error.absolute_path)) or "the object"
        raise ExportError(
            f"{payload.get('name') or payload.get('id')!r}: {place} does not fit the Deals API "
            f"({error.message[:200]}): correct the package or the options."
        )


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one object, written from the table of the specification."""
    found: dict[str, Any] = orjson.loads(
        files("core.exports").joinpath("data", "deals_api_schema.json").read_bytes()
    )
    return found


@lru_cache(maxsize=1)
def _validator() -> Any:  # noqa: ANN401  (the library has no types)
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    return Draft202012Validator(schema())


# --- what keeps a package from being one deal ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class PackageProblem:
    """What cannot be told of a package (blocks = True), or is told with a gap; deal_ids: of which deals."""

    sentence: str
    deal_ids: tuple[str, ...] = ()
    blocks: bool = True


def package_problems(sheet: PackageSheet, options: DealsApiOptions) -> tuple[PackageProblem, ...]:
    """Return what keeps a package from being exported as one deal."""
    return tuple(problem for problem in package_doubts(sheet, options) if problem.blocks)


def package_doubts(sheet: PackageSheet, options: DealsApiOptions) -> tuple[PackageProblem, ...]:
    """Return everything about a package that the object cannot say, or says with a gap."""
    return (*_floor_doubts(sheet, options), *_country_doubts(sheet), *_flight_doubts(sheet))


def _floor_doubts(sheet: PackageSheet, options: DealsApiOptions) -> Iterable[PackageProblem]:
    counts = sheet.facts.counts
    currencies = [part.currency for part in counts.floors]
    with_floor = tuple(deal.deal_id for deal in sheet.members if deal.commercial.floor_price)
    if len(currencies) > 1:
        named = ", ".join("unknown" if code == UNKNOWN_CURRENCY else code for code in currencies)
        yield PackageProblem(
            f"its floors are in several currencies ({named}), and one deal has one floor: split it.",
            with_floor,
        )
    elif currencies == [UNKNOWN_CURRENCY] and not options.currency:
        yield PackageProblem(
            "the currency of its floors is unknown: choose the currency in the options.", with_floor
        )
    if counts.floor_unknown:
        without = tuple(deal.deal_id for deal in sheet.members if deal.commercial.floor_price is None)
        what = "the floor is the highest known one" if counts.floors else "no floor is written"
        yield PackageProblem(
            f"{counts.floor_unknown} of {counts.deals} deals have no known floor: {what}.",
            without,
            blocks=False,
        )


def _country_doubts(sheet: PackageSheet) -> Iterable[PackageProblem]:
    found = countries_of(sheet.members)
    if found.foreign:
        words = ", ".join(map(repr, found.foreign))
        yield PackageProblem(
            f"{words} is no country of ISO 3166-1 and is left out: correct it in the deal file.",
            found.foreign_deals,
            blocks=False,
        )
    if found.known and not found.shared:
        yield PackageProblem(
            "no country is common to its deals, and a deal without countries runs in all of them: split it.",
            found.known,
        )
    if found.silent:
        what = "the object says all countries" if not found.known else "the countries are those of the others"
        yield PackageProblem(
            f"{len(found.silent)} of {len(sheet.members)} deals name no known country: {what}.",
            found.silent,
            blocks=False,
        )


def _flight_doubts(sheet: PackageSheet) -> Iterable[PackageProblem]:
    flight = sheet.facts.flight
    if flight.empty:
        yield PackageProblem(
            f"its deals never run together (latest start {flight.start}, earliest end {flight.end}): "
            "split it."
        )
    if flight.end is None:
        yield PackageProblem(
            "no deal names an end: the object says it never ends.",
            tuple(deal.deal_id for deal in sheet.members),
            blocks=False,
        )


# --- the object -------------------------------------------------------------------------------


def _payload(sheet: PackageSheet, options: DealsApiOptions) -> dict[str, Any]:
    package = sheet.package
    is_static = options.dinventory == _STATIC
    return _present(
        id=package.id,
        name=package.name,
        origin=options.origin.strip(),
        seller=options.seller.strip(),
        created=_timestamp(start_of(options.created)),
        sellerstatus=options.sellerstatus,
        desc=package.reasoning[:_DESC_LIMIT],
        wseat=list(options.wseat),
        bseat=list(options.bseat),
        adtypes=_listing(sheet.members, lambda deal: deal.formats, _AD_TYPES),
        auxdata=options.auxdata,
        pubcount=_publisher_count(sheet.members),
        dinventory=options.dinventory,
        terms=_terms(sheet, options),
        inventory=_inventory(sheet.members) if is_static else None,
        curation=_curation(package.id, options),
        ext=_present(member_deal_ids=list(package.deal_ids), reasoning=package.reasoning),
    )


def _terms(sheet: PackageSheet, options: DealsApiOptions) -> dict[str, Any]:
    flight, floors = sheet.facts.flight, sheet.facts.counts.floors
    is_guaranteed = options.guar == _GUARANTEED
    return _present(
        startdate=_timestamp(start_of(flight.start)),
        enddate=_timestamp(end_of(flight.end)),
        countries=list(countries_of(sheet.members).shared),
        dealfloor=float(floors[0].clears_all) if floors else None,
        cur=_currency(sheet, options),
        guar=options.guar,
        pricetype=options.pricetype,
        units=options.units if is_guaranteed else None,
        totalcost=float(options.total_cost) if is_guaranteed and options.total_cost is not None else None,
    )


def _currency(sheet: PackageSheet, options: DealsApiOptions) -> str:
    """Return the currency of the floor; without a floor the one the deals trade in, else the default."""
    of_floor = [part.currency for part in sheet.facts.counts.floors if part.currency != UNKNOWN_CURRENCY]
    of_deals = list(sheet.facts.currencies) if len(sheet.facts.currencies) == 1 else []
    chosen = currency_code(options.currency) if options.currency else None
    # The specification reads a missing currency as USD: writing that out says nothing new.
    return next(iter([*of_floor, *of_deals]), None) or chosen or "USD"


def _timestamp(moment: datetime | None) -> str | None:
    """Return "2026-11-30T23:59:59Z"."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _publisher_count(members: Sequence[Deal]) -> int:
    """Return 2 when several publishers are known, 1 when all deals name the same one, else 0."""
    publishers = {publisher.casefold() for deal in members for publisher in deal.publishers}
    if len(publishers) > 1:
        return _MULTI_PUBLISHER
    return _SINGLE_PUBLISHER if publishers and all(deal.publishers for deal in members) else 0


def _listing(
    members: Sequence[Deal], values_of: Callable[[Deal], Sequence[str]], numbers: Mapping[str, int]
) -> list[int]:
    """Return the numbers of all values; [] when a deal says nothing or something without a number.

    A list says "these and no others", which nobody knows as long as one deal does not say.
    """
    found: set[int] = set()
    for deal in members:
        values = values_of(deal)
        if not values or any(value not in numbers for value in values):
            return []
        found |= {numbers[value] for value in values}
    return sorted(found)


def _inventory(members: Sequence[Deal]) -> dict[str, Any]:
    categories = _categories(members)
    return _present(
        inclinventory=_listing(members, _inventory_types, _INVENTORY),
        devicetype=_listing(members, lambda deal: deal.devices, _DEVICE_TYPES),
        sitedomains=_domains(members),
        cat=categories,
        cattax=_CONTENT_TAXONOMY_3_1 if categories else None,
    )


def _inventory_types(deal: Deal) -> list[str]:
    return [word.strip() for word in (deal.inventory_type or "").split(",") if word.strip()]


def _domains(members: Sequence[Deal]) -> list[str]:
    """Return the publishers when every deal names its publishers by domain, else []."""
    publishers = list(dict.fromkeys(publisher for deal in members for publisher in deal.publishers))
    complete = all(deal.publishers for deal in members) and all(map(_DOMAIN.fullmatch, publishers))
    return publishers if complete else []


def _categories(members: Sequence[Deal]) -> list[str]:
    """Return ids of Content Taxonomy 3.1 when every deal's category is known there, else []."""
    found = [check_category(deal.taxonomy.path).category for deal in members]
    known = [category.id for category in found if category is not None]
    return list(dict.fromkeys(known)) if len(known) == len(found) else []


def _curation(package_id: str, options: DealsApiOptions) -> dict[str, Any] | None:
    if not options.curator.strip():
        return None
    return {"curator": options.curator.strip(), "cdealid": package_id, "curfeetype": options.curfeetype}


def _present(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


# --- countries --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Countries:
    """Countries that deals share.

    shared: alpha-3 codes of every deal that names one, sorted. known, silent: deals that name a
    country or none. foreign: words that are no country, `foreign_deals` hold them.
    """

    shared: tuple[str, ...]
    known: tuple[str, ...]
    silent: tuple[str, ...]
    foreign: tuple[str, ...]
    foreign_deals: tuple[str, ...]


def countries_of(members: Sequence[Deal]) -> Countries:
    """Return the countries that all deals share: "US", "USA" and "United States" are one."""
    codes = {deal.deal_id: {code for geo in deal.geos if (code := alpha3(geo))} for deal in members}
    known = [deal_id for deal_id, own in codes.items() if own]
    foreign = {deal.deal_id: [geo for geo in deal.geos if alpha3(geo) is None] for deal in members}
    shared = set.intersection(*(codes[deal_id] for deal_id in known)) if known else set()
    return Countries(
        tuple(sorted(shared)),
        tuple(known),
        tuple(deal_id for deal_id, own in codes.items() if not own),
        tuple(dict.fromkeys(geo for words in foreign.values() for geo in words)),
        tuple(deal_id for deal_id, words in foreign.items() if words),
    )
