"""Anthropic's messages over the LangChain client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.proposals.proposal import AskContext
from core.proposals.service import LangChainService, answer_schema, lowest_effort, takes_temperature

if TYPE_CHECKING:
    from langchain_anthropic import ChatAnthropic

# The service wants a limit (tokens); twelve packages of fifteen deals take 3,000, thinking more.
_MOST_OUTPUT = 16_000


class AnthropicService(LangChainService["ChatAnthropic"]):
    """Anthropic."""

    name = "Anthropic"
    key_name = "ANTHROPIC_API_KEY"

    def _build(self, model: str) -> ChatAnthropic:
        from anthropic import Anthropic, DefaultHttpxClient
        from langchain_anthropic import ChatAnthropic

        llm = ChatAnthropic(
            model=model,
            api_key=self._key,
            base_url=self._base_url,
            max_retries=0,
            timeout=self._timeout_s,
            max_tokens=_MOST_OUTPUT,
        )
        # Its own client follows redirects, and cannot be told not to.
        llm._client = Anthropic(
            api_key=self._key.get_secret_value(),
            base_url=self._base_url,
            max_retries=0,
            timeout=self._timeout_s,
            http_client=DefaultHttpxClient(follow_redirects=False, timeout=self._timeout_s),
        )
        return llm

    def _options(self, client: ChatAnthropic, context: AskContext) -> dict[str, Any]:
        if context.plain:
            return {}
        sampling = {"temperature": self._temperature} if takes_temperature(client) else {}
        effort = lowest_effort(client) if context.effort == "minimal" else None
        form = {"format": {"type": "json_schema", "schema": answer_schema()}}
        return {**sampling, "output_config": {**form, **({"effort": effort} if effort else {})}}

    def _failures(self) -> tuple[type[Exception], ...]:
        import httpx2
        from anthropic import AnthropicError

        return AnthropicError, httpx2.HTTPError
