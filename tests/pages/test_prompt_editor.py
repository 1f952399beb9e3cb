"""The prompt's editor: preview of a cluster, what differs, versions that can be brought back."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from core.proposals import DEFAULT_TEMPLATE
from core.proposals.cost import tokens_in
from core.proposals.templates import template_id
from core.storage import Workspace
from tests.pages.conftest import (
    assert_healthy,
    click,
    open_page,
    said,
    small_clustering,
    small_deals,
    words,
)

MINE = "Short names, please.\n{enriched_deals}"


def write(app: AppTest, text: str) -> AppTest:
    app.text_area(key="prompt_text").set_value(text)
    return app.run()


def previewed(app: AppTest) -> str:
    """Return the prompt of the preview: the one code block that holds a table of deals."""
    (shown,) = [code.value for code in app.code if code.value.count("|") > 20]
    return shown


def diffs(app: AppTest) -> list[str]:
    return [code.value for code in app.code if code.language == "diff"]


def test_without_a_run_invented_deals_stand_in_the_preview() -> None:
    app = open_page("settings")
    assert_healthy(app)
    assert "Five invented deals stand in for a cluster." in words(app)
    assert "Auto CTV East" in previewed(app)


def test_the_preview_shows_what_the_chosen_cluster_sends(clustered: str) -> None:
    app = open_page("settings", clustered)
    assert_healthy(app)
    before = previewed(app)
    assert "{enriched_deals}" not in before
    box = next(item for item in app.selectbox if item.label == "Cluster")
    box.set_value(small_clustering().clusters[2].id)
    shown = previewed(app.run())
    member = small_deals().deals[small_clustering().clusters[2].members[0]]
    assert shown != before
    assert member.deal_name
    assert member.deal_name in shown


def test_the_preview_counts_tokens_and_follows_the_text_before_it_is_saved(store: Workspace) -> None:
    app = write(open_page("settings"), MINE)
    assert "Short names, please." in previewed(app)
    assert f"tokens; {tokens_in(MINE)} of them are your text." in words(app)
    assert store.templates() == ()


def test_a_changed_text_shows_what_differs_until_it_is_saved() -> None:
    app = write(open_page("settings"), f"{DEFAULT_TEMPLATE}Never use the word Bundle.\n")
    assert "Not saved" in words(app)
    assert diffs(app)
    assert all("+Never use the word Bundle." in diff for diff in diffs(app))
    click(app, "Save prompt")
    assert_healthy(app)
    assert "Not saved" not in words(app)


def test_a_text_without_its_placeholder_shows_no_preview_and_is_not_saved(store: Workspace) -> None:
    app = write(open_page("settings"), "Group them.")
    assert_healthy(app)
    assert "{enriched_deals}" in said(app, "error")[0]
    click(app, "Save prompt")
    assert said(app, "error")[0].startswith("Not saved. ")
    assert store.templates() == ()


def test_every_saved_prompt_is_a_version_that_can_be_brought_back(store: Workspace) -> None:
    app = click(write(open_page("settings"), MINE), "Save prompt")
    click(write(app, f"{MINE}\nBe brief."), "Save prompt")
    assert [version.text for version in store.templates()] == [f"{MINE}\nBe brief.", MINE]
    box = next(item for item in app.selectbox if item.label == "Version")
    assert box.options[0].startswith("Prompt 2 · ")
    assert box.options[0].endswith("in use")
    assert box.options[-1] == "The original"
    box.set_value(template_id(MINE))
    app.run()
    assert any("+Be brief." in diff for diff in diffs(app))
    click(app, "Put it into the box")
    assert_healthy(app)
    assert app.text_area(key="prompt_text").value == MINE
    click(app, "Save prompt")
    assert store.templates()[0].text == MINE
