"""Gemini over the real LangChain client, as a service and as the default proposer."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.proposals.chat import ModelProposer
from core.proposals.prompt import ANSWER_SCHEMA, PromptTemplate
from core.proposals.proposal import AskContext
from core.proposals.service import LangChainService, lowest_effort, said_in, seconds
from core.settings import CALL_TIMEOUT_S, GEMINI_BASE_URL, GEMINI_MODEL, GEMINI_SUCCESSOR, TEMPERATURE

if TYPE_CHECKING:
    import httpx
    from langchain_core.messages import AIMessage
    from langchain_google_genai import ChatGoogleGenerativeAI
    from pydantic import SecretStr

# The least each family can be told to think (tokens): 2.5-pro cannot stop, the others can.
_LOWEST_BUDGETS = {"2.5-pro": 128, "2.5": 0}
NO_CANDIDATES = "NO_CANDIDATES"


class GeminiProposer(ModelProposer):
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
        service = GeminiService(api_key, base_url=base_url, temperature=temperature, timeout_s=timeout_s)
        super().__init__(service, template, model=model, successor=successor)


class GeminiService(LangChainService["ChatGoogleGenerativeAI"]):
    """Google's Gemini API."""

    name = "Gemini"
    key_name = "GEMINI_API_KEY"

    def __init__(
        self, api_key: str | SecretStr | None, *, base_url: str, temperature: float, timeout_s: float
    ) -> None:
        super().__init__(api_key, base_url=base_url, temperature=temperature, timeout_s=timeout_s)
        self._bodies = threading.local()

    def _build(self, model: str) -> ChatGoogleGenerativeAI:
        import httpx
        from google.genai import Client
        from google.genai.types import HttpOptions
        from langchain_google_genai import ChatGoogleGenerativeAI

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
            **sampling,
        )
        # It does not hand vertexai=False on, so GOOGLE_GENAI_USE_VERTEXAI would still change the endpoint;
        # and GOOGLE_GENAI_HTTP_CLIENT would change which library sends the calls and raises the errors.
        http = httpx.Client(follow_redirects=False, event_hooks={"response": [self._keep_body]})
        llm.client = Client(
            vertexai=False,
            api_key=self._key.get_secret_value(),
            http_options=HttpOptions(base_url=self._base_url, httpx_client=http),
        )
        return llm

    def _options(self, client: ChatGoogleGenerativeAI, context: AskContext) -> dict[str, Any]:
        if context.plain:
            return {}
        schema = {"response_mime_type": "application/json", "response_json_schema": ANSWER_SCHEMA}
        return schema | (_least_thinking(client) if context.effort == "minimal" else {})

    def _failures(self) -> tuple[type[Exception], ...]:
        import httpx
        from google.genai.errors import APIError
        from langchain_google_genai.chat_models import ChatGoogleGenerativeAIError

        return ChatGoogleGenerativeAIError, APIError, httpx.HTTPError

    def _keep_body(self, response: httpx.Response) -> None:
        """Keep the body of this thread's call: the client drops it when it holds no candidates."""
        self._bodies.last = response.read()

    def _finish_reason(self, message: AIMessage) -> str:
        if stopped := super()._finish_reason(message):
            return stopped
        feedback = message.response_metadata.get("prompt_feedback")
        reason = feedback.get("block_reason") if isinstance(feedback, Mapping) else None
        if reason:
            return str(getattr(reason, "value", reason))
        # The client takes an empty body, or a proxy's own JSON, for an answer without candidates.
        return NO_CANDIDATES if _is_answer(self._bodies.last) else ""

    def _facts(self, error: Exception) -> tuple[int | None, str, float | None]:
        cause = _with_status(error)
        details = getattr(cause, "details", None)
        return getattr(cause, "code", None), said_in(details), _retry_delay(details)


def _least_thinking(client: ChatGoogleGenerativeAI) -> dict[str, Any]:
    for family, budget in _LOWEST_BUDGETS.items():
        if family in client.model:
            return {"thinking_budget": budget}
    effort = lowest_effort(client)
    return {"reasoning_effort": effort} if effort else {}


def _is_answer(body: bytes) -> bool:
    """Whether Gemini itself wrote this body: nobody else counts its tokens."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, Mapping) and isinstance(document.get("usageMetadata"), Mapping)


def _with_status(error: BaseException | None) -> BaseException | None:
    while error is not None and getattr(error, "code", None) is None:
        error = error.__cause__
    return error


def _retry_delay(details: object) -> float | None:
    """Return the delay in seconds that google.rpc.RetryInfo asks for, None without one."""
    inner = details.get("error") if isinstance(details, Mapping) else None
    parts = inner.get("details") if isinstance(inner, Mapping) else None
    delays = (
        seconds(str(part.get("retryDelay", "")))
        for part in (parts if isinstance(parts, list) else ())
        if isinstance(part, Mapping)
    )
    return next((delay for delay in delays if delay is not None), None)
