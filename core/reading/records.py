"""Parsed JSON becomes records, in whichever of the known shapes of a deal document it comes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.deals.vocabulary import column_key, field_for_column
from core.errors import ImportRefused
from core.reading.json_text import JsonText
from core.settings import MAX_ROWS

_NO_DEALS = 'holds no deals: expected a list of deals, or an object with a list under "deals".'


@dataclass(frozen=True, slots=True)
class Document:
    """Records of a JSON file.

    records: (position in the list, or line of JSON Lines; parsed record); not every one need be an object.
    repairs: sentences about what had to be assumed.
    """

    records: tuple[tuple[int, Any], ...]
    repairs: tuple[str, ...] = ()


def find_records(parsed: JsonText, filename: str) -> Document:
    """Return the records of a JSON or JSON Lines file. Raises ImportRefused when it holds no deals."""
    if parsed.is_lines:
        return _of_lines(parsed, filename)
    ((_, document),) = parsed.values
    records, repairs = _find_records(document)
    if records is None or (records and not any(isinstance(record, dict) for record in records)):
        raise ImportRefused(filename, _NO_DEALS)
    if not records:
        raise ImportRefused(filename, "holds an empty list: there is no deal to load.")
    if len(records) > MAX_ROWS:
        raise ImportRefused(filename, f"has more than {MAX_ROWS:,} deals: split it and load the parts.")
    return Document(tuple(enumerate(records, start=1)), repairs)


def _of_lines(parsed: JsonText, filename: str) -> Document:
    if not any(isinstance(record, dict) for _, record in parsed.values):
        raise ImportRefused(filename, "is neither valid JSON nor JSON Lines: export it again.")
    # Lines of a cut, indented document are rarely whole objects; those of JSON Lines nearly all are.
    whole = sum(refusal.text.strip().endswith("}") for refusal in parsed.refusals) + len(parsed.values)
    starts_whole = not parsed.refusals or parsed.values[0][0] < parsed.refusals[0].line
    if not starts_whole and whole * 2 < len(parsed.values) + len(parsed.refusals):
        first = parsed.refusals[0]
        reason = f"is no valid JSON (it is cut off or damaged after line {first.line}): export it again."
        raise ImportRefused(filename, reason)
    return Document(parsed.values)


# --- shapes ---------------------------------------------------------------------------------

_WRAPPERS = (("deals",), ("data", "deals"), ("response", "deals"))
# Names of lists and wrappers that say nothing about who sells: they are no SSP.
_PLAIN_NAME = re.compile(
    r"deal|item|list|result|record|row|data|entr|content|value|response|payload|body|output|page|object|inventory",
    re.IGNORECASE,
)
# How deep in a document a list of deals is looked for.
_SEARCH_LEVELS = 4

Found = tuple[list[Any] | None, tuple[str, ...]]


def _find_records(document: object) -> Found:
    """Return the records in any known shape of a deal document, and what had to be assumed."""
    if isinstance(document, list):
        requests = [_open_rtb(item) for item in document]
        if document and all(request is not None for request in requests):
            return [deal for request in requests for deal in request or ()], ()
        return document, ()
    if not isinstance(document, dict):
        return None, ()
    for path in _WRAPPERS:
        inner: object = document
        for key in path:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, list):
            return inner, ()
    bids = _open_rtb(document)
    if bids is not None:
        return bids, ()
    return _lists_or_object(document)


def _open_rtb(document: object) -> list[Any] | None:
    """Return the deals under `imp[].pmp.deals` of a bid request, None when there are none."""
    imps = document.get("imp") if isinstance(document, dict) else None
    if not isinstance(imps, list):
        return None
    pmps = [imp.get("pmp") for imp in imps if isinstance(imp, dict)]
    lists = [pmp["deals"] for pmp in pmps if isinstance(pmp, dict) and isinstance(pmp.get("deals"), list)]
    return [deal for deals in lists for deal in deals] if lists else None


def _lists_or_object(document: dict[str, Any]) -> Found:
    """Choose between the lists of deals inside an object, and the object as one deal.

    An object with an id of its own may still be an envelope: {"id": "x", "items": [{"deal_id": ...}]}.
    """
    lists = list(_deal_lists(document, _SEARCH_LEVELS))
    own = {key for key in document if (field := field_for_column(key)) and field.name == "deal_id"}
    is_deal = any(column_key(key) != "id" for key in own)
    if is_deal:
        inner = sum(len(records) for _, records in lists)
        note = f"The file is read as one deal; {inner:,} records with ids inside it are kept as text."
        return [document], (note,) if inner else ()
    if lists:
        return _gathered(document, lists)
    if own or _flat_keys(document) & {"deal_id"}:
        return [document], ()
    values = list(document.values())
    if values and all(isinstance(part, list) and all(isinstance(x, dict) for x in part) for part in values):
        return [record for part in values for record in part], ()
    return None, ()


def _flat_keys(document: Mapping[str, Any]) -> set[str]:
    """Return the names of the fields that keys of the object and of the objects in it lead to."""
    names = [
        f"{key}_{inner}" for key, value in document.items() if isinstance(value, dict) for inner in value
    ]
    return {field.name for name in names if (field := field_for_column(name))}


def _deal_lists(document: Mapping[str, Any], levels: int) -> Iterator[tuple[str, list[Any]]]:
    """Yield (key, list) of every list whose records have an id and that is no field of a deal itself."""
    for key, value in document.items():
        if isinstance(value, dict) and levels:
            inner = list(_deal_lists(value, levels - 1))
            # {vendor: {"deals": [...]}}: the vendor is the better name.
            yield from ((key if _PLAIN_NAME.search(name) else name, found) for name, found in inner)
        elif isinstance(value, list) and field_for_column(key) is None and _hold_ids(value):
            yield key, value


def _hold_ids(records: list[Any]) -> bool:
    first = next((record for record in records if isinstance(record, dict)), None)
    return first is not None and any(
        field.name == "deal_id" for key in first if (field := field_for_column(key))
    )


def _gathered(document: Mapping[str, Any], lists: list[tuple[str, list[Any]]]) -> Found:
    """Join the lists; a list named by its SSP gives that name to the records without one."""
    repairs = []
    records: list[Any] = []
    named = []
    for key, found in lists:
        vendor = None if _PLAIN_NAME.search(key) else key
        if vendor and any(isinstance(record, dict) and not _has_ssp(record) for record in found):
            named.append(vendor)
        records += [
            {**record, "ssp_name": vendor}
            if vendor and isinstance(record, dict) and not _has_ssp(record)
            else record
            for record in found
        ]
    if named:
        repairs.append(f"The names of the lists are used as SSP: {', '.join(named[:10])}.")
    other = [key for key, value in document.items() if not isinstance(value, (dict, list))]
    if other:
        repairs.append(f"Beside the list of deals the file holds {', '.join(other[:10])}, which is not kept.")
    return records, tuple(repairs)


def _has_ssp(record: Mapping[str, Any]) -> bool:
    return any(record[key] and (f := field_for_column(key)) and f.name == "ssp_name" for key in record)
