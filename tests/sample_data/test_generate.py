"""The sample files: what the generator writes, what they promise, and what they must not give away."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sample_data import generate as sample
from sample_data.generate import (
    COLUMNS,
    HERE,
    SAMPLE_FILES,
    THEMES,
    Deal,
    GeneratedDeals,
    flatten_deal,
    generate,
)

MAIN, SMALL = SAMPLE_FILES


def read_json(name: str) -> list[Deal]:
    return json.loads((HERE / name).read_bytes())


@pytest.fixture(scope="module")
def deals() -> list[Deal]:
    return read_json("deals.json")


@pytest.fixture(scope="module")
def small_deals() -> list[Deal]:
    return read_json("deals_small.json")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    text = (HERE / "deals.csv").read_bytes().decode("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.fixture(scope="module")
def drawn() -> GeneratedDeals:
    return generate(MAIN.seed, MAIN.themes, MAIN.deals)


def texts(value: Any) -> Iterator[str]:
    """Yield every text inside a deal."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def share(deals: list[Deal], has: Callable[[dict[str, str]], bool]) -> float:
    return sum(has(flatten_deal(deal)) for deal in deals) / len(deals)


# --- files ---


def test_files_on_disk_are_what_the_generator_writes():
    for name, text in sample.render_files().items():
        assert (HERE / name).read_bytes() == text.encode("utf-8"), (
            f"{name}: run python -m sample_data.generate"
        )


def test_same_arguments_give_the_same_deals_and_another_seed_gives_others():
    assert generate(7, 6, 60) == generate(7, 6, 60)
    assert generate(7, 6, 60).deals != generate(8, 6, 60).deals


def test_files_hold_the_promised_number_of_deals(deals: list[Deal], small_deals: list[Deal]):
    assert (len(deals), len(small_deals)) == (800, 60)


def test_ids_are_texts_present_and_unique(deals: list[Deal], small_deals: list[Deal]):
    for file in (deals, small_deals):
        ids = [deal["deal_id"] for deal in file]
        assert all(isinstance(deal_id, str) and deal_id.strip() for deal_id in ids)
        assert len(set(ids)) == len(ids)


def test_ids_include_those_that_number_parsing_would_damage(deals: list[Deal]):
    ids = [deal["deal_id"] for deal in deals]
    assert any(deal_id.isdigit() and len(deal_id) == 18 for deal_id in ids)
    assert any(deal_id.isdigit() and deal_id.startswith("0") for deal_id in ids)
    assert any("E" in deal_id and deal_id.replace("E", "").isdigit() for deal_id in ids)


def test_csv_carries_the_json_deals_in_the_same_order(deals: list[Deal], rows: list[dict[str, str]]):
    assert [row["deal_id"] for row in rows] == [deal["deal_id"] for deal in deals]
    assert rows == [flatten_deal(deal) for deal in deals]
    assert tuple(rows[0]) == COLUMNS


def test_list_values_hold_none_of_the_characters_that_split_a_cell(
    deals: list[Deal], small_deals: list[Deal]
):
    for deal in deals + small_deals:
        lists = [
            value for part in (deal, *deal.values()) if isinstance(part, dict) for value in part.values()
        ]
        items = [item for value in lists if isinstance(value, list) for item in value]
        assert not any(mark in item for item in items for mark in "|;,")
        assert not any("|" in text for text in texts(deal))


def test_csv_cells_start_no_formula(rows: list[dict[str, str]]):
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_unknown_field_is_refused_instead_of_lost_in_the_csv():
    with pytest.raises(ValueError, match="no CSV column for"):
        flatten_deal({"deal_id": "1", "safety": {"score": 3}})


# --- categories ---


def test_every_category_is_a_path_of_the_iab_taxonomy(deals: list[Deal], small_deals: list[Deal]):
    known = sample.read_category_paths()
    for deal in deals + small_deals:
        taxonomy = deal.get("taxonomy") or {}
        if taxonomy.get("tier1"):
            assert tuple(taxonomy.get(tier) for tier in ("tier1", "tier2", "tier3")) in known


def test_every_theme_draws_from_real_categories_and_enough_words():
    known = sample.read_category_paths()
    assert len({theme.name for theme in THEMES}) == len(THEMES) == 36
    for theme in THEMES:
        for category in theme.categories:
            assert (*category.split(" > "), None, None)[:3] in known
        assert 8 <= len(set(theme.concepts)) == len(theme.concepts) <= 14
        assert len(theme.audiences) >= 4
        assert len(theme.publishers) >= 5
        assert theme.environment in sample.ENVIRONMENTS
        assert theme.safety in sample.SAFETY
        assert set(theme.markets) <= set(sample.MARKETS)


# --- imperfections ---

MISSING = [
    ("taxonomy_tier1", 0.01, 0.05),
    ("taxonomy_tier2", 0.05, 0.15),
    ("taxonomy_tier3", 0.3, 0.8),
    ("commercial_floor_price", 0.07, 0.14),
    ("safety_family_safe", 0.06, 0.16),
    ("audience_inferred_audience", 0.02, 0.08),
    ("currency", 0.05, 0.15),
    ("device", 0.1, 0.3),
    ("end_time", 0.1, 0.3),
]


@pytest.mark.parametrize(("column", "low", "high"), MISSING)
def test_real_life_gaps_are_there_at_modest_rates(deals: list[Deal], column: str, low: float, high: float):
    assert low <= share(deals, lambda row: row[column] == "") <= high


def test_whole_safety_object_is_sometimes_missing(deals: list[Deal]):
    assert 0.02 <= sum(deal.get("safety") is None for deal in deals) / len(deals) <= 0.07


def test_missing_values_appear_both_as_null_and_as_absent_keys(deals: list[Deal]):
    assert any("geos" in deal and deal["geos"] is None for deal in deals)
    assert any("geos" not in deal for deal in deals)


def test_some_names_say_nothing_and_some_carry_stray_spaces(deals: list[Deal]):
    names = [deal["deal_name"] for deal in deals]
    generic = sum(
        name.startswith(("Deal ", "RON ", "Test", "PMP Deal", "ROS ", "Untitled")) for name in names
    )
    assert 0.03 <= generic / len(names) <= 0.15
    assert 0 < sum(name != " ".join(name.split()) for name in names) / len(names) < 0.05


def test_formats_come_in_several_spellings(deals: list[Deal]):
    spellings = Counter(deal["format"] for deal in deals)
    standard = sum(spellings[name] for name in ("video", "display", "audio", "native"))
    assert 0.8 <= standard / len(deals) <= 0.95
    assert {"CTV", "olv", "banner", "Display"} <= set(spellings)


def test_floor_is_zero_only_as_a_rare_explicit_value(deals: list[Deal]):
    assert 0 < share(deals, lambda row: row["commercial_floor_price"] == "0.0") < 0.03


# --- plausibility ---


def test_value_sets_hold(deals: list[Deal], small_deals: list[Deal]):
    allowed = {
        "safety_garm_risk_rating": {"", "Low", "Medium", "High", "Floor"},
        "safety_family_safe": {"", "true", "false"},
        "commercial_quality_tier": {"", "Premium", "Mid-tier", "RON"},
        "commercial_volume_tier": {"", "High", "Medium", "Low"},
        "currency": {"", "USD", "EUR", "GBP"},
        "price_type": {"", "fixed", "auction"},
        "status": {"", "active", "paused", "expired"},
    }
    for row in map(flatten_deal, deals + small_deals):
        for column, values in allowed.items():
            assert row[column] in values


def test_flights_lie_in_the_season_and_few_are_over(deals: list[Deal]):
    flights = [(row["start_time"], row["end_time"]) for row in map(flatten_deal, deals)]
    assert all(
        start >= "2026-09-01" and end < "2027-07-01" and start < end
        for start, end in flights
        if start and end
    )
    assert 0.01 <= sum("" < end < "2026-11-22" for _, end in flights) / len(flights) <= 0.08


def test_kids_deals_are_low_risk_and_gambling_and_alcohol_never_family_safe(drawn: GeneratedDeals):
    safety_of = {theme.name: theme.safety for theme in THEMES}
    for deal, truth in zip(drawn.deals, drawn.truth, strict=True):
        kinds, row = {safety_of[name] for name in truth}, flatten_deal(deal)
        if kinds == {"kids"}:
            assert row["safety_garm_risk_rating"] in {"", "Low"}
            assert row["safety_family_safe"] in {"", "true"}
        if kinds & {"gambling", "alcohol"}:
            assert row["safety_family_safe"] in {"", "false"}
            assert not kinds & {"kids"}


def test_deals_below_the_brand_safety_floor_are_few_and_never_family_safe(deals: list[Deal]):
    below = [row for row in map(flatten_deal, deals) if row["safety_garm_risk_rating"] == "Floor"]
    assert 3 <= len(below) <= 20
    assert not any(row["safety_family_safe"] == "true" for row in below)


# --- planted truth ---


def test_truth_has_uneven_themes_bridges_and_noise(drawn: GeneratedDeals):
    counts = Counter(len(names) for names in drawn.truth)
    assert (counts[0], counts[2]) == (40, 96)
    sizes = Counter(names[0] for names in drawn.truth if len(names) == 1)
    assert len(sizes) == MAIN.themes
    assert min(sizes.values()) >= 5
    assert max(sizes.values()) <= 60
    assert all(len(set(names)) == len(names) for names in drawn.truth)


def test_bridge_carries_words_of_both_its_themes(drawn: GeneratedDeals):
    concepts_of = {theme.name: set(theme.concepts) for theme in THEMES}
    for deal, truth in zip(drawn.deals, drawn.truth, strict=True):
        if len(truth) == 2 and deal.get("concepts"):
            assert all(concepts_of[name] & set(deal["concepts"]) for name in truth)


def test_no_field_of_a_deal_gives_its_theme_away(deals: list[Deal], small_deals: list[Deal]):
    names = {theme.name for theme in THEMES}
    for deal in deals + small_deals:
        assert set(flatten_deal(deal)) == set(COLUMNS)
        joined = "\n".join(texts(deal)).lower()
        assert not any(name in joined for name in names)
        assert not any(word in joined for word in ("theme", "truth", "bridge", "noise"))


def test_order_of_the_file_does_not_follow_the_themes(drawn: GeneratedDeals):
    neighbours = zip(drawn.truth, drawn.truth[1:], strict=False)
    assert sum(one == other for one, other in neighbours) / len(drawn.truth) < 0.1


@pytest.mark.parametrize(("themes", "deals"), [(0, 60), (37, 800), (36, 30)])
def test_impossible_requests_are_refused(themes: int, deals: int):
    with pytest.raises(ValueError, match=r"themes"):
        generate(1, themes, deals)
