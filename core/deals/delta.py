"""What a newer file says otherwise than an older one: deals that are new, changed, gone or the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.deals.deal import Deal

_GROUPS = ("taxonomy", "safety", "audience", "commercial")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a deal that differs; None where one of the files does not say.

    field: name in a flattened table, such as "commercial_floor_price"; "extra: Name" for other columns.
    before, after: as text; lists are joined by " | ", yes and no stand for truth values.
    """

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """A deal that both files hold with different values."""

    deal_id: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """Every deal of both files in exactly one part; ids in the order of the file that holds them.

    new and same follow the newer file, gone the older one.
    """

    new: tuple[str, ...]
    changed: tuple[Change, ...]
    gone: tuple[str, ...]
    same: tuple[str, ...]


def compare_deals(old: Sequence[Deal], new: Sequence[Deal]) -> Delta:
    """Compare two lists of deals by id; the order of deals and of list values makes no difference."""
    before = {deal.deal_id: deal for deal in old}
    after = {deal.deal_id: deal for deal in new}
    changed = [
        Change(deal_id, _changes(before[deal_id], after[deal_id])) for deal_id in after if deal_id in before
    ]
    differing = {change.deal_id for change in changed if change.fields}
    return Delta(
        new=tuple(deal_id for deal_id in after if deal_id not in before),
        changed=tuple(change for change in changed if change.fields),
        gone=tuple(deal_id for deal_id in before if deal_id not in after),
        same=tuple(deal_id for deal_id in after if deal_id in before and deal_id not in differing),
    )


def _changes(before: Deal, after: Deal) -> tuple[FieldChange, ...]:
    if before == after:
        return ()
    one, other = _flat(before), _flat(after)
    return tuple(
        FieldChange(name, _text(one.get(name)), _text(other.get(name)))
        for name in dict.fromkeys([*one, *other])
        if _comparable(one.get(name)) != _comparable(other.get(name))
    )


def _flat(deal: Deal) -> dict[str, object]:
    record = deal.to_dict()
    flat: dict[str, object] = {}
    for name, value in record.items():
        if name in _GROUPS:
            flat |= {f"{name}_{inner}": item for inner, item in value.items()}
        elif name == "extra":
            flat |= {f"extra: {column}": text for column, text in value.items()}
        else:
            flat[name] = value
    if deal.formats:
        flat["format"] = list(deal.formats)
    floor = deal.commercial.floor_price
    if floor:
        flat["commercial_floor_price"] = floor.amount
    return flat


def _comparable(value: object) -> object:
    # Amounts compare as numbers (5 is 5.00), lists without their order.
    return frozenset(value) if isinstance(value, list) else value


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " | ".join(value) if isinstance(value, list) else str(value)
