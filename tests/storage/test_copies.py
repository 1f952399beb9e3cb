"""Copies of a run: they hold everything, replay alike, go on alone, and only sound files come in."""

import dataclasses
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import make_url

from core.cli.main import main
from core.coverage import deal_states
from core.errors import FatalProposalError, WorkspaceError
from core.packages import Approve, Merge, MoveDeals, Reject, RemoveDeals, Rename, replay
from core.proposals import PromptTemplate, Reply, Usage
from core.reading.reading import parse_deals
from core.storage import MAP, VECTORS, Workspace
from core.storage.calls import CallId
from core.storage.copies import COPIED
from core.storage.run_files import MOST_MB, opened_file
from core.storage.schema import APPLICATION_ID, Base
from tests.storage.test_migrations import FIRST_RELEASE
from tests.storage.test_workspace import FULL_DISK
from tests.workspaces import IDS, RECORDS, clustering_of, done, on_sqlite, run_sql

A, B = IDS[:3], IDS[3:]
KEY = "AIza-canary-of-a-preference-0123456789"
TEMPLATE = PromptTemplate("Short names.\n{enriched_deals}")


def work_on(workspace: Workspace) -> str:
    """Return a run in which everything happened that can: calls, answers, steps to and fro, a newer file."""
    run_id = workspace.create_run(parse_deals(RECORDS), "deals.csv", "Autumn")
    workspace.save_clustering(run_id, clustering_of({"a": (0, 1, 2), "b": (3, 4, 5)}))
    workspace.set_preference("note", KEY)
    workspace.save_array(run_id, VECTORS, np.eye(6, 4, dtype=np.float32), made_by="model")
    workspace.save_array(run_id, MAP, np.ones((6, 2), dtype=np.float32))
    workspace.save_clustering(run_id, clustering_of({"a": (0, 1, 2), "b": (3, 4, 5)}), what="Again")
    _ask(workspace, run_id)
    one, two, three, _ = workspace.packages(run_id)
    workspace.edit_packages(run_id, {three.id: 1}, [Reject()])
    newer = [{**RECORDS[5], "floor_price": "7"}, {"deal_id": "007", "deal_name": "Deal 7"}]
    workspace.update_deals(run_id, parse_deals(newer), "newer.csv", replace=False)
    workspace.edit_packages(run_id, {one.id: 1}, [Rename("First"), Approve("Known.")], "Ada")
    workspace.edit_packages(run_id, {two.id: 1}, [RemoveDeals(("001",))])
    workspace.undo(run_id, "Ben")
    mine = workspace.add_package(run_id, "Mine", B)
    workspace.undo(run_id)
    workspace.redo(run_id)
    versions = {package.id: package.version for package in workspace.packages(run_id)}
    workspace.perform(run_id, versions, MoveDeals(mine.id, one.id, ("004",)))
    workspace.undo(run_id)
    workspace.log_export(run_id, 1, "packages.csv", label="Packages", checksum="0" * 64)
    workspace.queue_job(run_id, "Build", "build", {}, "elsewhere:1:0", lease_s=60)
    return run_id


def _ask(workspace: Workspace, run_id: str) -> None:
    other = workspace.create_run(parse_deals(RECORDS), "other.csv", "Other")
    for run, template in ((other, None), (run_id, TEMPLATE)):  # so that the run's numbers do not begin at 1
        asking = workspace.begin_asking(run, "gemini", template)
    call = CallId(run_id, "a", asking, 1)
    workspace.note_call(call, lease_s=60)
    workspace.note_reply(call, Reply("{}", "STOP", "asked", "answered", Usage(9, 1), 0.5, "hash"), "q" * 64)
    workspace.save_outcome(run_id, done("a", A, "One", "Two"), asking=asking, question="q" * 64)
    workspace.save_outcome(run_id, done("b", B, "Three", "Four"))
    for attempt in (1, 2):
        workspace.note_call(CallId(run_id, "b", asking, attempt), lease_s=60)
    workspace.note_failure(CallId(run_id, "b", asking, 1), FatalProposalError("No."))


@pytest.fixture
def worked(workspace: Workspace) -> str:
    return work_on(workspace)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Content of a file of such a run."""
    folder = tmp_path_factory.mktemp("saved")
    with closing(Workspace(f"sqlite:///{(folder / 'workspace.db').as_posix()}")) as workspace:
        workspace.export_workspace(work_on(workspace), folder / "good.dealweaver")
    return (folder / "good.dealweaver").read_bytes()


@pytest.fixture
def good(saved: bytes, tmp_path: Path) -> Path:
    """Return a sound file of such a run."""
    file = tmp_path / "theirs.dealweaver"
    file.write_bytes(saved)
    return file


def content(workspace: Workspace, run_id: str):
    """Return all that a workspace knows of a run but its ids; packages are named by their order."""
    places = {}

    def named(one):
        return None if one is None else places.setdefault(one, f"package {len(places)}")

    def unnamed(package):
        return package and dataclasses.replace(package, id=named(package.id))

    changes = [
        (named(item.package_id), unnamed(item.before), unnamed(item.after), item.position, item.what)
        for item in workspace.changes(run_id)
    ]
    clusters = sorted(workspace.outcomes(run_id))
    answers = [answer for name in clusters for answer in workspace.answers(run_id, name)]
    calls = [call for name in clusters for call in workspace.calls(run_id, name)]
    return {
        "run": dataclasses.replace(workspace.run(run_id), id="", name="", saved_at=""),
        "deals": workspace.deals(run_id),
        "report": workspace.import_report(run_id),
        "arrays": {kind: workspace.array(run_id, kind).tobytes() for kind in (VECTORS, MAP)},
        "made_by": workspace.made_by(run_id),
        "clustering": workspace.clustering(run_id),
        "clusterings": [dataclasses.replace(item, id=0) for item in workspace.clusterings(run_id)],
        "outcomes": workspace.outcomes(run_id),
        "answers": [
            (item.created_at, item.asking is None, item.template_id, item.outcome) for item in answers
        ],
        "calls": [dataclasses.replace(call, asking=0) for call in calls],
        "unfinished": workspace.unfinished(run_id),
        "spent": workspace.spent(run_id),
        "prompts": workspace.prompts_used(run_id),
        "changes": changes,
        "packages": [unnamed(package) for package in workspace.packages(run_id)],
        "steps": [(step.at, step.who, step.what, step.state) for step in workspace.steps(run_id)],
        "events": [{**event, "package_id": named(event["package_id"])} for event in workspace.events(run_id)],
        "exports": workspace.exports(run_id),
    }


def states(workspace: Workspace, run_id: str):
    """Return where every deal stands."""
    return deal_states(
        workspace.deals(run_id),
        workspace.clustering(run_id),
        workspace.outcomes(run_id),
        workspace.packages(run_id),
    )


def assert_replays(workspace: Workspace, run_id: str) -> None:
    review = replay(workspace.changes(run_id))
    assert review.packages == workspace.packages(run_id)


def turn_all(workspace: Workspace, run_id: str, *turns: str) -> list[str]:
    """Undo or redo until something stands against it; return what was said at each end."""
    said = []
    for turn in turns:
        while True:
            try:
                getattr(workspace, turn)(run_id)
            except Exception as error:
                said.append(re.sub("'.*'", "", str(error)))
                break
    return said


@pytest.fixture
def elsewhere(tmp_path: Path) -> Workspace:
    """A workspace that never saw the run."""
    workspace = Workspace(f"sqlite:///{(tmp_path / 'elsewhere' / 'workspace.db').as_posix()}")
    yield workspace
    workspace.close()


def test_every_table_is_copied_or_left_for_a_reason():
    left = {"jobs", "preferences"}
    assert set(COPIED) | left == Base.metadata.tables.keys()
    assert not set(COPIED) & left
    order = {name: place for place, name in enumerate(COPIED)}
    for name in COPIED:
        for key in Base.metadata.tables[name].foreign_keys:
            assert order[key.column.table.name] < order[name]


# --- within a workspace -----------------------------------------------------------------------


@pytest.mark.both_databases
def test_duplicate_holds_everything_and_replays_to_the_same_packages(workspace, worked):
    before = content(workspace, worked)
    copy = workspace.duplicate_run(worked, "  Second try ")
    after = content(workspace, copy)
    (told,) = after["events"][len(before["events"]) :]
    assert (told["who"], told["what"]) == ("analyst", "Duplicate the run 'Autumn'")
    assert {**after, "events": after["events"][:-1]} == before
    assert [item.reason for item in states(workspace, copy)] == [
        item.reason for item in states(workspace, worked)
    ]
    assert_replays(workspace, copy)
    assert workspace.runs()[0].id == copy
    assert workspace.run(copy).name == "Second try"
    assert workspace.newest_job(copy) is None


def test_steps_of_the_copy_go_back_and_forth_as_those_of_the_original(workspace, worked):
    copy = workspace.duplicate_run(worked, "Copy")
    turns = ("redo", "undo", "redo")
    assert turn_all(workspace, copy, *turns) == turn_all(workspace, worked, *turns)
    after, copied = content(workspace, worked), content(workspace, copy)
    assert copied["packages"] == after["packages"]
    assert copied["steps"] == after["steps"]
    assert_replays(workspace, copy)


def test_copy_and_original_go_on_alone(workspace, worked):
    copy = workspace.duplicate_run(worked, "Copy")
    before = content(workspace, worked)
    ids = [package.id for package in workspace.packages(copy)]
    assert set(ids).isdisjoint(package.id for package in workspace.packages(worked))
    versions = {package.id: package.version for package in workspace.packages(copy)[:2]}
    workspace.perform(copy, versions, Merge(tuple(versions), "Together"))
    workspace.save_outcome(copy, done("b", B, "Newer"))
    workspace.undo(copy)
    assert content(workspace, worked) == before
    kept = content(workspace, copy)
    workspace.delete_run(worked)
    assert content(workspace, copy) == kept


def test_nobody_waits_in_the_copy_for_calls_of_the_original(workspace, worked):
    copy = workspace.duplicate_run(worked, "Copy")
    later = {run: workspace.begin_asking(run, "gemini", None) for run in (worked, copy)}
    assert set(workspace.leases(worked, later[worked])) == {"b"}
    assert workspace.leases(copy, later[copy]) == {}
    assert workspace.unfinished(copy) == ("b",)


def test_a_duplicate_needs_a_name_and_a_run(workspace, run_id):
    for run, name, sentence in ((run_id, " ", "needs a name"), ("nope", "Copy", "There is no run 'nope'")):
        with pytest.raises(WorkspaceError, match=sentence):
            workspace.duplicate_run(run, name)
    assert len(workspace.runs()) == 1


# --- in a file --------------------------------------------------------------------------------


def rows_in(file: Path):
    """Return every row of a file, by table, without the times of file and steps."""
    with closing(sqlite3.connect(file)) as opened:
        return {name: opened.execute(f"SELECT * FROM {name}").fetchall() for name in Base.metadata.tables}  # noqa: S608


@pytest.mark.both_databases
def test_a_file_opens_in_another_workspace_with_everything_in_it(workspace, worked, elsewhere, tmp_path):
    file = tmp_path / "autumn.dealweaver"
    workspace.export_workspace(worked, file)
    opened = elsewhere.import_workspace(file)
    assert opened == worked, "a link to the run works there as well"
    assert content(elsewhere, opened) == content(workspace, worked)
    assert states(elsewhere, opened) == states(workspace, worked)
    assert elsewhere.packages(opened) == workspace.packages(worked)
    assert elsewhere.run(opened) == workspace.run(worked)
    assert elsewhere.templates() == workspace.templates()
    assert elsewhere.kept_questions(["q" * 64]) == {"q" * 64}
    assert_replays(elsewhere, opened)
    turns = ("undo", "redo")
    assert turn_all(elsewhere, opened, *turns) == turn_all(workspace, worked, *turns)
    assert content(elsewhere, opened)["packages"] == content(workspace, worked)["packages"]


def test_saved_opened_and_saved_again_is_the_same_file(workspace, worked, elsewhere, tmp_path):
    files = [tmp_path / f"{number}.dealweaver" for number in range(2)]
    workspace.export_workspace(worked, files[0])
    elsewhere.create_run(parse_deals(RECORDS), "other.csv", "Other")
    elsewhere.export_workspace(elsewhere.import_workspace(files[0]), files[1])
    first, second = map(rows_in, files)
    assert first == second
    assert {name for name, rows in first.items() if not rows} == {"jobs", "preferences"}


def test_a_file_opened_where_its_run_is_becomes_another_run(workspace, worked, tmp_path):
    file = tmp_path / "autumn.dealweaver"
    workspace.export_workspace(worked, file)
    before = content(workspace, worked)
    copy = workspace.import_workspace(file)
    assert copy != worked
    assert content(workspace, copy) == before == content(workspace, worked)
    assert len(workspace.templates()) == 1
    workspace.undo(copy)
    assert content(workspace, worked) == before


def test_a_file_is_one_sound_workspace_without_preferences_and_other_runs(workspace, worked, tmp_path):
    file = tmp_path / "autumn.dealweaver"
    workspace.export_workspace(worked, file)
    assert [path.name for path in tmp_path.glob("*autumn*")] == ["autumn.dealweaver"]
    data = file.read_bytes()
    assert KEY.encode() not in data
    assert b"other.csv" not in data
    assert int.from_bytes(data[68:72]) == APPLICATION_ID
    with closing(sqlite3.connect(file)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert opened.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_file_that_cannot_be_written_leaves_the_former_one(workspace, worked, tmp_path):
    file = tmp_path / "autumn.dealweaver"
    file.write_text("former")
    for name, run, sentence in (
        (file, "nope", "There is no run 'nope'"),
        (tmp_path / "autumn.db", worked, "let it end in .dealweaver"),
        (file / "below.dealweaver", worked, "cannot be written"),
    ):
        with pytest.raises(WorkspaceError, match=sentence) as caught:
            workspace.export_workspace(run, name)
        assert "\n" not in str(caught.value)
    assert file.read_text() == "former"
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def first_release_run(folder: Path) -> Path:
    """Return a file as the first release would have saved its run."""
    file = folder / "old.dealweaver"
    shutil.copy(FIRST_RELEASE, file)
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("PRAGMA foreign_keys=ON")
        opened.execute("DELETE FROM runs WHERE name <> 'First release'")
    return file


@pytest.mark.both_databases
def test_a_file_of_the_first_release_opens_and_stays_as_it_is(workspace, tmp_path):
    file = first_release_run(tmp_path)
    data = file.read_bytes()
    run_id = workspace.import_workspace(file)
    summary = workspace.run(run_id)
    assert (summary.name, summary.deals, summary.clusters, summary.packages) == ("First release", 60, 7, 11)
    assert workspace.array(run_id, VECTORS).shape == (60, 384)
    assert_replays(workspace, run_id)
    assert file.read_bytes() == data


# --- what does not come in --------------------------------------------------------------------


def sql(*statements: str) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        with closing(sqlite3.connect(file)) as opened, opened:
            for statement in statements:
                opened.execute(statement)

    return spoil


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def overwrite(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096 : 4096 * 4] = bytes(4096 * 3)
    file.write_bytes(data)


def other_program(file: Path) -> None:
    file.unlink()
    sql("CREATE TABLE songs (name TEXT)")(file)


def too_large(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate((MOST_MB + 1) * 1_000_000)


def as_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


REFUSED = {
    "missing": (Path.unlink, "no such file"),
    "folder": (as_folder, "no such file"),
    "empty": (lambda file: file.write_bytes(b""), "it is empty"),
    "text": (lambda file: file.write_text("deal_id\n1\n" * 500), "not a database"),
    "cut": (cut, "cannot be opened"),
    "overwritten": (overwrite, "cannot be opened"),
    "large": (too_large, f"more than the {MOST_MB} MB"),
    "other program": (other_program, "another program"),
    "newer": (sql("UPDATE alembic_version SET version_num = '9999'"), "newer version of Dealweaver"),
    "unknown version": (sql("UPDATE alembic_version SET version_num = '0000'"), "version of its tables"),
    "pattern as version": (sql("UPDATE alembic_version SET version_num = '*'"), "version of its tables"),
    "no run": (sql("PRAGMA foreign_keys=ON", "DELETE FROM runs"), "it holds 0 runs"),
    "two runs": (
        sql("INSERT INTO runs SELECT 'b', name, filename, created_at, saved_at, report, NULL FROM runs"),
        "it holds 2 runs",
    ),
    "lacks a table": (sql("DROP TABLE steps"), "it lacks the table steps"),
    "lacks a column": (sql("ALTER TABLE arrays DROP COLUMN made_by"), "cannot be opened"),
    "lost row": (sql("UPDATE packages SET run_id = 'gone'"), "cannot be opened"),
    "view": (sql("CREATE VIEW v AS SELECT 1"), "more than rows"),
    "trigger": (
        sql("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END"), "more than rows"
    ),
    "virtual table": (sql("CREATE VIRTUAL TABLE v USING fts5(x)"), "more than rows"),
    "value that is worked out": (
        sql("ALTER TABLE steps ADD COLUMN x AS (zeroblob(1000000000))"), "more than rows"
    ),
    "name that is a number": (sql("UPDATE runs SET name = x'00ff'"), "its runs cannot be read"),
    "broken report": (sql("UPDATE runs SET report = '[]'"), "its runs cannot be read"),
    "deep deal": (
        sql("UPDATE deals SET record = replace(hex(zeroblob(50000)), '0', '[')"), "its deals cannot be read"
    ),
    "deal of another id": (sql("UPDATE deals SET deal_id = 'x' WHERE position = 0"), "its deals cannot"),
    "gap between deals": (sql("UPDATE deals SET position = 99 WHERE position = 0"), "its deals cannot"),
    "deal that clusters lack": (
        sql("DELETE FROM deals WHERE position = 5", "UPDATE deals SET position = 5 WHERE position = 6"),
        "its deals cannot",
    ),
    "half a vector": (sql("UPDATE arrays SET data = x'0000'"), "its arrays cannot be read"),
    "no clustering": (sql("UPDATE clusterings SET clustering = '{}'"), "its clusterings cannot be read"),
    "other template": (sql("UPDATE templates SET text = 'x'"), "its templates cannot be read"),
    "outcome of nothing": (sql("UPDATE outcomes SET outcome = '{}'"), "its outcomes cannot be read"),
    "unknown state": (sql("UPDATE attempts SET state = 'x'"), "its attempts cannot be read"),
    "empty answer": (sql("UPDATE kept_answers SET answer = '[]'"), "its kept answers cannot be read"),
    "package of another id": (sql("UPDATE packages SET id = 'pkg-' || id"), "its packages cannot be read"),
    "unknown step": (sql("UPDATE steps SET state = 'x'"), "its steps cannot be read"),
    "event of another package": (sql("UPDATE events SET package_id = 'x'"), "its events cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_no_sound_run_is_refused_in_one_sentence(good, tmp_path, spoil, sentence):
    spoil(good)
    with pytest.raises(WorkspaceError, match=sentence) as caught, opened_file(good, good.name):
        pass
    assert str(caught.value).startswith("theirs.dealweaver ")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("name", ["cut", "newer", "unknown step"])
def test_nothing_of_a_refused_file_reaches_the_workspace(workspace, url, good, run_id, name):
    REFUSED[name][0](good)
    with pytest.raises(WorkspaceError, match=r"^theirs\.dealweaver"):
        workspace.import_workspace(good)
    assert run_sql(url, "SELECT DISTINCT run_id FROM deals") == [(run_id,)]
    assert [run.id for run in workspace.runs()] == [run_id]


@pytest.mark.both_databases
def test_a_write_that_fails_adds_nothing_of_a_file(workspace, run_id, good, url):
    run_sql(url, *FULL_DISK[make_url(url).get_backend_name()])
    with pytest.raises(WorkspaceError, match=r"nothing was changed.*disk is full"):
        workspace.import_workspace(good)
    with pytest.raises(WorkspaceError, match=r"nothing was changed.*disk is full"):
        workspace.duplicate_run(run_id, "Copy")
    assert [run.id for run in workspace.runs()] == [run_id]
    assert run_sql(url, "SELECT DISTINCT run_id FROM deals") == [(run_id,)]


@on_sqlite
def test_ids_that_nobody_here_gives_are_replaced(workspace, good):
    sql(
        "PRAGMA foreign_keys=OFF",
        "UPDATE runs SET id = '../../etc'",
        *(f"UPDATE {name} SET run_id = '../../etc'" for name in COPIED if name not in ("runs", "templates")),  # noqa: S608
    )(good)
    run_id = workspace.import_workspace(good)
    assert re.fullmatch("[0-9a-f]{12}", run_id)
    assert workspace.packages(run_id)


# --- the commands -----------------------------------------------------------------------------


@on_sqlite
def test_commands_list_save_and_open_runs(url, workspace, worked, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DEALWEAVER_DATABASE_URL", url)
    file = tmp_path / "autumn.dealweaver"
    assert main(["save-run", "Autumn", str(file)]) == 0
    assert main(["open-run", str(file)]) == 0
    assert main(["runs"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{file}: the run Autumn, ")
    first, *_ = workspace.runs()
    assert first.id != worked
    assert said[1] == said[2]
    assert said[1].startswith(f"{first.id}  {first.saved_at}  Autumn: 7 deals, 2 clusters, ")
    assert main(["open-run", str(tmp_path / "none.dealweaver")]) == 1
    assert main(["save-run", "Summer", str(file)]) == 1
    assert "none.dealweaver cannot be opened (there is no such file)" in capsys.readouterr().err
