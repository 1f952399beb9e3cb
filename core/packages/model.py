"""A package under review."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.proposals import Proposal

Status = Literal["pending", "approved", "rejected"]

STATUSES: tuple[Status, ...] = ("pending", "approved", "rejected")


@dataclass(frozen=True, slots=True)
class Package:
    """A named set of deals, and what an analyst decided about it.

    id: stable and unique; names may repeat.
    version: grows by one with every edit; a save must name the version it was made from.
    source: who wrote it: a model's name, "Rules (no AI)" or "Analyst".
    edited: whether an analyst changed its name, deals or reasoning.
    decided_by, decided_at: who approved or rejected it and when (UTC, ISO 8601); None while pending.
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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for the audit trail and exports."""
        return {**asdict(self), "deal_ids": list(self.deal_ids)}


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
    )
