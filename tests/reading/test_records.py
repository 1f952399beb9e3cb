import pytest

from core.deals import Deal
from core.errors import ImportRefused
from core.reading import read_deals
from core.reading.json_fault import place_of_fault


def loads(text):
    return read_deals(text.encode(), "deals.json")


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "x", "items": [{"deal_id": "A"}, {"deal_id": "B"}]}',
        '{"result": {"items": [{"id": "A"}, {"id": "B"}]}}',
        '{"meta": {"n": 2}, "page": 1, "deals": [{"id": "A"}, {"id": "B"}]}',
        '{"id": "r", "imp": [{"pmp": {"deals": [{"id": "A"}]}}, {}, {"pmp": {"deals": [{"id": "B"}]}}]}',
        '[{"imp": [{"pmp": {"deals": [{"id": "A"}]}}]}, {"imp": [{"pmp": {"deals": [{"id": "B"}]}}]}]',
        '{"Index": {"deals": [{"deal_id": "A"}]}, "Magnite": {"deals": [{"deal_id": "B"}]}}',
        '[{"deal": {"id": "A"}}, {"deal": {"id": "B"}}]',
    ],
)
def test_deals_are_found_inside_their_envelope(text):
    assert [deal.deal_id for deal in loads(text).deals] == ["A", "B"]


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "A", "publishers": [{"id": 1, "name": "x"}]}',
        '{"deal_id": "A", "items": [{"deal_id": "B"}]}',
        '{"deal": {"id": "A", "name": "n"}}',
    ],
)
def test_object_with_an_id_is_one_deal_whatever_lists_it_holds(text):
    assert [deal.deal_id for deal in loads(text).deals] == ["A"]


def test_records_inside_a_deal_are_kept_and_said():
    result = loads('{"deal_id": "A", "items": [{"deal_id": "B"}]}')
    assert result.deals[0].extra == {"items": '[{"deal_id": "B"}]'}
    assert result.repairs == ("The file is read as one deal; 1 records with ids inside it are kept as text.",)


def test_name_of_a_list_is_the_ssp_of_its_deals_without_one_and_that_is_said():
    result = loads('{"Index": [{"deal_id": "A"}], "Magnite": [{"deal_id": "B", "ssp": "Other"}], "n": 2}')
    assert [deal.ssp_name for deal in result.deals] == ["Index", "Other"]
    assert result.repairs == (
        "The names of the lists are used as SSP: Index.",
        "Beside the list of deals the file holds n, which is not kept.",
    )
    assert loads('{"results": [{"deal_id": "A"}]}').deals == (Deal("A"),)


def test_bid_request_gives_floor_currency_price_type_and_seat():
    bid = '{"id": "1", "bidfloor": 2.5, "bidfloorcur": "EUR", "at": 3, "wseat": ["s"]}'
    (deal,) = loads(f'{{"imp": [{{"pmp": {{"deals": [{bid}]}}}}]}}').deals
    assert (str(deal.commercial.floor_price.amount), deal.currency) == ("2.5", "EUR")
    assert (deal.price_type, deal.seat) == ("fixed", "s")


@pytest.mark.parametrize(
    "text",
    [
        '{\n"deals": [\n  {"deal_id": "A"},\n  {"deal_id": "B"},\n  {"deal_id": "C"}\n',
        '{\n  "deal_id": "A",\n  "deal_name": "x"\n',
        '{"deals": [\n{"deal_id": "A"},\n{"deal_id": "B"}\n',
    ],
)
def test_document_that_was_cut_is_refused_and_not_taken_for_lines(text):
    with pytest.raises(ImportRefused, match="is no valid JSON"):
        loads(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[{"a": 1},\n {"a": NaN}]', ": record 2, line 2 column 8"),
        ('[{"a": -Infinity}]', ": record 1, line 1 column 8"),
        ('{"deals": [{"a": 1}, {"a": 1, "b": {"c": 2}, "a": 3}]}', ": record 2, line 1 column 46"),
        ('{"a": 1, "\\u0061": 2}', ": line 1 column 10"),
        ('{"NaN": "NaN \\" Infinity", "a": {"NaN": 1}, "b": [1]}', ""),
        ("", ""),
        ("]}", ""),
    ],
)
def test_place_of_a_fault_names_record_line_and_column(text, place):
    assert place_of_fault(text) == place


def test_object_in_a_cell_is_opened_where_its_keys_are_fields():
    safety = '"{""family_safe"": true, ""garm_risk_rating"": ""high""}"'
    result = loads(f'deal_id,safety,ours\nA,{safety},"{{""x"": 1}}"\nB,{{broken,\n')
    one, two = result.deals
    assert (one.safety.family_safe, one.safety.garm_risk_rating) == (True, "High")
    assert one.extra == {"ours": '{"x": 1}'}
    assert two == Deal("B", extra={"safety": "{broken"})
    assert [(problem.row, problem.column) for problem in result.problems] == [(3, "safety")]
