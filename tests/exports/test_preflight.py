"""What each platform would refuse, with the deals it is about."""

from dataclasses import replace
from decimal import Decimal

import pytest

from core.deals import Deal
from core.exports import PLATFORMS, DealsApiOptions, PlatformOptions, approved_sheets, preflight
from core.exports.preflight import blocks
from tests.exports.sheets import APPROVED, sheet_of_deals, sheets, usd

SOUND = Deal(
    "1",
    deal_name="Sports",
    ssp_name="SSP",
    formats=("video",),
    commercial=usd("5"),
    geos=("US",),
    inventory_type="apps",
    status="active",
    start_time="2026-01-01T00:00:00Z",
    end_time="2026-12-31T00:00:00Z",
)
TWO = replace(SOUND, deal_id="2")
# What every platform asks for at once.
ALL = PlatformOptions(
    dsp="DV360",
    seats=("seat-1",),
    seller="Seller",
    deal_type="PMP",
    auction_type="second price",
    sizes=("1920x1080",),
    media_planners=("Agency",),
    deals_api=DealsApiOptions(origin="ssp.example.com"),
)


def found(platform, *made, options=ALL):
    return {(issue.code, issue.severity): issue for issue in preflight(made, platform, options)}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_sound_package_passes_everywhere(platform):
    assert preflight([sheet_of_deals(SOUND, TWO)], platform, ALL) == ()


# --- every platform -----------------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "pending"}, "NOT_APPROVED"),
        ({"status": "rejected"}, "NOT_APPROVED"),
        ({"status": "pending", "changed": ("1",)}, "CHANGED"),
        ({"name": "Renamed afterwards"}, "CONTENT"),
        ({"approved_content": None}, "CONTENT"),
    ],
)
def test_only_what_was_approved_goes_out(platform, change, code):
    made = sheet_of_deals(SOUND)
    made = replace(made, package=replace(made.package, **change))
    assert (code, "error") in found(platform, made)


def test_an_approval_does_not_hold_for_a_member_that_changed():
    made = sheet_of_deals(SOUND)
    assert ("CONTENT", "error") in found("generic", replace(made, members=(replace(SOUND, geos=("FR",)),)))


def test_without_packages_there_is_nothing_to_export():
    assert [issue.code for issue in preflight([], "generic")] == ["EMPTY"]


def test_long_cells_are_a_warning():
    issue = found("generic", sheet_of_deals(SOUND, reasoning="x" * 40_000))["LONG_CELL", "warning"]
    assert "reasoning has 40,000 characters" in issue.sentence


def test_errors_come_first_and_only_errors_block():
    made = [sheet_of_deals(SOUND, reasoning="x" * 40_000)]
    assert not blocks(preflight(made, "generic"))
    issues = preflight([*made, *sheets(replace(APPROVED, status="pending", id="p"))], "generic")
    assert blocks(issues)
    assert [issue.severity for issue in issues] == sorted(issue.severity for issue in issues)


def test_approved_packages_are_those_that_go_out():
    made = sheets(APPROVED, replace(APPROVED, id="2", status="pending"))
    assert [sheet.package.id for sheet in approved_sheets(made)] == ["pkg-1"]


def test_an_issue_names_the_package_and_what_to_do():
    (issue,) = preflight([sheet_of_deals(replace(SOUND, status="paused"), TWO)], "microsoft_curate", ALL)
    assert issue.package_id == "pkg-1"
    assert issue.deal_ids == ("1",)
    assert issue.sentence == (
        "'Sports Package': deals that are not active (paused) are refused: take them out."
    )


# --- one platform ---------------------------------------------------------------------------------

FIXED = replace(SOUND, price_type="fixed")
NO_OPTIONS = PlatformOptions()

CASES = [
    # platform, deals, package, options, (code, severity), deal ids
    ("index_exchange", (SOUND,), {"id": "pkg_1"}, ALL, ("ID_FORM", "error"), ()),
    ("index_exchange", (SOUND,), {"id": "0pkg"}, ALL, ("ID_FORM", "error"), ()),
    ("index_exchange", (SOUND,), {}, replace(ALL, seats=()), ("SEAT", "error"), ()),
    ("index_exchange", (SOUND,), {}, replace(ALL, dsp="the trade desk", seats=()), ("SEAT", "error"), ()),
    ("index_exchange", (SOUND, replace(TWO, commercial=usd("9"))), {}, ALL, ("HIGHEST_FLOOR", "warning"), ()),
    ("index_exchange", (SOUND, replace(TWO, end_time="2026-06-30")), {}, ALL, ("NO_ZONE", "warning"), ("2",)),
    (
        "index_exchange",
        (SOUND, replace(TWO, end_time="2026-06-30T10:00:00")),
        {},
        ALL,
        ("NO_ZONE", "warning"),
        ("2",),
    ),
    ("dv360", (replace(SOUND, end_time=None),), {}, ALL, ("NO_END", "error"), ("1",)),
    ("dv360", (SOUND, replace(TWO, end_time="2031-01-01")), {}, ALL, ("LATE_END", "error"), ("2",)),
    ("dv360", (SOUND, replace(TWO, ssp_name=None)), {}, ALL, ("NO_ROW", "warning"), ("2",)),
    ("dv360", (SOUND, replace(TWO, start_time="2027-01-01")), {}, ALL, ("EMPTY_FLIGHT", "error"), ("1", "2")),
    ("pubmatic", (SOUND,), {}, replace(ALL, buyers=tuple("abcdefghijk")), ("BUYERS", "error"), ()),
    ("microsoft_curate", (FIXED, TWO), {}, replace(ALL, floor_kind="fixed"), ("MARGIN", "error"), ("1",)),
    (
        "microsoft_curate",
        (FIXED, TWO),
        {},
        replace(ALL, floor_kind="standard floor"),
        ("MARGIN", "error"),
        ("1",),
    ),
    ("microsoft_curate", (SOUND, replace(TWO, status="expired")), {}, ALL, ("INACTIVE", "error"), ("2",)),
    ("google_curated", (SOUND,), {}, NO_OPTIONS, ("NEEDS_MEDIA_PLANNERS", "error"), ()),
    ("google_curated", (SOUND,), {"name": " "}, ALL, ("NO_NAME", "error"), ()),
    (
        "google_curated",
        (SOUND, replace(TWO, formats=("display",))),
        {},
        ALL,
        ("ONE_FORMAT", "error"),
        ("1", "2"),
    ),
    ("google_curated", (SOUND, replace(TWO, formats=())), {}, ALL, ("UNKNOWN_FORMAT", "warning"), ("2",)),
    (
        "google_curated",
        (SOUND, replace(TWO, inventory_type="websites")),
        {},
        ALL,
        ("ONE_ENVIRONMENT", "error"),
        ("1", "2"),
    ),
    (
        "google_curated",
        (SOUND, replace(TWO, inventory_type=None)),
        {},
        ALL,
        ("UNKNOWN_ENVIRONMENT", "warning"),
        ("2",),
    ),
    ("the_trade_desk", (SOUND,), {"name": " "}, ALL, ("NO_NAME", "error"), ()),
    ("the_trade_desk", (SOUND,), {}, NO_OPTIONS, ("NEEDS_SEATS", "error"), ()),
    ("the_trade_desk", (SOUND,), {}, NO_OPTIONS, ("NEEDS_SELLER", "error"), ()),
    ("the_trade_desk", (SOUND,), {}, NO_OPTIONS, ("NEEDS_DEAL_TYPE", "error"), ()),
    ("the_trade_desk", (SOUND,), {}, NO_OPTIONS, ("NEEDS_AUCTION_TYPE", "error"), ()),
    ("the_trade_desk", (SOUND,), {}, NO_OPTIONS, ("NEEDS_SIZES", "error"), ()),
    ("the_trade_desk", (replace(SOUND, start_time=None),), {}, ALL, ("NO_START", "error"), ("1",)),
    ("the_trade_desk", (replace(SOUND, end_time=None),), {}, ALL, ("NO_END", "error"), ("1",)),
    (
        "the_trade_desk",
        (replace(SOUND, commercial=Deal("x").commercial),),
        {},
        ALL,
        ("NO_FLOOR", "error"),
        ("1",),
    ),
    ("the_trade_desk", (SOUND, replace(TWO, commercial=usd("5", "EUR"))), {}, ALL, ("CURRENCY", "error"), ()),
    ("the_trade_desk", (replace(SOUND, commercial=usd("5", None)),), {}, ALL, ("CURRENCY", "error"), ()),
    ("the_trade_desk", (SOUND, replace(TWO, formats=())), {}, ALL, ("NO_MEDIA", "error"), ("2",)),
    ("deals_api", (SOUND,), {}, NO_OPTIONS, ("DEALS_API_OPTIONS", "error"), ()),
    (
        "deals_api",
        (SOUND, replace(TWO, commercial=usd("5", "EUR"))),
        {},
        ALL,
        ("DEALS_API", "error"),
        ("1", "2"),
    ),
    ("deals_api", (SOUND, replace(TWO, geos=("Atlantis", "US"))), {}, ALL, ("DEALS_API", "warning"), ("2",)),
]


@pytest.mark.parametrize(
    ("platform", "deals", "package", "options", "rule", "ids"),
    CASES,
    ids=[f"{case[0]}-{case[4][0]}-{number}" for number, case in enumerate(CASES)],
)
def test_what_a_platform_refuses_is_told_with_its_deals(platform, deals, package, options, rule, ids):
    assert found(platform, sheet_of_deals(*deals, **package), options=options)[rule].deal_ids == ids


ALLOWED = [
    ("index_exchange", (SOUND,), replace(ALL, dsp="Some other DSP", seats=())),
    ("dv360", (replace(SOUND, end_time="2030-12-31"),), ALL),
    ("pubmatic", (SOUND,), replace(ALL, buyers=tuple("abcdefghij"))),
    ("microsoft_curate", (FIXED,), replace(ALL, floor_kind="fixed", margin=Decimal(5))),
    ("microsoft_curate", (FIXED,), replace(ALL, floor_kind="dynamic")),
    ("microsoft_curate", (replace(SOUND, status=None),), ALL),  # unknown is not inactive
]


@pytest.mark.parametrize(("platform", "deals", "options"), ALLOWED)
def test_what_a_platform_takes_is_not_complained_of(platform, deals, options):
    assert preflight([sheet_of_deals(*deals)], platform, options) == ()


def test_names_must_differ_at_index_exchange():
    made = [sheet_of_deals(SOUND), sheet_of_deals(TWO, id="pkg-2", name="SPORTS  package")]
    issues = preflight(made, "index_exchange", ALL)
    assert [(issue.code, issue.package_id) for issue in issues] == [
        ("SAME_NAME", "pkg-1"),
        ("SAME_NAME", "pkg-2"),
    ]


@pytest.mark.parametrize(("count", "codes"), [(500, set()), (501, {"TOO_MANY"})])
def test_dv360_takes_500_packages_of_an_exchange(count, codes):
    made = [sheet_of_deals(replace(SOUND, deal_id=f"d{n}"), id=f"pkg-{n}") for n in range(count)]
    assert {issue.code for issue in preflight(made, "dv360", ALL)} == codes


def test_dv360_warns_of_a_deal_that_would_make_two_rows():
    made = [sheet_of_deals(SOUND), sheet_of_deals(SOUND, id="pkg-2")]
    (issue,) = preflight(made, "dv360", ALL)
    assert (issue.code, issue.severity, issue.deal_ids) == ("REPEATED", "warning", ("1",))


def test_platforms_nobody_could_verify_are_not_claimed():
    labels = " ".join(platform.label for platform in PLATFORMS.values())
    assert not [name for name in ("Magnite", "Audigent", "BidSwitch") if name in labels]


def test_a_platform_asks_only_for_options_there_are():
    for platform in PLATFORMS.values():
        assert all(hasattr(NO_OPTIONS, name) for name in platform.needs)
