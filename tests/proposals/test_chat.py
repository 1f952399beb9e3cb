"""What a reply is worth, whichever service it comes from, and who is asked when a model is gone."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from core.errors import FatalProposalError, ModelGone, ProposalError, RetryableError, UnusableAnswer
from core.proposals import AskContext, DealGroup, PromptTemplate, Reply, Usage, build_prompt
from core.proposals.chat import ModelProposer, read_reply
from core.proposals.prompt import Prompt
from tests.fakes.proposers import group_of

GROUP = group_of("News")
WHOLE = json.dumps(
    {"packages": [{"package_name": "News Pack", "deal_ids": ["D1", "D2", "D3", "D4"], "reasoning": "News."}]}
)
REPLY = Reply(WHOLE, "stop", "model-a", "model-a", Usage(90, 40), 1.5, "a-hash")


class ScriptedService:
    """A chat service without network: `reply` makes what each call gives, or raises."""

    name = "Service"

    def __init__(self, reply: Callable[[str], Reply] = lambda model: replace(REPLY, answered_model=model)):
        self.reply = reply
        self.asked: list[tuple[str, Prompt]] = []

    def ask(self, prompt: Prompt, model: str, context: AskContext) -> Reply:  # noqa: ARG002
        """Log the call and play the reply."""
        self.asked.append((model, prompt))
        return self.reply(model)

    @property
    def models(self) -> list[str]:
        """The models asked so far."""
        return [model for model, _ in self.asked]


def gone(*models: str) -> Callable[[str], Reply]:
    """Answer for every model but these."""

    def reply(model: str) -> Reply:
        if model in models:
            raise ModelGone(f"Service does not know the model {model!r}.")
        return replace(REPLY, requested_model=model, answered_model=model)

    return reply


def proposer_for(service: ScriptedService, successor: str | None = None) -> ModelProposer:
    return ModelProposer(service, PromptTemplate(), model="model-a", successor=successor)


# --- reading a reply --------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["STOP", "stop", "end_turn", "stop_sequence"])
def test_whole_answer_becomes_proposals(reason: str) -> None:
    answer = read_reply(replace(REPLY, finish_reason=reason), GROUP)
    assert [proposal.deal_ids for proposal in answer.proposals] == [
        ("News-001", "News-002", "News-003", "News-004")
    ]
    assert {item.deal_id for item in answer.unpackaged} == {f"News-00{n}" for n in range(5, 9)}
    assert (answer.model, answer.requested_model) == ("model-a", "model-a")
    assert (answer.usage, answer.latency_s, answer.raw) == (Usage(90, 40), 1.5, WHOLE)


@pytest.mark.parametrize(
    ("changes", "error", "remedy"),
    [
        ({"finish_reason": None}, RetryableError, None),
        ({"finish_reason": "MAX_TOKENS"}, UnusableAnswer, "smaller"),
        ({"finish_reason": "max_tokens"}, UnusableAnswer, "smaller"),
        ({"finish_reason": "length"}, UnusableAnswer, "smaller"),
        ({"finish_reason": "model_context_window_exceeded"}, UnusableAnswer, "smaller"),
        ({"finish_reason": "SAFETY"}, UnusableAnswer, "none"),
        ({"finish_reason": "refusal"}, UnusableAnswer, "none"),
        ({"finish_reason": "content_filter"}, UnusableAnswer, "none"),
        ({"finish_reason": "a word of next year"}, UnusableAnswer, "none"),
        ({"text": " \n"}, UnusableAnswer, "again"),
        ({"text": WHOLE[:-20]}, UnusableAnswer, "again"),
    ],
)
def test_reply_that_is_no_whole_answer_is_refused(
    changes: dict[str, str | None], error: type[ProposalError], remedy: str | None
) -> None:
    reply = replace(REPLY, **changes)
    with pytest.raises(error) as caught:
        read_reply(reply, GROUP)
    assert getattr(caught.value, "remedy", None) == remedy


def test_cut_answer_is_refused_even_when_its_text_is_whole() -> None:
    with pytest.raises(UnusableAnswer, match="length limit") as caught:
        read_reply(replace(REPLY, finish_reason="length"), GROUP)
    assert caught.value.raw == WHOLE


def test_kept_reply_gives_what_the_call_gave() -> None:
    kept: list[Reply] = []
    answer = proposer_for(ScriptedService()).propose(GROUP, AskContext(note=kept.append))
    assert read_reply(kept[0], GROUP) == answer


def test_kept_reply_about_half_a_cluster_is_read_against_that_half() -> None:
    half = replace(GROUP, deals=GROUP.deals[4:])
    answer = read_reply(REPLY, half)
    assert answer.proposals[0].deal_ids == tuple(f"News-00{n}" for n in range(5, 9))


def test_template_does_not_change_which_deals_an_answer_means() -> None:
    kept: list[Reply] = []
    template = PromptTemplate("{enriched_deals}\nOther words.")
    proposer = ModelProposer(ScriptedService(), template, model="model-a")
    answer = proposer.propose(GROUP, AskContext(note=kept.append))
    assert read_reply(kept[0], GROUP).proposals == answer.proposals


# --- asking -----------------------------------------------------------------------------------


def test_reply_is_noted_before_it_is_read_and_what_note_raises_ends_the_call() -> None:
    def refuse(_: Reply) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk"):
        proposer_for(ScriptedService()).propose(GROUP, AskContext(note=refuse))


def test_repair_stands_at_the_end_of_what_the_model_reads() -> None:
    service = ScriptedService()
    sentence = "Your last answer was cut: answer again."
    proposer_for(service).propose(GROUP)
    proposer_for(service).propose(GROUP, AskContext(repair=sentence))
    (_, first), (_, second) = service.asked
    assert first == build_prompt(GROUP, PromptTemplate())
    assert second == replace(first, human=f"{first.human.rstrip()}\n\n{sentence}")


def test_service_is_named_in_what_it_refuses() -> None:
    service = ScriptedService(lambda _: replace(REPLY, finish_reason="refusal"))
    with pytest.raises(UnusableAnswer, match=r"^Service refused to answer"):
        proposer_for(service).propose(GROUP)


# --- successors -------------------------------------------------------------------------------


def test_successor_is_asked_for_the_rest_of_the_run() -> None:
    service = ScriptedService(gone("model-a"))
    proposer = proposer_for(service, "model-b")
    answers = [proposer.propose(GROUP), proposer.propose(DealGroup("again", GROUP.deals))]
    assert service.models == ["model-a", "model-b", "model-b"]
    assert proposer.source == "model-a"
    for answer in answers:
        assert (answer.requested_model, answer.model) == ("model-a", "model-b")
        assert answer.issues[-1] == "model-b answered in place of model-a."


@pytest.mark.parametrize(
    ("successor", "asked"),
    [(None, ["model-a"]), ("model-a", ["model-a"]), ("model-b", ["model-a", "model-b"])],
)
def test_nobody_left_to_ask_stops_the_run(successor: str | None, asked: list[str]) -> None:
    service = ScriptedService(gone("model-a", "model-b"))
    with pytest.raises(FatalProposalError, match=r"'model-a'.*Choose another model in Settings"):
        proposer_for(service, successor).propose(GROUP)
    assert service.models == asked


def test_other_errors_do_not_bring_in_the_successor() -> None:
    def busy(_: str) -> Reply:
        raise RetryableError("busy")

    service = ScriptedService(busy)
    with pytest.raises(RetryableError):
        proposer_for(service, "model-b").propose(GROUP)
    assert service.models == ["model-a"]
