"""What is true of a group of deals, counted; never taken from a model's words.

Unknown is counted on its own: it is neither zero nor safe, and amounts in different
currencies never meet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.deals.deal import Deal
from core.deals.vocabulary import GARM_RISKS, garm_risk

UNKNOWN_CURRENCY = "?"


@dataclass(frozen=True, slots=True)
class FloorRange:
    """Floor prices of one currency, in CPM.

    clears_all: the lowest bid that meets every known floor, which is the highest floor.
    """

    currency: str
    lowest: Decimal
    highest: Decimal
    deals: int

    @property
    def clears_all(self) -> Decimal:
        """The lowest bid that meets every known floor of this currency."""
        return self.highest


@dataclass(frozen=True, slots=True)
class Facts:
    """Counts over a group of deals.

    formats, ssps, tier1, quality, volume, audiences: value -> deals that carry it, most
        frequent first, ties by name; deals without a value are in none of them.
    worst_risk: the worst known GARM rating, None when no deal has one.
    family_safe: "yes" (all deals say so), "no" (one says it is not), else "unknown".
    floors: one range per currency; `floor_unknown` counts deals without a floor.
    """

    deals: int
    formats: Mapping[str, int]
    ssps: Mapping[str, int]
    tier1: Mapping[str, int]
    quality: Mapping[str, int]
    volume: Mapping[str, int]
    audiences: Mapping[str, int]
    worst_risk: str | None
    risk_unknown: int
    family_safe: str
    family_safe_deals: int
    floors: tuple[FloorRange, ...]
    floor_unknown: int


def facts_of(deals: Sequence[Deal], *, floor_is_lowest_risk: bool = False) -> Facts:
    """Count everything a fact sheet shows about these deals.

    floor_is_lowest_risk: the GARM rating "Floor" means the safest level in the file of these deals.
    """
    ratings = (deal.safety.garm_risk_rating for deal in deals)
    risks = [garm_risk(rating, floor_is_lowest_risk=floor_is_lowest_risk) for rating in ratings]
    known_risks = [risk for risk in risks if risk]
    safe = [deal.safety.family_safe for deal in deals]
    return Facts(
        deals=len(deals),
        formats=mix(deals, lambda deal: deal.formats),
        ssps=mix(deals, lambda deal: (deal.ssp_name,)),
        tier1=mix(deals, lambda deal: (deal.taxonomy.tier1,)),
        quality=mix(deals, lambda deal: (deal.commercial.quality_tier,)),
        volume=mix(deals, lambda deal: (deal.commercial.volume_tier,)),
        audiences=mix(deals, lambda deal: deal.audience.inferred_audience),
        worst_risk=max(known_risks, key=GARM_RISKS.index, default=None),
        risk_unknown=len(risks) - len(known_risks),
        family_safe="no" if False in safe else "yes" if safe and all(safe) else "unknown",
        family_safe_deals=safe.count(True),
        floors=_floors(deals),
        floor_unknown=sum(deal.commercial.floor_price is None for deal in deals),
    )


def mix(deals: Iterable[Deal], values_of: Callable[[Deal], Iterable[str | None]]) -> dict[str, int]:
    """Count how many deals carry each value, most frequent first, ties by name."""
    counts = Counter(value for deal in deals for value in set(values_of(deal)) if value)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _floors(deals: Iterable[Deal]) -> tuple[FloorRange, ...]:
    amounts: dict[str, list[Decimal]] = {}
    for deal in deals:
        floor = deal.commercial.floor_price
        if floor is not None:
            amounts.setdefault(floor.currency or UNKNOWN_CURRENCY, []).append(floor.amount)
    return tuple(
        FloorRange(currency, min(known), max(known), len(known))
        for currency, known in sorted(amounts.items())
    )
