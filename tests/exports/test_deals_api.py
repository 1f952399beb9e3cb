"""Packages as objects of the IAB Deals API, field by field."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from jsonschema import Draft202012Validator

from core.deals import Deal, Taxonomy
from core.errors import ExportError
from core.exports import DealsApiOptions, deals_api_json
from core.exports.deals_api import (
    check_payload,
    countries_of,
    deals_api_objects,
    option_problems,
    package_doubts,
    schema,
)
from tests.exports.sheets import sheet_of_deals, usd

OPTIONS = DealsApiOptions(origin="ssp.example.com")
VIDEO = Deal(
    "0042",
    formats=("video",),
    commercial=usd("5.50"),
    publishers=("news.example.com",),
    devices=("ctv", "phone"),
    geos=("US", "CA"),
    taxonomy=Taxonomy("Sports"),
    inventory_type="apps, websites",
    start_time="2026-01-01T08:00:00Z",
    end_time="2026-06-30",
)
SPORT = replace(VIDEO, deal_id="13", formats=("audio",), commercial=usd("7"), geos=("United States",))


def payload(*deals, options=OPTIONS, **package):
    (found,) = deals_api_objects([sheet_of_deals(*deals, **package)], options)
    return found


# --- the object -------------------------------------------------------------------------------


def test_an_object_says_what_the_table_of_the_specification_has_for_it():
    made = payload(
        VIDEO,
        SPORT,
        options=replace(
            OPTIONS,
            seller="seller.example.com",
            created="2026-01-01T00:00:00+02:00",
            wseat=("s1", "s2"),
            auxdata=3,
            curator="curator.example.com",
            curfeetype=1,
        ),
    )
    assert made == {
        "id": "pkg-1",
        "name": "Sports Package",
        "origin": "ssp.example.com",
        "seller": "seller.example.com",
        "created": "2025-12-31T22:00:00Z",
        "sellerstatus": 2,
        "desc": "Live sports.",
        "wseat": ["s1", "s2"],
        "adtypes": [2, 3],
        "auxdata": 3,
        "pubcount": 1,
        "dinventory": 0,
        "terms": {
            "startdate": "2026-01-01T08:00:00Z",
            "enddate": "2026-06-30T23:59:59Z",
            "countries": ["USA"],
            "dealfloor": 7.0,
            "cur": "USD",
            "guar": 0,
            "pricetype": 2,
        },
        "curation": {"curator": "curator.example.com", "cdealid": "pkg-1", "curfeetype": 1},
        "ext": {"member_deal_ids": ["0042", "13"], "reasoning": "Live sports."},
    }


def test_what_nobody_knows_is_left_out_and_the_currency_is_written_always():
    assert payload(Deal("1")) == {
        "id": "pkg-1",
        "name": "Sports Package",
        "origin": "ssp.example.com",
        "sellerstatus": 2,
        "desc": "Live sports.",
        "auxdata": 0,
        "pubcount": 0,
        "dinventory": 0,
        "terms": {"cur": "USD", "guar": 0, "pricetype": 2},
        "ext": {"member_deal_ids": ["1"], "reasoning": "Live sports."},
    }


def test_a_long_reasoning_is_cut_in_desc_and_whole_in_ext():
    made = payload(VIDEO, reasoning="x" * 400)
    assert (len(made["desc"]), len(made["ext"]["reasoning"])) == (250, 400)


@pytest.mark.parametrize(
    ("deals", "found"),
    [
        ((VIDEO, SPORT), [2, 3]),
        ((replace(VIDEO, formats=("display", "native")),), [1, 4]),
        ((VIDEO, replace(SPORT, formats=())), None),  # one unknown: a list would claim too much
    ],
)
def test_ad_types_are_listed_only_when_every_deal_says_its_own(deals, found):
    assert payload(*deals).get("adtypes") == found


@pytest.mark.parametrize(
    ("publishers", "count"),
    [((("a",), ("A",)), 1), ((("a",), ("b",)), 2), ((("a",), ()), 0), (((), ()), 0), ((("a", "b"), ()), 2)],
)
def test_publishers_are_counted_as_far_as_they_are_known(publishers, count):
    one, two = publishers
    assert payload(replace(VIDEO, publishers=one), replace(SPORT, publishers=two))["pubcount"] == count


def test_inventory_is_told_only_when_it_is_static():
    assert "inventory" not in payload(VIDEO)
    assert "inventory" not in payload(VIDEO, options=replace(OPTIONS, dinventory=2))
    assert payload(VIDEO, options=replace(OPTIONS, dinventory=1))["inventory"] == {
        "inclinventory": [1, 2],
        "devicetype": [3, 4],
        "sitedomains": ["news.example.com"],
        "cat": ["483"],
        "cattax": 9,
    }


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"inventory_type": "ctv"}, {"inclinventory"}),  # the specification has no number for it
        ({"inventory_type": None}, {"inclinventory"}),
        ({"devices": ()}, {"devicetype"}),
        ({"publishers": ("Paramount",)}, {"sitedomains"}),
        ({"taxonomy": Taxonomy("No such thing at all")}, {"cat", "cattax"}),
        ({"taxonomy": Taxonomy()}, {"cat", "cattax"}),
    ],
)
def test_static_inventory_leaves_out_lists_that_would_be_incomplete(change, missing):
    static = replace(OPTIONS, dinventory=1)
    complete = payload(VIDEO, options=static)["inventory"]
    found = payload(VIDEO, replace(SPORT, **change), options=static)["inventory"]
    assert set(complete) - set(found) == missing


def test_guaranteed_deals_carry_units_and_cost_and_others_do_not():
    options = replace(OPTIONS, units=1000, total_cost=Decimal("12.50"))
    assert {"units", "totalcost"}.isdisjoint(payload(VIDEO, options=options)["terms"])
    terms = payload(VIDEO, options=replace(options, guar=1))["terms"]
    assert (terms["guar"], terms["units"], terms["totalcost"]) == (1, 1000, 12.5)


def test_blocked_seats_are_written_as_such():
    made = payload(VIDEO, options=replace(OPTIONS, bseat=("s1",)))
    assert made["bseat"] == ["s1"]
    assert "wseat" not in made


# --- floors and countries ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("commercial", "options", "floor", "currency"),
    [
        (usd("7"), OPTIONS, 7.0, "USD"),
        (usd("7", "EUR"), OPTIONS, 7.0, "EUR"),
        (usd("7", "EUR"), replace(OPTIONS, currency="GBP"), 7.0, "EUR"),  # what a deal says wins
        (usd("7", None), replace(OPTIONS, currency="GBP"), 7.0, "GBP"),
        (usd("0"), OPTIONS, 0.0, "USD"),
    ],
)
def test_floor_and_currency(commercial, options, floor, currency):
    terms = payload(replace(VIDEO, commercial=commercial), options=options)["terms"]
    assert (terms["dealfloor"], terms["cur"]) == (floor, currency)


def test_without_a_floor_the_currency_is_the_one_the_deals_trade_in():
    assert payload(Deal("1", currency="EUR"))["terms"]["cur"] == "EUR"


@pytest.mark.parametrize(
    ("deals", "reason"),
    [
        ((VIDEO, replace(SPORT, commercial=usd("7", "EUR"))), r"several currencies \(EUR, USD\)"),
        ((VIDEO, replace(SPORT, commercial=usd("7", None))), r"several currencies \(unknown, USD\)"),
        ((replace(VIDEO, commercial=usd("7", None)),), "currency of its floors is unknown"),
        ((VIDEO, replace(SPORT, geos=("FR",))), "no country is common"),
        ((VIDEO, replace(SPORT, start_time="2027-01-01")), "never run together"),
    ],
)
def test_a_package_that_is_no_single_deal_is_refused_with_its_name(deals, reason):
    with pytest.raises(ExportError, match=f"'Sports Package': .*{reason}"):
        payload(*deals)


@pytest.mark.parametrize(
    ("deals", "code", "ids"),
    [
        ((VIDEO, Deal("2", geos=("US",))), "have no known floor", ("2",)),
        (
            (VIDEO, replace(SPORT, geos=())),
            "name no known country: the countries are those of the others",
            ("13",),
        ),
        ((replace(VIDEO, geos=()),), "the object says all countries", ("0042",)),
        ((replace(VIDEO, geos=("US", "Atlantis")),), "'Atlantis' is no country of ISO 3166-1", ("0042",)),
        ((replace(VIDEO, end_time=None),), "no deal names an end: the object says it never ends", ("0042",)),
    ],
)
def test_gaps_are_told_with_the_deals_they_come_from(deals, code, ids):
    found = package_doubts(sheet_of_deals(*deals), OPTIONS)
    assert [(doubt.deal_ids, doubt.blocks) for doubt in found if code in doubt.sentence] == [(ids, False)]


def test_a_sound_package_has_no_gap():
    assert package_doubts(sheet_of_deals(VIDEO, SPORT), OPTIONS) == ()


def test_countries_are_shared_whatever_way_they_are_written_and_never_guessed():
    found = countries_of((VIDEO, SPORT, Deal("2", geos=("Atlantis",)), Deal("3")))
    assert found.shared == ("USA",)
    assert (found.known, found.silent) == (("0042", "13"), ("2", "3"))
    assert (found.foreign, found.foreign_deals) == (("Atlantis",), ("2",))


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (DealsApiOptions(), "The origin is not set"),
        (DealsApiOptions(origin="  "), "The origin is not set"),
        (DealsApiOptions(origin="https://ssp.example.com/x"), "The origin is .* no domain"),
        (replace(OPTIONS, seller="me"), "The seller is 'me', which is no domain"),
        (replace(OPTIONS, curator="me"), "The curator is 'me', which is no domain"),
        (replace(OPTIONS, wseat=("a",), bseat=("b",)), "Both allowed and blocked seats"),
        (replace(OPTIONS, created="soon"), "Created is 'soon'"),
        (replace(OPTIONS, currency="money"), "no ISO 4217 code"),
        (replace(OPTIONS, sellerstatus=5), "sellerstatus is 5: choose one of 0, 1, 2, 3, 4"),
        (replace(OPTIONS, auxdata=5), "auxdata is 5"),
        (replace(OPTIONS, dinventory=3), "dinventory is 3"),
        (replace(OPTIONS, guar=2), "guar is 2"),
        (replace(OPTIONS, pricetype=4), "pricetype is 4"),
        (replace(OPTIONS, curfeetype=5), "curfeetype is 5"),
        (replace(OPTIONS, guar=1), "need their units and their total cost"),
    ],
)
def test_wrong_or_missing_options_block_the_export_in_one_sentence(options, reason):
    assert len(option_problems(options)) == 1
    with pytest.raises(ExportError, match=reason):
        deals_api_json([sheet_of_deals(VIDEO)], options)


def test_the_file_is_a_list_with_an_object_for_each_package():
    made = [sheet_of_deals(VIDEO), sheet_of_deals(SPORT, id="pkg-2")]
    assert [item["id"] for item in json.loads(deals_api_json(made, OPTIONS))] == ["pkg-1", "pkg-2"]
    assert json.loads(deals_api_json([], OPTIONS)) == []


# --- schema -----------------------------------------------------------------------------------


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(schema())


SOUND = {
    "id": "1",
    "origin": "ssp.example.com",
    "terms": {"cur": "USD", "startdate": "2026-01-01T00:00:00Z"},
    "ext": {"member_deal_ids": ["1"]},
}


def test_the_smallest_object_fits_the_schema():
    check_payload(SOUND)


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": ""},
        {"origin": None},
        {"origin": "no domain"},
        {"terms": None},
        {"terms": {}},
        {"terms": {"cur": "usd"}},
        {"terms": {"cur": "USD", "countries": ["US"]}},
        {"terms": {"cur": "USD", "dealfloor": -1}},
        {"terms": {"cur": "USD", "guar": 2}},
        {"terms": {"cur": "USD", "guar": 1}},
        {"terms": {"cur": "USD", "guar": 0, "units": 5}},
        {"terms": {"cur": "USD", "pricetype": 4}},
        {"terms": {"cur": "USD", "enddate": "2026-01-01"}},
        {"created": "2026-01-01T00:00:00+02:00"},
        {"sellerstatus": 5},
        {"desc": "x" * 251},
        {"wseat": ["a"], "bseat": ["b"]},
        {"wseat": []},
        {"adtypes": [5]},
        {"adtypes": []},
        {"auxdata": 5},
        {"pubcount": 3},
        {"dinventory": 3},
        {"inventory": {"cat": ["1"], "cattax": 9}},  # only with dinventory 1
        {"inventory": {"cat": ["1"]}, "dinventory": 1},
        {"inventory": {"devicetype": [9]}, "dinventory": 1},
        {"inventory": {"inclinventory": [7]}, "dinventory": 1},
        {"curation": {"cdealid": "1"}},
        {"curation": {"curator": "c.example.com", "curfeetype": 5}},
        {"members": ["1"]},
    ],
)
def test_an_object_against_the_table_does_not_fit_the_schema(change):
    broken = {name: value for name, value in {**SOUND, **change}.items() if value is not None}
    with pytest.raises(ExportError, match="does not fit the Deals API"):
        check_payload(broken)


@pytest.mark.parametrize(
    "change",
    [
        {"terms": {"cur": "USD", "guar": 1, "units": 5, "totalcost": 2.5}},
        {"terms": {"cur": "USD", "pricetype": 500}},
        {"inventory": {"cat": ["1"], "cattax": 9}, "dinventory": 1},
        {"sellerstatus": 4},
        {"ext": {"member_deal_ids": ["1"], "anything": {}}},
    ],
)
def test_an_object_by_the_table_fits_the_schema(change):
    check_payload({**SOUND, **change})
