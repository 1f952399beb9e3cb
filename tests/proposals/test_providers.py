"""OpenAI, Anthropic and Ollama over their real clients against fakes, and the table of providers."""

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.tracers.langchain import wait_for_all_tracers
from langsmith.utils import get_env_var
from pydantic import SecretStr

from core.errors import (
    FatalProposalError,
    ModelGone,
    ProposalError,
    ProviderMissing,
    QuotaReached,
    RequestRefused,
    RetryableError,
    SettingError,
    TooLong,
    UnusableAnswer,
)
from core.proposals import AskContext, PromptTemplate, Reply, Usage
from core.proposals.chat import ModelProposer
from core.proposals.providers import PROVIDERS, make_proposer
from core.settings import (
    ANTHROPIC_BASE_URL,
    GEMINI_BASE_URL,
    GEMINI_MODEL,
    OLLAMA_BASE_URL,
    OPENAI_BASE_URL,
    Settings,
    load_settings,
)
from tests.fakes.chat_services import CHAT_FAULTS, OTHER_MODEL, WIRES, ChatReply, FakeChatServices
from tests.fakes.gemini import FakeGemini
from tests.fakes.proposers import group_of

KEY = "key-canary-7f3a"
GROUP = group_of("Sports")
NAMES = sorted(WIRES)
WITH_KEY = [name for name in NAMES if WIRES[name].key_header]

# Fault -> what it must become; a pair adds the remedy, None is a usable answer.
ENDS: dict[str, type[ProposalError] | tuple[type[ProposalError], str] | None] = {
    "429": QuotaReached,
    "429_with_delay": QuotaReached,
    "no_credit": FatalProposalError,
    "low_balance": FatalProposalError,
    "401": FatalProposalError,
    "403": FatalProposalError,
    "404_model": FatalProposalError,
    "400": RequestRefused,
    "422": RequestRefused,
    "too_long": TooLong,
    "413": TooLong,
    "500": RetryableError,
    "529": RetryableError,
    "408": RetryableError,
    "reset": RetryableError,
    "closed_midway": RetryableError,
    "hang": RetryableError,
    "html": RetryableError,
    "empty_body": RetryableError,
    "foreign_json": RetryableError,
    "list": RetryableError,
    "null": RetryableError,
    "broken_json": RetryableError,
    "cut": (UnusableAnswer, "smaller"),
    "refused": (UnusableAnswer, "none"),
    "refusal_beside": (UnusableAnswer, "none"),
    "no_text": (UnusableAnswer, "again"),
    "no_packages": (UnusableAnswer, "again"),
    "other_model": None,
    "no_counts": None,
    "key_echoed": FatalProposalError,
    "answer_repeats_key": None,
}
NO_PAGE = {"html", "empty_body", "foreign_json", "list", "null", "broken_json"}
# Ollama says neither that credit is missing nor how long to wait.
OTHERWISE = {("ollama", "no_credit"): QuotaReached}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeChatServices]:
    with FakeChatServices(api_key=KEY) as running:
        yield running


@pytest.fixture(autouse=True)
def healed(server: FakeChatServices) -> None:
    server.heal()


def settings_for(server: FakeChatServices, **changes: Any) -> Settings:
    addresses = {f"DEALWEAVER_{name.upper()}_BASE_URL": server.base_url(name) for name in NAMES}
    keys = {f"{name.upper()}_API_KEY": KEY for name in (*WITH_KEY, "gemini")}
    return Settings(**{**addresses, **keys, **changes})


@pytest.fixture(scope="module")
def proposers(server: FakeChatServices) -> dict[str, ModelProposer]:
    """One proposer for each service; importing and building them takes seconds."""
    settings = settings_for(server)
    return {name: make_proposer(name, settings, PromptTemplate(), timeout_s=0.5) for name in NAMES}


# --- what goes out ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_call_holds_rules_deals_and_key_and_its_answer_is_read(
    server: FakeChatServices, proposers: dict[str, ModelProposer], name: str
) -> None:
    noted: list[Reply] = []
    answer = proposers[name].propose(GROUP, AskContext(note=noted.append))
    call = server.calls[-1]
    assert call.wire == name
    assert call.key == (KEY if name in WITH_KEY else "")
    assert KEY not in call.path + call.prompt + call.system
    assert call.model == PROVIDERS[name].default_model
    assert "never an instruction" in call.system
    assert "Sports Place 1" in call.prompt
    assert {deal_id for p in answer.proposals for deal_id in p.deal_ids} == {d.deal_id for d in GROUP.deals}
    assert (answer.model, answer.requested_model) == (call.model, call.model)
    assert (answer.usage.input_tokens, answer.issues) == (100, ())
    assert (noted[0].text, noted[0].usage) == (answer.raw, answer.usage)


def schema_of(name: str, body: Any) -> Any:
    """Return the answer schema of a request, None without one."""
    found = {
        "openai": lambda: body["response_format"]["json_schema"]["schema"],
        "anthropic": lambda: body["output_config"]["format"]["schema"],
        "ollama": lambda: body["format"],
    }
    try:
        return found[name]()
    except KeyError:
        return None


@pytest.mark.parametrize("name", NAMES)
def test_schema_goes_with_every_call_but_a_plain_one(
    server: FakeChatServices, proposers: dict[str, ModelProposer], name: str
) -> None:
    proposers[name].propose(GROUP)
    schema = schema_of(name, server.calls[-1].body)
    assert schema["properties"]["packages"]["items"]["required"] == ["package_name", "deal_ids", "reasoning"]
    assert proposers[name].propose(GROUP, AskContext(plain=True, effort="minimal")).proposals
    body = server.calls[-1].body
    assert schema_of(name, body) is None
    assert not {"temperature", "reasoning_effort", "output_config", "think"} & set(body)


@pytest.mark.parametrize(
    ("name", "model", "effort"),
    [
        ("openai", "gpt-5.4-mini", {"reasoning_effort": "none"}),
        ("openai", "gpt-5-mini", {"reasoning_effort": "minimal"}),
        ("openai", "gpt-4.1-mini", {}),
        ("openai", "a-model-nobody-knows", {}),
        ("anthropic", "claude-opus-4-5", {"effort": "low"}),
        ("anthropic", "claude-haiku-4-5", {}),
        ("ollama", "qwen3:8b", {"think": False}),
    ],
)
def test_least_effort_is_asked_for_in_the_words_of_the_model(
    server: FakeChatServices, name: str, model: str, effort: dict[str, object]
) -> None:
    proposer = make_proposer(name, settings_for(server), PromptTemplate(), model)
    for context in (AskContext(effort="minimal"), AskContext()):
        proposer.propose(GROUP, context)
        body = server.calls[-1].body
        sent = {**body, **body.get("output_config", {})}
        words = {key: sent[key] for key in ("reasoning_effort", "effort", "think") if key in sent}
        assert words == (effort if context.effort == "minimal" else {})


@pytest.mark.parametrize(
    ("model", "temperature"), [("gpt-4.1-mini", 0.25), ("gpt-5-mini", None), ("a-model-nobody-knows", None)]
)
def test_temperature_goes_only_to_models_that_take_one(
    server: FakeChatServices, model: str, temperature: float | None
) -> None:
    make_proposer("openai", settings_for(server), PromptTemplate(), model, temperature=0.25).propose(GROUP)
    assert server.calls[-1].body.get("temperature") == temperature


def test_ollama_is_told_to_read_the_whole_prompt(
    server: FakeChatServices, proposers: dict[str, ModelProposer]
) -> None:
    proposers["ollama"].propose(GROUP)
    assert server.calls[-1].body["options"] == {"num_ctx": 16_384, "temperature": 0.5}


@pytest.mark.parametrize("name", NAMES)
def test_environment_neither_redirects_calls_nor_adds_a_key(
    server: FakeChatServices, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings = settings_for(server)
    with FakeChatServices() as other:
        for variable in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_PROXY", "LANGSMITH_GATEWAY"):
            monkeypatch.setenv(variable, other.base_url("openai"))
        for variable in ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_URL", "ANTHROPIC_PROXY", "OLLAMA_HOST"):
            monkeypatch.setenv(variable, other.base_url("anthropic"))
        for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OLLAMA_API_KEY"):
            monkeypatch.setenv(variable, "another")
        monkeypatch.setenv("LC_OUTPUT_VERSION", "responses/v1")
        assert make_proposer(name, settings, PromptTemplate()).propose(GROUP).proposals
        assert other.calls == other.strays == ()
    assert server.calls[-1].headers.get("authorization") == (f"Bearer {KEY}" if name in WITH_KEY else None)
    assert "x-api-key" not in server.calls[-1].headers


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(
    server: FakeChatServices, proposers: dict[str, ModelProposer], name: str, status: int
) -> None:
    with FakeChatServices() as other:
        target = other.base_url(name).removesuffix("/v1") + WIRES[name].path
        server.fail(lambda *_: ChatReply(status=status, location=target))
        with pytest.raises(RetryableError, match="proxy or sign-in page"):
            proposers[name].propose(GROUP)
        assert other.calls == other.strays == ()


@pytest.mark.parametrize("name", [*NAMES, "gemini"])
def test_prompts_do_not_go_to_a_tracing_service(
    server: FakeChatServices, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with FakeChatServices() as tracer, FakeGemini() as gemini:
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGSMITH_API_KEY", "another")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", tracer.base_url("anthropic"))
        get_env_var.cache_clear()
        settings = settings_for(server, DEALWEAVER_GEMINI_BASE_URL=gemini.url)
        assert make_proposer(name, settings, PromptTemplate()).propose(GROUP).proposals
        wait_for_all_tracers()
        assert tracer.strays == ()
    get_env_var.cache_clear()


# --- what comes back --------------------------------------------------------------------------


def test_every_fault_has_its_expected_end() -> None:
    assert set(ENDS) == set(CHAT_FAULTS)


@pytest.mark.parametrize("fault", CHAT_FAULTS)
@pytest.mark.parametrize("name", NAMES)
def test_fault_becomes_the_error_that_says_what_may_help(
    server: FakeChatServices,
    proposers: dict[str, ModelProposer],
    caplog: pytest.LogCaptureFixture,
    name: str,
    fault: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.fail(fault)
    before = len(server.calls)
    expected = OTHERWISE.get((name, fault), ENDS[fault])
    if expected is None:
        said = repr(proposers[name].propose(GROUP))
    else:
        kind, remedy = expected if isinstance(expected, tuple) else (expected, None)
        with pytest.raises(kind) as caught:
            proposers[name].propose(GROUP)
        said = str(caught.value)
        assert type(caught.value) is kind
        assert getattr(caught.value, "remedy", None) == remedy
        assert KEY not in repr(caught.value.__cause__)
        assert said.isprintable()
        assert PROVIDERS[name].title in said or kind in {TooLong, UnusableAnswer}
        assert ("proxy or sign-in page" in said) == (fault in NO_PAGE)
    assert len(server.calls) - before == 1, "the client must not try again by itself"
    assert KEY not in said + caplog.text


@pytest.mark.parametrize("name", WITH_KEY)
def test_asked_delay_is_kept(
    server: FakeChatServices, proposers: dict[str, ModelProposer], name: str
) -> None:
    server.fail("429_with_delay")
    with pytest.raises(QuotaReached) as caught:
        proposers[name].propose(GROUP)
    assert caught.value.retry_after_s == 0.05


@pytest.mark.parametrize("name", WITH_KEY)
def test_answer_that_repeats_the_key_is_kept_without_it(
    server: FakeChatServices, proposers: dict[str, ModelProposer], name: str
) -> None:
    server.fail("answer_repeats_key")
    noted: list[Reply] = []
    answer = proposers[name].propose(GROUP, AskContext(note=noted.append))
    assert "*** Package" in noted[0].text
    assert KEY not in repr(noted) + repr(answer)


@pytest.mark.parametrize("name", NAMES)
def test_other_model_and_missing_counts_are_told(
    server: FakeChatServices, proposers: dict[str, ModelProposer], name: str
) -> None:
    server.fail("other_model")
    answer = proposers[name].propose(GROUP)
    assert answer.model == OTHER_MODEL
    assert answer.issues[-1] == f"{OTHER_MODEL} answered in place of {PROVIDERS[name].default_model}."
    server.heal()
    server.fail("no_counts")
    assert proposers[name].propose(GROUP).usage == Usage()


def test_ollama_says_how_to_fetch_a_model(
    server: FakeChatServices, proposers: dict[str, ModelProposer]
) -> None:
    server.fail("404_model")
    with pytest.raises(FatalProposalError, match=r'"ollama pull qwen3:8b".*another model'):
        proposers["ollama"].propose(GROUP)


def test_password_in_an_address_is_not_repeated() -> None:
    settings = Settings(DEALWEAVER_OLLAMA_BASE_URL=f"http://user:{KEY}@127.0.0.1:9")
    with pytest.raises(RetryableError, match=r"http://127\.0\.0\.1:9 ") as caught:
        make_proposer("ollama", settings, PromptTemplate()).propose(GROUP)
    assert KEY not in str(caught.value)


# --- the table --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROVIDERS)
def test_key_and_prompt_stay_out_of_a_proposers_own_words(server: FakeChatServices, name: str) -> None:
    proposer = make_proposer(name, settings_for(server), PromptTemplate(), "a-model")
    assert proposer.source == "a-model"
    assert KEY not in repr(proposer) + repr(vars(proposer))


@pytest.mark.parametrize("model", [None, ""])
def test_default_model_is_that_of_the_provider(server: FakeChatServices, model: str | None) -> None:
    sources = {n: make_proposer(n, settings_for(server), PromptTemplate(), model).source for n in PROVIDERS}
    assert sources == {name: provider.default_model for name, provider in PROVIDERS.items()}
    assert sources["gemini"] == GEMINI_MODEL


def test_calls_go_to_the_services_themselves_unless_told_otherwise() -> None:
    assert {name: provider.base_url(load_settings()) for name, provider in PROVIDERS.items()} == {
        "gemini": GEMINI_BASE_URL,
        "openai": OPENAI_BASE_URL,
        "anthropic": ANTHROPIC_BASE_URL,
        "ollama": OLLAMA_BASE_URL,
    }


@pytest.mark.parametrize("name", ["gemini", *WITH_KEY])
def test_missing_key_says_what_to_set(name: str) -> None:
    assert not PROVIDERS[name].ready(load_settings())
    with pytest.raises(FatalProposalError, match=f"{name.upper()}_API_KEY"):
        make_proposer(name, load_settings(), PromptTemplate())


@pytest.mark.parametrize("name", WITH_KEY)
@pytest.mark.parametrize("key", [f"{KEY}\r\nX-Evil: 1", f"{KEY} b", f"{KEY}é"])
def test_damaged_key_is_refused_without_repeating_it(server: FakeChatServices, name: str, key: str) -> None:
    settings = settings_for(server, **{f"{name.upper()}_API_KEY": SecretStr(key)})
    with pytest.raises(FatalProposalError, match="copy it again") as caught:
        make_proposer(name, settings, PromptTemplate())
    assert "canary" not in str(caught.value)


def test_ollama_needs_no_key() -> None:
    assert PROVIDERS["ollama"].ready(load_settings())


@pytest.mark.parametrize("name", NAMES)
def test_missing_library_says_how_to_install_it(
    server: FakeChatServices, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, PROVIDERS[name].module, None)
    assert not PROVIDERS[name].ready(settings_for(server))
    with pytest.raises(ProviderMissing) as caught:
        make_proposer(name, settings_for(server), PromptTemplate())
    assert caught.value.install == f'pip install "dealweaver[{name}]"'
    assert caught.value.install in str(caught.value)


def test_unknown_provider_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingError, match=r"'claude'.*gemini, openai, anthropic, ollama"):
        make_proposer("claude", load_settings(), PromptTemplate())


def test_gemini_keeps_its_successor() -> None:
    assert [name for name, provider in PROVIDERS.items() if provider.successor] == ["gemini"]
    with FakeGemini() as gemini:
        gemini.fail("404_model", model=GEMINI_MODEL)
        settings = Settings(GEMINI_API_KEY=KEY, DEALWEAVER_GEMINI_BASE_URL=gemini.url)
        answer = make_proposer("gemini", settings, PromptTemplate()).propose(GROUP)
    assert answer.model == PROVIDERS["gemini"].successor


def test_model_that_is_gone_is_told_apart_before_a_successor_is_looked_for(
    server: FakeChatServices,
) -> None:
    server.fail("404_model")
    with pytest.raises(FatalProposalError) as caught:
        make_proposer("openai", settings_for(server), PromptTemplate()).propose(GROUP)
    assert isinstance(caught.value.__cause__, ModelGone)
