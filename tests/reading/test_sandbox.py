"""The child process: what it returns, how it dies, and what the app is told then."""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ImportRefused
from core.reading import sandbox
from core.reading.grid import Refusal, Source, Table, TableOptions
from core.reading.json_text import JsonText
from core.reading.sandbox import read_json_safely, read_table_safely, run_in_child
from core.reading.tables import read_table
from core.reading.worker_frames import ChildDied, answer_frames, exact_reader, pack, read_answer, unpack
from tests.reading import bombs, golden

ROWS = b"deal_id,name\n0012,K\xc3\xa4se\n1E5,\n"
needs_fork = pytest.mark.skipif(not sandbox._CAN_FORK, reason="this system cannot fork workers")


def reader_of(data: bytes):
    return exact_reader(sandbox._taker(data))


# --- the same result as in this process ---


@pytest.mark.parametrize("case", golden.binary_cases(), ids=lambda case: case.name)
def test_child_returns_what_the_function_returns(case):
    assert read_table_safely(case.data, "f") == read_table(case.data, "f")


def test_options_refusals_and_repairs_travel():
    options = TableOptions(delimiter=";", header_line=2, encoding="cp1252")
    data = "x\ndeal_id;näme\nA1;ö;extra\nA2;ü\n".encode("cp1252") + b"A3" + b";x" * 600
    found = read_table_safely(data, "f", options)
    assert found == read_table(data, "f", options)
    assert found.refusals
    assert found.repairs


def test_refusal_of_the_child_is_raised_here():
    with pytest.raises(ImportRefused) as caught:
        read_table_safely(b"", "deals.csv")
    assert caught.value.filename == "deals.csv"
    assert caught.value.reason.startswith("is empty")


def test_json_travels_with_its_half_characters():
    parsed = read_json_safely(b'[{"deal_id": "A\\ud83d", "n": 549644398148090651, "s": null}]', "f")
    assert parsed.values == ((1, [{"deal_id": "A\ud83d", "n": "549644398148090651", "s": None}]),)


def test_process_of_its_own_answers_the_same_where_there_is_no_fork(monkeypatch):
    monkeypatch.setattr(sandbox, "_CAN_FORK", False)
    assert read_table_safely(ROWS, "f") == read_table(ROWS, "f")
    with pytest.raises(ImportRefused, match="is empty"):
        read_table_safely(b"", "f")


def test_several_threads_are_served():
    found = []
    threads = [threading.Thread(target=lambda: found.append(read_table_safely(ROWS, "f"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [read_table(ROWS, "f")] * 6


# --- death ---


@needs_fork
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (-signal.SIGXCPU, "takes more than 20 s of computing"),
        (-signal.SIGALRM, "takes more than 30 s to be read"),
        (-signal.SIGKILL, "needs too much memory"),
        (-signal.SIGSEGV, "stopped the process that read it (SIGSEGV)"),
        (1, "stopped the process that read it (status 1)"),
        (None, "takes more than 30 s to be read"),
    ],
)
def test_death_is_told_in_words(status, words):
    assert sandbox._cause(status).startswith(words)


@needs_fork
def test_dead_worker_is_a_refusal_and_the_next_file_is_read(monkeypatch):
    def kill(*_):
        raise ChildDied(-signal.SIGSEGV)

    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_ask_fork", kill)
        with pytest.raises(ImportRefused, match=r"SIGSEGV.*split it, or save it as CSV"):
            read_table_safely(ROWS, "f")
    assert len(read_table_safely(ROWS, "f").rows) == 2


@needs_fork
def test_worker_that_cannot_understand_the_request_is_a_refusal(monkeypatch):
    monkeypatch.setattr(sandbox, "request_frame", lambda *_: pack("request", {}))
    with pytest.raises(ImportRefused, match="status 1"):
        run_in_child("table", ROWS, "f")


@needs_fork
def test_server_that_was_killed_is_started_again():
    read_table_safely(ROWS, "f")
    os.kill(sandbox._SERVER._process.pid, signal.SIGKILL)
    sandbox._SERVER._process.wait()
    assert len(read_table_safely(ROWS, "f").rows) == 2


@needs_fork
def test_file_is_asked_again_when_the_server_died_under_it(monkeypatch):
    connect, asked = sandbox._SERVER.connect, []

    def dying():
        connection = connect()
        asked.append(sandbox._SERVER._process.pid)
        if len(asked) == 1:
            connection.close()  # the worker, if there is one already, ends with this
            connection, theirs = socket.socketpair()
            theirs.close()
            os.kill(asked[0], signal.SIGKILL)
        return connection

    monkeypatch.setattr(sandbox._SERVER, "connect", dying)
    assert len(read_table_safely(ROWS, "f").rows) == 2
    assert len(set(asked)) == 2


@needs_fork
def test_file_that_ends_the_server_each_time_is_refused(monkeypatch):
    def gone(*_):
        raise EOFError

    monkeypatch.setattr(sandbox, "_ask_worker", gone)
    monkeypatch.setattr(sandbox._SERVER, "await_end", lambda: None)
    with pytest.raises(ImportRefused, match="status 1"):
        read_table_safely(ROWS, "f")


@pytest.mark.parametrize("can_fork", [pytest.param(True, marks=needs_fork), False])
def test_system_that_starts_no_process_is_a_refusal(monkeypatch, can_fork):
    def refuse(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        sandbox.end_child()
        patch.setattr(sandbox, "_CAN_FORK", can_fork)
        patch.setattr(sandbox.subprocess, "Popen", refuse)
        with pytest.raises(ImportRefused, match=r"cannot be read now.*Cannot allocate memory"):
            read_table_safely(ROWS, "f")
    assert len(read_table_safely(ROWS, "f").rows) == 2


@needs_fork
def test_workers_have_limits():
    code = (
        "import resource, signal\n"
        "from core.reading.worker import _set_limits\n"
        "_set_limits()\n"
        "limits = [resource.getrlimit(limit)[0] for limit in (resource.RLIMIT_AS, resource.RLIMIT_CPU)]\n"
        "print(*limits, signal.getitimer(signal.ITIMER_REAL)[0] > 20)\n"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == [str(2_048 * 1024 * 1024), "20", "True"]


def test_child_knows_no_secrets_and_no_heavy_libraries():
    assert not any("KEY" in name for name in sandbox._ENVIRONMENT)
    code = (
        "import sys, core.reading.worker\n"
        "print([name for name in ('streamlit', 'torch', 'sklearn', 'pandas', 'pyarrow', 'sqlalchemy') "
        "if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


# --- frames ---

texts = st.text(max_size=8)
tables = st.builds(
    lambda rows, repairs, refusals: Table(
        ("a", "b"),
        tuple(rows),
        tuple(range(len(rows))),
        tuple(repairs),
        tuple(refusals),
        Source("xlsx", sheet="s", sheets=("s", "t")),
    ),
    st.lists(st.tuples(texts, texts), max_size=5),
    st.lists(texts, max_size=2),
    st.lists(st.builds(Refusal, st.integers(0, 9), texts, texts), max_size=2),
)


@given(tables)
def test_any_table_survives_the_journey(table):
    assert read_answer(reader_of(b"".join(answer_frames(table)))) == table


def test_long_tables_travel_in_parts():
    rows = tuple((str(number), "same") for number in range(10_000))
    table = Table(("a", "b"), rows, tuple(range(10_000)), ())
    frames = list(answer_frames(table))
    assert len(frames) == 5
    found = read_answer(reader_of(b"".join(frames)))
    assert found == table
    assert found.rows[0][1] is found.rows[-1][1]


@pytest.mark.parametrize(
    "data",
    [
        pack("exit", 3),
        next(answer_frames(Table(("a",), (), (), ()))) + pack("exit", 3),
        (1 << 40).to_bytes(8, "big"),
        (3).to_bytes(8, "big") + b"xyz",
    ],
    ids=["at once", "after the head", "too long", "no json"],
)
def test_answer_that_breaks_off_is_a_death(data):
    with pytest.raises(ChildDied):
        read_answer(reader_of(data))


def test_end_of_the_stream_is_no_frame():
    with pytest.raises(EOFError):
        unpack(reader_of(b"\0\0"))


def test_json_values_travel():
    parsed = JsonText(((1, {"a": [None, "1"]}), (2, "x")), True)
    assert read_answer(reader_of(b"".join(answer_frames(parsed)))) == parsed


# --- bombs ---

QUICK = {
    name
    for name in bombs.TABLE_BOMBS
    if "20 MB" not in name and name not in {"millions of rows", "zip ratio"}
}


@needs_fork
@pytest.mark.parametrize(
    ("task", "name", "build"),
    [
        pytest.param(task, name, build, marks=() if name in QUICK else pytest.mark.slow, id=name)
        for task, files in (("table", bombs.TABLE_BOMBS), ("json", bombs.JSON_BOMBS))
        for name, build in files.items()
    ],
)
def test_bomb_ends_with_a_reason_and_the_app_lives(task, name, build):
    data = build()
    read_table_safely(ROWS, "f")
    gc.collect()
    start = time.monotonic()
    reason = None
    try:
        run_in_child(task, data, "bomb")
    except ImportRefused as refusal:
        reason = refusal.reason
    assert name in bombs.MAY_LOAD if reason is None else len(reason) > 20
    # Twice the bar: another process may hold the processor.
    assert time.monotonic() - start < 10
    assert len(read_table_safely(ROWS, "f").rows) == 2


@needs_fork
@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=400), st.sampled_from((b"", b"PK\x03\x04", b"PAR1", b"\xff\xfe", b"deal_id,")))
def test_any_bytes_are_a_table_or_refused_by_the_child(data, start):
    try:
        found = read_table_safely(start + data, "f")
    except ImportRefused as refusal:
        reason = refusal.reason
    else:
        reason = ""
        assert all(len(row) == len(found.columns) for row in found.rows)
    assert "stopped the process" not in reason
