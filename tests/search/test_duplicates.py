"""Near-duplicates across SSPs: nothing known may speak against a pair, and the cheapest is kept."""

from dataclasses import replace

import numpy as np
import pytest

from core.arrays import FloatArray
from core.deals import Deal
from core.search import Duplicates, find_duplicates, keep_cheapest
from tests.search.deals import make_deal

ONE = make_deal(
    "A1",
    ssp_name="Magnite",
    formats=("video",),
    geos=("US",),
    devices=("ctv",),
    publishers=("Hulu", "Tubi"),
    floor=("9", "USD"),
)
OTHER = replace(ONE, deal_id="B1", ssp_name="OpenX", geos=("USA",), publishers=("tubi", "Hulu"))


def rows(*cosines: float) -> FloatArray:
    """Return unit vectors in the plane; each has this cosine with the first direction."""
    return np.array([(cosine, (1 - cosine**2) ** 0.5) for cosine in cosines], dtype=np.float32)


def groups(deals: list[Deal], vectors: FloatArray | None = None) -> list[set[str]]:
    found = find_duplicates(deals, rows(*[1.0] * len(deals)) if vectors is None else vectors)
    return [set(group.deal_ids) for group in found]


def test_same_inventory_at_two_ssps_is_a_group():
    assert groups([ONE, OTHER]) == [{"A1", "B1"}]


AGAINST = {
    "same SSP": {"ssp_name": "Magnite"},
    "unknown SSP": {"ssp_name": None},
    "other format": {"formats": ("display",)},
    "unknown format": {"formats": ()},
    "other country": {"geos": ("GB",)},
    "unknown country": {"geos": ()},
    "other device": {"devices": ("desktop",)},
    "other publishers": {"publishers": ("CNN", "Fox")},
    "unknown publishers": {"publishers": ()},
}


@pytest.mark.parametrize("changes", AGAINST.values(), ids=AGAINST)
def test_one_fact_against_it_and_it_is_no_duplicate(changes: dict[str, object]):
    assert groups([ONE, replace(OTHER, **changes)]) == []


def test_unknown_device_speaks_not_against_it():
    assert groups([ONE, replace(OTHER, devices=())]) == [{"A1", "B1"}]


def test_facts_nobody_filled_on_either_side_agree():
    bare = {"formats": (), "geos": ()}
    assert groups([replace(ONE, **bare), replace(OTHER, **bare)]) == [{"A1", "B1"}]


@pytest.mark.parametrize(
    ("publishers", "cosine", "found"),
    [
        (("Hulu", "Tubi"), 0.41, True),
        (("Hulu", "Tubi"), 0.39, False),
        (("Hulu", "Tubi", "Roku", "Vudu"), 0.86, True),  # half in common
        (("Hulu", "Tubi", "Roku", "Vudu"), 0.84, False),
        (("Hulu", "Tubi", "Roku", "Vudu", "Plex"), 0.99, False),
    ],
)
def test_fewer_common_publishers_need_nearer_vectors(publishers: tuple[str, ...], cosine: float, found: bool):
    deals = [ONE, replace(OTHER, publishers=publishers)]
    assert bool(groups(deals, rows(1, cosine))) is found


def test_deal_without_a_vector_is_in_no_group():
    vectors = rows(1, 1)
    vectors[1] = np.nan
    assert groups([ONE, OTHER], vectors) == []


def test_no_ssp_is_twice_in_a_group_and_no_deal_in_two():
    deals = [
        replace(ONE, deal_id=f"{ssp}{number}", ssp_name=ssp) for ssp in ("X", "Y", "Z") for number in range(3)
    ]
    found = groups(deals)
    assert [len(group) for group in found] == [3, 3, 3]
    assert len(set().union(*found)) == 9
    assert all({deal_id[0] for deal_id in group} == {"X", "Y", "Z"} for group in found)


def test_two_that_do_not_fit_are_not_joined_over_a_third():
    narrow = replace(OTHER, deal_id="C1", ssp_name="Xandr", publishers=("Hulu",))
    wide = replace(OTHER, publishers=("Hulu", "Tubi", "Roku", "Vudu"))
    assert groups([wide, ONE, narrow]) in ([{"A1", "B1"}], [{"A1", "C1"}])


def test_groups_do_not_depend_on_the_order_of_the_file():
    deals = [replace(ONE, deal_id=f"{ssp}{n}", ssp_name=ssp) for ssp in ("X", "Y", "Z") for n in range(4)]
    shuffled = [deals[place] for place in np.random.default_rng(1).permutation(len(deals))]
    assert groups(deals) == groups(shuffled)


# --- the cheapest -----------------------------------------------------------------------------------


def group_of(*floors: tuple[str, str | None] | None) -> Duplicates:
    deals = [
        replace(
            ONE, deal_id=f"D{number}", ssp_name=f"SSP {number}", commercial=make_deal(floor=floor).commercial
        )
        for number, floor in enumerate(floors)
    ]
    (group,) = find_duplicates(deals, rows(*[1.0] * len(deals)))
    return group


# floors -> (cheapest by currency, deals dropped)
PRICES = {
    "lowest floor": ([("9", "USD"), ("7", "USD"), ("8", "USD")], {"USD": "D1"}, {"D0", "D2"}),
    "unknown is never the cheapest": ([None, ("7", "USD")], {"USD": "D1"}, {"D0"}),
    "nothing known, nothing dropped": ([None, None], {}, set()),
    "currencies do not meet": (
        [("9", "USD"), ("1", "EUR"), ("8", "EUR")],
        {"EUR": "D1", "USD": "D0"},
        {"D2"},
    ),
    "unknown currency is its own": ([("9", "USD"), ("1", None)], {"?": "D1", "USD": "D0"}, set()),
    "no floor is the lowest": ([("0", "USD"), ("1", "USD")], {"USD": "D0"}, {"D1"}),
    "equal floors by id": ([("5", "USD"), ("5", "USD")], {"USD": "D0"}, {"D1"}),
}


@pytest.mark.parametrize(("floors", "cheapest", "dropped"), PRICES.values(), ids=PRICES)
def test_cheapest_of_a_group(
    floors: list[tuple[str, str | None] | None], cheapest: dict[str, str], dropped: set[str]
):
    group = group_of(*floors)
    assert group.cheapest == cheapest
    assert set(keep_cheapest(group)) == dropped


def test_no_floor_and_unknown_floors_are_said():
    group = group_of(("0", "USD"), ("4", "USD"), None)
    assert (group.no_floor, group.floor_unknown) == (("D0",), ("D2",))
    assert str(group) == "3 deals: D0 is the cheapest in USD (no floor), 1 with unknown floor"


def test_thousands_of_equal_deals_are_grouped_too():
    """All in one block of facts: the worst case for pairs."""
    deals = [replace(ONE, deal_id=f"{number:05}", ssp_name=str(number % 3)) for number in range(2_000)]
    found = find_duplicates(deals, rows(*[1.0] * len(deals)))
    assert all(len(group.deal_ids) <= 3 for group in found)
    assert found
