"""Trials: runs of the real Gemini client against the fake service, and what must hold after each.

A `Trial` says which faults strike when. `run_trials` runs many beside each other, as most of their
time is waiting, with the budgets of the app and the rules to stand in. `broken_promises` compares
what came of one with what the server saw, and with a run in which nothing fails.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from core import clock
from core.deals import Safety
from core.proposals import (
    DealGroup,
    GeminiProposer,
    Limits,
    Outcome,
    PromptTemplate,
    ProposalRun,
    RulesProposer,
    run_proposals,
)
from core.settings import CONTENT_ATTEMPTS, GEMINI_SUCCESSOR, MIN_PACKAGE_DEALS, TRANSPORT_ATTEMPTS
from tests.fakes.clock import RunningClock
from tests.fakes.faults import FAULTS
from tests.fakes.gemini import Call, FakeGemini, read_deals
from tests.fakes.proposers import deal_of, group_of
from tests.proposals.test_gemini import HARMLESS, SLOW, STOPS

KEY = "key-canary-of-the-trials-7f3a"
TOPICS = ("Sports", "News", "Travel", "Autos", "Food", "Music")
SINGLE = 3
"""Clusters of a trial with one fault."""
LANES = 8
SPEED = 5.0
"""How fast time passes for whoever waits before another call: what they meet does not depend on it."""

_WARM_UP = group_of("Warm-up", 3)
_MOST_RISKY = Safety("Floor")
_FAULTS_OF_A_MIXTURE = 6


def _group(topic: str) -> DealGroup:
    """Return a cluster with one deal that the rules always leave over."""
    group = group_of(topic)
    odd = deal_of(topic, len(group.deals) + 1, safety=_MOST_RISKY)
    return replace(group, deals=(*group.deals, odd))


GROUPS = tuple(_group(topic) for topic in TOPICS)


@dataclass(frozen=True, slots=True)
class Trial:
    """One run: which faults strike (`FakeGemini.fail`), when, and among how many clusters."""

    name: str
    strikes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    clusters: int = SINGLE

    @property
    def alone(self) -> bool:
        """Whether it needs a server of its own.

        A run that stops leaves calls behind, which would count as calls of the next one; and a
        server counts how often it was asked about the same deals.
        """
        return any(fault in STOPS or set(when) != {"at"} for fault, when in self.strikes.items())


@dataclass(frozen=True, slots=True)
class Trace:
    """What came of a trial, and every call of it that reached the server."""

    trial: Trial
    run: ProposalRun
    calls: tuple[Call, ...]

    @property
    def struck(self) -> set[str]:
        """Clusters that met a fault."""
        return {_cluster_of(call) for call in self.calls if call.fault}


def one_fault(fault: str, label: str, **when: Any) -> Trial:
    """Return the trial of one fault. label: says when it strikes."""
    return Trial(f"{fault}, {label}", {fault: when})


NO_FAULT = Trial("no fault", clusters=len(GROUPS))


def mixture(seed: int) -> Trial:
    """Return a trial of several faults that strike at random; the seed decides all but the backoff."""
    chance = random.Random(seed)
    passing = [fault for fault in FAULTS if fault not in STOPS]
    chosen = chance.sample(passing, _FAULTS_OF_A_MIXTURE) + chance.sample(sorted(STOPS), seed % 2)
    strikes = {
        fault: {"rate": 0.02 if fault in STOPS else chance.uniform(0.05, 0.3), "seed": seed}
        for fault in chosen
    }
    return Trial(f"mixture {seed}", strikes, len(GROUPS))


def run_trials(trials: Sequence[Trial]) -> dict[str, Trace]:
    """Run trials, some beside each other; return what came of each by name."""
    count = min(LANES, len(trials))
    with clock.using(RunningClock(speed=SPEED)), ThreadPoolExecutor(count) as pool:
        lanes = pool.map(_run_lane, [trials[start::count] for start in range(count)])
        return {trace.trial.name: trace for traces in lanes for trace in traces}


def run_trial(trial: Trial) -> Trace:
    """Run one trial."""
    return run_trials([trial])[trial.name]


def _run_lane(trials: Sequence[Trial]) -> list[Trace]:
    with _service() as shared:
        return [_run_alone(trial) if trial.alone else _run(trial, *shared) for trial in trials]


def _run_alone(trial: Trial) -> Trace:
    with _service() as own:
        return _run(trial, *own)


@contextmanager
def _service() -> Iterator[tuple[FakeGemini, GeminiProposer]]:
    """Start a server and a proposer; building a client takes .1 s, which is no part of a call."""
    with FakeGemini(api_key=KEY) as server:
        proposer = GeminiProposer(KEY, PromptTemplate(), base_url=server.url, timeout_s=10)
        proposer.propose(_WARM_UP)
        yield server, proposer


def _run(trial: Trial, server: FakeGemini, proposer: GeminiProposer) -> Trace:
    server.heal()
    first = len(server.calls)
    for fault, when in trial.strikes.items():
        place = {"at": [first + number for number in when["at"]]} if "at" in when else {}
        server.fail(fault, **{**when, **place})
    limits = Limits(
        workers=2,
        transport_attempts=TRANSPORT_ATTEMPTS,
        content_attempts=CONTENT_ATTEMPTS,
        call_timeout_s=(0.5 if SLOW.intersection(trial.strikes) else 10) * SPEED,
        cluster_deadline_s=20 * SPEED,
    )
    run = run_proposals(GROUPS[: trial.clusters], proposer, limits, fallback=RulesProposer())
    return Trace(trial, run, server.calls[first:])


# --- what must hold ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Case:
    """One cluster of a trial: what became of it, and what becomes of it when nothing fails."""

    outcome: Outcome
    group: DealGroup
    good: Outcome
    calls: tuple[Call, ...]
    stopped: str | None

    @property
    def ids(self) -> set[str]:
        return {deal.deal_id for deal in self.group.deals}

    @property
    def packaged(self) -> set[str]:
        return {deal_id for item in self.outcome.proposals for deal_id in item.deal_ids}

    @property
    def left(self) -> set[str]:
        return {item.deal_id for item in self.outcome.unpackaged}

    @property
    def answered(self) -> bool:
        """Whether usable answers about all deals left the server."""
        usable = [call for call in self.calls if not call.fault or call.fault in HARMLESS]
        return {name for call in usable for name in _names_in(call)} == {
            deal.deal_name for deal in self.group.deals
        }

    @property
    def well_answered(self) -> bool:
        """Whether the last answer was a good one about the whole cluster."""
        last = self.calls[-1] if self.calls else None
        return last is not None and not last.fault and len(_names_in(last)) == len(self.group.deals)


def _is_accounted_for(case: _Case) -> bool:
    known = set(case.outcome.deal_ids) == case.ids
    return known and case.packaged | case.left == case.ids and case.packaged.isdisjoint(case.left)


def _has_reasons(case: _Case) -> bool:
    outcome = case.outcome
    ended = outcome.status == "done" or _is_sentence(outcome.error)
    return ended and all(_is_sentence(item.reason) for item in outcome.unpackaged)


def _is_sentence(text: str | None) -> bool:
    return bool(text and text.strip() and text.isprintable())


def _has_own_ids(case: _Case) -> bool:
    packages = [item.deal_ids for item in case.outcome.proposals]
    return all(len(set(ids)) == len(ids) and case.ids.issuperset(ids) for ids in packages)


def _is_what_it_says(case: _Case) -> bool:
    outcome = case.outcome
    if outcome.status == "done":
        by_model = any(item.source is None for item in outcome.proposals)
        return case.answered and by_model and outcome.model is not None and outcome.stand_in is None
    if outcome.status == "failed" and case.answered:
        return False
    # Only a run that was stopped leaves a cluster that did not fail itself.
    return "AI failed" in outcome.proposal_source and (outcome.status == "failed" or case.stopped is not None)


def _is_unchanged(case: _Case) -> bool:
    outcome = case.outcome
    met_fault = any(call.fault for call in case.calls)
    if outcome.status == "failed":
        return met_fault
    if outcome.status == "done" and (not met_fault or case.well_answered):
        same_model = outcome.model == case.good.model and outcome.issues == case.good.issues
        return _seen(outcome) == _seen(case.good) and (same_model or outcome.model == GEMINI_SUCCESSOR)
    if outcome.status == "not_sent":
        return _seen(outcome) == _seen(RulesProposer().propose(case.group))
    return True


def _seen(answer: Any) -> tuple[Any, Any]:
    return answer.proposals, answer.unpackaged


PROMISES: Mapping[str, Callable[[_Case], bool]] = {
    "every deal is in a package or left over": _is_accounted_for,
    "what has no package, or no answer, has a reason": _has_reasons,
    "ids are those of the cluster, each once": _has_own_ids,
    "no package is under 3": lambda case: all(
        len(item.deal_ids) >= MIN_PACKAGE_DEALS for item in case.outcome.proposals
    ),
    "done is what was answered, and nothing else": _is_what_it_says,
    "what met no fault is unchanged": _is_unchanged,
    "the key is nowhere": lambda case: KEY not in repr(case.outcome) + (case.stopped or ""),
}
"""What must hold for every cluster, by name; the last one is checked in the log as well."""

ONE_EACH = "one outcome for each cluster, in order"


def broken_promises(trace: Trace, good: ProposalRun) -> list[str]:
    """Return what a run broke, with the cluster. good: all `GROUPS` without a fault."""
    run, groups = trace.run, GROUPS[: trace.trial.clusters]
    if [outcome.cluster_id for outcome in run.outcomes] != [group.id for group in groups]:
        return [ONE_EACH]
    broken = []
    for outcome, group, expected in zip(run.outcomes, groups, good.outcomes, strict=False):
        calls = tuple(call for call in trace.calls if _cluster_of(call) == group.id)
        case = _Case(outcome, group, expected, calls, run.stopped)
        broken += [f"{group.id}: {name}" for name, holds in PROMISES.items() if not holds(case)]
    return broken


def lost_deals(trace: Trace) -> int:
    """Return how many deals are neither in a package nor left over with a reason."""
    lost = 0
    for group, outcome in zip(GROUPS, trace.run.outcomes, strict=False):
        placed = {deal_id for item in outcome.proposals for deal_id in item.deal_ids}
        placed |= {item.deal_id for item in outcome.unpackaged if item.reason.strip()}
        lost += sum(deal.deal_id not in placed for deal in group.deals)
    return lost


def _names_in(call: Call) -> list[str]:
    return [row["name"] for row in read_deals(call.prompt)]


def _cluster_of(call: Call) -> str:
    return _names_in(call)[0].partition(" Place")[0]
