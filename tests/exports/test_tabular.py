"""Packages as CSV: fixed columns, exact ids, harmless cells."""

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.deals import Commercial, Deal, Money, Safety, Taxonomy
from core.exports import ExportOptions, packages_csv, packages_deals_csv, restore
from core.packages import Package
from core.wording.findings import CheckRules, Finding
from tests.exports.sheets import ABOUT, APPROVED, BARE, DEAL, PACKAGE, RULES, sheet_of_deals, sheets, usd

PACKAGE_COLUMNS = [
    "package_id", "package_name", "package_status", "package_version", "approved_by", "approved_at",
]  # fmt: skip
DEAL_COLUMNS = [
    "deal_id", "deal_name", "ssp_name", "publishers", "format", "device", "floor_price", "currency",
    "price_type", "start_date", "end_date", "geos", "tier1", "tier2", "garm_risk", "family_safe",
    "quality_tier", "scale", "scale_unit", "membership_source", "membership_reason", "warnings",
]  # fmt: skip
FACT_COLUMNS = [
    "flight_start", "flight_end", "flight_is_empty", "start_unknown", "end_unknown", "geos_of_any_deal",
    "geos_of_every_deal", "geo_unknown", "floors", "floor_clears_all", "floor_none", "floor_unknown",
    "scale", "scale_unknown", "worst_garm_risk", "garm_risk_unknown", "family_safe", "family_safe_deals",
    "safe_for_verticals", "safe_for_verticals_known", "tier1", "tier1_mode", "quality_tiers",
    "quality_mode", "volume_tiers", "volume_mode", "audiences", "formats", "devices", "ssps", "ssp_count",
    "publishers", "price_types", "currencies", "statuses",
]  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def deals_csv(made, **options):
    return packages_deals_csv(made, ExportOptions(**options))


def packages_table(made, **options):
    return packages_csv(made, ABOUT, ExportOptions(**options))


WRITERS = pytest.mark.parametrize("write", [deals_csv, packages_table])


def rows_of(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def header_of(data):
    return next(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


# --- columns ----------------------------------------------------------------------------------


def test_deal_rows_have_the_documented_columns_in_their_order():
    assert header_of(packages_deals_csv([])) == PACKAGE_COLUMNS + DEAL_COLUMNS


def test_package_rows_have_the_documented_columns_in_their_order():
    assert header_of(packages_csv([], ABOUT)) == [
        *PACKAGE_COLUMNS, "deal_count", "deal_ids", "reasoning", *FACT_COLUMNS, "garm_floor_reading",
        "warnings",
    ]  # fmt: skip


def test_deal_row_carries_every_known_fact_under_its_own_header():
    first, _ = rows_of(packages_deals_csv(sheets(APPROVED)))
    warnings = first.pop("warnings")
    assert first == {
        "package_id": "pkg-1",
        "package_name": "Sports Package",
        "package_status": "approved",
        "package_version": "3",
        "approved_by": "Ada",
        "approved_at": "2026-03-01T10:00:00+00:00",
        "deal_id": "0042",
        "deal_name": "Sports OTT",
        "ssp_name": "BidSwitch",
        "publishers": "Paramount; Disney+",
        "format": "video; display",
        "device": "ctv",
        "floor_price": "5.50",
        "currency": "USD",
        "price_type": "auction",
        "start_date": "2026-01-01T00:00:00Z",
        "end_date": "",
        "geos": "US; CA",
        "tier1": "Sports",
        "tier2": "Soccer",
        "garm_risk": "Low",
        "family_safe": "true",
        "quality_tier": "Premium",
        "scale": "27000000",
        "scale_unit": "weekly_avails",
        "membership_source": "llm",
        "membership_reason": "Suggested by gemini-2.5-flash",
    }
    assert warnings.startswith("FORMAT_MIX: ")


def test_unknown_facts_stay_blank_and_are_never_zero_or_safe():
    _, bare = rows_of(packages_deals_csv(sheets(PACKAGE)))
    known = {name for name, value in bare.items() if value}
    assert known == {
        "package_id", "package_name", "package_status", "package_version", "deal_id", "membership_source",
        "membership_reason",
    }  # fmt: skip


@pytest.mark.parametrize(("answer", "cell"), [(True, "true"), (False, "false"), (None, "")])
def test_family_safe_is_written_in_words(answer, cell):
    made = sheet_of_deals(Deal("1", safety=Safety(family_safe=answer)))
    assert rows_of(packages_deals_csv([made]))[0]["family_safe"] == cell


def test_explicit_zero_floor_is_written_as_zero_and_its_unknown_currency_as_blank():
    (row,) = rows_of(packages_deals_csv([sheet_of_deals(Deal("1", commercial=usd("0", None)))]))
    assert (row["floor_price"], row["currency"]) == ("0", "")


def test_currency_is_that_of_the_floor():
    deal = Deal("1", currency="USD", commercial=Commercial(floor_price=Money(Decimal(2), "EUR")))
    assert rows_of(packages_deals_csv([sheet_of_deals(deal)]))[0]["currency"] == "EUR"


@pytest.mark.parametrize(("amount", "cell"), [("0.0000001", "0.0000001"), ("1E+3", "1000"), ("5.50", "5.50")])
def test_no_floor_is_written_with_an_exponent(amount, cell):
    made = [sheet_of_deals(Deal("1", commercial=usd(amount)))]
    (deal,) = rows_of(packages_deals_csv(made))
    (package,) = rows_of(packages_csv(made, ABOUT))
    assert deal["floor_price"] == cell
    assert package["floors"] == f"USD {cell}-{cell} over 1 of 1 deals"
    assert package["floor_clears_all"] == f"USD {cell}"


def test_package_row_tells_the_facts_counted_over_its_deals():
    (row,) = rows_of(packages_csv(sheets(APPROVED), ABOUT))
    assert {name: row[name] for name in ("deal_count", "deal_ids", "reasoning", *FACT_COLUMNS)} == {
        "deal_count": "2",
        "deal_ids": "0042;999888777666555444",
        "reasoning": "Live sports.",
        "flight_start": "2026-01-01T00:00:00Z",
        "flight_end": "",
        "flight_is_empty": "false",
        "start_unknown": "1",
        "end_unknown": "2",
        "geos_of_any_deal": "CA; US",
        "geos_of_every_deal": "CA; US",
        "geo_unknown": "1",
        "floors": "USD 5.50-5.50 over 1 of 2 deals",
        "floor_clears_all": "USD 5.50",
        "floor_none": "0",
        "floor_unknown": "1",
        "scale": "27,000,000 weekly_avails over 1 of 2 deals (sum of member forecasts, overlap not removed)",
        "scale_unknown": "1",
        "worst_garm_risk": "Low",
        "garm_risk_unknown": "1",
        "family_safe": "unknown",
        "family_safe_deals": "1",
        "safe_for_verticals": "Auto; Travel",
        "safe_for_verticals_known": "1",
        "tier1": "Sports (1)",
        "tier1_mode": "Sports",
        "quality_tiers": "Premium (1)",
        "quality_mode": "Premium",
        "volume_tiers": "High (1)",
        "volume_mode": "High",
        "audiences": "Fans",
        "formats": "display (1); video (1)",
        "devices": "ctv (1)",
        "ssps": "BidSwitch (1)",
        "ssp_count": "1",
        "publishers": "Disney+ (1); Paramount (1)",
        "price_types": "auction (1)",
        "currencies": "USD (1)",
        "statuses": "",
    }


@pytest.mark.parametrize(
    ("lowest", "risk", "words"),
    [(False, "Floor", "below the brand-safety floor"), (True, "Low", "lowest risk")],
)
def test_package_row_says_how_the_rating_floor_was_read(lowest, risk, words):
    made = sheet_of_deals(
        Deal("1", safety=Safety("Floor")), rules=CheckRules(RULES.today, floor_is_lowest_risk=lowest)
    )
    (row,) = rows_of(packages_csv([made], replace(ABOUT, floor_is_lowest_risk=lowest)))
    assert row["worst_garm_risk"] == risk
    assert words in row["garm_floor_reading"]


def test_only_an_approval_fills_the_columns_of_approval():
    rejected = replace(APPROVED, status="rejected")
    (row,) = rows_of(packages_csv(sheets(rejected), ABOUT))
    assert (row["package_status"], row["approved_by"], row["approved_at"]) == ("rejected", "", "")


# --- membership and warnings ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "membership"),
    [
        ("gemini-2.5-flash", "llm"),
        ("Rules (no AI)", "rule"),
        ("Rules (AI failed: Gemini's rate limit is reached)", "rule"),
        ("Analyst", "analyst"),
    ],
)
def test_membership_says_who_put_the_deals_together(source, membership):
    rows = rows_of(packages_deals_csv(sheets(replace(PACKAGE, source=source))))
    assert {row["membership_source"] for row in rows} == {membership}


def test_membership_of_a_deal_added_by_hand_is_the_analysts_with_its_reason():
    package = replace(PACKAGE, edited=True, by_hand={"0042": "Moved here from 'Other'"})
    rows = rows_of(packages_deals_csv(sheets(package)))
    assert [(row["membership_source"], row["membership_reason"]) for row in rows] == [
        ("analyst", "Moved here from 'Other'"),
        ("llm", "Suggested by gemini-2.5-flash"),
    ]


def test_warnings_stand_with_the_deals_they_are_about_and_all_with_the_package():
    (made,) = sheets(PACKAGE)
    made = replace(
        made,
        findings=(
            Finding("EXPIRED", "warning", "One ended.", ("0042",)),
            Finding("NAME_SAME", "warning", "The name is taken."),
            Finding("MULTI_SSP", "info", "Two SSPs.", ("0042",)),
        ),
    )
    assert [row["warnings"] for row in rows_of(packages_deals_csv([made]))] == ["EXPIRED: One ended.", ""]
    (row,) = rows_of(packages_csv([made], ABOUT))
    assert row["warnings"] == "EXPIRED: One ended. | NAME_SAME: The name is taken."


def test_long_cells_are_never_cut_but_told_of():
    (made,) = sheets(replace(PACKAGE, reasoning="x" * 60_000))
    (row,) = rows_of(packages_csv([made], ABOUT))
    assert row["reasoning"] == "x" * 60_000
    assert "reasoning has 60,000 characters; a cell of Excel holds 32,767" in row["warnings"]


def test_a_cell_that_just_fits_is_not_told_of():
    (row,) = rows_of(packages_csv(sheets(replace(PACKAGE, reasoning="x" * 32_767)), ABOUT))
    assert "reasoning" not in row["warnings"]


# --- ids and encoding -------------------------------------------------------------------------

ODD_IDS = ("0042", "00", "999888777666555444", "1e5", "-123", "PM-12", "1,5", 'a"b', "Ω-1", "true", "NA")


def test_ids_come_back_as_the_text_they_were():
    made = sheet_of_deals(*map(Deal, ODD_IDS))
    assert tuple(row["deal_id"] for row in rows_of(packages_deals_csv([made]))) == ODD_IDS
    (row,) = rows_of(packages_csv([made], ABOUT))
    assert tuple(row["deal_ids"].split(";")) == ODD_IDS


def test_an_id_with_a_semicolon_makes_the_list_of_ids_json():
    (row,) = rows_of(packages_csv([sheet_of_deals(Deal("a;b"), Deal("c"))], ABOUT))
    assert row["deal_ids"] == '["a;b","c"]'


def test_excel_safe_ids_are_text_formulas_for_every_id_that_excel_could_take_for_a_number():
    made = sheet_of_deals(*map(Deal, ODD_IDS))
    cells = [row["deal_id"] for row in rows_of(deals_csv([made], excel_safe_ids=True))]
    assert cells[2] == '="999888777666555444"'
    assert tuple(map(restore, cells)) == ODD_IDS
    one = sheet_of_deals(Deal("0042"))
    assert rows_of(packages_table([one], excel_safe_ids=True))[0]["deal_ids"] == '="0042"'
    assert rows_of(packages_table([made], excel_safe_ids=True))[0]["deal_ids"] == ";".join(ODD_IDS)


@WRITERS
def test_byte_order_mark_stands_only_where_it_was_asked_for(write):
    marked, plain = write(sheets(PACKAGE), bom=True), write(sheets(PACKAGE))
    assert marked == b"\xef\xbb\xbf" + plain


# --- formulas ---------------------------------------------------------------------------------


def test_formulas_are_marked_in_every_text_of_a_package_and_its_deals():
    bad = "=HYPERLINK(1)"
    deal = Deal(bad, deal_name=bad, ssp_name=bad, publishers=(bad,), taxonomy=Taxonomy(bad), geos=(bad,))
    package = Package(bad, bad, (bad,), bad, bad, status="approved", decided_by=bad, by_hand={bad: bad})
    made = sheets(package, deals=(deal,))
    for data in (packages_csv(made, ABOUT), packages_deals_csv(made)):
        (row,) = rows_of(data)
        assert not [name for name, cell in row.items() if cell.startswith("=")]
        assert row["package_name"] == f"'{bad}"


@settings(max_examples=50)
@given(TEXT, TEXT)
@example("a\r\nb", 'c"d,e')
def test_any_text_comes_back_whole(name, reasoning):
    made = replace(sheets(PACKAGE)[0], package=replace(PACKAGE, name=name, reasoning=reasoning))
    (row,) = rows_of(packages_csv([made], ABOUT))
    assert (restore(row["package_name"]), restore(row["reasoning"])) == (name, reasoning)


def test_a_deal_of_two_packages_has_a_row_in_each():
    rows = rows_of(packages_deals_csv(sheets(PACKAGE, replace(PACKAGE, id="pkg-2", by_hand={"0042": "x"}))))
    assert [(row["package_id"], row["deal_id"], row["membership_source"]) for row in rows] == [
        ("pkg-1", DEAL.deal_id, "llm"),
        ("pkg-1", BARE.deal_id, "llm"),
        ("pkg-2", DEAL.deal_id, "analyst"),
        ("pkg-2", BARE.deal_id, "llm"),
    ]
