"""The clusterings of a run: their history, edits by hand, and the figures that go with them."""

from dataclasses import replace

import numpy as np
import pytest

from core.clustering import LeftOver
from core.clustering.edits import AttachDeals, ExcludeDeals, MoveDeals, NewCluster
from core.clustering.quality import ClusterQuality, Quality
from core.errors import ClusteringError, WorkspaceError
from core.proposals import Outcome, Proposal
from core.reading.reading import parse_deals
from core.storage import NEW_DEAL, VECTORS, Workspace
from tests.workspaces import IDS, RECORDS, clustering_of, done, on_sqlite, run_sql

NEW = {"deal_id": "0099", "deal_name": "New one"}


def figures(cluster_id, cohesion, *typical, nearest=()):
    return ClusterQuality(cluster_id, cohesion, 0.5, None, 0.9, ("sports",), typical, nearest)


MEASURED = Quality(
    (figures("a", 0.8, 0, 1, nearest=("b",)), figures("b", 0.6, 4, 3, nearest=("a",))),
    cohesion=0.7,
    separation=0.5,
    silhouette=None,
    stability=0.9,
    notes=("Stability comes from 30 samples.",),
)


@pytest.fixture
def embedded(workspace, run_id):
    """A run whose deals lie in two groups, the clusters "a" and "b", with figures."""
    rows = np.array([[1, 0], [1, 0.1], [1, 0.2], [0, 1], [0.1, 1], [0.2, 1]], dtype=np.float32)
    workspace.save_array(run_id, VECTORS, rows)
    workspace.save_clustering(run_id, clustering_of({"a": (0, 1, 2), "b": (3, 4, 5)}), quality=MEASURED)
    return run_id


def whats(workspace, run_id):
    return [version.what for version in workspace.clusterings(run_id)]


# --- history ----------------------------------------------------------------------------------


def test_history_lists_the_clusterings_newest_first_with_what_made_them(workspace, run_id):
    left = replace(clustering_of({"c": (0, 1, 2)}, max_deals=9), left_over=(LeftOver(3, "Far."),))
    workspace.save_clustering(run_id, left, what="Place 2 new deals", quality=None)
    newest, oldest = workspace.clusterings(run_id)
    assert (newest.what, newest.clusters, newest.left_over) == ("Place 2 new deals", 1, 1)
    assert (newest.settings, newest.quality) == (left.settings, None)
    assert (oldest.what, oldest.clusters) == ("Build", 2)
    assert newest.id == workspace.newest_clustering(run_id) > oldest.id
    assert workspace.clustering_version(run_id, newest.id) == left == workspace.clustering(run_id)
    assert workspace.events(run_id)[-1]["what"] == "Place 2 new deals"


def test_run_without_clusters_has_no_history(workspace):
    run_id = workspace.create_run(parse_deals(RECORDS), "f.csv")
    assert workspace.clusterings(run_id) == ()
    assert workspace.newest_clustering(run_id) == 0
    assert workspace.quality(run_id) is None


@pytest.mark.both_databases
def test_the_newest_twenty_are_kept_of_each_run(workspace, run_id):
    other = workspace.create_run(parse_deals(RECORDS), "other.csv")
    workspace.save_clustering(other, clustering_of({"x": (0, 1)}))
    for number in range(25):
        workspace.save_clustering(run_id, clustering_of({"a": (0, 1)}), what=f"Number {number}")
    assert whats(workspace, run_id) == [f"Number {number}" for number in range(24, 4, -1)]
    assert len(workspace.clusterings(other)) == 1


def test_going_back_brings_clusters_links_and_figures_back_and_is_told(workspace, embedded):
    before, first = workspace.clustering(embedded), workspace.newest_clustering(embedded)
    workspace.edit_clusters(embedded, ExcludeDeals(("001",)))
    workspace.restore_clustering(embedded, first, who="Ada")
    assert workspace.clustering(embedded) == before
    assert workspace.quality(embedded) == MEASURED
    assert workspace.events(embedded)[-1]["who"] == "Ada"
    assert workspace.events(embedded)[-1]["what"].startswith("Go back to the 2 clusters of 20")
    assert len(workspace.clusterings(embedded)) == 4, "what was left can be gone back to as well"


def test_only_clusterings_of_the_run_and_its_deals_can_be_gone_back_to(workspace, run_id):
    other = workspace.create_run(parse_deals(RECORDS), "other.csv")
    workspace.save_clustering(other, clustering_of({"x": (0, 1)}))
    foreign, former = workspace.newest_clustering(other), workspace.newest_clustering(run_id)

    def assert_refused(version_id):
        for call in (workspace.restore_clustering, workspace.clustering_version):
            with pytest.raises(WorkspaceError, match="not kept any more"):
                call(run_id, version_id)

    assert_refused(foreign)
    assert_refused(999)
    workspace.update_deals(run_id, parse_deals([NEW]), "second.json", replace=False)
    assert_refused(former)


def test_another_file_begins_the_history_anew_with_what_it_left(workspace, run_id):
    first = workspace.newest_clustering(run_id)
    workspace.update_deals(run_id, parse_deals([NEW]), "second.json", replace=False)
    (version,) = workspace.clusterings(run_id)
    assert (version.what, version.clusters, version.left_over) == ("Add second.json", 2, 1)
    assert version.id > first, "an id on a page drawn before names no other clustering"


def test_work_on_clusters_that_were_changed_meanwhile_is_not_saved(workspace, embedded):
    since = workspace.newest_clustering(embedded)
    edited = workspace.edit_clusters(embedded, ExcludeDeals(("001",)))
    with pytest.raises(WorkspaceError, match="changed meanwhile"):
        workspace.save_clustering(embedded, clustering_of({"c": (0, 1)}), since=since)
    with pytest.raises(WorkspaceError, match="changed meanwhile"):
        workspace.save_quality(embedded, MEASURED, since=since)
    assert workspace.clustering(embedded) == edited


@pytest.mark.both_databases
def test_deleted_run_takes_its_history_along(workspace, run_id, url):
    workspace.delete_run(run_id)
    assert run_sql(url, "SELECT count(*) FROM clusterings") == [(0,)]


# --- a database of the version before ---------------------------------------------------------


@on_sqlite
def test_database_without_a_history_opens_and_works(open_workspace, workspace, embedded, url):
    before, deals = workspace.clustering(embedded), workspace.deals(embedded)
    workspace.close()
    run_sql(
        url,
        "DELETE FROM clusterings",
        "UPDATE runs SET clustering = json_remove(clustering, '$.quality', '$.links', '$.novel')",
    )

    again = open_workspace()
    assert again.clustering(embedded) == before
    assert again.deals(embedded) == deals
    assert (again.quality(embedded), again.clusterings(embedded)) == (None, ())
    again.save_quality(embedded, MEASURED, since=again.newest_clustering(embedded))
    assert again.quality(embedded) == MEASURED

    again.edit_clusters(embedded, ExcludeDeals(("001",)))
    assert whats(again, embedded) == ["Exclude 1 deal", "Build"]
    again.restore_clustering(embedded, again.clusterings(embedded)[-1].id)
    assert again.clustering(embedded) == before


def test_database_without_a_history_takes_another_file(open_workspace, workspace, run_id, url):
    workspace.close()
    run_sql(url, "DELETE FROM clusterings")
    again = open_workspace()
    again.update_deals(run_id, parse_deals([NEW]), "second.json", replace=False)
    assert [cluster.id for cluster in again.clustering(run_id).clusters] == ["a", "b"]
    assert whats(again, run_id) == ["Add second.json"]


# --- edits by hand ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "words", "members"),
    [
        (MoveDeals(("003",), "b"), "Move 1 deal to another cluster", [(2, 3, 4, 5), (0, 1)]),
        (NewCluster(("001", "004")), "Form a new cluster of 2 deals", [(0, 3), (1, 2), (4, 5)]),
        (ExcludeDeals(("001", "002")), "Exclude 2 deals", [(3, 4, 5), (2,)]),
    ],
)
def test_an_edit_is_saved_with_its_words_and_its_links(workspace, embedded, edit, words, members):
    after = workspace.edit_clusters(embedded, edit, who="Ada")
    assert workspace.clustering(embedded) == after
    assert sorted(cluster.members for cluster in after.clusters) == sorted(members)
    assert after.links
    assert whats(workspace, embedded)[0] == words
    event = workspace.events(embedded)[-1]
    assert (event["who"], event["what"]) == ("Ada", words)


def test_an_edit_that_changes_nothing_leaves_no_trace(workspace, embedded):
    events, history = workspace.events(embedded), workspace.clusterings(embedded)
    workspace.edit_clusters(embedded, MoveDeals(("001",), "a"))
    assert (workspace.events(embedded), workspace.clusterings(embedded)) == (events, history)


@pytest.mark.parametrize(
    ("edit", "error", "sentence"),
    [
        (MoveDeals(("001",), "gone"), ClusteringError, "No cluster has the id gone"),
        (ExcludeDeals(("99",)), ClusteringError, "id 99"),
        (AttachDeals(("001",)), ClusteringError, "has a cluster already"),
    ],
)
def test_an_edit_that_is_refused_changes_nothing(workspace, embedded, edit, error, sentence):
    before, history = workspace.clustering(embedded), workspace.clusterings(embedded)
    with pytest.raises(error, match=sentence):
        workspace.edit_clusters(embedded, edit)
    assert (workspace.clustering(embedded), workspace.clusterings(embedded)) == (before, history)


@pytest.mark.parametrize("edit", [MoveDeals(("0099",), "a"), NewCluster(("0099",)), AttachDeals(("0099",))])
def test_a_deal_without_a_vector_must_be_placed_before_it_is_put_anywhere(workspace, embedded, edit):
    workspace.update_deals(embedded, parse_deals([NEW]), "second.json", replace=False)
    with pytest.raises(WorkspaceError, match="0099 came or changed with the newest file: place"):
        workspace.edit_clusters(embedded, edit)


def test_other_deals_can_be_edited_while_new_ones_wait_to_be_placed(workspace, embedded):
    workspace.update_deals(embedded, parse_deals([NEW]), "second.json", replace=False)
    after = workspace.edit_clusters(embedded, MoveDeals(("003",), "b"))
    assert LeftOver(6, NEW_DEAL) in after.left_over
    # Excluded without a vector it could be neither placed nor attached again.
    for edit in (ExcludeDeals(("0099",)), NewCluster(("0099",))):
        with pytest.raises(WorkspaceError, match="0099 came or changed with the newest file"):
            workspace.edit_clusters(embedded, edit)


def test_a_suggestion_does_not_count_for_deals_its_cluster_lost_again(workspace, embedded):
    cluster = workspace.clustering(embedded).clusters[0]
    ids = tuple(workspace.deals(embedded)[index].deal_id for index in cluster.members)
    outcome = Outcome(cluster.id, ids, "done", "rules", proposals=(Proposal("All", ids, "Together."),))
    workspace.save_outcome(embedded, outcome)
    assert [package.name for package in workspace.packages(embedded)] == ["All"]
    kept = replace(cluster, members=cluster.members[1:], strengths=cluster.strengths[1:])
    before = workspace.clustering(embedded)
    smaller = replace(
        before,
        clusters=(kept, *before.clusters[1:]),
        left_over=(LeftOver(cluster.members[0], "Out."), *before.left_over),
    )
    workspace.save_clustering(embedded, smaller)
    assert workspace.packages(embedded) == ()


def test_edits_need_clusters_and_vectors(workspace, run_id):
    with pytest.raises(WorkspaceError, match="no vectors yet"):
        workspace.edit_clusters(run_id, ExcludeDeals(("001",)))
    empty = workspace.create_run(parse_deals(RECORDS), "f.csv")
    for call in (
        lambda: workspace.edit_clusters(empty, ExcludeDeals(("001",))),
        lambda: workspace.forget_links(empty),
    ):
        with pytest.raises(WorkspaceError, match="no clusters yet"):
            call()


def test_forgotten_links_leave_the_clusters_as_they_are(workspace, embedded):
    edited = workspace.edit_clusters(embedded, ExcludeDeals(("001",)))
    workspace.forget_links(embedded)
    after = workspace.clustering(embedded)
    assert not after.links
    assert (after.clusters, after.left_over) == (edited.clusters, edited.left_over)
    told = len(workspace.events(embedded))
    workspace.forget_links(embedded)
    assert len(workspace.events(embedded)) == told


def test_suggestions_and_decisions_follow_the_clusters_they_were_made_for(workspace: Workspace, embedded):
    workspace.save_outcome(embedded, done("a", IDS[:3], "Of a"))
    workspace.save_outcome(embedded, done("b", IDS[3:], "Of b"))
    first = workspace.newest_clustering(embedded)
    workspace.edit_clusters(embedded, ExcludeDeals(("001",)))
    assert [package.name for package in workspace.packages(embedded)] == ["Of b"]
    workspace.restore_clustering(embedded, first)
    assert [package.name for package in workspace.packages(embedded)] == ["Of a", "Of b"]


# --- figures ----------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_figures_come_back_equal_with_run_and_history(workspace, embedded):
    assert workspace.quality(embedded) == MEASURED
    assert workspace.clusterings(embedded)[0].quality == MEASURED
    assert workspace.clusterings(embedded)[1].quality is None


def test_figures_measured_later_belong_to_the_newest_clustering(workspace, run_id):
    workspace.save_clustering(run_id, workspace.clustering(run_id), what="Again")
    workspace.save_quality(run_id, MEASURED)
    assert workspace.quality(run_id) == MEASURED
    assert [version.quality for version in workspace.clusterings(run_id)] == [MEASURED, None]


def test_an_edit_keeps_the_figures_of_clusters_it_leaves_alone_and_says_how_many_lack_them(
    workspace, embedded
):
    workspace.edit_clusters(embedded, ExcludeDeals(("001",)))
    quality = workspace.quality(embedded)
    assert quality.clusters == (figures("b", 0.6, 4, 3),), "the former neighbour is no cluster any more"
    assert (quality.cohesion, quality.stability) == pytest.approx((0.6, 0.9))
    assert quality.notes == (
        *MEASURED.notes,
        "Clusters without figures, because they changed since: 1. Measure again.",
    )
    workspace.edit_clusters(embedded, ExcludeDeals(("006",)))
    assert workspace.quality(embedded) is None


def test_another_file_keeps_figures_of_clusters_that_hold_the_same_deals(workspace, embedded):
    workspace.update_deals(embedded, parse_deals(RECORDS[1:]), "second.json", replace=True)
    (b,) = workspace.quality(embedded).clusters
    assert (b.cluster_id, b.typical, b.nearest) == ("b", (3, 2), ("a",)), "indices count among the deals now"
