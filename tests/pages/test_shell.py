"""What surrounds every page: the guard, the run of the address, the steps, and errors in one sentence."""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from core.clustering import ClusteringSettings
from core.errors import WorkspaceError
from core.packages import Approve
from core.proposals.rules import SOURCE
from core.storage import Workspace
from pages._shared import services, shell, state
from tests.pages.conftest import (
    PATIENCE_S,
    PICTURE,
    ROOT,
    assert_healthy,
    assert_no_live_markdown,
    click,
    go,
    job_end,
    open_page,
    said,
    screen,
    small_deals,
    small_outcomes,
    words,
)

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
CANARY = "canary-of-a-secret-in-an-error"


def broken(*_: object, **__: object) -> None:
    raise RuntimeError(CANARY)


# --- the way in -------------------------------------------------------------------------------


def test_the_navigation_lists_every_page_once() -> None:
    assert sorted(Path(file).stem for file, *_ in shell.PAGES) == PAGES
    assert len({address for *_, address in shell.PAGES}) == len(shell.PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_begins_with_the_guard(name: str) -> None:
    """Before the guard stand only imports: nothing is drawn without the shell."""
    tree = ast.parse((ROOT / "pages" / f"{name}.py").read_text(encoding="utf-8"))
    docstring, *rest = tree.body
    assert isinstance(docstring, ast.Expr)
    first = next(node for node in rest if not isinstance(node, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == f"shell.ensure_shell('pages/{name}.py')"


@pytest.mark.parametrize("name", PAGES)
def test_a_link_into_a_fresh_server_comes_back_with_shell_and_run(
    name: str, proposed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PagesManager, "uses_pages_directory", True)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.query_params["run"] = proposed
    app.switch_page(f"pages/{name}.py").run()
    assert_healthy(app)
    assert app.query_params["run"] == proposed
    assert app.title[0].value == name.capitalize()
    assert app.selectbox(key="run_picker").value == proposed


# --- the run ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_the_address_reopens_the_run_on_every_page(name: str, proposed: str) -> None:
    app = open_page(name, proposed)
    assert_healthy(app)
    assert app.query_params["run"] == proposed
    assert "Deals 60" in screen(app)


@pytest.mark.parametrize("name", PAGES)
def test_an_unknown_run_is_said_and_left(name: str, loaded: str) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.query_params["run"] = f"nope {PICTURE}"
    app.run()
    assert_healthy(app)
    assert_no_live_markdown(app)
    assert any("There is no run" in text and "nope" in text for text in said(app, "warning"))
    assert "run" not in app.query_params
    go(app, name)
    assert_healthy(app)
    assert not said(app, "warning")
    assert loaded in {run.id for run in services.workspace().runs()}


def test_the_run_follows_the_reader_from_page_to_page(loaded: str) -> None:
    app = open_page("deals", loaded)
    for name in PAGES:
        app.query_params.clear()  # as the links of the navigation do
        go(app, name)
        assert_healthy(app)
        assert app.query_params["run"] == loaded


def test_an_earlier_run_is_opened_from_the_list(loaded: str, store: Workspace) -> None:
    app = open_page("deals")
    assert "No deals loaded yet." in words(app)
    app.selectbox(key="run_picker").set_value(loaded)
    app.run()
    assert_healthy(app)
    assert app.query_params["run"] == loaded
    (label,) = app.selectbox(key="run_picker").options
    assert label.startswith("Small sample · 60 deals · saved ")
    assert store.run(loaded).saved_at[11:19] in label


def test_a_run_deleted_elsewhere_is_said(loaded: str, store: Workspace) -> None:
    app = open_page("clusters", loaded)
    store.delete_run(loaded)
    app.run()
    assert_healthy(app)
    assert any("There is no run" in text for text in said(app, "warning"))


def test_the_steps_count_what_is_done(proposed: str, store: Workspace) -> None:
    packages = store.packages(proposed)
    store.edit_packages(proposed, {packages[0].id: 1}, [Approve()])
    app = open_page("deals", proposed)
    clusters = store.run(proposed).clusters
    for label in ("Deals 60", f"Clusters {clusters}", f"Packages 1/{len(packages)} approved", "Export"):
        assert label in words(app)


def test_two_sessions_may_look_at_different_runs(loaded: str, store: Workspace) -> None:
    other = store.create_run(small_deals(), "other.json", "The other")
    first, second = open_page("deals", loaded), open_page("deals", other)
    first.run()
    second.run()
    assert first.selectbox(key="run_picker").value == loaded
    assert second.selectbox(key="run_picker").value == other


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_breaks_shows_one_sentence(
    name: str, proposed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(name, proposed)
    for method in ("import_report", "clustering", "packages", "preference"):
        monkeypatch.setattr(Workspace, method, broken)
    app.run()
    assert not app.exception
    assert said(app, "error") == [state.UNEXPECTED]
    assert CANARY not in screen(app)
    assert "Traceback" not in screen(app)
    monkeypatch.undo()


@pytest.mark.parametrize("name", PAGES)
def test_a_workspace_that_cannot_be_read_is_one_sentence(
    name: str, loaded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Workspace) -> None:  # noqa: ARG001
        raise WorkspaceError("The workspace could not be read (database is locked): try again.")

    app = open_page(name, loaded)
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "runs", refuse)
        app.run()
        assert not app.exception
        assert said(app, "error") == ["The workspace could not be read (database is locked): try again."]
    app.run()
    assert_healthy(app)
    assert not said(app, "error")


def test_a_setting_that_cannot_work_is_named_on_the_page(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(DEALWEAVER_WORKERS="0")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S).run()
    assert not app.exception
    (sentence,) = said(app, "error")
    assert "DEALWEAVER_WORKERS" in sentence
    monkeypatch.delenv("DEALWEAVER_WORKERS")
    configure()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (WorkspaceError("The workspace could not be saved (disk full): try again."), None),
        (RuntimeError(CANARY), state.UNEXPECTED),
    ],
    ids=["expected", "unexpected"],
)
def test_an_action_that_fails_says_so_and_confirms_nothing(
    error: Exception, sentence: str | None, monkeypatch: pytest.MonkeyPatch, store: Workspace
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    app = open_page("deals")
    monkeypatch.setattr(Workspace, "create_run", refuse)
    click(app, "Try the sample")
    assert not app.exception
    assert said(app, "error") == [sentence or str(error)]
    assert not said(app, "success")
    assert CANARY not in screen(app)
    assert store.runs() == []


def test_a_job_that_crashes_is_said_without_its_data(loaded: str) -> None:
    services.jobs().start(loaded, "Build clusters", broken)
    job_end(loaded)
    app = open_page("clusters", loaded)
    assert_healthy(app)
    (sentence,) = said(app, "error")
    assert sentence.startswith("Build clusters: It stopped unexpectedly (RuntimeError)")
    assert CANARY not in screen(app)


def test_a_job_is_seen_from_every_page_and_session(loaded: str) -> None:
    let_go = threading.Event()

    def work(job: object) -> str:
        job.stage("Embedding", 480)
        let_go.wait(30)
        return "Done."

    services.jobs().start(loaded, "Build clusters", work)
    try:
        for name in PAGES:
            app = open_page(name, loaded)
            assert_healthy(app)
            assert app.get("progress")[0].text.startswith("Build clusters: Embedding")
        delete = next(button for button in go(app, "settings").button if button.label == "Delete run")
        assert delete.disabled
    finally:
        let_go.set()
    job_end(loaded)


def test_good_news_of_a_job_is_told_once_in_every_session(loaded: str) -> None:
    services.jobs().start(loaded, "Build clusters", lambda _: "12 clusters.")
    job_end(loaded)
    for _ in range(2):
        app = open_page("deals", loaded)
        app.run()
        assert not said(app, "success")  # `open_page` drew it before
    first = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    first.query_params["run"] = loaded
    assert said(first.run(), "success") == ["Build clusters: 12 clusters."]


def test_the_end_of_a_job_is_no_news_the_next_day(loaded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    services.jobs().start(loaded, "Build clusters", lambda _: "12 clusters.")
    job_end(loaded)
    monkeypatch.setattr(shell, "_NEWS_S", -1.0)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    app.query_params["run"] = loaded
    assert not said(app.run(), "success")


def interrupted(store: Workspace, run_id: str, kind: str, title: str, **params: object) -> None:
    """Leave a job behind as a process does that dies."""
    store.queue_job(run_id, title, kind, params, "elsewhere:1:0", lease_s=-1.0)


@pytest.mark.parametrize(
    ("kind", "title", "params"),
    [
        ("build", "Build clusters", ClusteringSettings(max_deals=9, min_size=3).to_dict()),
        ("measure", "Measure the clusters", {}),
        ("place", "Place 2 new deals", {}),
        ("embed", "Embed the deals", {}),
    ],
)
def test_a_job_that_died_with_its_process_can_be_resumed(
    clustered: str, store: Workspace, kind: str, title: str, params: dict[str, object]
) -> None:
    interrupted(store, clustered, kind, title, **params)
    app = open_page("clusters", clustered)
    assert said(app, "error") == [
        f"{title}: The app ended while this was under way. What was finished is kept."
    ]
    click(app, "Resume")
    job = job_end(clustered)
    assert job is not None
    assert (job.kind, job.state, job.title) == (kind, "done", title)
    assert dict(job.params) == params
    assert_healthy(app.run())
    assert not said(app, "error")


def test_resumed_proposals_ask_only_about_clusters_without_an_answer(
    clustered: str, store: Workspace
) -> None:
    clusters = [cluster.id for cluster in store.clustering(clustered).clusters]
    wish = {"who": SOURCE, "cluster_ids": clusters, "model": None, "template": None, "fresh": False}
    interrupted(store, clustered, "propose", "Propose packages with Rules (no AI)", **wish)
    store.save_outcome(clustered, small_outcomes()[0])
    before = [package.id for package in store.packages(clustered)]
    click(open_page("packages", clustered), "Resume")
    assert job_end(clustered).state == "done"
    assert len(store.outcomes(clustered)) == len(clusters)
    assert {package.id for package in store.packages(clustered)} > set(before)


def test_what_nobody_can_start_again_offers_no_resume(loaded: str, store: Workspace) -> None:
    interrupted(store, loaded, "", "Some work")
    app = open_page("deals", loaded)
    assert "Resume" not in [button.label for button in app.button]
    click(app, "Dismiss")
    assert not said(app.run(), "error")


def test_a_message_is_shown_once(loaded: str) -> None:
    app = open_page("deals", loaded)
    app.session_state[state.MESSAGE] = ("success", "Saved: it.")
    app.run()
    assert said(app, "success") == ["Saved: it."]
    app.run()
    assert not said(app, "success")


def test_a_message_outlives_a_rerun_that_follows_at_once(
    loaded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "SHOWN_S", 60.0)
    app = open_page("deals", loaded)
    app.session_state[state.MESSAGE] = ("success", "Saved: it.")
    for _ in range(2):
        app.run()
        assert said(app, "success") == ["Saved: it."]
    monkeypatch.setattr(state, "SHOWN_S", 0.0)
    app.run()
    assert not said(app, "success")


def test_the_configuration_keeps_errors_and_data_at_home() -> None:
    options = {
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "client.toolbarMode": "minimal",
        "client.disableDataExport": True,
        "browser.gatherUsageStats": False,
        "server.address": "127.0.0.1",
        "server.enableXsrfProtection": True,
    }
    assert {name: st.config.get_option(name) for name in options} == options
