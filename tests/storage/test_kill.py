"""Programs that are killed, and many that write at once: what was confirmed stays, and conflicts are told."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from core.errors import WorkspaceError
from core.reading.reading import parse_deals
from core.work import JobRegistry
from tests.storage.beginner import ROOT, Beginner
from tests.storage.deciding_program import Decider, work
from tests.storage.story import Story, check_files, check_run, records
from tests.storage.test_database import at_once
from tests.work.test_job_registry import ended
from tests.workspaces import run_sql

# Other processes work in the same workspace, and leases must mean the same to all of them.
pytestmark = pytest.mark.usefixtures("machine_time")

KILLS = {"SQLite": 50, "PostgreSQL": 15}
KILLED_RUNS = 5
PATIENCE_S = 60.0
# Lines a program may say before it is killed, so many that it exports and copies the workspace; and how
# long it may go on after them, which is about one thing that it does.
MOST_LINES, LONGEST_S = 20, 0.05
SEED = 20_261_123


@pytest.fixture(scope="module")
def beginner():
    """Begins deciding programs."""
    with Beginner("tests.storage.deciding_program") as beginner:
        yield beginner


def confirmed_in(path):
    """Return what a program said; a line it was killed in was not said."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("}\n")]


def new_run(workspace):
    """Make a run of six packages with four deals each."""
    run_id = workspace.create_run(parse_deals(records(range(8))), "deals.json")
    ids = [deal.deal_id for deal in workspace.deals(run_id)]
    for number in range(6):
        workspace.add_package(run_id, f"Package {number}", ids[4 * number : 4 * number + 4])
    return run_id


def lost_of(said, store, run_id, folder):
    """Return what was confirmed and is not there."""
    trail = store.changes(run_id)
    made = Counter(tuple(change) for line in said for change in line.get("made", ()))
    turned = Counter(line["turned"] for line in said if "turned" in line)
    files = {line["file"]: line["sha256"] for line in said if "file" in line}
    kept = Counter((item.package_id, item.after and item.after.version, item.what) for item in trail)
    words = Counter(item.what for item in trail)  # at least one change for each time
    logged = {item.filename for item in store.exports(run_id)}
    whole = {name for name, digest in files.items() if digest == digest_of(folder / name)}
    return [*(made - kept).elements(), *(turned - words).elements(), *(files.keys() - (whole & logged))]


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


# --- kill -9 ----------------------------------------------------------------------------------


def kill_once(beginner, url, run_id, folder, number, chance):
    """Let a program say a few things, kill it a moment later, and return what it said."""
    said = folder / f"{number}.log"
    process = beginner.begin(url, run_id, folder, f"P{number}", number, 0, said=said)
    ends, lines = time.monotonic() + PATIENCE_S, chance.randint(1, MOST_LINES)
    while said.read_bytes().count(b"\n") < lines and time.monotonic() < ends:
        time.sleep(0.002)
    time.sleep(chance.uniform(0.0, LONGEST_S))
    os.kill(process, signal.SIGKILL)
    assert beginner.ended() == -signal.SIGKILL, "it ended before it was killed"
    return confirmed_in(said)


@pytest.mark.slow
def test_killed_programs_lose_nothing_that_was_confirmed(beginner, url, tmp_path, database, figures):
    chance, said, run_id = random.Random(SEED), [], ""
    confirmed = 0
    for number in range(KILLS[database]):
        story = Story(url, tmp_path)
        if number % (KILLS[database] // KILLED_RUNS) == 0:
            said, run_id = [], new_run(story.workspace)
        story.close()
        now = kill_once(beginner, url, run_id, tmp_path, number, chance)
        said += now
        confirmed += (count := sum("begun" not in line and "refused" not in line for line in now))

        store = story.workspace
        lost = lost_of(said, store, run_id, tmp_path)
        figures.add(database, confirmed=count, lost=len(lost), kills=1, torn=1)
        assert lost == []
        for run in store.runs():
            check_run(store, run.id)
        check_files(story, killed=True)
        figures.add(database, torn=-1)
        figures.add(database, **take_up_job(store, run_id))
        story.close()
    assert confirmed > KILLS[database]


def take_up_job(store, run_id):
    """Start the job of the killed program again; return whether it was seen as what it was."""
    job = store.newest_job(run_id)
    if job is None:
        return {}
    assert job.state in {"interrupted", "done"}
    registry = JobRegistry(store, tick_s=0.05)
    registry.start(run_id, job.title, work(store, run_id), kind=job.kind, params=job.params)
    assert ended(registry, run_id).note == "All 5 steps."
    registry.close()
    return {"interrupted": int(job.state == "interrupted"), "alive": int(job.running)}


# --- many at once -----------------------------------------------------------------------------


def check_all_told(store, run_id, begin, said, folder):
    """Check that nothing confirmed is lost, and that nothing was done of which nobody was told.

    begin: changes before what was said. Return the figures, and what is wrong.
    """
    confirmed = [line for line in said if "made" in line or "turned" in line]
    refused = [line["refused"] for line in said if "refused" in line]
    assert all("\n" not in sentence for sentence in refused)
    overwritten = [package_id for line in said for package_id in line.get("unseen", ())]
    lost = lost_of(said, store, run_id, folder) + overwritten
    commands = (
        (item.package_id, item.after and item.after.version, item.what)
        for item in store.changes(run_id)[begin:]
        if not item.what.startswith(("Undo: ", "Redo: "))
    )
    made = Counter(tuple(change) for line in confirmed for change in line.get("made", ()))
    untold = Counter(commands) - made
    check_run(store, run_id)
    figures = {"updates": len(confirmed), "updates_lost": len(lost), "conflicts": len(refused)}
    return figures, [*lost, *untold.elements()]


def decide(workspace, run_id, number, times, said):
    someone = Decider(workspace, run_id, f"T{number}", number, said.append)
    for _ in range(times):
        someone.decide()


@pytest.mark.both_databases
def test_eight_threads_are_each_confirmed_or_refused(tmp_path, workspace, database, figures):
    each, run_id, said = 8, new_run(workspace), []
    begin = len(workspace.changes(run_id))
    assert at_once(8, lambda number: decide(workspace, run_id, number, each, said)) == []
    counts, wrong = check_all_told(workspace, run_id, begin, said, tmp_path)
    figures.add(database, **counts)
    assert wrong == []
    assert counts["updates"] + counts["conflicts"] == 8 * each


@pytest.mark.slow
def test_three_programs_are_each_confirmed_or_refused(url, tmp_path, workspace, database, figures):
    each, run_id = 40, new_run(workspace)
    begin, logs = len(workspace.changes(run_id)), [tmp_path / f"{number}.log" for number in range(3)]
    running = []
    for number, log in enumerate(logs):
        words = [url, run_id, tmp_path, f"P{number}", number, each]
        command = [sys.executable, "-m", "tests.storage.deciding_program", *map(str, words)]
        with log.open("wb") as out:
            running.append(subprocess.Popen(command, cwd=ROOT, stdout=out))
    assert [one.wait(timeout=120) for one in running] == [0, 0, 0]
    said = [line for log in logs for line in confirmed_in(log)]
    counts, wrong = check_all_told(workspace, run_id, begin, said, tmp_path)
    figures.add(database, **counts)
    assert wrong == []
    assert counts["updates"] + counts["conflicts"] == 3 * each


@pytest.mark.both_databases
def test_of_many_that_start_jobs_of_a_run_one_has_it_and_the_others_are_told(
    open_workspace, run_id, url, database, figures
):
    registries = [JobRegistry(open_workspace(), tick_s=0.02) for _ in range(3)]
    busy, twice, started, refused = threading.Lock(), [], [], []

    def work(_):
        if not busy.acquire(blocking=False):
            twice.append("two at a time")
            return "Twice."
        time.sleep(0.005)
        busy.release()
        return "Done."

    def press(number):
        for _ in range(5):
            try:
                started.append(registries[number % len(registries)].start(run_id, "Work", work).id)
            except WorkspaceError as error:
                refused.append(str(error))
            time.sleep(0.003 * number)

    assert at_once(8, press) == []
    for registry in registries:
        registry.close()
    figures.add(database, jobs=len(started), jobs_twice=len(twice))
    assert len(started) + len(refused) == 40
    assert all("Work is still under way" in sentence for sentence in refused)
    done = run_sql(url, "SELECT id, state, note FROM jobs ORDER BY id")
    assert done == [(job_id, "done", "Done.") for job_id in sorted(started)]
    assert twice == []
