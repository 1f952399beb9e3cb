"""An exported file that was edited elsewhere comes back: what differs is listed, to be accepted or refused.

Only names, reasoning and members are read; facts of deals are those of the run, whatever the file says.
An untouched file gives no difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from core.deals import Deal
from core.errors import ImportRefused
from core.exports.cells import restore
from core.exports.document import read_packages_json
from core.packages import (
    AddDeals,
    Change,
    Edit,
    EditPackages,
    MakePackage,
    Package,
    Reject,
    RemoveDeals,
    Rename,
    SetReasoning,
)
from core.reading.grid import Table, TableOptions
from core.reading.json_text import looks_like_json
from core.reading.sandbox import read_table_safely

Kind = Literal["renamed", "reasoning", "added", "removed", "new", "missing", "refused"]
ReadTable = Callable[[bytes, str, TableOptions], Table]

_NEEDED = ("package_id", "package_name", "deal_id")
_OWN_SHEET = "deals"
_MOST_NAMED = 5
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class ReturnedPackage:
    """A package as the file has it.

    id: None when its cell is blank. names: the different names of its rows, in order.
    deal_ids: each once. reasoning: None when the file does not tell it. version: that it was written from.
    """

    id: str | None
    names: tuple[str, ...]
    deal_ids: tuple[str, ...]
    reasoning: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """What a file holds; notes: what had to be repaired or passed over to read it."""

    filename: str
    packages: tuple[ReturnedPackage, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is other in the file than here.

    sentence: what it is, and what accepting it does. command: what accepting it performs; None when
    it was refused. since_changed: the package was edited here after the file was written.
    """

    kind: Kind
    sentence: str
    package_id: str | None = None
    deal_ids: tuple[str, ...] = ()
    command: EditPackages | MakePackage | None = None
    since_changed: bool = False


# --- reading ------------------------------------------------------------------------------------


def read_back(data: bytes, filename: str, read_table: ReadTable = read_table_safely) -> Returned:
    """Read an exported packages.json, packages_deals.csv or workbook, also one that a spreadsheet saved.

    read_table: reads delimited text and workbooks, in a child process by default.
    Raises ImportRefused with a reason a person can act on.
    """
    if looks_like_json(data):
        return _of_document(read_packages_json(data, filename), filename)
    return _of_table(_table(data, filename, read_table), filename)


def _table(data: bytes, filename: str, read_table: ReadTable) -> Table:
    is_workbook = data.startswith(b"PK\x03\x04")
    # Our header is the first line; a program that wrote "sep=;" above it, or another sheet, is the exception.
    first = TableOptions(sheet=_OWN_SHEET) if is_workbook else TableOptions(header_line=1)
    for options in (first, TableOptions()):
        try:
            table = read_table(data, filename, options)
        except ImportRefused:
            if options is not first:
                raise
            continue
        if set(_NEEDED) <= set(map(restore, table.columns)):
            return table
    missing = ", ".join(name for name in _NEEDED if name not in table.columns)
    raise ImportRefused(filename, f"lacks the columns {missing}: choose an exported packages_deals.csv.")


def _of_table(table: Table, filename: str) -> Returned:
    # Text cells of our own workbook have no guard: an apostrophe there is part of the text.
    original = str if table.source.sheet == _OWN_SHEET else restore
    columns = [restore(column) for column in table.columns]
    place = {name: columns.index(name) for name in (*_NEEDED, "package_version") if name in columns}
    notes = [*table.repairs, *(f"Line {item.line} cannot be read: {item.reason}." for item in table.refusals)]
    groups: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for line, row in zip(table.lines, table.rows, strict=True):
        cells = {name: original(row[index]) for name, index in place.items()}
        package_id, name, deal_id = (cells[needed] for needed in _NEEDED)
        if not deal_id.strip():
            notes.append(f"Line {line} has no deal id and is passed over.")
            continue
        key = (package_id.strip(), "" if package_id.strip() else _spaced(name))
        groups.setdefault(key, []).append((name, deal_id.strip(), cells.get("package_version", "")))
    packages = []
    for (package_id, _), rows in groups.items():
        names, ids, versions = (tuple(dict.fromkeys(column)) for column in zip(*rows, strict=True))
        if len(ids) < len(rows):
            notes.append(f"{names[0]!r} holds a deal twice; it counts once.")
        packages.append(ReturnedPackage(package_id or None, names, ids, None, _number(versions[0])))
    return Returned(filename, tuple(packages), tuple(notes))


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text.strip()) else None


def _of_document(document: Mapping[str, Any], filename: str) -> Returned:
    packages = []
    for number, entry in enumerate(document["packages"], start=1):
        if not isinstance(entry, dict):
            raise ImportRefused(filename, f"holds no object as package {number}: correct it there.")
        texts = {name: entry.get(name) for name in ("package_id", "package_name", "reasoning")}
        ids, version = entry.get("deal_ids"), entry.get("version")
        wrong = [name for name, text in texts.items() if not isinstance(text, (str, type(None)))]
        if not isinstance(ids, list) or not all(isinstance(deal_id, str) for deal_id in ids):
            wrong.append("deal_ids")
        if wrong or not texts["package_name"]:
            place = ", ".join(wrong or ["package_name"])
            raise ImportRefused(filename, f"has no text in {place} of package {number}: write it in quotes.")
        packages.append(
            ReturnedPackage(
                (texts["package_id"] or "").strip() or None,
                (texts["package_name"] or "",),
                tuple(dict.fromkeys(deal_id.strip() for deal_id in ids or ())),
                texts["reasoning"],
                version if isinstance(version, int) else None,
            )
        )
    return Returned(filename, tuple(packages))


# --- comparing ----------------------------------------------------------------------------------


def diff(
    returned: Returned, packages: Iterable[Package], deals: Mapping[str, Deal]
) -> tuple[Difference, ...]:
    """Return what is other in the file than in these packages, in the order of the file.

    packages: those the file was to hold, approved ones by default; one that is not in the file is missing
    there. deals: deal id -> deal of the run; ids that are not there are refused.
    """
    here = {package.id: package for package in packages}
    found: list[Difference] = []
    seen: set[str] = set()
    for item in returned.packages:
        package = here.get(item.id or "")
        if package is None:
            found += _of_new(item, deals)
        elif package.id in seen:
            found.append(_refused(f"{package.id} stands twice in the file; the first is used.", package.id))
        else:
            seen.add(package.id)
            found += _of_known(item, package, deals)
    lacking = (package for package in here.values() if package.id not in seen)
    found += [_missing(package) for package in lacking if package.status != "rejected"]
    return tuple(found)


def with_accepted(returned: Returned, accepted: Difference, changes: Iterable[Change]) -> Returned:
    """Return the file as if it had been written after a difference was accepted.

    changes: what accepting it did. Its other differences then still compare with the right version, and
    a package that was new in the file has its id.
    """
    packages = list(returned.packages)
    for change in changes:
        for place, item in enumerate(packages):
            if change.after is None or not _is_about(item, accepted, change):
                continue
            packages[place] = _brought_up(item, change.before, change.after)
            break
    return replace(returned, packages=tuple(packages))


def _brought_up(item: ReturnedPackage, before: Package | None, after: Package) -> ReturnedPackage:
    """Return the entry under the id and version of now.

    A reasoning that counts the deals follows them here; one that nobody edited in the file does so too.
    """
    untouched = before and item.reasoning is not None and _spaced(item.reasoning) == _spaced(before.reasoning)
    reasoning = after.reasoning if untouched else item.reasoning
    return replace(item, id=after.id, version=after.version, reasoning=reasoning)


def _is_about(item: ReturnedPackage, accepted: Difference, change: Change) -> bool:
    if change.before is not None:
        return (item.id, item.version) == (change.package_id, change.before.version)
    made = accepted.command
    return (
        isinstance(made, MakePackage)
        and item.names == (made.name,)
        and set(made.deal_ids) <= set(item.deal_ids)
    )


def _of_known(item: ReturnedPackage, package: Package, deals: Mapping[str, Deal]) -> Iterator[Difference]:
    changed = item.version is not None and item.version != package.version

    def offer(kind: Kind, sentence: str, edit: Edit, deal_ids: tuple[str, ...] = ()) -> Difference:
        command = EditPackages((package.id,), (edit,))
        return Difference(kind, f"{package.name!r}: {sentence}", package.id, deal_ids, command, changed)

    names = [name for name in item.names if _spaced(name) != _spaced(package.name)]
    if len(names) == 1 and names[0].strip():
        yield offer("renamed", f"rename it to {_shown(names[0])}.", Rename(names[0]))
    elif names:
        told = ", ".join(_shown(name) for name in names[:_MOST_NAMED])
        yield _refused(
            f"{package.name!r}: its rows give several or blank names ({told}): write one.", package.id
        )
    if item.reasoning is not None and _spaced(item.reasoning) != _spaced(package.reasoning):
        yield offer(
            "reasoning", f"its reasoning becomes {_shown(item.reasoning)}.", SetReasoning(item.reasoning)
        )
    gone = [deal_id for deal_id in package.deal_ids if deal_id not in item.deal_ids]
    unknown = [
        deal_id for deal_id in item.deal_ids if deal_id not in deals and deal_id not in package.deal_ids
    ]
    damaged = _damaged(unknown, gone)
    if unknown:
        yield _unknown(f"{package.name!r}", unknown, damaged, package.id)
    added = tuple(
        deal_id for deal_id in item.deal_ids if deal_id in deals and deal_id not in package.deal_ids
    )
    if added:
        yield offer("added", f"add {_listed(added)}.", AddDeals(added), added)
    # A deal whose id a spreadsheet damaged was not taken out.
    removed = tuple(deal_id for deal_id in gone if deal_id not in damaged.values())
    if removed and len(removed) == len(package.deal_ids) and not added:
        if package.status != "rejected":
            yield offer("removed", "it has no deal in the file any more: reject it.", Reject(), removed)
    elif removed:
        yield offer("removed", f"take out {_listed(removed)}.", RemoveDeals(removed), removed)


def _of_new(item: ReturnedPackage, deals: Mapping[str, Deal]) -> Iterator[Difference]:
    name = item.names[0]
    unknown = [deal_id for deal_id in item.deal_ids if deal_id not in deals]
    if unknown:
        yield _unknown(f"{_shown(name)} (new)", unknown, _damaged(unknown, list(deals)), None)
    ids = tuple(deal_id for deal_id in item.deal_ids if deal_id in deals)
    if len(item.names) > 1 or not name.strip():
        yield _refused("A package that is new in the file has several or blank names: write one.", item.id)
    elif ids:
        sentence = f"{_shown(name)} is not here: make a package of {_listed(ids)}."
        yield Difference("new", sentence, None, ids, MakePackage(name, ids, item.reasoning or ""))


def _missing(package: Package) -> Difference:
    return Difference(
        "missing",
        f"{package.name!r} is not in the file: reject it.",
        package.id,
        package.deal_ids,
        EditPackages((package.id,), (Reject(),)),
    )


def _refused(sentence: str, package_id: str | None) -> Difference:
    return Difference("refused", sentence, package_id)


def _unknown(
    where: str, unknown: Sequence[str], damaged: Mapping[str, str], package_id: str | None
) -> Difference:
    sentence = f"{where}: no deal of this run has the id {_listed(unknown)}: check the ids."
    if damaged:
        pairs = ", ".join(f"{found} for {meant}" for found, meant in list(damaged.items())[:_MOST_NAMED])
        sentence += (
            f" A spreadsheet has changed ids ({pairs}): export with Excel-safe ids and edit that file."
        )
    return Difference("refused", sentence, package_id, tuple(unknown))


def _damaged(unknown: Sequence[str], candidates: Sequence[str]) -> dict[str, str]:
    """Return unknown id -> the one id that a spreadsheet would have made it of."""
    forms: dict[str, set[str]] = {}
    if unknown:
        for deal_id in candidates:
            for form in _spreadsheet_forms(deal_id):
                forms.setdefault(form, set()).add(deal_id)
    return {
        found: next(iter(forms[found.replace(",", ".")]))
        for found in unknown
        if len(forms.get(found.replace(",", "."), ())) == 1
    }


def _spreadsheet_forms(deal_id: str) -> set[str]:
    """Return what Excel saves of an id that it took for a number: 15 digits, no zeros in front."""
    if not re.fullmatch(r"[0-9]+([eE][0-9]{1,2})?", deal_id):
        return set()
    number = Decimal(deal_id)
    digits = f"{number:f}"
    kept = digits[:15] + "0" * max(0, len(digits) - 15)
    return {digits, kept, f"{number:.5E}", f"{number:.2E}", f"{number:.2E}".replace("E+", "E+0")} - {deal_id}


def _spaced(text: str) -> str:
    """Return the text as it is compared: programs change line ends, and readers drop NULs."""
    return " ".join(text.replace("\0", "").split())


def _shown(text: str) -> str:
    plain = _spaced(text)
    return repr(plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}\u2026")


def _listed(deal_ids: Sequence[str]) -> str:
    more = len(deal_ids) - _MOST_NAMED
    return ", ".join(deal_ids[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
