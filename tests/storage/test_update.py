"""A second file in a run: what is new, changed and gone, and what becomes of decided packages."""

import dataclasses

import numpy as np
import pytest

from core.clustering import Cluster, Clustering, ClusteringSettings, LeftOver, Links
from core.errors import PackageError, WorkspaceError
from core.packages import Approve, Rename, SetReasoning
from core.reading.reading import parse_deals
from core.storage import CHANGED_DEAL, NEW_DEAL, Workspace
from core.wording.generated_text import counted_reasoning
from tests.workspaces import IDS, RECORDS, clustering_of, done


def file_of(*records: dict[str, str]):
    return parse_deals(list(records))


NEW = {"deal_id": "0099", "deal_name": "New one"}
DEARER = {**RECORDS[0], "floor_price": "9.00"}


@pytest.fixture
def run(workspace: Workspace) -> str:
    run_id = workspace.create_run(file_of(*RECORDS), "first.json")
    workspace.save_array(run_id, "vectors", np.ones((6, 3), dtype=np.float32))
    workspace.save_clustering(run_id, clustering_of({"one": (0, 1, 2), "two": (3, 4, 5)}))
    workspace.save_outcome(run_id, done("one", IDS[:3], "First"))
    workspace.save_outcome(run_id, done("two", IDS[3:], "Second"))
    return run_id


def homes(workspace: Workspace, run_id: str) -> dict[str, str]:
    """Return for each deal the id of its own cluster, or why it is in none."""
    deals, clustering = workspace.deals(run_id), workspace.clustering(run_id)
    found = {item.index: item.reason for item in clustering.left_over}
    found |= {index: clustering.clusters[place].id for index, place in clustering.own_cluster().items()}
    return {deal.deal_id: found[index] for index, deal in enumerate(deals)}


def approve_all(workspace: Workspace, run_id: str) -> None:
    versions = {package.id: package.version for package in workspace.packages(run_id)}
    workspace.edit_packages(run_id, versions, [Approve()])


def test_an_added_file_keeps_the_deals_it_does_not_name(workspace: Workspace, run: str):
    update = workspace.update_deals(run, file_of(NEW, DEARER), "second.json", replace=False)

    ids = [deal.deal_id for deal in workspace.deals(run)]
    assert ids == [*IDS, "0099"]
    assert str(workspace.deals(run)[0].commercial.floor_price.amount) == "9.00"
    assert update.delta.new == ("0099",)
    assert [change.deal_id for change in update.delta.changed] == [IDS[0]]
    assert workspace.run(run).filename == "second.json"
    assert workspace.run(run).loads == 2


@pytest.mark.parametrize(
    ("second", "replace", "start"),
    [((DEARER,), False, "3 deals"), (RECORDS[1:], True, "2 deals")],
    ids=["a deal changed", "a deal is gone"],
)
def test_counted_reasons_and_claims_follow_the_deals_of_a_newer_file(
    workspace: Workspace, run: str, second, replace, start
):
    deals = workspace.deals(run)[:3]
    package = workspace.add_package(run, "Mine", IDS[:3])
    words = SetReasoning(counted_reasoning(deals))
    workspace.edit_packages(run, {package.id: package.version}, [words, Approve()])
    workspace.update_deals(run, file_of(*second), "second.json", replace=replace)
    (mine,) = (item for item in workspace.packages(run) if item.name == "Mine")
    now = [deal for deal in workspace.deals(run) if deal.deal_id in mine.deal_ids]
    assert mine.status == "pending"
    assert mine.reasoning == counted_reasoning(now)
    assert mine.reasoning.startswith(start)
    assert mine.claims
    assert not mine.contradicted


def test_a_replacing_file_takes_out_the_deals_it_lacks(workspace: Workspace, run: str):
    workspace.update_deals(run, file_of(*RECORDS[:2], NEW), "second.json", replace=True)

    assert [deal.deal_id for deal in workspace.deals(run)] == [*IDS[:2], "0099"]


def test_deals_that_did_not_change_keep_their_clusters_and_new_ones_wait(workspace: Workspace, run: str):
    workspace.update_deals(run, file_of(NEW, DEARER), "second.json", replace=False)

    assert homes(workspace, run) == {
        IDS[0]: CHANGED_DEAL,
        **dict.fromkeys(IDS[1:3], "one"),
        **dict.fromkeys(IDS[3:], "two"),
        "0099": NEW_DEAL,
    }


def test_gone_deals_leave_their_clusters_and_an_emptied_one_disappears(workspace: Workspace, run: str):
    workspace.update_deals(run, file_of(NEW, *RECORDS[4:]), "second.json", replace=True)

    assert [deal.deal_id for deal in workspace.deals(run)] == [*IDS[4:], "0099"]
    assert homes(workspace, run) == {**dict.fromkeys(IDS[4:], "two"), "0099": NEW_DEAL}


@pytest.mark.both_databases
def test_vectors_and_map_move_with_their_deals_and_are_unknown_for_others(workspace: Workspace, run: str):
    for kind, width in (("vectors", 3), ("map", 2)):
        rows = np.repeat(np.arange(6, dtype=np.float32)[:, None], width, axis=1)
        workspace.save_array(run, kind, rows)
    dearer = {**RECORDS[4], "floor_price": "9.00"}

    workspace.update_deals(run, file_of(NEW, dearer, *RECORDS[2:4]), "second.json", replace=True)

    assert [deal.deal_id for deal in workspace.deals(run)] == [*IDS[2:5], "0099"]
    for kind in ("vectors", "map"):
        column = workspace.array(run, kind)[:, 0].tolist()
        assert column[:2] == [2, 3]
        assert np.isnan(column[2:]).all()


@pytest.mark.parametrize("rows", [5, 7])
def test_vectors_of_another_number_of_deals_are_not_handed_to_the_wrong_ones(
    workspace: Workspace, run: str, rows: int
):
    workspace.save_array(run, "vectors", np.ones((rows, 3), dtype=np.float32))
    workspace.update_deals(run, file_of(NEW), "second.json", replace=False)
    assert workspace.array(run, "vectors") is None


def test_the_outline_of_the_former_deals_goes(workspace: Workspace, run: str):
    workspace.save_array(run, "outline", np.ones((6, 5), dtype=np.float32))
    workspace.update_deals(run, file_of(NEW), "second.json", replace=False)
    assert workspace.array(run, "outline") is None


def test_left_over_deals_keep_their_reasons_links_and_the_unusual_ones_theirs(workspace: Workspace, run: str):
    clustering = dataclasses.replace(
        clustering_of({"one": (1, 2, 4)}),
        left_over=(LeftOver(0, "Far."), LeftOver(3, "Farther."), LeftOver(5, "Farthest.")),
        links=Links(together=((IDS[1], IDS[0]),), excluded=(IDS[5],)),
        novel=(1, 4),
    )
    workspace.save_clustering(run, clustering)

    workspace.update_deals(run, file_of(*RECORDS[2:]), "second.json", replace=True)

    after = workspace.clustering(run)
    assert after.left_over == (LeftOver(1, "Farther."), LeftOver(3, "Farthest."))
    assert [cluster.members for cluster in after.clusters] == [(0, 2)]
    assert after.novel == (2,)
    assert after.links == clustering.links


def test_a_cluster_whose_own_deals_are_gone_disappears_with_its_guests(workspace: Workspace, run: str):
    clustering = Clustering(
        (Cluster("one", (0, 1, 2), (1.0, 1.0, 1.0)), Cluster("two", (2, 3, 4, 5), (0.4, 1.0, 1.0, 1.0))),
        (),
        ClusteringSettings(min_size=1, overlap=True),
    )
    workspace.save_clustering(run, clustering)

    workspace.update_deals(run, file_of(*RECORDS[:3]), "second.json", replace=True)

    assert homes(workspace, run) == dict.fromkeys(IDS[:3], "one")
    assert [cluster.id for cluster in workspace.clustering(run).clusters] == ["one"]


def test_untouched_suggestions_stay_with_clusters_that_stay(workspace: Workspace, run: str):
    workspace.update_deals(run, file_of(NEW, DEARER), "second.json", replace=False)

    assert [package.name for package in workspace.packages(run)] == ["Second"]
    assert set(workspace.outcomes(run)) == {"two"}


def test_an_older_answer_does_not_come_back_when_the_newest_is_forgotten(workspace: Workspace, run: str):
    workspace.save_outcome(run, done("one", (*IDS[:3], IDS[5]), "Asked again"))

    workspace.update_deals(run, file_of(*RECORDS[:5]), "second.json", replace=True)

    assert set(workspace.outcomes(run)) == set()


def test_an_approval_is_taken_back_when_a_deal_changed(workspace: Workspace, run: str):
    approve_all(workspace, run)

    update = workspace.update_deals(run, file_of(DEARER), "second.json", replace=False)

    statuses = {package.name: package.status for package in workspace.packages(run)}
    assert statuses == {"First": "pending", "Second": "approved"}
    assert update.affected == ("First",)
    assert any("changed deals of it" in event["what"] for event in workspace.events(run))


@pytest.mark.both_databases
def test_gone_deals_leave_the_packages_that_were_decided_on(workspace: Workspace, run: str):
    approve_all(workspace, run)

    update = workspace.update_deals(run, file_of(*RECORDS[1:]), "second.json", replace=True)

    first = next(package for package in workspace.packages(run) if package.name == "First")
    assert first.deal_ids == (IDS[1],)
    assert first.status == "pending"
    assert update.affected == ("First",)


def test_a_package_of_gone_deals_alone_is_rejected_and_kept(workspace: Workspace, run: str):
    approve_all(workspace, run)

    workspace.update_deals(run, file_of(*RECORDS[3:]), "second.json", replace=True)

    statuses = {package.name: package.status for package in workspace.packages(run)}
    assert statuses == {"First": "rejected", "Second": "approved"}


def test_an_edited_package_is_named_even_when_it_was_pending(workspace: Workspace, run: str):
    first = workspace.packages(run)[0]
    workspace.edit_packages(run, {first.id: first.version}, [Rename("Mine")])

    update = workspace.update_deals(run, file_of(DEARER), "second.json", replace=False)

    assert update.affected == ("Mine",)
    assert [package.name for package in workspace.packages(run)] == ["Mine", "Second"]


def test_the_report_of_the_newest_file_comes_back_whole(workspace: Workspace, run: str):
    result = file_of(NEW, {"deal_name": "no id"})

    workspace.update_deals(run, result, "second.json", replace=False)

    report = workspace.import_report(run)
    assert dataclasses.replace(report, deals=()) == dataclasses.replace(result, deals=())


def test_an_unknown_run_is_named(workspace: Workspace):
    with pytest.raises(WorkspaceError, match="no run 'nope'"):
        workspace.update_deals("nope", file_of(NEW), "second.json", replace=False)


def test_results_for_the_old_deals_are_not_saved_onto_the_new_ones(workspace: Workspace, run: str):
    loads = workspace.run(run).loads
    workspace.update_deals(run, file_of(*RECORDS[3:]), "second.json", replace=True)

    with pytest.raises(WorkspaceError, match="Another file came into the run"):
        workspace.save_clustering(run, clustering_of({"one": (0, 1, 2)}), loads=loads)
    with pytest.raises(WorkspaceError, match="Another file came into the run"):
        workspace.save_array(run, "vectors", np.ones((6, 3), dtype=np.float32), loads=loads)

    assert [cluster.id for cluster in workspace.clustering(run).clusters] == ["two"]
    assert len(workspace.array(run, "vectors")) == 3


def test_an_approval_cannot_come_from_a_page_drawn_before_the_deals_changed(workspace: Workspace, run: str):
    mine = workspace.add_package(run, "By hand", IDS[:2])
    workspace.update_deals(run, file_of(DEARER), "second.json", replace=False)

    with pytest.raises(WorkspaceError, match="changed meanwhile"):
        workspace.edit_packages(run, {mine.id: mine.version}, [Approve()])


def test_gone_deals_cannot_be_approved(workspace: Workspace, run: str):
    workspace.add_package(run, "By hand", IDS[:2])
    workspace.update_deals(run, file_of(*RECORDS[2:]), "second.json", replace=True)
    (package,) = [item for item in workspace.packages(run) if item.name == "By hand"]
    assert package.status == "rejected"

    with pytest.raises(PackageError, match="not in the run any more"):
        workspace.edit_packages(run, {package.id: package.version}, [Approve()])


def test_deals_that_come_back_with_other_values_are_looked_at_again(workspace: Workspace, run: str):
    approve_all(workspace, run)
    workspace.update_deals(run, file_of(*RECORDS[3:]), "second.json", replace=True)

    update = workspace.update_deals(run, file_of(*RECORDS), "third.json", replace=False)

    assert update.affected == ("First",)


def test_suggestions_about_former_deals_do_not_come_back(workspace: Workspace, run: str):
    workspace.update_deals(run, file_of(DEARER), "second.json", replace=False)
    workspace.save_clustering(run, clustering_of({"one": (0, 1, 2), "two": (3, 4, 5)}))

    assert [package.name for package in workspace.packages(run)] == ["Second"]
    assert set(workspace.outcomes(run)) == {"two"}


def test_an_answer_about_the_former_deals_is_not_saved(workspace: Workspace, run: str):
    loads = workspace.run(run).loads
    workspace.update_deals(run, file_of(DEARER), "second.json", replace=False)

    with pytest.raises(WorkspaceError, match="Another file came into the run"):
        workspace.save_outcome(run, done("one", IDS[:3], "Late"), loads=loads)
