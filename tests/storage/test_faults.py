"""Whatever fails, and wherever: what was confirmed is there, nothing is half there, and work goes on."""

import os
import shutil
import subprocess
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, make_url

from core.errors import (
    FatalProposalError,
    QuotaReached,
    RetryableError,
    UnusableAnswer,
    WorkspaceDamaged,
)
from core.packages import Approve, Rename
from core.storage import Workspace
from core.storage.backup import EVERY_APPROVALS, restore
from tests.storage.faults import failing
from tests.storage.story import EXPORT, STEPS, TOPICS, Story, attempt, check, check_run, tell
from tests.workspaces import IDS, on_sqlite

# Other processes work in the same workspace, and leases must mean the same to all of them.
pytestmark = pytest.mark.usefixtures("machine_time")

NAMES = [step.name for step in STEPS]
PROPOSE = NAMES.index("propose")


@pytest.fixture(scope="module")
def folder_of_told(tmp_path_factory):
    return tmp_path_factory.mktemp("told")


@pytest.fixture(scope="module")
def told(folder_of_told):
    """What is there after each step of a story in which nothing fails."""
    story = Story(f"sqlite:///{(folder_of_told / 'workspace' / 'workspace.db').as_posix()}", folder_of_told)
    yield tell(story)
    story.close()


@pytest.fixture(scope="module")
def former_export(told, folder_of_told):  # noqa: ARG001  (it is written while the story is told)
    """The export of the day before."""
    return (folder_of_told / EXPORT).read_bytes()


@pytest.fixture
def story(url, tmp_path, former_export):
    story = Story(url, tmp_path)
    (tmp_path / EXPORT).write_bytes(former_export)
    yield story
    story.close()


# --- every fault, at every place --------------------------------------------------------------


def go_through(story, told, kind, numbers):
    """Tell the story; in each step the N-th thing of a kind fails, for all N, until the step goes through.

    Return how often something failed, and how many answers were paid for twice.
    """
    failures = repeated = 0
    before = None
    for step, expected in zip(STEPS, told, strict=True):
        calls, earlier = len(story.service.prompts), failures
        for number in numbers(step):
            with failing(kind, number) as fault:
                said = attempt(step, story)
            assert fault.hit or said is None, f"{step.name} failed by itself: {said}"
            if not fault.hit:
                break
            failures += 1
            found = restart(story, step)
            if step.whole and found == expected:  # it was done, whoever was told so
                break
            assert said is not None, f"{step.name} hid that {kind} {number} failed"
            assert not step.whole or before is None or found == before, f"{step.name} is half there"
        assert story.content() == expected, step.name
        before = expected
        if step.name == "propose":
            repeated = len(story.service.prompts) - calls - len(TOPICS)
            assert repeated <= failures - earlier
    check(story)
    return failures, repeated


def restart(story, step):
    """Close as a program that ends, open again, check that every promise is kept, and return the content."""
    story.close()
    if step.name == "propose":
        story.outlast_calls()
    assert (story.folder / EXPORT).exists(), "the former export is gone"
    return check(story)


@pytest.mark.parametrize(
    ("kind", "every", "every_in_long"), [("write", 4, 6), ("answer", 1, 6), ("file", 1, 1)]
)
@pytest.mark.both_databases
def test_story_comes_to_its_end_though_things_in_it_fail(
    story, told, kind, every, every_in_long, figures, database
):
    numbers = {True: every, False: every_in_long}
    failures, repeated = go_through(story, told, kind, lambda step: count(1, numbers[step.whole]))
    assert failures >= len(STEPS) - 2 or kind == "file"
    figures.add(database, faults=failures, repeated=repeated)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["write", "read", "commit", "answer"])
def test_story_comes_to_its_end_though_each_thing_in_it_fails(story, told, kind, figures, database):
    failures, repeated = go_through(story, told, kind, lambda _: count(1))
    assert failures >= len(STEPS)
    figures.add(database, faults=failures, repeated=repeated)


@pytest.mark.slow
@on_sqlite
def test_story_goes_on_from_each_single_failing_write(url, tmp_path, told, former_export, figures, database):
    """One fault in the whole story, at each place of it; the state before each step is kept as a file.

    The step is done again after each; the rest is told once where that left as many rows in every table:
    with the same content, which is compared, later steps then find the same and do the same.
    """
    file, failures = Path(str(make_url(url).database)), 0
    main = Story(url, tmp_path)
    (tmp_path / EXPORT).write_bytes(former_export)
    for place, step in enumerate(STEPS):
        kept = shutil.copytree(file.parent, tmp_path / f"before {place}") if file.parent.exists() else None
        gone_on_from = set()
        for number in count(1):
            other = Story(url.replace("/folder/", f"/{place}-{number}/"), tmp_path / f"{place}-{number}")
            other.folder.mkdir()
            shutil.copy(tmp_path / EXPORT, other.folder)
            if kept:
                shutil.copytree(kept, Path(str(make_url(other.url).database)).parent)
            with failing("write", number) as fault:
                attempt(step, other)
            if fault.hit:
                found = restart(other, step)
                assert found == told[place] or tell(other, [step]) == [told[place]], (
                    f"{step.name}: write {number}"
                )
                left = other.sizes()
                if left not in gone_on_from:
                    gone_on_from.add(left)
                    rest = STEPS[place + 1 :]
                    assert not rest or tell(other, rest)[-1] == told[-1], f"{step.name}: write {number}"
                check(other)
            other.close()
            failures += fault.hit
            if not fault.hit:
                break
        step.do(main)
        main.close()
    figures.add(database, faults=failures)


CALLS = {
    "busy": lambda: RetryableError("busy", retry_after_s=0.01),
    "quota": lambda: QuotaReached("too many calls", retry_after_s=0.01),
    "unusable": lambda: UnusableAnswer("No packages in it.", raw="Sorry."),
    "fatal": lambda: FatalProposalError("The key was refused: check it."),
    "bug": lambda: ValueError("a bug"),
}


@pytest.mark.parametrize(
    "error", [name if name == "fatal" else pytest.param(name, marks=pytest.mark.slow) for name in CALLS]
)
def test_story_goes_on_after_each_failing_call_of_the_model(story, error, figures, database):
    for step in STEPS[:PROPOSE]:
        step.do(story)
    for number in range(1, len(TOPICS) + 1):
        story.service.failures = {len(story.service.prompts) + number: CALLS[error]()}
        attempt(STEPS[PROPOSE], story)
        restart(story, STEPS[PROPOSE])
        figures.add(database, faults=1)
    story.service.failures = {}
    for step in STEPS[PROPOSE:]:
        assert attempt(step, story) is None, step.name
    check(story)
    assert len(story.workspace.exports(story.run_id)) == 1


@on_sqlite
@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("open", ["fsync", "link", "fsync"]),
        ("export", ["fsync", "replace", "fsync"]),
        ("copy", ["fsync", "replace", "fsync"]),
    ],
)
def test_file_is_on_the_disk_before_it_takes_its_place(story, monkeypatch, name, operations):
    done = []
    place = NAMES.index(name)
    for step in STEPS[:place]:
        step.do(story)
    for operation in ("fsync", "replace", "link"):
        monkeypatch.setattr(os, operation, noted(operation, done))
    STEPS[place].do(story)
    assert done[: len(operations)] == operations


def noted(name, done):
    """Return an operation of the system that notes each time it is asked for."""
    real = getattr(os, name)

    def operation(*args, **options):
        done.append(name)
        return real(*args, **options)

    return operation


# --- a full disk ------------------------------------------------------------------------------


@contextmanager
def no_more_pages():
    """Keep every database that is opened from growing, as on a full disk."""

    def limit(connection, _):
        connection.execute("PRAGMA max_page_count = 1")  # SQLite takes it for the size there is

    event.listen(Engine, "connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", limit)


@on_sqlite
def test_full_database_is_told_loses_nothing_and_goes_on_with_room(story, told):
    refused = []
    STEPS[0].do(story)
    for step, before, expected in zip(STEPS[1:], told, told[1:], strict=False):
        story.close()
        with no_more_pages():
            said = attempt(step, story)
            story.close()
        if said is not None:
            refused.append(step.name)
            assert "database or disk is full" in said
            restart(story, step)
            assert not step.whole or story.content() == before
            step.do(story)
        assert story.content() == expected, step.name
    assert len(refused) >= 5  # small steps find room in the pages there are


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = [shutil.which("mount") or "false", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("No disk can be mounted here: it takes root.")
    yield folder
    subprocess.run([str(shutil.which("umount")), "--lazy", str(folder)], check=True)


def fill(disk):
    """Use up all room of a disk."""
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


def test_full_disk_is_told_loses_nothing_and_goes_on_with_room(small_disk, told, former_export):
    story = Story(f"sqlite:///{(small_disk / 'workspace' / 'workspace.db').as_posix()}", small_disk)
    (small_disk / EXPORT).write_bytes(former_export)
    refused = {}
    STEPS[0].do(story)
    for step, before, expected in zip(STEPS[1:], told, told[1:], strict=False):
        fill(small_disk)
        said = attempt(step, story)
        if said is not None:
            refused[step.name] = said
            assert not step.whole or story.content() == before, step.name
        (small_disk / "filler").unlink()
        if said is not None:
            restart(story, step)
            step.do(story)
        assert story.content() == expected, step.name
    story.close()
    assert {"load", "cluster", "propose", "export", "copy"} <= refused.keys()
    assert "No space left" in refused["export"]
    assert "free space there" in refused["copy"]


# --- a damaged file ---------------------------------------------------------------------------


@on_sqlite
def test_restored_copy_lacks_less_than_one_interval_of_approvals(url, workspace, run_id):
    (package,) = (workspace.add_package(run_id, "Count 0", IDS[:3]),)
    approvals = 2 * EVERY_APPROVALS - 1
    for number in range(approvals):
        edits = [Rename(f"Count {number + 1}"), Approve("Looked at.")]
        (package,) = workspace.edit_packages(run_id, {package.id: package.version}, edits)
    workspace.close()
    with Path(str(make_url(url).database)).open("r+b") as opened:
        opened.write(bytes(100))
    with pytest.raises(WorkspaceDamaged) as caught:
        Workspace(url)
    restore(url, caught.value.backups[0])
    with closing(Workspace(url)) as again:
        check_run(again, run_id)
        (restored,) = again.packages(run_id)
    assert approvals - int(restored.name.split()[-1]) < EVERY_APPROVALS
