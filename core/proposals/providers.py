"""The services that can be asked for proposals, as a table; their libraries load when one is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, get_args

from pydantic import SecretStr

from core.errors import ProviderMissing, SettingError
from core.proposals.anthropic_service import AnthropicService
from core.proposals.chat import ModelProposer
from core.proposals.gemini import GeminiService
from core.proposals.ollama_service import OllamaService
from core.proposals.openai_service import OpenAIService
from core.proposals.prompt import PromptTemplate
from core.proposals.service import LangChainService
from core.settings import (
    APP_CALL_TIMEOUT_S,
    GEMINI_MODEL,
    GEMINI_SUCCESSOR,
    TEMPERATURE,
    ProviderName,
    Settings,
)


@dataclass(frozen=True, slots=True)
class Provider:
    """One service.

    title: what an analyst calls it. extra: the extra of this project that brings its library,
        None when the plain install does. module: the library. service: class that asks it.
    default_model: asked when none is chosen; successor: asked when the default is gone.
    api_key, base_url: where the settings hold them; None when no key is needed.
    """

    name: ProviderName
    title: str
    extra: str | None
    module: str
    default_model: str
    service: type[LangChainService[Any]]
    base_url: Callable[[Settings], str]
    api_key: Callable[[Settings], SecretStr | None] | None = None
    successor: str | None = None

    @property
    def install(self) -> str:
        """The command that installs its library."""
        return f'pip install "dealweaver[{self.extra}]"' if self.extra else "pip install dealweaver"

    @property
    def installed(self) -> bool:
        """Whether its library is there; nothing is loaded to find out."""
        return find_spec(self.module) is not None

    def ready(self, settings: Settings) -> bool:
        """Whether it can be asked: its library is there, and its key, if it needs one, is set."""
        return self.installed and (self.api_key is None or self.api_key(settings) is not None)


_TABLE = (
    Provider(
        "gemini",
        "Gemini",
        None,
        "langchain_google_genai",
        GEMINI_MODEL,
        GeminiService,
        lambda settings: settings.gemini_base_url,
        lambda settings: settings.gemini_api_key,
        GEMINI_SUCCESSOR,
    ),
    Provider(
        "openai",
        "OpenAI",
        "openai",
        "langchain_openai",
        "gpt-5.4-mini",
        OpenAIService,
        lambda settings: settings.openai_base_url,
        lambda settings: settings.openai_api_key,
    ),
    Provider(
        "anthropic",
        "Anthropic",
        "anthropic",
        "langchain_anthropic",
        "claude-haiku-4-5",
        AnthropicService,
        lambda settings: settings.anthropic_base_url,
        lambda settings: settings.anthropic_api_key,
    ),
    Provider(
        "ollama",
        "Ollama",
        "ollama",
        "langchain_ollama",
        "qwen3:8b",
        OllamaService,
        lambda settings: settings.ollama_base_url,
    ),
)
PROVIDERS: Mapping[str, Provider] = MappingProxyType({provider.name: provider for provider in _TABLE})


def make_proposer(
    name: str,
    settings: Settings,
    template: PromptTemplate,
    model: str | None = None,
    *,
    temperature: float = TEMPERATURE,
    timeout_s: float = APP_CALL_TIMEOUT_S,
) -> ModelProposer:
    """Return a proposer that asks this provider; `model` None or "" is the provider's default.

    Raises SettingError for an unknown name, ProviderMissing without the library, and
    FatalProposalError without a usable key.
    """
    provider = PROVIDERS.get(name)
    if provider is None:
        raise SettingError(
            f"There is no provider {name!r}: choose one of {', '.join(get_args(ProviderName))}."
        )
    if not provider.installed:
        raise ProviderMissing(provider.title, provider.install)
    service = provider.service(
        provider.api_key(settings) if provider.api_key else None,
        base_url=provider.base_url(settings),
        temperature=temperature,
        timeout_s=timeout_s,
    )
    return ModelProposer(
        service, template, model=model or provider.default_model, successor=provider.successor
    )
