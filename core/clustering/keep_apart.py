"""Rules that keep deals out of one cluster, whatever their texts say.

Deals are divided by the rules before anything else happens. An unknown value is a value of its
own: a deal nobody called family-safe never joins deals that are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.clustering.identity import DealLike
from core.deals.deal import Deal

Stratum = tuple[str | None, ...]


def _formats(deal: Deal) -> str | None:
    return ", ".join(sorted(deal.formats)) or None


def _safety(deal: Deal) -> str:
    return "family-safe" if deal.safety.family_safe else "not known to be family-safe"


# Rule -> what it compares; any other name is a column of the source, compared as it came.
RULES: dict[str, Callable[[Deal], str | None]] = {
    "format": _formats,
    "safety": _safety,
    "currency": lambda deal: deal.currency,
    "ssp": lambda deal: deal.ssp_name,
}


def stratum_of(deal: DealLike, rules: tuple[str, ...]) -> Stratum:
    """Return what the rules compare, one text for each; None is unknown.

    Deals may share a cluster only when these are equal. Case and outer spaces do not count. Of a
    plain mapping, rules of `RULES` read it as a deal record, other names are its keys.
    """
    if not rules:
        return ()
    known = deal if isinstance(deal, Deal) else _deal_of(deal)
    return tuple(RULES[rule](known) if rule in RULES else _text(_columns(deal).get(rule)) for rule in rules)


def _columns(deal: DealLike) -> Mapping[str, Any]:
    if not isinstance(deal, Deal):
        return deal
    return {**deal.extra, **{name: value for name in _FIELDS if (value := getattr(deal, name)) is not None}}


# Fields that hold one text, offered as columns under their own name.
_FIELDS = (
    "price_type", "status", "source", "inventory_type", "buyer", "seat", "period", "ssp_name", "currency",
)  # fmt: skip


def _deal_of(deal: DealLike) -> Deal:
    from core.reading.reading import parse_deals

    if isinstance(deal, Deal):
        return deal
    read = parse_deals([deal])
    return read.deals[0] if read.deals else Deal("")


def _text(value: object) -> str | None:
    return None if value is None else str(value).strip().casefold() or None


def columns_of(deals: tuple[Deal, ...]) -> tuple[str, ...]:
    """Return the names of columns by which deals can be kept apart, besides `RULES`.

    A column counts when it divides the deals into 2 to 12 known values: one that differs in every
    deal would leave no cluster.
    """
    values: dict[str, set[str]] = {}
    for deal in deals:
        for name, value in _columns(deal).items():
            if (text := _text(value)) is not None:
                values.setdefault(name, set()).add(text)
    return tuple(
        sorted(
            name for name, seen in values.items() if 1 < len(seen) <= _MOST_VALUES and name not in _COVERED
        )
    )


_MOST_VALUES = 12
_COVERED = {"ssp_name", "currency"}  # the rules ssp and currency
