from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.deals import Audience, Commercial, Deal, Money, Safety, Taxonomy
from core.reading import read_deals
from core.reading.merging import merge_repeats


def merge(*deals):
    return merge_repeats(list(enumerate(deals, start=1)))


def priced(amount, currency="USD", **fields):
    floor = Money(Decimal(amount), currency) if amount else None
    return Deal("A", commercial=Commercial(floor_price=floor), currency=currency, **fields)


def test_one_row_for_each_publisher_device_and_country_is_one_deal_with_all_of_them():
    result = merge(
        Deal("A", publishers=("x.com",), devices=("ctv",), geos=("US",)),
        Deal("B"),
        Deal("A", publishers=("y.com",), devices=("ctv",), geos=("CA",)),
        Deal("A", publishers=("x.com",), devices=("phone",), geos=("US",)),
    )
    a, b = result.deals
    assert (a.publishers, a.devices, a.geos) == (("x.com", "y.com"), ("ctv", "phone"), ("US", "CA"))
    assert b == Deal("B")
    assert (result.merged, result.refused) == (2, 0)
    assert [(p.row, p.severity) for p in result.problems] == [(3, "merged"), (4, "merged")]
    assert "adds publishers y.com, geos CA" in result.problems[0].message


def test_commonest_category_is_the_deals_and_the_others_become_concepts():
    sport, news = Taxonomy("Sports", "Soccer"), Taxonomy("News")
    rows = [Deal("A", taxonomy=news), Deal("A", taxonomy=sport), Deal("A", taxonomy=sport, geos=("US",))]
    for order in (rows, rows[::-1]):
        (deal,) = merge(*order).deals
        assert deal.taxonomy == sport
        assert deal.concepts == ("News",)


@pytest.mark.parametrize("flip", [False, True])
def test_different_floors_of_one_currency_give_the_highest_and_a_warning(flip):
    rows = [priced("5"), priced("7")]
    result = merge(*(rows[::-1] if flip else rows))
    assert result.deals[0].commercial.floor_price == Money(Decimal(7), "USD")
    assert (result.merged, result.refused) == (1, 0)
    assert [p.severity for p in result.problems] == ["merged", "warning"]
    assert "the highest is used" in result.problems[1].message


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (priced("5"), priced("5", "EUR"), ("'USD'", "'EUR'")),
        (priced("5", None), priced("7", "USD"), ("5 without currency", "7 USD")),
        (Deal("A", formats=("video",)), Deal("A", formats=("display",)), ("'video'", "'display'")),
        (Deal("A", ssp_name="Index"), Deal("A", ssp_name="Magnite"), ("'Index'", "'Magnite'")),
        (Deal("A", safety=Safety("Low", True)), Deal("A", safety=Safety("Low", False)), ("True", "False")),
        (Deal("A", scale=5, scale_unit="avails"), Deal("A", scale=7, scale_unit="impressions"), ("avails",)),
        (Deal("A", audience=Audience(("x",))), Deal("A", audience=Audience(("y",))), ("'x'", "'y'")),
    ],
)
def test_rows_that_contradict_are_refused_with_both_values_and_the_first_is_kept(first, second, named):
    result = merge(first, second)
    assert result.deals == (first,)
    assert (result.merged, result.refused) == (0, 1)
    (problem,) = result.problems
    assert (problem.row, problem.severity) == (2, "refused")
    assert all(name in problem.message for name in named)


def test_blank_values_are_filled_from_the_other_rows_of_the_deal():
    bare = Deal("A", publishers=("x.com",))
    full = priced("5", "EUR", deal_name="n", status="active", scale=5, scale_unit="avails")
    for order in ((bare, full), (full, bare)):
        (deal,) = merge(*order).deals
        assert deal == replace(full, publishers=("x.com",))


def test_currency_named_in_one_row_is_that_of_the_floor_in_the_other():
    (deal,) = merge(priced("5", None), Deal("A", currency="USD")).deals
    assert deal.commercial.floor_price == Money(Decimal(5), "USD")
    assert Deal.from_dict(deal.to_dict()) == deal


def test_largest_volume_of_one_unit_is_used_and_said():
    result = merge(Deal("A", scale=5), Deal("A", scale=9), Deal("A", scale=7))
    assert result.deals[0].scale == 9
    assert [p.severity for p in result.problems] == ["merged", "warning", "merged", "warning"]


def test_other_columns_keep_every_value():
    (deal,) = merge(Deal("A", extra={"n": "1"}), Deal("A", extra={"n": "2", "m": "x"})).deals
    assert deal.extra == {"n": "1 | 2", "m": "x"}


def test_many_rows_of_one_deal_take_linear_time():
    rows = "".join(f"A,site{number}.com,note {number}\n" for number in range(5_000))
    result = read_deals(f"deal_id,publisher,note\n{rows}".encode(), "x.csv")
    assert len(result.deals[0].publishers) == 5_000
    assert result.ledger.merged == 4_999


def test_exact_repeat_counts_for_the_commonest_category():
    sports, news = Deal("A", taxonomy=Taxonomy("Sports")), Deal("A", taxonomy=Taxonomy("News"))
    for rows in ((sports, news, sports), (news, sports, sports), (sports, sports, news)):
        assert merge(*rows).deals[0].taxonomy.tier1 == "Sports"


rows_of_one_deal = st.lists(
    st.builds(
        Deal,
        deal_id=st.sampled_from("AB"),
        publishers=st.lists(st.sampled_from("xyz"), max_size=2, unique=True).map(tuple),
        geos=st.lists(st.sampled_from(("US", "CA")), max_size=2, unique=True).map(tuple),
        taxonomy=st.builds(Taxonomy, st.none() | st.sampled_from(("News", "Sports"))),
        commercial=st.builds(
            Commercial,
            floor_price=st.none() | st.builds(Money, st.integers(1, 3).map(Decimal), st.just("USD")),
        ),
        currency=st.just("USD"),
        extra=st.dictionaries(st.sampled_from("nm"), st.sampled_from("12"), max_size=1),
    ),
    min_size=1,
    max_size=6,
)


def _unordered(deals):
    return {
        deal.deal_id: (
            set(deal.publishers), set(deal.geos), deal.taxonomy, set(deal.concepts), deal.commercial,
            {name: set(text.split(" | ")) for name, text in deal.extra.items()},
        )
        for deal in deals
    }  # fmt: skip


@settings(max_examples=60)
@given(rows_of_one_deal, st.randoms(use_true_random=False))
def test_rows_that_agree_give_the_same_deal_in_any_order(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, other = merge(*rows), merge(*shuffled)
    assert _unordered(one.deals) == _unordered(other.deals)
    assert (one.merged, one.refused) == (other.merged, other.refused) == (len(rows) - len(one.deals), 0)


any_rows = st.lists(
    st.builds(
        Deal,
        deal_id=st.sampled_from("AB"),
        deal_name=st.none() | st.sampled_from(("n", "m")),
        formats=st.sampled_from(((), ("video",), ("display",))),
        currency=st.sampled_from((None, "USD", "EUR")),
        scale=st.none() | st.integers(0, 3),
        scale_unit=st.none() | st.just("avails"),
    ),
    max_size=8,
)


@settings(max_examples=60)
@given(any_rows)
def test_every_row_is_a_deal_merged_or_refused(rows):
    result = merge(*rows)
    assert len(result.deals) + result.merged + result.refused == len(rows)
    severities = [problem.severity for problem in result.problems]
    assert (severities.count("merged"), severities.count("refused")) == (result.merged, result.refused)
    assert all(Deal.from_dict(deal.to_dict()) == deal for deal in result.deals)
