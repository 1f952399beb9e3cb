"""Each error has its remedies, best first, and each remedy is used up at some point."""

import pytest

from core.errors import (
    BudgetReached,
    FatalProposalError,
    ModelGone,
    ProposalError,
    QuotaReached,
    RequestRefused,
    RetryableError,
    TooLong,
    UnusableAnswer,
)
from core.proposals import AskContext, Limits
from core.proposals.remedies import CHANGES, Tried, react

LIMITS = Limits(transport_attempts=3, content_attempts=2, cluster_deadline_s=100)
MINIMAL = AskContext(effort="minimal")


def tried(
    context: AskContext = AskContext(),  # noqa: B008  (frozen)
    *,
    deals: int = 25,
    calls: int = 1,
    failures: int = 0,
    unusable: int = 0,
    in_calls_s: float = 1.0,
) -> Tried:
    return Tried(context, deals, calls, failures, unusable, in_calls_s)


FATAL = FatalProposalError("key")
QUOTA, BUSY = QuotaReached("quota"), RetryableError("busy")
FORM, LONG = RequestRefused("form"), TooLong("long")
DAMAGED, CUT, REFUSED = (UnusableAnswer("x", remedy=remedy) for remedy in ("again", "smaller", "none"))


@pytest.mark.parametrize(
    ("error", "so_far", "reaction"),
    [
        pytest.param(FATAL, tried(), "stop", id="fatal"),
        pytest.param(BudgetReached("spent"), tried(), "stop", id="budget"),
        pytest.param(FATAL, tried(calls=99, in_calls_s=999), "stop", id="fatal, however late"),
        pytest.param(QUOTA, tried(failures=9, unusable=9), "wait", id="quota costs no budget"),
        pytest.param(BUSY, tried(failures=2), "again", id="busy"),
        pytest.param(BUSY, tried(failures=3), "give_up", id="busy for ever"),
        pytest.param(BUSY, tried(in_calls_s=100), "give_up", id="out of time"),
        pytest.param(QUOTA, tried(in_calls_s=100), "give_up", id="out of time for waiting too"),
        pytest.param(FORM, tried(), "plain", id="form"),
        pytest.param(FORM, tried(AskContext(plain=True)), "give_up", id="plain form"),
        pytest.param(LONG, tried(deals=6), "split", id="long"),
        pytest.param(LONG, tried(deals=5), "give_up", id="long, too few deals for two packages"),
        pytest.param(DAMAGED, tried(unusable=1), "repair", id="damaged"),
        pytest.param(DAMAGED, tried(unusable=2), "give_up", id="damaged twice"),
        pytest.param(CUT, tried(unusable=1), "minimal", id="cut"),
        pytest.param(CUT, tried(MINIMAL, unusable=1), "split", id="cut with little thinking"),
        pytest.param(CUT, tried(unusable=2), "split", id="cut after a damaged one"),
        pytest.param(CUT, tried(MINIMAL, deals=5, unusable=1), "give_up", id="cut, too few deals"),
        pytest.param(REFUSED, tried(), "give_up", id="refused on purpose"),
        pytest.param(ModelGone("gone"), tried(), "give_up", id="no remedy known"),
        pytest.param(ProposalError("odd"), tried(), "give_up", id="odd"),
    ],
)
def test_error_gets_the_best_remedy_that_is_left(error: ProposalError, so_far: Tried, reaction: str) -> None:
    assert react(error, so_far, LIMITS) == reaction


@pytest.mark.parametrize("error", [QUOTA, BUSY, FORM, LONG, DAMAGED, CUT])
def test_bound_on_all_calls_ends_every_remedy(error: ProposalError) -> None:
    bounded = Limits(attempts=2)
    assert react(error, tried(calls=1), bounded) != "give_up"
    assert react(error, tried(calls=2), bounded) == "give_up"


def test_a_remedy_keeps_what_earlier_ones_changed() -> None:
    context = AskContext(attempt=3)
    for reaction in ("plain", "minimal", "repair"):
        context = CHANGES[reaction](context, DAMAGED)
    assert (context.plain, context.effort, context.repair, context.attempt) == (True, "minimal", "x", 3)
