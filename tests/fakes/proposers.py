"""A proposer without network or rules, and small clusters for any proposer to answer about.

`ScriptedProposer` answers every cluster with one package of all its deals, unless a script says
otherwise. It logs every attempt, so that a test can see when, how often and how many at once.

    proposer = ScriptedProposer()
    proposer.enqueue("news", RetryableError("busy", retry_after_s=0.1))
    run = run_proposals([group_of("news")], proposer, Limits(attempts=2))
    assert [attempt.cluster_id for attempt in proposer.history] == ["news", "news"]
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.deals import Deal, Taxonomy
from core.proposals import FIRST_CALL, Answer, AskContext, DealGroup, Proposal

__all__ = ["Attempt", "ScriptedProposer", "Step", "deal_of", "group_of", "one_package"]

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
    """One call of `propose`; started_s is `time.monotonic()` seconds."""

    cluster_id: str
    started_s: float
    thread: str
    context: AskContext


class ScriptedProposer:
    """A `Proposer` that follows a script; safe to share between threads.

    latency_s: how long each attempt takes. always: a step for attempts without a script.
    peak_concurrency: the largest number of attempts that ran at the same time.
    """

    source = "scripted"

    def __init__(self, *, latency_s: float = 0.0, always: Step = one_package) -> None:
        self.latency_s = latency_s
        self.always = always
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

    def propose(self, group: DealGroup, context: AskContext = FIRST_CALL) -> Answer:
        """Play the next step for this cluster."""
        with self._lock:
            thread = threading.current_thread().name
            self._history.append(Attempt(group.id, time.monotonic(), thread, context))
            script = self._script[group.id]
            step = script.popleft() if script else self.always
            self._running += 1
            self.peak_concurrency = max(self.peak_concurrency, self._running)
        try:
            time.sleep(self.latency_s)
            if isinstance(step, BaseException):
                raise step
            return step if isinstance(step, Answer) else step(group)
        finally:
            with self._lock:
                self._running -= 1
