"""Deals for the tests of this folder, written by the facts that matter."""

from decimal import Decimal
from typing import Any

from core.deals import Audience, Commercial, Deal, Money, Safety, Taxonomy


def make_deal(
    deal_id: str = "D1",
    *,
    floor: tuple[str, str | None] | None = None,
    safe: bool | None = None,
    risk: str | None = None,
    quality: str | None = None,
    volume: str | None = None,
    tiers: tuple[str, ...] = (),
    audience: tuple[str, ...] = (),
    **fields: Any,
) -> Deal:
    """Return a deal; floor is (amount, currency)."""
    money = Money(Decimal(floor[0]), floor[1]) if floor else None
    return Deal(
        deal_id,
        taxonomy=Taxonomy(*tiers),
        safety=Safety(risk, safe),
        commercial=Commercial(quality, volume, money),
        audience=Audience(audience),
        **fields,
    )
