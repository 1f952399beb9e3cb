"""Packages as one JSON document, with everything needed to understand them later, and to read them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from core.deals import Deal
from core.errors import ImportRefused
from core.exports.export_context import About
from core.packages import Package
from core.packages.fact_sheet import package_facts
from core.packages.sheet import PackageSheet
from core.reading.json_text import parse_json
from core.reading.tables import decode
from core.wording.findings import Finding, Fix

_DOCUMENT = "dealweaver packages"
_VERSION = 1
# Names in the document where they say more than those of a package among packages.
_NAMES = {
    "id": "package_id",
    "name": "package_name",
    "source": "proposal_source",
    "edited": "edited_by_analyst",
}


def packages_json(sheets: Sequence[PackageSheet], about: About) -> bytes:
    """Write packages and their deals, each deal once, UTF-8, indented.

    The same packages and the same `about` give the same bytes. The document can be loaded as a deal file.
    """
    deals = {deal.deal_id: deal for sheet in sheets for deal in sheet.members}
    document = {
        "document": _DOCUMENT,
        "version": _VERSION,
        "about": about.to_dict(),
        "packages": [_entry(sheet) for sheet in sheets],
        "deals": [deal.to_dict() for deal in deals.values()],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str)


def _entry(sheet: PackageSheet) -> dict[str, Any]:
    package = {_NAMES.get(name, name): value for name, value in sheet.package.to_dict().items()}
    # Dataclasses as they are: orjson writes them faster than any dict of theirs could be made.
    return {**package, "facts": sheet.facts, "findings": sheet.findings}


def read_document(data: bytes, filename: str) -> tuple[tuple[PackageSheet, ...], About]:
    """Return the packages of `packages_json` as they were written; facts are counted again.

    Raises ImportRefused for any other document, and for one that was edited into something else.
    """
    document = read_packages_json(data, filename)
    if document.get("document") != _DOCUMENT or document.get("version") != _VERSION:
        raise ImportRefused(filename, f"is no export of packages (version {_VERSION}): export it again.")
    try:
        about = About.from_dict(document["about"])
        deals = {deal.deal_id: deal for deal in map(Deal.from_dict, document["deals"])}
        sheets = tuple(_sheet(entry, deals, about) for entry in document["packages"])
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ImportRefused(
            filename, f"lacks something an export has ({type(error).__name__}: {error}): export it again."
        ) from None
    return sheets, about


def read_packages_json(data: bytes, filename: str) -> dict[str, Any]:
    """Return a JSON document with a list of packages. Raises ImportRefused for anything else."""
    text, _ = decode(data, filename)
    text = text.removeprefix("\ufeff")
    try:
        parse_json(text)  # refuses what the faster reader lets pass: keys that stand twice, deep nesting
        document = orjson.loads(text)
    except ValueError as error:
        raise ImportRefused(filename, f"is no valid JSON ({error}): export it again.") from None
    if not isinstance(document, dict) or not isinstance(document.get("packages"), list):
        raise ImportRefused(filename, 'has no list of "packages": choose an exported packages.json.')
    return document


def _sheet(entry: Mapping[str, Any], deals: Mapping[str, Deal], about: About) -> PackageSheet:
    package = Package.from_dict({name: entry.get(_NAMES.get(name, name)) for name in _package_names(entry)})
    members = tuple(deals[deal_id] for deal_id in package.deal_ids)
    facts = package_facts(members, floor_is_lowest_risk=about.floor_is_lowest_risk)
    return PackageSheet(package, members, facts, tuple(map(_finding, entry["findings"])))


def _package_names(entry: Mapping[str, Any]) -> list[str]:
    own = {written: name for name, written in _NAMES.items()}
    return [own.get(name, name) for name in entry if name not in {"facts", "findings"}]


def _finding(entry: Mapping[str, Any]) -> Finding:
    fixes = tuple(Fix(fix["kind"], fix["label"], tuple(map(tuple, fix["parts"]))) for fix in entry["fixes"])
    return Finding(entry["code"], entry["severity"], entry["sentence"], tuple(entry["deal_ids"]), fixes)
