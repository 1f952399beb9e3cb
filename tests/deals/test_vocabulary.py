import itertools

import pytest

from core.deals.vocabulary import (
    CURRENCY_CODES,
    CURRENCY_SYMBOLS,
    DEVICES,
    FIELDS,
    FORMAT_ALIASES,
    FORMATS,
    GARM_RISKS,
    UNKNOWN_WORDS,
    column_key,
    currency_code,
    field_for_column,
    garm_risk,
    meaning_of_column,
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


@pytest.mark.parametrize("column", ["", "notes", "volume_metrics_bid_requests_ratio", "idx", "deal", "XXX"])
def test_other_columns_fill_no_field(column):
    assert field_for_column(column) is None
    assert name_rank(column) == 0


def test_exact_name_ranks_before_aliases_and_those_in_their_order():
    names = ["Deal ID", "deal_code", "seller_deal_id", "curated_deal_id", "id"]
    ranks = [name_rank(name) for name in names]
    assert ranks[:4] == [0, 1, 2, 3]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("column", ["cpm", "Price", "rate", "Fixed CPM"])
def test_price_is_a_field_of_its_own_and_no_floor(column):
    assert field_for_column(column).name == "price"


@pytest.mark.parametrize(
    ("column", "field", "currency"),
    [
        ("Bid Floor (EUR)", "commercial_floor_price", "EUR"),
        ("Floor USD", "commercial_floor_price", "USD"),
        ("floor_price_usd", "commercial_floor_price", "USD"),
        ("Min CPM ($)", "commercial_floor_price", "USD"),
        ("CPM €", "price", "EUR"),
        ("Floor Price, GBP", "commercial_floor_price", "GBP"),
        ("Floor", "commercial_floor_price", None),
    ],
)
def test_header_of_an_amount_may_name_its_currency(column, field, currency):
    meaning = meaning_of_column(column)
    assert (meaning.field.name, meaning.currency) == (field, currency)


@pytest.mark.parametrize("column", ["Floor EUR USD", "Notes (EUR)", "EUR", "Geo USD"])
def test_header_with_two_currencies_or_of_no_amount_is_not_certain(column):
    assert meaning_of_column(column) is None


@pytest.mark.parametrize(
    ("column", "unit", "period"),
    [
        ("impressions", "impressions", None),
        ("Avails", "avails", None),
        ("bid_requests", "bid_requests", None),
        ("volume_metrics_uniques", "uniques", None),
        ("weekly_total_avails", "weekly_avails", "week"),
        ("Monthly Impressions", "impressions", "month"),
        ("volume", None, None),
    ],
)
def test_header_of_a_volume_names_its_unit_and_period(column, unit, period):
    meaning = meaning_of_column(column)
    assert (meaning.field.name, meaning.unit, meaning.period) == ("scale", unit, period)


@pytest.mark.parametrize("mark", ["NET", "CPM", "kr", "XXZ", "", "dollars"])
def test_only_iso_codes_and_certain_symbols_are_currencies(mark):
    assert currency_code(mark) is None


def test_every_symbol_leads_to_a_currency_of_the_list():
    assert {currency_code(symbol) for symbol in CURRENCY_SYMBOLS} <= CURRENCY_CODES
    assert all(len(code) == 3 and code.isupper() for code in CURRENCY_CODES)


def test_floor_is_the_safest_level_only_when_the_file_says_so():
    assert garm_risk("Floor") == garm_risk("bsr001") == "Floor"
    assert garm_risk("floor", floor_is_lowest_risk=True) == "Low"
    assert garm_risk("High", floor_is_lowest_risk=True) == "High"


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


@pytest.mark.parametrize(
    ("column", "currency"),
    [
        ("Floor TRY", None),
        ("Top CPM", None),
        ("TOP CPM", None),
        ("all floor price", None),
        ("Floor price all", None),
        ("floor_price_all", None),
        ("Floor price (TRY)", "TRY"),
        ("CPM [all]", "ALL"),
        ("CPM (usd)", "USD"),
        ("Floor mad", None),
        ("Floor MAD", "MAD"),
        ("floor_mad", "MAD"),
        ("Floor (net, EUR)", None),
    ],
)
def test_code_in_a_header_is_a_currency_only_where_it_can_be_no_other_word(column, currency):
    meaning = meaning_of_column(column)
    assert (meaning.currency if meaning else None) == currency
