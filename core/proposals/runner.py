"""Many clusters go through a proposer at once, and one failure never costs another cluster.

Workers share one gate, so that a pause asked for by the service holds all of them back.
Each call has a wall deadline of its own: a socket timeout alone lets a dripping answer last
for ever. What an error is answered with stands in `core.proposals.remedies`.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, replace
from functools import partial, reduce

from core import clock
from core.deals import Deal
from core.errors import BudgetReached, ProposalError, QuotaReached, RetryableError, UnusableAnswer
from core.proposals.circuit_breaker import Breaker, Price, Spending, Stop
from core.proposals.limits import DEFAULT_LIMITS, Limits
from core.proposals.proposal import (
    FIRST_CALL,
    Answer,
    AskContext,
    DealGroup,
    Outcome,
    ProposalRun,
    Proposer,
    Recorder,
    Reply,
)
from core.proposals.rate_limit import POLL_S, Gate
from core.proposals.remedies import CHANGES, Tried, react
from core.proposals.rules import SOURCE, is_rules_source, rules_label
from core.settings import MIN_PACKAGE_DEALS

__all__ = ["Limits", "run_proposals"]

_log = logging.getLogger(__name__)

_BACKOFF_BASE_S = 1.0
_BACKOFF_CAP_S = 30.0

KnownAnswer = Callable[[DealGroup], Answer | None]


def run_proposals(
    groups: Sequence[DealGroup],
    proposer: Proposer,
    limits: Limits = DEFAULT_LIMITS,
    *,
    on_outcome: Callable[[Outcome], None] | None = None,
    cancelled: threading.Event | None = None,
    fallback: Proposer | None = None,
    recorder: Recorder | None = None,
    known: KnownAnswer | None = None,
    price: Price | None = None,
) -> ProposalRun:
    """Ask for proposals for every cluster; return one outcome per cluster, in the order given.

    on_outcome is called in the caller's thread as clusters end. Setting `cancelled` stops new
    calls at once; what is finished stays, the rest is not_sent. Errors of single clusters are
    outcomes, never exceptions.
    fallback: the rules; they propose for clusters that failed or that a fatal error kept from
        being asked about, and for what a model left out. Such outcomes keep their status.
    recorder: keeps every call. known: gives the answer of an earlier run to the same question;
        then there is no call. What these two raise, like what on_outcome raises, ends the run
        and reaches the caller, after on_outcome had everything that was finished.
    price: what tokens cost in US dollars, None when that is not known.
    """
    if is_rules_source(proposer.source):
        limits = replace(limits, requests_per_minute=0, max_calls=None, max_tokens=None, max_usd=None)
    stop = Stop(cancelled)
    spending = Spending(limits, price)
    run = _Run(
        proposer,
        limits,
        _gate(limits),
        stop,
        Breaker(limits),
        spending,
        fallback,
        recorder or _NoRecorder(),
        known,
    )
    listen = on_outcome or (lambda _: None)
    outcomes: dict[str, Outcome] = {}
    with ThreadPoolExecutor(limits.workers, thread_name_prefix="proposals") as pool:
        futures = [pool.submit(_Cluster(group, run).outcome) for group in groups]
        waiting = set(futures)
        try:
            for future in as_completed(futures):
                waiting.remove(future)
                outcome = future.result()
                outcomes[outcome.cluster_id] = outcome
                listen(outcome)
            stop.raise_broken()
        except BaseException:
            stop.now()  # the caller gave up (Ctrl+C, a failed store): start no further call
            _hand_over(waiting, listen)
            raise
    # Replies that came after their cluster had ended were paid for as well.
    final = (replace(outcomes[group.id], usage=spending.usage_of(group.id)) for group in groups)
    return ProposalRun(tuple(final), stop.fatal)


def _gate(limits: Limits) -> Gate:
    if not limits.requests_per_minute:
        return Gate()
    calls = int(limits.requests_per_minute * limits.rate_window_s / 60)
    return Gate(max(1, calls), limits.rate_window_s)


def _hand_over(futures: Iterable[Future[Outcome]], listen: Callable[[Outcome], None]) -> None:
    """Give the listener what the other workers had finished when the run broke off; it was paid for."""
    for future in wait(futures).done:
        try:
            outcome = future.result()
            if outcome.status != "not_sent":
                listen(outcome)
        except Exception:
            _log.exception("A finished cluster could not be handed over")


# --- the run ----------------------------------------------------------------------------------


class _RunEnded(Exception):
    """The run ended before this cluster had its answer."""


class _NoRecorder:
    """Keeps nothing."""

    def started(self, cluster_id: str, attempt: int) -> None:
        pass

    def answered(self, cluster_id: str, attempt: int, reply: Reply) -> None:
        pass

    def failed(self, cluster_id: str, attempt: int, error: ProposalError) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Run:
    """What all clusters of a run share."""

    proposer: Proposer
    limits: Limits
    gate: Gate
    stop: Stop
    breaker: Breaker
    spending: Spending
    fallback: Proposer | None
    recorder: Recorder
    known: KnownAnswer | None


# --- one cluster ------------------------------------------------------------------------------


class _Cluster:
    """One cluster on its way: the calls about it so far, and what they have used of its budgets."""

    def __init__(self, group: DealGroup, run: _Run) -> None:
        self._group = group
        self._run = run
        self._calls = 0
        self._failures = 0
        self._in_calls_s = 0.0
        self._raw = ""
        self._noted: set[int] = set()
        self._last: Reply | None = None

    def outcome(self) -> Outcome:
        """Ask until there is an answer or no remedy is left.

        Raises what the recorder or the known answers raise.
        """
        run = self._run
        ids = tuple(deal.deal_id for deal in self._group.deals)
        blank = Outcome(self._group.id, ids, "not_sent", run.proposer.source)
        try:
            if not run.stop.is_set() and run.known and (answer := run.known(self._group)):
                return self._done(blank, replace(answer, cached=True))
            return self._done(blank, self._ask(self._group, FIRST_CALL))
        except _RunEnded:
            run.stop.raise_broken()
            ended = replace(blank, error=run.stop.reason(self._calls))
        except ProposalError as error:
            ended = replace(blank, status="failed", error=str(error))
        except Exception as error:
            # Ends the run at once, not when this cluster's turn to be looked at comes.
            run.stop.break_off(error)
            raise
        ended = replace(
            ended,
            usage=run.spending.usage_of(self._group.id),
            attempts=self._calls,
            raw=self._raw,
            model=self._last.answered_model if self._last else None,
            requested_model=self._last.requested_model if self._last else None,
        )
        return self._by_rules(ended)

    def _ask(self, group: DealGroup, context: AskContext) -> Answer:
        """Return the answer about the cluster or a part. Raises ProposalError when nothing helps."""
        unusable = 0
        while True:
            try:
                return self._call(group, context)
            except ProposalError as error:
                unusable += isinstance(error, UnusableAnswer)
                tried = Tried(
                    context, len(group.deals), self._calls, self._failures, unusable, self._in_calls_s
                )
                reaction = react(error, tried, self._run.limits)
                if reaction == "stop":
                    self._run.stop.now(str(error))
                if reaction in {"stop", "give_up"}:
                    raise
                if reaction == "split":
                    return self._ask_halves(group, context)
                if reaction == "again":
                    self._hold_back(error)
                if reaction in CHANGES:
                    context = CHANGES[reaction](context, error)

    def _ask_halves(self, group: DealGroup, context: AskContext) -> Answer:
        """Ask about each half by itself; alike deals stay together, so that packages still form."""
        deals = sorted(group.deals, key=_likeness)
        middle = len(deals) // 2
        halves = [tuple(deals[:middle]), tuple(deals[middle:])]
        context = replace(context, repair=None)
        return reduce(_merged, [self._ask(replace(group, deals=half), context) for half in halves])

    def _call(self, group: DealGroup, context: AskContext) -> Answer:
        """Make one call, when its turn has come. Raises ProposalError, or _RunEnded."""
        run = self._run
        left_s = run.limits.cluster_deadline_s - self._in_calls_s
        if left_s <= 0:
            raise ProposalError(
                f"No answer within {run.limits.cluster_deadline_s:g} s of calls: try again later."
            )
        ticket = run.gate.enter(run.stop)
        if ticket is None:
            raise _RunEnded
        try:
            run.spending.begin_call()
        except BudgetReached as error:
            run.stop.now(str(error), abandon=False)
            raise _RunEnded from error
        self._calls += 1
        attempt = self._calls
        run.recorder.started(self._group.id, attempt)
        context = replace(context, attempt=attempt, note=partial(self._note, attempt, ticket))
        began_s = clock.monotonic_s()
        try:
            call = partial(run.proposer.propose, group, context)
            answer = _with_deadline(call, min(run.limits.call_timeout_s, left_s), run.stop)
        except Exception as error:
            failure = self._failure(error, attempt)
            # A refusal for good is no longer one that waiting helps against.
            raise ProposalError(str(failure)) if self._is_hopeless(failure, ticket) else failure from None
        finally:
            self._in_calls_s += clock.monotonic_s() - began_s
        if answer is None:
            raise _RunEnded
        run.gate.passed(ticket)
        run.breaker.passed()
        if attempt not in self._noted:  # a proposer that notes nothing still says what it used
            run.spending.add(self._group.id, answer.usage)
        return answer

    def _note(self, attempt: int, ticket: int, reply: Reply) -> None:
        """Take a reply as it came; what cannot be kept ends the run."""
        self._run.gate.sent(ticket, clock.monotonic_s() - reply.latency_s)
        self._noted.add(attempt)
        self._last = reply
        self._run.spending.add(self._group.id, reply.usage)
        try:
            self._run.recorder.answered(self._group.id, attempt, reply)
        except Exception as error:
            self._run.stop.break_off(error)
            raise

    def _failure(self, error: Exception, attempt: int) -> ProposalError:
        """Return what a call that raised has come to, after noting it."""
        self._run.stop.raise_broken()
        if isinstance(error, ProposalError):
            failure = error
            _log.warning("Cluster %s, attempt %d: %s", self._group.id, attempt, error)
        else:
            # A bug met on one cluster must not cost the others; the log has the traceback.
            _log.error("Cluster %s, attempt %d", self._group.id, attempt, exc_info=error)
            failure = ProposalError(
                f"Proposing failed unexpectedly ({type(error).__name__}): try again; a log has the details."
            )
        if isinstance(failure, UnusableAnswer):
            self._raw = failure.raw
        self._run.recorder.failed(self._group.id, attempt, failure)
        return failure

    def _is_hopeless(self, failure: ProposalError, ticket: int) -> bool:
        """Tell gate and breaker about a failed call; return whether this cluster is refused for good."""
        run = self._run
        if isinstance(failure, QuotaReached):
            return self._is_refused_for_good(failure, ticket)
        run.gate.passed(ticket)
        if not isinstance(failure, RetryableError):
            run.breaker.passed()
            return False
        self._failures += 1
        if reason := run.breaker.failed(failure):
            run.stop.now(reason)
        return False

    def _is_refused_for_good(self, failure: QuotaReached, ticket: int) -> bool:
        run = self._run
        # Calls that were under way when the limit was met say nothing new.
        news = run.gate.refused(ticket, failure.retry_after_s)
        verdict = run.breaker.refused(self._group.id) if news else "wait"
        if failure.retry_after_s is None:
            longest_s = _longest_backoff_s(run.breaker.refusals)
            run.gate.pause(random.uniform(longest_s / 2, longest_s))  # noqa: S311  (no secret)
        if verdict == "stop":
            reason = f"Calls were refused however long they waited. {failure}"
            run.stop.now(reason, abandon=False)
        return verdict == "give_up"

    def _hold_back(self, error: ProposalError) -> None:
        """Wait before the next call: all workers when the service said how long, else only this one."""
        asked_s = error.retry_after_s if isinstance(error, RetryableError) else None
        if asked_s is not None:
            self._run.gate.pause(asked_s)
            return
        # Full jitter: workers that failed together must not come back together.
        self._run.stop.wait(random.uniform(0, _longest_backoff_s(self._failures)))  # noqa: S311  (no secret)

    # --- what becomes of it ---------------------------------------------------------------------

    def _done(self, blank: Outcome, answer: Answer) -> Outcome:
        answer = self._with_rest(answer)
        return replace(
            blank,
            status="done",
            proposals=answer.proposals,
            unpackaged=answer.unpackaged,
            issues=answer.issues,
            usage=self._run.spending.usage_of(self._group.id),
            model=answer.model,
            attempts=self._calls,
            raw=answer.raw,
            requested_model=answer.requested_model,
            latency_s=answer.latency_s,
            cached=answer.cached,
        )

    def _by_rules(self, ended: Outcome) -> Outcome:
        """Let the rules stand in for a cluster that failed or met the fatal error; a cancelled one waits."""
        stop = self._run.stop
        reason = ended.error if ended.status == "failed" else None if stop.cancelled else stop.fatal
        answer = self._propose_by_rules(self._group.deals) if reason else None
        if not reason or answer is None:
            return ended
        label = rules_label(reason)
        return replace(ended, proposals=answer.proposals, unpackaged=answer.unpackaged, stand_in=label)

    def _with_rest(self, answer: Answer) -> Answer:
        """Let the rules group what a model left out; they say so in the reasoning and in an issue."""
        left = {item.deal_id: item for item in answer.unpackaged}
        rest = tuple(deal for deal in self._group.deals if deal.deal_id in left)
        made = self._propose_by_rules(rest) if len(rest) >= MIN_PACKAGE_DEALS else None
        if made is None or not made.proposals:
            return answer
        marked = tuple(replace(proposal, source=SOURCE) for proposal in made.proposals)
        taken = {deal_id for proposal in marked for deal_id in proposal.deal_ids}
        names = ", ".join(repr(proposal.name) for proposal in made.proposals)
        return replace(
            answer,
            proposals=(*answer.proposals, *marked),
            unpackaged=tuple(item for item in answer.unpackaged if item.deal_id not in taken),
            issues=(*answer.issues, f"Rules, not the model, made {names} of deals that the model left out."),
        )

    def _propose_by_rules(self, deals: tuple[Deal, ...]) -> Answer | None:
        """Return what the fallback proposes; None without one, or when it was asked already."""
        fallback = self._run.fallback
        if fallback is None or fallback.source == self._run.proposer.source:
            return None
        try:
            return fallback.propose(replace(self._group, deals=deals))
        except Exception:
            # The cluster keeps its own outcome, with its own reason; the log has the traceback.
            _log.exception("Cluster %s, %s", self._group.id, fallback.source)
            return None


def _likeness(deal: Deal) -> tuple[str, str, tuple[str, ...], str]:
    return (deal.taxonomy.tier1 or "", deal.taxonomy.tier2 or "", deal.formats, deal.deal_id)


def _merged(one: Answer, other: Answer) -> Answer:
    """Put the answers about two parts of a cluster together."""
    known_s = [answer.latency_s for answer in (one, other) if answer.latency_s is not None]
    return replace(
        other,
        proposals=one.proposals + other.proposals,
        unpackaged=one.unpackaged + other.unpackaged,
        issues=one.issues + other.issues,
        usage=one.usage + other.usage,
        raw=f"{one.raw}\n{other.raw}",
        latency_s=sum(known_s) if known_s else None,
    )


def _longest_backoff_s(failures: int) -> float:
    return min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2.0 ** max(0, failures - 1))


def _with_deadline(call: Callable[[], Answer], deadline_s: float, stop: Stop) -> Answer | None:
    """Run one call in a thread of its own; None when the run ended while it was under way.

    A call cannot be killed from outside. One that passes its deadline is left behind as a
    daemon thread, and what it may still bring is noted but not read.
    Raises RetryableError at the deadline, and whatever the call raises.
    """
    results: queue.SimpleQueue[tuple[Answer | None, BaseException | None]] = queue.SimpleQueue()

    def attempt() -> None:
        try:
            results.put((call(), None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=attempt, daemon=True, name="proposal-attempt").start()
    ends_s = clock.monotonic_s() + deadline_s
    while (left_s := ends_s - clock.monotonic_s()) > 0:
        ending = stop.abandoned  # asked before the queue: an answer that is there is never thrown away
        try:
            answer, error = results.get(timeout=0 if ending else min(left_s, POLL_S))
        except queue.Empty:
            if ending:
                return None
            continue
        if error is not None:
            raise error
        return answer
    raise RetryableError(f"No complete answer within {deadline_s:g} s: try again later, or raise the limit.")
