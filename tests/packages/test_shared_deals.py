"""Deals that packages share: counted pair by pair, whatever the order."""

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.packages import Package
from core.packages.shared_deals import SharedDeals, overlap_of


def package(package_id: str, deal_ids: Sequence[str], **values: str) -> Package:
    return Package(package_id, package_id.upper(), tuple(deal_ids), "", "rules", **values)


def test_overlap_names_pairs_exclusive_shares_subsets_and_near_duplicates() -> None:
    overlap = overlap_of(
        [package("a", "123456789"), package("b", "12345678"), package("c", "90"), package("d", "xy")]
    )
    assert overlap.shared == (SharedDeals("a", "b", 8, 8 / 9), SharedDeals("a", "c", 1, 0.1))
    assert overlap.exclusive == {"a": 0.0, "b": 0.0, "c": 0.5, "d": 1.0}
    assert overlap.subsets == (("b", "a"),)
    assert overlap.near_same == overlap.shared[:1]


def test_rejected_packages_share_nothing() -> None:
    overlap = overlap_of([package("a", "12"), package("b", "12", status="rejected")])
    assert (overlap.shared, overlap.exclusive) == ((), {"a": 1.0})


@pytest.mark.parametrize(("other", "near"), [("1234567890", True), ("12345678", False)])
def test_near_duplicates_share_more_than_four_fifths(other: str, near: bool) -> None:
    # 9 of 10 deals; 8 of 10 deals, which is four fifths and not more.
    first = "123456789" if near else "1234567890"
    overlap = overlap_of([package("a", first), package("b", other)])
    assert bool(overlap.near_same) is near


def test_packages_of_the_same_deals_are_subsets_of_each_other() -> None:
    assert overlap_of([package("a", "12"), package("b", "21")]).subsets == (("a", "b"), ("b", "a"))


@given(st.lists(st.sets(st.sampled_from("12345678"), min_size=1), max_size=8))
def test_overlap_is_what_comparing_every_pair_gives(sets: list[set[str]]) -> None:
    packages = [package(f"p{n}", sorted(members)) for n, members in enumerate(sets)]
    overlap = overlap_of(packages)
    expected = [
        (one.id, other.id, len(shared))
        for one, other in combinations(packages, 2)
        if (shared := set(one.deal_ids) & set(other.deal_ids))
    ]
    assert [(pair.one, pair.other, pair.deals) for pair in overlap.shared] == expected
    for own, item in zip(sets, packages, strict=True):
        elsewhere = set().union(*(set(other.deal_ids) for other in packages if other is not item))
        assert overlap.exclusive[item.id] == pytest.approx(len(own - elsewhere) / len(own))
