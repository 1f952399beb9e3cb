"""A deal becomes the text that the embedding model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.deals import Deal
from core.deals.periods import without_periods
from core.reading import parse_deal


def create_deal_text_representation(deal: Mapping[str, Any] | Deal) -> str:
    """Return one line of text that says what a deal is about.

    It holds name, SSP, format, taxonomy tiers, concepts, safety, audience segments,
    commercial tiers and publishers. A field nobody filled adds nothing: words such as
    "Unknown" would make unrelated deals alike.
    """
    known = deal if isinstance(deal, Deal) else _lenient(deal)
    parts = (
        known.deal_name,
        _labelled("SSP", known.ssp_name),
        _labelled("Format", *known.formats),
        _labelled("Category", *known.taxonomy.path, joint=" > "),
        _labelled("Concepts", *known.concepts),
        _labelled("Safety", *_safety_words(known)),
        _labelled("Audience", *known.audience.inferred_audience, known.audience.demographic_hint),
        _labelled("Tier", known.commercial.quality_tier, _volume_words(known)),
        _labelled("Publishers", *known.publishers),
    )
    return ". ".join(part for part in parts if part)


def text_to_embed(deal: Mapping[str, Any] | Deal) -> str:
    """Return the text of a deal without the quarters and years in its name.

    They say when it runs, which the flight says better; left in, a deal that is renewed under next
    year's name would stand elsewhere than this year's.
    """
    known = deal if isinstance(deal, Deal) else _lenient(deal)
    name = known.deal_name and (without_periods(known.deal_name) or known.deal_name)
    return create_deal_text_representation(replace(known, deal_name=name))


def _lenient(record: Mapping[str, Any]) -> Deal:
    """Read a record that may lack an id: its text does not depend on the id."""
    deal, _ = parse_deal({**record, "deal_id": "any"})
    assert deal is not None  # noqa: S101  (an id was just given)
    return deal


def _labelled(label: str, *values: str | None, joint: str = ", ") -> str | None:
    known = [value for value in values if value]
    return f"{label}: {joint.join(known)}" if known else None


def _safety_words(deal: Deal) -> list[str]:
    words = [f"{deal.safety.garm_risk_rating} risk"] if deal.safety.garm_risk_rating else []
    if deal.safety.family_safe is not None:
        words.append("family safe" if deal.safety.family_safe else "not family safe")
    return words + [f"safe for {vertical}" for vertical in deal.safety.safe_for_verticals]


def _volume_words(deal: Deal) -> str | None:
    return f"{deal.commercial.volume_tier} volume" if deal.commercial.volume_tier else None
