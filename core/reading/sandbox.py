"""Parses files in a child process with limits: whatever a file does there, the app lives on.

Limits (core.settings): memory and CPU time on Linux, CPU time on macOS, wall time everywhere. A child
that dies is a stated refusal.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import BoundedSemaphore, Lock

from core import clock
from core.errors import ImportRefused
from core.reading.grid import Table, TableOptions
from core.reading.json_text import JsonText
from core.reading.worker_frames import ChildDied, Task, exact_reader, read_answer, request_frame
from core.settings import PARSER_CPU_S, PARSER_MEMORY_MB, PARSER_WALL_S

# Files parsed at the same time; others wait, or two analysts could fill the memory of the machine.
_AT_ONCE = 2
_CAN_FORK = hasattr(os, "fork") and hasattr(socket, "send_fds")
_ROOT = Path(__file__).resolve().parents[2]
# The child needs no secrets: it gets this environment and nothing of ours. Libraries that start a
# thread per core would spend the memory limit on their stacks.
_ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)]),
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
_DEATHS = {
    "SIGXCPU": f"takes more than {PARSER_CPU_S} s of computing to be read",
    "SIGALRM": f"takes more than {PARSER_WALL_S:.0f} s to be read",
}
_ADVICE = "split it, or save it as CSV and load that."


def read_table_safely(data: bytes, filename: str, options: TableOptions | None = None) -> Table:
    """Read a table as `core.reading.tables.read_table` does, in a child process.

    Raises ImportRefused, also when the child dies on a limit or on the file.
    """
    table = run_in_child("table", data, filename, options)
    assert isinstance(table, Table)  # noqa: S101  (the task decides the type)
    return table


def read_json_safely(data: bytes, filename: str, options: TableOptions | None = None) -> JsonText:
    """Read JSON or JSON Lines as `core.reading.json_text.read_json` does, in a child process.

    Raises ImportRefused, also when the child dies on a limit or on the file.
    """
    parsed = run_in_child("json", data, filename, options)
    assert isinstance(parsed, JsonText)  # noqa: S101  (the task decides the type)
    return parsed


def run_in_child(
    task: Task, data: bytes, filename: str, options: TableOptions | None = None
) -> Table | JsonText:
    """Parse a file in a child process and return what it found. Raises ImportRefused."""
    request = request_frame(task, filename, options or TableOptions(), len(data))
    with _TURNS:
        try:
            found = _ask_fork(request, data) if _CAN_FORK else _ask_process(request, data)
        except ChildDied as death:
            raise ImportRefused(filename, f"{_cause(death.status)}: {_ADVICE}") from None
        except _NotStartedError as failure:
            reason = f"cannot be read now, no process could be started for it ({failure}): try again later."
            raise ImportRefused(filename, reason) from None
    if isinstance(found, str):
        raise ImportRefused(filename, found)
    return found


def _cause(status: int | None) -> str:
    """Return in words why the child died. status: negative for a signal, as subprocess has it."""
    if status is None:
        return _DEATHS["SIGALRM"]
    name = signal.Signals(-status).name if -status in set(signal.Signals) else ""
    if name == "SIGKILL":
        # The hard limit on CPU time, or the system out of memory.
        return f"needs too much memory (over {PARSER_MEMORY_MB:,} MB) or time to be read"
    return _DEATHS.get(name, f"stopped the process that read it ({name or f'status {status}'})")


_TURNS = BoundedSemaphore(_AT_ONCE)


class _NotStartedError(Exception):
    """The system gave no process or no socket; the text says why. It says nothing about the file."""


@contextmanager
def _starting() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _NotStartedError(error.strerror or type(error).__name__) from None


class _ForkServer:
    """The child that forks workers; started with the first file, again if it should be gone."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def connect(self) -> socket.socket:
        """Return a connection to a fresh worker."""
        with _starting():
            ours, theirs = socket.socketpair()
        with theirs, self._lock:
            for attempt in (1, 2):
                if self._control is None or (self._process and self._process.poll() is not None):
                    try:
                        self._start()
                    except _NotStartedError:
                        ours.close()
                        raise
                try:
                    assert self._control is not None  # noqa: S101  (just started)
                    socket.send_fds(self._control, [b"f"], [theirs.fileno()])
                    break
                except OSError:
                    self._stop()
                    if attempt == 2:  # noqa: PLR2004
                        ours.close()
                        raise ChildDied(1) from None
        return ours

    def _start(self) -> None:
        self._stop()
        with _starting():
            ours, theirs = socket.socketpair()
        with theirs, ExitStack() as undo, _starting():
            undo.callback(ours.close)
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
                [sys.executable, "-m", "core.reading.worker", "--serve", str(theirs.fileno())],
                cwd=_ROOT,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
            undo.pop_all()
        self._control = ours

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()  # the child ends when this end is gone
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def await_end(self) -> None:
        """Give a child that is going down the time to be gone, so that the next file gets a new one."""
        with self._lock, suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(timeout=1)

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._stop()


_SERVER = _ForkServer()


def end_child() -> None:
    """End the child that parses files, as the end of this process does; the next file gets another one."""
    _SERVER.close()


atexit.register(end_child)


def _ask_fork(request: bytes, data: bytes) -> Table | JsonText | str:
    for _ in range(2):
        try:
            return _ask_worker(request, data)
        except TimeoutError:
            raise ChildDied from None
        except (EOFError, OSError):
            # Nobody told how the worker died: the server itself is gone, which need not be the file's doing.
            _SERVER.await_end()
    raise ChildDied(1)


def _ask_worker(request: bytes, data: bytes) -> Table | JsonText | str:
    """Ask a fresh worker. Raises EOFError or OSError when it ends without an answer or a reason."""
    # Two seconds more: the worker's own limit strikes first, with its reason.
    deadline = clock.monotonic_s() + PARSER_WALL_S + 2
    with _SERVER.connect() as connection:

        def receive(size: int) -> bytes:
            connection.settimeout(max(0.01, deadline - clock.monotonic_s()))
            return connection.recv(size)

        connection.settimeout(PARSER_WALL_S)
        with suppress(BrokenPipeError, ConnectionResetError):  # its reason is still to be read
            connection.sendall(request)
            connection.sendall(data)
        return read_answer(exact_reader(receive))


def _ask_process(request: bytes, data: bytes) -> Table | JsonText | str:
    """Ask a process of its own, where there is no fork; the environment is inherited (Windows needs it)."""
    with _starting():
        process = subprocess.Popen(
            [sys.executable, "-m", "core.reading.worker", "--once"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    with process:
        try:
            output, _ = process.communicate(request + data, timeout=PARSER_WALL_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise ChildDied from None
    try:
        return read_answer(exact_reader(_taker(output)))
    except EOFError:
        raise ChildDied(process.returncode) from None


def _taker(data: bytes) -> Callable[[int], bytes]:
    view, place = memoryview(data), 0

    def take(size: int) -> bytes:
        nonlocal place
        part = bytes(view[place : place + size])
        place += len(part)
        return part

    return take
