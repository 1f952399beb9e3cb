"""Opening a workspace: what is refused unchanged, and that writers never lose what others saved."""

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from core.errors import WorkspaceDamaged, WorkspaceError
from core.packages import Rename
from core.storage import Workspace
from core.storage.backup import backup, backups_of, restore
from core.storage.schema import APPLICATION_ID
from tests.leftovers import Watch
from tests.storage.saving_program import save
from tests.workspaces import IDS, on_postgres, on_sqlite, run_sql

# Other processes work in the same workspace, and leases must mean the same to all of them.
pytestmark = pytest.mark.usefixtures("machine_time")

PAGE = 4096


def file_of(url):
    return Path(str(make_url(url).database))


# --- a damaged file ---------------------------------------------------------------------------


def empty(file):
    file.write_bytes(b"")


def truncate(file):
    os.truncate(file, file.stat().st_size // 2 // PAGE * PAGE)


def cut_the_last_page(file):
    os.truncate(file, file.stat().st_size - PAGE // 2)


def zero_header(file):
    with file.open("r+b") as opened:
        opened.write(bytes(100))


def flip_a_page(file):
    """Invert the page where the table of packages begins."""
    with closing(sqlite3.connect(file)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'packages'").fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * PAGE)
        inverted = bytes(byte ^ 0xFF for byte in opened.read(PAGE))
        opened.seek((page - 1) * PAGE)
        opened.write(inverted)


def drop_a_table(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE arrays")


def forget_the_version(file):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE alembic_version")


DAMAGES = [empty, truncate, cut_the_last_page, zero_header, flip_a_page, drop_a_table, forget_the_version]


@on_sqlite
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_named_with_its_backups_and_kept(url, workspace, run_id, damage):
    workspace.close()
    copy, file = backup(url), file_of(url)
    damage(file)
    before = file.read_bytes()
    with pytest.raises(WorkspaceDamaged, match=r"is damaged \(.+\) and was left as it is") as caught:
        Workspace(url)
    assert "\n" not in str(caught.value)
    assert (caught.value.file, caught.value.backups) == (file, (copy,))
    assert str(copy) in str(caught.value)
    assert file.read_bytes() == before

    aside = restore(url, copy)
    assert aside.read_bytes()[100:] == before[100:], "all but what SQLite keeps in the header"
    again = Workspace(url)
    assert [deal.deal_id for deal in again.deals(run_id)] == list(IDS)
    again.close()


@on_sqlite
def test_damage_while_the_workspace_is_open_is_told_as_damage(url, workspace, run_id):
    workspace.add_package(run_id, "Mine", IDS[:3])
    workspace.close()
    flip_a_page(file_of(url))
    with pytest.raises(WorkspaceDamaged, match="there is no backup beside it"):
        workspace.packages(run_id)


@on_sqlite
def test_database_of_another_program_is_refused_and_left_as_it_is(url):
    file = file_of(url)
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    before = file.read_bytes()
    with pytest.raises(WorkspaceError, match="a database of another program: check DEALWEAVER_HOME"):
        Workspace(url)
    assert file.read_bytes() == before


@on_sqlite
def test_nothing_but_the_workspace_is_left_in_its_new_folder(url):
    Workspace(url).close()
    assert [path.name for path in file_of(url).parent.iterdir()] == ["workspace.db"]


@on_sqlite
def test_eight_that_make_a_workspace_at_once_make_one(url, open_workspace):
    failed = at_once(8, lambda _: Workspace(url).close())
    assert failed == []
    assert open_workspace().runs() == []


# --- connections ------------------------------------------------------------------------------


def test_whoever_works_on_when_the_workspace_closes_gives_the_connection_back(workspace, run_id):
    with workspace._reading() as session:
        workspace.close()
        assert session.scalar(text("SELECT count(*) FROM runs")) == 1
    workspace.rename_run(run_id, "After the end")
    assert workspace._engine.pool.checkedin() == 0


def test_workspace_that_is_refused_leaves_no_connection(url, workspace):
    workspace.close()
    run_sql(url, "UPDATE alembic_version SET version_num = '9999'")
    watch = Watch()
    with pytest.raises(WorkspaceError, match="update Dealweaver"):
        Workspace(url)
    assert watch.end() == []


@on_sqlite
def test_workspace_whose_copies_cannot_be_looked_at_leaves_no_connection(url, workspace):
    workspace.close()
    backup(url)
    (copy,) = backups_of(file_of(url))
    copy.unlink()
    copy.symlink_to(copy.with_name("gone"))
    watch = Watch()
    with pytest.raises(WorkspaceError, match="cannot be opened"):
        Workspace(url)
    assert watch.end() == []


# --- a server ---------------------------------------------------------------------------------


def test_server_that_does_not_answer_gives_one_sentence_without_password():
    with pytest.raises(WorkspaceError, match="check DEALWEAVER_DATABASE_URL, and that the server") as caught:
        Workspace("postgresql://user:secret@127.0.0.1:1/workspace")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@on_postgres
@pytest.mark.parametrize(
    ("setting", "value"), [("lock_timeout", "30s"), ("idle_in_transaction_session_timeout", "5min")]
)
def test_waits_on_a_server_have_an_end(workspace, setting, value):
    with workspace._engine.connect() as connection:
        assert connection.exec_driver_sql(f"SHOW {setting}").scalar() == value


@on_postgres
@pytest.mark.usefixtures("run_id")
def test_writer_that_waits_too_long_is_told_and_changes_nothing(workspace):
    with workspace._writing.begin() as first, workspace._engine.connect() as other:
        other.exec_driver_sql("SET lock_timeout = '50ms'")
        with pytest.raises(Exception, match="lock timeout"):
            other.exec_driver_sql(f"SELECT pg_advisory_xact_lock({APPLICATION_ID})")
        assert first.exec_driver_sql("SELECT 1").scalar() == 1


@on_postgres
def test_reader_sees_one_state_while_others_write(workspace, run_id):
    with workspace._engine.begin() as reader:
        count = "SELECT count(*) FROM deals"
        before = reader.exec_driver_sql(count).scalar()
        workspace.delete_run(run_id)
        assert reader.exec_driver_sql(count).scalar() == before == len(IDS)
    with workspace._engine.begin() as reader:
        assert reader.exec_driver_sql(count).scalar() == 0


# --- writers at the same time -----------------------------------------------------------------


def at_once(count, work):
    """Run work(number) in threads that begin together; return what they raised."""
    failed, barrier = [], threading.Barrier(count)

    def run(number):
        barrier.wait()
        try:
            work(number)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def check_no_update_is_lost(workspace, run_id, saved):
    """Every change that was acknowledged is a version and an event, and stands in the name."""
    (package,) = workspace.packages(run_id)
    assert package.version == 1 + saved
    assert package.name == f"Count {saved}"
    assert sum("Rename" in event["what"] for event in workspace.events(run_id)) == saved


@pytest.fixture
def counted(workspace, run_id):
    """A run with one package whose name is a number that everybody counts up."""
    workspace.add_package(run_id, "Count 0", IDS[:3])
    return run_id


@pytest.mark.both_databases
def test_eight_threads_lose_no_update(url, workspace, counted):
    each = 8
    failed = at_once(8, lambda number: save(url, counted, f"thread {number}", each))
    assert failed == []
    check_no_update_is_lost(workspace, counted, 8 * each)


def test_three_processes_lose_no_update(url, workspace, counted):
    each = 20
    words = [sys.executable, "-m", "tests.storage.saving_program", url, counted]
    programs = [subprocess.Popen([*words, f"program {number}", str(each)]) for number in range(3)]
    assert [program.wait(timeout=120) for program in programs] == [0, 0, 0]
    check_no_update_is_lost(workspace, counted, 3 * each)


@pytest.mark.both_databases
def test_packages_that_are_made_at_once_have_places_of_their_own(url, workspace, run_id):
    failed = at_once(8, lambda number: workspace.add_package(run_id, f"P{number}", IDS[:3]))
    assert failed == []
    places = run_sql(url, "SELECT position FROM packages ORDER BY position")
    assert [place for (place,) in places] == list(range(8))


@pytest.mark.both_databases
def test_change_from_a_version_that_is_gone_is_refused(workspace, counted):
    (package,) = workspace.packages(counted)
    workspace.edit_packages(counted, {package.id: package.version}, [Rename("First")])
    with pytest.raises(WorkspaceError, match="changed meanwhile"):
        workspace.edit_packages(counted, {package.id: package.version}, [Rename("Second")])
    assert [item.name for item in workspace.packages(counted)] == ["First"]
