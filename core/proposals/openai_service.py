"""OpenAI's chat completions, and whatever speaks them, over the LangChain client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.proposals.proposal import AskContext
from core.proposals.service import LangChainService, answer_schema, lowest_effort, takes_temperature

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage
    from langchain_openai import ChatOpenAI


class OpenAIService(LangChainService["ChatOpenAI"]):
    """OpenAI."""

    name = "OpenAI"
    key_name = "OPENAI_API_KEY"

    def _build(self, model: str) -> ChatOpenAI:
        from langchain_openai import ChatOpenAI
        from openai import DefaultHttpxClient

        return ChatOpenAI(
            model=model,
            api_key=self._key,
            base_url=self._base_url,
            max_retries=0,
            timeout=self._timeout_s,
            http_client=DefaultHttpxClient(follow_redirects=False, timeout=self._timeout_s),
            # OPENAI_PROXY and LC_OUTPUT_VERSION would change where and how it asks.
            openai_proxy=None,
            use_responses_api=False,
        )

    def _options(self, client: ChatOpenAI, context: AskContext) -> dict[str, Any]:
        if context.plain:
            return {}
        sampling = {"temperature": self._temperature} if takes_temperature(client) else {}
        effort = lowest_effort(client) if context.effort == "minimal" else None
        # In the extra body, because under its own name the library parses the answer, and raises
        # instead of returning one that was cut.
        form = {"name": "packages", "strict": True, "schema": answer_schema()}
        body = {"response_format": {"type": "json_schema", "json_schema": form}}
        return {**sampling, **({"reasoning_effort": effort} if effort else {}), "extra_body": body}

    def _failures(self) -> tuple[type[Exception], ...]:
        import httpx2
        from openai import OpenAIError

        return OpenAIError, httpx2.HTTPError

    def _finish_reason(self, message: AIMessage) -> str:
        """Return why the model stopped; a refusal comes beside the reason "stop"."""
        return "refusal" if message.additional_kwargs.get("refusal") else super()._finish_reason(message)
