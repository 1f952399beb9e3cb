"""Signals: whole words in names, tiers and concepts, and categories with what is below them."""

import pytest

from core.deals import Deal, Taxonomy
from core.deals.signals import SIGNS, signals_of
from core.deals.taxonomy import categories

WORDS = {
    "KIDS": ("kid", "kids", "child", "children", "family"),
    "POLITICAL": ("political", "politics", "election", "elections"),
    "GAMBLING": ("gambling", "casino", "betting", "lottery", "poker"),
    "RESTRICTED": ("alcohol", "cannabis", "pharma"),
    "NEWS": ("news",),
}
IDS = {
    "KIDS": ("645", "142", "344", "482", "575", "197"),
    "POLITICAL": ("386", "387", "388", "8YPBBL"),
    "GAMBLING": ("181", "480", "524", "ZJG29S"),
    "RESTRICTED": ("211", "320", "pg0WhF"),
    "NEWS": ("1020",),
}
EVERY_WORD = [(signal, word) for signal, words in WORDS.items() for word in words]
EVERY_ID = [(signal, one) for signal, ids in IDS.items() for one in ids]


def named(name):
    return signals_of(Deal("1", name))


@pytest.mark.parametrize(("signal", "word"), EVERY_WORD)
@pytest.mark.parametrize("written", ["{}", "TV {} Q4", "ACME_{}_CTV", "({})", "top-{}-video", "{}'s"])
def test_whole_word_in_a_name_is_a_signal_in_any_case(signal, word, written):
    assert named(written.format(word)) == {signal}
    assert named(written.format(word.upper())) == {signal}


@pytest.mark.parametrize(
    ("name", "signals"),
    [
        ("K\u200bids TV", {"KIDS"}),
        ("Ki\u00adds TV", {"KIDS"}),
        ("\uff2b\uff49\uff44\uff53 TV", {"KIDS"}),
        ("Non\u2011political TV", set()),
        ("Non\u2013political Kids", {"KIDS"}),
        ("Politics \u2014 excluded", set()),
    ],
)
def test_hidden_and_look_alike_characters_change_nothing(name, signals):
    assert named(name) == signals
    assert signals_of(Deal("1", concepts=(name,))) == signals


@pytest.mark.parametrize("word", [word for _, word in EVERY_WORD])
def test_part_of_another_word_is_no_signal(word):
    assert named(f"x{word}") == frozenset()
    assert named(f"{word}x") == frozenset()


@pytest.mark.parametrize(("signal", "word"), EVERY_WORD)
def test_words_count_in_tiers_and_concepts_as_well(signal, word):
    for deal in (
        Deal("1", taxonomy=Taxonomy(f"Top {word}")),
        Deal("1", taxonomy=Taxonomy("Sports", f"Top {word}")),
        Deal("1", taxonomy=Taxonomy("Sports", "Soccer", f"Top {word}")),
        Deal("1", concepts=("stadium", f"top {word}")),
    ):
        assert signals_of(deal) == {signal}


def test_words_of_a_description_are_no_signal():
    assert signals_of(Deal("1", description="Kids and casino", publishers=("Kids TV",))) == frozenset()


@pytest.mark.parametrize(("signal", "category"), EVERY_ID)
@pytest.mark.parametrize("tier", [0, 1, 2])
def test_category_is_a_signal_by_id_and_by_name_in_every_tier(signal, category, tier):
    for text in (category, categories()[category].name):
        tiers = ["Sports", "Soccer", "Cup"]
        tiers[tier] = text
        assert signal in signals_of(Deal("1", taxonomy=Taxonomy(*tiers)))
        assert signal in signals_of(Deal("1", concepts=(text,)))


def test_only_these_categories_are_signals():
    ids = {one for found in IDS.values() for one in found}
    plain = [one for one in categories() if one not in ids]
    assert all(signals_of(Deal("1", taxonomy=Taxonomy(one))) == frozenset() for one in plain)
    assert {signal: sign.categories for signal, sign in SIGNS.items()} == {
        **IDS,
        "POLITICAL": ("386",),  # the others lie below it
    }


@pytest.mark.parametrize(
    ("code", "signals"),
    [("IAB11-4", {"POLITICAL"}), ("iab11-4", {"POLITICAL"}), ("IAB17", set()), ("IAB99-99", set())],
)
def test_code_of_the_first_taxonomy_is_led_to_its_category(code, signals):
    assert signals_of(Deal("1", taxonomy=Taxonomy(code))) == signals


@pytest.mark.parametrize(
    "text",
    [
        "non-political", "Non-Political Sports", "nonpolitical", "non political", "political excluded",
        "Sports (Political Excluded)", "Sports_political_excluded", "politics are excluded", "no politics",
        "excl. political", "excluding elections", "no gambling or alcohol", "non-political/gambling",
        "without casino", "alcohol-free", "Political ads excluded", "not for kids",
        "family safe", "Family-Safe Sports", "FAMILY SAFE", "family_safe", "family-friendly",
        "Family and Relationships", "family & relationships", "Family And Relationships CTV",
    ],
)  # fmt: skip
def test_what_is_excluded_or_only_called_safe_is_no_signal(text):
    assert named(text) == frozenset()
    assert signals_of(Deal("1", taxonomy=Taxonomy(text), concepts=(text,))) == frozenset()


@pytest.mark.parametrize(
    ("text", "signals"),
    [
        ("non-political kids", {"KIDS"}),
        ("Kids, political excluded", {"KIDS"}),
        ("political excluded, elections 2026", {"POLITICAL"}),
        ("family-safe family shows", {"KIDS"}),
        ("Family and Relationships for Kids", {"KIDS"}),
        ("No. 1 Kids Channel", {"KIDS"}),
        ("Kids Free TV", {"KIDS"}),
        ("Kids News and Politics", {"KIDS", "NEWS", "POLITICAL"}),
        ("casinos and lotteries", {"GAMBLING"}),
    ],
)
def test_denial_takes_only_its_own_word(text, signals):
    assert named(text) == signals


def test_parenting_of_children_is_for_kids_although_its_branch_is_not():
    branch = Taxonomy("Family and Relationships", "Parenting")
    assert signals_of(Deal("1", taxonomy=branch)) == frozenset()
    narrow = Taxonomy("Family and Relationships", "Parenting", "Parenting Children Aged 4-11")
    assert signals_of(Deal("1", taxonomy=narrow)) == {"KIDS"}


def test_deal_that_says_nothing_gives_no_signal():
    assert signals_of(Deal("1")) == frozenset()
