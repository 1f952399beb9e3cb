"""The map: one point for each deal; close points are similar deals."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from core.clustering import Clustering
from core.deals import Deal
from core.settings import MAP_POINTS, RANDOM_SEED

# Okabe-Ito, told apart by people with the common colour blindnesses; grey is for "other".
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_OTHER = "#8A94A0"
_OUTLINE = "rgba(70, 80, 90, 0.8)"
# Text of a cluster's number and the ground it stands on.
_LIGHT = ("#1A2430", "rgba(255, 255, 255, 0.6)")
_DARK = ("#F2F5F8", "rgba(14, 17, 23, 0.6)")
_MOST_NAMES = 6
_NAME_LENGTH = 60

COLOUR_BY: dict[str, Callable[[Deal], str | None]] = {
    "Format": lambda deal: ", ".join(deal.formats) or None,
    "SSP": lambda deal: deal.ssp_name,
    "Quality": lambda deal: deal.commercial.quality_tier,
    "GARM risk": lambda deal: deal.safety.garm_risk_rating,
    "Category": lambda deal: deal.taxonomy.tier1,
}
CLUSTER = "Cluster"
NUMBERS = "numbers of the clusters"


def drawn_indices(places: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return which deals are drawn: those with a place, or a seeded sample when a browser cannot draw all.

    places: (n, 2), NaN for deals of a newer file that were not placed yet.
    """
    placed = np.flatnonzero(np.isfinite(places).all(axis=1))
    if len(placed) <= MAP_POINTS:
        return placed
    return np.sort(np.random.default_rng(RANDOM_SEED).choice(placed, MAP_POINTS, replace=False))


def deal_map(
    deals: Sequence[Deal],
    places: npt.NDArray[np.float32],
    clustering: Clustering,
    colour_by: str,
    *,
    dark: bool = False,
) -> go.Figure:
    """Draw the map; the same input gives the same figure, so that it is not sent again.

    places: (n, 2), NaN for deals without a place. dark: whether the page is dark, for the cluster
    numbers. Each deal's point carries its id in `customdata`: selections are by id.
    """
    drawn = drawn_indices(places)
    cluster_of = {index: place + 1 for index, place in clustering.own_cluster().items()}
    novel = set(clustering.novel)
    figure = go.Figure()
    groups = (
        _by_cluster(drawn, cluster_of)
        if colour_by == CLUSTER
        else _by_value(drawn, deals, COLOUR_BY[colour_by])
    )
    for name, colour, indices in groups:
        figure.add_trace(
            go.Scatter(
                x=places[indices, 0],
                y=places[indices, 1],
                mode="markers",
                name=html.escape(name),
                showlegend=colour_by != CLUSTER,
                marker={"color": colour, "size": 8, "line": {"color": _OUTLINE, "width": 0.6}},
                customdata=[deals[index].deal_id for index in indices],
                text=[
                    _hover(deals[index], cluster_of.get(index), unusual=index in novel) for index in indices
                ],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    if colour_by == CLUSTER:
        figure.add_trace(_cluster_numbers(places, clustering, _DARK if dark else _LIGHT))
    hidden = {"visible": False}
    figure.update_layout(
        dragmode="lasso",
        height=540,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        xaxis=hidden,
        yaxis=hidden,
        legend={"orientation": "h", "y": -0.02},
        uirevision="map",
    )
    return figure


_Group = tuple[str, str, list[int]]


def _by_cluster(drawn: npt.NDArray[np.int64], cluster_of: dict[int, int]) -> list[_Group]:
    """Neighbouring numbers get different colours; the number itself stands at the cluster's centre."""
    groups: dict[int, list[int]] = {}
    for index in drawn:
        number = cluster_of.get(int(index))
        groups.setdefault(-1 if number is None else number % len(_COLOURS), []).append(int(index))
    return [
        ("outside every cluster", _OTHER, groups[slot])
        if slot < 0
        else ("clusters", _COLOURS[slot], groups[slot])
        for slot in sorted(groups)
    ]


def _by_value(
    drawn: npt.NDArray[np.int64], deals: Sequence[Deal], value_of: Callable[[Deal], str | None]
) -> list[_Group]:
    values = {int(index): value_of(deals[index]) or "unknown" for index in drawn}
    counts = Counter(value for value in values.values() if value != "unknown")
    named = [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))][:_MOST_NAMES]
    groups: dict[str, list[int]] = {name: [] for name in (*named, "other", "unknown")}
    for index, value in values.items():
        groups[value if value in groups else "other"].append(index)
    colours = dict(zip(named, _COLOURS, strict=False)) | {"other": _OTHER, "unknown": "#D0D6DC"}
    return [(name, colours[name], indices) for name, indices in groups.items() if indices]


def _cluster_numbers(
    places: npt.NDArray[np.float32], clustering: Clustering, colours: tuple[str, str]
) -> go.Scatter:
    """Return the number of each cluster at its middle, as one trace without deal ids.

    One trace, not annotations: a browser measures each of those on its own, and a map of 5,000 deals
    with 523 of them was not drawn after a minute.
    """
    text, ground = colours
    middles = {}
    for number, cluster in enumerate(clustering.clusters, start=1):
        points = places[list(cluster.members)]
        points = points[np.isfinite(points).all(axis=1)]
        if len(points):
            middles[number] = np.median(points, axis=0).astype(float)
    # A selection pales the points it leaves out, but never the numbers.
    steady = {"marker": {"opacity": 1}, "textfont": {"color": text}}
    return go.Scatter(
        x=[middle[0] for middle in middles.values()],
        y=[middle[1] for middle in middles.values()],
        mode="markers+text",
        name=NUMBERS,
        text=[f"<b>{number}</b>" for number in middles],
        textfont={"size": 10, "color": text},
        marker={"color": ground, "size": 14, "line": {"width": 0}},
        selected=steady,
        unselected=steady,
        showlegend=False,
        hoverinfo="skip",
    )


def _hover(deal: Deal, cluster: int | None, *, unusual: bool) -> str:
    """Write one short line; long hover texts multiply what travels with every selection."""
    name = html.escape((deal.deal_name or deal.deal_id)[:_NAME_LENGTH])
    where = f"cluster {cluster}" if cluster else "no cluster"
    return f"{name}<br>{html.escape(deal.deal_id)} · {where}" + (
        " · unusual for its cluster" if unusual else ""
    )
