import pytest

from core.deals import Deal
from core.errors import ImportRefused, NeedsMapping
from core.reading import FIELD_NAMES, read_deals, suggest_fields
from core.reading.mapping import map_columns
from tests.reading import golden

WORDS = """Deal Code;Exchange;Bid Floor (EUR);Media Type;Sites;IAB Category;Our note
549644398148090651;Index;2,50;CTV;x.com|y.com;Food & Drink;keep
0012;Magnite;"1.234,00";Banner;z.com;Sports > Soccer;
"""


def loads(text, **options):
    return read_deals(text.encode(), "deals.txt", **options)


def test_file_in_other_words_loads_with_a_sensible_mapping():
    result = loads(WORDS)
    assert result.mapping == {
        "Deal Code": "deal_id",
        "Exchange": "ssp_name",
        "Bid Floor (EUR)": "commercial_floor_price",
        "Media Type": "format",
        "Sites": "publishers",
        "IAB Category": "taxonomy_tier1",
    }
    one, two = result.deals
    assert (one.deal_id, two.deal_id) == ("549644398148090651", "0012")
    assert (str(one.commercial.floor_price.amount), one.currency) == ("2.50", "EUR")
    assert str(two.commercial.floor_price.amount) == "1234.00"
    assert two.taxonomy.path == ("Sports", "Soccer")
    assert one.extra == {"Our note": "keep"}
    assert result.unmapped == {"Our note": ("keep",)}
    assert result.samples["Exchange"] == ("Index", "Magnite")
    assert (result.source.format, result.source.delimiter) == ("csv", ";")
    assert result.problems == ()


def test_mapping_of_the_analyst_wins_and_blank_means_no_field():
    result = loads("key,deal_id,floor\nA,1,5\n", mapping={"key": "deal_id", "floor": None, "lost": "format"})
    assert result.deals == (Deal("A", extra={"deal_id": "1", "floor": "5"}),)
    assert result.mapping == {"key": "deal_id"}
    assert result.ambiguous == {}
    assert "The mapping names columns that the file does not have: lost." in result.repairs


def test_mapping_may_use_any_known_name_of_a_field_and_keeps_the_currency_of_the_header():
    result = loads("deal_id,CPM (EUR)\nA,5\n", mapping={"CPM (EUR)": "floor_price"})
    assert result.mapping["CPM (EUR)"] == "commercial_floor_price"
    assert result.deals[0].currency == "EUR"


def test_mapping_to_a_field_that_does_not_exist_is_refused_with_near_names():
    with pytest.raises(ImportRefused, match=r"'deal_nmae' .* is no field of a deal; use deal_name"):
        loads("deal_id,x\nA,5\n", mapping={"x": "deal_nmae"})


@pytest.mark.parametrize(
    "text", ["Our key,Network\nA,Index\nB,Magnite\n", '[{"Our key": "A", "Network": "Index"}]']
)
def test_file_without_an_id_column_asks_for_one_with_examples(text):
    with pytest.raises(NeedsMapping) as caught:
        loads(text)
    assert caught.value.columns == ("Our key", "Network")
    assert caught.value.samples["Our key"][0] == "A"
    assert loads(text, mapping={"Our key": "deal_id"}).deals[0].deal_id == "A"


def test_id_column_that_is_blank_everywhere_asks_for_another():
    with pytest.raises(NeedsMapping, match="no deal id in any row of its column 'deal_id'"):
        loads("deal_id,key\n,A\n,B\n")


def test_two_columns_for_one_field_are_named_with_the_one_used_first():
    result = loads("floor,commercial_floor_price,deal_id\n4,5,A\n4,,B\n")
    assert result.ambiguous == {"commercial_floor_price": ("commercial_floor_price", "floor")}
    assert [str(deal.commercial.floor_price.amount) for deal in result.deals] == ["5", "4"]
    assert [problem.row for problem in result.problems] == [2]


def test_volumes_of_different_units_are_told_once_and_kept_apart():
    result = loads("deal_id,bid_requests,impressions\nA,900,5\nB,800,4\n")
    assert [(deal.scale, deal.scale_unit) for deal in result.deals] == [
        (5, "impressions"),
        (4, "impressions"),
    ]
    assert result.deals[0].extra == {"bid_requests": "900"}
    assert result.problems == ()
    assert "bid_requests: another volume than the one used as scale; kept apart in 2 rows." in result.repairs


@pytest.mark.parametrize(
    ("price_type", "floor", "extra"),
    [("fixed", "5", {}), ("auction", None, {"CPM": "5"}), ("", None, {"CPM": "5"})],
)
def test_price_is_a_floor_only_in_a_fixed_price_deal_and_that_is_said(price_type, floor, extra):
    result = loads(f"deal_id,CPM,price_type\nA,5,{price_type}\n")
    (deal,) = result.deals
    assert (str(deal.commercial.floor_price.amount) if floor else deal.commercial.floor_price) == floor
    assert deal.extra == extra
    assert any(repair.startswith("CPM: ") for repair in result.repairs)


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("Deal Idd", "deal_id"),
        ("Floor incl. fee", "commercial_floor_price"),
        ("Publishr", "publishers"),
        ("Curency", "currency"),
        ("Flight start (UTC)", "start_time"),
    ],
)
def test_near_names_are_suggested_and_not_used(column, field):
    assert map_columns([column]).fields == {}
    assert field in suggest_fields(column)


@pytest.mark.parametrize("column", ["", "xyzzy", "#"])
def test_far_names_get_no_suggestion(column):
    assert suggest_fields(column) == ()


def test_every_field_can_be_chosen():
    for name in FIELD_NAMES:
        assert map_columns(["x"], {"x": name}).fields == {"x": name}


def test_hundreds_of_columns_are_mapped_with_examples():
    names = ["deal_id", *(f"column {number}" for number in range(400))]
    result = loads(",".join(names) + "\n" + ",".join(["A"] + ["v"] * 400) + "\n")
    assert len(result.unmapped) == len(result.deals[0].extra) == 400


# --- the mapping of a file, given back unchanged ---

TABLES = {
    "two ids, two floors": "id,deal_id,cpm_floor,floor_price\n1,DEAL-A,2,5\n",
    "other words": WORDS,
    "price next to floor": "deal_id,rate,fixed_cpm,floor,price_type\nA,1,2,3,fixed\nB,1,2,,auction\n",
    "several volumes": "deal_id,Avails,Impressions,Weekly Avails\nA,1,2,3\n",
    "technical column": "deal_id,raw_deal_data,note\nA,x,y\n",
    "json cells": 'deal_id,commercial\nA,"{""floor_price"": 5}"\nB,\n',
    "two tiers": "deal_id,category,tier1\nA,Sports,Travel\n",
}
SAME = [
    *(pytest.param(text.encode(), id=name) for name, text in TABLES.items()),
    *(
        pytest.param(parameter.values[0].data, id=parameter.id, marks=parameter.marks)
        for parameter in golden.table_parameters()
        if parameter.values[0].columns is not None
    ),
    *(pytest.param(data, id=name) for name, data in golden.json_files()),
]


@pytest.mark.parametrize("data", SAME)
def test_mapping_given_back_unchanged_changes_nothing(data):
    first = read_deals(data, "deals")
    everything = {column: first.mapping.get(column) for column in first.samples}
    for mapping in (dict(first.mapping), everything):
        again = read_deals(data, "deals", mapping=mapping)
        assert again.deals == first.deals
        assert (again.mapping, again.ambiguous) == (first.mapping, first.ambiguous)


def test_exact_name_stays_first_when_its_mapping_is_confirmed():
    text = TABLES["two ids, two floors"]
    (deal,) = loads(text, mapping=loads(text).mapping).deals
    assert (deal.deal_id, deal.commercial.floor_price.amount) == ("DEAL-A", 5)


def test_column_that_was_moved_wins_over_the_column_of_that_name():
    (deal,) = loads(
        "deal_id,floor_price,note\nA,5,7\n", mapping={"note": "floor_price", "floor_price": "floor_price"}
    ).deals
    assert deal.commercial.floor_price.amount == 7
    assert deal.extra == {"floor_price": "5"}
