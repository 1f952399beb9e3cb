"""The real Gemini client against the fake service: every fault, and what leaves this machine."""

import inspect
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from core.errors import (
    FatalProposalError,
    ProposalError,
    QuotaReached,
    RequestRefused,
    RetryableError,
    TooLong,
    UnusableAnswer,
)
from core.proposals import (
    AskContext,
    DealGroup,
    GeminiProposer,
    Limits,
    PromptTemplate,
    ProposalRun,
    run_proposals,
)
from core.proposals import Reply as ModelReply
from core.proposals.gemini import NO_CANDIDATES
from core.proposals.prompt import ANSWER_SCHEMA
from core.proposals.proposal import Effort
from core.settings import GEMINI_BASE_URL, GEMINI_MODEL, GEMINI_SUCCESSOR, NAME_LIMIT
from tests.fakes.faults import FAULTS, Fault, Reply
from tests.fakes.gemini import FakeGemini, default_answer
from tests.fakes.proposers import group_of

KEY = "key-canary-7f3a"
GROUPS = [group_of("Sports"), group_of("News"), group_of("Travel")]
SLOW = {"hang", "drip"}

STOPS = {"daily_quota", "bad_key", "401", "403", "leaked_key", "key_echoed", "404_model"}
"""Faults after which no cluster can succeed."""
REFUSED = {"blocked_prompt", "no_candidates", "safety_stop", "recitation_stop", "unknown_stop"}
"""Refusals that would come again, so the cluster is asked about once."""
TO_CHANGE = {"schema_400", "context_overflow", "max_tokens_cut", "max_tokens_empty"}
"""Faults that would come again for the same question; another form or half the deals may do."""
UNUSABLE = {
    *("cut_json", "trailing_comma", "single_quotes", "empty_list", "empty_packages", "null", "scalar"),
    *("number", "nesting_bomb", "too_few_ids"),
}
"""Faults in the answer itself: asked twice."""
TRANSPORT = {
    *("429_with_delay", "429", "500", "502", "503", "504", "408", "reset_before_body", "closed_before_body"),
    *("reset_mid_body", "closed_mid_body", "hang", "drip", "html", "redirect", "foreign_json", "cut_body"),
    *("empty_body", "usage_garbled"),
}
"""Faults that may pass: asked as often as the limits allow."""
HARMLESS = set(FAULTS) - STOPS - REFUSED - TO_CHANGE - UNUSABLE - TRANSPORT
"""Faults that leave a usable answer."""


def cases(names: set[str]) -> list[Any]:
    """Return the faults as test cases, in the order of the fault table."""
    # The client warns of a finish reason it does not know; with warnings as errors that would hide
    # what happens in production, where the warning is only printed.
    known = pytest.mark.filterwarnings("ignore:BRAND_NEW is not a valid FinishReason:UserWarning")
    return [pytest.param(n, marks=[known] if n == "unknown_stop" else []) for n in FAULTS if n in names]


@pytest.fixture
def server() -> Iterator[FakeGemini]:
    with FakeGemini(api_key=KEY) as running:
        yield running


def proposer_for(server: FakeGemini, **options: Any) -> GeminiProposer:
    return GeminiProposer(
        options.pop("key", KEY), PromptTemplate(), base_url=server.url, **{"timeout_s": 5.0} | options
    )


@pytest.fixture(scope="module")
def good_run() -> ProposalRun:
    """What the three clusters give when nothing fails; also pays for the slow import, once."""
    with FakeGemini() as server:
        return run_proposals(GROUPS, proposer_for(server), Limits(workers=3))


def assert_nothing_lost_or_believed(run: ProposalRun) -> None:
    assert [outcome.cluster_id for outcome in run.outcomes] == [group.id for group in GROUPS]
    for outcome, group in zip(run.outcomes, GROUPS, strict=True):
        ids = {deal.deal_id for deal in group.deals}
        assert set(outcome.deal_ids) == ids
        packaged = {deal_id for p in outcome.proposals for deal_id in p.deal_ids}
        left = {u.deal_id for u in outcome.unpackaged}
        assert all(len(set(p.deal_ids)) == len(p.deal_ids) >= 3 for p in outcome.proposals)
        assert packaged <= ids
        if outcome.status == "done":
            assert outcome.proposals
            assert packaged.isdisjoint(left)
            assert packaged | left == ids
            assert all(u.reason for u in outcome.unpackaged)
        else:
            assert (outcome.proposals, outcome.unpackaged) == ((), ())
            assert outcome.error


@pytest.fixture(scope="module")
def standing() -> Iterator[tuple[FakeGemini, GeminiProposer]]:
    """A server and a proposer for the long table of faults; building a client takes 0.1 s."""
    with FakeGemini(api_key=KEY) as server:
        yield server, proposer_for(server)


@pytest.fixture
def run_with(standing: tuple[FakeGemini, GeminiProposer]) -> Callable[..., ProposalRun]:
    """Run the three clusters one after another; the fault always meets the second."""
    server, proposer = standing

    def run(fault: str | Fault, attempts: int = 1) -> ProposalRun:
        server.heal()
        server.fail(fault, containing="News")
        limits = Limits(attempts=attempts, call_timeout_s=0.3 if fault in SLOW else 5.0)
        # A proposer whose model is gone stays with the successor.
        return run_proposals(GROUPS, proposer_for(server) if fault == "404_model" else proposer, limits)

    return run


# --- every fault ------------------------------------------------------------------------------


def test_every_fault_has_its_expected_end() -> None:
    kinds = (STOPS, REFUSED, TO_CHANGE, UNUSABLE, TRANSPORT)
    assert set().union(*kinds) <= set(FAULTS)
    assert sum(map(len, kinds)) == len(set().union(*kinds))


@pytest.mark.parametrize("fault", cases(set(FAULTS)))
def test_fault_in_one_cluster_loses_nothing(
    run_with: Callable[..., ProposalRun],
    good_run: ProposalRun,
    caplog: pytest.LogCaptureFixture,
    fault: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    run = run_with(fault)
    assert_nothing_lost_or_believed(run)
    before, hit, after = run.outcomes
    assert before == good_run.outcomes[0]
    assert hit.status == ("done" if fault in HARMLESS else "failed")
    if fault in STOPS:
        assert after.status == "not_sent"
        assert run.stopped == hit.error
    else:
        assert after == good_run.outcomes[2]
        assert run.stopped is None
    assert KEY not in repr(run)
    assert KEY not in caplog.text
    assert "unexpectedly" not in (hit.error or "")
    assert len(hit.issues) <= 21
    assert all(line.isprintable() for line in (hit.error or "", *hit.issues))
    for proposal in hit.proposals:
        assert 0 < len(proposal.name) <= NAME_LIMIT
        assert 0 < len(proposal.reasoning) <= 2_000
        assert (proposal.name + proposal.reasoning).isprintable()
    for count in (hit.usage.input_tokens, hit.usage.output_tokens):
        assert count is None or 0 <= count < 10_000_000


@pytest.mark.parametrize("fault", cases(REFUSED | UNUSABLE))
def test_fault_of_the_answer_is_asked_about_as_often_as_it_makes_sense(
    standing: tuple[FakeGemini, GeminiProposer], run_with: Callable[..., ProposalRun], fault: str
) -> None:
    before = len(standing[0].calls)
    run = run_with(fault, attempts=3)
    attempts = 1 if fault in REFUSED else 2
    assert run.outcomes[1].attempts == attempts
    assert sum(call.fault == fault for call in standing[0].calls[before:]) == attempts


@pytest.mark.parametrize("fault", ["429_with_delay", "cut_json", "null"])
def test_fault_that_strikes_once_costs_nothing_but_a_call(
    server: FakeGemini, good_run: ProposalRun, fault: str
) -> None:
    server.fail(fault, first_per_prompt=True)
    run = run_proposals(GROUPS, proposer_for(server), Limits(workers=3))
    assert [o.attempts for o in run.outcomes] == [2, 2, 2]
    assert [o.proposals for o in run.outcomes] == [o.proposals for o in good_run.outcomes]


def test_fault_that_stays_is_asked_about_three_times(server: FakeGemini) -> None:
    server.fail("429_with_delay", containing="News")
    run = run_proposals(GROUPS, proposer_for(server), Limits())
    assert [(o.status, o.attempts) for o in run.outcomes] == [("done", 1), ("failed", 3), ("done", 1)]
    assert len(server.calls) == 5


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"null"),
        (200, b"[]"),
        (200, b"42"),
        (200, b'"text"'),
        (200, b"\xff\xfe"),
        (200, b'{"candidates": 5}'),
        (200, b'{"candidates": [null]}'),
        (204, b""),
        (500, b"[]"),
        (500, b'{"error": "text"}'),
        (400, b"<html>"),
        (429, b""),
        (418, b"\xff\xfe"),
    ],
)
def test_reply_of_any_shape_is_a_failure_with_a_clear_message(
    run_with: Callable[..., ProposalRun], good_run: ProposalRun, status: int, body: bytes
) -> None:
    fault = Fault("odd", 10, "an odd reply", lambda _: Reply(status=status, body=body))
    run = run_with(fault)
    assert_nothing_lost_or_believed(run)
    assert [o.status for o in run.outcomes] == ["done", "failed", "done"]
    assert (run.outcomes[1].error or "").startswith("Gemini")
    assert run.outcomes[2] == good_run.outcomes[2]


# --- stopping and waiting ---------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["bad_key", "leaked_key", "daily_quota"])
def test_fatal_fault_costs_at_most_one_call_per_worker(server: FakeGemini, fault: str) -> None:
    server.fail(fault, always=True)
    groups = [group_of(f"Topic{n}", 4) for n in range(30)]
    run = run_proposals(groups, proposer_for(server), Limits(workers=4))
    assert len(server.calls) <= 4
    assert run.stopped
    assert {o.status for o in run.outcomes} <= {"failed", "not_sent"}
    assert all(run.stopped in (o.error or "") for o in run.outcomes)


@pytest.mark.usefixtures("good_run")
def test_eight_workers_ask_eight_at_once() -> None:
    groups = [group_of(f"Topic{n}", 4) for n in range(16)]
    with FakeGemini(latency_s=0.3) as server:
        run = run_proposals(groups, proposer_for(server), Limits(workers=8))
        assert server.peak_concurrency == 8
    assert {o.status for o in run.outcomes} == {"done"}


@pytest.mark.usefixtures("good_run")
def test_rate_limit_is_met_with_few_wasted_calls() -> None:
    groups = [group_of(f"Topic{n}", 4) for n in range(12)]
    with FakeGemini(limit=(4, 0.25)) as server:
        run = run_proposals(groups, proposer_for(server), Limits(workers=4, attempts=4))
        assert {o.status for o in run.outcomes} == {"done"}
        assert len(server.calls) <= 12 + 4 * 3


@pytest.mark.usefixtures("good_run")
@pytest.mark.parametrize("fault", sorted(SLOW))
def test_answer_without_end_is_bounded_by_the_wall_clock(server: FakeGemini, fault: str) -> None:
    proposer = proposer_for(server)
    proposer.propose(GROUPS[0])  # building the client takes long on a busy machine
    server.fail(fault, containing="News")
    started = time.monotonic()
    # The socket timeout is longer on purpose: a dripping body never lets it fire.
    run = run_proposals(GROUPS, proposer, Limits(workers=3, attempts=1, call_timeout_s=0.5))
    assert time.monotonic() - started < 2
    assert [o.status for o in run.outcomes] == ["done", "failed", "done"]
    assert "within 0.5 s" in (run.outcomes[1].error or "")


# --- models -----------------------------------------------------------------------------------


def test_successor_is_asked_once_the_model_is_gone(server: FakeGemini) -> None:
    server.fail("404_model", model=GEMINI_MODEL)
    run = run_proposals(GROUPS, proposer_for(server), Limits())
    assert [call.model for call in server.calls] == [GEMINI_MODEL, *[GEMINI_SUCCESSOR] * 3]
    for outcome in run.outcomes:
        assert (outcome.status, outcome.model, outcome.source) == ("done", GEMINI_SUCCESSOR, GEMINI_MODEL)
        assert outcome.issues == (f"{GEMINI_SUCCESSOR} answered in place of {GEMINI_MODEL}.",)


def test_successor_that_goes_too_is_fatal_and_not_asked_twice(server: FakeGemini) -> None:
    proposer = proposer_for(server)
    server.fail("404_model", model=GEMINI_MODEL)
    proposer.propose(GROUPS[0])
    server.fail("404_model", model=GEMINI_SUCCESSOR)
    with pytest.raises(FatalProposalError, match=f"does not know the model '{GEMINI_SUCCESSOR}'"):
        proposer.propose(GROUPS[1])
    assert len(server.calls) == 3


@pytest.mark.parametrize("successor", [None, "gemini-x"])
def test_model_that_is_gone_without_successor_stops_the_run(
    server: FakeGemini, successor: str | None
) -> None:
    server.fail("404_model", always=True)
    proposer = proposer_for(server, model="gemini-x", successor=successor)
    with pytest.raises(FatalProposalError, match=r"'gemini-x'.*Settings"):
        proposer.propose(GROUPS[0])
    assert len(server.calls) == 1


def test_another_model_that_answers_is_named(server: FakeGemini) -> None:
    server.fail("other_model", always=True)
    answer = proposer_for(server).propose(GROUPS[0])
    assert answer.model == "gemini-2.5-flash-lite"
    assert answer.issues == ("gemini-2.5-flash-lite answered in place of gemini-2.5-flash.",)


def test_text_in_blocks_is_read(server: FakeGemini, good_run: ProposalRun) -> None:
    server.fail("block_list_content", always=True)
    assert proposer_for(server).propose(GROUPS[0]).proposals == good_run.outcomes[0].proposals


def test_tokens_are_counted(server: FakeGemini) -> None:
    usage = proposer_for(server).propose(GROUPS[0]).usage
    assert usage.input_tokens is not None
    assert usage.output_tokens is not None
    assert usage.input_tokens > usage.output_tokens > 0


def test_reply_is_noted_as_it_came_and_its_answer_says_who_and_how_long(server: FakeGemini) -> None:
    noted: list[ModelReply] = []
    answer = proposer_for(server).propose(GROUPS[0], AskContext(note=noted.append))
    proposer_for(server).propose(GROUPS[0], AskContext(note=noted.append))
    proposer_for(server).propose(GROUPS[1], AskContext(note=noted.append))
    reply, same, other = noted
    assert (reply.text, reply.usage, reply.finish_reason) == (answer.raw, answer.usage, "STOP")
    assert (answer.requested_model, answer.model) == (reply.requested_model, reply.answered_model)
    assert answer.latency_s == reply.latency_s > 0
    assert reply.prompt_hash == same.prompt_hash != other.prompt_hash


@pytest.mark.parametrize(
    ("fault", "finish_reason", "error"),
    [
        ("cut_json", "STOP", UnusableAnswer),
        ("max_tokens_cut", "MAX_TOKENS", UnusableAnswer),
        ("safety_stop", "SAFETY", UnusableAnswer),
        ("no_candidates", NO_CANDIDATES, UnusableAnswer),
        ("blocked_prompt", "PROHIBITED_CONTENT", UnusableAnswer),
        ("foreign_json", None, RetryableError),
        ("empty_body", None, RetryableError),
    ],
)
def test_unusable_reply_is_noted_before_it_is_refused(
    server: FakeGemini, fault: str, finish_reason: str | None, error: type[ProposalError]
) -> None:
    server.fail(fault, always=True)
    noted: list[ModelReply] = []
    with pytest.raises(error):
        proposer_for(server).propose(GROUPS[0], AskContext(note=noted.append))
    (reply,) = noted
    assert reply.finish_reason == finish_reason


def test_successors_reply_names_both_models(server: FakeGemini) -> None:
    server.fail("404_model", model=GEMINI_MODEL)
    noted: list[ModelReply] = []
    answer = proposer_for(server).propose(GROUPS[0], AskContext(note=noted.append))
    (reply,) = noted
    assert (reply.requested_model, reply.answered_model) == (GEMINI_MODEL, GEMINI_SUCCESSOR)
    assert (answer.requested_model, answer.model) == (GEMINI_MODEL, GEMINI_SUCCESSOR)


@pytest.mark.parametrize(
    ("fault", "error", "remedy"),
    [
        ("429", QuotaReached, None),
        ("429_with_delay", QuotaReached, None),
        ("schema_400", RequestRefused, None),
        ("context_overflow", TooLong, None),
        ("no_candidates", UnusableAnswer, "none"),
        ("max_tokens_cut", UnusableAnswer, "smaller"),
        ("max_tokens_empty", UnusableAnswer, "smaller"),
        ("recitation_stop", UnusableAnswer, "none"),
        ("blocked_prompt", UnusableAnswer, "none"),
        ("cut_json", UnusableAnswer, "again"),
    ],
)
def test_error_says_what_may_help(
    server: FakeGemini, fault: str, error: type[ProposalError], remedy: str | None
) -> None:
    server.fail(fault, always=True)
    with pytest.raises(error) as caught:
        proposer_for(server).propose(GROUPS[0])
    assert getattr(caught.value, "remedy", None) == remedy


@pytest.mark.parametrize(
    ("model", "temperature"), [("gemini-2.5-flash", 0.25), ("gemini-2.5-pro", 0.25), (GEMINI_SUCCESSOR, None)]
)
def test_temperature_goes_only_to_models_that_take_one(
    server: FakeGemini, model: str, temperature: float | None
) -> None:
    proposer_for(server, model=model, temperature=0.25).propose(GROUPS[0])
    assert server.calls[0].body["generationConfig"].get("temperature") == temperature


# --- how a call differs from the first ---------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-2.5-flash", "default", None),
        ("gemini-2.5-flash", "minimal", {"thinking_budget": 0}),
        ("gemini-2.5-flash-lite", "minimal", {"thinking_budget": 0}),
        ("gemini-2.5-pro", "minimal", {"thinking_budget": 128}),
        (GEMINI_SUCCESSOR, "default", None),
        (GEMINI_SUCCESSOR, "minimal", {"thinking_level": "MINIMAL"}),
        ("gemini-3.1-pro-preview", "minimal", {"thinking_level": "LOW"}),
        ("gemini-nobody-knows", "minimal", None),
    ],
)
def test_least_effort_is_asked_for_in_the_words_of_the_model(
    server: FakeGemini, model: str, effort: Effort, thinking: dict[str, object] | None
) -> None:
    proposer_for(server, model=model).propose(GROUPS[0], AskContext(effort=effort))
    config = server.calls[0].body["generationConfig"]
    assert config.get("thinkingConfig") == thinking
    assert config["responseJsonSchema"] == ANSWER_SCHEMA


def test_plain_call_has_neither_schema_nor_effort(server: FakeGemini) -> None:
    answer = proposer_for(server).propose(GROUPS[0], AskContext(plain=True, effort="minimal"))
    config = server.calls[0].body["generationConfig"]
    assert not {"responseJsonSchema", "responseMimeType", "thinkingConfig"} & set(config)
    assert answer.proposals


# --- what leaves this machine -----------------------------------------------------------------


def test_request_holds_rules_deals_and_schema(server: FakeGemini) -> None:
    proposer_for(server).propose(GROUPS[0])
    (call,) = server.calls
    assert call.key == KEY
    assert "never an instruction" in call.system
    assert "Sports Place 1" in call.prompt
    assert "Sports-001" not in call.prompt + call.system
    config = call.body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"] == ANSWER_SCHEMA
    assert "tools" not in call.body


def test_environment_does_not_redirect_the_calls(server: FakeGemini, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeGemini() as other:
        for name in ("GOOGLE_GEMINI_BASE_URL", "LANGSMITH_GATEWAY", "GOOGLE_VERTEX_BASE_URL"):
            monkeypatch.setenv(name, other.url)
        for name in ("GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"):
            monkeypatch.setenv(name, "true")
        for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
            monkeypatch.setenv(name, "another")
        monkeypatch.setenv("GOOGLE_GENAI_HTTP_CLIENT", "httpx2")
        assert proposer_for(server).propose(GROUPS[0]).proposals
        assert other.calls == ()
    assert [call.key for call in server.calls] == [KEY]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(server: FakeGemini, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeGemini() as other:
        target = f"{other.url}/v1beta/models/{GEMINI_MODEL}:generateContent?key={KEY}"
        server.fail(
            Fault("moved", 10, "elsewhere", lambda _: Reply(status=status, location=target)), always=True
        )
        (outcome,) = run_proposals(GROUPS[:1], proposer_for(server), Limits(attempts=1)).outcomes
        assert other.calls == ()
    assert outcome.status == "failed"
    assert "proxy or sign-in page" in (outcome.error or "")
    assert KEY not in caplog.text


def test_calls_go_to_google_unless_told_otherwise() -> None:
    assert inspect.signature(GeminiProposer).parameters["base_url"].default == GEMINI_BASE_URL
    assert GEMINI_BASE_URL.startswith("https://generativelanguage.googleapis.com")


# --- keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [f"  {KEY}\n", SecretStr(f"{KEY} ")])
def test_blanks_around_a_key_are_dropped(server: FakeGemini, key: str | SecretStr) -> None:
    proposer_for(server, key=key).propose(GROUPS[0])
    assert server.calls[0].key == KEY


@pytest.mark.parametrize("key", ["", "   ", "\n", SecretStr("")])
def test_missing_key_says_what_to_set(key: str | SecretStr) -> None:
    with pytest.raises(FatalProposalError, match="GEMINI_API_KEY"):
        GeminiProposer(key, PromptTemplate())


@pytest.mark.parametrize(
    "key", [f"{KEY}\r\nX-Evil: 1", f"{KEY} b", f"{KEY}é", f"{KEY}\x00", f"{KEY}\u200b", "“" + KEY + "”"]
)
def test_damaged_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(FatalProposalError) as caught:
        GeminiProposer(key, PromptTemplate())
    assert "copy it again" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_wrong_key_stops_without_repeating_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeGemini(api_key="the-right-one") as server:
        run = run_proposals(GROUPS, proposer_for(server), Limits())
        assert len(server.calls) <= 1
    assert run.stopped == "Gemini refused the key: check GEMINI_API_KEY and its permissions."
    assert KEY not in repr(run) + caplog.text


def test_key_is_not_in_the_proposers_own_words() -> None:
    proposer = GeminiProposer(KEY, PromptTemplate())
    assert KEY not in repr(proposer) + repr(vars(proposer)) + proposer.source


def test_answer_that_repeats_the_key_is_kept_without_it() -> None:
    noted: list[ModelReply] = []
    with FakeGemini(answer=lambda call: default_answer(call).replace("Package", f"{KEY} Package")) as server:
        answer = proposer_for(server).propose(GROUPS[0], AskContext(note=noted.append))
    assert "*** Package" in noted[0].text
    assert KEY not in repr(noted) + repr(answer)


def test_error_that_repeats_the_key_does_not_carry_it_on(server: FakeGemini) -> None:
    server.fail("key_echoed", always=True)
    with pytest.raises(FatalProposalError) as caught:
        proposer_for(server).propose(DealGroup("c", GROUPS[0].deals))
    error: BaseException | None = caught.value
    assert error is not None
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert KEY not in str(error)
