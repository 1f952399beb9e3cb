"""What a deal is: frozen value types, and the nested dict they are written as.

A deal id is text, an unknown value is `None` (never 0, never "safe"), money carries
its currency. Parsing and doubt live in `reading`; here everything is already trusted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Content category path; the tiers hold the file's own words."""

    tier1: str | None = None
    tier2: str | None = None
    tier3: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The known tiers, broad to narrow."""
        return tuple(tier for tier in (self.tier1, self.tier2, self.tier3) if tier)


@dataclass(frozen=True, slots=True)
class Safety:
    """Brand safety; `family_safe` None means nobody said, which is not the same as safe."""

    garm_risk_rating: str | None = None
    family_safe: bool | None = None
    safe_for_verticals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom the inventory reaches, as the enrichment inferred it."""

    inferred_audience: tuple[str, ...] = ()
    demographic_hint: str | None = None
    audience_provenance: str | None = None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount per thousand impressions (CPM); `currency` is ISO 4217, None when nobody said."""

    amount: Decimal
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Commercial:
    """Tiers and the floor price (minimum bid CPM; an explicit 0 means "no floor")."""

    quality_tier: str | None = None
    volume_tier: str | None = None
    floor_price: Money | None = None


@dataclass(frozen=True, slots=True)
class Deal:
    """One deal id at one SSP.

    formats: subset of display, video, audio, native; empty = unknown.
    devices: subset of the device values of `vocabulary`; empty = unknown.
    start_time, end_time: ISO 8601 text as read; a missing end means open-ended.
    extra: columns of the source that have no field, kept as they came.
    """

    deal_id: str
    deal_name: str | None = None
    ssp_name: str | None = None
    formats: tuple[str, ...] = ()
    taxonomy: Taxonomy = Taxonomy()
    concepts: tuple[str, ...] = ()
    safety: Safety = Safety()
    audience: Audience = Audience()
    commercial: Commercial = Commercial()
    publishers: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    geos: tuple[str, ...] = ()
    price_type: str | None = None
    currency: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    status: str | None = None
    source: str | None = None
    description: str | None = None
    inventory_type: str | None = None
    buyer: str | None = None
    seat: str | None = None
    scale: int | None = None
    scale_unit: str | None = None
    period: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the nested record, without the fields nobody filled.

        Floor prices are written as decimal text, so that no amount changes on the way.
        """
        floor = self.commercial.floor_price
        record: dict[str, Any] = {
            "deal_id": self.deal_id,
            "deal_name": self.deal_name,
            "ssp_name": self.ssp_name,
            "format": list(self.formats) if len(self.formats) > 1 else next(iter(self.formats), None),
            "taxonomy": _present(
                tier1=self.taxonomy.tier1, tier2=self.taxonomy.tier2, tier3=self.taxonomy.tier3
            ),
            "concepts": list(self.concepts),
            "safety": _present(
                garm_risk_rating=self.safety.garm_risk_rating,
                family_safe=self.safety.family_safe,
                safe_for_verticals=list(self.safety.safe_for_verticals),
            ),
            "audience": _present(
                inferred_audience=list(self.audience.inferred_audience),
                demographic_hint=self.audience.demographic_hint,
                audience_provenance=self.audience.audience_provenance,
            ),
            "commercial": _present(
                quality_tier=self.commercial.quality_tier,
                volume_tier=self.commercial.volume_tier,
                floor_price=f"{floor.amount:f}" if floor else None,
            ),
            "publishers": list(self.publishers),
            "device": list(self.devices),
            "geos": list(self.geos),
            "extra": dict(self.extra),
        }
        for name in _PLAIN_FIELDS:
            record[name] = getattr(self, name)
        return _present(**record)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Deal:
        """Rebuild a deal from `to_dict`. Raises KeyError when the id is missing.

        For records of other origin use `reading.parse_deal`, which reports what it doubts.
        """
        taxonomy, safety = record.get("taxonomy", {}), record.get("safety", {})
        audience, commercial = record.get("audience", {}), record.get("commercial", {})
        floor, formats = commercial.get("floor_price"), record.get("format", ())
        return cls(
            deal_id=record["deal_id"],
            deal_name=record.get("deal_name"),
            ssp_name=record.get("ssp_name"),
            formats=(formats,) if isinstance(formats, str) else tuple(formats),
            taxonomy=Taxonomy(taxonomy.get("tier1"), taxonomy.get("tier2"), taxonomy.get("tier3")),
            concepts=tuple(record.get("concepts", ())),
            safety=Safety(
                safety.get("garm_risk_rating"),
                safety.get("family_safe"),
                tuple(safety.get("safe_for_verticals", ())),
            ),
            audience=Audience(
                tuple(audience.get("inferred_audience", ())),
                audience.get("demographic_hint"),
                audience.get("audience_provenance"),
            ),
            commercial=Commercial(
                commercial.get("quality_tier"),
                commercial.get("volume_tier"),
                Money(Decimal(floor), record.get("currency")) if floor is not None else None,
            ),
            publishers=tuple(record.get("publishers", ())),
            devices=tuple(record.get("device", ())),
            geos=tuple(record.get("geos", ())),
            extra=dict(record.get("extra", {})),
            **{name: record.get(name) for name in _PLAIN_FIELDS},
        )

    @property
    def content_hash(self) -> str:
        """Sixteen hex digits that change when any field of the deal changes."""
        return content_hash(self.to_dict())


_PLAIN_FIELDS = (
    "price_type",
    "currency",
    "start_time",
    "end_time",
    "status",
    "source",
    "description",
    "inventory_type",
    "buyer",
    "seat",
    "scale",
    "scale_unit",
    "period",
)


def content_hash(value: object) -> str:
    """Return 16 hex digits that name a JSON-like value by its content."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _present(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, [], {}, ())}
