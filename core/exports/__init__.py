"""Approved packages become files that other systems take."""

from core.exports.document import packages_json
from core.exports.tabular import neutralise, packages_csv, packages_deals_csv, table_csv

__all__ = ["neutralise", "packages_csv", "packages_deals_csv", "packages_json", "table_csv"]
