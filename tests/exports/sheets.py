"""Packages with deals, facts and findings for the tests of exports."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from core.deals import Audience, Commercial, Deal, Money, Safety, Taxonomy
from core.exports import About
from core.packages import Package
from core.packages.sheet import PackageSheet, sheets_of
from core.wording.findings import CheckRules

RULES = CheckRules(date(2026, 3, 1))
DEAL = Deal(
    "0042",
    deal_name="Sports OTT",
    ssp_name="BidSwitch",
    formats=("video", "display"),
    taxonomy=Taxonomy("Sports", "Soccer"),
    safety=Safety("Low", True, ("Auto", "Travel")),
    audience=Audience(("Fans",)),
    commercial=Commercial("Premium", "High", Money(Decimal("5.50"), "USD")),
    publishers=("Paramount", "Disney+"),
    devices=("ctv",),
    geos=("US", "CA"),
    price_type="auction",
    currency="USD",
    start_time="2026-01-01T00:00:00Z",
    scale=27_000_000,
    scale_unit="weekly_avails",
)
BARE = Deal("999888777666555444")
PACKAGE = Package(
    "pkg-1", "Sports Package", ("0042", "999888777666555444"), "Live sports.", "gemini-2.5-flash"
)
APPROVED = replace(
    PACKAGE, version=3, status="approved", decided_by="Ada", decided_at="2026-03-01T10:00:00+00:00"
)
ABOUT = About(
    "Autumn",
    "deals.csv",
    "2026-03-01T10:00:00+00:00",
    settings={"method": "gmm", "max_deals": 25, "keep_apart": ["ssp"]},
    model="gemini-2.5-flash",
    prompt_hash="0123456789abcdef",
    deals=3,
    coverage={"packaged": 2, "not_sent": 1},
)


def usd(amount: str, currency: str | None = "USD") -> Commercial:
    """Return the commercial part of a deal with this floor."""
    return Commercial(floor_price=Money(Decimal(amount), currency))


def sheets(*packages: Package, deals: tuple[Deal, ...] = (DEAL, BARE), rules: CheckRules = RULES):
    """Return the sheets of packages of these deals."""
    return sheets_of(packages, {deal.deal_id: deal for deal in deals}, rules)


def sheet_of_deals(*deals: Deal, rules: CheckRules = RULES, **package: object) -> PackageSheet:
    """Return an approved package of exactly these deals."""
    made = replace(APPROVED, deal_ids=tuple(deal.deal_id for deal in deals), **package)
    made = replace(made, approved_content=made.content({deal.deal_id: deal for deal in deals}))
    return sheets(made, deals=deals, rules=rules)[0]
