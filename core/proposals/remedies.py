"""What a failed call is answered with: one table from errors to remedies, and when each is used up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from core.errors import (
    FatalProposalError,
    ProposalError,
    QuotaReached,
    RequestRefused,
    RetryableError,
    TooLong,
    UnusableAnswer,
)
from core.proposals.limits import Limits
from core.proposals.proposal import AskContext
from core.settings import MIN_PACKAGE_DEALS

Reaction = Literal["stop", "wait", "again", "plain", "repair", "minimal", "split", "give_up"]


@dataclass(frozen=True, slots=True)
class Tried:
    """How far a cluster, or the part of it that is asked about, has used its budgets.

    calls, failures, in_calls_s: of the whole cluster. unusable: answers about this part.
    """

    context: AskContext
    deals: int
    calls: int
    failures: int
    unusable: int
    in_calls_s: float


# By the class of an error, for unusable answers by their remedy: what may help, the best first.
_REMEDIES: Mapping[type[BaseException] | str, tuple[Reaction, ...]] = {
    FatalProposalError: ("stop",),
    QuotaReached: ("wait",),
    RetryableError: ("again",),
    RequestRefused: ("plain",),
    TooLong: ("split",),
    "again": ("repair",),
    # Thinking counts as length: a model that thinks less may end its answer.
    "smaller": ("minimal", "split"),
}

# Whether a remedy is still open; one that is not named here always is.
_OPEN: Mapping[Reaction, Callable[[Tried, Limits], bool]] = {
    "again": lambda tried, limits: tried.failures < limits.transport_attempts,
    "plain": lambda tried, _: not tried.context.plain,
    "repair": lambda tried, limits: tried.unusable < limits.content_attempts,
    "minimal": lambda tried, limits: (
        tried.context.effort != "minimal" and tried.unusable < limits.content_attempts
    ),
    "split": lambda tried, _: tried.deals >= 2 * MIN_PACKAGE_DEALS,
}

# How the next call differs from the one that failed; by default in nothing.
CHANGES: Mapping[Reaction, Callable[[AskContext, ProposalError], AskContext]] = {
    "plain": lambda context, _: replace(context, plain=True),
    "repair": lambda context, error: replace(context, repair=str(error)),
    "minimal": lambda context, _: replace(context, effort="minimal"),
}


def react(error: ProposalError, tried: Tried, limits: Limits) -> Reaction:
    """Decide what an error is answered with: the first remedy that is still open."""
    kinds = (error.remedy,) if isinstance(error, UnusableAnswer) else type(error).__mro__
    remedies = next((_REMEDIES[kind] for kind in kinds if kind in _REMEDIES), ())
    if "stop" in remedies:
        return "stop"
    if tried.calls >= (limits.attempts or tried.calls + 1) or tried.in_calls_s >= limits.cluster_deadline_s:
        return "give_up"
    open_to_it = (one for one in remedies if one not in _OPEN or _OPEN[one](tried, limits))
    return next(open_to_it, "give_up")
