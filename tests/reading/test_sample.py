"""The sample is the same on every day: flights and names move together, and the clusters stay."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from core import clock
from core.clustering import ClusteringSettings, cluster_deals
from core.creator import deal_groups
from core.deals import Deal
from core.deals.flight import end_of, start_of
from core.embeddings import EmbeddingCache, Encoder, embed_deals, open_encoder
from core.embeddings.text import text_to_embed
from core.errors import ImportRefused
from core.packages.checks import check_package
from core.packages.package import Package
from core.proposals import RulesProposer, run_proposals
from core.reading import Sample, read_deals, read_sample
from core.reading import sample as sample_module
from core.settings import EMBEDDING_MODEL
from core.wording.findings import CheckRules
from tests.fakes.clock import SAMPLE_DAY, RunningClock
from tests.fakes.embeddings import FakeEncoder

MADE_FOR = SAMPLE_DAY.date()
SMALL = "deals_small.json"
# The real present is one of them, whatever day the tests run on.
DAYS = (
    clock.SystemClock().now().date(),
    date(2026, 11, 28),
    date(2027, 2, 28),
    date(2028, 2, 29),
    date(2031, 12, 31),
)
PERIOD = re.compile(r"Q([1-4])[ _](20\d\d)")


def test_on_the_day_it_was_made_for_it_is_the_file_as_it_stands():
    sample = read_sample()
    data = (sample_module.FOLDER / sample.filename).read_bytes()
    assert (sample.made_for, sample.weeks, sample.note) == (MADE_FOR, 0, None)
    assert sample.result == read_deals(data, sample.filename)


@pytest.mark.parametrize("today", [*DAYS[2:], date(2026, 11, 15), date(2024, 2, 29)])
def test_every_flight_moves_by_the_same_whole_weeks_and_the_report_says_so(today: date):
    sample, before = read_sample(today=today), read_sample(today=MADE_FOR)
    by = timedelta(weeks=sample.weeks)
    assert timedelta(0) <= today - (MADE_FOR + by) < timedelta(weeks=1)
    for moved, deal in zip(sample.result.deals, before.result.deals, strict=True):
        assert start_of(moved.start_time) == _later(start_of(deal.start_time), by)
        assert end_of(moved.end_time) == _later(end_of(deal.end_time), by)
        same = {"start_time": None, "end_time": None, "deal_name": None}
        assert replace(moved, **same) == replace(deal, **same)
    assert sample.note in sample.result.repairs
    assert f"({sample.weeks})" in sample.note
    assert "22 November 2026" in sample.note


def _later(moment: datetime | None, by: timedelta) -> datetime | None:
    return moment and moment + by


@pytest.mark.parametrize("today", DAYS)
def test_a_quarter_in_a_name_says_of_the_flight_what_it_said_when_the_file_was_made(today: date):
    moved, before = read_sample(today=today).result.deals, read_sample(today=MADE_FOR).result.deals
    dated = [pair for pair in zip(moved, before, strict=True) if PERIOD.search(pair[1].deal_name)]
    assert len(dated) > 100
    for deal, made in dated:
        assert PERIOD.sub("", deal.deal_name) == PERIOD.sub("", made.deal_name)
        assert (_quarter_gap(deal) is None) == (_quarter_gap(made) is None)
        if _quarter_gap(made) is not None:
            assert _quarter_gap(deal) == _quarter_gap(made)


def _quarter_gap(deal: Deal) -> tuple[bool, int] | None:
    """Return whether the name's quarter is that of the start, and by how many years its year is off."""
    start, found = start_of(deal.start_time), PERIOD.search(deal.deal_name)
    if start is None or found is None:
        return None
    return int(found[1]) == (start.month + 2) // 3, start.year - int(found[2])


def test_without_a_start_the_middle_of_the_quarter_moves():
    assert sample_module._moved_name("MSFT_Q4_2026", None, timedelta(weeks=14)) == "MSFT_Q1_2027"
    assert sample_module._moved_name("MSFT Q4 2026", None, timedelta(weeks=2)) == "MSFT Q4 2026"


@pytest.mark.parametrize("today", DAYS)
def test_the_texts_that_are_compared_are_the_same_on_every_day(today: date):
    texts = [
        [text_to_embed(deal) for deal in read_sample(today=day).result.deals] for day in (MADE_FOR, today)
    ]
    assert texts[0] == texts[1]


def test_the_same_number_of_packages_arrive_without_an_error_on_each_day():
    counts = {today: _sound(read_sample(SMALL, today), today, FakeEncoder()) for today in DAYS}
    assert len(set(counts.values())) == 1, counts
    assert min(counts.values()) > 0


@pytest.mark.slow
def test_the_same_number_of_packages_of_the_whole_sample_arrive_without_an_error_on_each_day(tmp_path: Path):
    encoder = open_encoder(EMBEDDING_MODEL, EmbeddingCache(tmp_path / "embeddings.db", 100))
    counts = {today: _sound(read_sample(today=today), today, encoder) for today in DAYS}
    assert len(set(counts.values())) == 1, counts
    assert min(counts.values()) > 50


def _sound(sample: Sample, today: date, encoder: Encoder) -> int:
    """Return how many packages the rules make of the sample on a day that have no error on that day."""
    deals = sample.result.deals
    with clock.using(RunningClock(datetime.combine(today, time(9), UTC))):
        clustering = cluster_deals(deals, embed_deals(deals, encoder), ClusteringSettings())
        outcomes = run_proposals(deal_groups(deals, clustering), RulesProposer()).outcomes
        rules = CheckRules.now()
    assert rules.today == today
    packages = [
        Package(
            f"{outcome.cluster_id}-{position}", proposal.name, proposal.deal_ids, proposal.reasoning, "rules"
        )
        for outcome in outcomes
        for position, proposal in enumerate(outcome.proposals)
    ]
    return sum(not _has_error(package, deals, rules) for package in packages)


def _has_error(package: Package, deals: Sequence[Deal], rules: CheckRules) -> bool:
    members = tuple(deal for deal in deals if deal.deal_id in package.deal_ids)
    return any(finding.severity == "error" for finding in check_package(package, members, rules))


def test_a_sample_that_is_not_there_is_refused_with_where_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sample_module, "FOLDER", tmp_path / "sample_data")
    with pytest.raises(ImportRefused, match="project's folder sample_data"):
        read_sample()
