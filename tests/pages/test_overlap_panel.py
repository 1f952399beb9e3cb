"""Overlap: pairs and what each package has alone, pairs to merge, and the rule about shared deals."""

from __future__ import annotations

import pytest

from core.packages import Approve, Package
from core.packages.shared_deals import overlap_of
from core.storage import Workspace
from core.wording.findings import OverlapPolicy
from pages._packages.overlap_panel import mergeable
from tests.pages.conftest import assert_healthy, click, ledger, open_page, said, table, words
from tests.pages.reviewing import queued, sheet, view


def package(package_id: str, *deal_ids: str) -> Package:
    return Package(package_id, package_id.upper(), deal_ids, "", "Analyst")


@pytest.mark.parametrize(
    ("packages", "pairs"),
    [
        ([package("a", "1", "2"), package("b", "2", "3")], []),
        ([package("a", "1", "2", "3"), package("b", "2", "3")], [("a", "b", "is all in")]),
        ([package("a", "2", "3"), package("b", "1", "2", "3")], [("b", "a", "is all in")]),
        ([package("a", "1", "2"), package("b", "2", "1")], [("a", "b", "holds the same deals as")]),
        (
            [package("a", *"123456789x"), package("b", *"123456789y")],
            [("a", "b", "shares 82% of all deals with")],
        ),
    ],
)
def test_pairs_of_which_one_is_too_much(packages: list[Package], pairs: list[tuple[str, str, str]]) -> None:
    assert mergeable(overlap_of(packages)) == pairs


@pytest.fixture
def overlapping(proposed: str, store: Workspace) -> str:
    """A run in which a package by hand holds three deals of a proposed one, and nothing else."""
    largest = max(store.packages(proposed), key=lambda item: len(item.deal_ids))
    store.add_package(proposed, "Part Package", largest.deal_ids[:3])
    return proposed


def test_without_shared_deals_it_says_so(proposed: str) -> None:
    app = view(open_page("packages", proposed), "Overlap")
    assert_healthy(app)
    assert said(app, "info") == ["No two packages share a deal; rejected ones do not count."]


def test_pairs_and_what_each_has_alone(overlapping: str, store: Workspace) -> None:
    largest = max(store.packages(overlapping), key=lambda item: len(item.deal_ids))
    app = view(open_page("packages", overlapping), "Overlap")
    assert_healthy(app)
    pairs, alone = (item.value for item in app.dataframe if item.value.columns[0] == "Package")
    size = len(largest.deal_ids)
    assert pairs.values.tolist() == [
        [largest.name, "Part Package", 3, pytest.approx(100 * 3 / size), "other is all in the first"]
    ]
    shares = dict(zip(alone["Package"], alone["Only here"], strict=True))
    assert shares["Part Package"] == 0
    assert shares[largest.name] == pytest.approx(100 * (size - 3) / size)
    assert len(shares) == len(store.packages(overlapping))


def test_a_part_is_merged_into_the_whole(overlapping: str, store: Workspace) -> None:
    before = {item.name: item for item in store.packages(overlapping)}
    largest = max(before.values(), key=lambda item: len(item.deal_ids))
    app = view(open_page("packages", overlapping), "Overlap")
    assert f"**Part Package** (3) is all in **{largest.name}** ({len(largest.deal_ids)})" in words(app)
    click(app, "Merge")
    assert_healthy(app)
    after = {item.name: item for item in store.packages(overlapping)}
    assert after.keys() == before.keys() - {"Part Package"}
    assert after[largest.name].deal_ids == largest.deal_ids
    assert said(app, "success")[0].startswith("Saved: merge ")
    total, states = ledger(app)
    assert total == sum(states.values()) == 60


def test_the_rule_about_shared_deals_changes_the_findings(overlapping: str, store: Workspace) -> None:
    part = next(item for item in store.packages(overlapping) if item.name == "Part Package")
    app = view(open_page("packages", overlapping), "Overlap")
    app.segmented_control(key="overlap_mode").set_value("forbid").run()
    assert_healthy(app)
    assert said(app, "success") == ["Saved: forbid shared deals."]
    assert store.check_rules(overlapping).overlap.mode == "forbid"
    found = {item.code: item.severity for item in sheet(store, overlapping, part).findings}
    assert found["OVERLAP"] == "error"
    view(app, "Review")
    listed = dict(zip(queued(app), table(app, "Package").value["Worst finding"], strict=True))
    assert listed["Part Package"].startswith("✕ Error")
    view(app, "Overlap")
    app.segmented_control(key="overlap_mode").set_value("warn").run()
    app.number_input(key="overlap_share").set_value(20).run()
    assert_healthy(app)
    assert said(app, "success") == ["Saved: warn above 20%."]
    assert store.check_rules(overlapping).overlap == OverlapPolicy("warn", 0.2)


def test_rejected_packages_share_nothing(overlapping: str, store: Workspace) -> None:
    part = next(item for item in store.packages(overlapping) if item.name == "Part Package")
    store.edit_packages(overlapping, {part.id: 1}, [Approve("Of the test.")])
    app = view(open_page("packages", overlapping), "Overlap")
    assert "1 pair with shared deals" in words(app)
    app = view(app, "Review")
    app.segmented_control(key="package_status").set_value("approved").run()
    click(app, "Reject")
    view(app, "Overlap")
    assert said(app, "info") == ["No two packages share a deal; rejected ones do not count."]
