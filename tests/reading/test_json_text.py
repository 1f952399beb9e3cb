import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ImportRefused
from core.reading import json_text
from core.reading.json_text import looks_like_json, parse_json, read_json
from core.settings import MAX_JSON_DEPTH


def refusal(data: bytes) -> str:
    with pytest.raises(ImportRefused) as caught:
        read_json(data, "f")
    return caught.value.reason


@pytest.mark.parametrize(
    ("data", "is_json"),
    [
        (b'{"a": 1}', True),
        (b"\xef\xbb\xbf \n[1]", True),
        ("[1]".encode("utf-16"), True),
        (b"deal_id,name", False),
        (b'"a"', False),
        (b"", False),
    ],
)
def test_json_is_known_by_its_first_character(data, is_json):
    assert looks_like_json(data) == is_json


def test_numbers_stay_the_text_they_were():
    parsed = read_json(b'[549644398148090651, 1E5, 1.50, -0, null, true, "NA"]', "f")
    assert parsed.values == ((1, ["549644398148090651", "1E5", "1.50", "-0", None, True, "NA"]),)
    assert (parsed.is_lines, parsed.source.format) == (False, "json")


def test_lines_are_read_one_by_one_and_bad_ones_are_refused_with_their_text():
    parsed = read_json(b'{"deal_id": "A"}\r\n\r\n{"deal_id": }\r\n{"deal_id": "B"}\r\n', "f")
    assert parsed.values == ((1, {"deal_id": "A"}), (4, {"deal_id": "B"}))
    assert parsed.is_lines
    (refused,) = parsed.refusals
    assert (refused.line, refused.text.strip()) == (3, '{"deal_id": }')
    assert refused.reason.startswith("The line is no valid JSON (Expecting value")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b" \n", "is empty"),
        (b'[{"a": NaN}]', "is no valid JSON (NaN is no JSON value: record 1, line 1 column 8)"),
        (b'[{"a": 1, "a": 2}]', "is no valid JSON (the key 'a' stands twice in one object: record 1"),
        (b'[{"a": 1}\n', "is no valid JSON (Expecting ',' delimiter: line 2 column 1"),
        (b"[01]", "is no valid JSON"),
        (b'["\x01"]', "is no valid JSON"),
        (b"[" * 100_000, "is no valid JSON (nested deeper than 64 levels at line 1 column 65)"),
        (
            b"[\n" + b'{"a":' * 70 + b"1" + b"}" * 70 + b"]",
            "is no valid JSON (nested deeper than 64 levels at line 2",
        ),
    ],
)
def test_invalid_json_is_refused_with_the_place(data, reason):
    assert refusal(data).startswith(reason)


def test_brackets_in_text_are_no_nesting():
    text = json.dumps(["[" * 100, '"{' * 100, "\\"])
    assert parse_json(text) == json.loads(text)
    deepest = "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH
    assert parse_json(deepest) == json.loads(deepest)


def test_more_parts_than_any_deal_file_has_are_refused(monkeypatch):
    monkeypatch.setattr(json_text, "MAX_JSON_PARTS", 3)
    assert "holds more than 3 lists and objects" in refusal(b"[[],[],[],[]]")


def test_more_lines_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(json_text, "MAX_ROWS", 2)
    assert "has more than 2 lines" in refusal(b'{"a":1}\n' * 3)


values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.booleans())
def test_any_document_comes_back(value, is_ascii):
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert parse_json(text) == value


@given(st.text(alphabet='[]{},:"\\ae1n \n', max_size=80))
def test_any_text_is_read_as_the_standard_library_reads_it_or_refused(text):
    try:
        parsed = parse_json(text)
    except ValueError:
        return
    assert json.loads(text, parse_int=str, parse_float=str) == parsed
