"""What can be chosen on the screen and is kept in the workspace; the environment gives the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from core.creator import patient_limits
from core.proposals import DEFAULT_TEMPLATE, Limits, PromptTemplate, Proposer, RulesProposer
from core.proposals.providers import PROVIDERS, Provider, make_proposer
from core.proposals.rules import SOURCE as RULES
from core.settings import get_settings
from pages._shared.services import workspace

PROMPT = "prompt_template"
PROVIDER = "provider"


def model_name(provider: str) -> str:
    """Return the name under which the model of a provider is kept."""
    return f"{provider}_model"


# --- who is asked -----------------------------------------------------------------------------


def chosen_provider() -> Provider:
    """Return the provider of the settings page, else that of the environment."""
    kept = workspace().preference(PROVIDER, "")
    return PROVIDERS.get(kept) or PROVIDERS[get_settings().provider]


def chosen_model(provider: Provider) -> str:
    """Return the model that this provider is asked for."""
    settings = get_settings()
    # The model of the environment is meant for the provider of the environment.
    of_environment = settings.model if provider.name == settings.provider else None
    return workspace().preference(model_name(provider.name), "") or of_environment or provider.default_model


def proposers() -> dict[str, str]:
    """Return who can propose now, name -> label: the chosen provider, others with a key, the rules."""
    settings, chosen = get_settings(), chosen_provider()
    others = (item for item in PROVIDERS.values() if item != chosen and item.api_key)
    ready = [item for item in (chosen, *others) if item.ready(settings)]
    return {item.name: item.title for item in ready} | {RULES: RULES}


def proposer_named(name: str, template: PromptTemplate, model: str | None = None) -> Proposer:
    """Return a proposer; model: None = the chosen one. Raises DealweaverError when it cannot work."""
    if name == RULES:
        return RulesProposer()
    return make_proposer(name, get_settings(), template, model or chosen_model(PROVIDERS[name]))


def chosen_template() -> PromptTemplate:
    """Return the prompt of the settings page."""
    return PromptTemplate(workspace().preference(PROMPT, DEFAULT_TEMPLATE))


# --- how hard, how much -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit of proposing that can be set on the screen; 0 there means none.

    label: with its unit. most: largest value that makes sense.
    """

    label: str
    help: str
    read: Callable[[str], int | float]
    most: int | float
    least: int | float = 0
    step: int | float = 1


# Field of Limits -> its cap, in the order of the screen.
CAPS: Mapping[str, Cap] = {
    "workers": Cap("Calls at a time", "More are quicker, until the service refuses some.", int, 8, 1),
    "requests_per_minute": Cap(
        "Calls per minute",
        "The rate limit of your key. 0: not known, slow down when the service says so.",
        int,
        10_000,
    ),
    "max_calls": Cap("Most calls", "Calls after which a run stops. 0: no limit.", int, 1_000_000),
    "max_tokens": Cap(
        "Most tokens", "Tokens, read and written, after which a run stops. 0: no limit.", int, 1_000_000_000
    ),
    "max_usd": Cap(
        "Most US dollars",
        "Estimated cost after which a run stops. 0: no limit. Needs a model whose price is known.",
        float,
        100_000.0,
        step=0.5,
    ),
}


def chosen_limits() -> Limits:
    """Return how hard a run of the app tries and what it may use."""
    limits = patient_limits(get_settings())
    return replace(limits, **{name: _cap(name, getattr(limits, name)) for name in CAPS})


def _cap(name: str, default: int | float | None) -> int | float | None:
    kept = workspace().preference(name, "")
    if not kept:
        return default
    value = CAPS[name].read(kept)
    return None if not value and name.startswith("max_") else value


def save_caps(values: Mapping[str, int | float]) -> None:
    """Keep limits; one that is what the environment says is not kept, so that it follows it."""
    default = patient_limits(get_settings())
    for name, value in values.items():
        same = value == (getattr(default, name) or 0)
        workspace().set_preference(name, None if same else str(CAPS[name].read(str(value))))
