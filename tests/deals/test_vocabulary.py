import itertools

import pytest

from core.deals.vocabulary import (
    CURRENCY_SYMBOLS,
    DEVICES,
    FIELDS,
    FORMAT_ALIASES,
    FORMATS,
    GARM_RISKS,
    UNKNOWN_WORDS,
    column_key,
    field_for_column,
    garm_risk,
    name_rank,
)


def test_no_name_belongs_to_two_fields():
    names = [(column_key(name), field.name) for field in FIELDS for name in {field.name, *field.aliases}]
    for (one, owner), (other, second) in itertools.combinations(names, 2):
        assert one != other or owner == second, f"{one} names {owner} and {second}"


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_name_of_a_field_leads_to_it(field):
    assert all(field_for_column(name) == field for name in (field.name, *field.aliases))


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("Deal ID", "deal_id"),
        ("dealId", "deal_id"),
        ("DEAL-ID", "deal_id"),
        ("deal.code", "deal_id"),
        ("Display Name", "deal_name"),
        ("Exchange", "ssp_name"),
        ("Media Type", "format"),
        ("Floor Price (USD)", "commercial_floor_price"),
        ("bid_floor", "commercial_floor_price"),
        ("floor_price", "commercial_floor_price"),
        ("Publisher Domain", "publishers"),
        ("startDate", "start_time"),
        ("flight_end", "end_time"),
        ("Geo Targets", "geos"),
        ("cur", "currency"),
        ("Taxonomy Tier1", "taxonomy_tier1"),
        ("inventory_scale_type", "scale_unit"),
    ],
)
def test_columns_of_ssp_consoles_find_their_field(column, field):
    assert field_for_column(column).name == field


@pytest.mark.parametrize("column", ["", "cpm", "price", "rate", "notes", "volume_metrics_impressions", "idx"])
def test_other_columns_fill_no_field_and_a_price_is_no_floor(column):
    assert field_for_column(column) is None
    assert name_rank(column) == 0


def test_exact_name_ranks_before_aliases_and_those_in_their_order():
    names = ["Deal ID", "deal_code", "seller_deal_id", "curated_deal_id", "id"]
    assert [name_rank(name) for name in names] == [0, 1, 2, 3, 4]


def test_column_names_are_compared_without_case_and_separators():
    assert column_key(" Floor_Price (USD) / a.b-c\t") == "floorpriceusdabc"


@pytest.mark.parametrize(
    ("rating", "risk"),
    [
        ("Low", "Low"),
        ("high", "High"),
        ("HIGH", "High"),
        ("High Risk", "High"),
        ("medium risk ", "Medium"),
        ("Floor", "Floor"),
        ("very high", None),
        ("safe", None),
        ("risk", None),
        ("", None),
        (None, None),
    ],
)
def test_garm_rating_is_one_of_four_or_unknown(rating, risk):
    assert garm_risk(rating) == risk


def test_floor_is_the_worst_garm_risk():
    assert GARM_RISKS == ("Low", "Medium", "High", "Floor")


def test_tables_hold_only_values_of_the_domain():
    for word, (format_name, device) in FORMAT_ALIASES.items():
        assert word == word.casefold()
        assert format_name in FORMATS
        assert device is None or device in DEVICES
    assert FORMAT_ALIASES["video"] == ("video", None)
    assert all(word == word.casefold() for word in UNKNOWN_WORDS)
    assert all(mark == mark.upper() and len(code) == 3 for mark, code in CURRENCY_SYMBOLS.items())
