"""Two runs compared: every deal and every package is in exactly one part."""

from hypothesis import given
from hypothesis import strategies as st

from core.packages import Package
from core.packages.compare import RunContent, compare_runs
from core.reading.reading import parse_deals


def package(package_id: str, name: str, deals: str, status: str = "pending") -> Package:
    return Package(package_id, name, tuple(deals), "Why.", "Rules (no AI)", status=status)


def deals(ids: str, **values: str):
    return parse_deals([{"deal_id": one, "deal_name": values.get(one, f"Deal {one}")} for one in ids]).deals


def compared(before: list[Package], after: list[Package]):
    found = compare_runs(RunContent((), before), RunContent((), after))
    return (
        {(pair.before.id, pair.after.id): (pair.kind, pair.shared) for pair in found.pairs},
        [item.id for item in found.only_before],
        [item.id for item in found.only_after],
    )


def test_each_deal_is_new_changed_gone_or_the_same():
    found = compare_runs(RunContent(deals("abc"), ()), RunContent(deals("bcd", c="Other"), ())).deals
    assert (found.new, found.gone, found.same) == (("d",), ("a",), ("b",))
    assert [change.deal_id for change in found.changed] == ["c"]


def test_each_package_is_told_by_name_and_deals():
    before = [
        package("1", "Same", "abc"),
        package("2", "Old name", "def"),
        package("3", "Grown", "ghi"),
        package("4", "Old", "jklm"),
        package("5", "Gone", "xyz"),
    ]
    after = [
        package("a", "Same", "cba"),
        package("b", "New name", "def"),
        package("c", "Grown", "ghijk"),
        package("d", "Newer", "jklz"),
        package("e", "Fresh", "pq"),
    ]
    assert compared(before, after) == (
        {
            ("1", "a"): ("same", 3),
            ("2", "b"): ("renamed", 3),
            ("3", "c"): ("changed", 3),
            ("4", "d"): ("renamed and changed", 3),
        },
        ["5"],
        ["e"],
    )


def test_one_id_is_one_package_whatever_else_overlaps():
    pairs, *_ = compared(
        [package("1", "One", "abc"), package("2", "Two", "def")],
        [package("2", "Three", "abc"), package("x", "Four", "def")],
    )
    assert pairs == {("2", "2"): ("renamed and changed", 0)}


def test_largest_overlap_wins_and_a_shared_name_breaks_a_tie():
    pairs, _, rest = compared(
        [package("1", "News", "abcd")],
        [package("x", "Other", "abcd"), package("y", "News", "abcd"), package("z", "News", "abc")],
    )
    assert pairs == {("1", "y"): ("same", 4)}
    assert rest == ["x", "z"]


def test_a_third_of_all_deals_or_the_name_with_one_deal_makes_a_pair():
    old, half, less = package("1", "Old", "abcd"), package("2", "New", "abxy"), package("3", "New", "awxy")
    assert compared([old], [half])[0] == {("1", "2"): ("renamed and changed", 2)}
    assert compared([old], [less])[0] == {}
    assert compared([package("1", "New", "abcd")], [less])[0] == {("1", "3"): ("changed", 1)}
    assert compared([package("1", "New", "abcd")], [package("2", "New", "wxyz")])[0] == {}


def test_statuses_are_counted_for_both():
    before = [package("1", "One", "abc", "approved"), package("2", "Two", "de")]
    found = compare_runs(RunContent((), before), RunContent((), [package("3", "One", "abc", "rejected")]))
    assert found.statuses_before == {"pending": 1, "approved": 1, "rejected": 0}
    assert found.statuses_after == {"pending": 0, "approved": 0, "rejected": 1}


SETS = st.lists(
    st.tuples(st.sampled_from("NMO"), st.text("abcdef", min_size=0, max_size=6).map(set).map(sorted)),
    max_size=6,
)


@given(SETS, SETS)
def test_every_package_is_in_exactly_one_part_and_a_run_is_the_same_as_itself(one, other):
    before = [package(f"a{row}", name, "".join(ids)) for row, (name, ids) in enumerate(one)]
    after = [package(f"b{row}", name, "".join(ids)) for row, (name, ids) in enumerate(other)]
    pairs, gone, new = compared(before, after)
    assert sorted([*gone, *(left for left, _ in pairs)]) == sorted(item.id for item in before)
    assert sorted([*new, *(right for _, right in pairs)]) == sorted(item.id for item in after)
    assert compared(before, before)[0] == {
        (item.id, item.id): ("same", len(item.deal_ids)) for item in before
    }
