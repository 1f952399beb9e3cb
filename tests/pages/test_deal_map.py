"""The map: every point carries its deal's id, and no name becomes markup."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from core.clustering import Clustering, ClusteringSettings
from core.deals import Deal
from core.settings import MAP_POINTS
from pages._clusters.deal_map import CLUSTER, COLOUR_BY, NUMBERS, deal_map, drawn_indices
from tests.pages.conftest import small_clustering, small_deals


def places_of(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 2)).astype(np.float32)


def draw(colour_by: str = CLUSTER, deals: tuple[Deal, ...] | None = None, *, dark: bool = False) -> go.Figure:
    deals = deals or small_deals().deals
    return deal_map(deals, places_of(len(deals)), small_clustering(), colour_by, dark=dark)


def points(figure: go.Figure) -> list[go.Scatter]:
    """Return the traces of deals."""
    return [trace for trace in figure.data if trace.name != NUMBERS]


def numbers(figure: go.Figure) -> go.Scatter | None:
    """Return the trace of cluster numbers, None where there is none."""
    return next((trace for trace in figure.data if trace.name == NUMBERS), None)


@pytest.mark.parametrize("colour_by", [CLUSTER, *COLOUR_BY])
def test_each_deal_is_one_point_with_its_id_at_its_place(colour_by: str) -> None:
    figure = draw(colour_by)
    places = places_of(60)
    drawn = {}
    for trace in points(figure):
        for deal_id, x, y in zip(trace.customdata, trace.x, trace.y, strict=True):
            assert deal_id not in drawn
            drawn[deal_id] = (x, y)
    assert drawn == {
        deal.deal_id: tuple(place) for deal, place in zip(small_deals().deals, places, strict=True)
    }


@pytest.mark.parametrize("colour_by", [CLUSTER, *COLOUR_BY])
def test_at_most_six_named_colours_and_two_greys(colour_by: str) -> None:
    colours = [trace.marker.color for trace in points(draw(colour_by))]
    assert len(set(colours)) == len(colours) <= 8
    assert all(trace.marker.line.width for trace in points(draw(colour_by)))  # pale colours need an outline


def test_each_cluster_is_labelled_with_the_number_of_its_table() -> None:
    labels = numbers(draw())
    assert labels is not None
    assert list(labels.text) == [
        f"<b>{number}</b>" for number in range(1, len(small_clustering().clusters) + 1)
    ]
    assert labels.customdata is None  # a number that is selected selects no deal
    assert numbers(draw("Format")) is None


def test_labels_change_with_the_theme_and_points_do_not() -> None:
    light, dark = draw(), draw(dark=True)
    assert numbers(light).textfont.color != numbers(dark).textfont.color
    assert points(light) == points(dark)


def test_the_same_input_gives_the_same_figure() -> None:
    assert draw().to_json() == draw().to_json()


def test_deals_outside_every_cluster_are_grey_and_say_so() -> None:
    outside = {small_deals().deals[item.index].deal_id for item in small_clustering().left_over}
    trace = next(trace for trace in draw().data if trace.name == "outside every cluster")
    assert set(trace.customdata) == outside
    assert all(text.endswith("no cluster") for text in trace.text)


def test_unknown_values_are_a_group_of_their_own() -> None:
    deals = tuple(replace(deal, ssp_name=None) for deal in small_deals().deals)
    (trace,) = draw("SSP", deals).data
    assert trace.name == "unknown"


def test_names_cannot_carry_markup() -> None:
    first, *rest = small_deals().deals
    deals = (
        replace(first, deal_name='<a href="http://198.51.100.7">x</a>' * 9, ssp_name="<b>bold</b>"),
        *(replace(deal, ssp_name="<b>bold</b>") for deal in rest),
    )
    for colour_by in (CLUSTER, "SSP"):
        figure = draw(colour_by, deals)
        text = json.dumps([item for item in json.loads(figure.to_json())["data"] if item["name"] != NUMBERS])
        assert "<a " not in text
        assert "<b>" not in text


def test_the_dearest_map_is_a_seeded_sample() -> None:
    assert list(drawn_indices(places_of(3))) == [0, 1, 2]
    assert len(drawn_indices(places_of(MAP_POINTS))) == MAP_POINTS
    many = places_of(MAP_POINTS + 1_000)
    sample = drawn_indices(many)
    assert len(set(sample)) == MAP_POINTS
    assert list(sample) == sorted(sample) == list(drawn_indices(many))


def test_deals_that_were_not_placed_yet_are_not_drawn_and_move_no_label() -> None:
    deals, clustering = small_deals().deals, small_clustering()
    first, second = clustering.clusters[:2]
    places = places_of(60)
    places[list(first.members)] = np.nan
    places[second.members[0]] = np.nan
    figure = deal_map(deals, places, clustering, CLUSTER)
    drawn = {deal_id for trace in points(figure) for deal_id in trace.customdata}
    assert drawn == {deals[index].deal_id for index in np.flatnonzero(np.isfinite(places).all(axis=1))}
    labels = numbers(figure)
    assert labels is not None
    assert list(labels.text) == [f"<b>{number}</b>" for number in range(2, len(clustering.clusters) + 1)]
    assert np.isfinite([*labels.x, *labels.y]).all()


def test_an_unusual_deal_says_so_when_pointed_at() -> None:
    clustering = small_clustering()
    odd = clustering.clusters[2].members[1]
    figure = deal_map(small_deals().deals, places_of(60), replace(clustering, novel=(odd,)), "Format")
    texts = {
        deal_id: text
        for trace in figure.data
        for deal_id, text in zip(trace.customdata, trace.text, strict=True)
    }
    unusual = [deal_id for deal_id, text in texts.items() if text.endswith("unusual for its cluster")]
    assert unusual == [small_deals().deals[odd].deal_id]
    assert "cluster 3" in texts[unusual[0]]


def test_no_cluster_at_all_still_draws() -> None:
    deals = small_deals().deals
    empty = Clustering(clusters=(), left_over=(), settings=ClusteringSettings())
    figure = deal_map(deals, places_of(60), empty, CLUSTER)
    assert sum(len(trace.x) for trace in points(figure)) == 60
