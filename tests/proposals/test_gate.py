"""The gate keeps to a rate it is told or learns, holds everybody in a pause, and says what is news."""

import threading
import time

import pytest

from core.proposals.brakes import Stop
from core.proposals.gate import LONGEST_PAUSE_S, Gate


def enter(gate: Gate) -> tuple[int, float]:
    """Go through the gate; return the ticket and how long it took, in seconds."""
    began_s = time.monotonic()
    ticket = gate.enter(Stop())
    assert ticket is not None
    return ticket, time.monotonic() - began_s


def enter_all(gate: Gate, calls: int) -> list[int]:
    """Go through the gate so many times, without a wait worth the name."""
    entries = [enter(gate) for _ in range(calls)]
    assert all(waited_s < 0.1 for _, waited_s in entries)
    return [ticket for ticket, _ in entries]


def test_unknown_rate_lets_everything_through() -> None:
    assert len(set(enter_all(Gate(), 100))) == 100


def test_known_rate_allows_a_burst_and_then_waits_for_the_oldest_call_to_age() -> None:
    gate = Gate(3, 0.3)
    enter_all(gate, 2)
    time.sleep(0.15)
    enter_all(gate, 1)
    assert 0.15 <= enter(gate)[1] < 0.3
    enter_all(gate, 1)
    assert enter(gate)[1] >= 0.1


def test_call_counts_from_when_it_was_sent() -> None:
    gate = Gate(1, 0.2)
    ticket = enter_all(gate, 1)[0]
    time.sleep(0.2)
    gate.sent(ticket, time.monotonic())
    gate.sent(ticket, 0.0)  # never back
    assert enter(gate)[1] >= 0.2


def test_pause_holds_everybody_and_is_never_shortened() -> None:
    gate = Gate()
    gate.pause(0.3)
    gate.pause(0.1)
    assert enter(gate)[1] >= 0.3
    enter_all(gate, 1)


def test_nobody_waits_when_the_run_has_ended() -> None:
    stop = Stop()
    gate = Gate()
    gate.pause(60)
    stop.now()
    assert gate.enter(stop) is None


def test_refusal_teaches_how_many_calls_go_into_how_many_seconds() -> None:
    gate = Gate()
    enter_all(gate, 4)
    time.sleep(0.1)
    refused, _ = enter(gate)
    gate.refused(refused, 0.2)  # the service counts over 0.3 s, and four calls are in
    assert 0.2 <= enter(gate)[1] < 0.35
    enter_all(gate, 3)
    assert enter(gate)[1] >= 0.2


def test_refused_calls_are_not_counted_as_accepted() -> None:
    gate = Gate()
    tickets = enter_all(gate, 6)
    for ticket in tickets[2:]:  # two were accepted
        gate.refused(ticket, 0.2)
    assert enter(gate)[1] >= 0.2
    enter_all(gate, 1)
    assert enter(gate)[1] >= 0.15


def test_only_the_first_of_the_calls_under_way_is_news() -> None:
    gate = Gate()
    tickets = enter_all(gate, 3)
    assert [gate.refused(ticket, 0.01) for ticket in tickets] == [True, False, False]
    again, _ = enter(gate)
    assert gate.refused(again, 0.01)


def test_one_call_at_a_time_asks_whether_a_quota_that_others_used_is_back() -> None:
    gate = Gate()
    refused = enter_all(gate, 1)[0]
    gate.refused(refused, 0.05)
    probe, _ = enter(gate)
    cancelled = threading.Event()
    timer = threading.Timer(0.3, cancelled.set)
    timer.start()
    assert gate.enter(Stop(cancelled)) is None  # the probe is still under way
    timer.join()
    gate.passed(probe)
    enter_all(gate, 5)


def test_probe_that_is_refused_is_followed_by_another() -> None:
    gate = Gate()
    gate.refused(enter_all(gate, 1)[0], 0.05)
    for _ in range(3):
        probe, _ = enter(gate)
        assert gate.refused(probe, 0.05)


def test_learned_rate_is_tried_for_more_after_a_while() -> None:
    gate = Gate()
    enter_all(gate, 2)
    gate.refused(enter_all(gate, 1)[0], 0.1)
    time.sleep(0.4)  # two windows of about 0.15 s
    enter_all(gate, 3)
    assert enter(gate)[1] >= 0.05


def test_told_rate_is_never_exceeded_on_its_own() -> None:
    gate = Gate(2, 0.1)
    time.sleep(0.5)
    enter_all(gate, 2)
    assert enter(gate)[1] >= 0.1


def test_call_that_came_a_little_early_does_not_change_the_limit() -> None:
    gate = Gate(3, 0.3)
    enter_all(gate, 3)
    early, _ = enter(gate)
    gate.refused(early, 0.02)
    assert enter(gate)[1] >= 0.02
    enter_all(gate, 2)
    assert enter(gate)[1] >= 0.3


def test_refusal_without_a_delay_teaches_nothing() -> None:
    gate = Gate()
    tickets = enter_all(gate, 3)
    assert gate.refused(tickets[2], None)
    enter_all(gate, 10)


@pytest.mark.parametrize("asked_s", [LONGEST_PAUSE_S + 1, 86_400.0, float("inf")])
def test_no_pause_is_longer_than_a_busy_service_asks_for(asked_s: float) -> None:
    gate = Gate()
    gate.pause(asked_s)
    gate.refused(0, asked_s)
    assert gate.held_s <= LONGEST_PAUSE_S
