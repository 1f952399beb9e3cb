"""Every file that can be exported: one table for the page and the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from core.errors import ExportError
from core.exports.deals_api import NO_MEMBER_LIST, DealsApiOptions, deals_api_json
from core.exports.document import packages_json
from core.exports.dv360 import UNVERIFIED, Dv360Options, dv360_sdf
from core.exports.export_context import About, ExportOptions, RunLog
from core.exports.id_list import id_list
from core.exports.packages_workbook import workbook_xlsx
from core.exports.summary import summaries_html, summaries_markdown
from core.exports.tabular import packages_csv, packages_deals_csv
from core.packages.sheet import PackageSheet


@dataclass(frozen=True, slots=True)
class ExportJob:
    """Everything a file may be written from."""

    sheets: Sequence[PackageSheet]
    about: About
    options: ExportOptions = field(default_factory=ExportOptions)
    deals_api: DealsApiOptions = field(default_factory=DealsApiOptions)
    dv360: Dv360Options = field(default_factory=Dv360Options)
    log: RunLog = field(default_factory=RunLog)


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of file.

    label, sentence: what the page says of it. filename: its name without that of the run.
    needs: the options that change it: fields of ExportOptions, or "deals_api" and "dv360".
    platform: key of `preflight.PLATFORMS` whose rules it must keep. note: what to know before using it.
    """

    key: str
    label: str
    sentence: str
    filename: str
    mime: str
    write: Callable[[ExportJob], bytes]
    needs: tuple[str, ...] = ()
    platform: str = "generic"
    note: str = ""


_CSV, _JSON, _TEXT = "text/csv", "application/json", "text/plain"

PRESETS: dict[str, Preset] = {
    preset.key: preset
    for preset in (
        Preset(
            "packages_deals",
            "Deals of packages (CSV)",
            "One row for each deal of each package, with floors, flight, geo and safety.",
            "packages_deals.csv",
            _CSV,
            lambda job: packages_deals_csv(job.sheets, job.options),
            ("bom", "excel_safe_ids"),
        ),
        Preset(
            "packages",
            "Packages (CSV)",
            "One row for each package with its deal ids, reasoning, counted facts and warnings.",
            "packages.csv",
            _CSV,
            lambda job: packages_csv(job.sheets, job.about, job.options),
            ("bom", "excel_safe_ids"),
        ),
        Preset(
            "json",
            "Everything (JSON)",
            "Packages with their deals, decisions, settings and origin in one document that can come back.",
            "packages.json",
            _JSON,
            lambda job: packages_json(job.sheets, job.about),
        ),
        Preset(
            "workbook",
            "Workbook (XLSX)",
            "Packages, deals, facts, where every deal stands, audit trail and settings; ids are text.",
            "packages.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            lambda job: workbook_xlsx(job.sheets, job.about, job.log),
        ),
        Preset(
            "deals_api",
            "IAB Deals API (JSON)",
            "One object of the IAB Deals API v1.0 for each package, checked against its schema.",
            "deals_api.json",
            _JSON,
            lambda job: deals_api_json(job.sheets, job.deals_api),
            ("deals_api",),
            "deals_api",
            NO_MEMBER_LIST,
        ),
        Preset(
            "dv360",
            "DV360 inventory sources (SDF)",
            "One row for each deal that has an exchange, a floor and a currency.",
            "SDF-InventorySource.csv",
            _CSV,
            lambda job: dv360_sdf(job.sheets, job.dv360).data,
            ("dv360",),
            "dv360",
            UNVERIFIED,
        ),
        Preset(
            "ids_lines",
            "Deal ids, one per line",
            "The ids of all packages, each once, to paste into a platform.",
            "deal_ids.txt",
            _TEXT,
            lambda job: id_list(job.sheets, "\n"),
        ),
        Preset(
            "ids_commas",
            "Deal ids, with commas",
            "The ids of all packages, each once, to paste into a platform.",
            "deal_ids_commas.txt",
            _TEXT,
            lambda job: id_list(job.sheets, ","),
        ),
        Preset(
            "summary_html",
            "Buyer summary (HTML)",
            "A page for each package to print or send: facts, chart, warnings and deals.",
            "summary.html",
            "text/html",
            lambda job: summaries_html(job.sheets, job.about),
        ),
        Preset(
            "summary_markdown",
            "Buyer summary (Markdown)",
            "A page for each package as text: facts, warnings and deals.",
            "summary.md",
            "text/markdown",
            lambda job: summaries_markdown(job.sheets, job.about),
        ),
    )
}


def export(key: str, job: ExportJob) -> bytes:
    """Write one file. Raises ExportError for an unknown preset and for packages it cannot hold."""
    if key not in PRESETS:
        raise ExportError(f"There is no export {key!r}: choose one of {', '.join(PRESETS)}.")
    return PRESETS[key].write(job)
