"""Figures of reading deal files: content, speed, memory, and files made to hurt (`make bench`).

Speed is given as CPU seconds and next to another reader in the same run, because machines differ.
"""

from __future__ import annotations

import io
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from core.errors import ImportRefused
from core.reading import read_deals
from core.reading.sandbox import read_table_safely, run_in_child
from core.reading.tables import read_table
from tests.reading import bombs, golden

SEED = 20_260_101
COLUMNS = 40
_NUMBERS = 8
_SSPS = ("Magnite", "PubMatic", "Index Exchange", "OpenX")


def deal_file(rows: int, columns: int = COLUMNS) -> bytes:
    """Return a CSV of deals as SSP consoles export them: the golden columns and many of their own."""
    chance = random.Random(SEED)
    own = [f"console_column_{number}" for number in range(columns - len(golden.COLUMNS))]
    table: list[Sequence[str]] = [[*golden.COLUMNS, *own]]
    table += ([*_deal(chance, number), *_own_values(chance, len(own))] for number in range(rows))
    return golden.write_delimited(table).encode()


def _deal(chance: random.Random, number: int) -> list[str]:
    return [
        str(549_644_398_148_000_000 + number),
        f"Premium Video, deal {number}",
        chance.choice(_SSPS),
        chance.choice(("video", "display")),
        f"{chance.randrange(1, 4_000) / 100}",
        "USD",
        "espn.com|cnn.com",
        "US",
        "2026-01-01",
        "2026-12-31",
        "Sports",
        "true",
        "",
    ]


def _own_values(chance: random.Random, count: int) -> list[str]:
    return [str(chance.randrange(1_000)) if place < _NUMBERS else "value" for place in range(count)]


def wide_file(rows: int) -> bytes:
    """Return a CSV of 40 narrow columns and so many rows that it stays below the size limit."""
    chance = random.Random(SEED)
    header = ",".join(["deal_id", *(f"c{number}" for number in range(1, COLUMNS))])
    lines = (
        f"{number:07d}," + ",".join(str(chance.randrange(10)) for _ in range(COLUMNS - 1))
        for number in range(rows)
    )
    return "\n".join([header, *lines]).encode()


def cpu_of(action: Callable[[], object]) -> float:
    """Return CPU seconds of this process, the best of three runs."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        action()
        best = min(best, time.process_time() - start)
    return best


def wall_of(action: Callable[[], object]) -> float:
    """Return seconds on the clock of one run."""
    start = time.monotonic()
    action()
    return time.monotonic() - start


# --- sections -------------------------------------------------------------------------------


def content() -> Iterator[tuple[str, str]]:
    """Share of right cells over the golden set, every file counting the same."""
    cases = golden.table_cases()
    scores = []
    for case in cases:
        found = read_table(case.data, case.name)
        right, expected = golden.cells_right(case, found.columns, found.rows)
        scores.append(right / expected)
    worst = min(zip(scores, (case.name for case in cases), strict=True))
    yield f"content score of {len(cases)} polluted files", f"{sum(scores) / len(scores):.2%}"
    yield "worst file", f"{worst[0]:.2%} ({worst[1]})"
    yield "the same with pandas.read_csv(dtype=str)", f"{_content_of_pandas(cases):.2%}"


def _content_of_pandas(cases: Sequence[golden.Case]) -> float:
    total = 0.0
    text_cases = [case for case in cases if not case.name.startswith(("xlsx", "parquet"))]
    for case in text_cases:
        try:
            frame = pd.read_csv(io.BytesIO(case.data), dtype=str, keep_default_na=False)
        except (ValueError, UnicodeError):
            continue
        rows = frame.astype(str).to_numpy().tolist()
        rows = [[*row, *[""] * (len(golden.COLUMNS) - len(row))] for row in rows]
        right, expected = golden.cells_right(case, list(map(str, frame.columns)), rows)
        total += right / expected
    return total / len(text_cases)


def speed() -> Iterator[tuple[str, str]]:
    """CPU seconds for 10,000 deals in 40 columns, and for 200,000 rows."""
    data = deal_file(10_000)
    pandas = cpu_of(lambda: pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False))
    table = cpu_of(lambda: read_table(data, "bench.csv"))
    yield "10,000 x 40 CSV as a table, CPU s", f"{table:.2f} ({table / pandas:.1f} x pandas.read_csv as text)"
    yield (
        "10,000 x 40 CSV as a table through the child, s",
        f"{wall_of(lambda: read_table_safely(data, 'b')):.2f}",
    )
    deals = cpu_of(lambda: read_deals(data, "bench.csv"))
    yield "10,000 x 40 CSV as deals, CPU s of the app (and of the child)", f"{deals:.2f} (+ {table:.2f})"
    book = golden.write_workbook([[*golden.COLUMNS], *(golden.deal_rows(SEED, 10_000))])
    yield "10,000 x 13 XLSX as a table, CPU s", f"{cpu_of(lambda: read_table(book, 'bench.xlsx')):.2f}"
    small = golden.write_delimited([golden.COLUMNS, *golden.deal_rows()]).encode()
    yield "40 deals through the child, s", f"{wall_of(lambda: read_table_safely(small, 'b')):.3f}"


_MEMORY = """
import re, sys
from pathlib import Path
from core.deals.{module} import {function}
data = sys.stdin.buffer.read()
table = {function}(data, "bench.csv")
assert len(table.rows) == 200_000
# Not getrusage: it starts from the size of the process that started this one.
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def memory() -> Iterator[tuple[str, str]]:
    """Largest resident size of a process that reads 200,000 x 40, libraries and file included (Linux)."""
    data = wide_file(200_000)
    yield (
        f"200,000 x 40 CSV ({len(data) / 1e6:.1f} MB) through the child, s",
        (f"{wall_of(lambda: read_table_safely(data, 'bench.csv')):.1f}"),
    )
    for what, module, function in (
        ("the process that parses", "tables", "read_table"),
        ("the app that receives the table", "sandbox", "read_table_safely"),
        ("the app that makes deals of it", "reading", "read_deals"),
    ):
        code = _MEMORY.format(module=module, function=function).replace(
            "table.rows", "table.deals" if function == "read_deals" else "table.rows"
        )
        output = subprocess.run(  # noqa: S603  (our own code)
            [sys.executable, "-c", code], input=data, capture_output=True, check=True
        ).stdout
        yield f"peak memory of {what}, MB", f"{int(output) / 1024:,.0f}"


def harm() -> Iterator[tuple[str, str]]:
    """Seconds and reason of every file made to hurt; the app must still read a sound file afterwards."""
    sound = golden.write_delimited([golden.COLUMNS, *golden.deal_rows()]).encode()
    for task, files in (("table", bombs.TABLE_BOMBS), ("json", bombs.JSON_BOMBS)):
        for name, build in files.items():
            data = build()
            start = time.monotonic()
            try:
                run_in_child(task, data, name)  # type: ignore[arg-type]
                outcome = "loads, harmless" if name in bombs.MAY_LOAD else "LOADS"
            except ImportRefused as refusal:
                outcome = refusal.reason
            seconds = time.monotonic() - start
            read_table_safely(sound, "sound")
            yield f"{name} ({len(data) / 1e6:.1f} MB)", f"{seconds:5.2f} s  {outcome[:90]}"


SECTIONS: tuple[tuple[str, Callable[[], Iterator[tuple[str, str]]]], ...] = (
    ("Content", content),
    ("Speed", speed),
    ("Memory", memory),
    ("Files made to hurt", harm),
)


def main() -> None:
    """Print every section."""
    for title, section in SECTIONS:
        sys.stdout.write(f"\n{title}\n")
        for what, figure in section():
            sys.stdout.write(f"  {what:<66} {figure}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
