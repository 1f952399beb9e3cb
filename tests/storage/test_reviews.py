"""Commands about packages in the workspace: steps that can be taken back, and a trail that is whole."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from core.errors import PackageError, WorkspaceError
from core.packages import (
    AddDeals,
    Approve,
    Duplicate,
    EditPackages,
    Lock,
    MakePackage,
    Merge,
    MoveDeals,
    Package,
    Reject,
    RemoveDeals,
    Rename,
    Reopen,
    Review,
    Split,
    replay,
)
from core.reading.reading import ReadOptions, parse_deals, read_deals
from core.storage import Workspace
from core.wording.findings import OverlapPolicy
from tests.packages.test_review import command_of, content, sequences
from tests.workspaces import IDS, RECORDS, clustering_of, done

A, B = IDS[:3], IDS[3:]
DEARER = {**RECORDS[0], "floor_price": "9.00"}


@pytest.fixture
def proposed(workspace: Workspace, run_id: str) -> str:
    """Return a run with two suggestions for cluster "a" and one for "b"."""
    workspace.save_outcome(run_id, done("a", A, "One", "Two"))
    workspace.save_outcome(run_id, done("b", B, "Three"))
    return run_id


def act(workspace: Workspace, run_id: str, command, who="Ada"):
    versions = {package.id: package.version for package in workspace.packages(run_id)}
    return workspace.perform(run_id, versions, command, who)


def review_of(workspace: Workspace, run_id: str) -> Review:
    return replay(workspace.changes(run_id))


def told(workspace: Workspace, run_id: str) -> list[tuple[str, str]]:
    return [(step.what, step.state) for step in workspace.steps(run_id)]


def newer_file(workspace: Workspace, run_id: str, *records, all_deals=False):
    return workspace.update_deals(run_id, parse_deals(list(records)), "second.json", replace=all_deals)


# --- steps ------------------------------------------------------------------------------------


def test_command_is_one_step_in_words_and_each_package_an_event(workspace, proposed):
    one, two, _ = workspace.packages(proposed)
    changes = act(workspace, proposed, MoveDeals(one.id, two.id, ("001",)))
    assert [change.package_id for change in changes] == [one.id], "the other one holds the deal already"
    act(workspace, proposed, Split(two.id, parts=(("001",),)), who="Bob")
    (split, moved) = workspace.steps(proposed)
    assert (moved.what, moved.who, moved.state) == ("Move 1 deal from 'One' to 'Two'", "Ada", "done")
    assert (split.what, split.who) == ("Split 'Two' off 1 deal", "Bob")
    assert [event["what"] for event in workspace.events(proposed)[-3:]] == [moved.what, *[split.what] * 2]
    assert [package.name for package in workspace.packages(proposed)] == ["One", "Two", "Three", "Two (2)"]


def test_edit_that_changes_nothing_is_no_step(workspace, proposed):
    one = workspace.packages(proposed)[0]
    workspace.edit_packages(proposed, {one.id: 1}, [Rename("Better")])
    workspace.undo(proposed)
    act(workspace, proposed, EditPackages((one.id,), (Rename("One"),)))
    assert told(workspace, proposed) == [("Rename to 'Better' ('One')", "undone")], "redo is still open"


@pytest.mark.both_databases
def test_undo_and_redo_survive_a_restart_and_only_grow_versions(open_workspace, workspace, proposed):
    before = workspace.packages(proposed)
    one, two, three = before
    act(workspace, proposed, Merge((two.id, one.id, three.id), "All"))
    merged = workspace.packages(proposed)
    assert [(package.id, package.version) for package in merged] == [(two.id, 2)]
    workspace.close()

    again = open_workspace()
    assert again.undo(proposed, "Bob").state == "undone"
    back = again.packages(proposed)
    assert [replace(item, version=1) for item in back] == list(before)
    assert [item.version for item in back] == [2, 3, 2]
    again.close()

    again = open_workspace()
    assert again.redo(proposed).state == "done"
    assert [replace(item, version=2) for item in again.packages(proposed)] == list(merged)
    assert [event["what"] for event in again.events(proposed)][-6:] == [
        *["Undo: Merge 'Two' and 'One' and 'Three' into 'All'"] * 3,
        *["Redo: Merge 'Two' and 'One' and 'Three' into 'All'"] * 3,
    ]
    assert review_of(again, proposed).packages == again.packages(proposed)


def test_page_drawn_before_an_undo_cannot_decide(workspace, proposed):
    one = workspace.packages(proposed)[0]
    (renamed,) = workspace.edit_packages(proposed, {one.id: 1}, [Rename("Better")])
    workspace.undo(proposed)
    with pytest.raises(WorkspaceError, match="changed meanwhile"):
        workspace.edit_packages(proposed, {one.id: renamed.version}, [Approve()])


def test_new_command_drops_what_was_undone(workspace, proposed):
    one = workspace.packages(proposed)[0]
    for name in ("First", "Second"):
        act(workspace, proposed, EditPackages((one.id,), (Rename(name),)))
    workspace.undo(proposed)
    act(workspace, proposed, Duplicate(one.id))
    assert [state for _, state in told(workspace, proposed)] == ["done", "dropped", "done"]
    with pytest.raises(WorkspaceError, match="nothing to redo"):
        workspace.redo(proposed)
    workspace.undo(proposed)
    workspace.undo(proposed)
    with pytest.raises(WorkspaceError, match="nothing to undo"):
        workspace.undo(proposed)
    assert [package.name for package in workspace.packages(proposed)] == ["One", "Two", "Three"]


def test_steps_of_one_run_are_not_those_of_another(workspace, proposed):
    other = workspace.create_run(parse_deals(RECORDS), "other.csv")
    workspace.add_package(other, "Mine", ["001"])
    with pytest.raises(WorkspaceError, match="nothing to undo"):
        workspace.undo(proposed)
    workspace.undo(other)
    assert workspace.packages(other) == ()


@pytest.mark.parametrize(
    "command",
    [
        lambda ids: MoveDeals(ids[0], ids[2], ("001", "99")),
        lambda ids: Merge((ids[0], "pkg-gone"), "All"),
        lambda _: MakePackage("Mine", ("99",)),
        lambda ids: Split(ids[0], by="ssp"),
    ],
)
def test_refused_command_leaves_no_trace(workspace, proposed, command):
    packages, events = workspace.packages(proposed), workspace.events(proposed)
    with pytest.raises((PackageError, WorkspaceError)):
        act(workspace, proposed, command([package.id for package in packages]))
    assert workspace.packages(proposed) == packages
    assert workspace.events(proposed) == events
    assert workspace.steps(proposed) == ()


def test_package_that_went_into_another_cannot_be_edited(workspace, proposed):
    one, two, _ = workspace.packages(proposed)
    act(workspace, proposed, Merge((one.id, two.id), "All"))
    with pytest.raises(WorkspaceError, match="not there any more"):
        workspace.edit_packages(proposed, {two.id: two.version}, [Approve()])


# --- a newer file -----------------------------------------------------------------------------


def test_approved_package_turns_amber_and_can_be_approved_again(workspace, proposed):
    one = workspace.packages(proposed)[0]
    workspace.edit_packages(proposed, {one.id: 1}, [Approve(), Lock()], who="Ada")
    update = newer_file(workspace, proposed, DEARER)
    amber = next(item for item in workspace.packages(proposed) if item.id == one.id)
    assert update.affected == ("One",)
    assert (amber.status, amber.changed, amber.decided_by, amber.locked) == ("pending", ("001",), "Ada", True)
    with pytest.raises(PackageError, match="is locked"):
        act(workspace, proposed, EditPackages((one.id,), (Approve(),)))


@pytest.mark.parametrize(
    "edits", [(Approve(),), (Approve(), Reopen()), (Rename("Mine"),), (AddDeals(("006",)),)]
)
def test_step_whose_package_a_newer_file_changed_is_not_taken_back(workspace, proposed, edits):
    one = workspace.packages(proposed)[0]
    for edit in edits:
        act(workspace, proposed, EditPackages((one.id,), (edit,)))
    newer_file(workspace, proposed, DEARER)
    packages, events = workspace.packages(proposed), workspace.events(proposed)
    with pytest.raises(PackageError, match="was changed since by something else"):
        workspace.undo(proposed)
    assert (workspace.packages(proposed), workspace.events(proposed)) == (packages, events)
    assert told(workspace, proposed)[0][1] == "done"


def test_step_of_other_packages_is_taken_back_after_a_newer_file(workspace, proposed):
    three = workspace.packages(proposed)[2]
    act(workspace, proposed, EditPackages((three.id,), (Rename("Mine"),)))
    newer_file(workspace, proposed, DEARER)
    workspace.undo(proposed)
    assert [package.name for package in workspace.packages(proposed)] == ["Three"]


def test_undo_does_not_bring_a_gone_deal_back(workspace, proposed):
    one = workspace.packages(proposed)[0]
    act(workspace, proposed, EditPackages((one.id,), (RemoveDeals(("001",)),)))
    newer_file(workspace, proposed, *RECORDS[1:], all_deals=True)
    with pytest.raises(PackageError, match="'One' was changed since"):
        workspace.undo(proposed)


def test_undo_does_not_approve_deals_that_changed_while_they_were_out(workspace, proposed):
    one = workspace.packages(proposed)[0]
    act(workspace, proposed, EditPackages((one.id,), (Approve(),)))
    act(workspace, proposed, EditPackages((one.id,), (RemoveDeals(("001",)),)))
    newer_file(workspace, proposed, DEARER)
    with pytest.raises(PackageError, match="'One' was changed since"):
        workspace.undo(proposed)
    (package,) = [item for item in workspace.packages(proposed) if item.id == one.id]
    assert (package.status, package.deal_ids) == ("pending", ("002",))


def test_approval_that_does_not_fit_the_deals_shows(workspace, proposed):
    one = workspace.packages(proposed)[0]
    (approved,) = workspace.edit_packages(proposed, {one.id: 1}, [Approve()])
    deals = {deal.deal_id: deal for deal in workspace.deals(proposed)}
    assert approved.approval_holds(deals)
    assert not approved.approval_holds(deals | {"001": replace(deals["001"], ssp_name="Other")})


# --- the trail --------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_trail_gives_the_standing_packages_whatever_made_them(workspace, proposed):
    workspace.save_outcome(proposed, done("a", A, "Again", "Once more"))
    again, more = workspace.packages(proposed)[1:]
    workspace.renew_suggestions(proposed, {again.id: replace(again, name="Again (US)")})
    act(workspace, proposed, Duplicate(more.id))
    act(workspace, proposed, EditPackages((more.id,), (Approve(),)))
    workspace.undo(proposed)
    newer_file(workspace, proposed, DEARER)
    workspace.save_outcome(proposed, done("b", B, "Four"))
    review = review_of(workspace, proposed)
    assert review.packages == workspace.packages(proposed)
    assert {change.what for change in workspace.changes(proposed)} > {
        "Suggest 'One'",
        "Replace 'One' by a newer answer",
        "Drop 'Again (US)': a newer file changed deals of it",
        "Take the decision back: a newer file changed deals of it",
    }


def test_suggestions_for_other_clusters_stand_in_the_trail_until_they_are_replaced(workspace, proposed):
    packages = workspace.packages(proposed)
    workspace.save_clustering(proposed, clustering_of({"c": (0, 1, 2, 3)}))
    assert workspace.packages(proposed) == ()
    assert review_of(workspace, proposed).packages == packages


def test_trail_of_a_workspace_of_the_first_release_begins_with_its_packages(tmp_path):
    path = Path(shutil.copy(Path(__file__).parent / "data" / "first_release.db", tmp_path))
    workspace = Workspace(f"sqlite:///{path.as_posix()}")
    run_id = next(run.id for run in workspace.runs() if run.packages)
    packages = workspace.packages(run_id)
    assert set(packages) <= set(review_of(workspace, run_id).packages)
    act(workspace, run_id, EditPackages((packages[0].id,), (Rename("Newer"),)))
    assert "Newer" in {package.name for package in review_of(workspace, run_id).packages}
    workspace.undo(run_id)
    assert {replace(item, version=0) for item in packages} <= {
        replace(item, version=0) for item in review_of(workspace, run_id).packages
    }
    workspace.close()


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=sequences(40))
def test_any_commands_are_taken_back_and_the_trail_gives_the_same_state(workspace, moves):
    run_id = workspace.create_run(
        parse_deals([{"deal_id": f"d{n}", "ssp_name": f"S{n % 2}"} for n in range(12)]), "f"
    )
    for ids in (("d0", "d1", "d2"), ("d2", "d3")):
        workspace.add_package(run_id, "Start", ids)
    begin = len(workspace.steps(run_id))
    start = content(review_of(workspace, run_id))
    for move in moves:
        try:
            if move[0] in {"undo", "redo"}:
                steps = [step.state for step in workspace.steps(run_id)]
                if steps.count("done") > begin or move[0] == "redo":
                    getattr(workspace, move[0])(run_id)
            elif command := command_of(move, Review(workspace.packages(run_id))):
                act(workspace, run_id, command)
        except (PackageError, WorkspaceError):
            continue
        assert review_of(workspace, run_id).packages == workspace.packages(run_id)
    states = [step.state for step in workspace.steps(run_id)]
    for _ in range(states.count("undone")):
        workspace.redo(run_id)
    end = content(review_of(workspace, run_id))
    made = [step.state for step in workspace.steps(run_id)].count("done") - begin
    for _ in range(made):
        workspace.undo(run_id)
    assert content(review_of(workspace, run_id)) == start
    for _ in range(made):
        workspace.redo(run_id)
    assert content(review_of(workspace, run_id)) == end


# --- what the checks go by --------------------------------------------------------------------


FLOOR = "deal_id,GARM risk\nf1,Floor\n"


@pytest.mark.parametrize(
    ("first", "second", "replaced", "lowest"),
    [
        ((FLOOR, True), None, False, True),
        ((FLOOR, False), None, False, False),
        ((FLOOR, True), (FLOOR.replace("f1", "f2"), False), False, False),
        ((FLOOR, False), (FLOOR.replace("f1", "f2"), True), False, False),
        ((FLOOR, False), (FLOOR.replace("f1", "f2"), True), True, True),
        ((FLOOR, True), ("deal_id\nf2\n", False), False, True),
        (("deal_id\nf2\n", False), (FLOOR, True), False, True),
    ],
)
def test_meaning_of_floor_stays_with_the_run(workspace, first, second, replaced, lowest):
    def file(text, switch):
        return read_deals(text.encode(), "f.csv", ReadOptions(floor_is_lowest_risk=switch))

    run_id = workspace.create_run(file(*first), "f.csv")
    if second:
        workspace.update_deals(run_id, file(*second), "g.csv", replace=replaced)
    assert workspace.check_rules(run_id).floor_is_lowest_risk is lowest
    assert workspace.import_report(run_id).floor_is_lowest_risk is lowest


@pytest.mark.parametrize("lowest", [True, False])
def test_meaning_of_floor_outlives_files_that_do_not_say_it(workspace, lowest):
    def file(text, switch=False):
        return read_deals(text.encode(), "f.csv", ReadOptions(floor_is_lowest_risk=switch))

    run_id = workspace.create_run(file(FLOOR, lowest), "f.csv")
    for silent in ("f2", "f3"):
        workspace.update_deals(run_id, file(f"deal_id\n{silent}\n"), "g.csv", replace=False)
        assert workspace.check_rules(run_id).floor_is_lowest_risk is lowest
    workspace.update_deals(run_id, file(FLOOR.replace("f1", "f4"), True), "h.csv", replace=False)
    assert workspace.check_rules(run_id).floor_is_lowest_risk is lowest


def test_overlap_policy_is_kept_for_all_runs(open_workspace, workspace, run_id):
    assert workspace.check_rules(run_id).overlap == OverlapPolicy()
    workspace.set_overlap_policy(OverlapPolicy("forbid", 0.25))
    assert open_workspace().check_rules(run_id).overlap == OverlapPolicy("forbid", 0.25)
    with pytest.raises(WorkspaceError, match="no share of deals: choose"):
        workspace.set_overlap_policy(OverlapPolicy("warn", 1.5))
    with pytest.raises(WorkspaceError, match="no run 'gone'"):
        workspace.check_rules("gone")


def test_forbidden_overlap_keeps_a_package_from_being_approved_without_a_reason(workspace, proposed):
    workspace.set_overlap_policy(OverlapPolicy("forbid"))
    one = workspace.packages(proposed)[0]
    with pytest.raises(PackageError, match="not approved"):
        workspace.edit_packages(proposed, {one.id: 1}, [Approve()])
    (approved,) = workspace.edit_packages(proposed, {one.id: 1}, [Approve("Both are wanted.")])
    assert [(item.code, item.reason) for item in approved.overrides] == [("OVERLAP", "Both are wanted.")]
    assert json.loads(json.dumps(approved.to_dict()))["overrides"][0]["reason"] == "Both are wanted."
    two = workspace.packages(proposed)[1]
    workspace.edit_packages(proposed, {two.id: 1}, [Reject()])
    assert Package.from_dict(approved.to_dict()) == approved
