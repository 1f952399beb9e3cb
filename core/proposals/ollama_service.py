"""A model on this machine, or in the house, served by Ollama over the LangChain client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.errors import ModelGone
from core.proposals.prompt import ANSWER_SCHEMA, Prompt
from core.proposals.proposal import AskContext, Reply
from core.proposals.service import LangChainService

if TYPE_CHECKING:
    import httpx
    from langchain_ollama import ChatOllama

# Ollama cuts a longer prompt without a word, and its own default (4,096 tokens) is too short for
# 25 deals with long names and their answer.
_CONTEXT_TOKENS = 16_384
_BROKE_OFF = 500


class OllamaService(LangChainService["ChatOllama"]):
    """Ollama; it needs no key."""

    name = "Ollama"
    key_name = None

    def ask(self, prompt: Prompt, model: str, context: AskContext) -> Reply:
        """Send the prompt once; a model that is not there yet can be fetched."""
        try:
            return super().ask(prompt, model, context)
        except ModelGone as gone:
            raise ModelGone(f'{gone} Fetch it with "ollama pull {model}".') from None

    def _build(self, model: str) -> ChatOllama:
        from langchain_ollama import ChatOllama

        return ChatOllama(
            model=model,
            base_url=self._base_url,
            temperature=self._temperature,
            num_ctx=_CONTEXT_TOKENS,
            client_kwargs={"follow_redirects": False, "timeout": self._timeout_s},
            sync_client_kwargs={"event_hooks": {"request": [_without_foreign_key]}},
        )

    def _options(self, client: ChatOllama, context: AskContext) -> dict[str, Any]:  # noqa: ARG002
        if context.plain:
            return {}
        # Without thinking at all: a small model has no levels.
        return {"format": ANSWER_SCHEMA, **({"reasoning": False} if context.effort == "minimal" else {})}

    def _failures(self) -> tuple[type[Exception], ...]:
        import httpx
        from ollama import RequestError, ResponseError

        return RequestError, ResponseError, httpx.HTTPError

    def _facts(self, error: Exception) -> tuple[int | None, str, float | None]:
        """Return HTTP status and words; an error in the middle of an answer has no status of its own."""
        from ollama import ResponseError

        if not isinstance(error, ResponseError):
            return None, "", None
        return error.status_code if error.status_code > 0 else _BROKE_OFF, error.error, None


def _without_foreign_key(request: httpx.Request) -> None:
    """Take out the key that the library finds in OLLAMA_API_KEY: nobody asked to send it here."""
    if request.headers.get("Authorization", "").startswith("Bearer "):
        del request.headers["Authorization"]
