"""Gemini as a proposer, over the real LangChain client; one call per `propose`.

The client's own retries are off: they ignore the delay a service asks for, and cannot hold
back other workers. Its parsed output is not used either, because it repairs cut JSON.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from core.deals import content_hash
from core.errors import (
    FatalProposalError,
    ModelGone,
    ProposalError,
    QuotaReached,
    RequestRefused,
    RetryableError,
    UnusableAnswer,
)
from core.proposals.answer import validate_answer
from core.proposals.model import FIRST_CALL, Answer, AskContext, DealGroup, Reply, Usage
from core.proposals.prompt import ANSWER_SCHEMA, Prompt, PromptTemplate, build_prompt
from core.settings import CALL_TIMEOUT_S, GEMINI_BASE_URL, GEMINI_MODEL, GEMINI_SUCCESSOR, TEMPERATURE

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage
    from langchain_google_genai import ChatGoogleGenerativeAI

_log = logging.getLogger(__name__)

# Ten times the largest context of 2026.
_MOST_TOKENS = 10_000_000


class GeminiProposer:
    """Asks Gemini for packages; safe to share between threads.

    When the requested model is gone, the successor is asked for the rest of the run, and
    every answer it gives says so in its issues.
    """

    def __init__(
        self,
        api_key: str | SecretStr,
        template: PromptTemplate,
        *,
        model: str = GEMINI_MODEL,
        temperature: float = TEMPERATURE,
        base_url: str = GEMINI_BASE_URL,
        successor: str | None = GEMINI_SUCCESSOR,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
        self._key = SecretStr(_usable_key(key))
        self._template = template
        self._requested = self._model = model
        self._successor = successor if successor != model else None
        self._temperature = temperature
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._clients: dict[str, ChatGoogleGenerativeAI] = {}
        self._lock = threading.Lock()

    @property
    def source(self) -> str:
        """The model that was asked for; `Answer.model` says which one answered."""
        return self._requested

    def propose(self, group: DealGroup, context: AskContext = FIRST_CALL) -> Answer:
        """Ask once for one cluster. Raises ProposalError of the kind that says what may help."""
        prompt = build_prompt(group, self._template)
        model = self._model
        try:
            return self._ask(prompt, model, context)
        except ModelGone as gone:
            if self._successor is None or self._successor == model:
                raise FatalProposalError(f"{gone} Choose another model in Settings.") from gone
            return self._ask_successor(prompt, self._successor, context, gone)

    def _ask_successor(self, prompt: Prompt, successor: str, context: AskContext, gone: ModelGone) -> Answer:
        if self._model != successor:
            _log.warning("%s Asking %s instead.", gone, successor)
            self._model = successor
        try:
            return self._ask(prompt, successor, context)
        except ModelGone as error:
            raise FatalProposalError(f"{gone} {error} Choose another model in Settings.") from error

    def _ask(self, prompt: Prompt, model: str, context: AskContext) -> Answer:
        reply = self._reply(prompt, model)
        context.note(reply)
        answer = validate_answer(_complete_text(reply), prompt.aliases)
        issues = answer.issues
        if reply.answered_model != self._requested:
            issues = (*issues, f"{reply.answered_model} answered in place of {self._requested}.")
        return replace(
            answer,
            issues=issues,
            usage=reply.usage,
            model=reply.answered_model,
            requested_model=reply.requested_model,
            latency_s=reply.latency_s,
        )

    def _reply(self, prompt: Prompt, model: str) -> Reply:
        started_s = time.monotonic()
        message = self._call(prompt, model)
        return Reply(
            text=str(message.text),
            finish_reason=_finish_reason(message),
            requested_model=self._requested,
            answered_model=str(message.response_metadata.get("model_name") or model),
            usage=_usage(message),
            latency_s=time.monotonic() - started_s,
            prompt_hash=content_hash([prompt.system, prompt.human]),
        )

    def _call(self, prompt: Prompt, model: str) -> AIMessage:
        import httpx
        from google.genai.errors import APIError
        from langchain_google_genai.chat_models import ChatGoogleGenerativeAIError

        messages = [("system", prompt.system), ("human", prompt.human)]
        bound = self._client(model).bind(
            response_mime_type="application/json", response_json_schema=ANSWER_SCHEMA
        )
        try:
            return bound.invoke(messages)
        except (
            ChatGoogleGenerativeAIError,
            APIError,
            httpx.HTTPError,
            OSError,
            ValueError,
            TypeError,
            RecursionError,
        ) as error:
            # `from None`: the original may carry the key, and tracebacks are logged.
            secret = self._key.get_secret_value()
            raise translate_error(error, model=model, url=self._base_url, secret=secret) from None

    def _client(self, model: str) -> ChatGoogleGenerativeAI:
        with self._lock:
            if model not in self._clients:
                self._clients[model] = self._build(model)
            return self._clients[model]

    def _build(self, model: str) -> ChatGoogleGenerativeAI:
        from google.genai import Client
        from google.genai.types import HttpOptions
        from langchain_google_genai import ChatGoogleGenerativeAI

        # A redirect would carry the key and the deals to another host.
        client_args = {"follow_redirects": False}
        # Only the 2.5 models take a temperature; the client drops it elsewhere with a warning.
        sampling: dict[str, Any] = {"temperature": self._temperature} if "2.5" in model else {}
        llm = ChatGoogleGenerativeAI(
            model=model,
            api_key=self._key,
            # Given explicitly, because variables of the environment would redirect the calls silently.
            base_url=self._base_url,
            vertexai=False,
            max_retries=1,
            timeout=self._timeout_s,
            client_args=client_args,
            **sampling,
        )
        # It does not hand vertexai=False on, so GOOGLE_GENAI_USE_VERTEXAI would still change the endpoint.
        llm.client = Client(
            vertexai=False,
            api_key=self._key.get_secret_value(),
            http_options=HttpOptions(base_url=self._base_url, client_args=client_args),
        )
        return llm


def _usable_key(key: str) -> str:
    """Return the key without surrounding blanks. Raises FatalProposalError, which does not repeat it."""
    stripped = key.strip()
    if not stripped:
        raise FatalProposalError("No Gemini key is set: set GEMINI_API_KEY, or use the rules proposer.")
    if not re.fullmatch(r"[!-~]+", stripped):
        raise FatalProposalError("The Gemini key holds blanks or foreign characters: copy it again.")
    return stripped


def _complete_text(reply: Reply) -> str:
    """Return the text of a reply that ended by itself. Raises UnusableAnswer or RetryableError."""
    reason = reply.finish_reason
    if reason is None:
        # The client takes an empty body, or a proxy's own JSON, for an answer without candidates.
        raise RetryableError(_NO_ANSWER)
    if reason == "MAX_TOKENS":
        raise UnusableAnswer(
            "Gemini's answer was cut at its length limit: use smaller clusters.",
            raw=reply.text,
            remedy="smaller",
        )
    if reason != "STOP":
        raise UnusableAnswer(
            f"Gemini refused to answer for this cluster ({reason}): build it by rules or by hand.",
            raw=reply.text,
            remedy="none",
        )
    if not reply.text.strip():
        raise UnusableAnswer("Gemini's answer was empty: try again.")
    return reply.text


def _finish_reason(message: AIMessage) -> str | None:
    """Return why the model stopped or the prompt was blocked, None without an answer."""
    if stopped := message.response_metadata.get("finish_reason"):
        return str(stopped)
    feedback = message.response_metadata.get("prompt_feedback")
    reason = feedback.get("block_reason") if isinstance(feedback, Mapping) else None
    return str(getattr(reason, "value", reason)) if reason else None


def _usage(message: AIMessage) -> Usage:
    usage: Mapping[str, Any] = message.usage_metadata or {}
    return Usage(_tokens(usage.get("input_tokens")), _tokens(usage.get("output_tokens")))


def _tokens(count: int | None) -> int | None:
    """Return a count that can be true, else None: a damaged one would spoil every sum."""
    return count if count is not None and 0 <= count <= _MOST_TOKENS else None


# --- errors -----------------------------------------------------------------------------------

_NO_ANSWER = "Gemini's reply held no answer: is a proxy or sign-in page in between?"
_BAD_KEY = re.compile(r"API_KEY_INVALID|API key (not valid|expired)|reported as leaked", re.IGNORECASE)
_DAILY = re.compile(r"per ?day", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Failure:
    """What the client raised, without the key.

    status: HTTP status, None without an answer. text: the client's words; said: the service's.
    """

    status: int | None
    text: str
    said: str
    model: str
    retry_after_s: float | None

    @property
    def detail(self) -> str:
        status = f"HTTP {self.status}" if self.status else ""
        words = f"{status}: {self.said}" if status and self.said else status or self.text
        return " ".join(words.split())[:160]


def translate_error(error: Exception, *, model: str, url: str, secret: str) -> ProposalError:
    """Return our error for whatever the client raised; the key never stands in its message.

    The status decides before the class: a wrong key comes as an invalid request, and a rate
    limit that mentions tokens as an overflow.
    """
    cause = _with_status(error)
    failure = _Failure(
        status=getattr(cause, "code", None),
        text=str(error).replace(secret, "***"),
        said=_said(getattr(cause, "details", None)).replace(secret, "***"),
        model=model,
        retry_after_s=_retry_delay(getattr(cause, "details", None)),
    )
    if _BAD_KEY.search(failure.text) or type(error).__name__ == "LocalProtocolError":
        return _key_refused(failure)
    if failure.status is not None:
        known = _BY_STATUS.get(failure.status)
        return known(failure) if known else _trouble(failure)
    if isinstance(error, RecursionError):
        return UnusableAnswer("Gemini's answer is nested too deeply to be packages: ask again.")
    if isinstance(error, (ValueError, TypeError)):  # a page, or a cut body, in place of the answer
        return RetryableError(_NO_ANSWER)
    return RetryableError(
        f"Gemini cannot be reached at {url} ({type(error).__name__}: {failure.detail}): check the network."
    )


def _with_status(error: BaseException | None) -> BaseException | None:
    while error is not None and getattr(error, "code", None) is None:
        error = error.__cause__
    return error


def _said(details: object) -> str:
    """Return the message of a Google error body, empty when it has another shape."""
    inner = details.get("error") if isinstance(details, Mapping) else None
    return str(inner.get("message", "")) if isinstance(inner, Mapping) else ""


def _retry_delay(details: object) -> float | None:
    """Return the delay in seconds that google.rpc.RetryInfo asks for, None without one."""
    inner = details.get("error") if isinstance(details, Mapping) else None
    parts = inner.get("details") if isinstance(inner, Mapping) else None
    for part in parts if isinstance(parts, list) else ():
        delay = str(part.get("retryDelay", "")) if isinstance(part, Mapping) else ""
        if re.fullmatch(r"\d+(\.\d+)?s", delay):
            return float(delay[:-1])
    return None


def _key_refused(_: _Failure) -> ProposalError:
    return FatalProposalError("Gemini refused the key: check GEMINI_API_KEY and its permissions.")


def _model_gone(failure: _Failure) -> ProposalError:
    return ModelGone(f"Gemini does not know the model {failure.model!r}.")


def _rate_limited(failure: _Failure) -> ProposalError:
    if _DAILY.search(failure.text):
        return FatalProposalError(
            "Gemini's daily quota of this key is used up: go on tomorrow, or use the rules proposer."
        )
    return QuotaReached(
        "Gemini's rate limit is reached: set DEALWEAVER_REQUESTS_PER_MINUTE to the limit of your key.",
        retry_after_s=failure.retry_after_s,
    )


def _refused(failure: _Failure) -> ProposalError:
    return RequestRefused(f"Gemini refused the request ({failure.detail}): check the model in Settings.")


def _trouble(failure: _Failure) -> ProposalError:
    if failure.status is not None and failure.status < 400:  # noqa: PLR2004  (no error: a redirect)
        return RetryableError(_NO_ANSWER)
    return RetryableError(f"Gemini is in trouble ({failure.detail}): try again later.")


_BY_STATUS: dict[int, Callable[[_Failure], ProposalError]] = {
    400: _refused,
    401: _key_refused,
    403: _key_refused,
    404: _model_gone,
    413: _refused,
    429: _rate_limited,
}
