"""What a proposer is asked, what it answers, and what became of one cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from core.deals import Deal

Status = Literal["done", "failed", "not_sent"]


@dataclass(frozen=True, slots=True)
class DealGroup:
    """The deals of one cluster, as a proposer gets them."""

    id: str
    deals: tuple[Deal, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One suggested package; `deal_ids` are ids of the cluster, each once."""

    name: str
    deal_ids: tuple[str, ...]
    reasoning: str


@dataclass(frozen=True, slots=True)
class Unpackaged:
    """A deal of the cluster that no proposal took, and why."""

    deal_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls; None when the service did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A usable answer for one cluster; every deal is in a proposal or in `unpackaged`.

    model: the model that answered, None for the rules.
    issues: sentences about what was corrected in the answer.
    raw: the answer as it came.
    """

    proposals: tuple[Proposal, ...]
    unpackaged: tuple[Unpackaged, ...]
    issues: tuple[str, ...] = ()
    usage: Usage = Usage()
    model: str | None = None
    raw: str = ""


class Proposer(Protocol):
    """Anything that turns a cluster into proposals, in one attempt."""

    @property
    def source(self) -> str:
        """Honest label of who proposes, for every card and export."""
        ...

    def propose(self, group: DealGroup) -> Answer:
        """Return proposals for one cluster.

        Raises RetryableError, UnusableAnswer or FatalProposalError; the runner decides what next.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one cluster.

    status: done = an answer was accepted; failed = every attempt failed, or the answer
        could not be used; not_sent = the run stopped before this cluster was done.
    error: one sentence for failed and not_sent.
    """

    cluster_id: str
    deal_ids: tuple[str, ...]
    status: Status
    source: str
    proposals: tuple[Proposal, ...] = ()
    unpackaged: tuple[Unpackaged, ...] = ()
    issues: tuple[str, ...] = ()
    usage: Usage = Usage()
    model: str | None = None
    attempts: int = 0
    error: str | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class ProposalRun:
    """All outcomes, one per cluster in the order given.

    stopped: the fatal error that ended the run early, None when it ran to its end.
    """

    outcomes: tuple[Outcome, ...]
    stopped: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)

    def with_status(self, *statuses: Status) -> tuple[Outcome, ...]:
        """Return the outcomes that have one of these statuses."""
        return tuple(outcome for outcome in self.outcomes if outcome.status in statuses)
