"""Many clusters at once: order, limits, what is tried again, what stops, and that nothing is lost."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from core.errors import FatalProposalError, ProposalError, RetryableError, UnusableAnswer
from core.proposals import Answer, DealGroup, Limits, Outcome, ProposalRun, RulesProposer, run_proposals
from tests.fakes.proposers import ScriptedProposer, group_of, one_package

BUSY = RetryableError("busy", retry_after_s=0.0)
DAMAGED = UnusableAnswer("damaged", raw="{raw")
REFUSED = UnusableAnswer("refused", raw="", remedy="none")
CUT = UnusableAnswer("cut", raw="{raw", remedy="smaller")


def groups_of(count: int) -> list[DealGroup]:
    return [group_of(f"Topic{n}", 4) for n in range(count)]


def assert_complete(run: ProposalRun, groups: Sequence[DealGroup]) -> None:
    """Every cluster has one outcome in the order given; every deal is accounted for."""
    assert [outcome.cluster_id for outcome in run.outcomes] == [group.id for group in groups]
    for outcome, group in zip(run.outcomes, groups, strict=True):
        assert outcome.deal_ids == tuple(deal.deal_id for deal in group.deals)
        packaged = {deal_id for p in outcome.proposals for deal_id in p.deal_ids}
        if outcome.status == "done":
            assert packaged | {u.deal_id for u in outcome.unpackaged} == set(outcome.deal_ids)
            assert outcome.error is None
        else:
            assert outcome.error
            assert packaged == set()


def statuses(run: ProposalRun) -> list[str]:
    return [outcome.status for outcome in run.outcomes]


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """An event that a hanging attempt waits for; set at the end, so that no thread stays behind."""
    release = threading.Event()
    yield release
    release.set()


def waiting_for(event: threading.Event) -> ScriptedProposer:
    def hang(group: DealGroup) -> Answer:
        event.wait(30)
        return one_package(group)

    return ScriptedProposer(always=hang)


# --- order, threads, parallelism --------------------------------------------------------------


def test_no_clusters_give_an_empty_run() -> None:
    assert run_proposals([], ScriptedProposer()) == ProposalRun(())


def test_outcomes_keep_the_order_of_the_clusters() -> None:
    groups = groups_of(6)
    proposer = ScriptedProposer()

    def late(group: DealGroup) -> Answer:
        time.sleep(0.3 - 0.05 * int(group.id[-1]))
        return one_package(group)

    proposer.always = late
    ended: list[str] = []
    run = run_proposals(
        groups, proposer, Limits(workers=6), on_outcome=lambda outcome: ended.append(outcome.cluster_id)
    )
    assert_complete(run, groups)
    assert (ended[0], ended[-1]) == (groups[-1].id, groups[0].id)
    assert run.with_status("done") == run.outcomes
    assert run.stopped is None


@pytest.mark.parametrize("workers", [1, 8])
def test_as_many_clusters_run_at_once_as_there_are_workers(workers: int) -> None:
    proposer = ScriptedProposer(latency_s=0.1 if workers > 1 else 0.0)
    run_proposals(groups_of(16), proposer, Limits(workers=workers))
    assert proposer.peak_concurrency == workers


def test_outcomes_are_reported_in_the_callers_thread() -> None:
    threads: set[int] = set()
    run_proposals(
        groups_of(5),
        ScriptedProposer(),
        Limits(workers=4),
        on_outcome=lambda _: threads.add(threading.get_ident()),
    )
    assert threads == {threading.get_ident()}


def test_error_of_the_listener_ends_the_run_and_reaches_the_caller() -> None:
    proposer = ScriptedProposer(latency_s=0.05)

    def full_disk(_: Outcome) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_proposals(groups_of(20), proposer, Limits(workers=2), on_outcome=full_disk)
    assert len(proposer.history) < 20


def test_outcome_keeps_what_the_answer_said() -> None:
    group = group_of("News", 4)
    answer = RulesProposer().propose(group)
    proposer = ScriptedProposer(
        always=replace(answer, issues=("odd",), raw="{}", model="m", requested_model="r", latency_s=1.5)
    )
    (outcome,) = run_proposals([group], proposer).outcomes
    assert (outcome.status, outcome.source, outcome.model, outcome.attempts) == ("done", "scripted", "m", 1)
    assert (outcome.issues, outcome.raw, outcome.error) == (("odd",), "{}", None)
    assert (outcome.requested_model, outcome.latency_s, outcome.cached) == ("r", 1.5, False)


def test_rules_run_like_any_proposer(coherent_groups: list[DealGroup]) -> None:
    run = run_proposals(coherent_groups, RulesProposer(), Limits(workers=2))
    assert_complete(run, coherent_groups)
    assert set(statuses(run)) == {"done"}


# --- what is tried again ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("errors", "status", "attempts"),
    [
        pytest.param([], "done", 1, id="at once"),
        pytest.param([BUSY], "done", 2, id="busy once"),
        pytest.param([BUSY, BUSY], "done", 3, id="busy twice"),
        pytest.param([BUSY, BUSY, BUSY], "failed", 3, id="busy for ever"),
        pytest.param([DAMAGED], "done", 2, id="damaged once"),
        pytest.param([DAMAGED, DAMAGED], "failed", 2, id="damaged twice"),
        pytest.param([CUT], "done", 2, id="cut once"),
        pytest.param([DAMAGED, BUSY], "done", 3, id="damaged, then busy"),
        pytest.param([BUSY, DAMAGED], "done", 3, id="busy, then damaged"),
        pytest.param([DAMAGED, BUSY, DAMAGED], "failed", 3, id="damaged around busy"),
        pytest.param([REFUSED], "failed", 1, id="refused on purpose"),
        pytest.param([BUSY, REFUSED], "failed", 2, id="busy, then refused"),
        pytest.param([ProposalError("odd request")], "failed", 1, id="request refused"),
        pytest.param([RuntimeError("bug")], "failed", 1, id="bug"),
    ],
)
def test_errors_are_tried_again_as_their_kind_allows(
    errors: list[Exception], status: str, attempts: int
) -> None:
    groups = groups_of(3)
    proposer = ScriptedProposer()
    proposer.enqueue("Topic1", *errors)
    run = run_proposals(groups, proposer)
    assert_complete(run, groups)
    assert statuses(run) == ["done", status, "done"]
    assert run.outcomes[1].attempts == attempts
    numbers = [attempt.context.attempt for attempt in proposer.history if attempt.cluster_id == "Topic1"]
    assert numbers == list(range(1, attempts + 1))
    assert run.stopped is None


def test_failed_cluster_says_the_last_error_and_keeps_the_raw_answer() -> None:
    proposer = ScriptedProposer()
    proposer.enqueue("Topic0", DAMAGED, BUSY, BUSY)
    (outcome,) = run_proposals(groups_of(1), proposer).outcomes
    assert (outcome.status, outcome.error, outcome.raw) == ("failed", "busy", "{raw")


def test_unexpected_error_costs_only_its_cluster_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    groups = groups_of(4)
    proposer = ScriptedProposer()
    proposer.enqueue("Topic2", ZeroDivisionError("a bug"))
    run = run_proposals(groups, proposer, Limits(workers=4))
    assert_complete(run, groups)
    assert statuses(run) == ["done", "done", "failed", "done"]
    assert "ZeroDivisionError" in (run.outcomes[2].error or "")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None


def test_delay_that_the_service_asks_for_holds_all_workers() -> None:
    proposer = ScriptedProposer(latency_s=0.02)
    proposer.enqueue("Topic3", RetryableError("busy", retry_after_s=0.5))
    run = run_proposals(groups_of(40), proposer, Limits(workers=4))
    assert set(statuses(run)) == {"done"}
    starts = [attempt.started_s for attempt in proposer.history]
    # Calls under way may end, but in the pause no worker starts another.
    assert max(later - earlier for earlier, later in pairwise(starts)) >= 0.45


def test_failure_without_a_delay_holds_only_its_own_worker() -> None:
    proposer = ScriptedProposer(latency_s=0.01)
    proposer.enqueue("Topic0", RetryableError("down"), RetryableError("down"))
    run = run_proposals(groups_of(8), proposer, Limits(workers=2, attempts=2))
    assert statuses(run) == ["failed"] + ["done"] * 7


def test_known_rate_limit_spaces_the_calls() -> None:
    proposer = ScriptedProposer()
    run_proposals(groups_of(6), proposer, Limits(workers=6, requests_per_minute=1000))
    starts = [attempt.started_s for attempt in proposer.history]
    assert starts[-1] - starts[0] >= 5 * 0.06 - 0.02
    assert starts[-1] - starts[0] < 1


# --- what stops a run -------------------------------------------------------------------------


def test_fatal_error_stops_after_at_most_one_call_per_worker() -> None:
    groups = groups_of(40)
    proposer = ScriptedProposer(always=FatalProposalError("Wrong key."), latency_s=0.05)
    run = run_proposals(groups, proposer, Limits(workers=4))
    assert_complete(run, groups)
    assert len(proposer.history) <= 4
    assert run.stopped == "Wrong key."
    assert "done" not in statuses(run)
    assert {o.error for o in run.with_status("not_sent")} == {"Not sent, the run stopped: Wrong key."}


def test_fatal_error_keeps_what_is_finished() -> None:
    groups = groups_of(5)
    proposer = ScriptedProposer()
    proposer.enqueue("Topic2", FatalProposalError("Wrong key."))
    run = run_proposals(groups, proposer)
    assert_complete(run, groups)
    assert statuses(run) == ["done", "done", "failed", "not_sent", "not_sent"]
    assert [o.attempts for o in run.outcomes] == [1, 1, 1, 0, 0]


def test_fatal_error_ends_waiting_and_running_calls_soon(hanging: threading.Event) -> None:
    proposer = waiting_for(hanging)
    proposer.enqueue("Topic1", RetryableError("busy", retry_after_s=60))

    def wrong_key(_: DealGroup) -> Answer:
        time.sleep(0.1)
        raise FatalProposalError("Wrong key.")

    proposer.enqueue("Topic2", wrong_key)
    started = time.monotonic()
    run = run_proposals(groups_of(3), proposer, Limits(workers=3))
    assert time.monotonic() - started < 3
    assert statuses(run) == ["not_sent", "not_sent", "failed"]


def test_fatal_error_does_not_set_the_callers_event() -> None:
    cancelled = threading.Event()
    proposer = ScriptedProposer(always=FatalProposalError("Wrong key."))
    run_proposals(groups_of(3), proposer, cancelled=cancelled)
    assert not cancelled.is_set()


def test_cancelled_run_ends_soon_and_keeps_what_is_finished() -> None:
    groups = groups_of(30)
    cancelled = threading.Event()
    proposer = ScriptedProposer(latency_s=0.05)
    ended: list[Outcome] = []

    def third_ends(outcome: Outcome) -> None:
        ended.append(outcome)
        if len(ended) == 3:
            cancelled.set()

    run = run_proposals(groups, proposer, Limits(workers=2), on_outcome=third_ends, cancelled=cancelled)
    assert_complete(run, groups)
    assert 3 <= len(run.with_status("done")) <= 7
    assert len(proposer.history) <= 7
    assert {o.error for o in run.with_status("not_sent")} == {"Not sent: the run was cancelled."}
    assert run.with_status("failed") == ()
    assert run.stopped is None


def test_cancelling_does_not_wait_for_calls_pauses_or_a_slow_rate(hanging: threading.Event) -> None:
    cancelled = threading.Event()
    proposer = waiting_for(hanging)
    proposer.enqueue("Topic1", RetryableError("busy", retry_after_s=60))
    timer = threading.Timer(0.2, cancelled.set)
    timer.start()
    started = time.monotonic()
    run = run_proposals(
        groups_of(6), proposer, Limits(workers=4, requests_per_minute=600), cancelled=cancelled
    )
    timer.join()
    assert time.monotonic() - started < 3
    assert set(statuses(run)) == {"not_sent"}


def test_run_cancelled_before_it_starts_sends_nothing() -> None:
    cancelled = threading.Event()
    cancelled.set()
    proposer = ScriptedProposer()
    run = run_proposals(groups_of(3), proposer, cancelled=cancelled)
    assert statuses(run) == ["not_sent"] * 3
    assert proposer.history == ()


# --- calls that never end ---------------------------------------------------------------------


def test_hanging_cluster_is_bounded_and_the_others_go_on(hanging: threading.Event) -> None:
    groups = groups_of(6)
    proposer = ScriptedProposer()
    proposer.enqueue("Topic0", waiting_for(hanging).propose)
    started = time.monotonic()
    run = run_proposals(groups, proposer, Limits(workers=2, attempts=1, call_timeout_s=0.5))
    assert 0.5 <= time.monotonic() - started < 2
    assert_complete(run, groups)
    assert statuses(run) == ["failed"] + ["done"] * 5
    assert "within 0.5 s" in (run.outcomes[0].error or "")


def test_late_answer_is_thrown_away(hanging: threading.Event) -> None:
    reported: list[Outcome] = []
    proposer = waiting_for(hanging)
    limits = Limits(attempts=1, call_timeout_s=0.1)
    run = run_proposals(groups_of(1), proposer, limits, on_outcome=reported.append)
    hanging.set()
    time.sleep(0.05)
    assert statuses(run) == ["failed"]
    assert len(reported) == 1


def test_hanging_call_does_not_keep_the_interpreter_alive() -> None:
    script = """
import threading
from core.proposals import DealGroup, Limits, run_proposals

class Hanging:
    source = "hanging"
    def propose(self, group, context):
        threading.Event().wait()

run = run_proposals([DealGroup("c", ())], Hanging(), Limits(attempts=1, call_timeout_s=0.2))
print(run.outcomes[0].status)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=10, check=True
    )
    assert ended.stdout.strip() == "failed"


def test_a_service_that_is_down_for_everybody_ends_the_run_with_its_reason():
    groups = groups_of(10)
    limits = Limits(workers=2, attempts=2)
    proposer = ScriptedProposer(always=BUSY)

    run = run_proposals(groups, proposer, limits)

    assert_complete(run, groups)
    assert run.stopped == f"The last {limits.most_failures_in_a_row} calls all failed. busy"
    assert len(run.with_status("not_sent")) >= 10 - 2 * limits.workers - limits.workers
    assert len(proposer.history) <= limits.most_failures_in_a_row + limits.workers
