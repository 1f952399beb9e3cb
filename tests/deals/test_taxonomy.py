import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.deals.taxonomy import _codes, categories, check_category, lookup
from core.reading import read_deals


def test_the_whole_taxonomy_is_there_with_text_ids():
    content = [category for category in categories().values() if category.id not in {"1000", "1020"}]
    tiers = [0, 0, 0, 0]
    for category in list(categories().values())[:704]:
        tiers[len(category.path) - 1] += 1
    assert tiers == [37, 323, 275, 69]
    assert sum(category.sensitive for category in content) == 63
    assert categories()["SPSHQ5"].name == "Genres"
    assert categories()["150"].path == ("Attractions",)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("150", "150"), ("attractions", "150"), ("Soccer", "533"), ("Sports > soccer", "533"),
        ("Food and Drink", "210"), ("News", "1020"), ("Sports > Auto Repair", None),
        ("nothing", None), ("", None),
    ],
)  # fmt: skip
def test_category_is_found_by_id_name_or_whole_path(text, found):
    category = lookup(text)
    assert (category.id if category else None) == found


def test_every_category_is_found_by_its_own_path_and_id():
    for category in list(categories().values())[:704]:
        assert check_category(category.path).category == category
        assert check_category(category.path).message is None
        assert lookup(category.id) == category


@pytest.mark.parametrize(
    ("path", "mapped"),
    [
        (("IAB1-3",), "201"), (("iab2",), "1"), (("IAB1",), "JLBCU7"), (("IAB2", "IAB2-3"), "30"),
        (("Arts & Entertainment",), "JLBCU7"), (("Music and Audio",), "338"), (("IAB7",), "223"),
        (("Movies", "Horror Movies"), "336"), (("Television", "Drama TV"), "647"),
    ],
)  # fmt: skip
def test_category_of_an_older_version_is_led_to_the_present_one_and_said(path, mapped):
    check = check_category(path)
    assert check.category.id == mapped
    assert "; in 3.1 it is " in check.message


def test_nearly_every_old_code_is_led_to_a_category():
    led = [code for code in _codes() if check_category((code,)).category]
    assert len(_codes()) == 392
    assert len(led) >= 368


@pytest.mark.parametrize(
    ("path", "near"),
    [
        (("Automotive", "Auto Parts & Accessories", "Auto Repair"), {"32", "34"}),
        (("News & Politics",), {"386", "1020"}),
        (("IAB12",), {"386", "1020"}),
        (("Events and Attractions",), {"150", "8VZQHL"}),
        (("Atuomotive",), {"1"}),
    ],
)
def test_category_that_is_in_no_version_gets_near_ones(path, near):
    check = check_category(path)
    assert check.category is None
    assert near <= {category.id for category in check.near}
    assert all(category.id in check.message for category in check.near)


def test_words_of_the_file_stay_and_the_suggestion_stands_beside_them():
    result = read_deals(b"deal_id,category\nA,IAB1-3\nB,IAB1-3\nC,Automotive\nD,Zzz\n", "x.csv")
    assert [deal.taxonomy.tier1 for deal in result.deals] == ["IAB1-3", "IAB1-3", "Automotive", "Zzz"]
    assert set(result.categories) == {"IAB1-3", "Zzz"}
    suggestion = result.categories["IAB1-3"]
    assert (suggestion.mapped.id, suggestion.deals) == ("201", 2)
    assert [(problem.row, problem.column) for problem in result.problems] == [
        (2, "category"),
        (5, "category"),
    ]


def test_column_of_countless_categories_is_checked_in_part_and_that_is_said():
    rows = "".join(f"{number},Made up {number}\n" for number in range(700))
    result = read_deals(f"deal_id,category\n{rows}".encode(), "x.csv")
    assert len(result.categories) == 500
    assert any("only the first 500 were checked" in problem.message for problem in result.problems)


@given(st.lists(st.text(max_size=20), max_size=3).map(tuple))
def test_any_words_can_be_checked(path):
    check = check_category(path)
    assert check.message is None or check.message.endswith(".")
