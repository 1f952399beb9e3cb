"""What must hold whatever the service does: every fault, at every call, alone and mixed with others."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from core.proposals import Outcome, Proposal, ProposalRun, RulesProposer, Unpackaged
from tests.fakes.faults import FAULTS
from tests.proposals.test_gemini import REFUSED, STOPS
from tests.proposals.trials import (
    GROUPS,
    KEY,
    NO_FAULT,
    ONE_EACH,
    PROMISES,
    SINGLE,
    Trace,
    Trial,
    broken_promises,
    lost_deals,
    mixture,
    one_fault,
    run_trial,
    run_trials,
)

# The client warns of a finish reason it does not know; an error would hide what happens in production.
pytestmark = pytest.mark.filterwarnings("ignore:BRAND_NEW is not a valid FinishReason:UserWarning")

ONCE = [
    one_fault(fault, f"at call {number % SINGLE}", at=[number % SINGLE])
    for number, fault in enumerate(FAULTS)
]
"""Every fault, once; the call it strikes goes round."""
FEW = {
    **{f"every fault once, part {part + 1}": ONCE[part::4] for part in range(4)},
    "mixtures": [mixture(seed) for seed in range(3)],
}

WHEN: dict[str, dict[str, Any]] = {
    **{f"at call {at}": {"at": [at]} for at in range(SINGLE)},
    # The fourth call of a run is the first that is made again.
    **{f"at call {at} and 3": {"at": [at, 3]} for at in range(SINGLE)},
    "first call about each cluster": {"first_per_prompt": True},
    "one cluster": {"containing": "News Place"},
    "always": {"always": True},
}
EVERYWHERE = {label: [one_fault(fault, label, **when) for fault in FAULTS] for label, when in WHEN.items()}
"""Every fault, at every call."""
MORE_MIXED = {
    f"mixtures {first} to {first + 19}": [mixture(seed) for seed in range(first, first + 20)]
    for first in (3, 23)
}


def by_label(trials: dict[str, list[Trial]]) -> Any:
    """Try many at a time, as most of their time is waiting."""
    return pytest.mark.parametrize("trials", trials.values(), ids=trials)


@pytest.fixture(scope="module")
def sound() -> Trace:
    """A trial of all clusters in which nothing fails."""
    return run_trial(NO_FAULT)


@pytest.fixture(scope="module")
def good(sound: Trace) -> ProposalRun:
    """What becomes of all clusters when nothing fails."""
    return sound.run


@pytest.fixture
def log() -> Iterator[list[str]]:
    """Everything that is logged while trials run, tracebacks included."""
    lines: list[str] = []
    handler, formatter = logging.Handler(logging.DEBUG), logging.Formatter()
    handler.emit = lambda record: lines.append(formatter.format(record))  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(handler)


# --- every fault ------------------------------------------------------------------------------


def test_the_rules_leave_something_over() -> None:
    """A deal that is left over can be lost; without one these tests would not notice."""
    for group in GROUPS:
        assert len(RulesProposer().propose(group).unpackaged) == 1


def test_without_a_fault_every_cluster_is_done(sound: Trace, good: ProposalRun) -> None:
    assert {outcome.status for outcome in good.outcomes} == {"done"}
    assert broken_promises(sound, good) == []


@by_label(FEW)
def test_nothing_is_lost_or_believed_or_told_of_the_key(
    trials: list[Trial], good: ProposalRun, log: list[str]
) -> None:
    assert_every_promise_is_kept(trials, good, log)


@pytest.mark.slow
@by_label(EVERYWHERE | MORE_MIXED)
def test_nothing_is_lost_or_believed_or_told_of_the_key_at_any_call(
    trials: list[Trial], good: ProposalRun, log: list[str]
) -> None:
    assert_every_promise_is_kept(trials, good, log)


def assert_every_promise_is_kept(trials: list[Trial], good: ProposalRun, log: list[str]) -> None:
    traces = run_trials(trials)
    assert len(traces) == len(trials)
    broken = {name: broken_promises(trace, good) for name, trace in traces.items()}
    assert {name: promises for name, promises in broken.items() if promises} == {}
    wrong = {name: how_it_ended_wrongly(trace) for name, trace in traces.items() if struck_once(trace.trial)}
    assert {name: how for name, how in wrong.items() if how} == {}
    assert len(log) > len(trials)  # every call writes a line
    assert KEY not in "\n".join(log)


def struck_once(trial: Trial) -> bool:
    """Whether one call of the trial meets a fault."""
    return [len(when.get("at", ())) for when in trial.strikes.values()] == [1]


def how_it_ended_wrongly(trace: Trace) -> list[str]:
    """Say what is wrong with who failed: what can be mended is, what cannot fails alone or stops the run."""
    (fault,) = trace.trial.strikes
    (struck,) = trace.struck
    fatal = fault in STOPS - {"404_model"}  # the successor of a model is still there
    ended = {outcome.cluster_id: outcome.status for outcome in trace.run.outcomes}
    own = ended.pop(struck)
    found = {
        f"the run stopped: {trace.run.stopped}": (trace.run.stopped is not None) != fatal,
        f"{struck} is {own}": own != ("failed" if fatal or fault in REFUSED else "done"),
        f"the others are {ended}": not set(ended.values()) <= ({"done", "not_sent"} if fatal else {"done"}),
    }
    return [words for words, wrong in found.items() if wrong]


# --- the checks themselves --------------------------------------------------------------------


def lose_a_deal(outcome: Outcome) -> Outcome:
    first, *rest = outcome.proposals
    return replace(outcome, proposals=(replace(first, deal_ids=first.deal_ids[1:]), *rest))


def give_no_reason(outcome: Outcome) -> Outcome:
    first, *rest = outcome.proposals
    dropped = tuple(Unpackaged(deal_id, " ") for deal_id in first.deal_ids)
    return replace(outcome, proposals=tuple(rest), unpackaged=dropped)


def fail_without_a_word(outcome: Outcome) -> Outcome:
    return replace(outcome, status="failed", stand_in="Rules (AI failed: it)")


def add_foreign_id(outcome: Outcome) -> Outcome:
    first, *rest = outcome.proposals
    return replace(outcome, proposals=(replace(first, deal_ids=(*first.deal_ids, "News-001")), *rest))


def repeat_an_id(outcome: Outcome) -> Outcome:
    first, *rest = outcome.proposals
    return replace(outcome, proposals=(replace(first, deal_ids=first.deal_ids + first.deal_ids[:1]), *rest))


def add_a_small_package(outcome: Outcome) -> Outcome:
    small = Proposal("Two Package", outcome.deal_ids[:2], "Two.")
    return replace(outcome, proposals=(*outcome.proposals, small))


def call_rules_a_model(outcome: Outcome) -> Outcome:
    return replace(
        outcome, proposals=tuple(replace(item, source="Rules (no AI)") for item in outcome.proposals)
    )


def change_a_name(outcome: Outcome) -> Outcome:
    first, *rest = outcome.proposals
    return replace(outcome, proposals=(replace(first, name="Another Package"), *rest))


def say_the_key(outcome: Outcome) -> Outcome:
    return replace(outcome, raw=f"x{KEY}x")


ACCOUNTED, REASON, OWN, THREE, DONE, UNCHANGED, CANARY = PROMISES


@pytest.mark.parametrize(
    ("damage", "broken"),
    [
        (lose_a_deal, {ACCOUNTED, UNCHANGED}),
        (give_no_reason, {REASON, UNCHANGED}),
        (fail_without_a_word, {REASON, DONE, UNCHANGED}),
        (add_foreign_id, {ACCOUNTED, OWN, UNCHANGED}),
        (repeat_an_id, {OWN, UNCHANGED}),
        (add_a_small_package, {THREE, UNCHANGED}),
        (call_rules_a_model, {DONE, UNCHANGED}),
        (change_a_name, {UNCHANGED}),
        (say_the_key, {CANARY}),
    ],
)
def test_a_broken_outcome_is_noticed(
    sound: Trace, good: ProposalRun, damage: Callable[[Outcome], Outcome], broken: set[str]
) -> None:
    first, *rest = good.outcomes
    hurt = replace(sound, run=replace(good, outcomes=(damage(first), *rest)))
    assert broken_promises(hurt, good) == [f"Sports: {name}" for name in PROMISES if name in broken]


def test_a_cluster_that_is_done_without_an_answer_is_noticed(good: ProposalRun) -> None:
    trace = run_trial(one_fault("safety_stop", "one cluster", containing="News Place"))
    before, _, after = trace.run.outcomes
    hurt = replace(trace, run=replace(trace.run, outcomes=(before, good.outcomes[1], after)))
    assert broken_promises(trace, good) == []
    assert broken_promises(hurt, good) == [f"News: {DONE}"]


def test_a_cluster_that_is_not_there_is_noticed(sound: Trace, good: ProposalRun) -> None:
    hurt = replace(sound, run=replace(good, outcomes=good.outcomes[1:]))
    assert broken_promises(hurt, good) == [ONE_EACH]


def test_an_end_that_is_wrong_is_noticed() -> None:
    trace = run_trial(one_fault("500", "at call 0", at=[0]))
    (struck,) = trace.struck
    (other, _) = {outcome.cluster_id for outcome in trace.run.outcomes} - {struck}

    def hurt(cluster_id: str, status: str) -> Trace:
        outcomes = [
            replace(item, status=status) if item.cluster_id == cluster_id else item
            for item in trace.run.outcomes
        ]
        return replace(trace, run=replace(trace.run, outcomes=tuple(outcomes)))

    assert how_it_ended_wrongly(trace) == []
    stopped = replace(trace, run=replace(trace.run, stopped="It is down."))
    assert how_it_ended_wrongly(stopped) == ["the run stopped: It is down."]
    assert how_it_ended_wrongly(hurt(struck, "failed")) == [f"{struck} is failed"]
    (said,) = how_it_ended_wrongly(hurt(other, "not_sent"))
    assert said.startswith("the others are ")


def test_lost_deals_are_counted(sound: Trace, good: ProposalRun) -> None:
    assert lost_deals(sound) == 0
    first, *rest = good.outcomes
    for damage, lost in ((lose_a_deal, 1), (give_no_reason, len(first.proposals[0].deal_ids))):
        hurt = replace(sound, run=replace(good, outcomes=(damage(first), *rest)))
        assert lost_deals(hurt) == lost
