"""How hard a run of proposals may try, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass

from core.settings import CALL_RETRIES, CALL_TIMEOUT_S, CLUSTER_DEADLINE_S, CONTENT_ATTEMPTS


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard to try, and what a run may use. Rules make no call: no rate and no cap holds them.

    workers: clusters under way at once.
    attempts: calls per cluster for whatever reason, refusals and parts included; None = as many
        as the other budgets allow.
    transport_attempts: calls per cluster that may fail on the way (a refusal of the rate limit
        is not one). content_attempts: unusable answers per cluster, or per part of one.
    call_timeout_s, cluster_deadline_s: wall time in seconds of one call, and of all calls about
        a cluster together; turns and pauses that are waited for do not count.
    requests_per_minute: known rate limit of the key; 0 = not known. rate_window_s: the seconds
        over which the service counts it.
    max_calls, max_tokens, max_usd: what the run may use; None = no limit. No further call starts
        once it is reached; calls under way end, so that tokens and money may go over by those.
    """

    workers: int = 1
    attempts: int | None = None
    transport_attempts: int = 1 + CALL_RETRIES
    content_attempts: int = CONTENT_ATTEMPTS
    call_timeout_s: float = CALL_TIMEOUT_S
    cluster_deadline_s: float = CLUSTER_DEADLINE_S
    requests_per_minute: int = 0
    rate_window_s: float = 60.0
    max_calls: int | None = None
    max_tokens: int | None = None
    max_usd: float | None = None


DEFAULT_LIMITS = Limits()
