import threading
from datetime import UTC, date, datetime, timedelta

from core import clock
from tests.fakes.clock import SAMPLE_DAY, RunningClock


def test_the_machine_tells_the_time_unless_another_clock_is_handed_in():
    machine = clock.SystemClock()
    assert abs(machine.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert machine.now().utcoffset() == timedelta(0)
    assert machine.monotonic_s() <= machine.monotonic_s()


def test_a_clock_that_is_handed_in_is_asked_in_every_thread_while_the_block_runs():
    days: list[date] = []
    with clock.using(RunningClock(datetime(2031, 12, 31, 23, tzinfo=UTC))):
        thread = threading.Thread(target=lambda: days.append(clock.today()))
        thread.start()
        thread.join()
    assert days == [date(2031, 12, 31)]
    assert clock.today() == SAMPLE_DAY.date()  # that of the test again


def test_every_form_of_the_present_comes_from_the_same_clock():
    with clock.using(RunningClock(datetime(2028, 2, 29, 12, tzinfo=UTC))) as running:
        assert clock.timestamp().startswith("2028-02-29T12:00:0")
        assert clock.timestamp().endswith("+00:00")
        assert datetime.fromtimestamp(clock.epoch_s(), UTC).date() == clock.today() == clock.now().date()
        before_s, epoch_s = clock.monotonic_s(), clock.epoch_s()
        running.forward(3600)
        assert clock.monotonic_s() >= before_s + 3600
        assert clock.epoch_s() >= epoch_s + 3600
