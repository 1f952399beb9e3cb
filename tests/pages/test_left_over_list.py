"""Deals outside every cluster: reasons, what lies nearest, ways back in, and deals of a newer file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

import core.embeddings
from core.clustering import LeftOver
from core.clustering.incremental import nearest_clusters
from core.reading import ImportResult, read_deals
from core.storage import Workspace
from pages._clusters.left_over_list import left_over_frame
from pages._shared.cluster_view import ClusterView
from tests.fakes.embeddings import FakeEncoder
from tests.pages.conftest import (
    assert_healthy,
    click,
    open_page,
    said,
    select_rows,
    small_clustering,
    small_deals,
    small_vectors,
    watch_job,
    words,
)


def listed(app: AppTest) -> list[str]:
    """Return the ids of the list, in its order."""
    frame = next(item for item in app.dataframe if (item.key or "").startswith("left_over_")).value
    return list(frame["Deal id"])


def outside(store: Workspace, run_id: str) -> set[str]:
    clustering, deals = store.clustering(run_id), store.deals(run_id)
    assert clustering is not None
    return {deals[item.index].deal_id for item in clustering.left_over}


def button(app: AppTest, start: str) -> object:
    return next(item for item in app.button if item.label.startswith(start))


# --- the list ---------------------------------------------------------------------------------


def test_each_deal_has_its_reason_and_its_three_nearest_clusters(clustered: str) -> None:
    app = open_page("clusters", clustered)
    assert_healthy(app)
    clustering, deals = small_clustering(), small_deals().deals
    indices = [item.index for item in clustering.left_over]
    frame = next(item for item in app.dataframe if (item.key or "").startswith("left_over_")).value
    assert list(frame["Deal id"]) == [deals[index].deal_id for index in indices]
    assert list(frame["Why"]) == [item.reason for item in clustering.left_over]
    nearest = nearest_clusters(small_vectors(), clustering, indices)
    assert list(frame["Nearest clusters"]) == [
        "; ".join(str(place + 1) for place, _ in near) for near in nearest
    ]


def test_what_is_not_known_is_empty() -> None:
    view = ClusterView("run", small_deals().deals, small_clustering(), None)
    items = small_clustering().left_over[:2]
    frame = left_over_frame(view, items, {items[0].index: [1, 0]})
    assert frame["Nearest clusters"].tolist()[0] == "2; 1"
    assert frame["Nearest clusters"].isna().tolist() == [False, True]
    assert left_over_frame(view, [], {}).columns.tolist() == frame.columns.tolist()


def test_a_long_list_can_be_cut_to_one_reason(clustered: str, store: Workspace) -> None:
    clustering = small_clustering()
    cluster, *others = clustering.clusters
    more = tuple(LeftOver(index, "Excluded by the analyst.") for index in cluster.members)
    left_over = tuple(sorted((*clustering.left_over, *more), key=lambda item: item.index))
    store.save_clustering(clustered, replace(clustering, clusters=tuple(others), left_over=left_over))
    app = open_page("clusters", clustered)
    assert len(listed(app)) == len(left_over)
    app.selectbox(key="left_over_reason").set_value("Excluded by the analyst.").run()
    assert_healthy(app)
    assert set(listed(app)) == {small_deals().deals[index].deal_id for index in cluster.members}


# --- ways back in -----------------------------------------------------------------------------


def test_without_selected_rows_the_actions_are_off(clustered: str) -> None:
    app = open_page("clusters", clustered)
    assert button(app, "Attach to nearest").disabled
    assert button(app, "Own cluster").disabled


def test_selected_deals_are_attached_to_the_nearest_cluster(clustered: str, store: Workspace) -> None:
    before = outside(store, clustered)
    app = select_rows(open_page("clusters", clustered), "left_over_", [1])
    chosen = listed(app)[1]
    click(app, "Attach 1 to nearest")
    assert_healthy(app)
    assert outside(store, clustered) == before - {chosen}
    assert said(app, "success") == [
        "Saved: 1 deal attached to the nearest cluster. The next build keeps to it."
    ]


def test_selected_deals_become_a_cluster(clustered: str, store: Workspace) -> None:
    before = outside(store, clustered)
    app = select_rows(open_page("clusters", clustered), "left_over_", [0, 2])
    chosen = {listed(app)[0], listed(app)[2]}
    click(app, "Own cluster of 2 deals")
    assert_healthy(app)
    assert outside(store, clustered) == before - chosen
    assert said(app, "success")[0].startswith("Saved: 2 deals in cluster ")


def test_rows_selected_before_the_list_changed_choose_no_other_deals(clustered: str) -> None:
    app = select_rows(open_page("clusters", clustered), "left_over_", [0])
    click(app, "Attach 1 to nearest")
    assert button(app, "Attach to nearest").disabled


# --- deals of a newer file --------------------------------------------------------------------


def newer_file() -> ImportResult:
    """Two deals that the first file did not have."""
    return read_deals(b"deal_id,deal_name\nNEW-1,Auto Video\nNEW-2,Sports Audio\n", "newer.csv")


@pytest.fixture
def grown(clustered: str, store: Workspace) -> str:
    """A run with clusters to which a second file brought two deals."""
    store.update_deals(clustered, newer_file(), "newer.csv", replace=False)
    return clustered


def test_new_deals_wait_outside_with_a_button_to_place_them(grown: str) -> None:
    app = open_page("clusters", grown)
    assert_healthy(app)
    assert {"NEW-1", "NEW-2"} < set(listed(app))
    assert button(app, "Place 2 new deals").proto.type == "primary"
    assert "2 deals of a newer file not on the map yet." in words(app)


def test_placing_new_deals_moves_no_other_deal(
    grown: str, store: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = FakeEncoder()
    monkeypatch.setattr(core.embeddings, "open_encoder", lambda *_: encoder)
    before = store.clustering(grown)
    assert before is not None
    app = watch_job(click(open_page("clusters", grown), "Place 2 new deals"), grown)
    assert said(app, "success")[0].startswith("Place 2 new deals: ")
    after = store.clustering(grown)
    assert after is not None
    own = after.own_cluster()
    assert {index: own[index] for index in before.own_cluster()} == before.own_cluster()
    assert len(encoder.texts) == 2
    assert not [item for item in app.button if item.label.startswith("Place")]
    assert "not on the map yet" not in words(app)


def test_a_deal_that_waits_is_placed_before_it_is_moved(grown: str, store: Workspace) -> None:
    app = open_page("clusters", grown)
    select_rows(app, "left_over_", [listed(app).index("NEW-1")])
    click(app, "Own cluster of 1 deal")
    assert_healthy(app)
    assert said(app, "error") == ["NEW-1 came or changed with the newest file: place the new deals first."]
    assert "NEW-1" in outside(store, grown)


def test_without_clusters_new_deals_have_nothing_to_be_placed_in(store: Workspace, grown: str) -> None:
    clustering = store.clustering(grown)
    assert clustering is not None
    everything = tuple(LeftOver(index, clustering.left_over[-1].reason) for index in range(62))
    store.save_clustering(grown, replace(clustering, clusters=(), left_over=everything))
    app = open_page("clusters", grown)
    assert_healthy(app)
    assert not [item for item in app.button if item.label.startswith("Place")]
    assert "No group was large enough for a cluster" in said(app, "info")[0]
