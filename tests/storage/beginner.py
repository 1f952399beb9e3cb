"""A program that begins others: each is a copy of it, and so spares the seconds that loading takes.

On its command line: the module to load. Each line that comes in is a JSON list: what the `main` of the
module is called with, and at last the file for what it writes. Of each program it says the number of
its process when that has begun, and how it ended when it has; one runs at a time.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, Self

ROOT = Path(__file__).parents[2]


class Beginner:
    """Begins programs of one module."""

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.beginner", module],
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        self._process.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._process.__exit__(*error)

    def begin(self, *words: object, said: Path) -> int:
        """Begin a program and return the number of its process. said: the file for what it writes."""
        said.touch()
        self._process.stdin.write(json.dumps([*map(str, words), str(said)]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def ended(self) -> int:
        """Wait for the program to end and return its code, -N when signal N ended it."""
        return self._answer()

    def _answer(self) -> int:
        return int(self._process.stdout.readline())


def _serve(main: Callable[..., object]) -> None:
    for line in sys.stdin:
        *words, said = json.loads(line)
        number = os.fork()
        if number == 0:
            _be_one(main, words, said)
        print(number, flush=True)  # noqa: T201
        _, status = os.waitpid(number, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


def _be_one(main: Callable[..., object], words: Sequence[str], said: str) -> NoReturn:
    code = 1
    try:
        with Path(said).open("w") as sys.stdout:
            main(*words)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)  # what the beginner would do at its end is not its business


if __name__ == "__main__":
    _serve(importlib.import_module(sys.argv[1]).main)
