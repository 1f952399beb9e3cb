import codecs
import csv
import io
import json
import random
from decimal import Decimal

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.deals import Deal, Money, Taxonomy
from core.errors import ImportRefused, NeedsMapping
from core.reading import parse_deal, read_deals
from core.reading import records as records_module
from core.reading.reading import parse_deals
from core.settings import get_settings
from sample_data.generate import HERE
from tests.deals import CELLS, records

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256))
IDS = ["549644398148090651", "0012345", "1e5", "12E34567", "NA", "18446744073709551617", "PM 7"]


def loads(data: bytes | str):
    return read_deals(data.encode() if isinstance(data, str) else data, "deals.txt")


def refusal(data: bytes | str) -> str:
    with pytest.raises(ImportRefused) as caught:
        loads(data)
    assert str(caught.value).startswith("deals.txt: ")
    return caught.value.reason


def parsed(**record) -> Deal:
    """The deal of a record that leaves no doubt."""
    deal, problems = parse_deal({"deal_id": "1", **record})
    assert problems == []
    return deal


def counts(result):
    ledger = result.ledger
    return ledger.read, ledger.loaded, ledger.merged, ledger.refused


def told(result):
    return [(problem.row, problem.severity) for problem in result.problems]


# --- ids ---


def test_ids_of_a_table_stay_text():
    result = loads("deal_id,deal_name\n" + "".join(f"{deal_id},x\n" for deal_id in IDS))
    assert [deal.deal_id for deal in result.deals] == IDS
    assert result.problems == ()


def test_ids_of_json_stay_text_even_when_they_stand_there_as_numbers():
    numbers = ["549644398148090651", "18446744073709551617", "1e5", "1.50"]
    result = loads("[" + ",".join(f'{{"deal_id": {number}}}' for number in numbers) + "]")
    assert [deal.deal_id for deal in result.deals] == numbers
    assert loads('[{"deal_id": "0012"}]').deals[0].deal_id == "0012"


@pytest.mark.parametrize("blank", ["", " ", "\t"])
def test_row_with_a_blank_id_is_refused_with_its_line_and_the_others_stay(blank):
    result = loads(f"deal_name,deal_id\none,A\ntwo,{blank}\nthree,C\n")
    assert [deal.deal_id for deal in result.deals] == ["A", "C"]
    assert counts(result) == (3, 2, 0, 1)
    (problem,) = result.problems
    assert (problem.row, problem.column, problem.severity) == (3, "deal_id", "refused")
    assert problem.message == "The record has no deal id; add one and load it again."


@pytest.mark.parametrize("value", ["null", '""', '{"a": 1}'])
def test_json_record_without_an_id_is_refused_with_its_position(value):
    result = loads(f'[{{"deal_id": "A"}}, {{"deal_id": {value}}}, {{}}]')
    assert counts(result) == (3, 1, 0, 2)
    assert told(result) == [(2, "refused"), (3, "refused")]


@pytest.mark.parametrize("value", [["A"], True, float("nan"), 5.496443981480906e17])
def test_id_of_a_wrong_type_is_refused_and_the_reason_told(value):
    deal, problems = parse_deal({"deal_id": value})
    assert deal is None
    assert problems[-1].severity == "refused"
    assert "is no deal id; give ids as text" in problems[-1].message


def test_exact_id_column_wins_over_an_alias_before_it():
    result = loads("id,deal_id,deal_name\n1,PM-1,x\n2,PM-2,y\n")
    assert [deal.deal_id for deal in result.deals] == ["PM-1", "PM-2"]
    assert result.deals[0].extra == {"id": "1"}
    assert result.problems[0].message == "'1' differs from column deal_id, which is used."


def test_blank_id_is_not_filled_from_another_column():
    result = loads("id,deal_id\n1,PM-1\n2,\n")
    assert [deal.deal_id for deal in result.deals] == ["PM-1"]
    assert counts(result) == (2, 1, 0, 1)


# --- repeated deals ---


def test_identical_rows_are_merged():
    result = loads("deal_id,deal_name\nA,x\nB,y\nA,x\nA,x\n")
    assert [deal.deal_id for deal in result.deals] == ["A", "B"]
    assert counts(result) == (4, 2, 2, 0)
    assert told(result) == [(4, "merged"), (5, "merged")]
    assert {problem.deal_id for problem in result.problems} == {"A"}


def test_different_rows_with_one_id_are_refused_and_the_first_is_kept():
    result = loads("deal_id,deal_name\nA,x\nA,z\nA,x\n")
    assert [(deal.deal_id, deal.deal_name) for deal in result.deals] == [("A", "x")]
    assert counts(result) == (3, 1, 1, 1)
    assert told(result) == [(3, "refused"), (4, "merged")]
    assert result.problems[0].message == (
        "Deal A stands in row 2 with other values (deal_name 'x' and 'z'): "
        "the first row is kept, this one is not."
    )


def test_rows_that_differ_only_in_an_unknown_column_become_one_deal_with_both_values():
    result = loads("deal_id,our_note\nA,x\nA,y\n")
    assert counts(result) == (2, 1, 1, 0)
    assert result.deals[0].extra == {"our_note": "x | y"}
    assert "adds our_note y" in result.problems[0].message


def test_ids_that_differ_only_in_case_or_zeros_are_different_deals():
    assert counts(loads("deal_id\npm1\nPM1\n01\n1\n")) == (4, 4, 0, 0)


# --- ledger ---


def assert_adds_up(result, read):
    ledger = result.ledger
    assert ledger.read == read == ledger.loaded + ledger.merged + ledger.refused
    assert ledger.loaded == len(result.deals) == len({deal.deal_id for deal in result.deals})
    severities = [problem.severity for problem in result.problems]
    assert severities.count("merged") == ledger.merged
    assert severities.count("refused") == ledger.refused
    assert all(problem.message.endswith((".", ")")) for problem in result.problems)


junk = st.none() | st.integers() | st.text() | st.lists(st.integers(), max_size=2)


@given(st.lists(records() | junk, max_size=8))
def test_ledger_of_any_records_adds_up(found):
    assert_adds_up(parse_deals(found), len(found))


@settings(max_examples=40)
@given(st.lists(records(), min_size=1, max_size=6))
def test_ledger_of_any_json_file_adds_up(found):
    try:
        result = loads(json.dumps(found, allow_nan=False))
    except ValueError:  # a NaN among the values
        return
    except ImportRefused:
        assert not any(parse_deal(record)[0] for record in found)
        return
    assert_adds_up(result, len(found))


# A NUL would make it a binary file.
table_cells = st.sampled_from([cell for cell in (*CELLS, *IDS) if cell != "\x00"])


@given(st.lists(st.lists(table_cells, min_size=3, max_size=3), min_size=1, max_size=8))
def test_ledger_of_any_table_adds_up(rows):
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["deal_id", "deal_name", "floor_price"], *rows])
    text = stream.getvalue().encode("utf-8", "replace")
    read = sum(any(cell.strip() for cell in row) for row in rows)
    if any(row[0].strip() for row in rows):
        assert_adds_up(loads(text), read)
    elif read:
        with pytest.raises(NeedsMapping):
            loads(text)
    else:
        assert refusal(text).startswith("has a header but no rows")


def test_deals_are_taken_as_they_are():
    deal = Deal("A", deal_name="N/A")
    result = parse_deals([deal, deal, {"deal_id": "B"}])
    assert result.deals == (deal, Deal("B"))
    assert counts(result) == (3, 2, 1, 0)
    assert_adds_up(result, 3)


# --- one record ---


def test_every_nested_field_finds_its_place():
    deal = parsed(
        taxonomy={"tier1": "Automotive", "tier2": "Auto Parts", "tier3": "Auto Repair"},
        safety={"garm_risk_rating": "Low", "family_safe": True, "safe_for_verticals": ["CPG"]},
        audience={"inferred_audience": ["Fans"], "demographic_hint": "18+", "audience_provenance": "CRM"},
        commercial={"quality_tier": "Premium", "volume_tier": "High", "floor_price": 5.50},
    )
    assert deal.taxonomy == Taxonomy("Automotive", "Auto Parts", "Auto Repair")
    assert (deal.safety.garm_risk_rating, deal.safety.family_safe) == ("Low", True)
    assert deal.safety.safe_for_verticals == ("CPG",)
    assert deal.audience.inferred_audience == ("Fans",)
    assert (deal.audience.demographic_hint, deal.audience.audience_provenance) == ("18+", "CRM")
    assert (deal.commercial.quality_tier, deal.commercial.volume_tier) == ("Premium", "High")
    assert deal.commercial.floor_price == Money(Decimal("5.5"))


@pytest.mark.parametrize(
    "empty", [None, {}, "", [], {"tier1": None}, {"floor_price": None}, {"family_safe": ""}]
)
@pytest.mark.parametrize("name", ["taxonomy", "safety", "audience", "commercial"])
def test_empty_nested_object_is_unknown(name, empty):
    assert parsed(**{name: empty}) == Deal("1")


@pytest.mark.parametrize("cell", [None, "", "N/A", "unknown", "-", "null"])
@pytest.mark.parametrize(
    "name", ["deal_name", "format", "family_safe", "floor_price", "scale", "concepts", "end_date"]
)
def test_unknown_field_leaves_no_trace(name, cell):
    assert parsed(**{name: cell}) == Deal("1")


def test_unknown_column_is_kept_and_technical_ones_are_dropped():
    deal = parsed(
        our_note="x", score=7, tags=[{"a": 1}], raw_deal_data="{...}", schema_version="3", nothing=None
    )
    assert deal.extra == {"our_note": "x", "score": "7", "tags": '[{"a": 1}]'}


def test_unreadable_value_is_doubted_with_row_column_and_id_and_the_deal_stays():
    deal, (problem,) = parse_deal({"deal_id": "A", "bid_floor": "1,234"}, row=7)
    assert deal == Deal("A", extra={"bid_floor": "1,234"})
    assert (problem.row, problem.column, problem.severity, problem.deal_id) == (
        7,
        "bid_floor",
        "warning",
        "A",
    )
    assert problem.message == "'1,234' could be a thousand or a fraction; the price stays unknown."
    assert problem.found == "1,234"
    assert problem.to_do == "Write one amount, such as 12.50 or USD 12.50."


def test_format_may_imply_a_device_but_a_device_column_wins():
    assert parsed(format="CTV").devices == ("ctv",)
    assert parsed(format="video").devices == ()
    assert parsed(format="CTV", device="phone").devices == ("phone",)
    assert parsed(format="CTV|banner").formats == ("video", "display")


# --- money ---


@pytest.mark.parametrize(
    ("record", "floor", "currency"),
    [
        ({"floor_price": "5", "currency": "usd"}, Money(Decimal(5), "USD"), "USD"),
        ({"floor_price": "5"}, Money(Decimal(5)), None),
        ({"floor_price": "€5"}, Money(Decimal(5), "EUR"), "EUR"),
        ({"floor_price": "€5", "currency": "eur"}, Money(Decimal(5), "EUR"), "EUR"),
        ({"floor_price": 0}, Money(Decimal(0)), None),
        ({"currency": "GBP"}, None, "GBP"),
    ],
)
def test_floor_carries_the_currency_of_its_cell_or_column(record, floor, currency):
    deal = parsed(**record)
    assert deal.commercial.floor_price == floor
    assert deal.currency == currency


def test_floor_written_in_another_currency_than_the_column_is_doubted():
    deal, (problem,) = parse_deal({"deal_id": "1", "floor_price": "€5", "currency": "USD"}, row=4)
    assert deal.commercial.floor_price == Money(Decimal(5), "USD")
    assert problem.message == "The floor price is written in EUR, the currency is USD, which is used."
    assert (problem.row, problem.severity) == (4, "warning")


@pytest.mark.parametrize("top_first", [True, False])
def test_two_equal_floors_are_one_and_different_ones_are_doubted(top_first):
    def record(top, inner):
        parts = [("floor_price", top), ("commercial", {"floor_price": inner})]
        return {"deal_id": "1", **dict(parts if top_first else parts[::-1])}

    assert parse_deal(record(5, "5"))[1] == []
    deal, (problem,) = parse_deal(record(4, 5))
    assert deal.commercial.floor_price == Money(Decimal(5))
    assert deal.extra == {"floor_price": "4"}
    assert problem.column == "floor_price"
    assert problem.message == "'4' differs from column commercial_floor_price, which is used."


def test_unknown_exact_column_is_filled_from_an_alias():
    assert parsed(commercial={"floor_price": None}, floor="5").commercial.floor_price == Money(Decimal(5))


# --- files ---


def test_json_and_csv_of_the_sample_give_the_same_deals():
    nested = read_deals((HERE / "deals.json").read_bytes(), "deals.json")
    flat = read_deals((HERE / "deals.csv").read_bytes(), "deals.csv")
    assert nested.deals == flat.deals
    assert counts(nested) == counts(flat) == (800, 800, 0, 0)
    assert nested.problems == flat.problems == ()
    assert all(deal.extra == {} for deal in nested.deals)


@pytest.mark.parametrize(
    "encode",
    [
        str.encode,
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.encode("cp1252"),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16 le", "utf-16 be", "cp1252"],
)
@pytest.mark.parametrize(
    "text",
    ['[{"deal_id": "A", "deal_name": "Café Señal"}]', "deal_id;deal_name\nA;Café Señal\n"],
    ids=["json", "table"],
)
def test_any_usual_encoding_gives_the_same_deals(encode, text):
    result = loads(encode(text))
    assert result.deals == (Deal("A", deal_name="Café Señal"),)
    assert result.problems == ()


def test_assumed_encoding_is_told():
    assert loads("deal_id,deal_name\nA,Señal\n".encode("cp1252")).repairs == (
        "The file is not UTF-8; read as cp1252.",
    )


@pytest.mark.parametrize(
    "text",
    [
        '[{"deal_id": "A"}, {"deal_id": "B"}]',
        '{"deals": [{"deal_id": "A"}, {"deal_id": "B"}], "count": 2}',
        '{"data": {"deals": [{"deal_id": "A"}, {"deal_id": "B"}]}}',
        '{"response": {"deals": [{"deal_id": "A"}, {"deal_id": "B"}]}}',
        '{"Index": [{"deal_id": "A"}], "Magnite": [{"deal_id": "B"}]}',
        '{"deal_id": "A"}\n{"deal_id": "B"}\n',
        '\n {"deal_id": "A"}\r\n\r\n{"deal_id": "B"}',
        "deal_id\nA\nB\n",
        "Deal Code\tName\nA\t\nB\t\n",
    ],
)
def test_every_known_shape_of_a_file_gives_its_deals(text):
    result = loads(text)
    assert [deal.deal_id for deal in result.deals] == ["A", "B"]
    assert counts(result) == (2, 2, 0, 0)


def test_object_with_an_id_is_one_deal():
    assert loads('{"deal_id": "A", "commercial": {"floor_price": 5}}').ledger.loaded == 1


def test_mapping_names_the_field_of_each_known_column():
    flat = loads("Deal Code,Display Name,our note\nA,x,y\n")
    assert flat.mapping == {"Deal Code": "deal_id", "Display Name": "deal_name"}
    nested = loads(
        '[{"deal_id": "A", "safety": {"family_safe": true}}, {"deal_id": "B", "geo": "NA", "odd": 1}]'
    )
    assert nested.mapping == {"deal_id": "deal_id", "safety_family_safe": "safety_family_safe", "geo": "geos"}


def test_ragged_row_keeps_its_data_with_the_deal():
    result = loads("deal_id,deal_name\nA,x,left over\nB\n")
    assert result.deals == (Deal("A", deal_name="x", extra={"_extra_1": "left over"}), Deal("B"))
    assert [repair.split(":")[0] for repair in result.repairs] == ["Line 2", "Line 3"]


def test_bad_line_of_json_lines_is_refused_with_its_number_and_the_others_stay():
    result = loads('{"deal_id": "A"}\n{"deal_id": \n\n{"deal_id": "C"}\n[]\n')
    assert [deal.deal_id for deal in result.deals] == ["A", "C"]
    assert counts(result) == (4, 2, 0, 2)
    assert told(result) == [(2, "refused"), (5, "refused")]
    assert result.problems[0].message.startswith("The line is no valid JSON (Expecting value")


@pytest.mark.parametrize(
    "bad", ['{"deal_id": NaN}', '{"deal_id": "B", "deal_id": "C"}', '{"x": ' + "[" * 5_000]
)
def test_line_with_nan_repeated_keys_or_endless_nesting_is_refused_alone(bad):
    result = loads(f'{{"deal_id": "A"}}\n{bad}\n')
    assert counts(result) == (2, 1, 0, 1)
    assert told(result) == [(2, "refused")]


def test_entries_of_a_list_that_are_no_records_are_refused_with_their_position():
    result = loads('[{"deal_id": "A"}, "B", null, [1]]')
    assert counts(result) == (4, 1, 0, 3)
    assert [problem.message for problem in result.problems] == [
        "'B' is no deal record.",
        "None is no deal record.",
        "['1'] is no deal record.",
    ]


def test_half_of_a_character_does_not_reach_the_deal():
    result = loads(r'[{"deal_id": "A", "deal_name": "\ude97", "odd\ud800": "\ud800"}]')
    (deal,) = result.deals
    assert deal == Deal("A", deal_name="\ufffd", extra={"odd\ufffd": "\ufffd", "deal_name": "\ufffd"})
    assert len(deal.content_hash) == 16
    assert "a character that cannot be read" in result.problems[0].message


def test_id_with_half_of_a_character_is_refused_because_mending_makes_another_id():
    result = loads(r'[{"deal_id": "A\ud800"}, {"deal_id": "A\ud801"}, {"deal_id": "B"}]')
    assert counts(result) == (3, 1, 0, 2)
    assert "a character that cannot be read" in result.problems[0].message


def test_deals_keep_the_order_of_the_file():
    ids = [str(number) for number in range(50)]
    random.Random(3).shuffle(ids)
    assert [deal.deal_id for deal in loads("deal_id\n" + "\n".join(ids)).deals] == ids


def test_name_of_the_file_does_not_matter():
    assert read_deals(b'[{"deal_id": "A"}]', "deals.csv").deals == (Deal("A"),)
    assert read_deals(b"PKG,deal_id\nx,A\n", "deals.json").ledger.loaded == 1


# --- refused files ---

REFUSALS = {
    "empty": (b"", "is empty: choose a file with deals (CSV, TSV, JSON or JSON Lines)."),
    "blank": (b" \r\n\t", "is empty: choose a file with deals (CSV, TSV, JSON or JSON Lines)."),
    "only a mark": (codecs.BOM_UTF8, "is empty: choose a file with a header row and one deal per row."),
    "image": (PNG, "is not a text file: export the deals as CSV, TSV, XLSX, JSON or JSON Lines."),
    "prose": (
        b"Dear all,\nplease find the deals, as agreed, in the sheet.\n",
        "is no table of deals: none of its columns is known; name the id column deal_id.",
    ),
    "no id column": (
        b"deal_name,format\nx,video\n",
        "has no column for the deal id (known columns: deal_name, format): name that column deal_id.",
    ),
    "only a header": (
        b"deal_id,deal_name\n",
        "has a header but no rows: choose a file with one deal per row.",
    ),
    "no deals": (
        b'{"version": 3, "rows": {"a": 1}}',
        'holds no deals: expected a list of deals, or an object with a list under "deals".',
    ),
    "list of words": (
        b'["a", "b"]',
        'holds no deals: expected a list of deals, or an object with a list under "deals".',
    ),
    "empty list": (b"[]", "holds an empty list: there is no deal to load."),
    "empty list of deals": (b'{"deals": []}', "holds an empty list: there is no deal to load."),
    "records without ids": (
        b'[{"deal_name": "x"}]',
        "has no column for the deal id (known columns: deal_name): name that column deal_id.",
    ),
    "records of nothing": (
        b"[{}, {}]",
        "is no table of deals: none of its columns is known; name the id column deal_id.",
    ),
    "truncated": (
        b'[{"deal_id": "A"}, {"deal_id": "B"',
        "is no valid JSON (Expecting ',' delimiter: line 1 column 35 (char 34)): export it again.",
    ),
    "nan": (
        b'[{"deal_id": NaN}]',
        "is no valid JSON (NaN is no JSON value: record 1, line 1 column 14): export it again.",
    ),
    "infinity": (
        b'[{"deal_id": "A", "floor_price": -Infinity}]',
        "is no valid JSON (-Infinity is no JSON value: record 1, line 1 column 34): export it again.",
    ),
    "repeated key": (
        b'[{"deal_id": "A", "deal_id": "B"}]',
        "is no valid JSON (the key 'deal_id' stands twice in one object: record 1, line 1 column 19): "
        "export it again.",
    ),
    "lines without records": (
        b'{"a"\n{"b"\n',
        "is no valid JSON (Expecting ':' delimiter: line 2 column 1 (char 5)): export it again.",
    ),
    "deep": (
        b"[" * 100_000,
        "is no valid JSON (nested deeper than 64 levels at line 1 column 65): export it again.",
    ),
    "deep object": (
        b'{"a":' * 100_000,
        "is no valid JSON (nested deeper than 64 levels at line 1 column 321): export it again.",
    ),
}


@pytest.mark.parametrize(("data", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_file_without_deals_is_refused_with_what_to_do(data, reason):
    assert refusal(data) == reason


def test_file_above_the_limit_is_refused_with_both_sizes(monkeypatch):
    monkeypatch.setenv("DEALWEAVER_UPLOAD_MB", "1")
    get_settings.cache_clear()
    data = b"deal_id\n" + b"A" * 1_500_000
    assert refusal(data) == "is 1.5 MB, more than the 1 MB allowed: split it."
    assert loads(b"deal_id,deal_name\n1," + b"A" * 1_000).ledger.loaded == 1


def test_more_deals_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(records_module, "MAX_ROWS", 2)
    assert refusal('[{"deal_id": 1}, {"deal_id": 2}, {"deal_id": 3}]') == (
        "has more than 2 deals: split it and load the parts."
    )


# --- any content ---


# Around the limit of 64 levels, of which the file needs two, and around the one of Python's own reader.
SOME_DEPTHS = (1, 2, 3, 8, 19, 61, 62, 63, 64, 981, 1_000)
EVERY_DEPTH = (*range(1, 70), *range(900, 1_010, 3))


@pytest.mark.parametrize(
    "depths",
    [pytest.param(SOME_DEPTHS, id="some"), pytest.param(EVERY_DEPTH, id="every", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("key", ["x", "deal_id", "deal_name", "concepts", "floor_price"])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
def test_any_depth_of_nesting_is_read_or_refused(key, opening, closing, depths):
    for depth in depths:
        text = f'[{{"deal_id": "A", "{key}": {opening * depth}1{closing * depth}}}]'
        try:
            result = loads(text)
        except ImportRefused:
            continue
        assert_adds_up(result, 1)


def test_record_of_a_caller_that_is_nested_without_end_is_refused():
    for wrap in (lambda inner: [inner], lambda inner: {"a": inner}):
        nested = 1
        for _ in range(5_000):
            nested = wrap(nested)
        assert_adds_up(parse_deals([{"deal_id": "A", "x": nested}, {"deal_id": "B"}, nested]), 3)


starts = st.sampled_from(
    [b"", b"[", b"{", b'[{"deal_id":', b'{"deal_id": 1}\n', b"deal_id,name\n", codecs.BOM_UTF16_LE]
)


@given(starts, st.binary(max_size=200))
def test_any_bytes_are_deals_or_refused(start, data):
    try:
        result = loads(start + data)
    except ImportRefused as refused:
        assert refused.reason.endswith(".")  # noqa: PT017  (either outcome is right)
    else:
        assert_adds_up(result, result.ledger.read)


@given(st.integers(0, 400), st.binary(max_size=6))
def test_any_damage_to_a_good_file_ends_in_deals_or_a_refusal(position, damage):
    good = b'[{"deal_id": "A", "deal_name": "x"},\n {"deal_id": "B", "safety": {"family_safe": null}}]'
    for data in (good[:position] + damage + good[position + 1 :], good[:position]):
        try:
            result = loads(data)
        except ImportRefused:
            continue
        assert_adds_up(result, result.ledger.read)


def test_group_that_is_null_is_no_column_of_its_own() -> None:
    records = [{"deal_id": "1", "audience": None}, {"deal_id": "2", "audience": {"inferred_audience": ["A"]}}]

    result = read_deals(json.dumps(records).encode(), "deals.json")

    assert result.ambiguous == {}
    assert set(result.mapping) == {"deal_id", "audience_inferred_audience"}


# --- typed numbers ---


def floors(result):
    return [str(deal.commercial.floor_price.amount) for deal in result.deals]


def test_number_of_json_has_a_decimal_point_whatever_its_column_proves():
    text = '[{"deal_id": "a", "floor_price": 1.125}, {"deal_id": "b", "floor_price": "2,50"}]'
    assert floors(loads(text)) == ["1.125", "2.50"]
    lines = '{"deal_id": "a", "floor_price": 1.125}\n{"deal_id": "b", "floor_price": "2,50"}\n'
    assert floors(loads(lines)) == ["1.125", "2.50"]
    assert floors(loads("deal_id;floor_price\na;1.125\nb;2,50\n")) == ["1125", "2.50"]


def test_number_of_a_workbook_has_a_decimal_point_whatever_its_column_proves():
    book = openpyxl.Workbook()
    for row in (["deal_id", "floor_price", "impressions"], ["a", 1.125, 1234.5], ["b", "2,50", "1,5M"]):
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    result = loads(data.getvalue())
    assert floors(result) == ["1.125", "2.50"]
    assert [deal.scale for deal in result.deals] == [None, 1_500_000]


def test_float_of_a_caller_has_a_decimal_point():
    result = parse_deals([{"deal_id": "a", "floor_price": 1.125}, {"deal_id": "b", "floor_price": "2,50"}])
    assert floors(result) == ["1.125", "2.50"]


# --- JSON inside the cells of a table ---

CELLS_OF_JSON = 'deal_id,commercial\nA,"{""floor_price"": 5}"\nB,\n'


@pytest.mark.parametrize("mapping", [None, {"commercial": None}, {"commercial": ""}])
def test_blank_json_cell_leaves_no_column_and_no_choice_closes_the_others(mapping):
    result = read_deals(CELLS_OF_JSON.encode(), "deals.csv", mapping=mapping)
    assert result.deals[0].commercial.floor_price.amount == 5
    assert result.mapping == {"deal_id": "deal_id", "commercial_floor_price": "commercial_floor_price"}
    assert result.unmapped == {}
    assert result.repairs == ()
    assert all(deal.extra == {} for deal in result.deals)


def test_value_in_a_json_cell_that_differs_from_its_column_is_kept_and_told():
    rows = 'A,"{""floor_price"": 7}",5\nB,"{""floor_price"": 5}",5.0\n'
    result = loads(f"deal_id,commercial,commercial_floor_price\n{rows}")
    one, two = result.deals
    assert one.commercial.floor_price == two.commercial.floor_price
    assert (one.extra, two.extra) == ({"commercial": '{"floor_price": 7}'}, {})
    (problem,) = result.problems
    assert (problem.row, problem.column, problem.severity) == (2, "commercial", "warning")
    assert "'7' for commercial_floor_price inside the cell differs" in problem.message


# --- rows that are no deals ---


def test_row_whose_id_is_a_word_for_nothing_is_refused_with_its_reason():
    result = loads("deal_id,deal_name\nA,one\n(not set),two\n")
    assert counts(result) == (2, 1, 0, 1)
    (problem,) = result.problems
    assert (problem.row, problem.severity) == (3, "refused")
    assert "'(not set)' stands for no id" in problem.message


@pytest.mark.parametrize("word", ["total", "Totals", "GRAND  TOTAL", "Sum"])
def test_summary_at_the_end_of_a_table_is_refused_and_can_be_seen(word):
    result = loads(f"deal_id,deal_name,impressions\nA,one,1\nB,two,2\n{word},,3\n")
    assert [deal.deal_id for deal in result.deals] == ["A", "B"]
    assert counts(result) == (3, 2, 0, 1)
    (problem,) = result.problems
    assert (problem.row, problem.severity) == (4, "refused")
    assert "looks like a summary row" in problem.message
    assert json.loads(problem.found)["impressions"] == "3"


@pytest.mark.parametrize(
    "rows", ["Total,one\nA,two\n", "A,one\nTotal,Total audience\n", "Total,\n", "A,one\nTotal-1,\n"]
)
def test_deal_that_is_only_called_like_a_summary_stays(rows):
    result = loads(f"deal_id,deal_name\n{rows}")
    assert counts(result)[3] == 0


# --- currencies of headers ---


@pytest.mark.parametrize(
    ("header", "cell", "currency"),
    [
        ("Floor price (AUD)", "$2.5", "AUD"),
        ("Floor price (AUD)", "$2.5 CPM", "AUD"),
        ("Floor price (CNY)", "¥2.5", "CNY"),
        ("Floor price (USD)", "$2.5", "USD"),
    ],
)
def test_sign_of_several_currencies_means_the_one_of_the_header(header, cell, currency):
    result = loads(f"deal_id,{header}\nA,{cell}\n")
    assert result.deals[0].commercial.floor_price == Money(Decimal("2.5"), currency)
    assert result.problems == ()


@pytest.mark.parametrize(
    ("header", "cell", "currency"),
    [("AUD", "US$2.5", "USD"), ("AUD", "$2.5 USD", "USD"), ("EUR", "$2.5", "USD"), ("AUD", "¥2.5", "JPY")],
)
def test_cell_in_another_currency_than_its_header_is_doubted(header, cell, currency):
    result = loads(f"deal_id,Floor price ({header})\nA,{cell}\n")
    assert result.deals[0].commercial.floor_price == Money(Decimal("2.5"), currency)
    assert len(result.problems) == 1


def test_records_of_a_data_frame_keep_numbers_without_a_field_as_text():
    record = {"deal_id": "D1", "console": np.int64(3), "floor_price": np.float64(2.5), "note": np.array([])}
    (deal,) = parse_deals([record]).deals
    assert str(deal.commercial.floor_price.amount) == "2.5"
    assert "3" in deal.extra["console"]
