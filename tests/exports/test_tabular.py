"""Packages as CSV: fixed columns, exact ids, harmless cells."""

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.deals import Audience, Commercial, Deal, Money, Safety, Taxonomy
from core.errors import ExportError
from core.exports import neutralise, packages_csv, packages_deals_csv, table_csv
from core.packages import Package

DEAL = Deal(
    "0042",
    deal_name="Sports OTT",
    ssp_name="BidSwitch",
    formats=("video", "display"),
    taxonomy=Taxonomy("Sports", "Football"),
    safety=Safety("Low", True),
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
DEALS = {deal.deal_id: deal for deal in (DEAL, BARE)}
PACKAGE = Package(
    "pkg-1", "Sports Package", ("0042", "999888777666555444"), "Live sports.", "gemini-2.5-flash"
)
APPROVED = replace(
    PACKAGE, version=3, status="approved", decided_by="Ada", decided_at="2026-03-01T10:00:00+00:00"
)

PACKAGE_COLUMNS = [
    "package_id", "package_name", "package_status", "package_version", "approved_by", "approved_at",
]  # fmt: skip
DEAL_COLUMNS = [
    "deal_id", "deal_name", "ssp_name", "publishers", "format", "device", "floor_price", "currency",
    "price_type", "start_date", "end_date", "geos", "tier1", "tier2", "garm_risk", "family_safe",
    "quality_tier", "scale", "scale_unit", "membership_source",
]  # fmt: skip


def rows_of(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def header_of(data):
    return next(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


# --- columns ----------------------------------------------------------------------------------


def test_deal_rows_have_the_documented_columns_in_their_order():
    assert header_of(packages_deals_csv([], {})) == PACKAGE_COLUMNS + DEAL_COLUMNS


def test_package_rows_have_the_documented_columns_in_their_order():
    assert header_of(packages_csv([], {})) == [
        *PACKAGE_COLUMNS, "deal_count", "deal_ids", "reasoning", "proposal_source", "formats", "ssps",
        "tier1", "quality_tiers", "floors", "floor_unknown", "worst_garm_risk", "garm_risk_unknown",
        "family_safe",
    ]  # fmt: skip


def test_deal_row_carries_every_known_fact_under_its_own_header():
    first, _ = rows_of(packages_deals_csv([APPROVED], DEALS))
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
        "tier2": "Football",
        "garm_risk": "Low",
        "family_safe": "true",
        "quality_tier": "Premium",
        "scale": "27000000",
        "scale_unit": "weekly_avails",
        "membership_source": "llm",
    }


def test_unknown_facts_stay_blank_and_are_never_zero_or_safe():
    _, bare = rows_of(packages_deals_csv([PACKAGE], DEALS))
    known = {name for name, value in bare.items() if value}
    assert known == {
        "package_id", "package_name", "package_status", "package_version", "deal_id", "membership_source",
    }  # fmt: skip


@pytest.mark.parametrize(("answer", "cell"), [(True, "true"), (False, "false"), (None, "")])
def test_family_safe_is_written_in_words(answer, cell):
    deals = {"1": Deal("1", safety=Safety(family_safe=answer))}
    (row,) = rows_of(packages_deals_csv([replace(PACKAGE, deal_ids=("1",))], deals))
    assert row["family_safe"] == cell


def test_explicit_zero_floor_is_written_as_zero():
    deals = {"1": Deal("1", commercial=Commercial(floor_price=Money(Decimal("0"))))}
    (row,) = rows_of(packages_deals_csv([replace(PACKAGE, deal_ids=("1",))], deals))
    assert (row["floor_price"], row["currency"]) == ("0", "")


def test_package_row_counts_facts_over_its_deals():
    (row,) = rows_of(packages_csv([APPROVED], DEALS))
    assert (row["deal_count"], row["deal_ids"]) == ("2", "0042;999888777666555444")
    assert row["floors"] == "USD 5.50-5.50 over 1 of 2"
    assert (row["floor_unknown"], row["garm_risk_unknown"]) == ("1", "1")
    assert (row["worst_garm_risk"], row["family_safe"]) == ("Low", "unknown")
    assert row["formats"] == "display (1); video (1)"


def test_only_an_approval_fills_the_columns_of_approval():
    rejected = replace(APPROVED, status="rejected")
    (row,) = rows_of(packages_csv([rejected], DEALS))
    assert (row["package_status"], row["approved_by"], row["approved_at"]) == ("rejected", "", "")


@pytest.mark.parametrize(
    ("source", "membership"),
    [
        ("gemini-2.5-flash", "llm"),
        ("Rules (no AI)", "rule"),
        ("Rules (AI failed: Gemini's rate limit is reached)", "rule"),
    ],
)
def test_membership_says_whether_a_model_or_rules_put_the_deals_together(source, membership):
    rows = rows_of(packages_deals_csv([replace(PACKAGE, source=source)], DEALS))
    assert {row["membership_source"] for row in rows} == {membership}
    (row,) = rows_of(packages_csv([replace(PACKAGE, source=source)], DEALS))
    assert row["proposal_source"] == source


def test_membership_of_an_edited_package_is_the_analysts():
    rows = rows_of(packages_deals_csv([replace(PACKAGE, edited=True)], DEALS))
    assert {row["membership_source"] for row in rows} == {"analyst"}
    (row,) = rows_of(packages_csv([replace(PACKAGE, edited=True)], DEALS))
    assert row["proposal_source"] == "gemini-2.5-flash"


def test_caller_chooses_the_packages_and_their_order():
    rejected = replace(PACKAGE, id="pkg-2", status="rejected")
    rows = rows_of(packages_csv([rejected, APPROVED], DEALS))
    assert [(row["package_id"], row["package_status"]) for row in rows] == [
        ("pkg-2", "rejected"),
        ("pkg-1", "approved"),
    ]


def test_packages_of_one_name_stay_apart():
    rows = rows_of(packages_csv([PACKAGE, replace(PACKAGE, id="pkg-2")], DEALS))
    assert [row["package_id"] for row in rows] == ["pkg-1", "pkg-2"]


# --- ids and encoding -------------------------------------------------------------------------

ODD_IDS = ("0042", "00", "999888777666555444", "1e5", "-123", "PM-12", "1,5", 'a"b', "Ω-1", "true", "NA")


def test_ids_come_back_as_the_text_they_were():
    deals = {deal_id: Deal(deal_id) for deal_id in ODD_IDS}
    package = replace(PACKAGE, deal_ids=ODD_IDS)
    assert tuple(row["deal_id"] for row in rows_of(packages_deals_csv([package], deals))) == ODD_IDS
    (row,) = rows_of(packages_csv([package], deals))
    assert tuple(row["deal_ids"].split(";")) == ODD_IDS


@pytest.mark.parametrize("write", [packages_csv, packages_deals_csv])
def test_byte_order_mark_stands_only_where_it_was_asked_for(write):
    marked, plain = write([PACKAGE], DEALS, bom=True), write([PACKAGE], DEALS)
    assert marked == b"\xef\xbb\xbf" + plain


def test_long_cells_are_never_cut():
    (row,) = rows_of(packages_csv([replace(PACKAGE, reasoning="x" * 60_000)], DEALS))
    assert row["reasoning"] == "x" * 60_000


@pytest.mark.parametrize("write", [packages_csv, packages_deals_csv])
def test_missing_deals_are_named_and_nothing_is_written(write):
    with pytest.raises(ExportError, match=r"'Sports Package' .*\(gone, 13\): remove them") as caught:
        write([PACKAGE, replace(PACKAGE, deal_ids=("gone", "0042", "13"))], DEALS)
    assert "0042" not in str(caught.value)


# --- formulas ---------------------------------------------------------------------------------

FORMULAS = [
    "=cmd|' /C calc'!A0",
    "=1+1",
    "+SUM(A1)",
    "-2+3",
    "-1-1",
    "@SUM(1)",
    "|calc",
    "%0A",
    "\t=1",
    "\tplain",
    "\rplain",
    "\nplain",
    "  =1",
    "\u00a0=1",
    "\u200b=1",
    "\ufeff=1",
    "\x00=1",
    "\u200e\u2060 =1",
    "\uff1d1+1",  # full-width =
    "\uff0b1+1",
    "\uff0d1+A1",
    "\uff20SUM(1)",
    "'=1+1",
    "''=1",
    "+1;=2",
    "-",
    "=",
]
HARMLESS = [
    "", " ", "Sports", "a=b", "a+b", "12", "-123", "+5", "-1.5", "+1,234.50", "-10%", "0042",
    "2026-01-01", "it's", "'quoted'", "Disney+", "Low-Risk", "50%", "\u2212", "O'Neil", "\u200bplain",
]  # fmt: skip


@pytest.mark.parametrize("cell", FORMULAS)
def test_cell_that_a_spreadsheet_would_run_is_marked_as_text(cell):
    assert neutralise(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", HARMLESS)
def test_harmless_cell_stays_as_it_is(cell):
    assert neutralise(cell) == cell


def test_formulas_are_marked_in_every_text_of_a_package_and_its_deals():
    bad = "=HYPERLINK(1)"
    deal = Deal(bad, deal_name=bad, ssp_name=bad, publishers=(bad,), taxonomy=Taxonomy(bad), geos=(bad,))
    package = Package(bad, bad, (bad,), bad, bad, status="approved", decided_by=bad)
    for data in (packages_csv([package], {bad: deal}), packages_deals_csv([package], {bad: deal})):
        (row,) = rows_of(data)
        assert not [name for name, cell in row.items() if cell.startswith("=")]
        assert row["package_name"] == f"'{bad}"


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("=\r\n")
@example("'\t")
def test_marking_adds_one_apostrophe_or_nothing_and_leaves_no_formula(cell):
    safe = neutralise(cell)
    assert safe in (cell, f"'{cell}")
    assert not safe.startswith(("=", "@", "\t", "\r", "\n"))
    assert not (safe[:1] in ("+", "-") and set(safe) & set("=(!|+-*/;") - {safe[0]})


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
@example("a\r\nb", 'c"d,e')
def test_any_text_comes_back_whole(name, reasoning):
    package = replace(PACKAGE, name=name, reasoning=reasoning)
    (row,) = rows_of(packages_csv([package], DEALS))
    assert (row["package_name"], row["reasoning"]) == (neutralise(name), neutralise(reasoning))


def test_header_of_a_foreign_table_is_guarded_like_its_cells() -> None:
    data = table_csv(["=cmd()", "ok"], [["\u00ad=1", "a;=1"]]).decode()
    assert data.splitlines() == ['"\'=cmd()","ok"', '"\'\u00ad=1","a;=1"']
