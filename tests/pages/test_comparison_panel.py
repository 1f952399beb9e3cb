"""Comparing the present clustering with an earlier one, and going back to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.clustering import ClusteringSettings, cluster_deals
from core.clustering.compare import Comparison, Moved, compare_clusterings
from core.clustering.edits import ExcludeDeals
from core.clustering.quality import Quality
from core.storage import Workspace
from pages._clusters.comparison_panel import change_in_words, moved_frame, side_by_side
from pages._shared.cluster_view import ClusterView
from tests.pages.conftest import (
    assert_healthy,
    click,
    open_page,
    said,
    small_clustering,
    small_deals,
    small_vectors,
    table,
    words,
)


@pytest.fixture
def edited(clustered: str, store: Workspace) -> str:
    """A run whose second clustering leaves out two deals of the first cluster."""
    store.edit_clusters(clustered, ExcludeDeals(two_of_the_first()))
    return clustered


def two_of_the_first() -> tuple[str, ...]:
    return tuple(small_deals().deals[index].deal_id for index in small_clustering().clusters[0].members[:2])


def compare_with(run_id: str, store: Workspace, position: int) -> AppTest:
    app = open_page("clusters", run_id)
    version = store.clusterings(run_id)[position]
    return app.selectbox(key=f"compare_{run_id}").set_value(version.id).run()


def test_with_one_clustering_there_is_nothing_to_compare(clustered: str) -> None:
    app = open_page("clusters", clustered)
    assert not [box for box in app.selectbox if box.label == "Earlier clustering"]


def test_the_present_clustering_is_not_offered_as_an_earlier_one(edited: str) -> None:
    app = open_page("clusters", edited)
    (offered,) = app.selectbox(key=f"compare_{edited}").options
    clustering = small_clustering()
    assert offered.endswith(
        f" UTC · Build · {len(clustering.clusters)} clusters, {len(clustering.left_over)} left over"
    )


def test_both_clusterings_stand_side_by_side_with_the_deals_that_changed(
    edited: str, store: Workspace
) -> None:
    app = compare_with(edited, store, 1)
    assert_healthy(app)
    assert "58 of 60 deals unchanged" in words(app)
    assert "2 newly left over" in words(app)
    clustering = small_clustering()
    rows = table(app, "").value.set_index("")
    assert rows.loc["Clusters"].tolist() == [str(len(clustering.clusters))] * 2
    assert rows.loc["Left over"].tolist() == [
        str(len(clustering.left_over)), str(len(clustering.left_over) + 2)
    ]  # fmt: skip
    moved = next(item.value for item in app.dataframe if "From (then)" in item.value.columns)
    assert set(moved["Deal id"]) == set(two_of_the_first())
    assert set(moved["From (then)"]) == {"1"}
    assert set(moved["To (now)"]) == {"left over"}


def test_changed_deals_can_be_selected(edited: str, store: Workspace) -> None:
    app = click(compare_with(edited, store, 1), "Select the 2 changed deals")
    assert "2 deals selected" in words(app)


def test_going_back_makes_the_earlier_one_the_runs_own_with_its_settings(
    loaded: str, store: Workspace
) -> None:
    store.save_clustering(loaded, small_clustering())
    other = cluster_deals(
        small_deals().deals, small_vectors(), ClusteringSettings(max_deals=9, small_clusters="attach")
    )
    store.save_clustering(loaded, other)
    app = compare_with(loaded, store, 1)
    assert app.number_input(key="max_deals").value == 9
    click(app, "Go back to this one")
    assert_healthy(app)
    assert store.clustering(loaded) == small_clustering()
    assert said(app, "success")[0].startswith("In use again: ")
    assert app.number_input(key="max_deals").value == small_clustering().settings.max_deals
    assert app.selectbox(key="small_clusters").value == "leave_out"
    assert len(store.clusterings(loaded)) == 3  # the way forward stays open


# --- words ------------------------------------------------------------------------------------


def comparison_of(**fields: object) -> Comparison:
    known = {"matches": (), "moved": (), "split": (), "merged": (), "adjusted_rand": 1.0, "same": 10}
    return Comparison(**(known | {"changed": 0, "newly_left_over": 0, "newly_clustered": 0} | fields))


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (1.0, "nearly the same groups"),
        (0.9, "nearly the same groups"),
        (0.89, "much the same groups"),
        (0.7, "partly the same groups"),
        (0.64, "largely different groups"),
        (-0.1, "largely different groups"),
    ],
)
def test_agreement_is_told_in_words(index: float, text: str) -> None:
    assert f"Agreement {index:.2f}: {text}" in change_in_words(comparison_of(adjusted_rand=index))


def test_without_deals_clustered_both_times_there_is_no_agreement() -> None:
    assert "Agreement" not in change_in_words(comparison_of(adjusted_rand=None))


def test_kinds_of_change_add_up_to_the_deals() -> None:
    moved = tuple(Moved(index, str(index), 0, 1) for index in range(6))
    text = change_in_words(
        comparison_of(same=54, moved=moved, changed=3, newly_left_over=2, newly_clustered=1)
    )
    assert text.startswith(
        "**54 of 60 deals unchanged** · 3 in another cluster · 2 newly left over · 1 newly in a cluster."
    )


def test_a_figure_that_is_not_known_is_empty() -> None:
    quality = Quality((), cohesion=0.0, separation=None, silhouette=0.25, stability=None, notes=())
    frame = side_by_side(small_clustering(), None, small_clustering(), quality).set_index("")
    assert frame.loc[["Cohesion", "Separation", "Silhouette", "Stability"], "Then"].isna().all()
    assert frame.loc["Cohesion", "Now"] == "0.00"
    assert frame.loc[["Separation", "Stability"], "Now"].isna().all()


def test_numbers_of_then_and_now_are_those_of_their_clusterings() -> None:
    before = small_clustering()
    after = replace(before, clusters=before.clusters[::-1])
    found = compare_clusterings([deal.deal_id for deal in small_deals().deals], before, after)
    assert not found.moved  # other numbers alone are no move
    moved = replace(found, moved=(Moved(0, "A", 0, None), Moved(1, "B", None, 1)))
    view = ClusterView("run", small_deals().deals, after, None)
    frame = moved_frame(moved, view, ["1 · old"])
    assert frame["From (then)"].tolist() == ["1 · old", "left over"]
    assert frame["To (now)"].tolist() == ["left over", "2"]
