"""The gate keeps to a rate it is told or learns, holds everybody in a pause, and says what is news."""

from collections.abc import Callable, Iterator

import pytest

from core import clock
from core.proposals.circuit_breaker import Stop
from core.proposals.rate_limit import LONGEST_PAUSE_S, Gate

# Less than that could be lost in rounding, and the wait would never end.
LEAST_S = 1e-6


class StandingClock(clock.SystemClock):
    """Shows another time only when somebody waits."""

    def __init__(self) -> None:
        self.shown_s = 1000.0

    def monotonic_s(self) -> float:
        return self.shown_s


class Waiting(Stop):
    """A run in which whoever waits lets the time pass; it ends after so many waits."""

    def __init__(self, time: StandingClock, most: float = float("inf")) -> None:
        super().__init__()
        self.time = time
        self.left = most

    def wait(self, seconds: float) -> None:
        self.time.shown_s += max(seconds, LEAST_S)
        self.left -= 1
        if self.left <= 0:
            self.now()


@pytest.fixture(autouse=True)
def time() -> Iterator[StandingClock]:
    """The time of the test, which stands still by itself."""
    standing = StandingClock()
    with clock.using(standing):
        yield standing


Enter = Callable[[Gate], tuple[int, float]]
EnterAll = Callable[[Gate, int], list[int]]


@pytest.fixture
def enter(time: StandingClock) -> Enter:
    """Go through a gate; return the ticket and how long it took, in seconds."""

    def enter_it(gate: Gate) -> tuple[int, float]:
        began_s = time.shown_s
        ticket = gate.enter(Waiting(time))
        assert ticket is not None
        return ticket, round(time.shown_s - began_s, 6)

    return enter_it


@pytest.fixture
def enter_all(enter: Enter) -> EnterAll:
    """Go through a gate so many times, without a wait."""

    def enter_them(gate: Gate, calls: int) -> list[int]:
        entries = [enter(gate) for _ in range(calls)]
        assert [waited_s for _, waited_s in entries] == [0.0] * calls
        return [ticket for ticket, _ in entries]

    return enter_them


def test_unknown_rate_lets_everything_through(enter_all: EnterAll) -> None:
    assert len(set(enter_all(Gate(), 100))) == 100


def test_known_rate_allows_a_burst_and_then_waits_for_the_oldest_call_to_age(
    time: StandingClock, enter: Enter, enter_all: EnterAll
) -> None:
    gate = Gate(3, 0.3)
    enter_all(gate, 2)
    time.shown_s += 0.15
    enter_all(gate, 1)
    assert 0.15 <= enter(gate)[1] < 0.3
    enter_all(gate, 1)
    assert enter(gate)[1] >= 0.1


def test_call_counts_from_when_it_was_sent(time: StandingClock, enter: Enter, enter_all: EnterAll) -> None:
    gate = Gate(1, 0.2)
    ticket = enter_all(gate, 1)[0]
    time.shown_s += 0.2
    gate.sent(ticket, time.shown_s)
    gate.sent(ticket, 0.0)  # never back
    assert enter(gate)[1] >= 0.2


def test_pause_holds_everybody_and_is_never_shortened(enter: Enter, enter_all: EnterAll) -> None:
    gate = Gate()
    gate.pause(0.3)
    gate.pause(0.1)
    assert enter(gate)[1] == pytest.approx(0.3)
    enter_all(gate, 1)


def test_nobody_waits_when_the_run_has_ended(time: StandingClock) -> None:
    gate = Gate()
    gate.pause(60)
    stop = Waiting(time)
    stop.now()
    before_s = time.shown_s
    assert gate.enter(stop) is None
    assert time.shown_s == before_s


def test_refusal_teaches_how_many_calls_go_into_how_many_seconds(
    time: StandingClock, enter: Enter, enter_all: EnterAll
) -> None:
    gate = Gate()
    enter_all(gate, 4)
    time.shown_s += 0.1
    refused, _ = enter(gate)
    gate.refused(refused, 0.2)  # the service counts over 0.3 s, and four calls are in
    assert 0.2 <= enter(gate)[1] < 0.35
    enter_all(gate, 3)
    assert enter(gate)[1] >= 0.2


def test_refused_calls_are_not_counted_as_accepted(enter: Enter, enter_all: EnterAll) -> None:
    gate = Gate()
    tickets = enter_all(gate, 6)
    for ticket in tickets[2:]:  # two were accepted
        gate.refused(ticket, 0.2)
    assert enter(gate)[1] >= 0.2
    enter_all(gate, 1)
    assert enter(gate)[1] >= 0.15


def test_only_the_first_of_the_calls_under_way_is_news(
    time: StandingClock, enter: Enter, enter_all: EnterAll
) -> None:
    gate = Gate()
    tickets = enter_all(gate, 3)
    time.shown_s += 0.01
    assert [gate.refused(ticket, 0.01) for ticket in tickets] == [True, False, False]
    again, _ = enter(gate)
    assert gate.refused(again, 0.01)


def test_one_call_at_a_time_asks_whether_a_quota_that_others_used_is_back(
    time: StandingClock, enter: Enter, enter_all: EnterAll
) -> None:
    gate = Gate()
    refused = enter_all(gate, 1)[0]
    gate.refused(refused, 0.05)
    probe, _ = enter(gate)
    assert gate.enter(Waiting(time, most=100)) is None  # the probe is still under way
    gate.passed(probe)
    enter_all(gate, 5)


def test_probe_that_is_refused_is_followed_by_another(enter: Enter, enter_all: EnterAll) -> None:
    gate = Gate()
    gate.refused(enter_all(gate, 1)[0], 0.05)
    for _ in range(3):
        probe, _ = enter(gate)
        assert gate.refused(probe, 0.05)


def test_learned_rate_is_tried_for_more_after_a_while(
    time: StandingClock, enter: Enter, enter_all: EnterAll
) -> None:
    gate = Gate()
    enter_all(gate, 2)
    gate.refused(enter_all(gate, 1)[0], 0.1)
    time.shown_s += 0.4  # more than two windows
    enter_all(gate, 3)
    assert enter(gate)[1] >= 0.05


def test_told_rate_is_never_exceeded_on_its_own(
    time: StandingClock, enter: Enter, enter_all: EnterAll
) -> None:
    gate = Gate(2, 0.1)
    time.shown_s += 0.5
    enter_all(gate, 2)
    assert enter(gate)[1] >= 0.1


def test_call_that_came_a_little_early_does_not_change_the_limit(enter: Enter, enter_all: EnterAll) -> None:
    gate = Gate(3, 0.3)
    enter_all(gate, 3)
    early, _ = enter(gate)
    gate.refused(early, 0.02)
    assert enter(gate)[1] >= 0.02
    enter_all(gate, 2)
    assert enter(gate)[1] >= 0.3


def test_refusal_without_a_delay_teaches_nothing(enter_all: EnterAll) -> None:
    gate = Gate()
    tickets = enter_all(gate, 3)
    assert gate.refused(tickets[2], None)
    enter_all(gate, 10)


@pytest.mark.parametrize("asked_s", [LONGEST_PAUSE_S + 1, 86_400.0, float("inf")])
def test_no_pause_is_longer_than_a_busy_service_asks_for(enter: Enter, asked_s: float) -> None:
    gate = Gate()
    gate.pause(asked_s)
    gate.refused(0, asked_s)
    assert gate.held_s <= LONGEST_PAUSE_S
    assert enter(gate)[1] == pytest.approx(LONGEST_PAUSE_S)


def test_a_pause_is_waited_for_in_real_time_too() -> None:
    gate = Gate()
    with clock.using(clock.SystemClock()):
        began_s = clock.monotonic_s()
        gate.pause(0.1)
        assert gate.enter(Stop()) is not None
        assert clock.monotonic_s() - began_s >= 0.1
