"""A package under review."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from core.proposals import Claim, Proposal
from core.proposals.model import Flag

Status = Literal["pending", "approved", "rejected"]

STATUSES: tuple[Status, ...] = ("pending", "approved", "rejected")


@dataclass(frozen=True, slots=True)
class Package:
    """A named set of deals, and what an analyst decided about it.

    id: stable and unique; names may repeat.
    version: grows by one with every edit; a save must name the version it was made from.
    source: who wrote it: a model's name, a label of the rules, or "Analyst".
    edited: whether an analyst changed its name, deals or reasoning.
    decided_by, decided_at: who approved or rejected it and when (UTC, ISO 8601); None while pending.
    flags: what an analyst should look at. claims: what its words say about its deals, checked
        when words or deals last changed.
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
        }
        return cls(**{**known, **read})

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the audit trail and exports."""
        return {**asdict(self), "deal_ids": list(self.deal_ids), "flags": list(self.flags)}


def new_package_id() -> str:
    """Return an id that no other package has, in this workspace or another."""
    return f"pkg-{uuid.uuid4().hex[:12]}"


def package_from_proposal(proposal: Proposal, *, source: str, cluster_id: str) -> Package:
    """Make a pending package from a suggestion."""
    return Package(
        id=new_package_id(),
        name=proposal.name,
        deal_ids=proposal.deal_ids,
        reasoning=proposal.reasoning,
        source=source,
        cluster_id=cluster_id,
        flags=proposal.flags,
        claims=proposal.claims,
    )
