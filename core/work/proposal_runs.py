"""Asking for packages: what was paid for is used before anything is asked, and saved as it comes.

A cluster gets, in this order, the reply that a former run received and did not come to use, the
kept answer to the same question, or a call. To go on after a stop is to ask again for the rest.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.counting import counted
from core.creator import deal_groups
from core.deals import Deal
from core.errors import ProposalError, WorkspaceError
from core.packages import with_claims
from core.proposals import (
    FIRST_CALL,
    Answer,
    AskContext,
    DealGroup,
    Limits,
    Outcome,
    PromptTemplate,
    Proposer,
    Reply,
    RulesProposer,
    Usage,
    is_rules_source,
    run_proposals,
)
from core.proposals.answer_key import answer_key
from core.proposals.chat import read_reply
from core.proposals.cost import Estimate, price_of
from core.proposals.prompt import nearest_hints
from core.proposals.validate import VALIDATOR_VERSION
from core.settings import TEMPERATURE
from core.storage.calls import CallId, UnreadReply
from core.storage.workspace import Workspace
from core.wording.claims import check_claims
from core.wording.unique_names import unique_names
from core.work.job_registry import JobContext

if TYPE_CHECKING:
    from core.wording.unique_names import Encode

_NO_CLUSTERS = "There are no clusters yet: build them first."
_POLL_S = 0.2
# A call that was given up may still bring its reply; so long it is waited for by the next asking.
_LATE_S = 5.0


def propose_packages(
    workspace: Workspace,
    run_id: str,
    cluster_ids: Collection[str],
    proposer: Proposer,
    limits: Limits,
    job: JobContext,
    *,
    template: PromptTemplate | None = None,
    temperature: float = TEMPERATURE,
    fresh: bool = False,
    expected: Estimate | None = None,
    encode: Encode | None = None,
) -> str:
    """Propose packages for these clusters, saving each answer as it comes; return a sentence about it.

    template, temperature: what the proposer puts around the deals, and how it samples. Without a
    template no answer can be recognised as one to the same question: replies of former runs
    and kept answers are then not used. fresh: ask again even where there is a kept answer.
    expected: is named beside what it took. encode: finds package names of one meaning.
    The rules stand in for clusters that failed, and after a fatal error for the rest. Names become
    unique when all clusters are through.
    Raises WorkspaceError when the run has no clusters, another file came in, or a fatal error
    stopped it; what was finished is saved.
    """
    loads = workspace.run(run_id).loads
    groups = proposal_groups(workspace, run_id, cluster_ids)
    if workspace.run(run_id).loads != loads:  # the clusters hold positions among the former deals
        raise WorkspaceError("Another file came into the run meanwhile: build the clusters again.")
    job.stage("Proposing", len(groups))
    by_model = not is_rules_source(proposer.source)
    number = workspace.begin_asking(run_id, proposer.source, template if by_model else None)
    asking = _Asking(workspace, run_id, number, proposer, groups, limits, job, template, temperature, fresh)
    saved: list[Outcome] = []

    def save(outcome: Outcome) -> None:
        saved.append(asking.save(outcome, loads))
        job.report(len(saved), len(groups))

    price = price_of(proposer.source)
    run = run_proposals(
        asking.in_order(),
        asking if by_model else proposer,
        limits,
        on_outcome=save,
        cancelled=job.cancelled,
        fallback=RulesProposer(),
        recorder=asking if by_model else None,
        known=asking.known if by_model else None,
        price=price.of if price else None,
    )
    make_names_unique(workspace, run_id, encode)
    if run.stopped:
        raise WorkspaceError(f"{run.stopped} {_summary(saved)}")
    spent = f" {workspace.spent(run_id, number).sentence(expected)}" if by_model else ""
    return f"{_summary(saved)}{spent}"


def proposal_groups(
    workspace: Workspace, run_id: str, cluster_ids: Collection[str] | None = None
) -> tuple[DealGroup, ...]:
    """Return clusters as they are asked about, with hints at their nearest ones; None = all clusters.

    Raises WorkspaceError when the run has no clusters.
    """
    clustering, deals = workspace.clustering(run_id), workspace.deals(run_id)
    if clustering is None:
        raise WorkspaceError(_NO_CLUSTERS)
    quality = workspace.quality(run_id)
    figures = {item.cluster_id: item for item in quality.clusters} if quality else {}

    def hints(cluster_id: str) -> tuple[str, ...]:
        own = figures.get(cluster_id)
        near = [figures[other].terms for other in own.nearest if other in figures] if own else []
        return nearest_hints(own.terms, near) if own else ()

    return tuple(
        replace(group, hints=hints(group.id))
        for group in deal_groups(deals, clustering)
        if cluster_ids is None or group.id in cluster_ids
    )


def unanswered(
    workspace: Workspace,
    groups: Sequence[DealGroup],
    model: str,
    template: PromptTemplate,
    temperature: float = TEMPERATURE,
) -> tuple[DealGroup, ...]:
    """Return the clusters that cost a call: those without a kept answer to the same question."""
    questions = {group.id: _question(group, model, template, temperature) for group in groups}
    kept = workspace.kept_questions(questions.values())
    return tuple(group for group in groups if questions[group.id] not in kept)


def make_names_unique(workspace: Workspace, run_id: str, encode: Encode | None = None) -> int:
    """Give suggestions whose names are alike names that tell them apart; return how many.

    Names that an analyst edited, or decided on, stay as they are: the suggestions give way.
    """
    packages = [package for package in workspace.packages(run_id) if package.status != "rejected"]
    open_ones = [package for package in packages if package.untouched]
    settled = [package for package in packages if not package.untouched]
    if not open_ones:
        return 0
    deals = {deal.deal_id: deal for deal in workspace.deals(run_id)}
    members = {
        package.id: [deals[deal_id] for deal_id in package.deal_ids if deal_id in deals]
        for package in packages
    }
    # Settled names come first, so that numbers go to the others. What was meant for a settled name
    # does not come about: a second time, without deals, none is meant for it.
    told = unique_names(
        [(package.name, members[package.id]) for package in (*settled, *open_ones)], encode=encode
    )
    again: list[tuple[str, Sequence[Deal]]] = [(package.name, ()) for package in settled]
    again += [
        (name, members[package.id]) for package, name in zip(open_ones, told[len(settled) :], strict=True)
    ]
    names = unique_names(again)[len(settled) :]
    renewed = {
        package.id: with_claims(replace(package, name=name), deals)
        for package, name in zip(open_ones, names, strict=True)
        if name != package.name
    }
    return workspace.renew_suggestions(run_id, renewed) if renewed else 0


def _question(group: DealGroup, model: str, template: PromptTemplate, temperature: float) -> str:
    return answer_key(
        group,
        model=model,
        effort="default",
        temperature=temperature,
        template=template,
        validator_version=VALIDATOR_VERSION,
    )


def _summary(outcomes: Sequence[Outcome]) -> str:
    done, failed, unsent = (
        [outcome for outcome in outcomes if outcome.status == status]
        for status in ("done", "failed", "not_sent")
    )
    stood_in = [outcome for outcome in (*failed, *unsent) if outcome.proposals]
    kept = sum(outcome.cached for outcome in done)
    parts = [
        f"{sum(len(outcome.proposals) for outcome in done)} packages from {counted(len(done), 'cluster')}"
    ]
    parts += [f"{kept} of them by kept answers"] if kept else []
    parts += [f"{counted(len(failed), 'cluster')} failed"] if failed else []
    parts += [f"{len(unsent)} not sent"] if unsent else []
    parts += [f"rules stand in for {len(stood_in)}"] if stood_in else []
    return f"{', '.join(parts)}."


class _Asking:
    """One asking: passes questions on to the proposer, and keeps every reply before it is read.

    It is the run's recorder, its source of known answers, and, for the parts of clusters that were
    asked about in halves, a proposer that uses a kept reply in place of a call.
    """

    def __init__(
        self,
        workspace: Workspace,
        run_id: str,
        number: int,
        proposer: Proposer,
        groups: Sequence[DealGroup],
        limits: Limits,
        job: JobContext,
        template: PromptTemplate | None,
        temperature: float,
        fresh: bool,
    ) -> None:
        self._workspace = workspace
        self._run_id = run_id
        self._number = number
        self._proposer = proposer
        self._groups = {group.id: group for group in groups}
        self._job = job
        self._template = template
        self._temperature = temperature
        self._fresh = fresh
        self._lease_s = limits.call_timeout_s + _LATE_S
        self._asked: dict[CallId, str | None] = {}
        self._reread: dict[str, Usage] = {}

    @property
    def source(self) -> str:
        """The label of the proposer."""
        return self._proposer.source

    def in_order(self) -> list[DealGroup]:
        """Return the clusters, those last about which a call of a former run may still be under way."""
        leases = self._workspace.leases(self._run_id, self._number)
        return sorted(self._groups.values(), key=lambda group: leases.get(group.id, 0.0))

    # --- what is known already ------------------------------------------------------------------

    def known(self, group: DealGroup) -> Answer | None:
        """Return an answer that needs no call; waits for a call of a former run that is under way."""
        question = self._question(group)
        if question is None:
            return None
        if (answer := self._reread_reply(group, question)) is not None:
            return answer
        return None if self._fresh else self._workspace.kept_answer(question)

    def _reread_reply(self, group: DealGroup, question: str) -> Answer | None:
        unread = self._workspace.unread_reply(self._run_id, group.id, question)
        while unread is None and self._is_under_way(group.id) and not self._job.cancelled.is_set():
            time.sleep(_POLL_S)
            unread = self._workspace.unread_reply(self._run_id, group.id, question)
        if unread is None:
            return None
        try:
            answer = read_reply(unread.reply, group)
        except ProposalError as error:
            self._workspace.note_failure(unread.call, error)
            return None
        self._workspace.take_over(unread, self._call(group.id, 1))
        self._reread[group.id] = unread.reply.usage
        return answer

    def _is_under_way(self, cluster_id: str) -> bool:
        return cluster_id in self._workspace.leases(self._run_id, self._number)

    def _question(self, group: DealGroup) -> str | None:
        if self._template is None:
            return None
        return _question(group, self.source, self._template, self._temperature)

    # --- one call -------------------------------------------------------------------------------

    def propose(self, group: DealGroup, context: AskContext = FIRST_CALL) -> Answer:
        """Ask the proposer, unless a reply about this part of a cluster was received before."""
        call, question = self._call(group.id, context.attempt), self._question(group)
        self._asked[call] = question
        if question is not None and len(group.deals) < len(self._groups[group.id].deals):
            unread = self._workspace.unread_reply(self._run_id, group.id, question)
            if unread is not None:
                return self._read_part(unread, call, group, context)
        return self._proposer.propose(group, context)

    def _read_part(self, unread: UnreadReply, call: CallId, group: DealGroup, context: AskContext) -> Answer:
        self._workspace.take_over(unread, call)
        context.note(unread.reply)
        return read_reply(unread.reply, group)

    def started(self, cluster_id: str, attempt: int) -> None:
        """Note that a call is about to be made."""
        self._workspace.note_call(self._call(cluster_id, attempt), lease_s=self._lease_s)

    def answered(self, cluster_id: str, attempt: int, reply: Reply) -> None:
        """Keep the reply as it came, before it is read."""
        call = self._call(cluster_id, attempt)
        self._workspace.note_reply(call, reply, self._asked[call])

    def failed(self, cluster_id: str, attempt: int, error: ProposalError) -> None:
        """Note that the call brought no usable answer."""
        self._workspace.note_failure(self._call(cluster_id, attempt), error)

    def _call(self, cluster_id: str, attempt: int) -> CallId:
        return CallId(self._run_id, cluster_id, self._number, attempt)

    # --- what became of it ----------------------------------------------------------------------

    def save(self, outcome: Outcome, loads: int) -> Outcome:
        """Save what became of a cluster, and return it as it was saved."""
        group = self._groups[outcome.cluster_id]
        if outcome.cached and group.id in self._reread:  # its call was made, by the former run
            outcome = replace(outcome, cached=False, attempts=1, usage=self._reread[group.id])
        outcome = _with_claims(outcome, {deal.deal_id: deal for deal in group.deals})
        self._workspace.save_outcome(
            self._run_id, outcome, loads=loads, asking=self._number, question=self._question(group)
        )
        return outcome


def _with_claims(outcome: Outcome, deals: Mapping[str, Deal]) -> Outcome:
    """Return the outcome with the words of all its proposals checked, whoever wrote them."""
    checked = (
        replace(
            proposal,
            claims=check_claims(
                proposal.name, proposal.reasoning, [deals[deal_id] for deal_id in proposal.deal_ids]
            ),
        )
        for proposal in outcome.proposals
    )
    return replace(outcome, proposals=tuple(checked))
