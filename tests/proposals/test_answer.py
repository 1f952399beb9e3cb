"""A model's text becomes proposals: whole or not at all, and no deal is lost or invented."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UnusableAnswer
from core.proposals import Answer
from core.proposals.answer import clean_text, parse_answer, validate_answer

ALIASES = {f"D{n}": f"real-{n:02}" for n in range(1, 13)}


def package(name: str, *numbers: int) -> dict[str, Any]:
    return {"package_name": name, "deal_ids": [f"D{n}" for n in numbers], "reasoning": f"Why {name}."}


THREE = [package("Alpha", 1, 2, 3), package("Beta", 4, 5, 6, 7), package("Gamma", 8, 9, 10)]
WHOLE = json.dumps({"packages": THREE})
CONTENT = [("Alpha", (1, 2, 3)), ("Beta", (4, 5, 6, 7)), ("Gamma", (8, 9, 10))]


def content(answer: Answer) -> list[tuple[str, tuple[int, ...]]]:
    """Return names and deal numbers of the proposals."""
    return [(p.name, tuple(int(d.removeprefix("real-")) for d in p.deal_ids)) for p in answer.proposals]


def with_ids(*ids: object) -> str:
    return json.dumps({"packages": [package("Alpha", 1, 2, 3) | {"deal_ids": list(ids)}]})


def renamed(keys: Mapping[str, str]) -> str:
    return json.dumps({"packages": [{keys.get(key, key): item[key] for key in item} for item in THREE]})


def assert_every_deal_once(answer: Answer, aliases: Mapping[str, str]) -> None:
    packaged = {deal_id for p in answer.proposals for deal_id in p.deal_ids}
    left = [u.deal_id for u in answer.unpackaged]
    assert sorted(left) == sorted(set(left))
    assert packaged.isdisjoint(left)
    assert packaged | set(left) == set(aliases.values())
    assert all(u.reason for u in answer.unpackaged)
    assert all(len(p.deal_ids) == len(set(p.deal_ids)) >= 3 for p in answer.proposals)


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
    answer = validate_answer(text, ALIASES)
    assert content(answer) == CONTENT
    assert answer.issues == ()
    assert answer.raw == text
    assert_every_deal_once(answer, ALIASES)


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
    answer = validate_answer(text, ALIASES)
    assert content(answer) == CONTENT
    assert answer.issues == (IN_OTHER_WORDS,)


def test_single_package_is_an_answer() -> None:
    assert content(validate_answer(json.dumps(THREE[1]), ALIASES)) == [CONTENT[1]]


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        pytest.param(["D1", "D2", "D3"], (1, 2, 3), id="aliases"),
        pytest.param([1, 2, 12], (1, 2, 12), id="integers"),
        pytest.param([1.0, 2.0, 3.0], (1, 2, 3), id="floats"),
        pytest.param(["1", " 2 ", "3"], (1, 2, 3), id="numbers as text"),
        pytest.param([" d1 ", "D 2", "d3\n"], (1, 2, 3), id="case and blanks"),
        pytest.param(["D1, D2; D3"], (1, 2, 3), id="joined"),
        pytest.param(["real-01", "REAL-02", "real - 03"], (1, 2, 3), id="real ids"),
        pytest.param(["D3", "D1", "D2", "D3", 1, "real-02"], (3, 1, 2), id="repeated"),
        pytest.param(
            [None, True, "D1", {"id": "D4"}, ["D5"], "D2", "D3", ""], (1, 2, 3), id="no ids between"
        ),
    ],
)
def test_ids_are_understood(ids: list[object], found: tuple[int, ...]) -> None:
    answer = validate_answer(with_ids(*ids), ALIASES)
    assert content(answer) == [("Alpha", found)]
    assert answer.issues == ()


def test_ids_as_one_string_instead_of_a_list() -> None:
    text = json.dumps({"packages": [package("Alpha") | {"deal_ids": "D1, D2, D3"}]})
    assert content(validate_answer(text, ALIASES)) == [("Alpha", (1, 2, 3))]


def test_order_of_the_deals_is_the_models() -> None:
    assert content(validate_answer(with_ids("D9", "D1", "D5"), ALIASES)) == [("Alpha", (9, 1, 5))]


# --- what is not believed ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "foreign", ["D13", "D0", "D99999", "DEAL-FAKE", "real-13", 13, -1, 1.5, 10**400, "1e400", "D1D2", "K1"]
)
def test_ids_that_are_not_in_the_cluster_are_dropped_and_counted(foreign: object) -> None:
    answer = validate_answer(with_ids("D1", foreign, "D2", "D3"), ALIASES)
    assert content(answer) == [("Alpha", (1, 2, 3))]
    assert answer.issues == ("'Alpha' named 1 ids that are not in this cluster; they were dropped.",)


def test_number_that_could_mean_two_deals_means_none() -> None:
    aliases = {"D1": "2", "D2": "3", "D3": "77", "D4": "x", "D5": "y"}
    answer = validate_answer(with_ids("2", "3", "D1", "x", "5"), aliases)
    # "2" could be D2 or the deal "2"; "3" likewise; "5" is D5 and nothing else.
    assert answer.proposals[0].deal_ids == ("2", "x", "y")
    assert answer.issues == ("'Alpha' named 2 ids that are not in this cluster; they were dropped.",)


def test_real_ids_that_differ_only_in_case_are_told_apart_or_refused() -> None:
    aliases = {"D1": "ab", "D2": "AB", "D3": "x", "D4": "y"}
    answer = validate_answer(with_ids("AB", "x", "y", "Ab"), aliases)
    assert answer.proposals[0].deal_ids == ("AB", "x", "y")
    assert "named 1 ids" in answer.issues[0]


def test_package_under_three_deals_dissolves_and_its_deals_say_why() -> None:
    text = json.dumps({"packages": [*THREE, package("Pair", 11, 12), package("Known Pair", 1, 2)]})
    answer = validate_answer(text, ALIASES)
    assert content(answer) == CONTENT
    assert {u.deal_id: u.reason for u in answer.unpackaged} == dict.fromkeys(
        ("real-11", "real-12"), "The model put it in a package of 2, under 3 deals."
    )
    assert answer.issues == (
        "'Pair' has fewer than 3 valid deals and was dropped.",
        "'Known Pair' has fewer than 3 valid deals and was dropped.",
    )


def test_forgotten_deals_are_listed() -> None:
    answer = validate_answer(WHOLE, ALIASES)
    assert {u.deal_id: u.reason for u in answer.unpackaged} == dict.fromkeys(
        ("real-11", "real-12"), "The model left it out of every package."
    )


def test_same_deals_under_another_name_count_once() -> None:
    answer = validate_answer(json.dumps([*THREE, package("Again", 3, 2, 1, 1)]), ALIASES)
    assert content(answer) == CONTENT
    assert answer.issues == ("'Again' repeats another package's deals and was dropped.",)


def test_deal_may_be_in_two_packages() -> None:
    answer = validate_answer(json.dumps([package("Alpha", 1, 2, 3), package("Beta", 3, 4, 5)]), ALIASES)
    assert content(answer) == [("Alpha", (1, 2, 3)), ("Beta", (3, 4, 5))]
    assert_every_deal_once(answer, ALIASES)


def test_packages_over_twelve_are_dropped_with_their_deals_listed() -> None:
    aliases = {f"D{n}": f"real-{n:02}" for n in range(1, 43)}
    packages = [package(f"P{n}", n, n + 1, n + 2) for n in range(1, 41, 3)]
    answer = validate_answer(json.dumps(packages), aliases)
    assert len(answer.proposals) == 12
    assert {u.reason for u in answer.unpackaged} == {"The model gave more than 12 packages."}
    assert len(answer.unpackaged) == len(answer.issues) * 3 == 6
    assert_every_deal_once(answer, aliases)


def test_thousands_of_corrections_are_summed_up() -> None:
    answer = validate_answer(json.dumps([*THREE, *([package("Again", 1, 2, 3)] * 2000)]), ALIASES)
    assert len(answer.issues) == 21
    assert answer.issues[-1] == "1980 more corrections of the same kinds."


def test_nan_is_unknown() -> None:
    text = '{"packages": [{"package_name": "Alpha", "deal_ids": ["D1", 2, 3, NaN], "reasoning": NaN}]}'
    answer = validate_answer(text, ALIASES)
    assert content(answer) == [("Alpha", (1, 2, 3))]
    assert answer.proposals[0].reasoning == "None given."


def test_infinite_id_is_unknown() -> None:
    text = '{"packages": [{"package_name": "Alpha", "deal_ids": ["D1", "D2", "D3", 1e999, Infinity]}]}'
    assert content(validate_answer(text, ALIASES)) == [("Alpha", (1, 2, 3))]


def test_last_of_a_double_key_counts_and_is_said() -> None:
    text = '[{"package_name": "Old", "deal_ids": [], "package_name": "New", "deal_ids": [1, 2, 3]}]'
    answer = validate_answer(text, ALIASES)
    assert content(answer) == [("New", (1, 2, 3))]
    assert answer.issues == ("The answer gave a key twice in one object; the last value was used.",)


@pytest.mark.parametrize("name", [None, "", "  ", 7, ["x"], "\u200b\u202e"])
def test_missing_name_is_marked(name: object) -> None:
    answer = validate_answer(json.dumps([package("x", 1, 2, 3) | {"package_name": name}]), ALIASES)
    assert answer.proposals[0].name == "Unnamed package"
    assert answer.issues == ("A package came without a name: give it one before you approve it.",)


@pytest.mark.parametrize("reasoning", [None, "", 7, {"why": "x"}])
def test_missing_reasoning_is_said(reasoning: object) -> None:
    answer = validate_answer(json.dumps([package("x", 1, 2, 3) | {"reasoning": reasoning}]), ALIASES)
    assert answer.proposals[0].reasoning == "None given."


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
        pytest.param('{"packages": [{}]}', id="empty package"),
        pytest.param(json.dumps([package("Pair", 1, 2), package("One", 3)]), id="all under three"),
        pytest.param(with_ids("X1", "X2", "X3"), id="invented ids only"),
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
        validate_answer(text, ALIASES)
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
    assert content(validate_answer(text, ALIASES)) == CONTENT
    passed = 0
    for end in range(len(text)):
        try:
            answer = validate_answer(text[:end], ALIASES)
        except UnusableAnswer:
            continue
        passed += 1
        assert content(answer) == CONTENT, f"cut at {end}: {text[:end][-40:]!r}"
    assert bool(passed) == (wrapping != "alone"), "only a cut behind the JSON leaves it whole"


# --- nothing lost, nothing invented -----------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["packages", "name", "deals"]), inner)
    ),
    max_leaves=12,
)
IDS = st.lists(
    st.sampled_from([*ALIASES, *ALIASES.values()])
    | st.integers(0, 15)
    | st.text(max_size=5)
    | st.sampled_from(["D99", None, "D1,D2,D3", 2.5]),
    max_size=15,
)
PACKAGES = st.lists(
    st.fixed_dictionaries(
        {"package_name": st.text(max_size=200) | JSON_VALUES, "deal_ids": IDS | JSON_VALUES},
        optional={"reasoning": st.text() | JSON_VALUES},
    ),
    max_size=15,
)


@settings(deadline=None)
@given(PACKAGES)
def test_every_deal_is_packaged_or_listed_with_a_reason(packages: list[dict[str, Any]]) -> None:
    try:
        answer = validate_answer(json.dumps({"packages": packages}), ALIASES)
    except UnusableAnswer:
        return
    assert_every_deal_once(answer, ALIASES)
    assert 1 <= len(answer.proposals) <= 12
    assert len({frozenset(p.deal_ids) for p in answer.proposals}) == len(answer.proposals)
    assert all(0 < len(p.name) <= 120 and p.name.isprintable() and p.reasoning for p in answer.proposals)


@settings(deadline=None)
@given(JSON_VALUES.map(json.dumps) | st.text(alphabet='{}[]",:D123 packages', max_size=60) | st.text())
def test_any_text_is_an_answer_or_refused(text: str) -> None:
    with contextlib.suppress(UnusableAnswer):
        packages, _ = parse_answer(text)
        assert packages
