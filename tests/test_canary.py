"""The key is nowhere but in the calls: not in a file, a log, an error, an export or on a page.

Each fault strikes a cluster of its own, and many of them meet in one workspace. The model repeats the
key in every answer it can, and the service in error bodies of any kind. Files are read while the
workspace is open, as a process that is killed leaves them.
"""

import contextlib
import io
import json
import sqlite3
import traceback
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.clustering import Cluster, Clustering, ClusteringSettings
from core.errors import WorkspaceError
from core.exports import PRESETS, About, DealsApiOptions, ExportJob, RunLog, export
from core.packages import Approve
from core.packages.sheet import sheets_of
from core.proposals import GeminiProposer, Limits, PromptTemplate
from core.reading.reading import parse_deals
from core.settings import get_settings
from core.storage import Workspace
from core.wording.findings import CheckRules
from core.work import JobContext, propose_packages
from tests.fakes.clock import RunningClock
from tests.fakes.faults import FAULTS, HTML_TYPE, Fault, Reply, Turn, answer_reply, error_reply
from tests.fakes.gemini import Call, FakeGemini, default_answer
from tests.fakes.proposers import deal_of

# The second is for the fixtures of the pages, which work where they are seen.
from tests.pages.conftest import (  # noqa: F401
    _own_process_state,
    _warm_server,
    assert_healthy,
    configure,
    go,
    open_page,
    screen,
)

pytestmark = pytest.mark.filterwarnings("ignore:BRAND_NEW is not a valid FinishReason:UserWarning")

KEY = "AIza-canary-of-the-key-0123456789"
DEALS = 6
SLOW = {"hang", "drip"}
PARTS_OF_AN_ANSWER = ("Answer", "Prompt", "Calls and replies")
SPEED = 5.0
"""How fast time passes between calls."""
PARTS = 6
"""Workspaces that share every fault: what a page takes grows with the packages that it shows."""


# --- who repeats the key ----------------------------------------------------------------------


def telling_answer(call: Call) -> str:
    """Answer well, with the key in every name, reasoning and list of ids."""
    answer = json.loads(default_answer(call))
    for package in answer["packages"]:
        package["package_name"] += f" {KEY}"
        package["reasoning"] += f" The key is {KEY}."
        package["deal_ids"].append(KEY)
    return json.dumps(answer)


def _error(code: int, status: str) -> Callable[[Turn], Reply]:
    return lambda turn: error_reply(
        code, status, f"key {turn.key} is not right", {"@type": "x", "reason": turn.key}
    )


def _page(status: int) -> Callable[[Turn], Reply]:
    return lambda turn: Reply(
        status=status, body=f"<p>x-goog-api-key: {turn.key}</p>".encode(), content_type=HTML_TYPE
    )


# A server, or a proxy that shows what it was sent.
ECHOES = [
    *(
        Fault(f"echo_{code}", 45, "an error that repeats the key", _error(code, status))
        for code, status in (
            (400, "INVALID_ARGUMENT"),
            (401, "UNAUTHENTICATED"),
            (404, "NOT_FOUND"),
            (429, "RESOURCE_EXHAUSTED"),
            (500, "INTERNAL"),
        )
    ),
    *(
        Fault(f"echo_page_{code}", 45, "a page that repeats the key", _page(code))
        for code in (200, 302, 400, 502)
    ),
    Fault("echo_words", 45, "an answer without JSON", lambda turn: answer_reply(turn, f"Key: {turn.key}")),
]
EVERY = [*FAULTS.values(), *ECHOES]
SOME = [
    *(FAULTS[name] for name in ("key_echoed", "bad_key", "429_with_delay", "reset_mid_body", "html")),
    *(FAULTS[name] for name in ("blocked_prompt", "max_tokens_cut", "cut_json", "nan", "no_name", "scalar")),
    *(FAULTS[name] for name in ("invented_ids", "formula_name", "other_model", "404_model")),
    *ECHOES,
]

# Rows 46 and 47 of the fault table: a reply that is kept and was not read, and writes that fail.
WRITES = ("attempts", "outcomes", "packages")


# --- one workspace for all --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scene:
    """A workspace with a cluster for each fault, the service, and what was said on the way."""

    workspace: Workspace
    run_id: str
    server: FakeGemini
    proposer: GeminiProposer
    cluster_ids: Sequence[str]
    said: list[str]

    def ask(self, cluster_id: str, call_timeout_s: float = 50) -> None:
        """Let the app ask about one cluster; keep what it says, errors with their whole chain."""
        limits = Limits(attempts=2, transport_attempts=1, call_timeout_s=call_timeout_s)
        job = JobContext(lambda **changes: self.said.append(repr(changes)))
        try:
            self.said.append(
                propose_packages(
                    self.workspace, self.run_id, [cluster_id], self.proposer, limits, job, template=TEMPLATE
                )
            )
        except WorkspaceError as error:
            self.said.extend(traceback.format_exception(error))


TEMPLATE = PromptTemplate()


@pytest.fixture
def scene_of(
    configure: Callable[..., None],  # noqa: F811
    present: RunningClock,
) -> Iterator[Callable[[Sequence[Fault]], Scene]]:
    """Return a function that lets each fault strike its cluster; two more clusters are there for writes."""
    with contextlib.ExitStack() as stack:

        def build(faults: Sequence[Fault]) -> Scene:
            present.hurry(SPEED)
            server = stack.enter_context(FakeGemini(answer=telling_answer, api_key=KEY))
            configure(GEMINI_API_KEY=KEY, DEALWEAVER_GEMINI_BASE_URL=server.url)
            workspace = stack.enter_context(contextlib.closing(Workspace(get_settings().workspace_url)))
            names = [f"Topic{number:03}" for number in range(len(faults) + len(WRITES))]
            run_id = workspace.create_run(
                parse_deals([deal_of(name, n) for name in names for n in range(DEALS)]), "deals.json"
            )
            clusters = tuple(
                Cluster(name, tuple(range(place * DEALS, place * DEALS + DEALS)), (1.0,) * DEALS)
                for place, name in enumerate(names)
            )
            workspace.save_clustering(run_id, Clustering(clusters, (), ClusteringSettings(min_size=1), {}))
            proposer = GeminiProposer(KEY, TEMPLATE, base_url=server.url, timeout_s=10)
            scene = Scene(workspace, run_id, server, proposer, names, [])
            for name, fault in zip(names, faults, strict=False):
                server.fail(fault, containing=f"{name} Place")
                scene.ask(name, call_timeout_s=SPEED * (0.5 if fault.name in SLOW else 10))
            return scene

        yield build


def break_writes(scene: Scene) -> None:
    """Ask about the last clusters while writes to one table after the other fail."""
    (file,) = (path for path in get_settings().home.rglob("*") if path.suffix == ".db")
    for table, cluster_id in zip(WRITES, scene.cluster_ids[-len(WRITES) :], strict=True):
        with contextlib.closing(sqlite3.connect(file)) as other:
            other.execute(
                f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            )
            scene.ask(cluster_id)
            assert "disk is full" in scene.said[-1]
            other.execute("DROP TRIGGER full")


# --- where it must not be ---------------------------------------------------------------------


def files_with_key() -> list[str]:
    """Return the files of the workspace folder that hold the key, journals of the database included."""
    files = [path for path in Path(get_settings().home).rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    return [path.name for path in files if KEY.encode() in path.read_bytes()]


def exports(scene: Scene) -> bytes:
    """Return every export of all packages, after approving them whatever their words say."""
    store, run_id = scene.workspace, scene.run_id
    pending = {package.id: package.version for package in store.packages(run_id)}
    store.edit_packages(run_id, pending, [Approve("Whatever its words say.")])
    packages = store.packages(run_id)
    deals = {deal.deal_id: deal for deal in store.deals(run_id)}
    assert packages
    events = store.events(run_id)
    job = ExportJob(
        sheets_of(packages, deals, CheckRules.now()),
        About("Run", "deals.json", events[-1]["at"], settings={"events": events}),
        deals_api=DealsApiOptions(origin="ssp.example.com", currency="USD"),
        log=RunLog(events=events),
    )
    files = [export(key, job) for key in PRESETS]
    with zipfile.ZipFile(io.BytesIO(export("workbook", job))) as book:  # packed: look inside as well
        return b"".join([*files, *map(book.read, book.namelist())])


def pages(scene: Scene, cluster_ids: Sequence[str]) -> Iterator[str]:
    """Yield what the browser gets: the packages, what was asked about these clusters, the settings."""
    app = open_page("packages", scene.run_id)
    assert_healthy(app)
    yield screen(app)
    view = app.segmented_control(key="packages_view")
    view.set_value(view.options[-1]).run()
    for cluster_id in cluster_ids:
        app.selectbox(key=f"answers_of_{scene.run_id}").set_value(cluster_id).run()
        assert_healthy(app)
        yield screen(app)
        shown = part_choice(app).value
        for part in (name for name in PARTS_OF_AN_ANSWER if name != shown):
            yield part_of(app, part)
    for other in ("export", "settings"):
        yield screen(go(app, other))
        assert_healthy(app)


def part_choice(app: AppTest) -> Any:
    """Return what chooses the part of an answer that is shown."""
    (choice,) = (item for item in app.segmented_control if (item.key or "").startswith("answer_part"))
    return choice


def part_of(app: AppTest, part: str) -> str:
    part_choice(app).set_value(part).run()
    assert_healthy(app)
    return screen(app)


def assert_key_is_nowhere(scene: Scene, log: str, cluster_ids: Sequence[str]) -> None:
    assert {call.key for call in scene.server.calls} == {KEY}
    # The key came back, and was taken out before anything was kept.
    raw = [call.raw for name in scene.cluster_ids for call in scene.workspace.calls(scene.run_id, name)]
    assert sum("***" in text for text in raw) > len(scene.cluster_ids) / 4
    assert len(log) > len(scene.server.calls)
    assert files_with_key() == []
    assert KEY not in log
    assert [text for text in scene.said if KEY in text] == []
    assert KEY.encode() not in exports(scene)
    assert [text for text in pages(scene, cluster_ids) if KEY in text] == []


# --- the tests --------------------------------------------------------------------------------


def test_the_key_is_nowhere_after_a_few_faults(scene_of: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    scene = scene_of(SOME)
    break_writes(scene)
    assert_key_is_nowhere(scene, caplog.text, scene.cluster_ids[:1])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_the_key_is_nowhere_after_every_fault(
    scene_of: Any, caplog: pytest.LogCaptureFixture, part: int
) -> None:
    caplog.set_level("DEBUG")
    scene = scene_of(EVERY[part::PARTS])
    break_writes(scene)
    assert_key_is_nowhere(scene, caplog.text, scene.cluster_ids)


def test_a_key_in_a_file_is_found(scene_of: Any) -> None:
    scene = scene_of([])
    scene.workspace.set_preference("note", f"The key is {KEY}.")
    assert files_with_key()
