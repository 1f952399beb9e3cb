"""Answers by cluster: who said what at which price, asked again, compared, and one of them kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from core.packages import Rename
from core.proposals import Outcome, Proposal, Usage
from core.storage import Workspace
from pages._packages.answers_panel import difference_in_words, facts_in_words
from tests.fakes.gemini import Call, FakeGemini, read_deals
from tests.pages.conftest import (
    PICTURE,
    assert_healthy,
    assert_no_live_markdown,
    click,
    open_page,
    said,
    screen,
    small_clustering,
    table,
    watch_job,
    words,
)

KEY = "AIza-canary-of-the-answers-4567890123"
FIRST = small_clustering().clusters[0].id


@pytest.fixture
def gemini(configure: Callable[..., None]) -> Iterator[FakeGemini]:
    """The fake service behind the app, and a key that it accepts."""
    with FakeGemini(api_key=KEY) as server:
        configure(GEMINI_API_KEY=KEY, DEALWEAVER_GEMINI_BASE_URL=server.url)
        yield server


@pytest.fixture
def answered(clustered: str, gemini: FakeGemini) -> str:
    """A run about all of whose clusters Gemini was asked once."""
    watch_job(click(open_page("packages", clustered), "Propose for 6"), clustered)
    assert len(gemini.calls) == 6
    return clustered


def one_package(call: Call) -> str:
    ids = [row["id"] for row in read_deals(call.prompt)]
    return json.dumps({"packages": [{"package_name": "Whole", "deal_ids": ids, "reasoning": "All alike."}]})


def open_answers(run_id: str, part: str | None = None) -> AppTest:
    app = open_page("packages", run_id)
    app.segmented_control(key="packages_view").set_value("Answers by cluster")
    app.run()
    return show(app, part) if part else app


def show(app: AppTest, part: str) -> AppTest:
    control = next(item for item in app.segmented_control if item.key.startswith("answer_part"))
    control.set_value(
        next(option.content for option in control.proto.options if option.content.startswith(part))
    )
    return app.run()


def test_the_answer_says_who_gave_it_and_what_it_took(answered: str) -> None:
    app = open_answers(answered)
    assert_healthy(app)
    shown = words(app)
    assert "Packages by gemini-2.5-flash · 1 call · " in shown
    assert "tokens read" in shown
    assert "answered in " in shown


def test_the_prompt_is_the_one_that_was_sent(answered: str, gemini: FakeGemini) -> None:
    app = open_answers(answered, "Prompt")
    assert "This is the text that was sent." in words(app)
    (code,) = app.code
    (sent,) = [call for call in gemini.calls if call.prompt.strip() in code.value]
    assert code.value.startswith(sent.system.strip())


def test_calls_are_listed_with_the_reply_as_it_came(answered: str, gemini: FakeGemini) -> None:
    app = open_answers(answered, "Calls")
    assert_healthy(app)
    calls = table(app, "Call").value
    assert calls["State"].tolist() == ["done"]
    assert calls["Answered"].tolist() == ["gemini-2.5-flash"]
    assert app.code[0].value in {exchange.text for exchange in gemini.history}
    assert KEY not in screen(app)


def test_a_failed_call_keeps_its_reply(clustered: str, gemini: FakeGemini) -> None:
    gemini.answer = lambda _: f"I cannot help with that {PICTURE}."
    watch_job(click(open_page("packages", clustered), "Propose for 6"), clustered)
    app = open_answers(clustered, "Calls")
    assert_healthy(app)
    assert_no_live_markdown(app)
    assert set(table(app, "Call").value["State"]) == {"failed"}
    assert app.code[0].value == f"I cannot help with that {PICTURE}."
    show(app, "Answer")
    assert "Packages by Rules (AI failed: " in words(app)


def test_rules_were_never_called(proposed: str) -> None:
    app = open_answers(proposed)
    assert "Packages by Rules (no AI)" in words(app)
    show(app, "Calls")
    assert said(app, "info") == ["No model was called about this cluster."]
    show(app, "Prompt")
    assert "No model was asked yet: this is what would be sent." in words(app)


def test_another_model_and_prompt_can_be_asked_and_compared(
    answered: str, gemini: FakeGemini, store: Workspace
) -> None:
    before = {package.id for package in store.packages(answered) if package.cluster_id == FIRST}
    gemini.answer = one_package
    app = open_answers(answered, "Ask again")
    app.text_input(key="again_model_gemini").set_value("gemini-3.5-flash-lite")
    app.selectbox(key="again_prompt").set_value("own")
    app.run()
    app.text_area(key="again_text").set_value("As few as possible.\n{enriched_deals}")
    app.run()
    assert "About 1 call" in words(app)
    watch_job(click(app, "Ask again about this cluster"), answered)
    last = gemini.calls[-1]
    assert len(gemini.calls) == 7
    assert last.model == "gemini-3.5-flash-lite"
    assert "As few as possible." in last.prompt
    assert store.outcomes(answered)[FIRST].model == "gemini-3.5-flash-lite"

    app = open_answers(answered, "Compare 2 answers")
    assert_healthy(app)
    sides = [box.options for box in app.selectbox if box.label in {"Answer", "Compared with"}]
    assert "gemini-3.5-flash-lite · prompt 2 · 1 package · in use" in sides[0][0]
    assert "gemini-2.5-flash · prompt 1" in sides[0][1]
    assert "packaged by both" in words(app)
    (button,) = [item for item in app.button if item.label == "Keep this one" and not item.disabled]
    button.click().run()
    assert_healthy(app)
    assert said(app, "success")[0].startswith("Saved: this answer counts")
    assert store.outcomes(answered)[FIRST].model == "gemini-2.5-flash"
    now = [package for package in store.packages(answered) if package.cluster_id == FIRST]
    assert len(now) == len(before)
    assert {package.source for package in now} == {"gemini-2.5-flash"}


def test_asking_again_asks_although_the_answer_is_kept_and_spares_edited_packages(
    answered: str, gemini: FakeGemini, store: Workspace
) -> None:
    mine = next(package for package in store.packages(answered) if package.cluster_id == FIRST)
    store.edit_packages(answered, {mine.id: mine.version}, [Rename("Mine")])
    watch_job(click(open_answers(answered, "Ask again"), "Ask again about this cluster"), answered)
    assert len(gemini.calls) == 7
    assert "Mine" in {package.name for package in store.packages(answered)}


def test_rules_can_be_asked_about_an_answered_cluster(
    answered: str, gemini: FakeGemini, store: Workspace
) -> None:
    app = open_answers(answered, "Ask again")
    app.selectbox(key="again_proposer").set_value("Rules (no AI)")
    app.run()
    assert not [item for item in app.text_input if item.label == "Model"]
    watch_job(click(app, "Ask again about this cluster"), answered)
    assert len(gemini.calls) == 6
    assert store.outcomes(answered)[FIRST].proposal_source == "Rules (no AI)"


def test_a_prompt_that_cannot_work_is_refused_before_anything_is_asked(
    answered: str, gemini: FakeGemini
) -> None:
    app = open_answers(answered, "Ask again")
    app.selectbox(key="again_prompt").set_value("own")
    app.run()
    app.text_area(key="again_text").set_value("Group them.")
    app.run()
    assert_healthy(app)
    assert "{enriched_deals}" in said(app, "error")[0]
    assert not [item for item in app.button if item.label.startswith("Ask again")]
    assert len(gemini.calls) == 6


def test_another_answering_model_is_named(clustered: str, gemini: FakeGemini) -> None:
    gemini.answering_model = "gemini-3.5-flash-lite"
    watch_job(click(open_page("packages", clustered), "Propose for 6"), clustered)
    app = open_answers(clustered)
    assert "gemini-2.5-flash was asked, gemini-3.5-flash-lite answered" in words(app)


# --- words ------------------------------------------------------------------------------------


def an_outcome(*groups: tuple[str, ...], **fields: object) -> Outcome:
    proposals = tuple(Proposal(f"P{n}", ids, "") for n, ids in enumerate(groups))
    return Outcome("c", ("A", "B", "C", "D"), "done", "m", proposals, **fields)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (an_outcome(("A",)), "Packages by m"),
        (an_outcome(), "No packages"),
        (an_outcome(("A",), attempts=2, usage=Usage(10, None), model="m", latency_s=1.25),
         "Packages by m · 2 calls · 10 tokens read · tokens unknown · answered in 1.2 s"),
        (an_outcome(("A",), attempts=1), "Packages by m · 1 call · tokens unknown"),
        (an_outcome(("A",), cached=True, latency_s=1.0), "Packages by m · a kept answer, no call"),
    ],
)  # fmt: skip
def test_what_an_answer_took_is_said_without_guessing(outcome: Outcome, expected: str) -> None:
    assert facts_in_words(outcome) == expected


def test_two_answers_differ_by_deals_and_packages() -> None:
    one, other = an_outcome(("A", "B"), ("C",)), an_outcome(("B", "A"), ("D",))
    assert difference_in_words(one, other) == (
        "1 package with the same deals, 2 deals packaged by both, 1 only on the left, 1 only on the right."
    )
