"""What ends a run early, and what it counts on the way there."""

import threading

import pytest

from core.errors import BudgetReached, RetryableError
from core.proposals import Limits, Usage
from core.proposals.circuit_breaker import Breaker, Spending, Stop

DOWN = RetryableError("down")


# --- stop -------------------------------------------------------------------------------------


def test_first_reason_counts() -> None:
    stop = Stop()
    stop.now("first")
    stop.now("second")
    assert stop.fatal == "first"
    assert stop.reason(0) == "Not sent, the run stopped: first"
    assert stop.reason(2) == "Not finished, the run stopped: first"


def test_stop_that_lets_calls_end_starts_no_further_one() -> None:
    stop = Stop()
    stop.now("spent", abandon=False)
    assert (stop.is_set(), stop.abandoned) == (True, False)
    stop.now("worse")
    assert (stop.abandoned, stop.fatal) == (True, "spent")


def test_cancelling_abandons_calls_and_leaves_the_event_alone() -> None:
    cancelled = threading.Event()
    stop = Stop(cancelled)
    stop.now("fatal")
    assert not cancelled.is_set()
    cancelled.set()
    assert (stop.cancelled, stop.abandoned, Stop(cancelled).is_set()) == (True, True, True)


def test_what_broke_the_run_off_is_raised_once_known() -> None:
    stop = Stop()
    stop.raise_broken()
    stop.break_off(OSError("disk full"))
    stop.break_off(OSError("again"))
    with pytest.raises(OSError, match="disk full"):
        stop.raise_broken()


# --- spending ---------------------------------------------------------------------------------


def test_no_cap_counts_and_never_stops() -> None:
    spending = Spending(Limits(), None)
    for _ in range(50):
        spending.begin_call()
        spending.add("c", Usage(10**9, 10**9))
    assert spending.usage_of("c") == Usage(50 * 10**9, 50 * 10**9)
    assert spending.usage_of("other") == Usage()


@pytest.mark.parametrize(
    ("limits", "calls"),
    [
        pytest.param(Limits(max_calls=2), 2, id="calls"),
        pytest.param(Limits(max_tokens=25), 3, id="tokens, read and written together"),
        pytest.param(Limits(max_tokens=24), 2, id="tokens reached exactly"),
        pytest.param(Limits(max_usd=0.5), 2, id="dollars"),
        pytest.param(Limits(max_calls=9, max_tokens=99, max_usd=0.2), 1, id="the first that is reached"),
    ],
)
def test_no_call_begins_once_a_cap_is_reached(limits: Limits, calls: int) -> None:
    spending = Spending(limits, lambda usage: 0.25 if usage.output_tokens else None)
    for number in range(calls):
        spending.begin_call()
        spending.add(f"c{number}", Usage(10, 2))
    with pytest.raises(BudgetReached, match="raise the limit, or go on in another run"):
        spending.begin_call()


@pytest.mark.parametrize("usage", [Usage(), Usage(5, None)])
def test_a_cap_on_what_the_service_does_not_tell_stops_the_run(usage: Usage) -> None:
    capped, free = Spending(Limits(max_tokens=99), None), Spending(Limits(max_calls=9), None)
    for spending in (capped, free):
        for _ in range(3):
            spending.begin_call()
            spending.add("c", usage)
    with pytest.raises(BudgetReached, match="does not say how many tokens"):
        capped.begin_call()
    free.begin_call()


def test_a_single_reply_without_its_tokens_stops_nothing() -> None:
    spending = Spending(Limits(max_tokens=99), None)
    for usage in (Usage(), Usage(), Usage(5, 5), Usage(), Usage()):
        spending.add("c", usage)
    spending.begin_call()


def test_large_caps_are_spelled_out() -> None:
    spending = Spending(Limits(max_tokens=1_000_000), None)
    spending.add("c", Usage(1_000_000, 0))
    with pytest.raises(BudgetReached, match="1,000,000 tokens"):
        spending.begin_call()


# --- breaker ----------------------------------------------------------------------------------


def test_service_is_down_after_two_rounds_of_every_worker() -> None:
    breaker = Breaker(Limits(workers=2, transport_attempts=3))
    assert [breaker.failed(DOWN) for _ in range(11)] == [None] * 11
    assert breaker.failed(DOWN) == "The last 12 calls all failed. down"


def test_call_that_passes_starts_the_count_again() -> None:
    breaker = Breaker(Limits(transport_attempts=1))
    assert breaker.failed(DOWN) is None
    breaker.passed()
    assert breaker.failed(DOWN) is None
    assert breaker.failed(DOWN)


@pytest.mark.parametrize(
    ("clusters", "verdicts"),
    [
        ("aaa", ["wait", "wait", "give_up"]),
        ("abb", ["wait", "wait", "stop"]),
        ("aaab", ["wait", "wait", "give_up", "stop"]),
        ("ab-cd", ["wait", "wait", "wait", "wait"]),
        ("ab!cd", ["wait", "wait", "wait", "wait"]),
    ],
)
def test_three_refusals_in_a_row_stop_all_or_the_one_cluster_they_met(
    clusters: str, verdicts: list[str]
) -> None:
    breaker = Breaker(Limits())
    found: list[str] = []
    for cluster_id in clusters:
        if cluster_id == "-":
            breaker.passed()
        elif cluster_id == "!":
            breaker.failed(DOWN)
        else:
            found.append(breaker.refused(cluster_id))
    assert found == verdicts
