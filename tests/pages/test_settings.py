"""Settings: the key stays secret, a prompt is checked before it is kept, limits hold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from core.proposals import DEFAULT_TEMPLATE
from core.proposals.providers import PROVIDERS
from core.storage import Workspace
from pages._shared.preferences import chosen_limits
from tests.fakes.chat_services import FakeChatServices
from tests.fakes.gemini import FakeGemini
from tests.pages.conftest import (
    PICTURE,
    assert_healthy,
    assert_no_live_markdown,
    click,
    go,
    open_page,
    said,
    screen,
    watch_job,
    words,
)

KEY = "AIza-canary-of-the-settings-9876543210"


@pytest.fixture
def gemini(configure: Callable[..., None]) -> Iterator[FakeGemini]:
    """The fake service, and a key that it accepts."""
    with FakeGemini(api_key=KEY) as server:
        configure(GEMINI_API_KEY=KEY, DEALWEAVER_GEMINI_BASE_URL=server.url)
        yield server


def save_prompt(app: AppTest, text: str) -> AppTest:
    app.text_area(key="prompt_text").set_value(text)
    return click(app, "Save prompt")


# --- the key ----------------------------------------------------------------------------------


def test_without_a_key_the_page_says_how_to_set_one() -> None:
    app = open_page("settings")
    assert_healthy(app)
    assert "No key is set" in words(app)
    assert "GEMINI_API_KEY" in words(app)
    assert next(button for button in app.button if button.label == "Test the key").disabled


def test_a_key_is_tested_but_never_shown(gemini: FakeGemini) -> None:
    app = open_page("settings")
    assert "A key is set." in words(app)
    click(app, "Test the key")
    assert_healthy(app)
    assert said(app, "success") == ["The key works: gemini-2.5-flash answered."]
    assert len(gemini.calls) == 1
    assert KEY not in screen(app)
    assert KEY not in str(app.session_state.to_dict())


def test_a_refused_key_gives_one_sentence(gemini: FakeGemini) -> None:
    gemini.api_key = "another"
    app = click(open_page("settings"), "Test the key")
    assert_healthy(app)
    assert said(app, "error") == [
        "The test call failed: Gemini refused the key: check GEMINI_API_KEY and its permissions."
    ]
    assert KEY not in screen(app)


@pytest.mark.usefixtures("gemini")
def test_the_name_of_a_model_is_shown_not_run() -> None:
    app = open_page("settings")
    app.text_input(key="model_name_gemini").set_value(PICTURE)
    click(app, "Save model")
    assert_healthy(app)
    assert said(app, "success") == [f"Saved: model {PICTURE}."]
    assert_no_live_markdown(app)


def test_the_saved_model_is_the_one_that_is_asked(clustered: str, gemini: FakeGemini) -> None:
    app = open_page("settings", clustered)
    app.text_input(key="model_name_gemini").set_value("gemini-3.5-flash-lite")
    click(app, "Save model")
    assert said(app, "success") == ["Saved: model gemini-3.5-flash-lite."]
    watch_job(click(go(app, "packages"), "Propose for 6"), clustered)
    assert {call.model for call in gemini.calls} == {"gemini-3.5-flash-lite"}
    go(app, "settings")
    app.text_input(key="model_name_gemini").set_value(" ")
    click(app, "Save model")
    assert said(app, "success") == ["Saved: model gemini-2.5-flash."]


# --- the prompt -------------------------------------------------------------------------------


def test_a_prompt_without_its_placeholder_is_refused_by_name() -> None:
    app = save_prompt(open_page("settings"), "Please group these deals.")
    assert_healthy(app)
    (sentence, *preview) = said(app, "error")
    assert sentence.startswith("Not saved. ")
    assert "{enriched_deals}" in sentence
    assert all("{enriched_deals}" in text for text in preview)
    assert go(open_page("settings"), "settings").text_area(key="prompt_text").value == DEFAULT_TEMPLATE


def test_a_saved_prompt_is_kept_and_sent(clustered: str, gemini: FakeGemini) -> None:
    app = save_prompt(open_page("settings", clustered), "Buyers like short names.\n{enriched_deals}")
    assert_healthy(app)
    assert said(app, "success") == ["Saved: the prompt."]
    later = open_page("settings", clustered)  # another session
    assert later.text_area(key="prompt_text").value == "Buyers like short names.\n{enriched_deals}"
    watch_job(click(go(later, "packages"), "Propose for 6"), clustered)
    assert "Buyers like short names." in gemini.calls[0].prompt + gemini.calls[0].system


def test_the_prompt_can_be_reset() -> None:
    app = save_prompt(open_page("settings"), "Mine. {enriched_deals}")
    click(app, "Reset to the original")
    assert_healthy(app)
    assert app.text_area(key="prompt_text").value == DEFAULT_TEMPLATE
    assert open_page("settings").text_area(key="prompt_text").value == DEFAULT_TEMPLATE


# --- providers and limits ---------------------------------------------------------------------


def choose_provider(app: AppTest, name: str) -> AppTest:
    app.selectbox(key="provider").set_value(name)
    return app.run()


def test_another_provider_can_be_asked(clustered: str, configure: Callable[..., None]) -> None:
    with FakeChatServices(api_key=KEY) as server:
        configure(OPENAI_API_KEY=KEY, DEALWEAVER_OPENAI_BASE_URL=server.base_url("openai"))
        app = choose_provider(open_page("settings", clustered), "openai")
        assert_healthy(app)
        assert said(app, "success") == ["Saved: OpenAI is asked from now on."]
        click(app, "Test the key")
        assert said(app, "success") == [f"The key works: {PROVIDERS['openai'].default_model} answered."]
        asked = len(server.calls)
        go(app, "packages")
        assert app.selectbox(key="proposer").options == ["OpenAI", "Rules (no AI)"]
        assert "go to OpenAI." in words(app)
        watch_job(click(app, "Propose for 6"), clustered)
        assert len(server.calls) == asked + 6
        assert KEY not in screen(app)
    assert open_page("settings").selectbox(key="provider").value == "openai"


@pytest.mark.parametrize(
    ("name", "part"),
    [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY"), ("ollama", "needs no key")],
)
def test_each_provider_says_what_it_needs(name: str, part: str) -> None:
    app = choose_provider(open_page("settings"), name)
    assert_healthy(app)
    assert part in words(app)


def test_a_missing_library_gives_its_install_line(clustered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_anthropic", None)
    app = choose_provider(open_page("settings", clustered), "anthropic")
    assert_healthy(app)
    assert 'pip install "dealweaver[anthropic]"' in [code.value for code in app.code]
    assert next(button for button in app.button if button.label == "Test the key").disabled
    assert "Anthropic lacks its library" in words(go(app, "packages"))


def test_limits_are_kept_and_zero_means_none(store: Workspace, configure: Callable[..., None]) -> None:
    configure(DEALWEAVER_MAX_CALLS="50")
    app = open_page("settings")
    assert app.number_input(key="cap_max_calls").value == 50
    app.number_input(key="cap_max_calls").set_value(0)
    app.number_input(key="cap_max_usd").set_value(1.5)
    app.number_input(key="cap_workers").set_value(3)
    click(app, "Save limits")
    assert_healthy(app)
    assert said(app, "success") == ["Saved: the limits."]
    limits = chosen_limits()
    assert (limits.max_calls, limits.max_usd, limits.workers, limits.max_tokens) == (None, 1.5, 3, None)
    again = open_page("settings")
    assert again.number_input(key="cap_max_calls").value == 0
    again.number_input(key="cap_max_calls").set_value(50)
    click(again, "Save limits")
    assert store.preference("max_calls", "follows the environment") == "follows the environment"


def test_the_app_tries_as_hard_as_it_says() -> None:
    app = open_page("settings")
    limits = chosen_limits()
    assert (limits.transport_attempts, limits.content_attempts) == (4, 2)
    assert (limits.call_timeout_s, limits.cluster_deadline_s) == (45, 180)
    assert "up to 4 times when calls fail on the way, 2 times" in words(app)
