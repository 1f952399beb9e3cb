"""Rows for DV360, and members that cannot be one."""

import csv
import io
from dataclasses import replace

import pytest

from core.deals import Deal
from core.exports import Dv360Options, dv360_sdf
from tests.exports.sheets import sheet_of_deals, usd

DEAL = Deal(
    "0042",
    deal_name="Sports OTT",
    ssp_name="BidSwitch",
    formats=("video",),
    publishers=("Paramount",),
    commercial=usd("5.50"),
    price_type="fixed",
    start_time="2026-01-01T08:00:00Z",
    end_time="2026-06-30",
)


def rows_of(sdf):
    return list(csv.DictReader(io.StringIO(sdf.data.decode(), newline="")))


def test_a_row_has_every_column_in_its_place_and_blanks_for_what_nobody_knows():
    (row,) = rows_of(dv360_sdf([sheet_of_deals(DEAL)]))
    assert list(row.items()) == [
        ("Exchange", "BidSwitch"),
        ("Product Id", "0042"),
        ("Inventory Source Id", ""),
        ("Product Name", "Sports OTT"),
        ("Commitment Type", "Nonguaranteed"),
        ("Rate Type", "Fixed"),
        ("Delivery Method", "Programmatic"),
        ("Publisher/Seller", "Paramount"),
        ("Rate", "5.50"),
        ("Currency Code", "USD"),
        ("Start Date", "01/01/2026 08:00"),
        ("End Date", "06/30/2026 23:59"),
        ("Order Name", "Sports Package"),
        ("Units Purchased", ""),
        ("Status", ""),
        ("Paused Reason", ""),
        ("Format", "Video"),
        ("Sizes", ""),
        ("Permissioned Partners", ""),
        ("Permissioned Advertisers", ""),
    ]


@pytest.mark.parametrize(
    ("change", "column", "cell"),
    [
        ({"price_type": "auction"}, "Rate Type", "Auction"),
        ({"price_type": None}, "Rate Type", ""),
        ({"publishers": ("a", "b")}, "Publisher/Seller", ""),
        ({"formats": ("video", "display")}, "Format", ""),
        ({"deal_name": None}, "Product Name", "0042"),
        ({"end_time": None}, "End Date", ""),
    ],
)
def test_a_cell_is_blank_rather_than_guessed(change, column, cell):
    (row,) = rows_of(dv360_sdf([sheet_of_deals(replace(DEAL, **change))]))
    assert row[column] == cell


def test_the_analyst_chooses_commitment_and_delivery():
    (row,) = rows_of(dv360_sdf([sheet_of_deals(DEAL)], Dv360Options("Guaranteed", "Tag")))
    assert (row["Commitment Type"], row["Delivery Method"]) == ("Guaranteed", "Tag")


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ({"ssp_name": None}, "an exchange"),
        ({"commercial": usd("5", None)}, "a currency"),
        ({"commercial": usd("0")}, "a floor above 0"),
        ({"commercial": Deal("x").commercial, "currency": "USD"}, "a floor above 0"),
        ({"ssp_name": None, "commercial": usd("5", None)}, "an exchange and a currency"),
    ],
)
def test_a_member_without_what_a_row_needs_is_listed_and_never_filled_in(change, lacks):
    sdf = dv360_sdf([sheet_of_deals(DEAL, replace(DEAL, deal_id="13", **change))])
    assert [row["Product Id"] for row in rows_of(sdf)] == ["0042"]
    (item,) = sdf.left_out
    assert (item.package_id, item.deal_id) == ("pkg-1", "13")
    assert item.sentence == f"13 lacks {lacks}: complete it in the deal file."


def test_formulas_are_guarded():
    (row,) = rows_of(dv360_sdf([sheet_of_deals(replace(DEAL, ssp_name="=1+1"))]))
    assert row["Exchange"] == "'=1+1"
