"""The end of the tests: what is open still is named, and nothing else is."""

import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests.leftovers import Watch

on_linux = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux has /proc")


@pytest.fixture
def watch():
    return Watch(patience_s=5)


def test_nothing_is_named_when_all_was_closed(watch, tmp_path):
    thread = threading.Thread(target=lambda: None)
    thread.start()
    subprocess.run([sys.executable, "-c", ""], check=True)
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect(), socket.socket(), (tmp_path / "a.txt").open("w"):
        pass
    engine.dispose()
    assert watch.end() == []


def test_thread_that_ends_by_itself_is_waited_for(watch):
    threading.Timer(0.2, lambda: None).start()
    assert watch.end() == []


def test_thread_is_named():
    watch, done = Watch(patience_s=0), threading.Event()
    thread = threading.Thread(target=done.wait, name="left behind", daemon=True)
    thread.start()
    left = watch.end()
    done.set()
    thread.join()
    assert left == ["thread 'left behind'"]


@on_linux
def test_process_is_named_with_its_command(watch):
    words = [sys.executable, "-c", "input('I run.')"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.read(6) == b"I run."
        left = watch.end()
        process.communicate(b"\n")
    assert any(line.startswith(f"process {process.pid}: ") and "I run" in line for line in left)


@on_linux
def test_process_that_nobody_waited_for_is_named(watch):
    process = subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE)
    with process.stdout:
        process.stdout.read()
        while Path(f"/proc/{process.pid}/cmdline").read_bytes():
            pass
        left = watch.end()
    process.wait()
    assert f"process {process.pid}: it ended, and nobody waited for it" in left


@on_linux
def test_file_and_socket_are_named(watch, tmp_path):
    with (tmp_path / "a.txt").open("w") as file, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        left = watch.end()
    assert sorted(left)[0] == f"file {file.name}"
    assert "laddr=('127.0.0.1', " in sorted(left)[1]
    assert len(left) == 2


def test_connection_is_named_with_its_opener_though_its_engine_is_gone(watch):
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
    del engine, connection
    (line,) = watch.end()
    driver.close()
    assert line == (
        "sqlite3 connection, opened in tests/test_leftovers.py::"
        "test_connection_is_named_with_its_opener_though_its_engine_is_gone (call)"
    )


def test_connection_without_an_engine_is_named(watch):
    with closing(sqlite3.connect(":memory:")):
        left = watch.end()
    assert left == ["sqlite3 connection, opened in a test"]
