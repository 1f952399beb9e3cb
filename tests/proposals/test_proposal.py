"""The values of the stage: what they say of themselves, and that saving them loses nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest

from core.proposals import Answer, AskContext, Outcome, Proposal, Reply, Unpackaged, Usage
from core.wording import Claim

CLAIM = Claim("family_safe", "Family-Safe", true_of=2, unknown=0, of=3, against=("c",))
PROPOSALS = (
    Proposal("Kids CTV", ("a", "b", "c"), "For families.", ("near_same",), (CLAIM,)),
    Proposal("News Video", ("d", "e", "f"), "For readers."),
)
REST = (Unpackaged("g", "It fits nowhere.", omitted=True, proposed="Small"),)


def answer() -> Answer:
    return Answer(PROPOSALS, REST, ("odd",), Usage(100, None), "m", "{}", "r", 1.5, cached=True)


def outcome() -> Outcome:
    return Outcome(
        "c1",
        tuple("abcdefg"),
        "failed",
        "r",
        PROPOSALS,
        REST,
        ("odd",),
        Usage(100, None),
        "m",
        attempts=3,
        error="Gemini is in trouble.",
        raw="{}",
        requested_model="r",
        latency_s=1.5,
        stand_in="Rules (AI failed: Gemini is in trouble)",
    )


def through_json(value: Answer | Outcome) -> dict[str, Any]:
    return json.loads(json.dumps(value.to_dict()))


# --- saving -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [answer(), outcome()], ids=["answer", "outcome"])
def test_value_comes_back_whole_from_json(value: Answer | Outcome) -> None:
    saved = through_json(value)
    back = type(value).from_dict(saved)
    assert back == value
    assert back.latency_s == value.latency_s
    assert hash(back) == hash(value)


def test_deal_left_out_before_there_were_marks_counts_as_left_out_with_a_reason() -> None:
    saved = through_json(outcome())
    saved["unpackaged"] = [{"deal_id": "g", "reason": "It fits nowhere."}]
    assert Outcome.from_dict(saved).unpackaged == (Unpackaged("g", "It fits nowhere."),)


def test_outcome_saved_before_a_field_existed_takes_its_default() -> None:
    saved = through_json(outcome())
    for name in ("requested_model", "latency_s", "cached", "stand_in"):
        del saved[name]
    for proposal in saved["proposals"]:
        del proposal["flags"], proposal["claims"]
    plain = tuple(replace(item, flags=(), claims=()) for item in PROPOSALS)
    expected = replace(outcome(), proposals=plain, requested_model=None, stand_in=None)
    assert Outcome.from_dict(saved) == expected
    assert Outcome.from_dict(saved).latency_s is None


def test_field_that_is_gone_is_dropped() -> None:
    assert Outcome.from_dict({**through_json(outcome()), "former": 1}) == outcome()


# --- what they say ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "stand_in", "expected"),
    [
        (None, None, "asked"),
        ("answered", None, "answered"),
        (None, "Rules (AI failed: x)", "Rules (AI failed: x)"),
        ("answered", "Rules (AI failed: x)", "Rules (AI failed: x)"),
    ],
)
def test_proposals_carry_the_label_of_who_wrote_them(
    model: str | None, stand_in: str | None, expected: str
) -> None:
    made = Outcome("c", (), "done", "asked", model=model, stand_in=stand_in)
    assert made.proposal_source == expected


@pytest.mark.parametrize(
    ("true_of", "unknown", "of", "contradicted"),
    [(3, 0, 3, False), (0, 3, 3, False), (2, 1, 3, False), (2, 0, 3, True), (0, 0, 1, True)],
)
def test_only_a_known_fact_contradicts_a_claim(
    true_of: int, unknown: int, of: int, contradicted: bool
) -> None:
    claim = Claim("format", "Video", true_of, unknown, of)
    assert claim.contradicted == contradicted
    assert Proposal("P", ("a",), "Why.", claims=(claim,)).contradicted == contradicted


def test_proposal_without_claims_is_not_contradicted() -> None:
    assert not Proposal("P", ("a",), "Why.").contradicted


@pytest.mark.parametrize(
    ("one", "other", "total"),
    [
        (Usage(), Usage(), Usage()),
        (Usage(3, None), Usage(None, 2), Usage(3, 2)),
        (Usage(3, 4), Usage(10, 0), Usage(13, 4)),
        (Usage(0, None), Usage(), Usage(0, None)),
    ],
)
def test_tokens_add_up_as_far_as_they_are_known(one: Usage, other: Usage, total: Usage) -> None:
    assert one + other == other + one == total


def test_first_call_asks_for_nothing_special() -> None:
    context = AskContext()
    assert (context.attempt, context.plain, context.effort, context.repair) == (1, False, "default", None)
    context.note(Reply("", None, "m", "m", Usage(), 0.1, "hash"))
