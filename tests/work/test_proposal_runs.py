"""Asking for packages: what is saved on the way, what is used again, and what is left after a stop."""

import itertools
import json
import sqlite3
import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import event, make_url

from core.clustering.quality import ClusterQuality, Quality
from core.coverage import clusters_to_ask
from core.errors import FatalProposalError, QuotaReached, RetryableError, UnusableAnswer, WorkspaceError
from core.packages import Approve, Rename
from core.proposals import Answer, Limits, PromptTemplate, Proposal, Reply, RulesProposer, Usage, build_prompt
from core.proposals.chat import ModelProposer
from core.reading.reading import parse_deals
from core.work import (
    JobContext,
    JobRegistry,
    make_names_unique,
    proposal_groups,
    propose_packages,
    unanswered,
)
from tests.fakes.proposers import ScriptedProposer, one_package
from tests.work.test_job_registry import ended
from tests.workspaces import clustering_of, on_sqlite

TOPICS = ("sports", "news", "travel", "food", "cars")
RECORDS = [
    {
        "deal_id": f"{topic}-{n}",
        "deal_name": f"{topic} place {n}",
        "geos": [("GB", "US")[n // 3]],
        "taxonomy": {"tier1": topic.title()},
        "format": "video",
    }
    for topic in TOPICS
    for n in range(6)
]
CLUSTERS = {f"c{n}": tuple(range(6 * n, 6 * n + 6)) for n in range(5)}
ONE_AT_A_TIME = Limits(workers=1, attempts=2, call_timeout_s=5)
TEMPLATE = PromptTemplate("Group these: {enriched_deals}")


class Report:
    """A job's context that keeps what was reported."""

    def __init__(self):
        self.updates = []
        self.job = JobContext(self.update)

    def update(self, **changes):
        changes.pop("progressed_s", None)  # the time of a step differs in every run
        self.updates.append(changes)


class Service:
    """A chat service that packs all deals of a question into one package.

    prompts: what was asked, in order. script: by call number, an error to raise or a text to
    answer. usage: of every reply.
    """

    name = "Fake"

    def __init__(self, script=(), usage=Usage(100, 10)):  # noqa: B008  (frozen)
        self.prompts = []
        self.script = dict(script)
        self.usage = usage

    def ask(self, prompt, model, context):  # noqa: ARG002
        self.prompts.append(prompt)
        step = self.script.get(len(self.prompts), "")
        if isinstance(step, BaseException):
            raise step
        if callable(step):
            step = step()
        package = {"package_name": "Fine Package", "deal_ids": list(prompt.aliases), "reasoning": "Alike."}
        text = step or json.dumps({"packages": [package]})
        return Reply(text, "stop", model, model, self.usage, 0.01, prompt.hash)


@pytest.fixture
def clustered(workspace):
    """A run with five clusters of six deals, "c0" to "c4"."""
    run_id = workspace.create_run(parse_deals(RECORDS), "deals.json")
    workspace.save_clustering(run_id, clustering_of(CLUSTERS))
    return run_id


@pytest.fixture(autouse=True)
def calls_given_up(workspace):  # noqa: ARG001  (which must be open until they have ended)
    """Wait for calls that were given up: each still notes its answer."""
    yield
    for thread in threading.enumerate():
        if thread.name == "proposal-attempt":
            thread.join()


def propose(
    workspace, run_id, proposer, cluster_ids=tuple(CLUSTERS), limits=ONE_AT_A_TIME, report=None, **more
):
    job = (report or Report()).job
    return propose_packages(workspace, run_id, cluster_ids, proposer, limits, job, **more)


def ask(workspace, run_id, service, cluster_ids=tuple(CLUSTERS), **more):
    """Ask a model over a service, with a template, so that answers are known again."""
    template = more.pop("template", TEMPLATE)
    proposer = ModelProposer(service, template, model=more.pop("model", "fake-model"))
    return propose(workspace, run_id, proposer, cluster_ids, template=template, **more)


def rest(workspace, run_id):
    return clusters_to_ask(workspace.deals(run_id), workspace.clustering(run_id), workspace.outcomes(run_id))


def statuses(workspace, run_id):
    return {cluster_id: outcome.status for cluster_id, outcome in workspace.outcomes(run_id).items()}


def sources(workspace, run_id):
    return {package.cluster_id: package.source for package in workspace.packages(run_id)}


# --- what is saved ----------------------------------------------------------------------------


@pytest.mark.both_databases
def test_every_cluster_asked_for_gets_its_packages(workspace, clustered):
    report, proposer = Report(), ScriptedProposer()
    note = propose(workspace, clustered, proposer, limits=Limits(workers=4), report=report)
    assert note.startswith("5 packages from 5 clusters. Used 5 calls")
    assert statuses(workspace, clustered) == dict.fromkeys(CLUSTERS, "done")
    assert {package.cluster_id for package in workspace.packages(clustered)} == set(CLUSTERS)
    assert [changes["stage"] for changes in report.updates if "stage" in changes] == ["Proposing"]
    assert [changes["done"] for changes in report.updates[1:]] == [1, 2, 3, 4, 5]


def test_only_the_clusters_asked_for_are_sent(workspace, clustered):
    proposer = ScriptedProposer()
    note = propose(workspace, clustered, proposer, ["c3", "c1", "no such cluster"])
    assert note.startswith("2 packages from 2 clusters.")
    assert sorted(attempt.cluster_id for attempt in proposer.history) == ["c1", "c3"]


def test_answers_are_saved_as_they_come(workspace, clustered):
    saved_before = {}

    def answer(group):
        ends = time.monotonic() + 5
        while len(statuses(workspace, clustered)) < len(saved_before) and time.monotonic() < ends:
            time.sleep(0.005)
        saved_before[group.id] = len(statuses(workspace, clustered))
        return one_package(group)

    propose(workspace, clustered, ScriptedProposer(always=answer))
    assert list(saved_before.values()) == [0, 1, 2, 3, 4]


def test_reply_is_on_disk_before_it_is_read(workspace, clustered):
    seen = {}

    class Nosy(ModelProposer):
        def propose(self, group, context):
            try:
                return super().propose(group, context)
            finally:
                seen[group.id] = [(call.state, call.raw) for call in workspace.calls(clustered, group.id)]

    propose(workspace, clustered, Nosy(Service({1: "no packages"}), TEMPLATE, model="m"), ["c0", "c1"])
    assert seen["c0"][0] == ("failed", "no packages")
    assert seen["c1"][0][0] == "answered"
    assert "Fine Package" in seen["c1"][0][1]


def test_calls_tell_what_was_asked_and_what_it_took(workspace, clustered):
    service = Service({1: RetryableError("busy", retry_after_s=0.0)})
    note = ask(workspace, clustered, service, ["c0"], model="gemini-2.5-flash")
    first, second = workspace.calls(clustered, "c0")
    assert [(call.attempt, call.state, call.error) for call in (first, second)] == [
        (1, "failed", "busy"),
        (2, "done", None),
    ]
    assert second.prompt_hash == service.prompts[1].hash
    (template,) = workspace.templates()
    assert (template.text, second.template_id) == (TEMPLATE.text, template.id)
    assert "Used 2 calls, 100 tokens read and 10 written, USD 0.01" in note
    assert workspace.outcomes(clustered)["c0"].raw == ""


def test_rules_are_not_recorded_as_calls(workspace, clustered):
    note = propose(workspace, clustered, RulesProposer())
    assert "call" not in note
    assert all(not workspace.calls(clustered, cluster_id) for cluster_id in CLUSTERS)
    assert set(sources(workspace, clustered).values()) == {"Rules (no AI)"}


def test_proposing_needs_clusters(workspace):
    run_id = workspace.create_run(parse_deals(RECORDS), "deals.json")
    with pytest.raises(WorkspaceError, match="no clusters yet: build them first"):
        propose(workspace, run_id, ScriptedProposer())


def test_file_that_comes_in_meanwhile_ends_the_run(workspace, clustered):
    def another_file(group):
        workspace.update_deals(clustered, parse_deals(RECORDS[:7]), "second.json", replace=True)
        return one_package(group)

    with pytest.raises(WorkspaceError, match="Another file came into the run meanwhile"):
        propose(workspace, clustered, ScriptedProposer(always=another_file))
    assert workspace.packages(clustered) == ()


# --- hints ------------------------------------------------------------------------------------


def test_nearest_clusters_are_named_to_the_model(workspace, clustered):
    def about(cluster_id, terms, nearest):
        return ClusterQuality(cluster_id, None, None, None, None, terms, (), nearest)

    figures = (about("c0", ("sports", "live"), ("c1", "gone")), about("c1", ("news", "live"), ("c0",)))
    quality = Quality(figures, None, None, None, None, ())
    workspace.save_quality(clustered, quality)
    service = Service()
    ask(workspace, clustered, service, ["c0", "c2"])
    assert "news (shared: live)" in service.prompts[0].human
    assert "nearby" not in service.prompts[1].human
    first, other = proposal_groups(workspace, clustered, ["c0", "c2"])
    assert (first.hints, other.hints) == (("news (shared: live)",), ())
    assert build_prompt(first, TEMPLATE).hash == workspace.calls(clustered, "c0")[0].prompt_hash
    assert len(proposal_groups(workspace, clustered)) == 5


# --- failures, fatal errors, cancel -----------------------------------------------------------


def test_failed_cluster_costs_no_other_and_rules_stand_in(workspace, clustered):
    proposer = ScriptedProposer()
    proposer.enqueue("c1", ValueError("a bug"))
    note = propose(workspace, clustered, proposer)
    assert note.startswith("4 packages from 4 clusters, 1 cluster failed, rules stand in for 1.")
    assert statuses(workspace, clustered) == dict.fromkeys(CLUSTERS, "done") | {"c1": "failed"}
    assert "ValueError" in workspace.outcomes(clustered)["c1"].error
    assert sources(workspace, clustered)["c1"].startswith("Rules (AI failed: Proposing failed unexpectedly")

    propose(workspace, clustered, proposer, ["c1"])
    assert statuses(workspace, clustered)["c1"] == "done"
    assert set(sources(workspace, clustered).values()) == {"scripted"}


def test_fatal_error_keeps_what_was_finished_and_rules_do_the_rest(workspace, clustered):
    proposer = ScriptedProposer()
    proposer.enqueue("c2", FatalProposalError("Gemini refused the key: check GEMINI_API_KEY."))
    with pytest.raises(
        WorkspaceError, match=r"refused the key.*1 cluster failed, 2 not sent, rules stand in"
    ):
        propose(workspace, clustered, proposer)
    assert list(statuses(workspace, clustered).values()) == ["done", "done", "failed", "not_sent", "not_sent"]
    labels = sources(workspace, clustered)
    assert (labels["c0"], labels["c1"]) == ("scripted", "scripted")
    assert {labels[name] for name in ("c2", "c3", "c4")} == {
        "Rules (AI failed: Gemini refused the key: check GEMINI_API_KEY)"
    }
    assert rest(workspace, clustered) == ("c3", "c4"), "a retry counts them"


def test_after_a_cancel_only_the_rest_is_asked_for(workspace, clustered):
    report, proposer = Report(), ScriptedProposer()

    def cancel(group):
        report.job.cancelled.set()
        time.sleep(0.3)
        return one_package(group)

    proposer.enqueue("c2", cancel)
    note = propose(workspace, clustered, proposer, report=report)
    assert "3 not sent" in note
    before = statuses(workspace, clustered)
    assert before == {"c0": "done", "c1": "done", "c2": "not_sent", "c3": "not_sent", "c4": "not_sent"}
    assert set(sources(workspace, clustered)) == {"c0", "c1"}, "rules do not stand in for a cancelled rest"
    packages = workspace.packages(clustered)

    propose(workspace, clustered, proposer, rest(workspace, clustered))
    assert statuses(workspace, clustered) == dict.fromkeys(CLUSTERS, "done")
    assert sorted(attempt.cluster_id for attempt in proposer.history) == ["c0", "c1", "c2", "c2", "c3", "c4"]
    assert workspace.packages(clustered)[:2] == packages


def test_cancelling_another_asking_leaves_the_answers_that_stand(workspace, clustered):
    propose(workspace, clustered, ScriptedProposer())
    before = workspace.outcomes(clustered), workspace.packages(clustered)
    report, release = Report(), threading.Event()
    proposer = ScriptedProposer(always=lambda _: report.job.cancelled.set() or release.wait(5))
    propose(workspace, clustered, proposer, report=report)
    release.set()
    assert (workspace.outcomes(clustered), workspace.packages(clustered)) == before
    assert rest(workspace, clustered) == ()


def test_cancelled_job_says_what_was_finished(workspace, clustered):
    registry, proposer = JobRegistry(workspace), ScriptedProposer()
    running = threading.Event()

    def answer_and_wait(group):
        running.set()
        time.sleep(0.1)
        return one_package(group)

    proposer.always = answer_and_wait
    registry.start(
        clustered,
        "Propose packages",
        lambda job: propose_packages(workspace, clustered, tuple(CLUSTERS), proposer, ONE_AT_A_TIME, job),
    )
    assert running.wait(5)
    registry.cancel(clustered)
    job = ended(registry, clustered)
    assert job.state == "cancelled"
    assert "not sent" in job.note
    assert sorted(statuses(workspace, clustered)) == sorted(CLUSTERS)


# --- what needs no call -----------------------------------------------------------------------


@pytest.mark.both_databases
def test_second_identical_run_makes_no_call(workspace, clustered):
    ask(workspace, clustered, Service())
    before = [(package.name, package.deal_ids) for package in workspace.packages(clustered)]
    again = Service()
    note = ask(workspace, clustered, again)
    assert again.prompts == []
    assert note == (
        "5 packages from 5 clusters, 5 of them by kept answers. No model was called, so nothing was spent."
    )
    assert [(package.name, package.deal_ids) for package in workspace.packages(clustered)] == before
    assert all(outcome.cached for outcome in workspace.outcomes(clustered).values())


def test_same_deals_in_another_run_need_no_call(workspace, clustered):
    ask(workspace, clustered, Service())
    other = workspace.create_run(parse_deals(list(reversed(RECORDS))), "again.json")
    workspace.save_clustering(other, clustering_of({"new": tuple(range(6))}))  # the cars
    again = Service()
    ask(workspace, other, again, ["new"])
    assert again.prompts == []
    assert set(workspace.packages(other)[0].deal_ids) == {f"cars-{n}" for n in range(6)}


@pytest.mark.parametrize(
    "other",
    [
        {"template": PromptTemplate("Other words: {enriched_deals}")},
        {"model": "other-model"},
        {"temperature": 0.1},
        {"fresh": True},
    ],
)
def test_another_question_or_a_wish_for_a_fresh_answer_makes_calls(workspace, clustered, other):
    ask(workspace, clustered, Service(), ["c0", "c1"])
    again = Service()
    ask(workspace, clustered, again, ["c0", "c1"], **other)
    assert len(again.prompts) == 2
    assert not workspace.outcomes(clustered)["c0"].cached
    assert len(workspace.answers(clustered, "c0")) == 2


def test_only_changed_and_failed_clusters_cost_a_call(workspace, clustered):
    wrong = UnusableAnswer("nothing usable", remedy="none")
    ask(workspace, clustered, Service({2: wrong}))
    groups = proposal_groups(workspace, clustered)
    assert [group.id for group in unanswered(workspace, groups, "fake-model", TEMPLATE)] == ["c1"]
    workspace.save_clustering(clustered, clustering_of(CLUSTERS | {"c4": tuple(range(24, 29))}))
    groups = proposal_groups(workspace, clustered)
    assert [group.id for group in unanswered(workspace, groups, "fake-model", TEMPLATE)] == ["c1", "c4"]
    again = Service()
    ask(workspace, clustered, again)
    assert [len(prompt.aliases) for prompt in again.prompts] == [6, 5]


def kill_before_saving(workspace, run_id, service, monkeypatch, cluster_ids=("c0",), limits=ONE_AT_A_TIME):
    """End a run as a kill does: replies are on disk, and no outcome is."""

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(workspace), "save_outcome", killed)
        with pytest.raises(KeyboardInterrupt):
            ask(workspace, run_id, service, cluster_ids, limits=limits)


def test_reply_that_nobody_read_is_used_without_a_call(workspace, clustered, monkeypatch):
    kill_before_saving(workspace, clustered, Service(), monkeypatch)
    assert workspace.outcomes(clustered) == {}
    assert workspace.unfinished(clustered) == ("c0",)
    again = Service()
    note = ask(workspace, clustered, again, ["c0"], fresh=True)
    assert again.prompts == []
    assert note.startswith("1 packages from 1 cluster. Used 1 call, 100 tokens read")
    outcome = workspace.outcomes(clustered)["c0"]
    assert (outcome.status, outcome.usage, outcome.attempts, outcome.cached) == (
        "done",
        Usage(100, 10),
        1,
        False,
    )
    assert [call.state for call in workspace.calls(clustered, "c0")] == ["done"]
    assert workspace.unfinished(clustered) == ()
    assert workspace.spent(clustered).calls == 1


@pytest.mark.parametrize("other", [{"template": PromptTemplate("Other: {enriched_deals}")}, {"model": "new"}])
def test_reply_to_another_question_is_not_used(workspace, clustered, monkeypatch, other):
    kill_before_saving(workspace, clustered, Service(), monkeypatch)
    again = Service()
    ask(workspace, clustered, again, ["c0"], **other)
    assert len(again.prompts) == 1
    assert [call.state for call in workspace.calls(clustered, "c0")] == ["failed", "done"]


def test_saved_reply_that_is_unusable_is_asked_for_again(workspace, clustered, monkeypatch):
    kill_before_saving(workspace, clustered, Service(), monkeypatch)
    with workspace._writing.begin() as connection:
        connection.exec_driver_sql("UPDATE attempts SET raw = '{\"packages\": ['")
    again = Service()
    ask(workspace, clustered, again, ["c0"])
    assert len(again.prompts) == 1
    assert [call.state for call in workspace.calls(clustered, "c0")] == ["failed", "done"]
    assert statuses(workspace, clustered) == {"c0": "done"}


def test_half_of_a_cluster_that_was_answered_is_not_asked_about_again(workspace, clustered, monkeypatch):
    cut = UnusableAnswer("cut", remedy="smaller")
    limits = Limits(workers=1, content_attempts=1, call_timeout_s=5)

    def killed():
        raise KeyboardInterrupt

    service = Service({1: cut, 3: killed})
    with pytest.raises(KeyboardInterrupt):
        ask(workspace, clustered, service, ["c0"], limits=limits)
    assert [call.state for call in workspace.calls(clustered, "c0")][:2] == ["failed", "answered"]
    first_half = set(service.prompts[1].aliases.values())

    again = Service({1: cut})
    limits = replace(limits, call_timeout_s=5)
    monkeypatch.setattr("core.work.proposal_runs._LATE_S", 0.0)
    release_leases(workspace)
    ask(workspace, clustered, again, ["c0"], limits=limits)
    asked = [set(prompt.aliases.values()) for prompt in again.prompts]
    assert [len(ids) for ids in asked] == [6, 3]
    assert asked[1].isdisjoint(first_half)
    packaged = [deal_id for item in workspace.packages(clustered) for deal_id in item.deal_ids]
    assert sorted(packaged) == sorted(f"sports-{n}" for n in range(6))


def release_leases(workspace):
    """Let the time pass after which nobody waits for calls of a killed program."""
    with workspace._writing.begin() as connection:
        connection.exec_driver_sql("UPDATE attempts SET lease_until_s = 0")


@pytest.mark.both_databases
def test_call_that_is_still_under_way_is_waited_for_and_its_reply_used(workspace, clustered):
    release, report = threading.Event(), Report()

    def late():
        report.job.cancelled.set()
        release.wait(5)
        return ""

    ask(workspace, clustered, Service({1: late}), ["c0"], report=report)
    assert statuses(workspace, clustered) == {"c0": "not_sent"}
    again = Service()
    threading.Timer(0.3, release.set).start()
    ask(workspace, clustered, again, ["c0", "c1"])
    assert len(again.prompts) == 1, "only c1: c0's answer was on its way"
    assert statuses(workspace, clustered) == {"c0": "done", "c1": "done"}
    assert workspace.spent(clustered).calls == 2


def test_waiting_for_a_late_reply_can_be_cancelled(workspace, clustered):
    release, report = threading.Event(), Report()
    before = set(threading.enumerate())

    def late():
        report.job.cancelled.set()
        release.wait(10)
        return ""

    ask(workspace, clustered, Service({1: late}), ["c0"], report=report)
    other = Report()
    threading.Timer(0.2, other.job.cancelled.set).start()
    again = Service()
    ask(workspace, clustered, again, ["c0"], report=other)
    release.set()
    for thread in set(threading.enumerate()) - before:  # the reply is saved before the workspace is closed
        thread.join(10)
    assert again.prompts == []
    assert statuses(workspace, clustered) == {"c0": "not_sent"}


# --- names ------------------------------------------------------------------------------------


def halves(group):
    ids = [deal.deal_id for deal in group.deals]
    return Answer(tuple(Proposal("Same Package", tuple(part), "x") for part in (ids[:3], ids[3:])), ())


def test_packages_get_names_of_their_own(workspace, clustered):
    propose(workspace, clustered, ScriptedProposer(always=halves), ["c0"])
    assert [package.name for package in workspace.packages(clustered)] == [
        "Same Package (GB)",
        "Same Package (US)",
    ]
    assert workspace.outcomes(clustered)["c0"].proposals[0].name == "Same Package"


def test_names_an_analyst_settled_stay_and_suggestions_give_way(workspace, clustered):
    propose(workspace, clustered, ScriptedProposer(), ["c0", "c1"])
    first, second = workspace.packages(clustered)
    workspace.edit_packages(clustered, {first.id: 1}, [Rename("Same Package")])
    workspace.edit_packages(clustered, {second.id: 1}, [Approve()])
    propose(workspace, clustered, ScriptedProposer(always=halves), ["c2"])
    names = [package.name for package in workspace.packages(clustered)]
    assert names == ["Same Package", "c1 Package", "Same Package (Travel, GB)", "Same Package (Travel, US)"]
    propose(workspace, clustered, ScriptedProposer(), ["c3"])
    assert [package.name for package in workspace.packages(clustered)][:4] == names
    assert make_names_unique(workspace, clustered) == 0


def test_new_name_keeps_place_and_is_checked_against_the_deals(workspace, clustered):
    propose(workspace, clustered, ScriptedProposer(always=halves), ["c0"])
    packages = workspace.packages(clustered)
    assert [package.deal_ids[0] for package in packages] == ["sports-0", "sports-3"]
    assert {package.version for package in packages} == {1}
    assert not any(package.contradicted for package in packages)


# --- limits and writes that fail --------------------------------------------------------------


def test_quota_refusals_are_recorded_and_do_not_lose_the_cluster(workspace, clustered):
    service = Service({1: QuotaReached("slow down", retry_after_s=0.01)})
    ask(workspace, clustered, service, ["c0"], limits=Limits(workers=1, call_timeout_s=5))
    assert [call.state for call in workspace.calls(clustered, "c0")] == ["failed", "done"]


class FailingWrites:
    """Lets the n-th row that a workspace writes fail, once. written: rows written since."""

    # Without "runs": that row is written in the transactions of events, and only once in a second.
    TABLES = ("askings", "attempts", "outcomes", "packages", "kept_answers", "events", "templates")

    def __init__(self, workspace):
        self.written = self.failing = 0
        workspace.close()  # connections from now on know the function
        event.listen(workspace._engine, "connect", self._connect)
        file = sqlite3.connect(str(make_url(str(workspace._engine.url)).database))
        for table, when in itertools.product(self.TABLES, ("INSERT", "UPDATE", "DELETE")):
            file.execute(
                f"CREATE TRIGGER {table}_{when} BEFORE {when} ON {table} BEGIN "
                "SELECT CASE WHEN write_fails() THEN RAISE(ABORT, 'disk I/O error') END; END"
            )
        file.close()

    def _connect(self, connection, _):
        connection.create_function("write_fails", 0, self._fails)
        connection.execute("PRAGMA synchronous=OFF")  # dozens of runs, and no power cut

    def _fails(self):
        self.written += 1
        return self.written == self.failing

    def at(self, number):
        self.written, self.failing = 0, number


def received_by(workspace, run_id, cluster_ids):
    """Return the clusters whose answer is kept."""
    return {name for name in cluster_ids for call in workspace.calls(run_id, name) if call.raw}


@on_sqlite
def test_whichever_write_fails_is_said_and_nothing_is_lost_or_doubled(workspace, clustered):
    cluster_ids = ("c0", "c1")
    # One worker, so that the n-th write is the same one in every run.
    one = Limits(workers=1, call_timeout_s=5)
    writes = FailingWrites(workspace)
    ask(workspace, clustered, Service(), cluster_ids, limits=one)
    total = writes.written
    # Asking and template; call, reply, outcome, package, its event, call, kept answer, event; and for another
    # name the package before, the one in its place, and an event of each.
    assert total == 2 + 2 * 8 + 2 * 4
    for number in range(1, total + 1):
        run_id = workspace.create_run(parse_deals(RECORDS[:12]), "deals.json")
        workspace.save_clustering(run_id, clustering_of({name: CLUSTERS[name] for name in cluster_ids}))
        service, template = Service(), PromptTemplate(f"Run {number}: {{enriched_deals}}")
        writes.at(number)
        before = set(threading.enumerate())
        with pytest.raises(WorkspaceError, match=r"could not be saved, nothing was changed .*disk I/O error"):
            ask(workspace, run_id, service, cluster_ids, template=template, limits=one)
        done = {name for name, status in statuses(workspace, run_id).items() if status == "done"}
        assert set(sources(workspace, run_id)) == done, "an answer and its packages stand together"
        for thread in set(threading.enumerate()) - before:  # a call that was given up still notes its answer
            thread.join()
        received, paid = received_by(workspace, run_id, cluster_ids), len(service.prompts)

        release_leases(workspace)
        wanted = set(rest(workspace, run_id))
        assert wanted == set(cluster_ids) - done
        ask(workspace, run_id, service, wanted, template=template, limits=one)
        assert statuses(workspace, run_id).items() >= dict.fromkeys(cluster_ids, "done").items()
        assert len(service.prompts) - paid == len(wanted - received), "no received answer is asked again"
        assert len(service.prompts) <= len(cluster_ids) + 1
        assert len({item.name for item in workspace.packages(run_id)}) == len(cluster_ids)
        packaged = sorted(id_ for item in workspace.packages(run_id) for id_ in item.deal_ids)
        assert packaged == sorted(f"{topic}-{n}" for topic in TOPICS[:2] for n in range(6))
        workspace.delete_run(run_id)
