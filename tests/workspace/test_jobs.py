"""Jobs: what a page sees of long work, and that no end of it goes unseen."""

import logging
import threading
import time

import pytest

from core.errors import DealweaverError, WorkspaceError
from core.workspace import Job, JobRegistry

PATIENCE_S = 5.0


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


def ended(registry, run_id="r"):
    """Wait for a job to end and return it."""
    ends = time.monotonic() + PATIENCE_S
    while (job := registry.job(run_id)).running and time.monotonic() < ends:
        time.sleep(0.005)
    assert not job.running, "the job does not end"
    return job


@pytest.fixture
def registry():
    return JobRegistry()


@pytest.fixture
def work(registry):
    work = Work()
    yield work
    work.may_end.set()
    if registry.job("r"):
        ended(registry)


def test_progress_can_be_read_while_the_job_runs_and_its_note_when_it_is_done(registry, work):
    before = time.time()
    first = registry.start("r", "Build clusters", work)
    assert (first.run_id, first.title, first.state, first.running) == ("r", "Build clusters", "running", True)
    assert work.started.wait(PATIENCE_S)
    seen = registry.job("r")
    assert (seen.stage, seen.done, seen.total, seen.ended_s) == ("Embedding", 10, 40, None)
    assert before <= seen.started_s <= seen.stage_started_s <= time.time()
    work.may_end.set()
    last = ended(registry)
    assert (last.state, last.note, last.error, last.done) == ("done", "All 40 embedded.", None, 40)
    assert last.ended_s >= last.started_s
    assert seen.done == 10, "a snapshot never changes"


def test_new_stage_starts_counting_anew(registry):
    seen = []

    def work(job):
        job.stage("Embedding", 3)
        job.progress(3, 3)
        job.stage("Clustering")
        seen.append(registry.job("r"))
        return "Done."

    registry.start("r", "Build clusters", work)
    ended(registry)
    assert (seen[0].stage, seen[0].done, seen[0].total) == ("Clustering", 0, 0)


def test_second_job_of_a_run_is_refused_while_the_first_is_under_way(registry, work):
    registry.start("r", "Build clusters", work)
    with pytest.raises(WorkspaceError, match="Build clusters is still under way: wait for it or cancel it"):
        registry.start("r", "Propose packages", work)
    assert registry.job("r").title == "Build clusters"
    other = registry.start("other run", "Propose packages", lambda _: "Done.")
    assert other.running
    work.may_end.set()
    ended(registry)
    registry.start("r", "Propose packages", lambda _: "Again.")
    assert ended(registry).note == "Again."


def test_of_many_starts_at_once_one_wins(registry, work):
    start, results = threading.Barrier(8), []

    def press():
        start.wait()
        try:
            results.append(registry.start("r", "Build clusters", work))
        except WorkspaceError:
            results.append(None)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert sum(job is not None for job in results) == 1


def test_cancelled_job_stops_at_its_next_step(registry, work):
    registry.start("r", "Build clusters", work)
    assert work.started.wait(PATIENCE_S)
    registry.cancel("r")
    assert registry.job("r").running, "it is asked, not killed"
    work.may_end.set()
    job = ended(registry)
    assert (job.state, job.note, job.error, job.done) == ("cancelled", None, None, 10)
    assert job.ended_s is not None


def test_work_that_ends_by_itself_after_a_cancel_keeps_its_note(registry):
    def work(job):
        assert job.cancelled.wait(PATIENCE_S)
        return "2 of 9 proposed."

    registry.start("r", "Propose packages", work)
    registry.cancel("r")
    job = ended(registry)
    assert (job.state, job.note) == ("cancelled", "2 of 9 proposed.")


def test_cancel_does_not_reach_the_next_job_of_the_run(registry):
    registry.start("r", "First", lambda _: "Done.")
    ended(registry)
    registry.cancel("r")
    registry.cancel("no such run")
    registry.start("r", "Second", lambda job: job.check() or "Done.")
    assert ended(registry).state == "done"


def test_known_error_fails_the_job_with_its_own_sentence(registry, caplog):
    def work(_):
        raise DealweaverError("Gemini refused the key: check GEMINI_API_KEY.")

    registry.start("r", "Propose packages", work)
    job = ended(registry)
    assert (job.state, job.error) == ("failed", "Gemini refused the key: check GEMINI_API_KEY.")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.records[0].exc_info is None


def test_crash_fails_the_job_with_a_sentence_and_the_traceback_is_in_the_log(registry, caplog):
    def work(job):
        job.stage("Clustering")
        return {}["no such key"]

    registry.start("r", "Build clusters", work)
    job = ended(registry)
    assert job.state == "failed"
    assert job.error == "It stopped unexpectedly (KeyError): the log has the details; try again."
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info[0] is KeyError
    assert "no such key" in caplog.text


def test_only_ended_jobs_can_be_dismissed(registry, work):
    registry.dismiss("r")
    assert registry.job("r") is None
    registry.start("r", "Build clusters", work)
    registry.dismiss("r")
    assert registry.job("r").running
    work.may_end.set()
    ended(registry)
    registry.dismiss("r")
    assert registry.job("r") is None


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
    now = time.time()
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
    now = time.time()
    job = Job("r", "Build", stage_started_s=now - 15, progressed_s=now - 5, done=10, total=40)
    assert job.eta_s == pytest.approx(25, abs=1)
