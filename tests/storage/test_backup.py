"""Backups: made while others write, kept in order, checked, and taken back; and what the doctor says."""

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from core.cli.main import main
from core.errors import WorkspaceDamaged, WorkspaceError
from core.packages import Approve
from core.storage import Workspace
from core.storage.backup import EVERY_APPROVALS, KEPT, AutomaticBackups, backup, backups, restore
from core.storage.health import doctor
from tests.workspaces import IDS, run_sql

# The age of a copy is that of its file.
pytestmark = pytest.mark.usefixtures("time_of_files")

DAY_S = 24 * 3600


def file_of(url):
    return Path(str(make_url(url).database))


def names(url):
    """Return the names of packages in a workspace, opened as the next start does."""
    workspace = Workspace(url)
    try:
        return [package.name for run in workspace.runs() for package in workspace.packages(run.id)]
    finally:
        workspace.close()


def make_older(path, seconds):
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


@pytest.fixture
def url(tmp_path):
    """Address of a file: copies of a database on a server are made there."""
    return f"sqlite:///{(tmp_path / 'new' / 'folder' / 'workspace.db').as_posix()}"


# --- making -----------------------------------------------------------------------------------


def test_backup_is_a_whole_workspace_while_the_former_is_open(url, workspace, run_id):
    workspace.add_package(run_id, "Mine", IDS[:3])
    copy = backup(url)
    workspace.add_package(run_id, "Later", IDS[:3])
    assert copy.parent == file_of(url).parent / "backups"
    assert backups(url) == (copy,)
    assert names(f"sqlite:///{copy}") == ["Mine"]


def test_backups_made_while_others_write_are_each_of_one_moment(url, workspace, run_id):
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            workspace.add_package(run_id, f"P{number}", IDS[:3])
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [backup(url) for _ in range(5)]
    finally:
        stop.set()
        writer.join()
    for copy in copies:
        with closing(sqlite3.connect(copy)) as kept:
            (packages,) = kept.execute("SELECT count(*) FROM packages").fetchone()
            (told,) = kept.execute("SELECT count(*) FROM events WHERE what LIKE '%by hand'").fetchone()
        assert packages == told


@pytest.mark.usefixtures("workspace")
def test_newest_ten_backups_stay(url):
    made = [backup(url) for _ in range(KEPT + 2)]
    assert backups(url) == tuple(reversed(made[2:]))
    assert not made[0].exists()


def move_to_a_later_time(copies, year=2099):
    """Give copies the names they have on a machine whose clock is ahead; return them, newest first."""
    return tuple(
        path.rename(path.with_name(f"workspace-{year}0101-{number:06}-000000-{path.name[-15:]}"))
        for number, path in reversed(list(enumerate(reversed(copies))))
    )


@pytest.mark.usefixtures("workspace")
def test_backup_just_made_is_the_newest_whatever_the_clock_says(url):
    for _ in range(KEPT):
        backup(url)
    later = move_to_a_later_time(backups(url))
    assert backups(url) == later
    first = backup(url)
    assert backups(url) == (first, *later[:-1])
    second = backup(url)
    assert backups(url) == (second, first, *later[:-2])
    assert doctor(url).findings[-1].sentence.endswith(f"the newest is {second}.")


@pytest.mark.parametrize("name", ["workspace-2-20261128", "workspace-20261399"], ids=["other", "no time"])
@pytest.mark.usefixtures("workspace")
def test_files_that_are_named_like_backups_neither_count_nor_go(url, name):
    copies = [backup(url) for _ in range(KEPT)]
    others = {path.rename(path.with_name(name + path.name[18:])) for path in copies}
    made = backup(url)
    assert backups(url) == (made,)
    assert others < set(made.parent.iterdir())


@pytest.mark.usefixtures("workspace")
def test_backup_into_a_folder_of_ones_own_throws_nothing_away(url, tmp_path):
    made = [backup(url, tmp_path / "safe") for _ in range(KEPT + 1)]
    assert all(path.exists() for path in made)
    assert backups(url) == ()


@pytest.mark.usefixtures("workspace")
def test_backup_that_cannot_be_written_says_so_and_leaves_nothing(url, tmp_path):
    kept = backup(url)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkspaceError, match=r"could not be copied to .*choose another folder") as caught:
        backup(url, tmp_path / "file" / "folder")
    assert "\n" not in str(caught.value)
    assert backups(url) == (kept,)


@pytest.mark.usefixtures("run_id")
def test_damaged_workspace_is_not_copied_over_its_good_backups(url, workspace):
    workspace.close()
    made = [backup(url) for _ in range(KEPT)]
    with file_of(url).open("r+b") as opened:
        opened.seek(4096)
        opened.write(bytes(8 * 4096))
    with pytest.raises(WorkspaceDamaged, match="is damaged"):
        backup(url)
    assert backups(url) == tuple(reversed(made))
    assert [path.suffix for path in made[0].parent.iterdir()] == [".db"] * KEPT


def test_there_is_nothing_to_copy_before_the_first_start(url):
    with pytest.raises(WorkspaceError, match="There is no workspace at"):
        backup(url)
    assert not file_of(url).exists()


# --- by itself --------------------------------------------------------------------------------


def test_start_copies_a_changed_workspace_once_a_day(url, open_workspace, run_id):
    assert backups(url) == (), "a new workspace holds nothing"
    open_workspace()
    (first,) = backups(url)
    open_workspace().rename_run(run_id, "Changed")
    open_workspace()
    assert backups(url) == (first,), "it is not a day old"
    make_older(first, DAY_S + 60)
    open_workspace()
    assert backups(url)[1:] == (first,)


def test_start_copies_a_workspace_whose_newest_copy_was_made_before_the_clock_was_set_back(
    url, open_workspace, run_id
):
    open_workspace().rename_run(run_id, "Changed")
    (ahead,) = move_to_a_later_time(backups(url))
    make_older(ahead, -3 * DAY_S)
    open_workspace()
    made, second = backups(url)
    assert second == ahead
    open_workspace()
    assert backups(url) == (made, ahead)


@pytest.mark.usefixtures("run_id")
def test_start_makes_no_second_copy_of_what_did_not_change(url, workspace):
    workspace.close()
    copy = backup(url)
    for path in (file_of(url), copy):
        make_older(path, 3 * DAY_S)
    Workspace(url).close()
    assert backups(url) == (copy,)


@pytest.mark.usefixtures("workspace")
def test_every_25_approvals_are_copied(url):
    automatic = AutomaticBackups(file_of(url))
    automatic.note_approvals(EVERY_APPROVALS - 1)
    automatic.close()
    assert backups(url) == ()
    automatic.note_approvals(1)
    automatic.close()
    assert len(backups(url)) == 1
    automatic.note_approvals(EVERY_APPROVALS - 1)
    automatic.close()
    assert len(backups(url)) == 1, "counting begins anew"


def test_approvals_through_the_workspace_are_counted(url, workspace, run_id):
    for number in range(EVERY_APPROVALS):
        assert backups(url) == ()
        package = workspace.add_package(run_id, f"Package number {number}", IDS[:3])
        workspace.edit_packages(run_id, {package.id: package.version}, [Approve()])
    workspace.close()
    assert len(backups(url)) == 1


@pytest.mark.usefixtures("workspace")
def test_backup_by_itself_that_fails_is_told_in_the_log_and_stops_nobody(url, caplog):
    (file_of(url).parent / "backups").write_text("in the way")
    automatic = AutomaticBackups(file_of(url))
    automatic.at_start()
    automatic.note_approvals(EVERY_APPROVALS)
    automatic.close()
    assert [record.message[:30] for record in caplog.records] == ["No automatic backup: The works"] * 2


# --- taking back ------------------------------------------------------------------------------


def test_restored_backup_takes_the_place_and_the_former_file_is_kept(url, workspace, run_id):
    workspace.add_package(run_id, "Before", IDS[:3])
    copy = backup(url)
    workspace.add_package(run_id, "After", IDS[:3])
    workspace.close()
    aside = restore(url, copy)
    assert names(url) == ["Before"]
    assert names(f"sqlite:///{aside}") == ["Before", "After"]
    assert copy.exists()


@pytest.mark.usefixtures("run_id")
def test_what_stands_in_the_log_only_is_kept_with_the_former_file(url, workspace):
    copy = backup(url)
    workspace.close()
    killed = file_of(url).parent / "killed"
    killed.mkdir()
    with closing(sqlite3.connect(file_of(url))) as writer:
        writer.execute("UPDATE runs SET name = 'In the log'")
        writer.commit()
        for path in file_of(url).parent.glob("workspace.db*"):  # as a killed program leaves them
            shutil.copy(path, killed)
    shutil.copytree(killed, file_of(url).parent, dirs_exist_ok=True)
    aside = restore(url, copy)
    assert run_sql(url, "SELECT name FROM runs") == [("Autumn",)]
    assert run_sql(f"sqlite:///{aside}", "SELECT name FROM runs") == [("In the log",)]


def test_workspace_in_use_is_not_replaced(url, workspace, run_id):
    copy = backup(url)
    workspace.rename_run(run_id, "Kept")
    with pytest.raises(WorkspaceError, match="is in use: stop Dealweaver first"):
        restore(url, copy)
    assert workspace.run(run_id).name == "Kept"
    assert [path.name for path in file_of(url).parent.glob("*set-aside*")] == []


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def change_a_letter(path):
    path.write_bytes(path.read_bytes().replace(b"Autumn", b"Autuwn"))


def make_newer(path):
    with closing(sqlite3.connect(path)) as kept, kept:
        kept.execute("UPDATE alembic_version SET version_num = '9999'")


def make_foreign(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as kept:
        kept.execute("CREATE TABLE songs (name TEXT)")


@pytest.mark.parametrize(
    ("spoil", "named_as_backup", "sentence"),
    [
        (cut, True, "cannot be used .*choose an older one"),
        (change_a_letter, True, "was changed since it was made"),
        (make_newer, False, "newer version of Dealweaver"),
        (make_foreign, False, "another program"),
        (Path.unlink, True, "No such file"),
    ],
)
@pytest.mark.usefixtures("run_id")
def test_backup_that_cannot_take_the_place_changes_nothing(
    url, workspace, tmp_path, spoil, named_as_backup, sentence
):
    copy = backup(url)
    workspace.close()
    if not named_as_backup:
        copy = copy.replace(tmp_path / "mine.db")
    spoil(copy)
    before = file_of(url).read_bytes()
    with pytest.raises(WorkspaceError, match=sentence) as caught:
        restore(url, copy)
    assert "\n" not in str(caught.value)
    assert file_of(url).read_bytes() == before
    assert {path.name for path in file_of(url).parent.iterdir()} <= {"workspace.db", "backups"}


@pytest.mark.usefixtures("run_id")
def test_backup_is_taken_back_where_the_workspace_is_gone(url, workspace):
    copy = backup(url)
    workspace.close()
    file_of(url).unlink()
    assert restore(url, copy) is None
    assert len(run_sql(url, "SELECT * FROM runs")) == 1


# --- what the doctor says ---------------------------------------------------------------------


def wrong(url):
    return {finding.name for finding in doctor(url).findings if not finding.ok}


@pytest.mark.usefixtures("run_id")
def test_doctor_finds_nothing_to_do_in_a_sound_workspace(url):
    backup(url)
    report = doctor(url)
    assert report.ok, report
    assert [finding.name for finding in report.findings] == ["file", "version", "records", "space", "backup"]


def test_doctor_makes_no_workspace(url):
    assert doctor(url).ok
    assert not file_of(url).parent.exists()


@pytest.mark.usefixtures("run_id")
def test_doctor_names_each_trouble(url, workspace):
    assert wrong(url) == {"backup"}
    copy = backup(url)
    make_older(copy, 2 * DAY_S)
    assert wrong(url) == {"backup"}, "two days old, and the workspace changed since"
    copy = backup(url)
    run_sql(url, "UPDATE deals SET record = substr(record, 2) WHERE position = 1")
    assert wrong(url) == {"records"}
    change_a_letter(copy)
    cut(copy)
    assert wrong(url) == {"records", "backup"}
    run_sql(url, "UPDATE alembic_version SET version_num = '9999'")
    assert wrong(url) == {"records", "backup", "version"}
    workspace.close()
    cut(file_of(url))
    assert wrong(url) == {"file", "backup"}


# --- a server ---------------------------------------------------------------------------------


@pytest.mark.postgres
def test_copies_of_a_server_are_the_business_of_its_tools(postgres, tmp_path):
    for call in (lambda: backup(postgres), lambda: restore(postgres, tmp_path / "copy.db")):
        with pytest.raises(WorkspaceError, match="pg_dump") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert backups(postgres) == ()


@pytest.mark.postgres
def test_doctor_tells_what_a_server_risks(postgres):
    found = {finding.name: finding.ok for finding in doctor(postgres).findings}
    assert found["server"]
    # The server of the tests is set up for speed.
    assert [name for name, ok in found.items() if not ok] == [
        "fsync",
        "full_page_writes",
        "synchronous_commit",
    ]


def test_doctor_says_in_one_sentence_that_a_server_is_away():
    with pytest.raises(WorkspaceError, match="cannot be looked at") as caught:
        doctor("postgresql://user:secret@127.0.0.1:1/workspace")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


# --- the commands -----------------------------------------------------------------------------


@pytest.fixture
def settings(url, monkeypatch):
    monkeypatch.setenv("DEALWEAVER_DATABASE_URL", url)


@pytest.mark.usefixtures("settings")
@pytest.mark.usefixtures("run_id")
def test_commands_copy_list_and_take_back(url, workspace, tmp_path, capsys):
    workspace.close()
    assert main(["backup"]) == 0
    (copy,) = backups(url)
    assert main(["backup", "--to", str(tmp_path / "safe")]) == 0
    assert main(["restore"]) == 0
    assert main(["restore", str(copy)]) == 0
    assert main(["doctor"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.count(str(copy)) == 4
    assert "1 backups, newest first" in said.out
    assert "WRONG" not in said.out


@pytest.mark.usefixtures("settings")
@pytest.mark.usefixtures("workspace")
def test_commands_say_in_one_sentence_what_is_wrong(capsys):
    assert main(["restore", "nowhere.db"]) == 1
    assert main(["doctor"]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "There is no backup yet: make one with python -m core backup." in said.out
