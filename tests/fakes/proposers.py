"""A proposer without network or rules, a recorder, and small clusters for any proposer to answer about.

`ScriptedProposer` answers every cluster with one package of all its deals, unless a script says
otherwise. It logs every attempt, so that a test can see when, how often and how many at once, and
notes a reply for every answer, read or refused, as a model would. `NotedCalls` is a `Recorder`.

    proposer = ScriptedProposer()
    proposer.enqueue("news", RetryableError("busy", retry_after_s=0.1))
    run = run_proposals([group_of("news")], proposer)
    assert [attempt.cluster_id for attempt in proposer.history] == ["news", "news"]
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.deals import Deal, Taxonomy
from core.errors import ProposalError, QuotaReached, UnusableAnswer
from core.proposals import FIRST_CALL, Answer, AskContext, DealGroup, Proposal, Reply, Usage

__all__ = ["Attempt", "NotedCalls", "ScriptedProposer", "Step", "deal_of", "group_of", "one_package"]

Step: TypeAlias = Answer | BaseException | Callable[[DealGroup], Answer]
"""What one attempt does: give an answer, raise an error, or whatever a function does."""


def deal_of(topic: str, number: int = 1, **fields: Any) -> Deal:
    """Return a deal about a topic: its id is "Topic-001", its vertical the topic."""
    known = {"deal_name": f"{topic} Place {number}", "taxonomy": Taxonomy(topic)} | fields
    return Deal(f"{topic}-{number:03}", **known)


def group_of(topic: str, deals: int = 8) -> DealGroup:
    """Return a cluster named after its topic; every second deal is video, the rest display."""
    formats = (("video",), ("display",))
    return DealGroup(topic, tuple(deal_of(topic, n, formats=formats[n % 2]) for n in range(1, deals + 1)))


def one_package(group: DealGroup) -> Answer:
    """Put all deals of a cluster into one package."""
    ids = tuple(deal.deal_id for deal in group.deals)
    return Answer((Proposal(f"{group.id} Package", ids, "All of them."),), ())


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of `propose`; started_s is `time.monotonic()` seconds. deal_ids: what it asked about."""

    cluster_id: str
    started_s: float
    thread: str
    context: AskContext
    deal_ids: tuple[str, ...]


class ScriptedProposer:
    """A `Proposer` that follows a script; safe to share between threads.

    latency_s: how long each attempt takes. always: a step for attempts without a script.
    usage: what every reply is said to have used. limit: (calls, seconds), a sliding window of
    attempts that are dealt with; more raise QuotaReached with the delay until a place is free.
    peak_concurrency: the largest number of attempts that ran at the same time.
    """

    source = "scripted"

    def __init__(
        self,
        *,
        latency_s: float = 0.0,
        always: Step = one_package,
        usage: Usage = Usage(),  # noqa: B008  (frozen)
        limit: tuple[int, float] | None = None,
    ) -> None:
        self.latency_s = latency_s
        self.always = always
        self.usage = usage
        self.limit = limit
        self._accepted_s: deque[float] = deque()
        self.peak_concurrency = 0
        self._running = 0
        self._history: list[Attempt] = []
        self._script: defaultdict[str, deque[Step]] = defaultdict(deque)
        self._lock = threading.Lock()

    def enqueue(self, cluster_id: str, *steps: Step) -> None:
        """Script the next attempts about one cluster."""
        self._script[cluster_id].extend(steps)

    @property
    def history(self) -> tuple[Attempt, ...]:
        """All attempts so far, in the order they started."""
        with self._lock:
            return tuple(self._history)

    @property
    def running(self) -> int:
        """Attempts under way now."""
        with self._lock:
            return self._running

    def propose(self, group: DealGroup, context: AskContext = FIRST_CALL) -> Answer:
        """Play the next step for this cluster."""
        with self._lock:
            now_s = time.monotonic()
            thread = threading.current_thread().name
            ids = tuple(deal.deal_id for deal in group.deals)
            self._history.append(Attempt(group.id, now_s, thread, context, ids))
            self._take_place(now_s)
            script = self._script[group.id]
            step = script.popleft() if script else self.always
            self._running += 1
            self.peak_concurrency = max(self.peak_concurrency, self._running)
        try:
            time.sleep(self.latency_s)
            return self._play(step, group, context)
        finally:
            with self._lock:
                self._running -= 1

    def _take_place(self, now_s: float) -> None:
        if self.limit is None:
            return
        calls, per_s = self.limit
        while self._accepted_s and self._accepted_s[0] <= now_s - per_s:
            self._accepted_s.popleft()
        if len(self._accepted_s) >= calls:
            raise QuotaReached("too many calls", retry_after_s=self._accepted_s[0] + per_s - now_s)
        self._accepted_s.append(now_s)

    def _play(self, step: Step, group: DealGroup, context: AskContext) -> Answer:
        try:
            if isinstance(step, BaseException):
                raise step
            answer = step if isinstance(step, Answer) else step(group)
        except UnusableAnswer as error:
            context.note(self._reply(error.raw, self.source))
            raise
        context.note(self._reply(answer.raw, answer.model or self.source))
        return answer

    def _reply(self, text: str, model: str) -> Reply:
        return Reply(text, "stop", self.source, model, self.usage, self.latency_s, "no prompt")


class NotedCalls:
    """A `Recorder` that keeps everything in lists; safe to share between threads.

    begun, replies, failures: (cluster id, attempt), with the reply or the error, as they came.
    broken: raised by every later call of `answered`, like a store whose disk is full.
    """

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.replies: list[tuple[str, int, Reply]] = []
        self.failures: list[tuple[str, int, ProposalError]] = []
        self.broken: Exception | None = None

    def started(self, cluster_id: str, attempt: int) -> None:
        """Keep that a call is about to be made."""
        self.begun.append((cluster_id, attempt))

    def answered(self, cluster_id: str, attempt: int, reply: Reply) -> None:
        """Keep a reply, unless the recorder is broken."""
        if self.broken is not None:
            raise self.broken
        self.replies.append((cluster_id, attempt, reply))

    def failed(self, cluster_id: str, attempt: int, error: ProposalError) -> None:
        """Keep why a call brought no answer."""
        self.failures.append((cluster_id, attempt, error))
