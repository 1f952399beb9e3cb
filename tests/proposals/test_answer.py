"""A model's text becomes packages: whole or not at all."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.deals.text_normalisation import clean_text
from core.errors import UnusableAnswer
from core.proposals.answer import ParsedAnswer, parse_answer, part_of


def package(name: str, *numbers: int) -> dict[str, Any]:
    return {"package_name": name, "deal_ids": [f"D{n}" for n in numbers], "reasoning": f"Why {name}."}


THREE = [package("Alpha", 1, 2, 3), package("Beta", 4, 5, 6, 7), package("Gamma", 8, 9, 10)]
WHOLE = json.dumps({"packages": THREE})


def content(parsed: ParsedAnswer) -> list[tuple[object, ...]]:
    """Return name, ids and reasoning of every package."""
    return [
        (part_of(item, "name"), part_of(item, "deals"), part_of(item, "reasoning"))
        for item in parsed.packages
    ]


CONTENT = [(item["package_name"], item["deal_ids"], item["reasoning"]) for item in THREE]


def renamed(keys: Mapping[str, str]) -> str:
    return json.dumps({"packages": [{keys.get(key, key): item[key] for key in item} for item in THREE]})


# --- shapes that are accepted -----------------------------------------------------------------

IN_OTHER_WORDS = "The answer held text around its JSON; the list in it was used."


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(WHOLE, id="wrapped"),
        pytest.param(json.dumps({"packages": THREE}, indent=4), id="indented"),
        pytest.param(f"\n\t {WHOLE} \n", id="blank space"),
        pytest.param(json.dumps(THREE), id="bare list"),
        pytest.param(json.dumps({"result": {"proposals": THREE}, "count": 3}), id="foreign wrappers"),
        pytest.param(json.dumps({"excluded": [], "packages": THREE, "notes": ["x"]}), id="wrapper with more"),
        pytest.param(json.dumps({"packages": {"1": THREE[0], "2": THREE[1], "3": THREE[2]}}), id="numbered"),
        pytest.param(json.dumps({"a": THREE[0], "b": THREE[1], "c": THREE[2], "n": 3}), id="side by side"),
        pytest.param(
            json.dumps({"packages": [p | {"tags": [], "price": 1} for p in THREE]}), id="extra keys"
        ),
        pytest.param(
            renamed({"package_name": "name", "deal_ids": "deals", "reasoning": "why"}), id="synonyms"
        ),
        pytest.param(renamed({"package_name": "title", "deal_ids": "ids"}), id="more synonyms"),
        pytest.param(renamed({"package_name": "packageName", "deal_ids": "dealIds"}), id="camel case"),
    ],
)
def test_shape_is_accepted_without_remark(text: str) -> None:
    parsed = parse_answer(text)
    assert content(parsed) == CONTENT
    assert parsed.issues == ()
    assert not parsed.salvaged


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"```json\n{WHOLE}\n```", id="fenced"),
        pytest.param(f"```\n```json\n{WHOLE}\n```\n```", id="fence in fence"),
        pytest.param(f"Here {{as asked}} [1]:\n{WHOLE}\nI hope [this] helps {{you}}!", id="prose around"),
        pytest.param(f"\ufeff{WHOLE}", id="byte order mark"),
        pytest.param(f"A draft: {json.dumps(THREE[:1])} and better: {WHOLE}", id="draft first"),
        pytest.param(f"{WHOLE}\nA short form: {json.dumps(THREE[:2])}", id="draft last"),
        pytest.param("\n".join(map(json.dumps, THREE)), id="one package per line"),
    ],
)
def test_list_in_other_text_is_found_and_said(text: str) -> None:
    parsed = parse_answer(text)
    assert content(parsed) == CONTENT
    assert parsed.issues == (IN_OTHER_WORDS,)
    assert parsed.salvaged


def test_single_package_is_an_answer() -> None:
    assert content(parse_answer(json.dumps(THREE[1]))) == [CONTENT[1]]


def test_last_of_a_double_key_counts_and_is_said() -> None:
    parsed = parse_answer('[{"package_name": "Old", "deal_ids": [], "package_name": "New", "deal_ids": [1]}]')
    assert content(parsed) == [("New", [1], None)]
    assert parsed.issues == ("The answer gave a key twice in one object; the last value was used.",)
    assert parsed.salvaged


def test_nan_is_unknown() -> None:
    parsed = parse_answer('[{"package_name": "Alpha", "deal_ids": [1, NaN, Infinity], "reasoning": NaN}]')
    assert content(parsed) == [("Alpha", [1, None, None], None)]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\x00\x07Sport\x1b[31m\r\n\tTV\x7f", "Sport [31m TV"),
        ("\u202eSport\u2066\u200b TV\ufeff", "Sport TV"),
        ("a  b", "a b"),
        ("x" * 10_000, "x" * 119 + "…"),
        ("<b>bold</b> =SUM(A1)", "<b>bold</b> =SUM(A1)"),  # made inert where it is shown or exported
        (None, ""),
        (12, ""),
    ],
)
def test_words_of_a_model_become_one_plain_line(raw: object, clean: str) -> None:
    assert clean_text(raw, 120) == clean


# --- answers that are refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(WHOLE.replace("]", ",]"), id="trailing commas"),
        pytest.param(WHOLE[:-1] + ",}", id="one trailing comma at the end"),
        pytest.param(repr({"packages": THREE}), id="single quotes"),
        pytest.param("", id="empty"),
        pytest.param("  \n", id="blank"),
        pytest.param("null", id="null"),
        pytest.param("42", id="number"),
        pytest.param("NaN", id="nan"),
        pytest.param('"No packages could be formed."', id="string"),
        pytest.param("No packages could be formed.", id="prose"),
        pytest.param("true", id="boolean"),
        pytest.param("[]", id="empty list"),
        pytest.param("{}", id="empty object"),
        pytest.param('{"packages": []}', id="empty packages"),
        pytest.param('{"packages": null}', id="null packages"),
        pytest.param('{"packages": "D1, D2, D3"}', id="packages as text"),
        pytest.param('["D1", "D2", "D3"]', id="list of ids"),
        pytest.param(json.dumps([*THREE, "and more"]), id="list of packages and text"),
        pytest.param("[" * 100_000 + "]" * 100_000, id="deep brackets"),
        pytest.param("[1," * 100_000, id="deep list"),
        pytest.param('{"a":' * 600 + "1" + "}" * 600, id="deep objects"),
        pytest.param("x " + '{"a":' * 600 + "1" + "}" * 600, id="deep objects in prose"),
        pytest.param(f"{WHOLE} {WHOLE[:-3]}", id="a whole list, then a cut one"),
        pytest.param("[" + "9" * 5000 + "]", id="number too long to read"),
    ],
)
def test_unusable_answer_is_refused_and_kept(text: str) -> None:
    with pytest.raises(UnusableAnswer) as caught:
        parse_answer(text)
    assert caught.value.raw == text
    assert caught.value.remedy == "again"


# --- cut answers ------------------------------------------------------------------------------

LAYOUTS = {
    "wrapped": WHOLE,
    "indented": json.dumps({"packages": THREE}, indent=2),
    "bare list": json.dumps(THREE),
    "other wrapper": json.dumps({"note": "x [y]", "result": {"items": THREE}}),
    "side by side": json.dumps({"a": THREE[0], "b": THREE[1], "c": THREE[2]}),
    "ids last": json.dumps(
        {"packages": [{k: p[k] for k in ("reasoning", "package_name", "deal_ids")} for p in THREE]}
    ),
}
WRAPPINGS = {
    "alone": "{}",
    "prose": "Here {{as asked}} are [three] packages:\n{}\nI hope [this] helps {{you}}!",
    "fence": "```json\n{}\n```",
    "prose and fences": "Sure!\n\n```\n```json\n{}\n```\n```\nDone.",
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_answer_cut_anywhere_is_whole_or_refused(layout: str, wrapping: str) -> None:
    text = WRAPPINGS[wrapping].format(LAYOUTS[layout])
    assert content(parse_answer(text)) == CONTENT
    passed = 0
    for end in range(len(text)):
        try:
            parsed = parse_answer(text[:end])
        except UnusableAnswer:
            continue
        passed += 1
        assert content(parsed) == CONTENT, f"cut at {end}: {text[:end][-40:]!r}"
    assert bool(passed) == (wrapping != "alone"), "only a cut behind the JSON leaves it whole"


# --- any text at all ------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["packages", "name", "deals"]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON_VALUES.map(json.dumps) | st.text(alphabet='{}[]",:D123 packages', max_size=60) | st.text())
def test_any_text_is_an_answer_or_refused(text: str) -> None:
    with contextlib.suppress(UnusableAnswer):
        assert parse_answer(text).packages
