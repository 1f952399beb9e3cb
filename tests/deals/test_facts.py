from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.deals import Audience, Commercial, Deal, Money, Safety, Taxonomy
from core.deals.facts import UNKNOWN_CURRENCY, FloorRange, facts_of, mix
from core.reading import parse_deal
from tests.deals import records


def rated(*ratings):
    return [Deal(str(n), safety=Safety(garm_risk_rating=rating)) for n, rating in enumerate(ratings)]


def safe(*answers):
    return [Deal(str(n), safety=Safety(family_safe=answer)) for n, answer in enumerate(answers)]


def floors(*amounts):
    return [
        Deal(str(n), commercial=Commercial(floor_price=Money(Decimal(amount), currency) if amount else None))
        for n, (amount, currency) in enumerate(amounts)
    ]


def test_group_of_no_deals_claims_nothing():
    facts = facts_of([])
    assert facts.deals == 0
    assert facts.worst_risk is None
    assert facts.family_safe == "unknown"
    assert facts.floors == ()
    assert facts.formats == facts.ssps == facts.tier1 == facts.audiences == {}


@pytest.mark.parametrize(
    ("ratings", "worst", "unknown"),
    [
        (("Low", "Medium"), "Medium", 0),
        (("low risk", "HIGH"), "High", 0),
        (("High", "Floor", "Low"), "Floor", 0),
        (("Low", None, "odd"), "Low", 2),
        ((None, None), None, 2),
    ],
)
def test_worst_risk_is_the_worst_known_one_and_unknown_is_counted_apart(ratings, worst, unknown):
    facts = facts_of(rated(*ratings))
    assert facts.worst_risk == worst
    assert facts.risk_unknown == unknown


def test_floor_is_the_lowest_risk_only_when_the_file_means_it():
    deals = rated("Floor", "Medium")
    assert facts_of(deals).worst_risk == "Floor"
    assert facts_of(deals, floor_is_lowest_risk=True).worst_risk == "Medium"
    assert facts_of(rated("Floor"), floor_is_lowest_risk=True).worst_risk == "Low"


@pytest.mark.parametrize(
    ("answers", "verdict", "count"),
    [
        ((True, True), "yes", 2),
        ((True, None), "unknown", 1),
        ((None, None), "unknown", 0),
        ((True, False), "no", 1),
        ((None, False), "no", 0),
    ],
)
def test_family_safe_needs_the_word_of_every_deal(answers, verdict, count):
    facts = facts_of(safe(*answers))
    assert facts.family_safe == verdict
    assert facts.family_safe_deals == count


def test_floors_of_different_currencies_never_meet():
    facts = facts_of(floors(("5", "USD"), ("7.50", "USD"), ("2", "EUR"), ("1", None), (None, None)))
    assert facts.floors == (
        FloorRange(UNKNOWN_CURRENCY, Decimal(1), Decimal(1), 1),
        FloorRange("EUR", Decimal(2), Decimal(2), 1),
        FloorRange("USD", Decimal(5), Decimal("7.50"), 2),
    )
    assert facts.floor_unknown == 1


def test_bid_that_clears_all_floors_is_the_highest_floor():
    (dollars,) = facts_of(floors(("5", "USD"), ("7.50", "USD"))).floors
    assert dollars.clears_all == Decimal("7.50")


def test_explicit_zero_floor_is_known_and_an_unknown_one_is_not_zero():
    facts = facts_of(floors(("0", "USD"), (None, None)))
    assert facts.floors == (FloorRange("USD", Decimal(0), Decimal(0), 1),)
    assert facts.floor_unknown == 1


def test_values_are_counted_once_for_each_deal_most_frequent_first_then_by_name():
    deals = [
        Deal("1", ssp_name="Magnite", formats=("video", "audio"), audience=Audience(("Fans", "Fans"))),
        Deal("2", ssp_name="Index", formats=("video",), taxonomy=Taxonomy("News")),
        Deal("3", commercial=Commercial("Premium", "High")),
    ]
    facts = facts_of(deals)
    assert list(facts.formats.items()) == [("video", 2), ("audio", 1)]
    assert list(facts.ssps.items()) == [("Index", 1), ("Magnite", 1)]
    assert facts.audiences == {"Fans": 1}
    assert facts.tier1 == {"News": 1}
    assert (facts.quality, facts.volume) == ({"Premium": 1}, {"High": 1})


def test_deals_without_a_value_are_in_no_count():
    assert mix([Deal("1"), Deal("2", buyer="")], lambda deal: (deal.buyer,)) == {}


@settings(max_examples=25)
@given(st.lists(records().map(lambda record: parse_deal(record)[0]).filter(bool), max_size=6))
def test_facts_of_any_deals_add_up_in_any_order(deals):
    facts = facts_of(deals)
    assert sum(floor.deals for floor in facts.floors) + facts.floor_unknown == len(deals)
    assert all(floor.lowest <= floor.highest for floor in facts.floors)
    assert 0 <= facts.risk_unknown <= len(deals)
    assert all(
        1 <= count <= len(deals) for counts in (facts.formats, facts.ssps) for count in counts.values()
    )
    assert facts_of(deals[::-1]) == facts
