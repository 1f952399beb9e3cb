"""What a proposer is asked, what it answers, and what became of one cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Protocol, TypeVar

from core.deals import Deal
from core.errors import ProposalError
from core.packages.package import Flag, Package, new_package_id
from core.wording.claims import Claim

Status = Literal["done", "failed", "not_sent"]
Effort = Literal["default", "minimal"]

_T = TypeVar("_T", bound="Proposal | Answer | Outcome | Claim | Unpackaged | Usage")


@dataclass(frozen=True, slots=True)
class DealGroup:
    """The deals of one cluster, or of a part of it, as a proposer gets them.

    hints: what the nearest clusters hold, a line each, so that names can differ from theirs.
        They are told to a model, but they do not make the question another one.
    """

    id: str
    deals: tuple[Deal, ...]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls; None when the service did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None

    def __add__(self, other: Usage) -> Usage:
        """Add what is known; a count stays None only when neither side knows it."""
        return Usage(
            _sum_known(self.input_tokens, other.input_tokens),
            _sum_known(self.output_tokens, other.output_tokens),
        )


def _sum_known(one: int | None, other: int | None) -> int | None:
    known = [count for count in (one, other) if count is not None]
    return sum(known) if known else None


# --- one call ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service sent back for one call, before anything of it is believed.

    finish_reason: why the model stopped, or why the prompt was blocked, in the words of the
        service; None when there is no answer at all.
    requested_model: the model that was chosen. answered_model: the one the service names,
        else the one the call was sent to (a successor, when the chosen one is gone).
    latency_s: seconds from sending to the whole reply.
    prompt_hash: names all text that was sent by its content.
    """

    text: str
    finish_reason: str | None
    requested_model: str
    answered_model: str
    usage: Usage
    latency_s: float
    prompt_hash: str


def _ignore(_: Reply) -> None:
    pass


@dataclass(frozen=True, slots=True)
class AskContext:
    """How one call differs from the first about its cluster; rules need none of it.

    attempt: number of the call in its cluster, from 1; the calls about parts of it count on.
    plain: without answer schema and effort, because the service refused the request with them.
    effort: how long the model may think.
    repair: what was wrong with the answer before, for the model to read.
    note: takes every reply as it came, before it is read. Called in the thread of the call,
        also for a reply that came too late; what it raises ends the call.
    """

    attempt: int = 1
    plain: bool = False
    effort: Effort = "default"
    repair: str | None = None
    note: Callable[[Reply], None] = _ignore


FIRST_CALL = AskContext()


# --- the answer -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposal:
    """One suggested package; `deal_ids` are ids of the cluster, each once.

    flags: what an analyst should look at before approving.
    claims: what its words say about the deals, checked.
    source: who made it, when that is not the proposer of its outcome: the rules, of deals that a
        model left out.
    """

    name: str
    deal_ids: tuple[str, ...]
    reasoning: str
    flags: tuple[Flag, ...] = ()
    claims: tuple[Claim, ...] = ()
    source: str | None = None

    @property
    def contradicted(self) -> bool:
        """Whether the deals contradict what its words claim."""
        return any(claim.contradicted for claim in self.claims)


@dataclass(frozen=True, slots=True)
class Unpackaged:
    """A deal of the cluster that no proposal took, and why.

    omitted: whether the answer did not mention it at all.
    proposed: name of a package the answer did put it in, but that was not kept: it had too few deals, or
        was one too many.
    """

    deal_id: str
    reason: str
    omitted: bool = False
    proposed: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A usable answer for one cluster; every deal is in a proposal or in `unpackaged`.

    model: the model that answered; requested_model: the one that was chosen; None for the rules.
    issues: sentences about what was corrected in the answer.
    raw: the answer as it came.
    latency_s: seconds the call took, None without a call.
    cached: whether the answer is an earlier one to the same question: no call was made.
    """

    proposals: tuple[Proposal, ...]
    unpackaged: tuple[Unpackaged, ...]
    issues: tuple[str, ...] = ()
    usage: Usage = Usage()
    model: str | None = None
    raw: str = ""
    requested_model: str | None = None
    latency_s: float | None = field(default=None, compare=False)
    cached: bool = False

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Answer:
        """Rebuild an answer from `to_dict`, also of an earlier version."""
        return _rebuild(cls, saved)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class Proposer(Protocol):
    """Anything that turns a cluster into proposals, in one attempt."""

    @property
    def source(self) -> str:
        """Honest label of who proposes, for every card and export."""
        ...

    def propose(self, group: DealGroup, context: AskContext = FIRST_CALL) -> Answer:
        """Return proposals for one cluster, with one call at most for each model it asks.

        Raises ProposalError; its class says the remedy, and the runner decides what next.
        """
        ...


class Recorder(Protocol):
    """Keeps every call of a run, so that no answer that was paid for is lost.

    Called in the thread of the worker; `attempt` is that of the call's AskContext.
    """

    def started(self, cluster_id: str, attempt: int) -> None:
        """Note that a call is about to be made."""
        ...

    def answered(self, cluster_id: str, attempt: int, reply: Reply) -> None:
        """Keep the reply as it came, before it is read."""
        ...

    def failed(self, cluster_id: str, attempt: int, error: ProposalError) -> None:
        """Note that the call brought no usable answer."""
        ...


# --- the outcome ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one cluster.

    status: done = an answer was accepted; failed = every attempt failed, or the answer
        could not be used; not_sent = the run stopped before this cluster was done.
    source: who was asked. stand_in: label of who proposed in its place after it failed.
    error: one sentence for failed and not_sent.
    usage, attempts: of all calls about the cluster. latency_s: of the call that was accepted.
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
    requested_model: str | None = None
    latency_s: float | None = field(default=None, compare=False)
    cached: bool = False
    stand_in: str | None = None

    @property
    def proposal_source(self) -> str:
        """Honest label of who wrote the proposals, for every card and export."""
        return self.stand_in or self.model or self.source

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Outcome:
        """Rebuild an outcome from `to_dict`, also of an earlier version."""
        return _rebuild(cls, saved)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ProposalRun:
    """All outcomes, one per cluster in the order given.

    stopped: the fatal error that ended the run early, None when it ran to its end.
    """

    outcomes: tuple[Outcome, ...]
    stopped: str | None = None

    def with_status(self, *statuses: Status) -> tuple[Outcome, ...]:
        """Return the outcomes that have one of these statuses."""
        return tuple(outcome for outcome in self.outcomes if outcome.status in statuses)


# --- saved values -----------------------------------------------------------------------------


def _rebuild(kind: type[_T], saved: Mapping[str, Any]) -> _T:
    """Rebuild a value; what was not known when it was saved takes its default, what is gone is dropped."""
    known = (item.name for item in fields(kind) if item.name in saved)
    return kind(**{name: _READERS[name](saved[name]) if name in _READERS else saved[name] for name in known})


def _all_of(kind: type[_T]) -> Callable[[list[Mapping[str, Any]]], tuple[_T, ...]]:
    return lambda items: tuple(_rebuild(kind, item) for item in items)


# JSON gives lists and mappings where the values above have tuples and values, by field name.
_READERS: dict[str, Callable[[Any], Any]] = {
    "against": tuple,
    "claims": _all_of(Claim),
    "deal_ids": tuple,
    "flags": tuple,
    "issues": tuple,
    "proposals": _all_of(Proposal),
    "unpackaged": _all_of(Unpackaged),
    "usage": lambda item: _rebuild(Usage, item),
}


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
