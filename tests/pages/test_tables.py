"""Tables: ids as text, unknown as empty, currencies apart, the same columns with and without rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.clustering.quality import ClusterQuality, Quality
from core.counting import counted
from core.deals import Deal
from core.deals.facts import facts_of
from core.packages import Package
from core.reading import read_deals
from pages._shared import tables
from pages._shared.texts import literal
from tests.pages.conftest import PICTURE, plain, small_clustering, small_deals


def deals_of(*floors: str) -> tuple[Deal, ...]:
    rows = "".join(f"00{number},{floor}\n" for number, floor in enumerate(floors))
    return read_deals(f"deal_id,floor_price,currency\n{rows}".encode(), "floors.csv").deals


def package_of(**fields: object) -> Package:
    known = {
        "id": "pkg-1",
        "name": "Auto",
        "deal_ids": ("A", "B"),
        "reasoning": "",
        "source": "Rules (no AI)",
    }
    return Package(**(known | fields))


def test_every_deal_is_a_row_in_the_order_given() -> None:
    frame = tables.deals_frame(small_deals().deals)
    assert frame["Deal id"].tolist() == [deal.deal_id for deal in small_deals().deals]
    assert all(isinstance(value, str) for value in frame["Deal id"])


def test_no_deals_give_the_same_columns() -> None:
    assert list(tables.deals_frame([]).columns) == list(tables.deals_frame(small_deals().deals).columns)
    assert tables.packages_frame([]).columns.tolist() == ["Package", "Deals", "Status", "Source"]


def test_unknown_is_empty_and_zero_is_zero() -> None:
    frame = tables.deals_frame(deals_of("0.0,USD", ",", "5.50,EUR"))
    assert frame["Floor CPM"].tolist()[0] == 0.0
    assert frame["Floor CPM"].isna().tolist() == [False, True, False]
    assert frame.loc[1, ["Name", "Format", "Currency", "Family-safe", "GARM risk"]].isna().all()


@pytest.mark.parametrize(
    ("floors", "text"),
    [
        (("5.5,USD", "7,USD"), "5.50-7.00 USD (2)"),
        (("5.5,USD",), "5.50 USD (1)"),
        (("5.5,USD", "7,EUR"), "7.00 EUR (1), 5.50 USD (1)"),
        (("5.5,", ","), "5.50 currency unknown (1), unknown (1)"),
        ((",", ","), "unknown (2)"),
    ],
)
def test_floors_of_different_currencies_never_meet(floors: tuple[str, ...], text: str) -> None:
    written = tables.floors_text(facts_of(deals_of(*floors)))
    assert sorted(written.split(", ")) == sorted(text.split(", "))


def test_clusters_are_numbered_as_on_the_map_and_count_their_deals() -> None:
    clustering = small_clustering()
    frame = tables.clusters_frame(small_deals().deals, clustering)
    assert frame["Cluster"].tolist() == list(range(1, len(clustering.clusters) + 1))
    assert frame["Deals"].tolist() == [len(cluster.members) for cluster in clustering.clusters]
    assert frame["Shared"].sum() == 0


def test_figures_that_were_not_measured_are_empty_never_zero() -> None:
    clustering = small_clustering()
    first, second, third, *_ = clustering.clusters
    known = {"separation": 0.2, "silhouette": -0.1, "typical": (), "nearest": ()}
    quality = Quality(
        (
            ClusterQuality(first.id, cohesion=0.0, stability=0.5, terms=("auto", "suv"), **known),
            ClusterQuality(second.id, cohesion=0.9, stability=None, terms=(), **known),
        ),
        None, None, None, None, (),
    )  # fmt: skip
    frame = tables.clusters_frame(small_deals().deals, clustering, quality)
    assert frame.loc[0, ["Terms", "Cohesion", "Stability"]].tolist() == ["auto, suv", 0.0, 0.5]
    assert frame.loc[1, "Cohesion"] == 0.9
    assert frame.loc[1, ["Terms", "Stability"]].isna().all()
    assert frame.loc[2, ["Terms", *tables.FIGURE_COLUMNS]].isna().all()
    assert third.id not in {item.cluster_id for item in quality.clusters}


def test_figures_are_numbers_also_when_none_is_known() -> None:
    frame = tables.clusters_frame(small_deals().deals, small_clustering())
    assert {str(frame[name].dtype) for name in tables.FIGURE_COLUMNS} == {"float64"}


def test_every_figure_of_the_table_is_explained() -> None:
    assert set(tables.FIGURE_COLUMNS) <= set(tables.CLUSTER_COLUMNS)
    assert all(tables.CLUSTER_COLUMNS[name]["help"] for name in tables.FIGURE_COLUMNS)


def test_second_memberships_are_counted_as_shared() -> None:
    clustering = small_clustering()
    first = clustering.clusters[0]
    shared = replace(first, strengths=(0.4, *first.strengths[1:]))
    frame = tables.clusters_frame(
        small_deals().deals, replace(clustering, clusters=(shared, *clustering.clusters[1:]))
    )
    assert frame["Shared"].tolist()[:2] == [1, 0]


def test_a_package_row_says_status_and_who_made_it_in_words() -> None:
    frame = tables.packages_frame([package_of(), package_of(status="approved", edited=True)])
    assert frame["Deals"].tolist() == [2, 2]
    assert [text.split(" ")[1] for text in frame["Status"]] == ["pending", "approved"]
    assert frame["Source"].tolist() == ["Rules (no AI)", "Rules (no AI) (edited)"]


def test_the_most_frequent_values_come_first() -> None:
    counts = {"video": 5, "ctv": 2, "native": 1, "audio": 1, "display": 1}
    assert tables.first(counts) == "video (5), ctv (2), native (1), 2 more"
    assert tables.first({"video": 5, "ctv": 2}) == "video (5), ctv (2)"
    assert tables.first({}) is None


def test_counts_agree_with_their_noun() -> None:
    assert [counted(n, "deal") for n in (0, 1, 1_200)] == ["0 deals", "1 deal", "1,200 deals"]


@pytest.mark.parametrize(
    "text", [PICTURE, "$5.50 *a* _b_ `c` <d> :red[e] [f](g) # h", "back\\slash", "Ünï · 名"]
)
def test_literal_text_reads_as_it_was_written(text: str) -> None:
    written = literal(text)
    assert plain(written) == text
    assert PICTURE not in written
