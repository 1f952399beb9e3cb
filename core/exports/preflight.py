"""What a platform would refuse, said before the export: per package a sentence with what, where, what to do.

Only rules whose source is known are here; platforms whose fields nobody could verify are not. An error
blocks the export, a warning does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

from core.deals import Deal
from core.deals.facts import UNKNOWN_CURRENCY
from core.deals.flight import end_of
from core.exports.cells import EXCEL_CELL
from core.exports.columns import long_cells
from core.exports.deals_api import DealsApiOptions, option_problems, package_doubts
from core.exports.dv360 import not_exportable
from core.packages.sheet import PackageSheet
from core.wording.unique_names import spelling

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Issue:
    """Something a platform would refuse (error) or read otherwise than meant (warning).

    code: name of the rule. package_id: None when it is about the options or all packages.
    deal_ids: the deals it is about, () when it is about the package.
    """

    code: str
    severity: Severity
    sentence: str
    package_id: str | None = None
    deal_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlatformOptions:
    """What only the analyst can say about a deal on a platform; "" and () = not said.

    dsp: label of the buyer's platform. seats: buyer accounts. buyers: who may buy. seller: who sells.
    deal_type, auction_type, sizes: in the words of the platform.
    floor_kind: how a curated deal prices its members. margin: what is added to their price, in percent.
    media_planners: who may see a package of Google.
    """

    dsp: str = ""
    seats: tuple[str, ...] = ()
    buyers: tuple[str, ...] = ()
    seller: str = ""
    deal_type: str = ""
    auction_type: str = ""
    sizes: tuple[str, ...] = ()
    floor_kind: Literal["fixed", "standard floor", "dynamic", ""] = ""
    margin: Decimal | None = None
    media_planners: tuple[str, ...] = ()
    deals_api: DealsApiOptions = field(default_factory=DealsApiOptions)


Found = Iterator[Issue]
_PackageCheck = Callable[[PackageSheet, PlatformOptions], Found]
_FileCheck = Callable[[Sequence[PackageSheet], PlatformOptions], Found]


@dataclass(frozen=True, slots=True)
class Platform:
    """A target of exports.

    needs: names of the PlatformOptions it asks for. note: what the checks cannot see.
    """

    label: str
    each: tuple[_PackageCheck, ...] = ()
    together: tuple[_FileCheck, ...] = ()
    needs: tuple[str, ...] = ()
    note: str = ""


def preflight(
    sheets: Sequence[PackageSheet], platform: str, options: PlatformOptions | None = None
) -> tuple[Issue, ...]:
    """Return what stands against exporting these packages to a platform, errors first.

    platform: a key of PLATFORMS. Raises KeyError for any other.
    """
    options = options or PlatformOptions()
    target = PLATFORMS[platform]
    issues = [issue for check in (*_ALWAYS_TOGETHER, *target.together) for issue in check(sheets, options)]
    for sheet in sheets:
        issues += [issue for check in (*_ALWAYS, *target.each) for issue in check(sheet, options)]
    return tuple(sorted(issues, key=lambda issue: issue.severity != "error"))


def approved_sheets(sheets: Iterable[PackageSheet]) -> tuple[PackageSheet, ...]:
    """Return the approved packages: what an export holds unless the analyst chose otherwise."""
    return tuple(sheet for sheet in sheets if sheet.package.status == "approved")


def blocks(issues: Iterable[Issue]) -> bool:
    """Whether one of them is an error."""
    return any(issue.severity == "error" for issue in issues)


def _of(sheet: PackageSheet, code: str, sentence: str, deals: Iterable[Deal] = ()) -> Issue:
    return Issue(
        code, "error", _told(sheet, sentence), sheet.package.id, tuple(deal.deal_id for deal in deals)
    )


def _warn(sheet: PackageSheet, code: str, sentence: str, deals: Iterable[Deal] = ()) -> Issue:
    ids = tuple(deal.deal_id for deal in deals)
    return Issue(code, "warning", _told(sheet, sentence), sheet.package.id, ids)


def _told(sheet: PackageSheet, sentence: str) -> str:
    return f"{sheet.package.name!r}: {sentence}"


# --- every platform -----------------------------------------------------------------------------


def _something(sheets: Sequence[PackageSheet], _: PlatformOptions) -> Found:
    if not sheets:
        yield Issue("EMPTY", "error", "No package is chosen: approve one first.")


def _approved(sheet: PackageSheet, _: PlatformOptions) -> Found:
    package = sheet.package
    if package.changed:
        ids = ", ".join(package.changed)
        yield _of(
            sheet, "CHANGED", f"deals changed since it was approved ({ids}): look at it and approve again."
        )
    elif package.status != "approved":
        yield _of(sheet, "NOT_APPROVED", f"it is {package.status}: only approved packages go out.")
    elif not package.approval_holds({deal.deal_id: deal for deal in sheet.members}):
        yield _of(sheet, "CONTENT", "it is not what was approved any more: reopen it and approve it again.")


def _whole_cells(sheet: PackageSheet, _: PlatformOptions) -> Found:
    for _sheet, problem in long_cells([sheet]):
        yield _warn(
            sheet,
            "LONG_CELL",
            f"{problem}: nothing is cut, but do not open it there ({EXCEL_CELL:,} at most).",
        )


_ALWAYS: tuple[_PackageCheck, ...] = (_approved, _whole_cells)
_ALWAYS_TOGETHER: tuple[_FileCheck, ...] = (_something,)


# --- parts that several platforms share ---------------------------------------------------------


def _needs(name: str, what: str) -> _FileCheck:
    """Return a check that an option is there."""

    def check(_: Sequence[PackageSheet], options: PlatformOptions) -> Found:
        if not getattr(options, name):
            yield Issue(f"NEEDS_{name.upper()}", "error", f"{what} is not set: enter it in the options.")

    return check


def _needs_end(sheet: PackageSheet, _: PlatformOptions) -> Found:
    if sheet.facts.flight.end is None:
        yield _of(
            sheet, "NO_END", "no deal names an end date, which is required: add one to a deal.", sheet.members
        )


def _needs_start(sheet: PackageSheet, _: PlatformOptions) -> Found:
    if sheet.facts.flight.start is None:
        yield _of(
            sheet,
            "NO_START",
            "no deal names a start date, which is required: add one to a deal.",
            sheet.members,
        )


def _runs(sheet: PackageSheet, _: PlatformOptions) -> Found:
    flight = sheet.facts.flight
    if flight.empty:
        yield _of(
            sheet,
            "EMPTY_FLIGHT",
            f"its deals never run together (latest start {flight.start}, earliest end {flight.end}): "
            "split it.",
            sheet.members,
        )


def _unique_names(sheets: Sequence[PackageSheet], _: PlatformOptions) -> Found:
    counts = Counter(spelling(sheet.package.name) for sheet in sheets)
    for sheet in sheets:
        if counts[spelling(sheet.package.name)] > 1:
            yield _of(sheet, "SAME_NAME", "another package of this export has this name: rename one of them.")


def _zone_known(sheet: PackageSheet, _: PlatformOptions) -> Found:
    """Warn of times that do not say their zone: they are written as UTC."""
    bare = [deal for deal in sheet.members if any(map(_lacks_zone, (deal.start_time, deal.end_time)))]
    if bare:
        yield _warn(
            sheet,
            "NO_ZONE",
            "dates without a time zone are written as UTC: check the first and last day.",
            bare,
        )


def _lacks_zone(text: str | None) -> bool:
    return bool(text) and not re.search(r"T.*(Z|[+-]\d{2}:?\d{2})$", text or "")


# --- Index Exchange -----------------------------------------------------------------------------

_INDEX_ID = re.compile(r"(?!0)[A-Za-z0-9-]+")
# Buyers whose deals Index Exchange takes with a seat only.
SEAT_DSPS = ("DV360", "Quantcast", "The Trade Desk", "Amazon", "Xandr Invest")


def _index_id(sheet: PackageSheet, _: PlatformOptions) -> Found:
    if not _INDEX_ID.fullmatch(sheet.package.id):
        yield _of(
            sheet,
            "ID_FORM",
            f"the id {sheet.package.id!r} must be letters, digits and dashes without a leading 0: "
            "duplicate the package to get another id.",
        )


def _index_seat(_: Sequence[PackageSheet], options: PlatformOptions) -> Found:
    wanted = {dsp.casefold(): dsp for dsp in SEAT_DSPS}
    if options.dsp.casefold() in wanted and not options.seats:
        yield Issue(
            "SEAT",
            "error",
            f"{wanted[options.dsp.casefold()]} needs a seat on each deal: enter the buyer's seat.",
        )


def _index_floors(sheet: PackageSheet, _: PlatformOptions) -> Found:
    for part in sheet.facts.counts.floors:
        if part.lowest != part.highest:
            yield _warn(
                sheet,
                "HIGHEST_FLOOR",
                f"floors from {part.lowest} to {part.highest} {_currency(part.currency)}: the highest wins, "
                "and floors are net; check that buyers expect it.",
            )


def _currency(code: str) -> str:
    return "of unknown currency" if code == UNKNOWN_CURRENCY else code


# --- DV360 --------------------------------------------------------------------------------------

DV360_LAST_END = date(2030, 12, 31)
DV360_PER_EXCHANGE = 500


def _dv360_end(sheet: PackageSheet, _: PlatformOptions) -> Found:
    late = [deal for deal in sheet.members if (end := end_of(deal.end_time)) and end > _LAST_MOMENT]
    if late:
        yield _of(
            sheet,
            "LATE_END",
            f"deals end after {DV360_LAST_END}, the last day allowed: end them earlier.",
            late,
        )


_LAST_MOMENT = datetime.combine(DV360_LAST_END, datetime.max.time(), tzinfo=UTC)


def _dv360_per_exchange(sheets: Sequence[PackageSheet], _: PlatformOptions) -> Found:
    counts = Counter(ssp for sheet in sheets for ssp in sheet.facts.counts.ssps)
    for ssp, count in counts.items():
        if count > DV360_PER_EXCHANGE:
            yield Issue(
                "TOO_MANY",
                "error",
                f"{count:,} packages hold deals of {ssp}, and an exchange takes {DV360_PER_EXCHANGE}: "
                "export fewer.",
            )


def _dv360_rows(sheet: PackageSheet, _: PlatformOptions) -> Found:
    for item in not_exportable([sheet]):
        yield Issue("NO_ROW", "warning", _told(sheet, item.sentence), sheet.package.id, (item.deal_id,))


def _dv360_repeats(sheets: Sequence[PackageSheet], _: PlatformOptions) -> Found:
    holders: dict[str, list[PackageSheet]] = {}
    for sheet in sheets:
        for deal in sheet.members:
            holders.setdefault(deal.deal_id, []).append(sheet)
    for deal_id, packages in holders.items():
        if len(packages) > 1:
            names = ", ".join(repr(sheet.package.name) for sheet in packages[:3])
            yield Issue(
                "REPEATED",
                "warning",
                f"{deal_id} is in {len(packages)} packages ({names}) and makes a row in each: "
                "keep one of the rows.",
                deal_ids=(deal_id,),
            )


# --- PubMatic, Microsoft, Google, The Trade Desk ------------------------------------------------

PUBMATIC_BUYERS = 10


def _pubmatic_buyers(_: Sequence[PackageSheet], options: PlatformOptions) -> Found:
    if len(options.buyers) > PUBMATIC_BUYERS:
        yield Issue(
            "BUYERS",
            "error",
            f"{len(options.buyers)} buyers are set, and a deal takes {PUBMATIC_BUYERS}: take some out.",
        )


_PRICED_KINDS = ("fixed", "standard floor")


def _microsoft_margin(sheet: PackageSheet, options: PlatformOptions) -> Found:
    fixed = [deal for deal in sheet.members if deal.price_type == "fixed"]
    if fixed and options.floor_kind in _PRICED_KINDS and not options.margin:
        yield _of(
            sheet,
            "MARGIN",
            f"fixed-price deals in a curated deal with {options.floor_kind} pricing need a margin: "
            "enter one, or take them out.",
            fixed,
        )


def _microsoft_active(sheet: PackageSheet, _: PlatformOptions) -> Found:
    idle = [deal for deal in sheet.members if deal.status is not None and deal.status != "active"]
    if idle:
        states = ", ".join(sorted({deal.status or "" for deal in idle}))
        yield _of(
            sheet, "INACTIVE", f"deals that are not active ({states}) are refused: take them out.", idle
        )


def _named(sheet: PackageSheet, _: PlatformOptions) -> Found:
    if not sheet.package.name.strip():
        yield _of(sheet, "NO_NAME", "a display name is required: name the package.")


def _google_one_format(sheet: PackageSheet, _: PlatformOptions) -> Found:
    yield from _one_only(sheet, "format", "creative format", lambda deal: deal.formats)


def _google_one_environment(sheet: PackageSheet, _: PlatformOptions) -> Found:
    yield from _one_only(
        sheet,
        "environment",
        "environment",
        lambda deal: [word.strip() for word in (deal.inventory_type or "").split(",") if word.strip()],
    )


def _one_only(sheet: PackageSheet, code: str, what: str, values_of: Callable[[Deal], Sequence[str]]) -> Found:
    values = sorted({value for deal in sheet.members for value in values_of(deal)})
    if len(values) > 1:
        yield _of(
            sheet,
            f"ONE_{code.upper()}",
            f"it has several {what}s ({', '.join(values)}), one is allowed: split it.",
            [deal for deal in sheet.members if values_of(deal)],
        )
    silent = [deal for deal in sheet.members if not values_of(deal)]
    if silent:
        yield _warn(
            sheet,
            f"UNKNOWN_{code.upper()}",
            f"the {what} of {len(silent)} of {len(sheet.members)} deals is unknown: check them.",
            silent,
        )


def _trade_desk_floor(sheet: PackageSheet, _: PlatformOptions) -> Found:
    counts = sheet.facts.counts
    without = [deal for deal in sheet.members if deal.commercial.floor_price is None]
    if not counts.floors:
        yield _of(
            sheet,
            "NO_FLOOR",
            "no deal has a known floor, which is required: complete the deal file.",
            without,
        )
    if len(counts.floors) > 1 or any(part.currency == UNKNOWN_CURRENCY for part in counts.floors):
        found = ", ".join(_currency(part.currency) for part in counts.floors)
        yield _of(
            sheet, "CURRENCY", f"its floors need one known currency and have {found}: split or complete it."
        )


def _trade_desk_media(sheet: PackageSheet, _: PlatformOptions) -> Found:
    silent = [deal for deal in sheet.members if not deal.formats]
    if silent:
        yield _of(
            sheet,
            "NO_MEDIA",
            f"the media of {len(silent)} of {len(sheet.members)} deals is unknown, and is required: "
            "complete the deal file.",
            silent,
        )


# --- the Deals API ------------------------------------------------------------------------------


def _api_options(_: Sequence[PackageSheet], options: PlatformOptions) -> Found:
    for problem in option_problems(options.deals_api):
        yield Issue("DEALS_API_OPTIONS", "error", problem)


def _api_package(sheet: PackageSheet, options: PlatformOptions) -> Found:
    for doubt in package_doubts(sheet, options.deals_api):
        severity: Severity = "error" if doubt.blocks else "warning"
        yield Issue("DEALS_API", severity, _told(sheet, doubt.sentence), sheet.package.id, doubt.deal_ids)


# --- the table ----------------------------------------------------------------------------------

PLATFORMS: dict[str, Platform] = {
    "generic": Platform("Any platform"),
    "index_exchange": Platform(
        "Index Exchange",
        each=(_index_id, _index_floors, _zone_known, _runs),
        together=(_unique_names, _index_seat),
        needs=("dsp", "seats"),
    ),
    "dv360": Platform(
        "DV360",
        each=(_needs_end, _dv360_end, _dv360_rows, _runs),
        together=(_dv360_per_exchange, _dv360_repeats),
        note=f"Packages of an exchange that are in DV360 already count towards the {DV360_PER_EXCHANGE}.",
    ),
    "pubmatic": Platform("PubMatic", together=(_pubmatic_buyers,), needs=("buyers",)),
    "microsoft_curate": Platform(
        "Microsoft Curate",
        each=(_microsoft_margin, _microsoft_active),
        needs=("floor_kind", "margin"),
        note="Whether a deal was declined is known to Microsoft alone.",
    ),
    "google_curated": Platform(
        "Google curated package",
        each=(_named, _google_one_format, _google_one_environment),
        together=(_needs("media_planners", "Who may plan with the package (allowed media planners)"),),
        needs=("media_planners",),
    ),
    "the_trade_desk": Platform(
        "The Trade Desk",
        each=(_named, _needs_start, _needs_end, _trade_desk_floor, _trade_desk_media, _runs),
        together=(
            _needs("seats", "The seat"),
            _needs("seller", "The seller"),
            _needs("deal_type", "The deal type"),
            _needs("auction_type", "The auction type"),
            _needs("sizes", "The creative sizes"),
        ),
        needs=("seats", "seller", "deal_type", "auction_type", "sizes"),
    ),
    "deals_api": Platform(
        "IAB Deals API",
        each=(_api_package, _zone_known),
        together=(_api_options,),
        needs=("deals_api",),
    ),
}
