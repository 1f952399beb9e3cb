import pytest

from benchmarks.planted import planted_deals
from benchmarks.rules import (
    SECTIONS,
    Run,
    alike,
    main,
    mixes,
    of_one_theme,
    packageable,
    recovered,
    thrown_together,
)
from core.deals import Deal, Safety, Taxonomy
from core.proposals import Answer, DealGroup, Proposal

A, B = frozenset([0]), frozenset([1])
BRIDGE, NOISE = frozenset([0, 1]), frozenset()
LOW, HIGH, FLOOR = Safety("Low"), Safety("High"), Safety("Floor")
SAFE, UNSAFE = Safety(None, True), Safety(None, False)
UNKNOWN = Safety()


def deals_of(*safety: Safety) -> list[Deal]:
    return [Deal(str(number), safety=one) for number, one in enumerate(safety)]


@pytest.mark.parametrize(
    ("safety", "expected"),
    [
        ([LOW] * 3, 3),
        ([LOW] * 2, 0),
        ([], 0),
        ([LOW] * 3 + [HIGH] * 2, 3),
        ([LOW] * 3 + [HIGH] * 3, 6),
        ([LOW] * 3 + [HIGH] * 2 + [UNKNOWN], 6),  # the unknown one goes where it is needed
        ([LOW] * 2 + [HIGH] * 2 + [UNKNOWN], 3),
        ([LOW] * 2 + [HIGH] * 2 + [UNKNOWN] * 2, 6),
        ([Safety("Medium")] * 2 + [HIGH], 3),
        ([FLOOR] * 3, 0),
        ([SAFE] * 3 + [UNSAFE] * 2, 3),
        ([SAFE] * 3 + [UNSAFE] * 2 + [UNKNOWN], 6),
        ([Safety("High", True)] * 2 + [Safety("Low", False)] * 2, 0),
    ],
)
def test_packageable_counts_what_brand_safety_alone_lets_packages_hold(safety, expected):
    assert packageable(deals_of(*safety)) == expected


@pytest.mark.parametrize(
    ("safety", "expected"),
    [
        ([LOW, Safety("Medium"), UNKNOWN], 0),
        ([HIGH, Safety("Medium"), UNKNOWN], 0),
        ([HIGH, LOW], 1),
        ([HIGH, FLOOR], 1),
        ([SAFE, UNSAFE, UNKNOWN], 1),
        ([SAFE, UNKNOWN], 0),
        ([Safety("High", True), Safety("Low", False)], 2),
    ],
)
def test_mixed_brand_safety_levels_are_counted(safety, expected):
    assert mixes(deals_of(*safety)) == expected


@pytest.mark.parametrize(
    ("groups", "themes", "expected"),
    [
        ([[0, 1, 2, 3]], [A, A, B, B], 1 / 2),  # the tie goes to theme 0
        ([[0, 1], [2, 3]], [A, A, B, B], 1.0),
        ([[0], [1], [2, 3]], [A, A, B, B], 1.0),  # a theme may be spread
        ([[0, 1]], [A, A, A, A], 1.0),
        ([[0]], [A, A, A], 0.0),
        ([[0, 1, 2]], [A, A, BRIDGE], 1.0),
        ([[0]], [NOISE], 0.0),
        ([], [A], 0.0),
    ],
)
def test_a_theme_is_recovered_when_half_of_it_is_in_groups_it_rules(groups, themes, expected):
    assert recovered(groups, themes) == pytest.approx(expected)


def test_the_figures_of_a_run_count_deals_names_and_broken_words():
    deals = [Deal(f"d{n}", taxonomy=Taxonomy("News"), safety=Safety("Low", n < 3)) for n in range(8)]
    said = [("Family-Safe News Package", range(3)), ("Family-Safe News Package", range(3, 6))]
    packages = tuple(Proposal(name, tuple(f"d{n}" for n in place), "-") for name, place in said)
    run = Run([DealGroup("c", tuple(deals))], [Answer(packages, ())])
    assert run.covered() == pytest.approx(6 / 8)
    assert run.covered_packageable() == pytest.approx(6 / 8)
    assert run.distinct_names() == pytest.approx(1 / 2)
    assert run.repeated_names() == 1
    assert run.contradicted() == 1


def test_clusters_for_measuring_hold_each_deal_once_and_are_no_larger_than_the_app_makes_them():
    planted = planted_deals(200, 1)
    core = {
        deal.deal_id for deal, belongs in zip(planted.deals, planted.themes, strict=True) if len(belongs) == 1
    }
    for groups, wanted in (
        (thrown_together(planted.deals, 1), {deal.deal_id for deal in planted.deals}),
        (of_one_theme(planted), core),
    ):
        ids = [deal.deal_id for group in groups for deal in group.deals]
        assert set(ids) == wanted
        assert len(ids) == len(wanted)
        assert max(len(group.deals) for group in groups) <= 25
    for group in alike(planted.deals):
        assert len({(deal.taxonomy.tier1, deal.formats) for deal in group.deals}) == 1


def test_a_missed_target_fails_the_run(capsys, monkeypatch):
    fast = [section for title, section in SECTIONS if title == "Deals thrown together"]
    for limit, code in ((0.806, 0), (1.01, 1)):
        monkeypatch.setattr("benchmarks.rules.THROWN_COVERAGE", limit)
        monkeypatch.setattr("benchmarks.rules.SECTIONS", tuple(("Thrown", section) for section in fast))
        assert main(["--seeds", "1"]) == code
        assert ("NOT reached" in capsys.readouterr().out) is bool(code)
