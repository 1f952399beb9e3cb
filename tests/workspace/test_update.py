"""A second file in a run: what is new, changed and gone, and what becomes of decided packages."""

import dataclasses

import numpy as np
import pytest

from core.deals.reading import parse_deals
from core.errors import PackageError, WorkspaceError
from core.packages import Approve, Rename
from core.workspace import Workspace
from tests.workspace.conftest import IDS, RECORDS, clustering_of, done


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


def test_a_replacing_file_takes_out_the_deals_it_lacks(workspace: Workspace, run: str):
    workspace.update_deals(run, file_of(*RECORDS[:2], NEW), "second.json", replace=True)

    assert [deal.deal_id for deal in workspace.deals(run)] == [*IDS[:2], "0099"]


@pytest.mark.parametrize("replace", [False, True])
def test_clusters_and_vectors_must_be_built_anew(workspace: Workspace, run: str, replace: bool):
    workspace.update_deals(run, file_of(NEW), "second.json", replace=replace)

    assert workspace.clustering(run) is None
    assert workspace.array(run, "vectors") is None
    assert workspace.packages(run) == ()  # suggestions nobody touched go with their clusters


def test_an_approval_is_taken_back_when_a_deal_changed(workspace: Workspace, run: str):
    approve_all(workspace, run)

    update = workspace.update_deals(run, file_of(DEARER), "second.json", replace=False)

    statuses = {package.name: package.status for package in workspace.packages(run)}
    assert statuses == {"First": "pending", "Second": "approved"}
    assert update.affected == ("First",)
    assert any("changed deals of it" in event["what"] for event in workspace.events(run))


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
    assert [package.name for package in workspace.packages(run)] == ["Mine"]


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

    assert workspace.clustering(run) is None
    assert workspace.array(run, "vectors") is None


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
