"""Selected deals: each action is one saved edit, told in words, or one sentence that refuses it."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.clustering import Clustering, Links
from core.clustering.edits import AttachDeals, ExcludeDeals, MoveDeals, NewCluster
from core.storage import Workspace
from pages._clusters.edit_panel import result_in_words, where_they_are
from pages._shared import services
from pages._shared.cluster_view import ClusterView
from tests.pages.conftest import (
    assert_healthy,
    click,
    job_end,
    open_page,
    said,
    small_clustering,
    small_deals,
    words,
)


def id_of(index: int) -> str:
    return small_deals().deals[index].deal_id


def ids_in(place: int, count: int) -> list[str]:
    return [id_of(index) for index in small_clustering().clusters[place].members[:count]]


def with_selected(run_id: str, ids: list[str]) -> AppTest:
    """Open the page with deals selected, as a lasso leaves them."""
    app = open_page("clusters", run_id)
    app.session_state["selected_deals"] = ids
    return app.run()


def clusters_of(store: Workspace, run_id: str, ids: list[str]) -> set[int | None]:
    """Return the numbers of the clusters that these deals are in, None for none."""
    clustering = store.clustering(run_id)
    assert clustering is not None
    own = clustering.own_cluster()
    index_of = {deal.deal_id: index for index, deal in enumerate(store.deals(run_id))}
    return {None if (place := own.get(index_of[deal_id])) is None else place + 1 for deal_id in ids}


def choose_goal(app: AppTest, place: int) -> AppTest:
    box = next(item for item in app.selectbox if item.label == "Move to cluster")
    return box.set_value(small_clustering().clusters[place].id).run()


def roomy() -> int:
    """Return the place of a cluster with room for two more, other than the first."""
    most = small_clustering().settings.max_deals
    sizes = [len(cluster.members) for cluster in small_clustering().clusters]
    return next(place for place, size in enumerate(sizes) if place and size + 2 <= most)


# --- actions ----------------------------------------------------------------------------------


def test_without_a_selection_the_panel_says_how_to_select(clustered: str) -> None:
    app = open_page("clusters", clustered)
    assert "Nothing selected" in words(app)
    labels = [button.label for button in app.button]
    assert not {"Move", "New cluster", "Exclude", "Make a package"} & set(labels)


def test_deals_move_to_the_chosen_cluster(clustered: str, store: Workspace) -> None:
    ids = ids_in(0, 2)
    app = with_selected(clustered, ids)
    assert "2 deals selected" in words(app)
    assert "2 in cluster 1" in words(app)
    move = next(button for button in app.button if button.label == "Move")
    assert move.disabled  # no cluster is chosen yet
    app = click(choose_goal(app, roomy()), "Move")
    assert_healthy(app)
    (number,) = clusters_of(store, clustered, ids)
    size = len(small_clustering().clusters[roomy()].members) + 2
    assert said(app, "success") == [
        f"Saved: 2 deals moved to cluster {number}, which has {size} deals now. The next build keeps to it."
    ]
    assert "deals selected" not in words(app)


def test_deals_form_a_cluster_of_their_own(clustered: str, store: Workspace) -> None:
    ids = [*ids_in(0, 1), *ids_in(1, 1)]
    app = click(with_selected(clustered, ids), "New cluster")
    assert_healthy(app)
    (number,) = clusters_of(store, clustered, ids)
    assert number == len(small_clustering().clusters) + 1
    assert said(app, "success") == [
        f"Saved: 2 deals in cluster {number} of their own. "
        "The next build may join them to others: they are fewer than the smallest size."
    ]


def test_excluded_deals_are_listed_as_left_over(clustered: str, store: Workspace) -> None:
    ids = ids_in(1, 3)
    app = click(with_selected(clustered, ids), "Exclude")
    assert_healthy(app)
    assert clusters_of(store, clustered, ids) == {None}
    assert said(app, "success") == ["Saved: 3 deals excluded from every cluster. The next build keeps to it."]
    outside = len(small_clustering().left_over) + 3
    assert f"{outside} deals outside every cluster" in words(app)


def test_an_edit_that_is_not_allowed_is_refused_and_the_selection_stays(
    clustered: str, store: Workspace
) -> None:
    most = small_clustering().settings.max_deals
    ids = [deal.deal_id for deal in small_deals().deals[: most + 1]]
    app = click(with_selected(clustered, ids), "New cluster")
    assert_healthy(app)
    assert said(app, "error") == [
        f"The cluster would hold {most + 1} deals, but the largest size is {most}: take fewer deals."
    ]
    assert f"{most + 1} deals selected" in words(app)
    assert store.clustering(clustered) == small_clustering()


def test_a_cluster_that_changed_in_another_tab_is_refused(clustered: str, store: Workspace) -> None:
    app = choose_goal(with_selected(clustered, ids_in(0, 1)), roomy())
    store.edit_clusters(clustered, ExcludeDeals(tuple(ids_in(roomy(), 1))))
    click(app, "Move")
    assert_healthy(app)
    (sentence,) = said(app, "error")
    assert sentence.endswith("it has changed since, reload the page.")


def test_while_a_job_runs_nothing_is_edited(clustered: str, store: Workspace) -> None:
    app = with_selected(clustered, ids_in(0, 1))
    go_on = threading.Event()
    services.jobs().start(clustered, "Build clusters", lambda _: str(go_on.wait(30)))
    click(app, "Exclude")  # drawn before the job began
    go_on.set()
    job_end(clustered)
    assert said(app, "error") == ["A job of this run is under way: wait for it or cancel it, then try again."]
    assert next(button for button in app.button if button.label == "Exclude").disabled
    assert store.clustering(clustered) == small_clustering()


def test_deals_that_are_gone_are_not_selected_any_more(clustered: str) -> None:
    app = with_selected(clustered, ["no such deal"])
    assert_healthy(app)
    assert "Nothing selected" in words(app)


# --- decisions kept for the next build --------------------------------------------------------


def test_decisions_are_counted_and_can_be_forgotten(clustered: str, store: Workspace) -> None:
    app = click(with_selected(clustered, ids_in(1, 3)), "Exclude")
    assert "Your 3 decisions about single deals are kept in the next build: 3 excluded." in words(app)
    click(app, "Forget them")
    assert_healthy(app)
    assert said(app, "success") == ["3 decisions forgotten; the clusters stay until the next build."]
    assert "Your 3 decisions" not in words(app)
    clustering = store.clustering(clustered)
    assert clustering is not None
    assert not clustering.links
    assert clusters_of(store, clustered, ids_in(1, 3)) == {None}


def test_pairs_are_told_as_pairs(clustered: str, store: Workspace) -> None:
    links = Links(together=(("A", "B"), ("B", "C")), apart=(("A", "D"),))
    store.save_clustering(clustered, replace(small_clustering(), links=links))
    app = open_page("clusters", clustered)
    assert (
        "Your 3 decisions about single deals are kept in the next build: 2 pairs together, 1 pair apart."
    ) in words(app)


def test_without_decisions_nothing_is_said_about_them(clustered: str) -> None:
    assert "decision" not in words(open_page("clusters", clustered))


# --- words ------------------------------------------------------------------------------------


def test_where_selected_deals_are() -> None:
    clustering = small_clustering()
    first, second = clustering.clusters[:2]
    left = clustering.left_over[0].index
    for indices, text in (
        (first.members[:3], "3 in cluster 1"),
        ((first.members[0], second.members[0]), "2 in 2 clusters"),
        ((left,), "1 outside every cluster"),
        ((second.members[0], left), "1 in cluster 2 · 1 outside every cluster"),
    ):
        assert where_they_are(clustering, indices) == text


def left_out(clustering: Clustering, count: int) -> tuple[str, ...]:
    return tuple(id_of(item.index) for item in clustering.left_over[:count])


def test_what_an_edit_did_is_told_with_what_it_could_not_do() -> None:
    before = small_clustering()
    ids = left_out(before, 2)
    cluster, *others = before.clusters
    joined = replace(
        cluster,
        members=(*cluster.members, before.left_over[0].index),
        strengths=(*cluster.strengths, 1.0),
    )
    after = replace(before, clusters=(joined, *others), left_over=before.left_over[1:])
    text = result_in_words(AttachDeals(ids), before, after, small_deals().deals)
    assert text.startswith(
        "Saved: 1 deal attached to the nearest cluster. 1 deal found no cluster with room."
    )


@pytest.mark.parametrize("command", [MoveDeals(("A",), "x"), NewCluster(("A",)), ExcludeDeals(("A",))])
def test_an_edit_without_effect_says_so(command: MoveDeals | NewCluster | ExcludeDeals) -> None:
    clustering = small_clustering()
    text = result_in_words(command, clustering, clustering, small_deals().deals)
    assert text == "Nothing changed: these deals are there already."


def test_widgets_that_list_clusters_are_new_when_the_clusters_are() -> None:
    clustering = small_clustering()
    view = ClusterView("run", small_deals().deals, clustering, None)
    fewer = replace(view, clustering=replace(clustering, clusters=clustering.clusters[1:]))
    assert view.rows_key == replace(view, quality=None).rows_key
    assert len({view.rows_key, fewer.rows_key, replace(view, run_id="other").rows_key}) == 3
