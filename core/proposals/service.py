"""What all services over a LangChain client share: key, clients by model, replies, and errors.

The clients' own retries are off: they ignore the delay a service asks for, and cannot hold back
other workers. Their parsed output is not used either, because it repairs cut JSON. Redirects
are never followed: one would carry the key and the deals to another host.
"""

from __future__ import annotations

import logging
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from core import clock
from core.errors import (
    FatalProposalError,
    ModelGone,
    ProposalError,
    QuotaReached,
    RequestRefused,
    RetryableError,
    TooLong,
    UnusableAnswer,
)
from core.proposals.chat import no_answer
from core.proposals.prompt import ANSWER_SCHEMA, Prompt
from core.proposals.proposal import AskContext, Reply, Usage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage

# Ten times the largest context of 2026.
_MOST_TOKENS = 10_000_000

# What a client raises when the body of a reply is not what it expects.
_ODD_SHAPE = (ValueError, TypeError, LookupError, AttributeError)

Client = TypeVar("Client", bound="BaseChatModel")


class LangChainService(ABC, Generic[Client]):
    """One service, asked over its LangChain client; safe to share between threads.

    name: what an analyst calls it. key_name: the variable that holds its key, None when it
        needs no key. base_url: where the calls go; whatever the environment says, nowhere else.
    """

    name: ClassVar[str]
    key_name: ClassVar[str | None]

    def __init__(
        self, api_key: str | SecretStr | None, *, base_url: str, temperature: float, timeout_s: float
    ) -> None:
        # At its DEBUG level this library logs every header, and a proxy may send the key back in one.
        logging.getLogger("httpcore").setLevel(logging.INFO)
        key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key or ""
        self._key = SecretStr(_usable_key(key, self.name, self.key_name) if self.key_name else "")
        self._base_url = base_url
        self._temperature = temperature
        self._timeout_s = timeout_s
        self._clients: dict[str, Client] = {}
        self._lock = threading.Lock()

    @abstractmethod
    def _build(self, model: str) -> Client:
        """Return a client that asks once, at the base URL, and follows no redirect."""

    @abstractmethod
    def _options(self, client: Client, context: AskContext) -> dict[str, Any]:
        """Return the parameters of one call: sampling, answer schema and effort."""

    @abstractmethod
    def _failures(self) -> tuple[type[Exception], ...]:
        """Return the classes of errors that the client raises for a failed call."""

    def ask(self, prompt: Prompt, model: str, context: AskContext) -> Reply:
        """Send the prompt once. Raises ProposalError; neither it nor the reply holds the key."""
        self._client(model)  # building it imports a library; the clock is for the call
        started_s = clock.monotonic_s()
        message = self._call(prompt, model, context)
        facts = message.response_metadata
        return Reply(
            text=self._redacted(str(message.text)),
            finish_reason=self._redacted(self._finish_reason(message)) or None,
            requested_model=model,
            answered_model=self._redacted(str(facts.get("model_name") or facts.get("model") or model)),
            usage=_usage(message),
            latency_s=clock.monotonic_s() - started_s,
            prompt_hash=prompt.hash,
        )

    def _call(self, prompt: Prompt, model: str, context: AskContext) -> AIMessage:
        from langsmith import tracing_context

        messages = [("system", prompt.system), ("human", prompt.human)]
        client = self._client(model)
        caught: tuple[type[Exception], ...] = (*self._failures(), OSError, RecursionError, *_ODD_SHAPE)
        try:
            # A variable of the environment would send every prompt to a tracing service as well.
            with tracing_context(enabled=False):
                return client.bind(**self._options(client, context)).invoke(messages)
        except caught as error:
            # `from None`: the original may carry the key, and tracebacks are logged.
            raise _translated(self._failure(error, model), error) from None

    def _client(self, model: str) -> Client:
        with self._lock:
            if model not in self._clients:
                self._clients[model] = self._build(model)
            return self._clients[model]

    def _finish_reason(self, message: AIMessage) -> str:
        """Return why the model stopped, in the words of the service; empty without an answer."""
        facts = message.response_metadata
        keys = ("finish_reason", "stop_reason", "done_reason")
        return next((str(facts[key]) for key in keys if facts.get(key)), "")

    def _redacted(self, text: str) -> str:
        secret = self._key.get_secret_value()
        return text.replace(secret, "***") if secret else text

    def _failure(self, error: Exception, model: str) -> Failure:
        status, said, retry_after_s = self._facts(error)
        return Failure(
            service=self.name,
            key_name=self.key_name,
            host=_host(self._base_url),
            model=model,
            status=status,
            text=self._redacted(f"{error} {getattr(error, 'body', None) or ''}"),
            said=self._redacted(said),
            retry_after_s=retry_after_s,
        )

    def _facts(self, error: Exception) -> tuple[int | None, str, float | None]:
        """Return HTTP status, words of the service, and the delay it asks for in seconds."""
        status = getattr(error, "status_code", None)
        body = getattr(error, "body", None)
        headers = getattr(getattr(error, "response", None), "headers", {})
        return status, said_in(body), seconds(f"{headers.get('retry-after', '')}s")


def answer_schema() -> dict[str, Any]:
    """Return the answer schema for services that want every object closed."""
    return _closed(ANSWER_SCHEMA)


def _closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    parts = {key: _closed(value) if isinstance(value, Mapping) else value for key, value in schema.items()}
    return {**parts, "additionalProperties": False} if schema.get("type") == "object" else parts


def lowest_effort(client: BaseChatModel) -> str | None:
    """Return the least a model can be told to think, None when its profile does not say."""
    levels = (client.profile or {}).get("reasoning_effort_levels") or ()
    return next((level for level in ("none", "minimal", "low") if level in levels), None)


def takes_temperature(client: BaseChatModel) -> bool:
    """Return whether a model is known to take a temperature; others refuse the request."""
    return bool((client.profile or {}).get("temperature"))


def said_in(body: object) -> str:
    """Return the message of an error body, empty when it has an unknown shape."""
    inner = body.get("error", body) if isinstance(body, Mapping) else None
    return str(inner.get("message", "")) if isinstance(inner, Mapping) else ""


def seconds(delay: str) -> float | None:
    """Read a delay such as "7s"; None for anything else."""
    return float(delay[:-1]) if re.fullmatch(r"\d+(\.\d+)?s", delay) else None


def _usable_key(key: str, service: str, variable: str) -> str:
    """Return the key without surrounding blanks. Raises FatalProposalError, which does not repeat it."""
    stripped = key.strip()
    if not stripped:
        raise FatalProposalError(f"No {service} key is set: set {variable}, or use the rules proposer.")
    if not re.fullmatch(r"[!-~]+", stripped):
        raise FatalProposalError(f"The {service} key holds blanks or foreign characters: copy it again.")
    return stripped


def _host(url: str) -> str:
    """Return scheme, host and port: an address may hold a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _usage(message: AIMessage) -> Usage:
    usage: Mapping[str, Any] = message.usage_metadata or {}
    if not usage.get("input_tokens"):  # no prompt is empty: the Anthropic client writes 0 for unknown
        return Usage()
    return Usage(_tokens(usage.get("input_tokens")), _tokens(usage.get("output_tokens")))


def _tokens(count: int | None) -> int | None:
    """Return a count that can be true, else None: a damaged one would spoil every sum."""
    return count if count is not None and 0 <= count <= _MOST_TOKENS else None


# --- errors -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """What a client raised, without the key.

    status: HTTP status, None without an answer. text: the client's words; said: the service's.
    host: where the call went.
    """

    service: str
    key_name: str | None
    host: str
    model: str
    status: int | None
    text: str
    said: str
    retry_after_s: float | None

    @property
    def detail(self) -> str:
        """The cause in at most 160 characters on one line."""
        status = f"HTTP {self.status}" if self.status else ""
        words = f"{status}: {self.said}" if status and self.said else status or self.text
        printable = "".join(char if char.isprintable() else " " for char in words)
        return " ".join(printable.split())[:160]


def _translated(failure: Failure, error: Exception) -> ProposalError:
    """Return our error for a failure; the first row of `_KINDS` that fits decides."""
    if type(error).__name__ == "LocalProtocolError":  # the key cannot stand in a header
        return _key_refused(failure)
    if failure.status is not None:
        kinds = (
            kind
            for statuses, words, kind in _KINDS
            if failure.status in statuses and words.search(failure.text + failure.said)
        )
        return next(kinds, _trouble)(failure)
    if isinstance(error, RecursionError):
        return UnusableAnswer(f"{failure.service}'s answer is nested too deeply to be packages: ask again.")
    if isinstance(error, _ODD_SHAPE):  # a page, or a cut body, in place of the answer
        return RetryableError(no_answer(failure.service))
    return RetryableError(
        f"{failure.service} cannot be reached at {failure.host} ({type(error).__name__}: "
        f"{failure.detail}): check the network."
    )


def _key_refused(failure: Failure) -> ProposalError:
    what = f"check {failure.key_name} and its permissions" if failure.key_name else "check who may use it"
    asked = "the key" if failure.key_name else "the call"
    return FatalProposalError(f"{failure.service} refused {asked}: {what}.")


def _used_up(failure: Failure) -> ProposalError:
    return FatalProposalError(
        f"{failure.service}'s quota or credit of this key is used up: "
        "add to it or wait for the next day, or use the rules proposer."
    )


def _daily_quota(failure: Failure) -> ProposalError:
    return FatalProposalError(
        f"{failure.service}'s daily quota of this key is used up: go on tomorrow, or use the rules proposer."
    )


def _model_gone(failure: Failure) -> ProposalError:
    return ModelGone(f"{failure.service} does not know the model {failure.model!r}.")


def _rate_limited(failure: Failure) -> ProposalError:
    return QuotaReached(
        f"{failure.service}'s rate limit is reached: "
        "set DEALWEAVER_REQUESTS_PER_MINUTE to the limit of your key.",
        retry_after_s=failure.retry_after_s,
    )


def _too_long(failure: Failure) -> ProposalError:
    return TooLong(f"The cluster is too long for {failure.model} ({failure.detail}): use smaller clusters.")


def _refused(failure: Failure) -> ProposalError:
    return RequestRefused(
        f"{failure.service} refused the request ({failure.detail}): check the model in Settings."
    )


def _trouble(failure: Failure) -> ProposalError:
    if failure.status is not None and failure.status < 400:  # noqa: PLR2004  (no error: a redirect)
        return RetryableError(no_answer(failure.service))
    return RetryableError(
        f"{failure.service} is in trouble ({failure.detail}): try again later.",
        retry_after_s=failure.retry_after_s,
    )


_ANY = re.compile("")
_BAD_KEY = re.compile(
    r"API_KEY_INVALID|API key (not valid|expired)|reported as leaked|invalid x-api-key|incorrect api key",
    re.IGNORECASE,
)
_DAILY = re.compile(r"per ?day", re.IGNORECASE)
_NO_CREDIT = re.compile(
    r"insufficient_quota|credit balance is too low|billing_(error|hard_limit)", re.IGNORECASE
)
_LONG = re.compile(
    r"context[ _](length|window)|prompt is too long|input token count|input tokens exceed"
    r"|exceeds? the (maximum|available) context",
    re.IGNORECASE,
)

# (statuses, words in the error, what it is). Words come before the bare status: a wrong key comes as
# an invalid request. They count only beside a status they fit: a rate limit may mention tokens.
_KINDS: tuple[tuple[frozenset[int], re.Pattern[str], Callable[[Failure], ProposalError]], ...] = (
    (frozenset(range(400, 500)), _BAD_KEY, _key_refused),
    (frozenset({429}), _DAILY, _daily_quota),
    (frozenset({400, 402, 403, 429}), _NO_CREDIT, _used_up),
    (frozenset({400, 422}), _LONG, _too_long),
    (frozenset({413}), _ANY, _too_long),
    (frozenset({400, 422}), _ANY, _refused),
    (frozenset({402}), _ANY, _used_up),
    (frozenset({401, 403}), _ANY, _key_refused),
    (frozenset({404}), _ANY, _model_gone),
    (frozenset({429}), _ANY, _rate_limited),
)
