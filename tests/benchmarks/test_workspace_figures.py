from contextlib import closing

import pytest

from benchmarks.workspace import Bench, main, opening, saving, times_ms
from core.storage import Workspace

SMALL = ["--deals", "60", "--packages", "20", "--runs", "2", "--edits", "3", "--only", "SQLite"]


@pytest.fixture
def urls(tmp_path):
    return [f"sqlite:///{(tmp_path / name / 'workspace.db').as_posix()}" for name in ("full", "empty")]


def test_a_bench_holds_all_deals_and_packages_in_every_run_and_half_of_them_touched(urls):
    with closing(Workspace(urls[0])) as workspace:
        run_id = Bench(60, 20, 3).fill(workspace)
        assert [(run.deals, run.packages, run.clusters) for run in workspace.runs()] == [(60, 20, 2)] * 3
        packages = workspace.packages(run_id)
        assert sum(package.untouched for package in packages) == 10
        assert {deal_id for item in packages for deal_id in item.deal_ids} == {
            deal.deal_id for deal in workspace.deals(run_id)
        }


def test_every_step_is_a_step_of_the_run_that_is_measured(urls):
    with closing(Workspace(urls[0])) as workspace:
        run_id = Bench(60, 20, 1).fill(workspace)
        before = len(workspace.steps(run_id))
    told = list(saving(*urls, run_id, 3))
    assert [row.what.split(":")[0] for row in told][1:] == [
        "edit",
        "edit by one in an empty workspace",
        "approve",
        "move",
        "merge",
        "undo",
    ]
    with closing(Workspace(urls[0])) as workspace:
        steps = workspace.steps(run_id)
    assert len(steps) - before == 4 * 3
    assert [step.state for step in steps].count("undone") == 3


def test_opening_is_told_with_its_parts(urls):
    with closing(Workspace(urls[0])) as workspace:
        run_id = Bench(60, 20, 1).fill(workspace)
    rows = {row.what: row.values for row in opening(urls[0], run_id)}
    assert min(rows["open alone: seconds"]) < max(rows["open and read a run: seconds"])


def test_times_are_one_for_each_call():
    called = []
    assert len(times_ms(3, called.append)) == 3
    assert called == [0, 1, 2]


@pytest.mark.parametrize(("bound", "code"), [(60_000.0, 0), (0.0, 1)])
def test_a_missed_target_fails_the_run(capsys, monkeypatch, bound, code):
    for name in ("OPEN_S", "SAVE_MS", "LIST_MS"):
        monkeypatch.setattr(f"benchmarks.workspace.{name}", bound)
    assert main(SMALL) == code
    assert ("NOT reached" in capsys.readouterr().out) is bool(code)
