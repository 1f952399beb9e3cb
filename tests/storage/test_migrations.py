"""Every database there ever was opens in this version, with everything in it, or is left alone."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from core.errors import WorkspaceError
from core.packages import Reject, Rename
from core.storage import MAP, OUTLINE, VECTORS, Workspace
from core.storage.backup import backups
from core.storage.health import doctor
from core.storage.migrations import FOLDER, HEAD, version_of
from core.storage.schema import APPLICATION_ID, Base, open_engine
from tests.workspaces import IDS, on_postgres, on_sqlite, run_sql

# The age of a backup is that of its file.
pytestmark = pytest.mark.usefixtures("time_of_files")

FIRST_RELEASE = Path(__file__).parent / "data" / "first_release.db"


@pytest.fixture
def first_release(tmp_path):
    """Address of a workspace that the first release wrote."""
    shutil.copy(FIRST_RELEASE, tmp_path / "workspace.db")
    return f"sqlite:///{(tmp_path / 'workspace.db').as_posix()}"


def differences(url):
    """Return what the tables of a database lack or have beyond the classes of the schema."""
    engine = open_engine(url)
    with engine.begin() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    engine.dispose()
    return found


def version(url):
    engine = open_engine(url)
    with engine.begin() as connection:
        found = version_of(connection)
    engine.dispose()
    return found


# --- the steps --------------------------------------------------------------------------------


def test_steps_are_one_line_of_numbers_that_ends_at_this_version():
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    assert [step.revision for step in steps] == [f"{number:04}" for number in range(len(steps), 0, -1)]
    assert all(Path(step.path).name.startswith(f"{step.revision}_") for step in steps)
    assert steps[0].revision == HEAD


@on_sqlite
def test_steps_make_the_tables_that_the_classes_describe(url):
    Workspace(url).close()
    assert (version(url), differences(url)) == (HEAD, [])


def test_steps_from_the_first_release_make_the_same_tables(first_release):
    Workspace(first_release).close()
    assert (version(first_release), differences(first_release)) == (HEAD, [])


@on_sqlite
def test_ids_that_never_come_back_are_the_same_ones_as_in_the_classes(url):
    Workspace(url).close()
    rows = run_sql(url, "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")
    wanted = {t.name for t in Base.metadata.tables.values() if t.dialect_options["sqlite"]["autoincrement"]}
    assert {name for (name,) in rows} == wanted


@on_postgres
def test_tables_are_made_in_an_empty_database_and_stay_when_it_is_opened_again(url):
    run_sql(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    for _ in range(2):
        Workspace(url).close()
        assert (version(url), differences(url)) == (HEAD, [])


TABLES = "SELECT name FROM sqlite_master"


# --- the first release ------------------------------------------------------------------------


def test_workspace_of_the_first_release_opens_with_everything_in_it(first_release):
    workspace = Workspace(first_release)
    single, run = workspace.runs()
    assert (single.name, single.deals, single.packages) == ("one.json", 1, 0)
    assert (run.name, run.deals, run.clusters, run.exported) == ("First release", 60, 7, True)
    assert [deal.deal_id for deal in workspace.deals(single.id)] == ["0012"]
    assert workspace.import_report(run.id).ledger.loaded == 60

    assert workspace.array(run.id, VECTORS).shape == (60, 384)
    assert workspace.array(run.id, MAP).shape == (60, 2)
    assert workspace.array(run.id, OUTLINE) is not None
    assert [item.what for item in workspace.clusterings(run.id)] == ["Exclude 1 deal", "Build"]
    assert len(workspace.clustering(run.id).links.excluded) == 1
    assert workspace.quality(run.id) is not None

    packages = {package.name: package for package in workspace.packages(run.id)}
    assert len(packages) == 11
    approved = packages["Café au lait"]
    assert (approved.status, approved.decided_by) == ("approved", "Ada")
    assert sorted(package.status for package in packages.values()) == [
        "approved",
        *["pending"] * 9,
        "rejected",
    ]
    assert packages["By hand"].source == "Analyst"
    assert packages["Model made"].source == "gemini-2.5-flash"

    assert {outcome.status for outcome in workspace.outcomes(run.id).values()} == {"done"}
    calls = [call for name in workspace.outcomes(run.id) for call in workspace.calls(run.id, name)]
    assert sorted((call.state, call.usage.input_tokens) for call in calls)[0] == ("done", 900)
    assert workspace.kept_questions(["q" * 64]) == {"q" * 64}
    assert len(workspace.templates()) == 1
    assert workspace.preference("provider", "") == "ollama"
    told = [(event["who"], event["what"]) for event in workspace.events(run.id)]
    assert ("Ada", "Rename to 'Café au lait'") in told
    assert ("Ada", "Export 1 packages as packages.json") in told
    workspace.close()


def test_work_goes_on_in_a_workspace_of_the_first_release(first_release):
    workspace = Workspace(first_release)
    run_id = workspace.runs()[1].id
    package = next(item for item in workspace.packages(run_id) if item.name == "Model made")
    (after,) = workspace.edit_packages(run_id, {package.id: package.version}, [Rename("Mine"), Reject()])
    workspace.close()
    again = Workspace(first_release)
    assert after in again.packages(run_id)
    again.close()


def test_doctor_finds_the_first_release_and_what_it_became_sound(first_release):
    assert [finding.name for finding in doctor(first_release).findings if not finding.ok] == ["backup"]
    Workspace(first_release).close()
    assert doctor(first_release).ok


def test_copy_is_made_before_the_tables_of_a_former_version_are_changed(first_release):
    assert backups(first_release) == ()
    Workspace(first_release).close()
    (copy,) = backups(first_release)
    with closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("PRAGMA application_id").fetchone() == (0,)
        assert kept.execute("SELECT count(*) FROM packages").fetchone() == (14,)
    Workspace(first_release).close()
    assert backups(first_release) == (copy,), "nothing is left to change"


def test_file_says_that_it_is_a_workspace_and_of_which_version(first_release):
    Workspace(first_release).close()
    assert run_sql(first_release, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert run_sql(first_release, "PRAGMA user_version") == [(int(HEAD),)]


def test_step_that_fails_changes_nothing_and_says_so(first_release):
    # A view where a later version wants a table.
    name = min(Base.metadata.tables.keys() - {row[0] for row in run_sql(first_release, TABLES)}, default=None)
    if name is None:
        pytest.skip("no table was added since the first release")
    run_sql(first_release, f"CREATE VIEW {name} AS SELECT 1")
    before = run_sql(first_release, "SELECT sql FROM sqlite_master")
    with pytest.raises(WorkspaceError, match="cannot be opened") as caught:
        Workspace(first_release)
    assert "\n" not in str(caught.value)
    assert run_sql(first_release, "SELECT sql FROM sqlite_master") == before
    run_sql(first_release, f"DROP VIEW {name}")
    Workspace(first_release).close()
    assert differences(first_release) == []


@on_sqlite
@pytest.mark.usefixtures("run_id")
def test_changing_a_table_that_others_refer_to_costs_no_row(url, workspace):
    from alembic.operations import Operations

    workspace.close()
    engine = open_engine(url)
    with engine.execution_options(writer=True, migrating=True).connect() as connection:
        with connection.begin():
            steps = Operations(MigrationContext.configure(connection))
            with steps.batch_alter_table("runs", recreate="always") as runs:
                runs.alter_column("name", nullable=True)
        connection.invalidate()
    with engine.begin() as connection:
        columns = {column["name"]: column["nullable"] for column in inspect(connection).get_columns("runs")}
        assert columns["name"] is True
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()
    assert run_sql(url, "SELECT count(*) FROM deals") == [(len(IDS),)]
    assert run_sql(url, "PRAGMA foreign_key_check") == []


# --- a newer version --------------------------------------------------------------------------


@pytest.mark.usefixtures("run_id")
@pytest.mark.both_databases
def test_database_of_a_newer_version_is_refused_and_left_as_it_is(url, workspace):
    workspace.close()
    run_sql(url, "UPDATE alembic_version SET version_num = '9999'")
    before = contents(url)
    with pytest.raises(WorkspaceError, match=r"newer version of Dealweaver .tables 9999, this one") as caught:
        Workspace(url)
    assert "\n" not in str(caught.value)
    assert "update Dealweaver" in str(caught.value)
    assert contents(url) == before


@pytest.mark.usefixtures("run_id")
@pytest.mark.both_databases
def test_database_of_a_version_that_never_was_is_refused_and_left_as_it_is(url, workspace):
    workspace.close()
    run_sql(url, "UPDATE alembic_version SET version_num = '0000'")
    before = contents(url)
    with pytest.raises(WorkspaceError, match=r"version that never was .'0000'") as caught:
        Workspace(url)
    assert "\n" not in str(caught.value)
    assert contents(url) == before


def contents(url):
    """Return every byte of a file, or the rows of a database that tell of a change."""
    if url.startswith("sqlite"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        return {path.name: path.read_bytes() for path in folder.rglob("*.db*")}
    return run_sql(url, "SELECT * FROM alembic_version"), run_sql(url, "SELECT count(*) FROM deals")
