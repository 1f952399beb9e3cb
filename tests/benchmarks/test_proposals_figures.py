import statistics
from dataclasses import replace

import pytest

from benchmarks.proposals import (
    CLUSTERS,
    SIGMA,
    Trip,
    clusters,
    cost,
    latency_of,
    least_seconds,
    lost,
    main,
)
from core.proposals import ProposalRun, RulesProposer, run_proposals
from tests.fakes.gemini import Call


@pytest.fixture(scope="module")
def run() -> ProposalRun:
    return run_proposals(clusters(), RulesProposer())


def call_with(prompt: str) -> Call:
    return Call(0, "model", prompt, "", {}, "", 0.0)


@pytest.mark.parametrize(
    ("latencies", "workers", "calls", "expected"),
    [
        ([], 1, 1, 0),
        ([2, 2, 2], 1, 10, 6),
        ([2, 2, 2], 3, 10, 2),
        ([1, 1, 1], 3, 2, 6),  # the third waits for the window of 5 s
        ([1, 1, 1, 1, 1], 3, 2, 11),
        ([9, 1, 1, 1], 2, 2, 9),  # a free worker takes the next
    ],
)
def test_the_least_possible_time_knows_workers_and_window(latencies, workers, calls, expected):
    assert least_seconds(latencies, workers, calls, 5.0) == expected


def test_latencies_are_lognormal_and_belong_to_the_prompt():
    latency_s = latency_of(4.0)
    drawn = [latency_s(call_with(f"prompt {number}")) for number in range(2_000)]
    assert drawn == [latency_s(call_with(f"prompt {number}")) for number in range(2_000)]
    assert statistics.median(drawn) == pytest.approx(4.0, rel=0.1)
    middle = statistics.quantiles(drawn, n=100)
    assert middle[83] / middle[49] == pytest.approx(2.718**SIGMA, rel=0.1)  # one standard deviation


def test_clusters_for_measuring_are_as_large_as_the_app_makes_them():
    assert [len(group.deals) for group in clusters()] == [25] * CLUSTERS


def test_deals_without_place_or_reason_are_lost(run):
    assert lost(run) == 0
    first, *rest = run.outcomes
    assert first.unpackaged
    hurt = replace(first, unpackaged=tuple(replace(item, reason="") for item in first.unpackaged))
    assert lost(ProposalRun((hurt, *rest))) == len(first.unpackaged)
    packaged = {deal_id for item in first.proposals for deal_id in item.deal_ids}
    assert lost(ProposalRun((replace(first, proposals=()), *rest))) == len(packaged)


def test_only_answers_of_the_model_count_as_done(run):
    failed = replace(run.outcomes[0], status="failed")
    assert Trip(ProposalRun((failed, *run.outcomes[1:])), (), 1.0, 0).done == CLUSTERS - 1


def test_a_missed_target_fails_the_run(capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.proposals.SECTIONS", (("Cost", cost),))
    assert main() == 0
    assert "NOT reached" not in capsys.readouterr().out
    monkeypatch.setattr("benchmarks.proposals._DOLLARS", 0.01)
    assert main() == 1
    assert "2 targets missed: USD" in capsys.readouterr().out
