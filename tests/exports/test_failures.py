"""Mistakes that exports of deal packages are known for; none of them happens here."""

import csv
import io
import json
import zipfile
from dataclasses import replace

import pytest

from core.deals import Deal
from core.exports import PRESETS, DealsApiOptions, ExportJob, RunLog, diff, export, read_back
from core.exports.dv360 import COLUMNS as SDF_COLUMNS
from tests.exports.sheets import ABOUT, APPROVED, PACKAGE, sheet_of_deals, sheets, usd

DEALS_API = DealsApiOptions(origin="ssp.example.com")


def written(key, *made, about=ABOUT):
    return export(key, ExportJob(made, about, deals_api=DEALS_API))


def rows_of(data):
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_packages_of_one_name_stay_apart_in_every_file():
    made = sheets(PACKAGE, replace(PACKAGE, id="pkg-2"))
    assert [row["package_id"] for row in rows_of(written("packages", *made))] == ["pkg-1", "pkg-2"]
    assert {row["package_id"] for row in rows_of(written("packages_deals", *made))} == {"pkg-1", "pkg-2"}
    for key, name in (("json", "package_id"), ("deals_api", "id")):
        document = json.loads(written(key, *made))
        entries = document["packages"] if key == "json" else document
        assert [entry[name] for entry in entries] == ["pkg-1", "pkg-2"]
    assert written("summary_html", *made).count(b"<section>") == 2


def test_no_file_holds_a_package_that_nobody_made():
    made = sheets(APPROVED)
    assert len(rows_of(written("packages", *made))) == 1
    assert len(json.loads(written("json", *made))["packages"]) == 1
    assert len(json.loads(written("deals_api", *made))) == 1
    for key in PRESETS:
        if key != "workbook":
            assert b"Excluded" not in written(key, *made)


def test_every_value_stands_under_its_own_header():
    """Each field holds its own name, so that a value in another column shows."""
    deal = Deal(
        "deal_id", deal_name="deal_name", ssp_name="ssp_name", publishers=("publishers",), geos=("geos",),
        start_time="2026-01-01", end_time="2026-01-02", price_type="fixed", commercial=usd("7"),
    )  # fmt: skip
    made = sheet_of_deals(deal, id="package_id", name="package_name", reasoning="reasoning")
    (row,) = rows_of(written("packages_deals", made))
    for name in ("package_id", "package_name", "deal_id", "deal_name", "ssp_name", "publishers", "geos"):
        assert row[name] == name
    assert (row["start_date"], row["end_date"], row["floor_price"]) == ("2026-01-01", "2026-01-02", "7")
    (row,) = rows_of(written("packages", made))
    assert (row["deal_ids"], row["reasoning"]) == ("deal_id", "reasoning")
    (row,) = rows_of(written("dv360", made))
    assert list(row) == list(SDF_COLUMNS)
    assert (row["Product Id"], row["Exchange"], row["Order Name"]) == ("deal_id", "ssp_name", "package_name")


def test_no_text_is_cut():
    text = "long " * 12_000
    made = sheet_of_deals(Deal("1", deal_name=text.strip()), reasoning=text)
    assert rows_of(written("packages", made))[0]["reasoning"] == text
    assert json.loads(written("json", made))["packages"][0]["reasoning"] == text
    assert json.loads(written("deals_api", made))[0]["ext"]["reasoning"] == text


def test_ids_nobody_knows_are_not_taken_from_a_file_that_comes_back():
    made = sheets(PACKAGE)
    text = written("packages_deals", *made).decode().replace("0042", "invented")
    deals = {deal.deal_id: deal for deal in made[0].members}
    found = diff(read_back(text.encode(), "a.csv"), [PACKAGE], deals)
    assert [(item.kind, item.deal_ids) for item in found if item.command is None] == [
        ("refused", ("invented",))
    ]
    assert not [item for item in found if item.command and "invented" in repr(item.command)]


@pytest.mark.parametrize("key", ["packages_deals", "packages", "dv360", "deals_api", "summary_markdown"])
def test_an_unknown_floor_is_never_zero(key):
    data = written(key, sheet_of_deals(Deal("1", ssp_name="SSP", currency="USD")))
    assert b"0.0" not in data
    assert b"USD 0" not in data
    assert b"dealfloor" not in data


def test_every_amount_has_its_currency_and_currencies_never_mix():
    made = sheet_of_deals(
        Deal("1", commercial=usd("5")),
        Deal("2", commercial=usd("9", "EUR")),
        Deal("3", commercial=usd("1", None)),
    )
    assert [row["currency"] for row in rows_of(written("packages_deals", made))] == ["USD", "EUR", ""]
    (row,) = rows_of(written("packages", made))
    assert row["floors"] == "? 1-1 over 1 of 3 deals; EUR 9-9 over 1 of 3 deals; USD 5-5 over 1 of 3 deals"
    page = written("summary_markdown", made).decode()
    assert "unknown currency 1 to 1 CPM" in page


def test_forecasts_of_different_units_are_never_added():
    made = sheet_of_deals(
        Deal("1", scale=100, scale_unit="impressions"),
        Deal("2", scale=900, scale_unit="bid_requests"),
        Deal("3", scale=50, scale_unit="impressions", period="week"),
        Deal("4", scale=7),
    )
    (row,) = rows_of(written("packages", made))
    units = [part.split(" over ")[0] for part in row["scale"].split("; ")]
    assert units == ["900 bid_requests", "100 impressions", "50 impressions per week"]
    assert row["scale_unknown"] == "1"


def test_no_file_holds_a_secret_of_the_settings():
    key = "AIza-canary-of-the-key-0123456789"
    about = replace(ABOUT, settings={"method": "gmm", "gemini_api_key": key, "provider": {"api_key": key}})
    job = ExportJob(sheets(APPROVED), about, deals_api=DEALS_API, log=RunLog())
    for name in PRESETS:
        assert key.encode() not in export(name, job)
    # A workbook is packed: look inside as well.
    with zipfile.ZipFile(io.BytesIO(export("workbook", job))) as book:
        assert not [name for name in book.namelist() if key.encode() in book.read(name)]
