import csv
import random
from collections import Counter
from importlib import resources
from itertools import pairwise

import pytest

from benchmarks.planted import (
    PRESETS,
    SELLERS,
    SENTENCES_PER_TOPIC,
    SUBJECTS,
    TOPICS,
    planted_deals,
    planted_sentences,
    taxonomy_names,
    theme_sizes,
)
from core.embeddings import create_deal_text_representation
from core.reading import parse_deal
from sample_data import themes as sample


def _pairs(planted):
    return list(zip(planted.deals, planted.themes, strict=True))


@pytest.fixture(scope="module", params=sorted(PRESETS))
def planted(request):
    return planted_deals(1_000, 7, request.param)


def test_bridges_have_two_themes_and_noise_has_none(planted):
    assert Counter(len(belongs) for belongs in planted.themes) == {1: 830, 2: 120, 0: 50}


def test_themes_hold_4_to_60_core_deals_of_uneven_number(planted):
    sizes = Counter(min(belongs) for belongs in planted.themes if len(belongs) == 1).values()
    assert 4 <= min(sizes) < 8
    assert 40 < max(sizes) <= 60


@pytest.mark.parametrize("deals", [4, 10, 83, 831, 8_300])
def test_sizes_add_up_and_keep_to_their_bounds(deals):
    for seed in range(20):
        sizes = theme_sizes(random.Random(seed), deals)
        assert sum(sizes) == deals
        assert min(sizes) >= 4
        assert max(sizes) <= 60


def test_a_lower_share_of_small_themes_makes_fewer_and_larger_ones():
    counts = [
        [len(theme_sizes(random.Random(seed), 830, small)) for seed in range(20)] for small in (1, 0.5, 0)
    ]
    assert sum(counts[0]) > sum(counts[1]) > sum(counts[2])
    assert set(counts[2]) == {14}


def test_the_same_seed_gives_the_same_deals_and_another_seed_others():
    assert planted_deals(120, 1) == planted_deals(120, 1)
    assert planted_deals(120, 1) != planted_deals(120, 2)


def test_a_larger_set_has_unique_ids_and_no_two_equal_themes():
    planted = planted_deals(10_000, 1)
    assert len({deal.deal_id for deal in planted.deals}) == 10_000
    assert len({theme for belongs in planted.themes for theme in belongs}) > 250


def test_deals_come_in_an_order_that_says_nothing(planted):
    core = [min(belongs) for belongs in planted.themes if len(belongs) == 1]
    neighbours = sum(a == b for a, b in pairwise(core))
    assert neighbours < len(core) / 8


def test_sellers_are_shared_by_all_themes(planted):
    by_theme = Counter((min(belongs), deal.ssp_name) for deal, belongs in _pairs(planted) if belongs)
    largest = Counter(min(belongs) for belongs in planted.themes if belongs).most_common(5)
    assert all(by_theme[theme, seller] < size / 2 for theme, size in largest for seller in SELLERS)


def test_themes_share_categories_and_hard_ones_share_more():
    def themes_of_a_category(preset):
        found = {}
        for deal, belongs in _pairs(planted_deals(1_000, 7, preset)):
            if len(belongs) == 1 and deal.taxonomy.tier1:
                found.setdefault(deal.taxonomy.path, set()).update(belongs)
        return sum(len(themes) > 1 for themes in found.values()) / len(found)

    assert 0 < themes_of_a_category("usual") < themes_of_a_category("hard")


def test_hard_deals_lack_more_fields():
    empty = {
        preset: sum(not deal.concepts for deal in planted_deals(1_000, 7, preset).deals) for preset in PRESETS
    }
    assert 0 < empty["usual"] < empty["hard"]


def test_every_deal_survives_its_record_and_has_a_text(planted):
    for deal in planted.deals[:50]:
        parsed, _ = parse_deal(deal.to_dict())
        assert parsed == deal
        assert create_deal_text_representation(deal)


def test_categories_are_those_of_the_taxonomy():
    lines = (
        (resources.files("core.deals") / "data" / "content_taxonomy_3.1.tsv").read_text("utf-8").splitlines()
    )
    rows = csv.DictReader(lines[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    known = {tuple(filter(None, (row["Tier 1"], row["Tier 2"], row["Tier 3"]))) for row in rows}
    paths = {(subject.tier1, *path.split(" > ")) for subject in SUBJECTS for path in subject.paths}
    assert paths <= known


def test_the_vocabulary_is_not_that_of_the_sample_data():
    assert not set(SELLERS) & {ssp.name for ssp in sample.SSPS}
    ours = [concept for subject in SUBJECTS for concept in subject.concepts]
    theirs = {concept for theme in sample.THEMES for concept in theme.concepts}
    assert sum(concept in theirs for concept in ours) < len(ours) / 10


def test_sentences_are_distinct_and_cover_every_topic():
    planted = planted_sentences(4)
    low, high = SENTENCES_PER_TOPIC
    sizes = Counter(min(belongs) for belongs in planted.themes)
    assert len(sizes) == len(TOPICS)
    assert low <= min(sizes.values()) <= max(sizes.values()) <= high
    assert len({deal.deal_name for deal in planted.deals}) == len(planted.deals)
    assert planted == planted_sentences(4)


def test_names_of_the_taxonomy_belong_to_their_tier_1():
    planted = taxonomy_names()
    theme = {deal.deal_name: belongs for deal, belongs in _pairs(planted)}
    assert theme["Dogs"] == theme["Cats"] != theme["Soccer"]
    assert len({deal.deal_id for deal in planted.deals}) == len(planted.deals) > 600
