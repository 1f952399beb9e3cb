import numpy as np
import pytest

from core.clustering.terms import shared_terms, text_of_theme
from core.deals.deal import Deal, Taxonomy

GOLF = {
    "deal_id": "A1",
    "deal_name": "Golf Weekly PMP 2026Q1 OX-7H5",
    "ssp_name": "OpenX",
    "format": "video",
    "taxonomy": {"tier1": "Sports", "tier2": "Golf"},
    "concepts": ["ryder cup", "putting"],
    "safety": {"garm_risk_rating": "Low", "family_safe": True, "safe_for_verticals": ["Finance"]},
    "audience": {"inferred_audience": ["Golfers"], "demographic_hint": "M25-54"},
    "commercial": {"quality_tier": "Premium", "volume_tier": "High"},
    "publishers": ["Golf Digest"],
}
BAKING = {
    **GOLF,
    "deal_name": "Cake Weekly PMP 2026Q1 OX-9K1",
    "taxonomy": {"tier1": "Food & Drink", "tier2": "Baking"},
    "concepts": ["sour dough", "of the oven"],
    "audience": {"inferred_audience": ["Bakers"], "demographic_hint": "M25-54"},
    "publishers": ["Daily Bread"],
}


def terms_of(*groups):
    deals = [deal for group in groups for deal in group]
    ends = np.cumsum([len(group) for group in groups])
    return shared_terms(
        deals, [np.arange(end - len(group), end) for group, end in zip(groups, ends, strict=True)]
    )


def test_terms_name_what_one_cluster_has_and_the_others_lack():
    golf, baking = terms_of([GOLF] * 4, [BAKING] * 4)
    assert {"ryder cup", "putting", "golfers"} <= set(golf)
    assert {"sour dough", "oven", "bakers", "food drink"} & set(baking)
    assert not set(golf) & set(baking)


@pytest.mark.parametrize("groups", [([GOLF] * 4,), ([GOLF] * 4, [BAKING] * 3)])
def test_labels_levels_ids_and_stop_words_are_no_terms(groups):
    words = {word for terms in terms_of(*groups) for term in terms for word in term.split()}
    template = {"ssp", "format", "category", "concepts", "safety", "audience", "tier", "publishers"}
    levels = {"risk", "low", "safe", "family", "volume", "premium", "openx"}
    assert words.isdisjoint(template | levels | {"of", "the"})
    assert all(word.isalpha() for word in words)


def test_no_term_reaches_over_a_border_between_values():
    for terms in terms_of([GOLF] * 4, [BAKING] * 4):
        assert not {"cup putting", "sports golf", "putting golfers", "golfers golf"} & set(terms)


@pytest.mark.parametrize(
    ("often", "seldom", "expected"),
    [
        ("golf", "golf clubs", ("golf", "clubs")),
        ("march madness", "madness", ("march madness",)),
        ("golf", "golfers", ("golf", "golfers")),
    ],
)
def test_no_term_contains_another(often, seldom, expected):
    deals = [{"deal_id": str(n), "concepts": [often, seldom] if n < 2 else [often]} for n in range(6)]
    assert terms_of(deals, [BAKING] * 6)[0] == expected


def test_codes_and_numbers_are_no_terms():
    name = "OX-7H5 golf 2026Q1 M25-54 deal_id_X9Z 4K"
    assert terms_of([{"deal_id": "X9Z", "deal_name": name}] * 3) == [("deal id", "golf deal")]


def test_whole_phrase_comes_before_its_words():
    named = [{"deal_id": str(n), "concepts": ["march madness"]} for n in range(3)]
    other = [{"deal_id": str(n), "concepts": ["oven"]} for n in range(3)]
    assert terms_of(named, other) == [("march madness",), ("oven",)]


def test_terms_of_one_deal_are_not_shared():
    odd = {"deal_id": "x", "concepts": ["golf", "unicorn", "unicorn herds", "unicorn riding"]}
    plain = {"deal_id": "y", "concepts": ["golf"]}
    assert terms_of([odd, plain, plain], [BAKING] * 3)[0] == ("golf",)


def test_rare_terms_beat_terms_of_all_clusters():
    def deals(theme):
        return [{"deal_id": str(n), "concepts": ["inventory", theme]} for n in range(4)]

    assert [terms[0] for terms in terms_of(deals("golf"), deals("oven"), deals("opera"))] == [
        "golf",
        "oven",
        "opera",
    ]


@pytest.mark.parametrize("deals", [[{"deal_id": "1"}] * 3, [Deal("1")] * 3, []])
def test_deals_without_words_have_no_terms(deals):
    assert shared_terms(deals, [np.arange(len(deals))]) == [()]


def test_records_and_deals_have_the_same_text():
    deal = Deal("1", ssp_name="OpenX", taxonomy=Taxonomy("Sports", "Golf"))
    record = {"ssp_name": "OpenX", "taxonomy": {"tier1": "Sports", "tier2": "Golf"}}
    assert text_of_theme(record) == text_of_theme(deal) == "Category: Sports > Golf"
