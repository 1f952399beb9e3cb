"""A workspace with runs at every step, and the app opened on it without a browser.

`store` is a second door to the database, as another session would have it: what a test reads
there is what was really saved, and what it changes there happened behind the screen's back.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest, app_test
from streamlit.testing.v1.element_tree import Dataframe

from core import clock
from core.clustering import Clustering, ClusteringSettings, cluster_deals
from core.creator import deal_groups
from core.embeddings import embed_deals
from core.proposals import Outcome, RulesProposer, run_proposals
from core.reading import ImportResult, read_deals
from core.settings import RANDOM_SEED, get_settings
from core.storage import Job, Workspace
from core.work.tasks import MAP, VECTORS
from pages._shared import services, state
from tests.fakes.clock import SAMPLE_DAY, RunningClock
from tests.fakes.embeddings import FakeEncoder

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "sample_data" / "deals_small.json"
# The first start of a page imports plotly and pandas, on a machine that may be busy.
PATIENCE_S = 60.0


@cache
def small_deals() -> ImportResult:
    """60 deals of the sample."""
    return read_deals(SMALL.read_bytes(), SMALL.name)


@cache
def small_vectors() -> np.ndarray:
    return embed_deals(small_deals().deals, FakeEncoder())


@cache
def small_clustering() -> Clustering:
    """Clusters of the 60 deals, with some deals outside all of them."""
    settings = ClusteringSettings(max_deals=25, min_size=5, small_clusters="leave_out")
    clustering = cluster_deals(small_deals().deals, small_vectors(), settings)
    assert len(clustering.clusters) >= 4
    assert clustering.left_over
    return clustering


@cache
def small_outcomes() -> tuple[Outcome, ...]:
    """What the rules propose for those clusters."""
    return run_proposals(deal_groups(small_deals().deals, small_clustering()), RulesProposer()).outcomes


# --- workspaces -------------------------------------------------------------------------------


def _load(store: Workspace) -> None:
    run_id = store.create_run(small_deals(), SMALL.name, "Small sample")
    places = np.random.default_rng(RANDOM_SEED).normal(size=(len(small_deals().deals), 2))
    store.save_array(run_id, VECTORS, small_vectors())
    store.save_array(run_id, MAP, places.astype(np.float32))


def _cluster(store: Workspace) -> None:
    store.save_clustering(_only_run(store), small_clustering())


def _propose(store: Workspace) -> None:
    for outcome in small_outcomes():
        store.save_outcome(_only_run(store), outcome)


def _only_run(store: Workspace) -> str:
    (run,) = store.runs()
    return run.id


# Each step goes on from the one before.
_STEPS: dict[str, Callable[[Workspace], None]] = {
    "empty": lambda _: None,
    "loaded": _load,
    "clustered": _cluster,
    "proposed": _propose,
}


class KeptWorkspaces:
    """The workspace after each step: made once, and copied for every test that begins there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, step: str) -> Path:
        file = self._folder / f"{step}.db"
        if not file.exists():
            steps = list(_STEPS)
            if before := steps[: steps.index(step)]:
                shutil.copyfile(self.file(before[-1]), file)
            # Before the moment at which every test begins.
            with (
                clock.using(RunningClock(SAMPLE_DAY - timedelta(minutes=1))),
                closing(Workspace(f"sqlite:///{file.as_posix()}")) as store,
            ):
                _STEPS[step](store)
        return file

    def fill(self, step: str) -> str:
        """Bring the workspace of a test, which may be open, to a step; return its run."""
        with (
            closing(sqlite3.connect(self.file(step))) as kept,
            closing(sqlite3.connect(workspace_file())) as used,
        ):
            used.execute("PRAGMA synchronous=OFF")
            kept.backup(used)
            return str(used.execute("SELECT id FROM runs").fetchone()[0])


def workspace_file() -> Path:
    """Return where the workspace of this test is."""
    return Path(get_settings().workspace_url.removeprefix("sqlite:///"))


@pytest.fixture(scope="session")
def kept_workspaces(tmp_path_factory: pytest.TempPathFactory) -> KeptWorkspaces:
    return KeptWorkspaces(tmp_path_factory.mktemp("workspaces"))


@pytest.fixture(autouse=True)
def _empty_workspace(kept_workspaces: KeptWorkspaces) -> None:
    """Give each test a workspace of its own; to take every step of the tables anew would cost more."""
    shutil.copyfile(kept_workspaces.file("empty"), workspace_file())
    # As old as can be: nothing is in it that the app would copy when it starts.
    os.utime(workspace_file(), (0, 0))


@pytest.fixture
def store(_empty_workspace: None) -> Iterator[Workspace]:
    """Open the workspace of this test a second time, beside the app's own."""
    workspace = Workspace(get_settings().workspace_url)
    yield workspace
    workspace.close()


@pytest.fixture
def loaded(store: Workspace, kept_workspaces: KeptWorkspaces) -> str:  # noqa: ARG001
    """A run whose deals are loaded; its vectors and map are kept, so that no model is needed."""
    return kept_workspaces.fill("loaded")


@pytest.fixture
def clustered(loaded: str, kept_workspaces: KeptWorkspaces) -> str:  # noqa: ARG001
    """A run with clusters and no packages yet."""
    return kept_workspaces.fill("clustered")


@pytest.fixture
def proposed(clustered: str, kept_workspaces: KeptWorkspaces) -> str:  # noqa: ARG001
    """A run with pending packages of the rules."""
    return kept_workspaces.fill("proposed")


# --- the app ----------------------------------------------------------------------------------


class _WarmPages(PagesManager):
    """Takes the place of `PagesManager` in AppTest, which resets a flag of the class before each run."""


@pytest.fixture(autouse=True)
def _warm_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave as a server in which app.py has run: it runs app.py for every page.

    AppTest behaves as a fresh one and would run the files of `pages` alone, without header and guard.
    """
    monkeypatch.setattr(PagesManager, "uses_pages_directory", False)
    monkeypatch.setattr(app_test, "PagesManager", _WarmPages)
    # Looking for custom components in every installed package takes .3 s a session; the app uses none.
    monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", lambda *_, **__: None)


@pytest.fixture(autouse=True)
def _messages_are_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no sentence outlive its rerun, however fast the next one comes."""
    monkeypatch.setattr(state, "SHOWN_S", 0.0)


@pytest.fixture(autouse=True)
def _own_process_state() -> Iterator[None]:
    """Give each test its own workspace and jobs, and leave no thread or connection behind."""
    st.cache_resource.clear()
    yield
    for run in services.workspace().runs():
        services.jobs().cancel(run.id)
        job_end(run.id)
    services.jobs().close()
    services.workspace().close()
    st.cache_resource.clear()


def pytest_sessionfinish() -> None:
    """Remove the folder that AppTest makes when it is imported, and leaves to the end of the process."""
    app_test.TMP_DIR.cleanup()


# --- driving the app --------------------------------------------------------------------------


def open_page(name: str, run_id: str | None = None) -> AppTest:
    """Open the app at one of its pages, as a reader who follows a link to a run."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE_S)
    if run_id:
        app.query_params["run"] = run_id
    return go(app, name)


def go(app: AppTest, name: str) -> AppTest:
    """Go to another page of the same session."""
    return app.switch_page(f"pages/{name}.py").run()


def click(app: AppTest, label: str) -> AppTest:
    """Click the one button whose label starts so."""
    found = [button for button in app.button if button.label.startswith(label)]
    assert len(found) == 1, f"{label!r}: {[button.label for button in app.button]}"
    assert not found[0].disabled, f"{label!r} is off"
    return found[0].click().run()


def select_rows(app: AppTest, key_start: str, rows: list[int]) -> AppTest:
    """Select rows of the table whose key starts so; a table's selection is its positions."""
    key = next(table.key for table in app.dataframe if (table.key or "").startswith(key_start))
    app.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    return app.run()


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that sets environment names and lets the settings be read again."""

    def set_names(**names: str) -> None:
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()

    return set_names


def job_end(run_id: str) -> Job | None:
    """Wait until the job of a run is over, and return it; None when there is none (any more)."""
    patience_ends = time.monotonic() + PATIENCE_S
    while (job := services.jobs().job(run_id)) and job.running:
        assert time.monotonic() < patience_ends, f"{job} does not end"
        time.sleep(0.01)
    return job


def watch_job(app: AppTest, run_id: str) -> AppTest:
    """Wait for the job that a click started, and show how it ended.

    A quick job may have ended, and been shown, before the click's own run was over.
    """
    if job_end(run_id):
        app.run()
    assert_healthy(app)
    return app


# --- reading the screen -----------------------------------------------------------------------


def plain(text: str) -> str:
    """Return what a reader sees of a text whose Markdown signs are escaped."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def said(app: AppTest, kind: str) -> list[str]:
    """Return the sentences of one kind: error, warning, success or info."""
    return [plain(element.value) for element in getattr(app, kind)]


def screen(app: AppTest) -> str:
    """Return everything that reached the browser, tables included."""
    parts = []
    for node in app.main:
        parts.append(str(getattr(node, "proto", "")))
        if isinstance(node, Dataframe):
            parts.append(node.value.to_string())
        value = getattr(node, "value", None) if hasattr(node, "_widget_state") else None
        parts.append("" if value is None else str(value))
    return "\n".join(parts)


def words(app: AppTest) -> str:
    """Return the running text of the page: titles, paragraphs, captions."""
    texts = (*app.title, *app.subheader, *app.markdown, *app.caption, *app.text)
    return "\n".join(plain(element.value) for element in texts)


def table(app: AppTest, first_column: str) -> Dataframe:
    """Return the table that starts with this column."""
    return next(item for item in app.dataframe if item.value.columns[0] == first_column)


def links(app: AppTest) -> list[str]:
    """Return the addresses the page links to; Deals is the app's first page, so its address is empty."""
    return [link.proto.page for link in app.page_link]


def assert_healthy(app: AppTest) -> None:
    """No traceback, and not the sentence that stands in for one."""
    assert not app.exception
    assert not [text for text in said(app, "error") if "did not expect" in text]


# A name that fetches from outside, and tells who looks, when a page takes it for Markdown.
PICTURE = "![x](http://198.51.100.7/x.png)"


def assert_no_live_markdown(app: AppTest) -> None:
    """Check that PICTURE is shown as it is written wherever the browser reads Markdown."""
    texts = [element.value for kind in _MARKDOWN for element in getattr(app, kind)]
    texts += [getattr(widget, "label", "") for widget in (*app.button, *app.expander, *app.metric)]
    texts += [option.content for group in app.button_group for option in group.proto.options]
    assert not [text for text in texts if PICTURE in text]


_MARKDOWN = ("title", "subheader", "markdown", "caption", "error", "warning", "success", "info")

_LEDGER = re.compile(r"^([\d,]+) deals: (.*)$", re.MULTILINE)


def ledger(app: AppTest) -> tuple[int, dict[str, int]]:
    """Return the number of deals and how many are in each state, as the page says it."""
    found = _LEDGER.search(words(app))
    assert found, words(app)
    parts = (part.split(" ", 1) for part in found[2].split(" · "))
    return int(found[1].replace(",", "")), {state: int(count.replace(",", "")) for count, state in parts}
