import pytest

from core.clustering.keep_apart import RULES, columns_of, stratum_of
from core.deals.deal import Deal, Safety

DEAL = Deal(
    deal_id="D1",
    ssp_name="Magnite",
    formats=("video", "display"),
    safety=Safety(family_safe=True),
    currency="EUR",
    seat=" Seat-7 ",
    extra={"console": "North"},
)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("format", "display, video"),
        ("safety", "family-safe"),
        ("currency", "EUR"),
        ("ssp", "Magnite"),
        ("console", "north"),
        ("seat", "seat-7"),
        ("no such column", None),
    ],
)
def test_a_rule_compares_one_value(rule, value):
    assert stratum_of(DEAL, (rule,)) == (value,)


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"safety"}))
def test_unknown_is_a_value_of_its_own(rule):
    assert stratum_of(Deal("D2"), (rule,)) == (None,)


@pytest.mark.parametrize("family_safe", [False, None])
def test_unknown_safety_never_joins_family_safe_deals(family_safe):
    deal = Deal("D2", safety=Safety(family_safe=family_safe))
    assert stratum_of(deal, ("safety",)) != stratum_of(DEAL, ("safety",))


def test_plain_records_are_compared_as_the_deals_they_are():
    assert stratum_of(DEAL.to_dict(), ("format", "safety", "ssp")) == stratum_of(
        DEAL, ("format", "safety", "ssp")
    )
    assert stratum_of({"console": " North "}, ("console",)) == ("north",)


def test_no_rules_put_all_deals_together():
    assert stratum_of(DEAL, ()) == stratum_of({}, ()) == ()


def test_columns_that_divide_into_a_few_values_are_offered():
    deals = tuple(
        Deal(
            f"D{number}",
            ssp_name=f"SSP {number % 2}",
            seat=f"seat {number % 3}",
            extra={"row": str(number), "tier": "A" if number % 2 else "B", "same": "x"},
        )
        for number in range(20)
    )
    assert columns_of(deals) == ("seat", "tier")
