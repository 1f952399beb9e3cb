"""Every call about a cluster with its reply, on disk before anything of the reply is read.

So nothing that was paid for is lost when the program ends, and what calls took can be counted.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import ProposalError
from core.proposals import Outcome, Reply, Usage
from core.proposals.cost import Spent, actual
from core.storage.database import Database
from core.storage.schema import AskingRow, AttemptRow

CallState = Literal["running", "answered", "failed", "done"]

OPEN = ("running", "answered")
_NEVER_CAME = "No answer came before the program ended."
_NOT_TAKEN = "Another answer was taken."


@dataclass(frozen=True, slots=True)
class CallId:
    """Names one call: asking counts the starts of asking, attempt the calls about the cluster in it."""

    run_id: str
    cluster_id: str
    asking: int
    attempt: int


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call about a cluster, as it was recorded; None = not known (yet).

    state: running = begun, no reply so far; answered = the reply is kept and was not used yet; done =
    it was accepted; failed = it was not, or none came, for the reason in `error`.
    started_at: UTC, ISO 8601. raw: the text of the reply.
    """

    cluster_id: str
    asking: int
    attempt: int
    state: CallState
    started_at: str
    template_id: str | None
    prompt_hash: str | None
    requested_model: str | None
    answered_model: str | None
    finish_reason: str | None
    usage: Usage
    latency_s: float | None
    raw: str
    error: str | None


@dataclass(frozen=True, slots=True)
class UnreadReply:
    """A reply that was received and not used: the run ended first."""

    row_id: int
    call: CallId
    reply: Reply


class CallLog(Database):
    """The calls of the workspace; each method is one transaction."""

    def note_call(self, call: CallId, *, lease_s: float) -> None:
        """Note that a call is about to be made; after `lease_s` seconds nobody waits for it any more."""
        with self._saving() as session:
            session.add(
                AttemptRow(
                    run_id=call.run_id,
                    cluster_id=call.cluster_id,
                    asking=call.asking,
                    attempt=call.attempt,
                    state="running",
                    started_at=clock.timestamp(),
                    lease_until_s=clock.epoch_s() + lease_s,
                )
            )

    def note_reply(self, call: CallId, reply: Reply, question: str | None) -> None:
        """Keep a reply as it came. question: what it answers, None when it cannot be used later.

        A reply that comes after its call was given up is kept for its tokens only.
        """
        with self._saving() as session:
            row = _get_call(session, call)
            row.question = question
            row.prompt_hash = reply.prompt_hash
            row.requested_model, row.answered_model = reply.requested_model, reply.answered_model
            row.finish_reason, row.latency_s, row.raw = reply.finish_reason, reply.latency_s, reply.text
            row.input_tokens, row.output_tokens = reply.usage.input_tokens, reply.usage.output_tokens
            if row.state == "running":
                row.state = "answered"

    def note_failure(self, call: CallId, error: ProposalError) -> None:
        """Note why a call brought no usable answer."""
        with self._saving() as session:
            row = _get_call(session, call)
            row.state, row.error = "failed", str(error)

    def unread_reply(self, run_id: str, cluster_id: str, question: str) -> UnreadReply | None:
        """Return a reply to this question that was received and not used, None without one."""
        with self._reading() as session:
            row = session.scalars(
                calls_about(run_id, cluster_id)
                .where(AttemptRow.state == "answered", AttemptRow.question == question)
                .order_by(AttemptRow.id.desc())
            ).first()
            if row is None:
                return None
            call = CallId(run_id, cluster_id, row.asking, row.attempt)
            return UnreadReply(row.id, call, _reply_of(row))

    def take_over(self, unread: UnreadReply, call: CallId) -> None:
        """Make a reply of an earlier asking that of this call, which then need not be made."""
        with self._saving() as session:
            session.execute(
                delete(AttemptRow).where(
                    AttemptRow.run_id == call.run_id,
                    AttemptRow.cluster_id == call.cluster_id,
                    AttemptRow.asking == call.asking,
                    AttemptRow.attempt == call.attempt,
                    AttemptRow.id != unread.row_id,
                )
            )
            row = session.get_one(AttemptRow, unread.row_id)
            row.asking, row.attempt = call.asking, call.attempt

    def leases(self, run_id: str, asking: int) -> dict[str, float]:
        """Return until when calls of other askings may still be under way, by cluster id.

        Seconds since the epoch; leases that are over are left out.
        """
        with self._reading() as session:
            rows = session.execute(
                select(AttemptRow.cluster_id, func.max(AttemptRow.lease_until_s))
                .where(
                    AttemptRow.run_id == run_id,
                    AttemptRow.asking != asking,
                    AttemptRow.state == "running",
                    AttemptRow.lease_until_s > clock.epoch_s(),
                )
                .group_by(AttemptRow.cluster_id)
            )
            return dict(rows.all())

    def calls(self, run_id: str, cluster_id: str) -> tuple[CallRecord, ...]:
        """Return every call about a cluster with the text of its reply, oldest first."""
        with self._reading() as session:
            rows = session.execute(
                calls_about(run_id, cluster_id)
                .add_columns(AskingRow.template_id)
                .join(AskingRow, AskingRow.id == AttemptRow.asking)
                .order_by(AttemptRow.asking, AttemptRow.attempt)
            )
            return tuple(_record(row, template_id) for row, template_id in rows)

    def spent(self, run_id: str, asking: int | None = None) -> Spent:
        """Return what the recorded calls of a run took, or those of one asking; late replies count too."""
        with self._reading() as session:
            rows = session.execute(
                select(
                    AttemptRow.cluster_id,
                    AttemptRow.answered_model,
                    AttemptRow.input_tokens,
                    AttemptRow.output_tokens,
                    AskingRow.source,
                )
                .join(AskingRow, AskingRow.id == AttemptRow.asking)
                .where(AttemptRow.run_id == run_id, *((AttemptRow.asking == asking,) if asking else ()))
                .order_by(AttemptRow.id)
            ).all()
        taken: defaultdict[str, list[Outcome]] = defaultdict(list)
        for cluster_id, model, read, written, source in rows:
            one = Outcome(cluster_id, (), "done", source, usage=Usage(read, written), model=model, attempts=1)
            taken[cluster_id].append(one)
        return actual(_together(calls) for calls in taken.values())


def calls_about(run_id: str, cluster_id: str) -> Select[AttemptRow]:
    """Select the calls about a cluster."""
    return select(AttemptRow).where(AttemptRow.run_id == run_id, AttemptRow.cluster_id == cluster_id)


def _get_call(session: Session, call: CallId) -> AttemptRow:
    return session.scalars(
        calls_about(call.run_id, call.cluster_id).where(
            AttemptRow.asking == call.asking, AttemptRow.attempt == call.attempt
        )
    ).one()


def close_calls(session: Session, run_id: str, cluster_id: str, asking: int | None) -> None:
    """Decide, with an answer accepted, what became of the calls about its cluster."""
    for row in session.scalars(calls_about(run_id, cluster_id).where(AttemptRow.state.in_(OPEN))):
        if row.state == "answered":
            taken = row.asking == asking
            row.state, row.error = ("done", None) if taken else ("failed", _NOT_TAKEN)
        elif row.asking == asking or row.lease_until_s <= clock.epoch_s():
            row.state, row.error = "failed", _NEVER_CAME


def _record(row: AttemptRow, template_id: str | None) -> CallRecord:
    state: CallState = row.state  # type: ignore[assignment]
    return CallRecord(
        cluster_id=row.cluster_id,
        asking=row.asking,
        attempt=row.attempt,
        state=state,
        started_at=row.started_at,
        template_id=template_id,
        prompt_hash=row.prompt_hash,
        requested_model=row.requested_model,
        answered_model=row.answered_model,
        finish_reason=row.finish_reason,
        usage=Usage(row.input_tokens, row.output_tokens),
        latency_s=row.latency_s,
        raw=row.raw,
        error=row.error,
    )


def _reply_of(row: AttemptRow) -> Reply:
    return Reply(
        text=row.raw,
        finish_reason=row.finish_reason,
        requested_model=row.requested_model or "",
        answered_model=row.answered_model or "",
        usage=Usage(row.input_tokens, row.output_tokens),
        latency_s=row.latency_s or 0.0,
        prompt_hash=row.prompt_hash or "",
    )


def _together(calls: list[Outcome]) -> Outcome:
    """Return one cluster's calls as one: the tokens of all, the model that answered last."""
    models = [call.model for call in calls if call.model]
    return replace(
        calls[-1],
        usage=sum((call.usage for call in calls), Usage()),
        model=models[-1] if models else None,
        attempts=len(calls),
    )
