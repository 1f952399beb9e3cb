"""Answers: which outcome of a cluster counts, what can come back, and calls kept as they came."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from core.errors import PromptError, ProposalError, WorkspaceError
from core.packages import Reject, Rename
from core.proposals import Answer, Outcome, PromptTemplate, Proposal, Reply, Unpackaged, Usage
from core.reading.reading import parse_deals
from core.storage.calls import CallId
from tests.workspaces import IDS, RECORDS, clustering_of, done

A, B = IDS[:3], IDS[3:]
FAILED = Outcome("a", A, "failed", "gemini-2.5-flash", error="In trouble.", attempts=3, raw="<html>")
UNSENT = replace(FAILED, status="not_sent", error="Not sent: the run was cancelled.", attempts=0, raw="")
LABEL = "Rules (AI failed: In trouble)"


def by_rules(outcome, name="By rules"):
    """Return an outcome that the rules stand in for."""
    proposal = Proposal(name, A[:2], "Counted.")
    left = (Unpackaged(A[2], "Alone."),)
    return replace(outcome, proposals=(proposal,), unpackaged=left, stand_in=LABEL)


def names(workspace, run_id):
    return [(package.name, package.source) for package in workspace.packages(run_id)]


# --- which outcome counts ---------------------------------------------------------------------


@pytest.mark.parametrize("first", [done("a", A, "One"), FAILED, by_rules(FAILED)])
def test_not_sent_hides_neither_an_answer_nor_a_failure(workspace, run_id, first):
    workspace.save_outcome(run_id, first)
    before = workspace.outcomes(run_id), workspace.packages(run_id)
    workspace.save_outcome(run_id, UNSENT)
    workspace.save_outcome(run_id, by_rules(UNSENT))
    if first.proposals:
        assert (workspace.outcomes(run_id), workspace.packages(run_id)) == before
    assert workspace.outcomes(run_id)["a"].status == first.status


@pytest.mark.parametrize("again", [FAILED, by_rules(FAILED)])
def test_failure_keeps_the_answer_below_it(workspace, run_id, again):
    answer = done("a", A, "One")
    workspace.save_outcome(run_id, answer)
    packages = workspace.packages(run_id)
    workspace.save_outcome(run_id, replace(again, deal_ids=(*A, "006")))
    assert workspace.packages(run_id) == packages
    counts = workspace.outcomes(run_id)["a"]
    assert (counts.status, counts.error, counts.attempts) == ("failed", "In trouble.", 3)
    assert (counts.deal_ids, counts.proposals, counts.unpackaged) == (A, answer.proposals, answer.unpackaged)
    assert counts.proposal_source == "gemini-2.5-flash"
    workspace.save_outcome(run_id, done("a", A, "Two"))
    assert workspace.outcomes(run_id)["a"] == done("a", A, "Two")
    assert names(workspace, run_id) == [("Two", "gemini-2.5-flash")]


@pytest.mark.parametrize("asked", [FAILED, UNSENT])
def test_rules_stand_in_once_under_their_label_and_the_status_stays(workspace, run_id, asked):
    workspace.save_outcome(run_id, by_rules(asked))
    assert workspace.outcomes(run_id)["a"] == by_rules(asked)
    assert names(workspace, run_id) == [("By rules", LABEL)]
    workspace.save_outcome(run_id, by_rules(FAILED, "Again"))
    assert names(workspace, run_id) == [("By rules", LABEL)], "no second set beside the first"
    counts = workspace.outcomes(run_id)["a"]
    assert (counts.status, counts.proposals, counts.stand_in) == (
        "failed",
        by_rules(asked).proposals,
        LABEL,
    )


def test_packages_of_the_rules_do_not_come_back_after_they_were_rejected(workspace, run_id):
    workspace.save_outcome(run_id, by_rules(FAILED))
    (package,) = workspace.packages(run_id)
    workspace.edit_packages(run_id, {package.id: 1}, [Reject()])
    workspace.save_outcome(run_id, by_rules(FAILED))
    assert [item.status for item in workspace.packages(run_id)] == ["rejected"]


def test_answer_takes_the_place_of_what_the_rules_made(workspace, run_id):
    workspace.save_outcome(run_id, by_rules(FAILED))
    workspace.save_outcome(run_id, done("a", A, "One"))
    assert names(workspace, run_id) == [("One", "gemini-2.5-flash")]
    assert workspace.outcomes(run_id)["a"].status == "done"


# --- answers that come back -------------------------------------------------------------------


def test_earlier_answer_can_count_again(workspace, run_id):
    workspace.save_outcome(run_id, done("a", A, "First", "Kept"))
    kept = workspace.packages(run_id)[1]
    workspace.edit_packages(run_id, {kept.id: 1}, [Rename("Mine")])
    workspace.save_outcome(run_id, done("a", A, "Second"))
    workspace.save_outcome(run_id, FAILED)
    second, first = workspace.answers(run_id, "a")
    assert [item.outcome.proposals[0].name for item in (second, first)] == ["Second", "First"]
    workspace.keep_answer(run_id, first.id, who="Ada")
    assert workspace.outcomes(run_id)["a"] == done("a", A, "First", "Kept")
    assert [name for name, _ in names(workspace, run_id)] == ["Mine", "First", "Kept"]
    event = workspace.events(run_id)[-1]
    assert (event["who"], event["what"][:19]) == ("Ada", "Take the answer of ")


def test_answer_about_what_is_gone_cannot_count_again(workspace, run_id):
    workspace.save_outcome(run_id, done("a", A, "First"))
    (first,) = workspace.answers(run_id, "a")
    workspace.save_clustering(run_id, clustering_of({"c": (0, 1, 2)}))
    with pytest.raises(WorkspaceError, match="not there any more: ask for it again"):
        workspace.keep_answer(run_id, first.id)
    other = workspace.create_run(parse_deals(RECORDS), "other.csv")
    for run, answer_id in ((other, first.id), (run_id, 99)):
        with pytest.raises(WorkspaceError, match="not kept any more"):
            workspace.keep_answer(run, answer_id)


@pytest.mark.both_databases
def test_kept_answers_go_with_the_run_that_paid_for_them(workspace, run_id):
    outcome = done("a", A, "One")
    workspace.save_outcome(run_id, outcome, question="q" * 64)
    workspace.save_outcome(run_id, FAILED, question="f" * 64)
    kept = workspace.kept_answer("q" * 64)
    assert kept == Answer(
        outcome.proposals, outcome.unpackaged, outcome.issues, model=outcome.model, requested_model=None
    )
    assert workspace.kept_questions(["q" * 64, "f" * 64, "other"]) == {"q" * 64}
    workspace.delete_run(run_id)
    assert workspace.kept_answer("q" * 64) is None


# --- templates --------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_templates_are_kept_as_versions_newest_first(workspace, run_id):
    one = workspace.save_template("One {enriched_deals}")
    two = workspace.save_template("Two {enriched_deals}")
    workspace.begin_asking(run_id, "gemini-2.5-flash", PromptTemplate("Three {enriched_deals}"))
    assert [item.text[:3] for item in workspace.templates()] == ["Thr", "Two", "One"]
    assert workspace.save_template("One {enriched_deals}").id == one.id
    assert [item.id for item in workspace.templates()][::2] == [one.id, two.id]
    workspace.begin_asking(run_id, "gemini-2.5-flash", PromptTemplate("Two {enriched_deals}"))
    assert len(workspace.templates()) == 3
    with pytest.raises(PromptError, match="lacks the placeholder"):
        workspace.save_template("None")
    assert len(workspace.templates()) == 3


# --- calls ------------------------------------------------------------------------------------

REPLY = Reply("{}", "STOP", "gemini-2.5-flash", "gemini-3.5-flash-lite", Usage(1000, 500), 1.5, "f00d")


@pytest.fixture
def call(workspace, run_id):
    """The first call about cluster "a", under way."""
    number = workspace.begin_asking(run_id, "gemini-2.5-flash", PromptTemplate())
    call = CallId(run_id, "a", number, 1)
    workspace.note_call(call, lease_s=60)
    return call


def states(workspace, run_id, cluster_id="a"):
    return [record.state for record in workspace.calls(run_id, cluster_id)]


def test_reply_is_kept_as_it_came_with_what_was_asked(workspace, run_id, call):
    workspace.note_reply(call, REPLY, "question")
    (record,) = workspace.calls(run_id, "a")
    assert (record.state, record.raw, record.finish_reason, record.error) == ("answered", "{}", "STOP", None)
    assert (record.requested_model, record.answered_model) == ("gemini-2.5-flash", "gemini-3.5-flash-lite")
    assert (record.usage, record.latency_s, record.prompt_hash) == (Usage(1000, 500), 1.5, "f00d")
    assert (record.asking, record.attempt) == (call.asking, 1)
    assert record.template_id == workspace.templates()[0].id
    assert workspace.unread_reply(run_id, "a", "question").reply == REPLY
    assert workspace.unread_reply(run_id, "a", "another") is None
    assert workspace.unread_reply(run_id, "b", "question") is None


@pytest.mark.both_databases
def test_no_call_is_recorded_twice(workspace, call):
    with pytest.raises(WorkspaceError, match=r"(?i)unique") as caught:
        workspace.note_call(call, lease_s=60)
    assert isinstance(caught.value.__cause__, IntegrityError)


def test_failed_call_is_never_done_and_its_late_reply_counts_for_tokens_only(workspace, run_id, call):
    workspace.note_failure(call, ProposalError("No answer in time."))
    workspace.note_reply(call, REPLY, "question")
    (record,) = workspace.calls(run_id, "a")
    assert (record.state, record.error, record.usage) == ("failed", "No answer in time.", Usage(1000, 500))
    assert workspace.unread_reply(run_id, "a", "question") is None
    workspace.save_outcome(run_id, done("a", A, "One"), asking=call.asking)
    assert states(workspace, run_id) == ["failed"]


def test_accepted_answer_closes_the_calls_about_its_cluster(workspace, run_id, call):
    workspace.note_reply(call, REPLY, "question")
    newer = replace(call, asking=workspace.begin_asking(run_id, "gemini-2.5-flash", PromptTemplate()))
    workspace.note_call(newer, lease_s=60)
    workspace.note_reply(newer, REPLY, "other words")
    elsewhere = replace(newer, cluster_id="b")
    workspace.note_call(elsewhere, lease_s=60)
    assert workspace.unfinished(run_id) == ("a", "b")
    workspace.save_outcome(run_id, done("a", A, "One"), asking=newer.asking)
    assert states(workspace, run_id) == ["failed", "done"]
    assert states(workspace, run_id, "b") == ["running"]
    assert workspace.unfinished(run_id) == ("b",)


@pytest.mark.parametrize("outcome", [FAILED, UNSENT])
def test_reply_that_was_not_used_waits_for_the_next_asking(workspace, run_id, call, outcome):
    workspace.note_reply(call, REPLY, "question")
    workspace.save_outcome(run_id, outcome, asking=call.asking)
    assert workspace.unread_reply(run_id, "a", "question").reply == REPLY
    assert workspace.unfinished(run_id) == (("a",) if outcome is UNSENT else ())


def test_taken_over_reply_stands_in_place_of_the_call_it_spares(workspace, run_id, call):
    workspace.note_reply(call, REPLY, "question")
    newer = replace(call, asking=workspace.begin_asking(run_id, "gemini-2.5-flash", None))
    workspace.note_call(newer, lease_s=60)
    workspace.take_over(workspace.unread_reply(run_id, "a", "question"), newer)
    (record,) = workspace.calls(run_id, "a")
    assert (record.asking, record.attempt, record.raw) == (newer.asking, 1, "{}")


def test_raw_text_stands_with_its_call_and_not_in_the_outcome(workspace, run_id, call):
    workspace.note_reply(call, REPLY, "question")
    workspace.save_outcome(run_id, replace(FAILED, raw="{}"), asking=call.asking)
    assert workspace.outcomes(run_id)["a"] == replace(FAILED, raw="")
    workspace.save_outcome(run_id, replace(FAILED, cluster_id="b"))
    assert workspace.outcomes(run_id)["b"].raw == "<html>", "no call holds it"


@pytest.mark.both_databases
def test_leases_end_and_hold_only_for_other_askings(workspace, run_id, call):
    assert set(workspace.leases(run_id, call.asking + 1)) == {"a"}
    assert workspace.leases(run_id, call.asking) == {}
    workspace.note_call(replace(call, cluster_id="b"), lease_s=-1)
    assert set(workspace.leases(run_id, call.asking + 1)) == {"a"}
    workspace.note_reply(call, REPLY, None)
    assert workspace.leases(run_id, call.asking + 1) == {}


@pytest.mark.both_databases
def test_what_calls_took_is_counted_over_all_of_them_or_one_asking(workspace, run_id, call):
    workspace.note_reply(call, REPLY, None)
    workspace.note_failure(call, ProposalError("Unusable."))
    workspace.note_call(replace(call, attempt=2), lease_s=60)
    workspace.note_reply(replace(call, attempt=2), replace(REPLY, usage=Usage()), None)
    newer = CallId(run_id, "b", workspace.begin_asking(run_id, "unknown-model", None), 1)
    workspace.note_call(newer, lease_s=60)
    spent = workspace.spent(run_id, call.asking)
    assert (spent.calls, spent.input_tokens, spent.output_tokens) == (2, 1000, 500)
    assert spent.usd == pytest.approx(1000 * 0.30e-6 + 500 * 2.50e-6)
    assert workspace.spent(run_id).calls == 3
    assert workspace.spent(run_id, newer.asking).usd is None


def test_calls_go_with_their_run(workspace, run_id, call):
    workspace.delete_run(call.run_id)
    assert workspace.calls(run_id, "a") == ()


def test_answers_of_one_run_are_not_those_of_another(workspace, run_id, call):
    workspace.note_reply(call, REPLY, "question")
    workspace.save_outcome(run_id, done("a", A, "One"))
    other = workspace.create_run(parse_deals(RECORDS), "other.csv")
    assert workspace.outcomes(other) == {}
    assert (workspace.answers(other, "a"), workspace.calls(other, "a")) == ((), ())
    assert (workspace.unfinished(other), workspace.spent(other).calls) == ((), 0)
