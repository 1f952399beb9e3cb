"""Approved packages become files that other systems take."""

from core.exports.cells import neutralise, restore, table_csv
from core.exports.deals_api import DealsApiOptions, deals_api_json
from core.exports.document import packages_json, read_document
from core.exports.dv360 import Dv360Options, dv360_sdf
from core.exports.export_context import About, ExportOptions, RunLog
from core.exports.files import safe_name, write_file
from core.exports.id_list import id_list
from core.exports.packages_workbook import workbook_xlsx
from core.exports.preflight import PLATFORMS, Issue, PlatformOptions, approved_sheets, preflight
from core.exports.presets import PRESETS, ExportJob, Preset, export
from core.exports.round_trip import Difference, Returned, diff, read_back, with_accepted
from core.exports.summary import summaries_html, summaries_markdown, summary_html, summary_markdown
from core.exports.tabular import packages_csv, packages_deals_csv

__all__ = [
    "PLATFORMS",
    "PRESETS",
    "About",
    "DealsApiOptions",
    "Difference",
    "Dv360Options",
    "ExportJob",
    "ExportOptions",
    "Issue",
    "PlatformOptions",
    "Preset",
    "Returned",
    "RunLog",
    "approved_sheets",
    "deals_api_json",
    "diff",
    "dv360_sdf",
    "export",
    "id_list",
    "neutralise",
    "packages_csv",
    "packages_deals_csv",
    "packages_json",
    "preflight",
    "read_back",
    "read_document",
    "restore",
    "safe_name",
    "summaries_html",
    "summaries_markdown",
    "summary_html",
    "summary_markdown",
    "table_csv",
    "with_accepted",
    "workbook_xlsx",
    "write_file",
]
