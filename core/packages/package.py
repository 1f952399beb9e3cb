"""A package under review."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from core.deals import Deal, content_hash
from core.wording import Claim
from core.wording.findings import Override

Status = Literal["pending", "approved", "rejected"]

# What a reader of a model's answer noticed about a proposal.
Flag = Literal["near_same", "all_in_one", "salvaged", "unnamed"]

STATUSES: tuple[Status, ...] = ("pending", "approved", "rejected")


@dataclass(frozen=True, slots=True)
class Package:
    """A named set of deals, and what an analyst decided about it.

    id: stable and unique; names may repeat.
    version: grows by one with every edit; a save must name the version it was made from.
    source: who wrote it: a model's name, a label of the rules, or "Analyst".
    edited: whether an analyst changed its name, deals or reasoning.
    decided_by, decided_at: who approved or rejected it and when (UTC, ISO 8601); None while pending.
        A package with `changed` deals still says who approved it before they changed.
    flags: what an analyst should look at. claims: what its words say about its deals, checked
        when words or deals last changed.
    locked: it refuses every edit but Unlock; a newer file still changes it.
    by_hand: deal id -> how an analyst put that deal there, in words; the other deals were proposed.
    overrides: why it was approved although checks found errors; they go with the approval.
    approved_content: what `content` was when it was approved, None without an approval.
    changed: deals that a newer file changed or dropped since it was approved. The package is
        pending then, and must be approved again.
    """

    id: str
    name: str
    deal_ids: tuple[str, ...]
    reasoning: str
    source: str
    cluster_id: str | None = None
    version: int = 1
    status: Status = "pending"
    edited: bool = False
    decided_by: str | None = None
    decided_at: str | None = None
    flags: tuple[Flag, ...] = ()
    claims: tuple[Claim, ...] = ()
    locked: bool = False
    by_hand: Mapping[str, str] = field(default_factory=dict, hash=False)
    overrides: tuple[Override, ...] = ()
    approved_content: str | None = None
    changed: tuple[str, ...] = ()

    def content(self, deals: Mapping[str, Deal]) -> str:
        """Return 16 hex digits that name what an approval is given for: its words and its deals as they are.

        deals: deal id -> deal; one that is missing there is other content than one that is there.
        """
        members = ((deal_id, deals.get(deal_id)) for deal_id in self.deal_ids)
        listed = [[deal_id, deal.content_hash if deal else None] for deal_id, deal in members]
        return content_hash([self.name, self.reasoning, listed])

    def approval_holds(self, deals: Mapping[str, Deal]) -> bool:
        """Whether it is approved, and what was approved is what it is now.

        Also false for an approval whose content nobody recorded, as before there was `approved_content`.
        """
        return self.status == "approved" and self.approved_content == self.content(deals)

    @property
    def contradicted(self) -> bool:
        """Whether its deals contradict what its words claim."""
        return any(claim.contradicted for claim in self.claims)

    @property
    def untouched(self) -> bool:
        """Whether it is as it was suggested: every edit and every decision makes a new version."""
        return self.version == 1 and not self.edited

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Package:
        """Rebuild a package from `to_dict`, also of an earlier version."""
        known = {item.name: saved[item.name] for item in fields(cls) if item.name in saved}
        claims = (Claim(**{**claim, "against": tuple(claim["against"])}) for claim in saved.get("claims", ()))
        read = {
            "deal_ids": tuple(saved["deal_ids"]),
            "flags": tuple(saved.get("flags", ())),
            "claims": tuple(claims),
            "by_hand": dict(saved.get("by_hand", {})),
            "overrides": tuple(Override(**override) for override in saved.get("overrides", ())),
            "changed": tuple(saved.get("changed", ())),
        }
        return cls(**{**known, **read})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the audit trail and exports."""
        lists = {name: list(getattr(self, name)) for name in ("deal_ids", "flags", "changed")}
        return {**asdict(self), **lists}


def new_package_id() -> str:
    """Return an id that no other package has, in this workspace or another."""
    return f"pkg-{uuid.uuid4().hex[:12]}"
