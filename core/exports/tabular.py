"""Packages as CSV: fixed columns, ids as text, no cell that a spreadsheet would run as a formula."""

from __future__ import annotations

from collections.abc import Sequence

from core.exports.cells import csv_of_cells, excel_safe, text_of
from core.exports.columns import DEALS_HEADER, PACKAGES_HEADER, deal_rows, package_rows
from core.exports.export_context import About, ExportOptions
from core.packages.sheet import PackageSheet

_PLAIN = ExportOptions()
_DEAL_ID = DEALS_HEADER.index("deal_id")
_DEAL_IDS = PACKAGES_HEADER.index("deal_ids")


def packages_deals_csv(sheets: Sequence[PackageSheet], options: ExportOptions = _PLAIN) -> bytes:
    """Write one row for each deal of each package, UTF-8."""
    rows = []
    for row in deal_rows(sheets):
        cells = list(map(text_of, row))
        if options.excel_safe_ids:
            cells[_DEAL_ID] = excel_safe(str(row[_DEAL_ID]))
        rows.append(cells)
    return csv_of_cells(DEALS_HEADER, rows, bom=options.bom)


def packages_csv(sheets: Sequence[PackageSheet], about: About, options: ExportOptions = _PLAIN) -> bytes:
    """Write one row for each package with its deal ids, reasoning, counted facts and warnings, UTF-8."""
    rows = []
    for sheet, row in zip(sheets, package_rows(sheets, about.floor_reading), strict=True):
        cells = list(map(text_of, row))
        if options.excel_safe_ids and len(sheet.package.deal_ids) == 1:
            # Several ids with semicolons between them are no number, whatever their digits.
            cells[_DEAL_IDS] = excel_safe(sheet.package.deal_ids[0])
        rows.append(cells)
    return csv_of_cells(PACKAGES_HEADER, rows, bom=options.bom)
