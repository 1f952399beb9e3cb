"""Rows that repeat a deal id become one deal where they agree, and are refused where they do not.

An export with one row for each publisher, device, country or category of a deal is one deal with
all of them. The outcome does not depend on the order of such rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from core.deals.deal import Audience, Commercial, Deal, Money, Safety, Taxonomy
from core.reading.result import Problem

# The fields whose values add up over the rows of one deal.
_UNITED = ("publishers", "devices", "geos", "concepts")
# Everything else a deal says once: two different known values are a conflict.
_NESTED = {"safety": Safety, "audience": Audience, "commercial": Commercial}
_APART = frozenset({*_UNITED, *_NESTED, "taxonomy", "extra", "deal_id", "scale"})
_SINGLE = tuple(field.name for field in fields(Deal) if field.name not in _APART)
_INNER = tuple((name, inner.name) for name, kind in _NESTED.items() for inner in fields(kind))
_FLOOR = ("commercial", "floor_price")


@dataclass(frozen=True, slots=True)
class Merged:
    """The deals, one for each id in the order of the file, and what became of the repeated rows."""

    deals: tuple[Deal, ...]
    problems: tuple[Problem, ...]
    merged: int
    refused: int


def merge_repeats(numbered: Sequence[tuple[int, Deal]]) -> Merged:
    """Make one deal of the rows of each id; every row beyond the first is merged or refused."""
    groups: dict[str, list[tuple[int, Deal]]] = {}
    for row, deal in numbered:
        groups.setdefault(deal.deal_id, []).append((row, deal))
    if len(groups) == len(numbered):
        return Merged(tuple(deal for _, deal in numbered), (), 0, 0)
    deals: list[Deal] = []
    problems: list[Problem] = []
    for group in groups.values():
        if len(group) == 1:
            deals.append(group[0][1])
            continue
        union = _Union(*group[0])
        for row, deal in group[1:]:
            problems += union.add(row, deal)
        deals.append(union.deal())
    refused = sum(problem.severity == "refused" for problem in problems)
    return Merged(tuple(deals), tuple(problems), len(numbered) - len(deals) - refused, refused)


class _Union:
    """The rows of one deal id, as far as they agree."""

    def __init__(self, row: int, deal: Deal) -> None:
        self._first_row = row
        self._first = deal
        self._rows = 1
        self._values = {name: getattr(deal, name) for name in _SINGLE}
        self._inner = {path: getattr(getattr(deal, path[0]), path[1]) for path in _INNER}
        self._scale = deal.scale
        self._lists: dict[str, dict[str, None]] = {name: {} for name in _UNITED}
        self._extra: dict[str, dict[str, None]] = {}
        self._paths: Counter[tuple[str | None, ...]] = Counter()
        self._unite(deal)

    def add(self, row: int, deal: Deal) -> list[Problem]:
        """Take one more row in; the first problem says what became of it."""
        if deal == self._first:
            self._rows += 1
            self._unite(deal)  # nothing new, but its category counts
            message = f"The same deal stands in row {self._first_row} already; merged."
            return [Problem(row, "deal_id", message, "merged", deal.deal_id)]
        conflicts = self._conflicts(deal)
        if conflicts:
            message = (
                f"Deal {deal.deal_id} stands in row {self._first_row} with other values "
                f"({'; '.join(conflicts)}): the first row is kept, this one is not."
            )
            to_do = "Correct one of the rows, or give the second deal its own id."
            return [Problem(row, "deal_id", message, "refused", deal.deal_id, to_do=to_do)]
        warnings = [self._raise_floor(row, deal), self._raise_scale(row, deal)]
        added = self._unite(deal)
        self._fill(deal)
        self._rows += 1
        what = f"adds {', '.join(added)}" if added else "adds no other value"
        message = f"Merged with row {self._first_row} of the same deal; this row {what}."
        merged = Problem(row, "deal_id", message, "merged", deal.deal_id)
        return [merged, *(warning for warning in warnings if warning)]

    def _conflicts(self, deal: Deal) -> list[str]:
        pairs = [(name, value, getattr(deal, name)) for name, value in self._values.items()]
        pairs += [
            (inner, value, getattr(getattr(deal, outer), inner))
            for (outer, inner), value in self._inner.items()
            if (outer, inner) != _FLOOR
        ]
        found = [
            f"{name} {_words(known)} and {_words(value)}"
            for name, known, value in pairs
            if known != value and _is_known(known) and _is_known(value)
        ]
        mine: Money | None = self._inner[_FLOOR]
        other = deal.commercial.floor_price
        # Of one currency the highest floor counts; without a currency nobody can tell which is higher.
        if mine and other and mine.amount != other.amount and mine.currency != other.currency:
            found.append(f"floor {_price(mine)} and {_price(other)}")
        units = (self._values["scale_unit"], self._values["period"]) == (deal.scale_unit, deal.period)
        if None not in (self._scale, deal.scale) and self._scale != deal.scale and not units:
            found.append(f"volume {self._scale} and {deal.scale} of different units")
        return found

    def _raise_floor(self, row: int, deal: Deal) -> Problem | None:
        mine: Money | None = self._inner[_FLOOR]
        other = deal.commercial.floor_price
        if mine is None or other is None or mine.amount == other.amount:
            return None
        highest = max(mine, other, key=lambda floor: floor.amount)
        self._inner[_FLOOR] = highest
        message = (
            f"Deal {deal.deal_id} has the floors {_price(mine)} and {_price(other)}; the highest is used."
        )
        return Problem(row, "commercial_floor_price", message, deal_id=deal.deal_id, to_do="Check the floor.")

    def _raise_scale(self, row: int, deal: Deal) -> Problem | None:
        """Keep the largest volume: those of single rows overlap, so they are never added up."""
        if self._scale is None or deal.scale is None or self._scale == deal.scale:
            self._scale = deal.scale if self._scale is None else self._scale
            return None
        low, high = sorted((self._scale, deal.scale))
        self._scale = high
        message = f"Deal {deal.deal_id} has the volumes {low:,} and {high:,}; the largest is used."
        return Problem(row, "scale", message, deal_id=deal.deal_id, to_do="Check the volume.")

    def _unite(self, deal: Deal) -> list[str]:
        """Add the lists, the category and the other columns of a row; return what was new."""
        added = []
        for name, known in self._lists.items():
            new = [value for value in getattr(deal, name) if value not in known]
            known.update(dict.fromkeys(new))
            added += [f"{name} {', '.join(new[:3])}"] if new else []
        path = (deal.taxonomy.tier1, deal.taxonomy.tier2, deal.taxonomy.tier3)
        if any(path):
            if path not in self._paths:
                added.append(
                    f"category {' > '.join(filter(None, path))} (one is the deal's, others are concepts)"
                )
            self._paths[path] += 1
        for column, text in deal.extra.items():
            known_texts = self._extra.setdefault(column, {})
            if text not in known_texts:
                added.append(f"{column} {text[:40]}")
                known_texts[text] = None
        return added

    def _fill(self, deal: Deal) -> None:
        """Take what the rows before did not know."""
        for name, known in self._values.items():
            if not _is_known(known):
                self._values[name] = getattr(deal, name)
        for outer, inner in self._inner:
            if not _is_known(self._inner[outer, inner]):
                self._inner[outer, inner] = getattr(getattr(deal, outer), inner)

    def deal(self) -> Deal:
        """Return the deal of all rows taken in."""
        if self._rows == 1:
            return self._first
        # The commonest category is the deal's; of equals the first by name, whatever the order of rows.
        paths = sorted(self._paths, key=lambda path: (-self._paths[path], tuple(part or "" for part in path)))
        others = sorted({" > ".join(filter(None, path)) for path in paths[1:]})
        concepts = dict.fromkeys([*self._lists["concepts"], *others])
        floor: Money | None = self._inner[_FLOOR]
        if floor:  # a currency that only one of the rows names is that of the deal
            self._inner[_FLOOR] = Money(floor.amount, self._values["currency"])
        nested = {
            name: kind(**{inner: self._inner[outer, inner] for outer, inner in _INNER if outer == name})
            for name, kind in _NESTED.items()
        }
        united = {name: tuple(values) for name, values in self._lists.items()} | {"concepts": tuple(concepts)}
        changes: dict[str, Any] = {**self._values, **united, **nested}
        return replace(
            self._first,
            **changes,
            scale=self._scale,
            taxonomy=Taxonomy(*paths[0]) if paths else Taxonomy(),
            extra={column: " | ".join(texts) for column, texts in self._extra.items()},
        )


def _is_known(value: object) -> bool:
    return value is not None and value != ()


def _words(value: object) -> str:
    return repr(", ".join(value) if isinstance(value, tuple) else str(value))


def _price(floor: Money) -> str:
    return f"{floor.amount:f} {floor.currency or 'without currency'}"
