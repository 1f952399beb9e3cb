"""Jobs: what a page sees of long work in any process, and that no end of it goes unseen."""

import logging
import platform
import subprocess
import sys
import threading
import time

import pytest

from core import clock
from core.errors import DealweaverError, WorkspaceError
from core.reading.reading import parse_deals
from core.storage import Job
from core.storage.job_records import new_owner
from core.work import JobRegistry

# Other processes work in the same workspace, and leases must mean the same to all of them.
pytestmark = pytest.mark.usefixtures("machine_time")

PATIENCE_S = 60.0


class Work:
    """Work of a job that goes on step by step, as the test allows."""

    def __init__(self):
        self.started = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, job):
        job.stage("Embedding", 40)
        job.progress(10, 40)
        self.started.set()
        assert self.may_end.wait(PATIENCE_S)
        job.progress(40, 40)
        return "All 40 embedded."


def ended(registry, run_id):
    """Wait for a job to end and return it."""
    ends = time.monotonic() + PATIENCE_S
    while (job := registry.job(run_id)).running and time.monotonic() < ends:
        time.sleep(0.005)
    assert not job.running, "the job does not end"
    return job


@pytest.fixture
def open_registry(open_workspace):
    """Return a function that opens the jobs of one more process of the same database."""
    opened = []

    def open_it(**settings):
        opened.append(JobRegistry(open_workspace(), **{"tick_s": 0.02, **settings}))
        return opened[-1]

    yield open_it
    for one in opened:
        one.close()


@pytest.fixture
def registry(open_registry):
    return open_registry()


@pytest.fixture
def other_run(workspace):
    return workspace.create_run(parse_deals([{"deal_id": "1"}]), "deals.csv")


@pytest.fixture
def work(registry, run_id):
    work = Work()
    yield work
    work.may_end.set()
    if registry.job(run_id):
        ended(registry, run_id)


def test_progress_can_be_read_while_the_job_runs_and_its_note_when_it_is_done(registry, work, run_id):
    before = clock.epoch_s()
    first = registry.start(run_id, "Build clusters", work)
    assert (first.run_id, first.title, first.state, first.running) == (
        run_id,
        "Build clusters",
        "running",
        True,
    )
    assert work.started.wait(PATIENCE_S)
    seen = registry.job(run_id)
    assert (seen.stage, seen.done, seen.total, seen.ended_s) == ("Embedding", 10, 40, None)
    assert before <= seen.started_s <= seen.stage_started_s <= clock.epoch_s()
    work.may_end.set()
    last = ended(registry, run_id)
    assert (last.state, last.note, last.error, last.done) == ("done", "All 40 embedded.", None, 40)
    assert last.ended_s >= last.started_s
    assert seen.done == 10, "a snapshot never changes"


def test_new_stage_starts_counting_anew(registry, run_id):
    seen = []

    def work(job):
        job.stage("Embedding", 3)
        job.progress(3, 3)
        job.stage("Clustering")
        seen.append(registry.job(run_id))
        return "Done."

    registry.start(run_id, "Build clusters", work)
    ended(registry, run_id)
    assert (seen[0].stage, seen[0].done, seen[0].total) == ("Clustering", 0, 0)


def test_second_job_of_a_run_is_refused_while_the_first_is_under_way(registry, work, run_id, other_run):
    registry.start(run_id, "Build clusters", work)
    with pytest.raises(WorkspaceError, match="Build clusters is still under way: wait for it or cancel it"):
        registry.start(run_id, "Propose packages", work)
    assert registry.job(run_id).title == "Build clusters"
    other = registry.start(other_run, "Propose packages", lambda _: "Done.")
    assert other.running
    work.may_end.set()
    ended(registry, run_id)
    registry.start(run_id, "Propose packages", lambda _: "Again.")
    assert ended(registry, run_id).note == "Again."


@pytest.mark.both_databases
def test_of_many_starts_at_once_one_wins(registry, work, run_id):
    start, results = threading.Barrier(8), []

    def press():
        start.wait()
        try:
            results.append(registry.start(run_id, "Build clusters", work))
        except WorkspaceError:
            results.append(None)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert sum(job is not None for job in results) == 1


def test_cancelled_job_stops_at_its_next_step(registry, work, run_id):
    registry.start(run_id, "Build clusters", work)
    assert work.started.wait(PATIENCE_S)
    registry.cancel(run_id)
    assert registry.job(run_id).running, "it is asked, not killed"
    work.may_end.set()
    job = ended(registry, run_id)
    assert (job.state, job.note, job.error, job.done) == ("cancelled", None, None, 10)
    assert job.ended_s is not None


def test_work_that_ends_by_itself_after_a_cancel_keeps_its_note(registry, run_id):
    def work(job):
        assert job.cancelled.wait(PATIENCE_S)
        return "2 of 9 proposed."

    registry.start(run_id, "Propose packages", work)
    registry.cancel(run_id)
    job = ended(registry, run_id)
    assert (job.state, job.note) == ("cancelled", "2 of 9 proposed.")


def test_cancel_does_not_reach_the_next_job_of_the_run(registry, run_id):
    registry.start(run_id, "First", lambda _: "Done.")
    ended(registry, run_id)
    registry.cancel(run_id)
    registry.cancel("no such run")
    registry.start(run_id, "Second", lambda job: job.check() or "Done.")
    assert ended(registry, run_id).state == "done"


def test_known_error_fails_the_job_with_its_own_sentence(registry, caplog, run_id):
    def work(_):
        raise DealweaverError("Gemini refused the key: check GEMINI_API_KEY.")

    registry.start(run_id, "Propose packages", work)
    job = ended(registry, run_id)
    assert (job.state, job.error) == ("failed", "Gemini refused the key: check GEMINI_API_KEY.")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.records[0].exc_info is None


def test_crash_fails_the_job_with_a_sentence_and_the_traceback_is_in_the_log(registry, caplog, run_id):
    def work(job):
        job.stage("Clustering")
        return {}["no such key"]

    registry.start(run_id, "Build clusters", work)
    job = ended(registry, run_id)
    assert job.state == "failed"
    assert job.error == "It stopped unexpectedly (KeyError): the log has the details; try again."
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info[0] is KeyError
    assert "no such key" in caplog.text


def test_only_ended_jobs_can_be_dismissed(registry, work, run_id):
    registry.dismiss(run_id)
    assert registry.job(run_id) is None
    registry.start(run_id, "Build clusters", work)
    registry.dismiss(run_id)
    assert registry.job(run_id).running
    work.may_end.set()
    ended(registry, run_id)
    registry.dismiss(run_id)
    assert registry.job(run_id) is None


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"done": 10, "total": 40}, 30),
        ({"done": 40, "total": 40}, 0),
        ({"done": 0, "total": 40}, None),
        ({"done": 10, "total": 0}, None),
        ({"done": 10, "total": 40, "state": "done"}, None),
    ],
)
def test_time_left_follows_from_the_speed_of_the_stage(changes, seconds):
    now = clock.epoch_s()
    job = Job(
        "r",
        "Build clusters",
        started_s=now - 1000,
        stage_started_s=now - 10,
        progressed_s=now,
        **changes,
    )
    assert job.eta_s == (None if seconds is None else pytest.approx(seconds, abs=1))


def test_time_left_shrinks_between_two_steps():
    now = clock.epoch_s()
    job = Job("r", "Build", stage_started_s=now - 15, progressed_s=now - 5, done=10, total=40)
    assert job.eta_s == pytest.approx(25, abs=1)


# --- the queue --------------------------------------------------------------------------------


def test_more_jobs_than_slots_wait_for_their_turn_and_say_how_many_are_before_them(workspace, open_registry):
    registry, works = open_registry(slots=1), [Work(), Work(), Work()]
    runs = [workspace.create_run(parse_deals([{"deal_id": "1"}]), "deals.csv") for _ in works]
    for run_id, work in zip(runs, works, strict=True):
        registry.start(run_id, "Build clusters", work)
    assert works[0].started.wait(PATIENCE_S)
    assert [(registry.job(run_id).state, registry.job(run_id).ahead) for run_id in runs] == [
        ("running", 0),
        ("queued", 1),
        ("queued", 2),
    ]
    assert not works[1].started.is_set()
    works[0].may_end.set()
    assert works[1].started.wait(PATIENCE_S)
    assert registry.job(runs[2]).ahead == 1
    for work in works[1:]:
        work.may_end.set()
    assert [ended(registry, run_id).state for run_id in runs] == ["done", "done", "done"]


def test_a_job_that_waits_is_cancelled_at_once_and_never_begins(workspace, open_registry, other_run, run_id):
    registry, first, second = open_registry(slots=1), Work(), Work()
    registry.start(run_id, "First", first)
    registry.start(other_run, "Second", second)
    registry.cancel(other_run)
    assert registry.job(other_run).state == "cancelled"
    first.may_end.set()
    ended(registry, run_id)
    assert not second.started.is_set()
    assert workspace.newest_job(other_run).state == "cancelled"


def test_a_full_queue_refuses_with_a_sentence(workspace, open_registry):
    registry, work = open_registry(slots=1, most_waiting=1), Work()
    runs = [workspace.create_run(parse_deals([{"deal_id": "1"}]), "deals.csv") for _ in range(3)]
    for run_id in runs[:2]:
        registry.start(run_id, "Build clusters", work)
    with pytest.raises(WorkspaceError, match="1 jobs wait for their turn: try again when one has ended"):
        registry.start(runs[2], "Build clusters", work)
    assert registry.job(runs[2]) is None
    work.may_end.set()
    for run_id in runs[:2]:
        ended(registry, run_id)


# --- several processes ------------------------------------------------------------------------


def until(what):
    ends = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < ends, "it never happens"
        time.sleep(0.01)


def test_another_process_sees_the_job_with_its_progress_and_cannot_start_a_second(
    registry, open_registry, work, run_id
):
    other = open_registry()
    registry.start(run_id, "Build clusters", work)
    assert work.started.wait(PATIENCE_S)
    until(lambda: other.job(run_id).done == 10)
    assert (other.job(run_id).stage, other.job(run_id).total) == ("Embedding", 40)
    with pytest.raises(WorkspaceError, match="Build clusters is still under way"):
        other.start(run_id, "Build clusters", lambda _: "Twice.")
    work.may_end.set()
    assert ended(other, run_id).note == "All 40 embedded."


def test_another_process_can_stop_the_job(registry, open_registry, work, run_id):
    other = open_registry()
    registry.start(run_id, "Build clusters", work)
    assert work.started.wait(PATIENCE_S)
    other.cancel(run_id)
    work.may_end.set()
    until(lambda: not other.job(run_id).running)
    # The wish may come after the last step: then the work has ended by itself.
    assert ended(registry, run_id).state in {"cancelled", "done"}


def test_a_wish_of_another_process_reaches_the_work(registry, open_registry, run_id):
    other, seen = open_registry(), []

    def work(job):
        seen.append(job.cancelled.wait(PATIENCE_S))
        job.check()
        return "Not stopped."

    registry.start(run_id, "Propose packages", work)
    other.cancel(run_id)
    assert ended(registry, run_id).state == "cancelled"
    assert seen == [True]


@pytest.mark.both_databases
def test_of_two_processes_that_start_at_once_one_wins(open_registry, run_id):
    start, won, work = threading.Barrier(4), [], Work()

    def press(registry):
        start.wait()
        try:
            registry.start(run_id, "Build clusters", work)
            won.append(registry)
        except WorkspaceError:
            pass

    threads = [threading.Thread(target=press, args=(open_registry(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    work.may_end.set()
    ended(won[0], run_id)


def test_a_job_of_a_dead_process_is_interrupted_and_can_be_started_again(workspace, open_registry, run_id):
    gone = f"{platform.node()}:{dead_process()}:0"
    workspace.queue_job(run_id, "Build clusters", "clusters", {"max_deals": 9}, gone, lease_s=60.0)
    registry = open_registry()
    job = registry.job(run_id)
    assert (job.state, job.running) == ("interrupted", False)
    assert job.error == "The app ended while this was under way. What was finished is kept."
    assert (job.kind, dict(job.params)) == ("clusters", {"max_deals": 9})
    registry.start(run_id, job.title, lambda _: "Built.", kind=job.kind, params=job.params)
    assert ended(registry, run_id).note == "Built."


def test_a_job_whose_lease_ran_out_is_interrupted_even_if_its_process_cannot_be_seen(workspace, run_id):
    workspace.queue_job(run_id, "Build clusters", "clusters", {}, "elsewhere:1:0", lease_s=-1.0)
    assert workspace.newest_job(run_id).state == "interrupted"


def test_a_job_on_another_machine_is_under_way_while_its_lease_lasts(workspace, run_id):
    workspace.queue_job(
        run_id, "Build clusters", "clusters", {}, f"elsewhere:{dead_process()}:0", lease_s=60.0
    )
    assert workspace.newest_job(run_id).running


@pytest.mark.both_databases
def test_a_process_that_lost_its_job_stops_it_and_leaves_the_end_to_the_new_owner(
    workspace, open_registry, run_id
):
    asleep, awake, work = open_registry(lease_s=-1.0), open_registry(), Work()
    begun, seen = threading.Event(), []

    def until_stopped(job):
        begun.set()
        seen.append(job.cancelled.wait(PATIENCE_S))
        return "Done by the one that slept."

    asleep.start(run_id, "Build clusters", until_stopped)
    assert begun.wait(PATIENCE_S)  # a job that was lost before it began would do nothing
    until(lambda: workspace.newest_job(run_id).state == "interrupted")
    awake.start(run_id, "Build clusters", work)
    until(lambda: seen == [True])
    work.may_end.set()
    until(lambda: workspace.newest_job(run_id).state == "done")
    assert workspace.newest_job(run_id).note == "All 40 embedded."


def test_a_dismissed_interruption_does_not_come_back(workspace, open_registry, run_id):
    workspace.queue_job(run_id, "Build clusters", "clusters", {}, "elsewhere:1:0", lease_s=-1.0)
    registry = open_registry()
    registry.dismiss(run_id)
    assert registry.job(run_id) is None
    assert open_registry().job(run_id) is None


def test_what_a_job_said_at_its_end_is_there_after_a_restart(registry, open_registry, run_id):
    registry.start(run_id, "Build clusters", lambda _: "12 clusters.")
    ended(registry, run_id)
    job = open_registry().job(run_id)
    assert (job.state, job.note) == ("done", "12 clusters.")


def test_the_jobs_of_a_deleted_run_are_gone(registry, workspace, run_id):
    registry.start(run_id, "Build clusters", lambda _: "Done.")
    ended(registry, run_id)
    workspace.delete_run(run_id)
    assert workspace.newest_job(run_id) is None


def dead_process():
    """Return the number of a process that has ended."""
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    return int(done.stdout)


def test_every_process_has_a_name_of_its_own():
    assert len({new_owner() for _ in range(100)}) == 100


@pytest.mark.slow
def test_three_processes_never_run_one_job_twice(url, run_id, tmp_path):
    program = f"""
import sys, time
from core.errors import WorkspaceError
from core.storage import Workspace
from core.work import JobRegistry
store = Workspace({url!r})
registry = JobRegistry(store, tick_s=0.05)
out = open(sys.argv[1], "a")
for number in range(20):
    def work(job):
        out.write(f"begin {{time.time()}}\\n"); out.flush()
        time.sleep(0.02)
        out.write(f"end {{time.time()}}\\n"); out.flush()
        return "Done."
    try:
        registry.start({run_id!r}, "Work", work)
    except WorkspaceError:
        pass
    while registry.job({run_id!r}).running:
        time.sleep(0.005)
registry.close()
store.close()
"""
    logs = [tmp_path / f"{number}.log" for number in range(3)]
    running = [subprocess.Popen([sys.executable, "-c", program, str(log)]) for log in logs]
    assert [one.wait(120) for one in running] == [0, 0, 0]
    moments = sorted(
        (float(at), what) for log in logs for what, at in map(str.split, log.read_text().splitlines())
    )
    assert len(moments) >= 40
    assert [what for _, what in moments] == ["begin", "end"] * (len(moments) // 2), "two at a time"
