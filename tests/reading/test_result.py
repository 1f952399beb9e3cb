import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.deals import Deal
from core.reading import ImportResult, ReadOptions, parse_deal, read_deals, refused_rows

FILE = b"""deal_id,category,GARM risk,floor,bid_floor,our note
A,IAB1-3,Floor,5,6,x
,News & Politics,High,1,1,=1+1
B,Zzz,odd,cheap,,y
"""


def test_report_comes_back_from_json_whole():
    result = read_deals(FILE, "x.csv")
    report = json.loads(json.dumps(result.to_report()))
    assert ImportResult.from_report(result.deals, report) == result


def test_report_of_an_older_version_has_empty_parts():
    old = {
        "ledger": {"read": 0, "loaded": 0, "merged": 0, "refused": 0},
        "problems": [],
        "mapping": {},
        "repairs": [],
    }
    result = ImportResult.from_report((), old)
    assert (result.samples, result.source, result.categories, result.has_floor_rating) == (
        {},
        None,
        {},
        False,
    )


def test_refused_rows_have_their_row_reason_and_own_columns():
    header, rows = refused_rows(read_deals(FILE, "x.csv"))
    assert header == ["row", "reason", "to_do", "category", "GARM risk", "floor", "bid_floor", "our note"]
    (row,) = rows
    assert row[0] == "3"
    assert row[1].startswith("The record has no deal id")
    assert row[3:] == ["News & Politics", "High", "1", "1", "=1+1"]


def test_refused_line_that_is_no_record_is_given_as_text():
    header, rows = refused_rows(read_deals(b'{"deal_id": "A"}\n{"deal_id": \n{"deal_id": "C"}\n', "x.jsonl"))
    assert header == ["row", "reason", "to_do", "text"]
    assert rows[0][0] == "2"
    assert rows[0][3].strip() == '{"deal_id":'


@pytest.mark.parametrize(("lowest", "risk"), [(False, "Floor"), (True, "Low")])
def test_floor_rating_is_noted_and_read_as_the_analyst_says(lowest, risk):
    result = read_deals(FILE, "x.csv", ReadOptions(floor_is_lowest_risk=lowest))
    assert result.has_floor_rating
    assert result.floor_is_lowest_risk is lowest
    assert ImportResult.from_report(result.deals, result.to_report()) == result
    assert result.deals[0].safety.garm_risk_rating == risk
    assert result.deals[0].extra.get("GARM risk") == ("Floor" if lowest else None)
    assert any('GARM "Floor" in 1 row' in repair for repair in result.repairs)


def test_doubted_cell_keeps_its_words():
    deal = read_deals(FILE, "x.csv").deals[1]
    assert deal.extra == {"GARM risk": "odd", "floor": "cheap", "our note": "y"}


def test_thousands_of_doubts_about_one_column_are_told_once_at_the_end():
    rows = "".join(f"{number},smell\n" for number in range(1_500))
    result = read_deals(f"deal_id,format\n{rows}".encode(), "x.csv")
    assert len(result.problems) == 1_001
    assert result.problems[-1].message.startswith(
        "500 more cells of this column are doubted, the last in row 1501"
    )


hostile = st.text(max_size=12) | st.sampled_from(
    [
        "=1+1",
        "@x",
        "\t-",
        "a\r\nb",
        '"',
        "'",
        "NA",
        "1e5",
        "\u202e",
        "\u200b",
        "{",
        "[",
        "|;,",
        "é",
        "\U0001f697",
    ]
)


@settings(max_examples=60)
@given(
    st.fixed_dictionaries(
        {"deal_id": hostile},
        optional=dict.fromkeys(
            ("deal_name", "ssp_name", "format", "description", "category", "publishers", "our note"), hostile
        ),
    )
)
def test_hostile_text_comes_back_from_the_record_of_its_deal(record):
    deal, _ = parse_deal(record)
    if deal is None:
        return
    assert Deal.from_dict(json.loads(json.dumps(deal.to_dict()))) == deal
    assert parse_deal(deal.to_dict())[0] == deal
