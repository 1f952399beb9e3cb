"""Packages as an XLSX workbook: packages, deals, facts, where every deal stands, audit trail, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from core.exports.columns import (
    DEALS_HEADER,
    FACTS_HEADER,
    PACKAGES_HEADER,
    deal_rows,
    facts_of_sheet,
    package_rows,
)
from core.exports.export_context import About, RunLog
from core.exports.xlsx_writer import Sheet, write_workbook
from core.packages.sheet import PackageSheet

_NO_LOG = RunLog()


def workbook_xlsx(sheets: Sequence[PackageSheet], about: About, log: RunLog = _NO_LOG) -> bytes:
    """Write a workbook without any formula; ids and all other texts are text cells, counts are numbers."""
    facts = [[sheet.package.id, sheet.package.name, *facts_of_sheet(sheet)] for sheet in sheets]
    return write_workbook(
        [
            Sheet("packages", PACKAGES_HEADER, list(package_rows(sheets, about.floor_reading))),
            Sheet("deals", DEALS_HEADER, list(deal_rows(sheets))),
            Sheet("facts", FACTS_HEADER, facts),
            Sheet(
                "ledger",
                ("deal_id", "status", "reason"),
                [(item.deal_id, item.state, item.reason) for item in log.states],
            ),
            Sheet(
                "audit",
                ("at", "who", "what", "package_id"),
                [[event.get(name) for name in ("at", "who", "what", "package_id")] for event in log.events],
            ),
            Sheet("settings", ("name", "value"), list(_flat("", about.to_dict()))),
        ]
    )


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{name}", orjson.dumps(value, default=str).decode()
        else:
            yield f"{prefix}{name}", value if isinstance(value, int) else str("" if value is None else value)
