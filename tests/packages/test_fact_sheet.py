"""Facts of a package: flight, countries, scale, agreement; unknown is never a value."""

from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.deals import Audience, Commercial, Deal, Money, Safety, Taxonomy
from core.deals.facts import UNKNOWN_CURRENCY, FloorRange
from core.deals.flight import end_of, running_time, start_of
from core.packages.fact_sheet import (
    GEOS_ALL_NOTE,
    GEOS_ANY_NOTE,
    SCALE_NOTE,
    PackageFacts,
    ScaleSum,
    currency_of,
    flight_of,
    package_facts,
)
from core.reading import parse_deal
from tests.deals import records


def flights(*times):
    return [Deal(str(n), start_time=start, end_time=end) for n, (start, end) in enumerate(times)]


def scaled(*scales):
    return [
        Deal(str(n), scale=number, scale_unit=unit, period=period)
        for n, (number, unit, period) in enumerate(scales)
    ]


# --- count --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deals", "typical"), [(0, False), (2, False), (3, True), (15, True), (16, False)])
def test_typical_package_holds_3_to_15_deals(deals, typical):
    assert package_facts([Deal(str(n)) for n in range(deals)]).typical_size is typical


def test_a_curated_deal_needs_one_id_for_each_known_ssp():
    deals = [
        Deal("1", ssp_name="Magnite"),
        Deal("2", ssp_name="Magnite"),
        Deal("3", ssp_name="OpenX"),
        Deal("4"),
    ]
    facts = package_facts(deals)
    assert facts.ssp_count == 2
    assert facts.counts.ssps == {"Magnite": 2, "OpenX": 1}


# --- flight -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "start", "end", "open_sides", "empty"),
    [
        ([], None, None, (0, 0), False),
        ([(None, None)], None, None, (1, 1), False),
        (
            [("2026-01-01", "2026-06-30"), ("2026-03-01", "2026-12-31")],
            "2026-03-01",
            "2026-06-30",
            (0, 0),
            False,
        ),
        ([("2026-01-01", None), (None, "2026-06-30")], "2026-01-01", "2026-06-30", (1, 1), False),
        ([("2026-07-01", None), (None, "2026-06-30")], "2026-07-01", "2026-06-30", (1, 1), True),
        # A day is whole: it starts with its first moment and ends with its last.
        ([("2026-07-01", None), (None, "2026-07-01")], "2026-07-01", "2026-07-01", (1, 1), False),
        (
            [("2026-07-01T12:00:00Z", None), (None, "2026-07-01")],
            "2026-07-01T12:00:00Z",
            "2026-07-01",
            (1, 1),
            False,
        ),
        (
            [("2026-07-01T12:00:00Z", None), (None, "2026-07-01T11:59:59Z")],
            "2026-07-01T12:00:00Z",
            "2026-07-01T11:59:59Z",
            (1, 1),
            True,
        ),
        # Without an offset it is UTC; with one it is led to UTC before it is compared.
        (
            [("2026-07-01T02:00:00+02:00", "2026-07-01T00:00:00")],
            "2026-07-01T02:00:00+02:00",
            "2026-07-01T00:00:00",
            (0, 0),
            False,
        ),
        # Moments are compared, not texts.
        (
            [("2026-07-01T01:00:00+05:00", None), ("2026-06-30T23:00:00Z", None)],
            "2026-06-30T23:00:00Z",
            None,
            (0, 2),
            False,
        ),
        ([("soon", "2026-13-45"), ("", " ")], None, None, (2, 2), False),
        ([("soon", None), ("2026-01-01", "never")], "2026-01-01", None, (1, 2), False),
        ([("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00")], None, None, (1, 1), False),
        ([("2026-01-01", "9999-12-31")], "2026-01-01", "9999-12-31", (0, 0), False),
    ],
)  # fmt: skip
def test_flight_runs_from_the_latest_start_to_the_earliest_end(times, start, end, open_sides, empty):
    flight = package_facts(flights(*times)).flight
    assert (flight.start, flight.end, flight.empty) == (start, end, empty)
    assert (flight.start_open, flight.end_open) == open_sides
    assert flight == flight_of(flights(*times))


def test_flight_keeps_the_text_of_the_deal():
    assert flight_of(flights((" 2026-01-01 ", None))).start == " 2026-01-01 "


def test_open_sides_of_a_flight_hold_every_moment():
    start, end = running_time(Deal("1"))
    assert start < start_of("0001-01-02")
    assert end > end_of("9999-12-30")
    assert running_time(Deal("1", start_time="2026-01-01", end_time="bad")) == (start_of("2026-01-01"), end)


# --- countries ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("geos", "any_of", "all_of", "unknown"),
    [
        ([], (), (), 0),
        ([()], (), (), 1),
        ([("US", "CA"), ("CA", "GB")], ("CA", "GB", "US"), ("CA",), 0),
        ([("US",), ()], ("US",), ("US",), 1),
        ([("US",), ("GB",), ()], ("GB", "US"), (), 1),
        ([("US", "US")], ("US",), ("US",), 0),
    ],
)
def test_countries_of_any_deal_and_of_all_are_told_apart(geos, any_of, all_of, unknown):
    facts = package_facts([Deal(str(n), geos=names) for n, names in enumerate(geos)])
    assert (facts.geos_any, facts.geos_all, facts.geo_unknown) == (any_of, all_of, unknown)


def test_both_lists_of_countries_are_labelled():
    assert "deal list" in GEOS_ANY_NOTE
    assert "curated deal" in GEOS_ALL_NOTE


# --- floors -------------------------------------------------------------------------------------


def floored(*amounts):
    return [
        Deal(str(n), commercial=Commercial(floor_price=Money(Decimal(amount), currency) if amount else None))
        for n, (amount, currency) in enumerate(amounts)
    ]


def test_explicit_zero_is_counted_and_an_unknown_floor_is_neither_zero_nor_counted_as_one():
    facts = package_facts(floored(("0", "USD"), ("0.00", "EUR"), ("5", "USD"), (None, None)))
    assert facts.floor_zero == 2
    assert facts.counts.floor_unknown == 1


def test_unknown_floors_alone_make_no_range():
    facts = package_facts(floored((None, None), (None, None)))
    assert facts.counts.floors == ()
    assert facts.floor_zero == 0


def test_floors_stand_by_currency_with_coverage_and_the_bid_that_clears_all():
    facts = package_facts(floored(("5", "USD"), ("7", "USD"), ("3", "EUR"), ("2", None), (None, None)))
    assert facts.counts.floors == (
        FloorRange(UNKNOWN_CURRENCY, Decimal(2), Decimal(2), 1),
        FloorRange("EUR", Decimal(3), Decimal(3), 1),
        FloorRange("USD", Decimal(5), Decimal(7), 2),
    )
    assert [floor.clears_all for floor in facts.counts.floors] == [2, 3, 7]
    assert facts.currencies == {"USD": 2, "EUR": 1}


@pytest.mark.parametrize(
    ("floor", "currency", "found"),
    [
        (Money(Decimal(1), "EUR"), "USD", "EUR"),
        (Money(Decimal(1)), "USD", "USD"),
        (None, "USD", "USD"),
        (Money(Decimal(1)), None, None),
    ],
)
def test_currency_of_a_deal_is_that_of_its_floor_first(floor, currency, found):
    assert currency_of(Deal("1", commercial=Commercial(floor_price=floor), currency=currency)) == found


# --- scale --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scales", "sums", "unknown"),
    [
        ([], (), 0),
        ([(None, "impressions", None)], (), 1),
        ([(5, None, None)], (), 1),
        ([(0, "impressions", "day")], (ScaleSum("impressions", "day", 0, 1),), 0),
        (
            [(10, "impressions", "week"), (5, "impressions", "week"), (None, None, None)],
            (ScaleSum("impressions", "week", 15, 2),),
            1,
        ),
        (
            [(1, "bid_requests", None), (2, "avails", None), (4, "impressions", None), (8, "uniques", None)],
            (
                ScaleSum("avails", None, 2, 1),
                ScaleSum("bid_requests", None, 1, 1),
                ScaleSum("impressions", None, 4, 1),
                ScaleSum("uniques", None, 8, 1),
            ),
            0,
        ),
        (
            [(1, "impressions", "month"), (2, "impressions", "day"), (4, "impressions", None)],
            (
                ScaleSum("impressions", None, 4, 1),
                ScaleSum("impressions", "day", 2, 1),
                ScaleSum("impressions", "month", 1, 1),
            ),
            0,
        ),
        (
            [(340_000_000_000, "bid_requests", "day")] * 2,
            (ScaleSum("bid_requests", "day", 680_000_000_000, 2),),
            0,
        ),
    ],
)
def test_scale_is_summed_only_within_one_unit_and_period(scales, sums, unknown):
    facts = package_facts(scaled(*scales))
    assert (facts.scale, facts.scale_unknown) == (sums, unknown)


def test_sum_of_scale_says_that_overlap_is_in_it():
    assert SCALE_NOTE == "sum of member forecasts, overlap not removed"


# --- safety -------------------------------------------------------------------------------------


def test_one_safe_deal_beside_nine_unknown_ones_makes_nothing_low_or_family_safe():
    safe = Deal("1", safety=Safety("Low", family_safe=True))
    counts = package_facts([safe, *(Deal(str(n)) for n in range(2, 11))]).counts
    assert (counts.family_safe, counts.family_safe_deals, counts.deals) == ("unknown", 1, 10)
    assert (counts.worst_risk, counts.risk_unknown) == ("Low", 9)


@pytest.mark.parametrize(("switch", "worst"), [(False, "Floor"), (True, "Medium")])
def test_switch_of_the_file_decides_what_floor_means(switch, worst):
    deals = [Deal("1", safety=Safety("Floor")), Deal("2", safety=Safety("medium risk"))]
    assert package_facts(deals, floor_is_lowest_risk=switch).counts.worst_risk == worst


@pytest.mark.parametrize(
    ("lists", "shared", "known"),
    [
        ([], (), 0),
        ([()], (), 0),
        ([("Retail", "Auto"), ("Auto", "Retail", "CPG")], ("Retail", "Auto"), 2),
        ([("Retail", "Auto"), (), ("Auto",)], ("Auto",), 2),
        ([("Retail",), ("Auto",)], (), 2),
    ],
)
def test_package_is_safe_for_verticals_that_every_deal_names(lists, shared, known):
    deals = [Deal(str(n), safety=Safety(safe_for_verticals=names)) for n, names in enumerate(lists)]
    facts = package_facts(deals)
    assert (facts.safe_for_verticals, facts.verticals_known) == (shared, known)


# --- mixes --------------------------------------------------------------------------------------


def tiered(*tiers):
    return [Deal(str(n), None, taxonomy=Taxonomy(one), commercial=Commercial(two, three))
            for n, (one, two, three) in enumerate(tiers)]  # fmt: skip


def test_modes_name_every_value_of_a_tie():
    facts = package_facts(tiered(("News", "RON", "High"), ("Sports", "RON", None), (None, "Premium", None)))
    assert facts.tier1_modes == ("News", "Sports")
    assert facts.quality_modes == ("RON",)
    assert facts.volume_modes == ("High",)


def test_modes_of_what_nobody_says_are_none():
    facts = package_facts([Deal("1")])
    assert facts.tier1_modes == facts.quality_modes == facts.volume_modes == ()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("devices", {"ctv": 2, "phone": 1}),
        ("publishers", {"Fox": 2, "ESPN": 1}),
        ("price_types", {"auction": 1, "fixed": 1}),
        ("statuses", {"active": 2}),
    ],
)
def test_values_are_counted_by_deal(name, values):
    deals = [
        Deal("1", devices=("ctv", "phone"), publishers=("Fox", "ESPN"), price_type="fixed", status="active"),
        Deal("2", devices=("ctv",), publishers=("Fox",), price_type="auction", status="active"),
        Deal("3"),
    ]
    assert getattr(package_facts(deals), name) == values


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("formats", {"video": 1}),
        ("audiences", {"Fans": 1}),
        ("ssps", {"Magnite": 1}),
        ("tier1", {"News": 1}),
        ("quality", {"RON": 1}),
        ("volume", {"Low": 1}),
    ],
)
def test_plain_counts_are_those_of_any_group_of_deals(name, values):
    deal = Deal(
        "1",
        ssp_name="Magnite",
        formats=("video",),
        taxonomy=Taxonomy("News"),
        audience=Audience(("Fans",)),
        commercial=Commercial("RON", "Low"),
    )
    assert getattr(package_facts([deal, Deal("2")]).counts, name) == values


def test_there_is_no_score():
    assert not [item.name for item in fields(PackageFacts) if "score" in item.name]


@settings(max_examples=50)
@given(st.lists(records().map(lambda record: parse_deal(record)[0]).filter(bool), max_size=6))
def test_any_deals_have_facts_that_add_up_in_any_order(deals):
    facts = package_facts(deals)
    assert sum(part.deals for part in facts.scale) + facts.scale_unknown == len(deals)
    assert set(facts.geos_all) <= set(facts.geos_any)
    assert 0 <= facts.floor_zero <= len(deals) - facts.counts.floor_unknown
    again = package_facts(deals[::-1])
    assert (again.scale, again.geos_any, again.geos_all) == (facts.scale, facts.geos_any, facts.geos_all)
    assert set(again.safe_for_verticals) == set(facts.safe_for_verticals)
    assert again.flight.empty == facts.flight.empty


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=4))
def test_any_text_as_date_is_read_or_open(times):
    flight = flight_of(flights(*times))
    assert 0 <= flight.start_open <= len(times)
