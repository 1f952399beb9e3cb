"""The workspace: what is saved is whole, is there after a restart, and no change is lost."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import make_url

from core.errors import PackageError, WorkspaceError
from core.packages import AddDeals, Approve, Reject, RemoveDeals, Rename, Reopen, SetReasoning
from core.proposals import Outcome
from core.reading.reading import parse_deals
from core.storage import Workspace
from tests.workspaces import IDS, RECORDS, clustering_of, done, run_sql

A, B = IDS[:3], IDS[3:]


def everything(workspace, run_id):
    """Return all that a workspace knows of a run, to compare it as a whole."""
    vectors = workspace.array(run_id, "vectors")
    return {
        "run": workspace.run(run_id),
        "deals": workspace.deals(run_id),
        "report": workspace.import_report(run_id),
        "vectors": None if vectors is None else vectors.tolist(),
        "clustering": workspace.clustering(run_id),
        "outcomes": workspace.outcomes(run_id),
        "packages": workspace.packages(run_id),
        "events": workspace.events(run_id),
    }


def whats(workspace, run_id):
    return [event["what"] for event in workspace.events(run_id)]


def edit(workspace, run_id, package, *edits, version=None):
    versions = {package.id: version or package.version}
    return workspace.edit_packages(run_id, versions, edits)[0]


@pytest.fixture
def proposed(workspace, run_id):
    """A run with two suggestions for cluster "a" and one for "b"."""
    workspace.save_outcome(run_id, done("a", A, "One", "Two"))
    workspace.save_outcome(run_id, done("b", B, "Three"))
    return run_id


# --- opening ----------------------------------------------------------------------------------


def test_missing_folders_are_made(url):
    with closing(Workspace(url)) as workspace:
        assert workspace.runs() == []


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("sqlite:///{folder}", "unable to open"),
        ("sqlite:///{folder}/file/workspace.db", "File exists"),
        ("sqlite:///{folder}/file", "not a database"),
        ("nosuch://user:secret@host/name", "nosuch"),
        ("user:secret@host", "no database URL"),
    ],
)
def test_database_that_cannot_be_opened_gives_one_sentence_without_password(tmp_path, address, sentence):
    (tmp_path / "file").write_bytes(b"some other file " * 100)
    with pytest.raises(WorkspaceError, match=sentence) as caught:
        Workspace(address.format(folder=tmp_path.as_posix()))
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "check DEALWEAVER_" in str(caught.value)


@pytest.mark.both_databases
def test_opening_again_shows_the_same_state(open_workspace, workspace, proposed):
    workspace.save_array(proposed, "vectors", np.eye(6, 4, dtype=np.float32))
    package = workspace.packages(proposed)[0]
    edit(workspace, proposed, package, AddDeals(("006",)), Approve())
    workspace.log_export(proposed, 1, "packages.csv")
    before, runs = everything(workspace, proposed), workspace.runs()
    workspace.close()
    again = open_workspace()
    assert everything(again, proposed) == before
    assert again.runs() == runs


FULL_DISK = {
    "sqlite": [
        "CREATE TRIGGER no_space BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RAISE EXCEPTION 'disk is full'; END $$",
        "CREATE TRIGGER no_space BEFORE INSERT ON events EXECUTE FUNCTION no_space()",
    ],
}


@pytest.mark.both_databases
def test_a_write_that_fails_changes_nothing_and_says_so(workspace, proposed, url):
    before = everything(workspace, proposed)
    run_sql(url, *FULL_DISK[make_url(url).get_backend_name()])
    for change in (
        lambda: workspace.rename_run(proposed, "Other"),
        lambda: edit(workspace, proposed, before["packages"][0], Rename("Other")),
        lambda: workspace.add_package(proposed, "Mine", ["001"]),
        lambda: workspace.save_outcome(proposed, done("a", A, "New")),
        lambda: workspace.save_clustering(proposed, clustering_of({"c": (0, 1)})),
        lambda: workspace.create_run(parse_deals(RECORDS), "again.csv"),
    ):
        with pytest.raises(WorkspaceError, match=r"nothing was changed.*disk is full"):
            change()
    assert everything(workspace, proposed) == before
    assert len(workspace.runs()) == 1


@pytest.mark.both_databases
def test_damaged_database_gives_one_sentence_on_reading(workspace, proposed, url):
    run_sql(url, "DROP TABLE outcomes")
    with pytest.raises(WorkspaceError, match=r"could not be read.*(no such table|does not exist)") as caught:
        workspace.outcomes(proposed)
    assert "\n" not in str(caught.value)


# --- runs and deals ---------------------------------------------------------------------------


@pytest.mark.both_databases
def test_loaded_file_comes_back_with_its_deals_and_report(workspace):
    records = [*RECORDS, {"deal_name": "No id"}, RECORDS[0], {"deal_id": "7", "floor_price": "cheap"}]
    result = parse_deals(records)
    run_id = workspace.create_run(result, "deals.json")
    assert workspace.deals(run_id) == result.deals
    assert [deal.deal_id for deal in workspace.deals(run_id)] == [*IDS, "7"]
    assert workspace.import_report(run_id) == result
    assert result.ledger.refused == 1


def test_run_takes_the_name_of_its_file_unless_it_is_given_one(workspace):
    names = [
        workspace.run(workspace.create_run(parse_deals(RECORDS), "f.csv", name)).name for name in (None, "Q3")
    ]
    assert names == ["f.csv", "Q3"]


@pytest.mark.both_databases
def test_runs_come_newest_first_even_within_one_second(workspace):
    made = [workspace.create_run(parse_deals(RECORDS), f"{n}.csv") for n in range(8)]
    workspace.rename_run(made[0], "Touched later")
    assert [run.id for run in workspace.runs()] == made[::-1]


def test_summary_counts_what_a_run_holds(workspace, run_id):
    fresh = workspace.run(run_id)
    assert (fresh.name, fresh.filename) == ("Autumn", "deals.csv")
    assert (fresh.deals, fresh.clusters, fresh.packages, fresh.approved, fresh.exported) == (
        6,
        2,
        0,
        0,
        False,
    )
    workspace.save_outcome(run_id, done("a", A, "One", "Two"))
    edit(workspace, run_id, workspace.packages(run_id)[0], Approve())
    workspace.log_export(run_id, 1, "packages.csv")
    later = workspace.run(run_id)
    assert (later.packages, later.approved, later.exported) == (2, 1, True)
    assert later.saved_at >= later.created_at


def test_run_without_clusters_says_unknown_not_zero(workspace):
    run_id = workspace.create_run(parse_deals(RECORDS), "f.csv")
    assert workspace.run(run_id).clusters is None
    assert workspace.clustering(run_id) is None
    assert workspace.array(run_id, "vectors") is None


def test_renaming_trims_and_is_in_the_audit_trail(workspace, run_id):
    workspace.rename_run(run_id, "  Winter ")
    assert workspace.run(run_id).name == "Winter"
    assert whats(workspace, run_id)[-1] == "Rename the run to 'Winter'"
    with pytest.raises(WorkspaceError, match="needs a name"):
        workspace.rename_run(run_id, " \t")
    assert workspace.run(run_id).name == "Winter"


@pytest.mark.both_databases
def test_deleting_a_run_takes_everything_of_it_and_nothing_of_others(workspace, proposed, url):
    other = workspace.create_run(parse_deals(RECORDS), "other.csv")
    workspace.save_array(proposed, "vectors", np.ones((6, 2), dtype=np.float32))
    kept = everything(workspace, other)
    workspace.delete_run(proposed)
    assert everything(workspace, other) == kept
    assert [run.id for run in workspace.runs()] == [other]
    for table in ("deals", "arrays", "outcomes", "packages", "events"):
        left = run_sql(url, f"SELECT count(*) FROM {table} WHERE run_id = '{proposed}'")  # noqa: S608
        assert left == [(0,)], table


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.run("gone"),
        lambda store: store.delete_run("gone"),
        lambda store: store.rename_run("gone", "Name"),
        lambda store: store.import_report("gone"),
        lambda store: store.clustering("gone"),
        lambda store: store.save_clustering("gone", clustering_of({"a": (0,)})),
        lambda store: store.save_array("gone", "map", np.ones((1, 2), dtype=np.float32)),
        lambda store: store.save_outcome("gone", done("a", A, "One")),
        lambda store: store.log_export("gone", 1, "f.csv"),
    ],
)
def test_run_that_is_not_there_is_named(workspace, call):
    with pytest.raises(WorkspaceError, match="no run 'gone'"):
        call(workspace)


# --- vectors and clusters ---------------------------------------------------------------------


@pytest.mark.both_databases
def test_arrays_come_back_bit_for_bit_and_a_new_one_takes_the_place(workspace, run_id):
    rows = np.random.default_rng(1).normal(size=(6, 384)).astype(np.float32)
    workspace.save_array(run_id, "vectors", rows)
    workspace.save_array(run_id, "map", rows[:, :2])
    assert workspace.array(run_id, "vectors").tobytes() == rows.tobytes()
    found = workspace.array(run_id, "map")
    assert (found.shape, found.dtype) == ((6, 2), np.float32)
    workspace.save_array(run_id, "map", rows[:, 2:5])
    assert np.array_equal(workspace.array(run_id, "map"), rows[:, 2:5])


@pytest.mark.both_databases
def test_clustering_comes_back_equal(workspace, run_id):
    clustering = clustering_of({"a": (0, 3), "c": (1, 2, 4)}, overlap=True, threshold=0.25, method="kmeans")
    workspace.save_clustering(run_id, clustering)
    assert workspace.clustering(run_id) == clustering
    assert workspace.run(run_id).clusters == 2
    assert whats(workspace, run_id)[-1] == "Build 2 clusters"


def test_new_clusters_take_untouched_suggestions_along_but_no_work_of_the_analyst(workspace, run_id):
    workspace.save_outcome(run_id, done("a", A, "Untouched", "Edited", "Approved", "Rejected", "Reopened"))
    workspace.save_outcome(run_id, done("b", B, "Of a cluster that stays"))
    mine = workspace.add_package(run_id, "By hand", ["001"])
    _, edited, approved, rejected, reopened, *_ = workspace.packages(run_id)
    edit(workspace, run_id, edited, SetReasoning("Better."))
    edit(workspace, run_id, approved, Approve())
    edit(workspace, run_id, rejected, Reject())
    edit(workspace, run_id, reopened, Approve(), Reopen())
    workspace.save_clustering(run_id, clustering_of({"b": (3, 4, 5), "new": (0, 1)}))
    assert [package.name for package in workspace.packages(run_id)] == [
        "Edited",
        "Approved",
        "Rejected",
        "Reopened",
        "Of a cluster that stays",
        mine.name,
    ]


def test_going_back_to_earlier_clusters_brings_their_suggestions_back(workspace, proposed):
    first, packages = workspace.clustering(proposed), workspace.packages(proposed)
    workspace.save_clustering(proposed, clustering_of({"c": (0, 1, 2, 3)}))
    assert workspace.packages(proposed) == ()
    assert workspace.run(proposed).packages == 0
    workspace.save_clustering(proposed, first)
    assert workspace.packages(proposed) == packages


def test_suggestion_of_a_cluster_that_went_cannot_be_edited_from_an_old_page(workspace, proposed):
    package = workspace.packages(proposed)[0]
    workspace.save_clustering(proposed, clustering_of({"c": (0, 1, 2, 3)}))
    with pytest.raises(WorkspaceError, match="not there any more"):
        edit(workspace, proposed, package, Approve())


# --- proposals --------------------------------------------------------------------------------


def test_answer_is_kept_whole_and_becomes_pending_packages(workspace, run_id):
    outcome = done("a", A, "One", "Two")
    workspace.save_outcome(run_id, outcome)
    assert workspace.outcomes(run_id) == {"a": outcome}
    packages = workspace.packages(run_id)
    assert [(item.name, item.deal_ids, item.reasoning) for item in packages] == [
        ("One", A[:-1], "Why One."),
        ("Two", A[:-1], "Why Two."),
    ]
    assert {(item.status, item.version, item.cluster_id, item.source, item.edited) for item in packages} == {
        ("pending", 1, "a", "gemini-2.5-flash", False)
    }
    event = workspace.events(run_id)[-1]
    assert (event["who"], event["what"]) == ("gemini-2.5-flash", "Proposals for cluster a: done")


def test_package_names_the_model_that_answered_else_the_proposer(workspace, run_id):
    other = replace(done("a", A, "One"), model="gemini-3.5-flash-lite")
    rules = replace(done("b", B, "Two"), model=None, source="Rules (no AI)")
    workspace.save_outcome(run_id, other)
    workspace.save_outcome(run_id, rules)
    assert [item.source for item in workspace.packages(run_id)] == ["gemini-3.5-flash-lite", "Rules (no AI)"]


def test_new_answer_takes_the_place_of_untouched_suggestions_of_its_cluster_only(workspace, proposed):
    _, two, _ = workspace.packages(proposed)
    edit(workspace, proposed, two, Rename("Two, edited"))
    workspace.save_outcome(proposed, done("a", A, "Again"))
    assert [item.name for item in workspace.packages(proposed)] == ["Two, edited", "Three", "Again"]
    assert workspace.outcomes(proposed)["a"].proposals[0].name == "Again"


@pytest.mark.parametrize("status", ["failed", "not_sent"])
def test_cluster_without_an_answer_keeps_the_suggestions_it_had(workspace, proposed, status):
    packages = workspace.packages(proposed)
    workspace.save_outcome(proposed, Outcome("a", A, status, "gemini-2.5-flash", error="In trouble."))
    assert workspace.packages(proposed) == packages


def test_replaced_suggestion_cannot_be_edited(workspace, proposed):
    one = workspace.packages(proposed)[0]
    workspace.save_outcome(proposed, done("a", A, "Again"))
    with pytest.raises(WorkspaceError, match="not there any more"):
        edit(workspace, proposed, one, Approve())


def test_package_that_rules_made_of_what_a_model_left_out_says_so(workspace, run_id):
    answer = done("a", A, "By the model", "By rules")
    by_model, by_rules = answer.proposals
    answer = replace(answer, proposals=(by_model, replace(by_rules, source="Rules (no AI)")))
    workspace.save_outcome(run_id, answer)
    assert [item.source for item in workspace.packages(run_id)] == ["gemini-2.5-flash", "Rules (no AI)"]


# --- packages by hand and edits ---------------------------------------------------------------


def test_package_by_hand_is_the_analysts_and_holds_each_deal_once(workspace, run_id):
    package = workspace.add_package(run_id, "  My  package ", ["003", "001", "003"], who="Ada")
    assert workspace.packages(run_id) == (package,)
    assert (package.name, package.deal_ids, package.source) == ("My package", ("003", "001"), "Analyst")
    assert (package.edited, package.status, package.cluster_id) == (True, "pending", None)
    event = workspace.events(run_id)[-1]
    assert (event["who"], event["what"], event["package_id"]) == (
        "Ada",
        "Make 'My package' by hand",
        package.id,
    )


@pytest.mark.parametrize(
    ("name", "deal_ids", "sentence"),
    [
        (" ", ["001"], "needs a name"),
        ("Mine", [], "at least one deal"),
        ("Mine", ["001", "99", "1"], "id 1, 99"),
        ("n" * 256, ["001"], "256 characters"),
    ],
)
def test_unsound_package_by_hand_is_refused_without_a_trace(workspace, run_id, name, deal_ids, sentence):
    before = everything(workspace, run_id)
    with pytest.raises(PackageError, match=sentence):
        workspace.add_package(run_id, name, deal_ids)
    assert everything(workspace, run_id) == before


def test_each_edit_that_changes_something_is_one_event_with_its_author(workspace, proposed):
    one = workspace.packages(proposed)[0]
    seen = len(workspace.events(proposed))
    edits = [Rename("Better"), Rename("Better"), AddDeals(("006",)), Approve()]
    (after,) = workspace.edit_packages(proposed, {one.id: 1}, edits, who="Ada")
    assert (after.version, after.status, after.decided_by) == (4, "approved", "Ada")
    assert workspace.packages(proposed)[0] == after
    assert [
        (event["who"], event["what"], event["package_id"]) for event in workspace.events(proposed)[seen:]
    ] == [
        ("Ada", "Rename to 'Better'", one.id),
        ("Ada", "Add 006", one.id),
        ("Ada", "Approve", one.id),
    ]


@pytest.mark.both_databases
def test_event_holds_the_package_before_and_after(workspace, proposed, url):
    one = workspace.packages(proposed)[0]
    after = edit(workspace, proposed, one, RemoveDeals(("001",)))
    columns = "CAST(before AS TEXT), CAST(after AS TEXT)"
    ((before, saved),) = run_sql(url, f"SELECT {columns} FROM events ORDER BY id DESC LIMIT 1")  # noqa: S608
    assert json.loads(before)["deal_ids"] == ["001", "002"]
    assert json.loads(saved)["version"] == after.version


@pytest.mark.parametrize(
    "edits",
    [
        (Rename("Kept?"), RemoveDeals(("006",))),
        (Approve(), AddDeals(("99",))),
        (RemoveDeals(("001",)), RemoveDeals(("002",))),
    ],
)
@pytest.mark.both_databases
def test_edit_that_is_refused_leaves_neither_change_nor_event(workspace, proposed, edits):
    before = everything(workspace, proposed)
    versions = {package.id: package.version for package in before["packages"]}
    with pytest.raises(PackageError):
        workspace.edit_packages(proposed, versions, edits)
    assert everything(workspace, proposed) == before


@pytest.mark.both_databases
def test_stale_version_is_refused_for_all_packages_of_the_edit(workspace, proposed):
    one, two, _ = workspace.packages(proposed)
    edit(workspace, proposed, two, Rename("Meanwhile"))
    before = everything(workspace, proposed)
    with pytest.raises(WorkspaceError, match=r"'Meanwhile' was changed meanwhile \(version 2, yours 1\)"):
        workspace.edit_packages(proposed, {one.id: 1, two.id: 1}, [Approve()])
    assert everything(workspace, proposed) == before


def test_package_of_another_run_cannot_be_edited(workspace, proposed):
    other = workspace.create_run(parse_deals(RECORDS), "other.csv")
    with pytest.raises(WorkspaceError, match="not there any more"):
        edit(workspace, other, workspace.packages(proposed)[0], Approve())
    with pytest.raises(WorkspaceError, match="not there any more"):
        workspace.edit_packages(proposed, {"pkg-gone": 1}, [Approve()])


def test_bulk_approval_keeps_packages_that_were_approved_already(workspace, proposed):
    one, *_ = workspace.packages(proposed)
    edit(workspace, proposed, one, Approve())
    seen = len(workspace.events(proposed))
    versions = {package.id: package.version for package in workspace.packages(proposed)}
    after = workspace.edit_packages(proposed, versions, [Approve()], who="Bob")
    assert [package.decided_by for package in after] == ["analyst", "Bob", "Bob"]
    assert len(workspace.events(proposed)) == seen + 2


def test_claims_are_judged_by_the_deals_of_the_run_as_they_are_now(workspace):
    records = [
        {"deal_id": f"{n}", "safety": {"family_safe": n < 3, "garm_risk_rating": "Low"}} for n in range(4)
    ]
    run_id = workspace.create_run(parse_deals(records), "f.json")
    package = workspace.add_package(run_id, "Family-Safe Package", ["0", "1", "3"])
    assert [claim.against for claim in package.claims] == [("3",)]
    before = everything(workspace, run_id)
    with pytest.raises(PackageError, match="not approved"):
        edit(workspace, run_id, package, Approve())
    assert everything(workspace, run_id) == before
    package = edit(workspace, run_id, package, RemoveDeals(("3",)), AddDeals(("2",)))
    assert edit(workspace, run_id, package, Approve()).status == "approved"


def test_analyst_may_approve_with_a_reason_and_the_audit_trail_says_so(workspace):
    records = [{"deal_id": "1", "safety": {"family_safe": False}}]
    run_id = workspace.create_run(parse_deals(records), "f.json")
    package = workspace.add_package(run_id, "Family-Safe Package", ["1"])
    package = edit(workspace, run_id, package, Approve("Being corrected."), version=package.version)
    assert (package.status, package.contradicted) == ("approved", True)
    assert [(item.code, item.reason) for item in package.overrides] == [("FAMILY_CLAIM", "Being corrected.")]
    assert workspace.packages(run_id) == (package,)
    assert whats(workspace, run_id)[-1] == "Approve with the reason 'Being corrected.'"


def test_renewed_suggestion_takes_the_place_of_an_untouched_one_only(workspace, proposed):
    one, two, three = workspace.packages(proposed)
    edit(workspace, proposed, two, Rename("Mine"))
    renewed = {item.id: replace(item, name=f"{item.name} (US)") for item in (one, two)}
    assert workspace.renew_suggestions(proposed, renewed) == 1
    first, second, third = workspace.packages(proposed)
    assert (first.name, second.name, third) == ("One (US)", "Mine", three)
    assert first == replace(one, id=first.id, name="One (US)")
    with pytest.raises(WorkspaceError, match="not there any more"):
        edit(workspace, proposed, one, Approve())


# --- audit, preferences -----------------------------------------------------------------------


@pytest.mark.both_databases
def test_audit_trail_tells_the_story_in_order(workspace, proposed):
    workspace.log_export(proposed, 3, "packages.csv", who="Ada")
    assert whats(workspace, proposed) == [
        "Load 6 deals from deals.csv",
        "Build 2 clusters",
        "Suggest 'One'",
        "Suggest 'Two'",
        "Proposals for cluster a: done",
        "Suggest 'Three'",
        "Proposals for cluster b: done",
        "Export 3 packages as packages.csv",
    ]
    assert workspace.events(proposed)[-1]["who"] == "Ada"


@pytest.mark.both_databases
def test_preference_is_kept_changed_and_forgotten(open_workspace, workspace):
    assert workspace.preference("prompt", "default") == "default"
    workspace.set_preference("prompt", "Mine {enriched_deals}")
    workspace.set_preference("prompt", "Newer {enriched_deals}")
    workspace.set_preference("empty", "")
    again = open_workspace()
    assert again.preference("prompt", "default") == "Newer {enriched_deals}"
    assert again.preference("empty", "default") == ""
    again.set_preference("prompt", None)
    again.set_preference("never set", None)
    assert workspace.preference("prompt", "default") == "default"


# --- several threads --------------------------------------------------------------------------

THREADS = 8


@pytest.mark.both_databases
def test_eight_threads_edit_eight_packages_and_none_waits_in_vain(workspace, run_id):
    packages = [workspace.add_package(run_id, f"P{n}", ["001"]) for n in range(THREADS)]
    start = threading.Barrier(THREADS)

    def work(package):
        start.wait()
        for number in range(5):
            package = edit(workspace, run_id, package, SetReasoning(f"Reason {number}"))
        return package

    with ThreadPoolExecutor(THREADS) as pool:
        ended = list(pool.map(work, packages))
    assert list(workspace.packages(run_id)) == ended
    assert {(package.version, package.reasoning) for package in ended} == {(6, "Reason 4")}
    assert whats(workspace, run_id).count("Change the reasoning") == THREADS * 5


@pytest.mark.both_databases
def test_eight_threads_compete_for_one_package_and_no_update_is_lost(open_workspace, workspace):
    deals = parse_deals([{"deal_id": f"d{n}"} for n in range(THREADS + 1)])
    run_id = workspace.create_run(deals, "f.csv")
    workspace.add_package(run_id, "Shared", [f"d{THREADS}"])
    stores = [workspace, open_workspace()]
    start = threading.Barrier(THREADS)

    def work(number):
        store, refused = stores[number % 2], 0
        seen = store.packages(run_id)[0]
        start.wait()
        while True:
            try:
                edit(store, run_id, seen, AddDeals((f"d{number}",)))
            except WorkspaceError as error:
                if "changed meanwhile" not in str(error):
                    raise
                refused += 1
                seen = store.packages(run_id)[0]
            else:
                return refused

    with ThreadPoolExecutor(THREADS) as pool:
        refused = sum(pool.map(work, range(THREADS)))
    (package,) = workspace.packages(run_id)
    assert set(package.deal_ids) == {f"d{n}" for n in range(THREADS + 1)}
    assert package.version == 1 + THREADS
    assert refused >= THREADS - 1, "all but one began from a version that another had replaced"
    assert sum(what.startswith("Add ") for what in whats(workspace, run_id)) == THREADS
