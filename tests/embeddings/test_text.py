import pytest
from hypothesis import given, settings

from core.embeddings import create_deal_text_representation
from core.reading import parse_deal
from tests.deals import records

SEED_RECORD = {
    "deal_id": "3001",
    "deal_name": "Premium CTV Auto Inventory",
    "ssp_name": "BidSwitch",
    "format": "video",
    "taxonomy": {"tier1": "Automotive", "tier2": "Auto Parts & Accessories", "tier3": "Auto Repair"},
    "concepts": ["auto", "luxury", "premium"],
    "safety": {"garm_risk_rating": "Low", "family_safe": True},
    "audience": {
        "inferred_audience": ["Auto Intenders", "Luxury Shoppers"],
        "demographic_hint": "25-54, High Income",
    },
    "commercial": {"quality_tier": "Premium", "volume_tier": "High", "floor_price": 5.50},
    "publishers": ["Paramount", "Disney+"],
}


def test_text_holds_every_field_that_says_what_a_deal_is_about():
    assert create_deal_text_representation(SEED_RECORD) == (
        "Premium CTV Auto Inventory. SSP: BidSwitch. Format: video. "
        "Category: Automotive > Auto Parts & Accessories > Auto Repair. Concepts: auto, luxury, premium. "
        "Safety: Low risk, family safe. Audience: Auto Intenders, Luxury Shoppers, 25-54, High Income. "
        "Tier: Premium, High volume. Publishers: Paramount, Disney+"
    )


def test_record_and_deal_give_the_same_text():
    deal, _ = parse_deal(SEED_RECORD)
    assert create_deal_text_representation(deal) == create_deal_text_representation(SEED_RECORD)


def test_nested_and_flat_records_give_the_same_text():
    flat = {
        "deal_id": "3001",
        "deal_name": "Premium CTV Auto Inventory",
        "taxonomy_tier1": "Automotive",
        "concepts": "auto | luxury",
    }
    nested = {**flat, "taxonomy": {"tier1": "Automotive"}, "concepts": ["auto", "luxury"]}
    del nested["taxonomy_tier1"]
    assert create_deal_text_representation(flat) == create_deal_text_representation(nested)


@pytest.mark.parametrize("missing", [None, "", [], {}, "N/A", "unknown"])
@pytest.mark.parametrize("name", sorted(set(SEED_RECORD) - {"deal_id"}))
def test_missing_field_adds_nothing(name, missing):
    record = {**SEED_RECORD, name: missing}
    without = {key: value for key, value in SEED_RECORD.items() if key != name}
    text = create_deal_text_representation(record)
    assert text == create_deal_text_representation(without)
    assert text.count(". ") == create_deal_text_representation(SEED_RECORD).count(". ") - 1


@pytest.mark.parametrize("record", [{}, {"deal_id": "1"}, {"deal_id": None}, {"floor_price": 5, "geo": "US"}])
def test_record_that_says_nothing_about_its_content_has_no_text(record):
    assert create_deal_text_representation(record) == ""


@pytest.mark.parametrize("deal_id", ["1", "2", "", None, 3, float("nan")])
def test_text_does_not_depend_on_the_id(deal_id):
    record = {**SEED_RECORD, "deal_id": deal_id, "id": 7}
    assert create_deal_text_representation(record) == create_deal_text_representation(SEED_RECORD)


@pytest.mark.parametrize(
    ("safety", "text"),
    [
        ({"family_safe": True}, "Safety: family safe"),
        ({"family_safe": False}, "Safety: not family safe"),
        ({"family_safe": None, "garm_risk_rating": "High"}, "Safety: High risk"),
        ({"safe_for_verticals": ["CPG", "Retail"]}, "Safety: safe for CPG, safe for Retail"),
    ],
)
def test_safety_is_said_in_words_and_never_assumed(safety, text):
    assert create_deal_text_representation({"safety": safety}) == text


def test_each_field_changes_the_text():
    texts = {create_deal_text_representation({**SEED_RECORD, name: None}) for name in SEED_RECORD}
    assert len(texts) == len(SEED_RECORD)


@settings(max_examples=40)
@given(records())
def test_any_record_has_a_text_that_a_tokenizer_can_take(record):
    text = create_deal_text_representation(record)
    assert text.encode("utf-8").decode("utf-8") == text
    assert "None" not in text or "none" in str(record).casefold()
