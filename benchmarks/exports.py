"""Figures of exports: seconds for each file, and whether other programs read back what was written.

Run `python -m benchmarks.exports [--packages 1000] [--deals 10000]`. Packages hold planted deals, some of
them formulas to a spreadsheet. Times are CPU seconds. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import io
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property, partial

import openpyxl
import pandas as pd

from benchmarks.planted import planted_deals
from benchmarks.report import Row, Target, tell
from core.coverage import DealState
from core.deals import Deal, Money
from core.exports import (
    PRESETS,
    About,
    DealsApiOptions,
    ExportJob,
    ExportOptions,
    PlatformOptions,
    RunLog,
    diff,
    export,
    packages_json,
    preflight,
    read_back,
    read_document,
    restore,
)
from core.exports.columns import DEALS_HEADER
from core.packages import Package
from core.packages.sheet import PackageSheet, sheets_of
from core.wording.findings import CheckRules

SEED = 20_261_130
ALL_FILES_S = 5.0
# Ids and names that a spreadsheet would take for something else.
_ODD_IDS = ("0042", "549644398148090651", "1E5", "NA", "=1+1", "-123", "true", "@SUM(1)")
_ODD_NAME = '=HYPERLINK("http://x")'
# Of ten deals of a package one is in another package too.
_SHARED = 10
_ORIGIN = DealsApiOptions(origin="ssp.example.com", currency="USD")
_NONE = Target(0, at_least=False)


@dataclass(frozen=True)
class Bench:
    """So many packages of so many deals, each deal in at least one."""

    packages: int
    deals: int

    @cached_property
    def all_deals(self) -> tuple[Deal, ...]:
        """Return planted deals; the first have odd ids."""
        planted = planted_deals(self.deals, SEED).deals
        odd = [replace(deal, deal_id=deal_id) for deal, deal_id in zip(planted, _ODD_IDS, strict=False)]
        return (*odd, *planted[len(odd) :])

    @cached_property
    def sheets(self) -> tuple[PackageSheet, ...]:
        """Return approved packages of these deals, and of one country, so that each can be one deal."""
        deals = {deal.deal_id: deal for deal in map(_complete, self.all_deals)}
        ids, chance = list(deals), random.Random(SEED)
        made = []
        for number in range(self.packages):
            own = ids[number :: self.packages]
            shared = chance.sample(ids, max(1, len(own) // _SHARED))
            name = _ODD_NAME if number % _SHARED == 0 else "Autumn Package"
            package = Package(
                f"pkg-{number}",
                f"{name} {number}",
                tuple(dict.fromkeys((*own, *shared))),
                "Why. " * 40,
                "model",
            )
            made.append(replace(package, status="approved", approved_content=package.content(deals)))
        return sheets_of(made, deals, CheckRules(date(2026, 3, 1)))

    @cached_property
    def job(self) -> ExportJob:
        """Return what every file is written from."""
        states = [DealState(deal.deal_id, "packaged", "In a package.") for deal in self.all_deals]
        events = [{"at": "2026-03-01", "who": "Ada", "what": "Approve", "package_id": "p"}] * self.packages
        about = About("Bench", "deals.csv", "2026-03-01T10:00:00Z", deals=self.deals)
        return ExportJob(self.sheets, about, ExportOptions(), _ORIGIN, log=RunLog(states, events))

    @property
    def written_ids(self) -> list[str]:
        """Return the deal id of each row of a file with one row for each package and deal."""
        return [deal_id for sheet in self.sheets for deal_id in sheet.package.deal_ids]


def _complete(deal: Deal) -> Deal:
    """Return the deal with what a platform asks for, so that no file is small because it lacks it."""
    floor = Money(Decimal(len(deal.deal_id)), "USD")
    commercial = replace(deal.commercial, floor_price=floor)
    return replace(deal, geos=("US",), currency="USD", ssp_name=deal.ssp_name or "SSP", commercial=commercial)


def seconds_of(action: Callable[[], object], runs: int = 2) -> float:
    """Return CPU seconds, the best of so many runs."""
    best = float("inf")
    for _ in range(runs):
        start = time.process_time()
        action()
        best = min(best, time.process_time() - start)
    return best


# --- figures --------------------------------------------------------------------------------


def formula_cells(data: bytes) -> int:
    """Return how many cells of a workbook are formulas."""
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
    return sum(cell.data_type == "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def live_cells(data: bytes) -> int:
    """Return how many cells of a CSV file a spreadsheet would run: they start like a formula."""
    frame = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    cells = pd.concat([frame[name] for name in frame.columns])
    starts = cells.str.match(r"\s*[=+\-@|%\t\r]")
    return int((starts & ~cells.str.fullmatch(r"[+-]?\d+([.,]\d+)*%?")).sum())


def different(found: Sequence[str], expected: Sequence[str]) -> int:
    """Return how many ids are not what was written, missing and additional ones included."""
    wrong = sum(one != other for one, other in zip(found, expected, strict=False))
    return wrong + abs(len(found) - len(expected))


# --- sections -------------------------------------------------------------------------------


def speed(bench: Bench) -> Iterator[Row]:
    """CPU seconds for each file, for all of them, and for the checks before."""
    job, total = bench.job, 0.0
    for key, preset in PRESETS.items():
        seconds = seconds_of(partial(export, key, job))
        total += seconds
        yield Row(preset.label, (seconds,), note=f"{len(export(key, job)) / 1e6:.1f} MB")
    yield Row("all files", (total,), Target(ALL_FILES_S, at_least=False))
    options = PlatformOptions(deals_api=_ORIGIN)
    yield Row(
        "checks before an export (DV360)", (seconds_of(lambda: preflight(job.sheets, "dv360", options)),)
    )


def reopened(bench: Bench) -> Iterator[Row]:
    """Yield what openpyxl and pandas find in the files."""
    job, ids = bench.job, bench.written_ids
    book, table = export("workbook", job), export("packages_deals", job)
    yield Row("workbook: formula cells", (formula_cells(book),), _NONE)
    place = DEALS_HEADER.index("deal_id")
    sheet = openpyxl.load_workbook(io.BytesIO(book), read_only=True)["deals"]
    found = [str(row[place]) for row in sheet.iter_rows(min_row=2, values_only=True)]
    yield Row("workbook in openpyxl: different ids", (different(found, ids),), _NONE)
    frame = pd.read_excel(io.BytesIO(book), sheet_name="deals", dtype=str, keep_default_na=False)
    yield Row("workbook in pandas: different ids", (different(list(frame["deal_id"]), ids),), _NONE)
    for key in ("packages_deals", "packages"):
        yield Row(f"{PRESETS[key].filename}: live cells", (live_cells(export(key, job)),), _NONE)
    frame = pd.read_csv(io.BytesIO(table), dtype=str, keep_default_na=False)
    yield Row("CSV in pandas: different ids", (different([*map(restore, frame["deal_id"])], ids),), _NONE)


def returned(bench: Bench) -> Iterator[Row]:
    """Yield what comes back from files nobody touched."""
    job = bench.job
    packages = [sheet.package for sheet in job.sheets]
    deals = {deal.deal_id: deal for sheet in job.sheets for deal in sheet.members}
    for key in ("packages_deals", "json", "workbook"):
        data, name = export(key, job), PRESETS[key].filename
        start = time.monotonic()
        found = diff(read_back(data, name), packages, deals)
        yield Row(f"{name}: seconds on the clock to read and compare", (time.monotonic() - start,))
        yield Row(f"{name}: differences", (len(found),), _NONE)
    data = export("json", job)
    same = packages_json(*read_document(data, "packages.json")) == data
    yield Row("packages.json: byte-identical after a read", (float(same),), Target(1))


SECTIONS: tuple[tuple[str, Callable[[Bench], Iterator[Row]]], ...] = (
    ("CPU seconds", speed),
    ("Reopened", reopened),
    ("Come back untouched", returned),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every section; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=int, default=1_000)
    parser.add_argument("--deals", type=int, default=10_000)
    options = parser.parse_args(arguments)
    bench = Bench(options.packages, options.deals)
    return tell((title, partial(section, bench)) for title, section in SECTIONS)


if __name__ == "__main__":
    sys.exit(main())
