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

from core.errors import (
    BudgetReached,
    FatalProposalError,
    ProposalError,
    QuotaReached,
    RequestRefused,
    RetryableError,
    TooLong,
    UnusableAnswer,
)
from core.proposals import (
    Answer,
    AskContext,
    DealGroup,
    Limits,
    Outcome,
    Proposal,
    ProposalRun,
    RulesProposer,
    Unpackaged,
    Usage,
    rules_label,
    run_proposals,
)
from core.proposals.circuit_breaker import Breaker
from tests.fakes.clock import RunningClock
from tests.fakes.proposers import NotedCalls, ScriptedProposer, group_of, one_package

BUSY = RetryableError("busy", retry_after_s=0.0)
DAMAGED = UnusableAnswer("damaged", raw="{raw")
REFUSED = UnusableAnswer("refused", raw="", remedy="none")
CUT = UnusableAnswer("cut", raw="{raw", remedy="smaller")
QUOTA = QuotaReached("over the rate", retry_after_s=0.0)
FORM = RequestRefused("odd parameter")
LONG = TooLong("too long")


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
    backwards = [group.id for group in reversed(groups)]
    turns = {cluster_id: threading.Event() for cluster_id in backwards}
    ended: list[str] = []
    proposer = ScriptedProposer()

    def in_turn(group: DealGroup) -> Answer:
        assert turns[group.id].wait(60)
        return one_package(group)

    def note(outcome: Outcome) -> None:
        ended.append(outcome.cluster_id)
        for following in backwards[len(ended) :][:1]:
            turns[following].set()

    turns[backwards[0]].set()
    proposer.always = in_turn
    run = run_proposals(groups, proposer, Limits(workers=6), on_outcome=note)
    assert_complete(run, groups)
    assert ended == backwards
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


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_what_the_other_workers_had_finished_still_reaches_the_listener(error: BaseException) -> None:
    saved: list[str] = []
    proposer = ScriptedProposer()
    all_in = threading.Barrier(4)

    def together(group: DealGroup) -> Answer:
        all_in.wait(5)
        return one_package(group)

    proposer.always = together

    def first_breaks(outcome: Outcome) -> None:
        saved.append(outcome.cluster_id)
        if len(saved) == 1:
            ends = time.monotonic() + 5  # until the other answers are in as well
            while proposer.running and time.monotonic() < ends:
                time.sleep(0.005)
            time.sleep(0.05)
            raise error

    with pytest.raises(type(error)):
        run_proposals(groups_of(4), proposer, Limits(workers=4), on_outcome=first_breaks)
    assert sorted(saved) == ["Topic0", "Topic1", "Topic2", "Topic3"]


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
        pytest.param([BUSY, BUSY, DAMAGED], "done", 4, id="damaged, when nearly given up as busy"),
        pytest.param([CUT, CUT], "failed", 2, id="cut twice, too small for parts"),
        pytest.param([QUOTA], "done", 2, id="over the rate once"),
        pytest.param([QUOTA, QUOTA], "done", 3, id="over the rate twice"),
        pytest.param([QUOTA, QUOTA, QUOTA], "failed", 3, id="over the rate however long it waits"),
        pytest.param([BUSY, BUSY, QUOTA, QUOTA], "done", 5, id="the rate costs no attempt"),
        pytest.param([FORM], "done", 2, id="form refused"),
        pytest.param([FORM, FORM], "failed", 2, id="plain form refused"),
        pytest.param([FORM, BUSY, DAMAGED], "done", 4, id="everything once"),
        pytest.param([LONG], "failed", 1, id="too long, too small for parts"),
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
    proposer.enqueue("Topic0", DAMAGED, BUSY, BUSY, BUSY)
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


def test_known_rate_limit_is_kept_to_without_a_refused_call() -> None:
    proposer = ScriptedProposer(limit=(4, 0.6))
    limits = Limits(workers=6, requests_per_minute=400, rate_window_s=0.6)
    run = run_proposals(groups_of(10), proposer, limits)
    assert set(statuses(run)) == {"done"}
    assert len(proposer.history) == 10


def test_unknown_rate_limit_is_learned_from_one_round_of_refused_calls() -> None:
    # Long against the delays of a busy machine: a call that arrives late is no refusal to learn from.
    proposer = ScriptedProposer(limit=(4, 1.0), latency_s=0.01)
    run = run_proposals(groups_of(12), proposer, Limits(workers=4))
    assert set(statuses(run)) == {"done"}
    assert len(proposer.history) <= 12 + 4 + 1


def test_rules_are_held_by_no_rate_and_no_cap() -> None:
    limits = Limits(requests_per_minute=1, max_calls=1, max_tokens=1, max_usd=0.01)
    started = time.monotonic()
    run = run_proposals(groups_of(5), RulesProposer(), limits)
    assert time.monotonic() - started < 5
    assert set(statuses(run)) == {"done"}


# --- remedies ---------------------------------------------------------------------------------


def contexts(proposer: ScriptedProposer) -> list[AskContext]:
    return [attempt.context for attempt in proposer.history]


def test_refused_form_is_asked_again_in_plain_form() -> None:
    proposer = ScriptedProposer()
    proposer.enqueue("Topic0", FORM, DAMAGED)
    run_proposals(groups_of(1), proposer)
    assert [context.plain for context in contexts(proposer)] == [False, True, True]


def test_model_is_told_what_was_wrong_with_its_answer() -> None:
    proposer = ScriptedProposer()
    proposer.enqueue("Topic0", DAMAGED, BUSY)
    run_proposals(groups_of(1), proposer)
    assert [context.repair for context in contexts(proposer)] == [None, "damaged", "damaged"]


def test_cut_answer_is_asked_for_with_less_thinking_then_in_halves() -> None:
    group = group_of("News", 9)
    proposer = ScriptedProposer()
    proposer.enqueue("News", CUT, CUT)
    run = run_proposals([group], proposer)
    assert_complete(run, [group])
    assert statuses(run) == ["done"]
    assert [context.effort for context in contexts(proposer)] == ["default", "minimal", "minimal", "minimal"]
    assert [context.attempt for context in contexts(proposer)] == [1, 2, 3, 4]
    whole, again, one, other = (set(attempt.deal_ids) for attempt in proposer.history)
    assert whole == again == one | other
    assert one.isdisjoint(other)
    assert {len(one), len(other)} == {4, 5}


def test_cluster_that_is_too_long_is_asked_about_in_halves_of_alike_deals() -> None:
    group = group_of("News", 8)
    proposer = ScriptedProposer(usage=Usage(10, 1))
    proposer.enqueue("News", LONG)
    (outcome,) = run_proposals([group], proposer).outcomes
    assert (outcome.status, outcome.attempts, len(outcome.proposals)) == ("done", 3, 2)
    assert outcome.usage == Usage(20, 2)
    formats = {deal.deal_id: deal.formats for deal in group.deals}
    for proposal in outcome.proposals:
        assert len({formats[deal_id] for deal_id in proposal.deal_ids}) == 1


def test_half_that_fails_fails_its_cluster() -> None:
    groups = [group_of("News", 8), group_of("Cars", 8)]
    proposer = ScriptedProposer()
    proposer.enqueue("News", LONG, one_package, REFUSED)
    run = run_proposals(groups, proposer)
    assert_complete(run, groups)
    assert statuses(run) == ["failed", "done"]


def test_parts_are_halved_again_until_they_are_too_small() -> None:
    group = group_of("News", 25)
    proposer = ScriptedProposer(always=LONG)
    (outcome,) = run_proposals([group], proposer).outcomes
    assert outcome.status == "failed"
    assert [len(attempt.deal_ids) for attempt in proposer.history] == [25, 12, 6, 3]


def test_calls_per_cluster_can_be_bounded_whatever_the_reason() -> None:
    for error in (QUOTA, BUSY, DAMAGED, FORM, LONG, CUT):
        proposer = ScriptedProposer(always=error)
        (outcome,) = run_proposals([group_of("News", 8)], proposer, Limits(attempts=1)).outcomes
        assert (outcome.status, outcome.attempts, len(proposer.history)) == ("failed", 1, 1)


# --- rules in place of a model ----------------------------------------------------------------


def test_rules_stand_in_for_a_failed_cluster_and_say_so() -> None:
    groups = groups_of(3)
    proposer = ScriptedProposer()
    proposer.enqueue("Topic1", REFUSED)
    run = run_proposals(groups, proposer, fallback=RulesProposer())
    assert statuses(run) == ["done", "failed", "done"]
    failed = run.outcomes[1]
    by_rules = RulesProposer().propose(groups[1])
    assert (failed.proposals, failed.unpackaged) == (by_rules.proposals, by_rules.unpackaged)
    assert failed.proposals
    assert failed.error == "refused"
    assert failed.proposal_source == rules_label("refused")
    assert [o.stand_in for o in run.with_status("done")] == [None, None]


def test_rules_stand_in_for_the_rest_after_a_fatal_error() -> None:
    groups = groups_of(6)
    proposer = ScriptedProposer()
    proposer.enqueue("Topic1", FatalProposalError("Wrong key."))
    ended: list[Outcome] = []
    run = run_proposals(groups, proposer, fallback=RulesProposer(), on_outcome=ended.append)
    assert statuses(run) == ["done", "failed", *["not_sent"] * 4]
    assert {o.proposal_source for o in run.outcomes[1:]} == {rules_label("Wrong key.")}
    assert all(o.proposals for o in run.outcomes)
    assert len(proposer.history) == 2
    assert len(ended) == 6


def test_cancelled_clusters_wait_and_get_no_rules() -> None:
    cancelled = threading.Event()
    cancelled.set()
    run = run_proposals(groups_of(3), ScriptedProposer(), fallback=RulesProposer(), cancelled=cancelled)
    assert [(o.status, o.proposals, o.stand_in) for o in run.outcomes] == [("not_sent", (), None)] * 3


def test_rules_group_what_a_model_left_out() -> None:
    group = group_of("News", 9)
    ids = [deal.deal_id for deal in group.deals]
    left = tuple(Unpackaged(deal_id, "left out") for deal_id in ids[3:])
    answer = Answer((Proposal("Model Package", tuple(ids[:3]), "Why."),), left)
    run = run_proposals([group], ScriptedProposer(always=answer), fallback=RulesProposer())
    assert_complete(run, [group])
    (outcome,) = run.outcomes
    assert (outcome.status, outcome.stand_in) == ("done", None)
    assert outcome.proposals[0] == answer.proposals[0]
    by_rules = outcome.proposals[1:]
    assert by_rules
    assert all("No language model was used" in proposal.reasoning for proposal in by_rules)
    assert all(repr(proposal.name) in outcome.issues[-1] for proposal in by_rules)
    assert "Rules, not the model" in outcome.issues[-1]


@pytest.mark.parametrize("left", [1, 2])
def test_fewer_than_three_deals_stay_left_out(left: int) -> None:
    group = group_of("News", 8)
    ids = [deal.deal_id for deal in group.deals]
    unpackaged = tuple(Unpackaged(deal_id, "left out") for deal_id in ids[:left])
    answer = Answer((Proposal("Model Package", tuple(ids[left:]), "Why."),), unpackaged)
    (outcome,) = run_proposals([group], ScriptedProposer(always=answer), fallback=RulesProposer()).outcomes
    assert (outcome.proposals, outcome.unpackaged, outcome.issues) == (answer.proposals, unpackaged, ())


def test_fallback_with_a_bug_leaves_the_reason_of_the_failure(caplog: pytest.LogCaptureFixture) -> None:
    broken = ScriptedProposer(always=ZeroDivisionError("a bug"))
    broken.source = "broken rules"
    (outcome,) = run_proposals(groups_of(1), ScriptedProposer(always=REFUSED), fallback=broken).outcomes
    assert (outcome.status, outcome.error, outcome.stand_in) == ("failed", "refused", None)
    assert "ZeroDivisionError" in caplog.text


# --- known answers, recorder, spending --------------------------------------------------------


def test_known_answer_costs_no_call() -> None:
    groups = groups_of(3)
    old = replace(one_package(groups[1]), usage=Usage(100, 10), model="m")
    proposer = ScriptedProposer(usage=Usage(5, 1))
    run = run_proposals(groups, proposer, known=lambda group: old if group.id == "Topic1" else None)
    assert_complete(run, groups)
    assert [attempt.cluster_id for attempt in proposer.history] == ["Topic0", "Topic2"]
    known = run.outcomes[1]
    assert (known.status, known.cached, known.attempts, known.usage) == ("done", True, 0, Usage())
    assert (known.model, known.proposals) == ("m", old.proposals)
    assert [o.cached for o in run.outcomes] == [False, True, False]


def test_recorder_gets_every_call_and_every_reply() -> None:
    noted = NotedCalls()
    proposer = ScriptedProposer()
    proposer.enqueue("Topic0", QUOTA, DAMAGED)
    run_proposals(groups_of(2), proposer, recorder=noted)
    assert noted.begun == [("Topic0", 1), ("Topic0", 2), ("Topic0", 3), ("Topic1", 1)]
    assert [(cluster_id, attempt) for cluster_id, attempt, _ in noted.replies] == [
        ("Topic0", 2),
        ("Topic0", 3),
        ("Topic1", 1),
    ]
    assert noted.replies[0][2].text == "{raw"
    assert noted.failures == [("Topic0", 1, QUOTA), ("Topic0", 2, DAMAGED)]


def test_bug_of_a_proposer_is_recorded_as_a_failure() -> None:
    noted = NotedCalls()
    run_proposals(groups_of(1), ScriptedProposer(always=ZeroDivisionError("a bug")), recorder=noted)
    ((_, _, error),) = noted.failures
    assert "ZeroDivisionError" in str(error)


def test_recorder_that_cannot_keep_a_reply_ends_the_run_and_tells_the_caller() -> None:
    noted = NotedCalls()
    noted.broken = OSError("disk full")
    proposer = ScriptedProposer(latency_s=0.02)
    with pytest.raises(OSError, match="disk full"):
        run_proposals(groups_of(20), proposer, Limits(workers=2), recorder=noted)
    assert len(proposer.history) <= 4


def test_usage_is_that_of_all_calls_also_of_unusable_answers() -> None:
    groups = groups_of(2)
    proposer = ScriptedProposer(usage=Usage(10, 2))
    proposer.enqueue("Topic0", DAMAGED)
    proposer.enqueue("Topic1", DAMAGED, DAMAGED)
    done, failed = run_proposals(groups, proposer).outcomes
    assert (done.status, done.usage) == ("done", Usage(20, 4))
    assert (failed.status, failed.usage, failed.model) == ("failed", Usage(20, 4), "scripted")


def test_tokens_of_a_late_answer_are_counted(hanging: threading.Event) -> None:
    groups = groups_of(2)
    noted = NotedCalls()
    proposer = ScriptedProposer(usage=Usage(10, 2))

    def late(group: DealGroup) -> Answer:
        hanging.wait(30)
        return one_package(group)

    def until_the_late_one_is_in(group: DealGroup) -> Answer:
        hanging.set()
        ends = time.monotonic() + 5
        while not noted.replies and time.monotonic() < ends:
            time.sleep(0.005)
        return one_package(group)

    proposer.enqueue("Topic0", late)
    proposer.enqueue("Topic1", until_the_late_one_is_in)
    limits = Limits(attempts=1, call_timeout_s=0.2)
    ended: list[Outcome] = []
    run = run_proposals(groups, proposer, limits, recorder=noted, on_outcome=ended.append)
    assert statuses(run) == ["failed", "done"]
    assert [o.usage for o in run.outcomes] == [Usage(10, 2), Usage(10, 2)]
    assert ended[0].usage == Usage()
    assert [(cluster_id, attempt) for cluster_id, attempt, _ in noted.replies] == [
        ("Topic0", 1),
        ("Topic1", 1),
    ]


@pytest.mark.parametrize(
    ("limits", "calls", "what"),
    [
        pytest.param(Limits(max_calls=3), 3, "3 calls", id="calls"),
        pytest.param(Limits(max_tokens=36), 3, "36 tokens", id="tokens"),
        pytest.param(Limits(max_usd=0.45), 4, "0.45 US dollars", id="money"),
    ],
)
def test_run_stops_at_its_cap_and_rules_do_the_rest(limits: Limits, calls: int, what: str) -> None:
    groups = groups_of(8)
    proposer = ScriptedProposer(usage=Usage(10, 2))
    run = run_proposals(
        groups,
        proposer,
        limits,
        fallback=RulesProposer(),
        price=lambda usage: (usage.input_tokens or 0) * 0.0125,
    )
    assert len(proposer.history) == calls
    assert statuses(run) == ["done"] * calls + ["not_sent"] * (8 - calls)
    assert f"has used the {what} that it was allowed" in (run.stopped or "")
    assert all(o.proposals for o in run.outcomes)


def test_cap_lets_calls_under_way_end() -> None:
    groups = groups_of(6)
    proposer = ScriptedProposer(latency_s=0.3)
    run = run_proposals(groups, proposer, Limits(workers=4, max_calls=2))
    assert len(proposer.history) == len(run.with_status("done")) == 2


def test_cap_in_dollars_without_a_price_sends_nothing() -> None:
    proposer = ScriptedProposer()
    run = run_proposals(groups_of(2), proposer, Limits(max_usd=1.0))
    assert proposer.history == ()
    assert "price of this model is not known" in (run.stopped or "")


def test_replies_without_a_token_count_stop_a_run_that_caps_tokens() -> None:
    free = run_proposals(groups_of(4), ScriptedProposer(), Limits(max_calls=9))
    assert set(statuses(free)) == {"done"}
    assert {o.usage for o in free.outcomes} == {Usage()}
    capped = run_proposals(groups_of(4), ScriptedProposer(), Limits(max_tokens=99))
    assert statuses(capped).count("done") == 3
    assert "does not say how many tokens" in (capped.stopped or "")


# --- what stops a run -------------------------------------------------------------------------


def test_fatal_error_stops_after_at_most_one_call_per_worker() -> None:
    groups = groups_of(40)
    proposer = ScriptedProposer(always=FatalProposalError("Wrong key."), latency_s=0.05)
    run = run_proposals(groups, proposer, Limits(workers=4))
    assert_complete(run, groups)
    assert len(proposer.history) <= 4
    assert run.stopped == "Wrong key."
    assert "done" not in statuses(run)
    words = ("Not sent", "Not finished")  # a call may be under way when another worker meets the error
    for outcome in run.with_status("not_sent"):
        assert outcome.error == f"{words[outcome.attempts]}, the run stopped: Wrong key."


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
    all_in = threading.Barrier(2)  # the pause must not hold back the call that meets the wrong key

    def busy(_: DealGroup) -> Answer:
        all_in.wait(5)
        raise RetryableError("busy", retry_after_s=60)

    def wrong_key(_: DealGroup) -> Answer:
        all_in.wait(5)
        time.sleep(0.1)
        raise FatalProposalError("Wrong key.")

    proposer.enqueue("Topic1", busy)
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
    expected = {0: "Not sent: the run was cancelled.", 1: "Not finished: the run was cancelled."}
    assert all(o.error == expected[o.attempts] for o in run.with_status("not_sent"))
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
    asked = {attempt.cluster_id for attempt in proposer.history}
    for outcome in run.outcomes:
        word = "Not finished" if outcome.cluster_id in asked else "Not sent"
        assert (outcome.error or "").startswith(f"{word}: the run was cancelled")
        assert outcome.attempts == (outcome.cluster_id in asked)


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


def test_time_for_a_cluster_is_bounded_over_all_its_calls(
    hanging: threading.Event, present: RunningClock
) -> None:
    present.hurry(20)
    proposer = waiting_for(hanging)
    limits = Limits(transport_attempts=99, call_timeout_s=4, cluster_deadline_s=10)
    run = run_proposals(groups_of(1), proposer, limits)
    assert statuses(run) == ["failed"]
    assert len(proposer.history) == 3


def test_waiting_for_a_turn_is_not_time_of_the_cluster() -> None:
    limits = Limits(cluster_deadline_s=0.2, requests_per_minute=200, rate_window_s=0.3)
    run = run_proposals(groups_of(2), ScriptedProposer(), replace(limits, workers=2))
    assert statuses(run) == ["done", "done"]


# --- a service that fails everybody -----------------------------------------------------------


def test_a_service_that_is_down_for_everybody_ends_the_run_with_its_reason() -> None:
    groups = groups_of(10)
    limits = Limits(workers=2, transport_attempts=2)
    proposer = ScriptedProposer(always=BUSY)
    most = Breaker(limits).most_failures
    run = run_proposals(groups, proposer, limits)
    assert_complete(run, groups)
    assert run.stopped == f"The last {most} calls all failed. busy"
    assert len(run.with_status("not_sent")) >= 10 - 2 * limits.workers - limits.workers
    assert len(proposer.history) <= most + limits.workers


def test_quota_that_stays_used_up_ends_the_run_after_three_rounds() -> None:
    groups = groups_of(10)
    proposer = ScriptedProposer(always=QuotaReached("used up", retry_after_s=0.05))
    run = run_proposals(groups, proposer, Limits(workers=4), fallback=RulesProposer())
    assert run.stopped == "Calls were refused however long they waited. used up"
    assert len(proposer.history) <= 4 + 3
    assert set(statuses(run)) <= {"failed", "not_sent"}
    assert all(o.stand_in for o in run.outcomes)


def test_one_cluster_that_is_always_refused_costs_no_other() -> None:
    groups = groups_of(4)
    proposer = ScriptedProposer()
    proposer.enqueue("Topic1", *[QUOTA] * 20)
    run = run_proposals(groups, proposer)
    assert statuses(run) == ["done", "failed", "done", "done"]
    assert run.outcomes[1].attempts == 3
    assert run.stopped is None


def test_budget_is_an_error_that_stops_a_run() -> None:
    run = run_proposals(groups_of(3), ScriptedProposer(always=BudgetReached("spent")))
    assert (run.stopped, statuses(run)) == ("spent", ["failed", "not_sent", "not_sent"])
