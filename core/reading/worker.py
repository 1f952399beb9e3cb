"""The process that parses files, apart from the app: `python -m core.reading.worker`.

On POSIX it is started once, loads the readers, and forks a worker for every file ("--serve"), so that a
file costs milliseconds and not a start of Python. Every worker gets limits on memory, CPU and wall time
before it sees a byte; dying on one of them costs the app nothing. Elsewhere (Windows) a process is
started for every file ("--once"), which answers on its standard output; there the caller's wall clock is
the only limit. Where a system refuses a limit (macOS has none on memory), the others still hold.

It imports no user interface and no models.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from core.errors import ImportRefused
from core.reading import json_text, tables, xlsx_reader
from core.reading.worker_frames import answer_frames, exact_reader, pack, read_request
from core.settings import PARSER_CPU_S, PARSER_MEMORY_MB, PARSER_WALL_S

_PRELOADED = (json_text, tables, xlsx_reader)


def answer(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
    """Read one request, parse the file, write the answer: the value, or why it is refused."""
    task, filename, options, data = read_request(read)
    try:
        parsed: json_text.JsonText | tables.Table
        if task == "json":
            parsed = json_text.read_json(data, filename, options.encoding)
        else:
            parsed = tables.read_table(data, filename, options)
        for frame in answer_frames(parsed):
            write(frame)
    except ImportRefused as refusal:
        write(pack("refused", refusal.reason))
    except MemoryError:
        reason = f"needs more than {PARSER_MEMORY_MB:,} MB of memory to be read: split it, or save it as CSV."
        write(pack("refused", reason))


def _set_limits() -> None:
    import resource

    signal.setitimer(signal.ITIMER_REAL, PARSER_WALL_S)
    memory = PARSER_MEMORY_MB * 1024 * 1024
    for limit, soft, hard in (
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, PARSER_CPU_S, PARSER_CPU_S + 1),
        (resource.RLIMIT_CORE, 0, 0),
        # Nothing is written but the answer, which goes through a socket.
        (resource.RLIMIT_FSIZE, 0, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (soft, hard))


def _work(connection: socket.socket) -> None:
    """Parse one file in a forked worker; never returns."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sys.dont_write_bytecode = True
        # The worker lives for one file; looking for garbage in millions of cells only costs time.
        gc.disable()
        _set_limits()
        answer(exact_reader(connection.recv), connection.sendall)
        status = 0
    finally:
        os._exit(status)


class _Server:
    """Forks a worker for every connection that arrives, and tells the other end how it died."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.workers: dict[int, socket.socket] = {}

    def run(self) -> None:
        woken, waker = socket.socketpair()
        waker.setblocking(False)
        woken.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno())
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is woken:
                        woken.recv(4096)
                        self._bury()
                    elif not self._accept():
                        return

    def _accept(self) -> bool:
        """Fork for the connection that was passed; False when the app is gone."""
        message, handles, _, _ = socket.recv_fds(self.control, 1, 1)
        if not message:
            return False
        for handle in handles:
            connection = socket.socket(fileno=handle)
            pid = os.fork()
            if not pid:
                self.control.close()
                for other in self.workers.values():
                    other.close()
                _work(connection)
            self.workers[pid] = connection
        return True

    def _bury(self) -> None:
        while self.workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            connection = self.workers.pop(pid)
            connection.setblocking(False)
            with connection, suppress(OSError):
                connection.sendall(pack("exit", os.waitstatus_to_exitcode(status)))


def main(arguments: list[str]) -> int:
    """Serve connections that arrive on a socket ("--serve FD"), or one request on stdin ("--once")."""
    if arguments[:1] == ["--serve"]:
        gc.freeze()
        _Server(socket.socket(fileno=int(arguments[1]))).run()
    else:
        answer(exact_reader(sys.stdin.buffer.read), sys.stdout.buffer.write)
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
