"""Figures of the clusters: means and what they leave out, one cluster in detail, measuring again."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from streamlit.testing.v1 import AppTest

from core.clustering import ClusteringSettings, cluster_deals
from core.clustering.edits import ExcludeDeals
from core.clustering.quality import Quality, measure_quality
from core.storage import Workspace
from pages._clusters.cluster_tables import members_frame
from pages._shared.cluster_view import ClusterView, cluster_labels
from tests.pages.conftest import (
    assert_healthy,
    click,
    open_page,
    said,
    select_rows,
    small_clustering,
    small_deals,
    small_vectors,
    table,
    watch_job,
    words,
)


@cache
def small_quality() -> Quality:
    return measure_quality(small_deals().deals, small_vectors(), small_clustering())


@pytest.fixture
def measured(store: Workspace, loaded: str) -> str:
    """A run whose clusters were measured."""
    store.save_clustering(loaded, small_clustering(), quality=small_quality())
    return loaded


def view_of(**changes: object) -> ClusterView:
    known = {"run_id": "run", "deals": small_deals().deals, "clustering": small_clustering()}
    return ClusterView(**(known | {"quality": small_quality()} | changes))


# --- figures ----------------------------------------------------------------------------------


def test_means_are_in_one_line_with_what_was_sampled(measured: str) -> None:
    app = open_page("clusters", measured)
    assert_healthy(app)
    quality = small_quality()
    assert (
        f"On average: cohesion **{quality.cohesion:.2f}** · separation **{quality.separation:.2f}** · "
        f"silhouette **{quality.silhouette:.2f}** · stability **{quality.stability:.2f}**"
    ) in words(app)
    assert all(note in words(app) for note in quality.notes)


def test_clusters_that_were_not_measured_have_no_figures(clustered: str) -> None:
    app = open_page("clusters", clustered)
    assert "Nothing was measured yet." in words(app)
    assert table(app, "Cluster").value["Cohesion"].isna().all()
    assert [button.label for button in app.button if button.label.startswith("Measure")] == [
        "Measure the clusters"
    ]


def test_after_an_edit_the_changed_clusters_are_measured_again(measured: str, store: Workspace) -> None:
    app = open_page("clusters", measured)
    assert not [button for button in app.button if button.label.startswith("Measure")]
    gone = small_deals().deals[small_clustering().clusters[0].members[0]].deal_id
    store.edit_clusters(measured, ExcludeDeals((gone,)))
    app.run()
    assert table(app, "Cluster").value["Cohesion"].isna().sum() == 1
    app = watch_job(click(app, "Measure again"), measured)
    assert said(app, "success")[0].startswith("Measure the clusters: ")
    assert table(app, "Cluster").value["Cohesion"].notna().all()
    assert not [button for button in app.button if button.label.startswith("Measure")]


def test_a_build_measures(loaded: str) -> None:
    app = watch_job(click(open_page("clusters", loaded), "Build clusters"), loaded)
    frame = table(app, "Cluster").value
    assert frame["Cohesion"].between(0, 1).all()
    assert frame["Terms"].notna().any()


# --- one cluster ------------------------------------------------------------------------------


def test_a_single_selected_cluster_tells_its_typical_deals_and_neighbours(measured: str) -> None:
    app = select_rows(open_page("clusters", measured), "clusters_", [1])
    assert_healthy(app)
    figures, labels = small_quality().clusters[1], cluster_labels(small_clustering(), small_quality())
    assert f"Cluster {labels[1]}" in words(app)
    for index in figures.typical:
        assert (small_deals().deals[index].deal_name or "") in words(app)
    places = {cluster.id: place for place, cluster in enumerate(small_clustering().clusters)}
    for other in figures.nearest:
        assert f"- {labels[places[other]]}" in words(app)
    frame = next(item.value for item in app.dataframe if "Note" in item.value.columns)
    assert len(frame) == len(small_clustering().clusters[1].members)


def test_several_selected_clusters_are_not_told_in_detail(measured: str) -> None:
    app = select_rows(open_page("clusters", measured), "clusters_", [0, 1])
    assert_healthy(app)
    assert "Typical deals" not in words(app)


def test_unusual_typical_and_shared_deals_carry_a_note() -> None:
    clustering = small_clustering()
    first, second, *rest = clustering.clusters
    guest = second.members[0]
    crowded = replace(first, members=(*first.members, guest), strengths=(*first.strengths, 0.4))
    odd = next(index for index in first.members if index not in small_quality().clusters[0].typical)
    changed = replace(clustering, clusters=(crowded, second, *rest), novel=(odd,))
    frame = members_frame(view_of(clustering=changed), 0)
    notes = dict(zip(frame["Deal id"], frame["Note"], strict=True))
    ids = [deal.deal_id for deal in small_deals().deals]
    assert notes[ids[odd]] == "unusual for its cluster"
    assert notes[ids[guest]] == "shared with cluster 2"
    assert {notes[ids[index]] for index in small_quality().clusters[0].typical} == {"typical"}
    assert frame.columns[:3].tolist() == ["Deal id", "Name", "Note"]


def test_figures_of_other_clusters_never_name_deals_of_this_one() -> None:
    strangers = replace(small_quality().clusters[0], typical=small_clustering().clusters[1].members[:3])
    quality = replace(small_quality(), clusters=(strangers,))
    frame = members_frame(view_of(quality=quality), 0)
    assert frame["Note"].isna().all()


def test_labels_are_numbers_with_terms_where_known() -> None:
    first = replace(small_quality().clusters[0], terms=("auto", "suv", "sedan", "truck"))
    labels = cluster_labels(small_clustering(), replace(small_quality(), clusters=(first,)))
    assert labels[:2] == ["1 · auto, suv, sedan", "2"]


# --- how they were found ----------------------------------------------------------------------


def how_they_were_found(run_id: str) -> AppTest:
    """Open the page, and on it the panel that tells it."""
    app = open_page("clusters", run_id)
    app.session_state["found_open"] = True
    return app.run()


def test_the_curve_that_chose_the_number_is_shown(loaded: str, store: Workspace) -> None:
    clustering = cluster_deals(small_deals().deals, small_vectors(), ClusteringSettings())
    store.save_clustering(loaded, clustering)
    app = how_they_were_found(loaded)
    assert_healthy(app)
    curve = clustering.diagnostics["bic"]
    assert curve
    frame = table(app, "Groups").value
    assert frame["BIC"].tolist() == pytest.approx([point["bic"] for point in curve], abs=0.1)
    assert frame["Above the best"].min() == 0
    assert f"{clustering.diagnostics['components']} groups had the lowest BIC" in words(app)


def test_a_method_without_a_curve_says_so(loaded: str, store: Workspace) -> None:
    store.save_clustering(loaded, replace(small_clustering(), diagnostics={"notes": ["One note."]}))
    app = how_they_were_found(loaded)
    assert_healthy(app)
    assert "This method chooses no number of groups by a curve." in words(app)
    assert "One note." in words(app)
