"""One story through the whole workspace, and the promises that hold at every moment of it.

The steps are those of an analyst, from the first file to the export and the copy. `Story.content` is
what they made, without ids and times, so that two tellings of the story can be compared.
"""

import hashlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.clustering import ClusteringSettings
from core.coverage import clusters_to_ask, count_states, deal_states, open_proposals, reconcile
from core.errors import DealweaverError
from core.exports import export, read_document, write_file
from core.packages import (
    Approve,
    EditPackages,
    Merge,
    MoveDeals,
    Rename,
    SetReasoning,
    Split,
    replay,
)
from core.proposals import Limits, PromptTemplate, Reply, Usage
from core.proposals.chat import ModelProposer
from core.reading.reading import parse_deals
from core.storage import MAP, VECTORS, Workspace
from core.storage.backup import backup, backups
from core.storage.schema import Base
from core.storage.sqlite_file import examine, file_of
from core.work import JobContext, build_clusters, propose_packages
from core.work.export_jobs import export_job
from tests.fakes.embeddings import FakeEncoder
from tests.workspaces import run_sql

TOPICS = ("sports", "news", "travel")
EXPORT = "packages.json"
NAME = "Fine Package"
_TEMPLATE = PromptTemplate("Group these: {enriched_deals}")
_SETTINGS = ClusteringSettings(max_deals=6, min_size=3)
_LIMITS = Limits(workers=1, attempts=2, call_timeout_s=5)


def records(numbers, price="5.50"):
    """Return deals of three topics, so many of each."""
    return [
        {
            "deal_id": f"{topic}-{n}",
            "deal_name": f"{topic} {topic} place {n}",
            "concepts": [topic, f"{topic} fans"],
            "floor_price": price,
            "currency": "USD",
        }
        for topic in TOPICS
        for n in numbers
    ]


class Service:
    """A chat service that packs all deals of a question into one package.

    prompts: what it was asked and paid for. failures: number of a question -> error instead of an answer.
    """

    name = "Fake"

    def __init__(self):
        self.prompts = []
        self.failures = {}

    def ask(self, prompt, model, context):  # noqa: ARG002
        self.prompts.append(prompt.human)
        failure = self.failures.pop(len(self.prompts), None)
        if failure is not None:
            raise failure
        package = {"package_name": NAME, "deal_ids": list(prompt.aliases), "reasoning": "Alike."}
        text = json.dumps({"packages": [package]})
        return Reply(text, "stop", model, model, Usage(100, 10), 0.01, prompt.hash)


class Story:
    """A workspace, the folder of its exports, and the services that work for it.

    What follows from the rows alone, as its content and most promises do, is worked out once for the
    same rows: after most faults they are those of before.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.service = Service()
        self.encoder = FakeEncoder(16)
        self._open: Workspace | None = None
        self._run_id: str | None = None
        self._contents: dict[str, dict[str, Any]] = {}
        self._found_whole: set[str] = set()

    @property
    def workspace(self) -> Workspace:
        if self._open is None:
            self._open = Workspace(self.url)
        return self._open

    @property
    def run_id(self) -> str:
        """Return the only run there is, which is asked for once."""
        if self._run_id is None:
            (run,) = self.workspace.runs()
            self._run_id = run.id
        return self._run_id

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def rows(self) -> str:
        """Return a name for all rows there are: of two states with the same one, nothing is different."""
        return hashlib.sha256(repr(self._select("*")).encode()).hexdigest()

    def sizes(self) -> tuple[int, ...]:
        """Return how many rows each table has."""
        return tuple(size for ((size,),) in self._select("count(*)"))

    def _select(self, what: str) -> list[Any]:
        names = [*Base.metadata.tables, *(["sqlite_sequence"] if file_of(self.url) else [])]
        with self.workspace._engine.connect() as connection:
            return [connection.exec_driver_sql(f"SELECT {what} FROM {name}").all() for name in names]  # noqa: S608

    def outlast_calls(self) -> None:
        """Let the time pass in which calls that are under way may still bring their answers."""
        run_sql(self.url, "UPDATE attempts SET lease_until_s = 0")

    def package(self, deal_id: str):
        """Return the package that holds a deal, the first of several."""
        return next(item for item in self.workspace.packages(self.run_id) if deal_id in item.deal_ids)

    def perform(self, command) -> None:
        versions = {package.id: package.version for package in self.workspace.packages(self.run_id)}
        self.workspace.perform(self.run_id, versions, command, "Ada")

    def content(self, rows: str | None = None):
        """Return all that was confirmed, without ids and times. rows: their name, if it is known."""
        rows = rows or self.rows()
        if rows not in self._contents:
            self._contents[rows] = self._content()
        return self._contents[rows]

    def check_runs(self, rows: str) -> None:
        """Check that every run is whole."""
        if rows not in self._found_whole:
            for run in self.workspace.runs():
                check_run(self.workspace, run.id)
            self._found_whole.add(rows)

    def _content(self):
        store, found = self.workspace, {}
        for run in store.runs():
            clustering, deals = store.clustering(run.id), store.deals(run.id)
            outcomes = store.outcomes(run.id).values()
            found |= {
                "run": (run.name, run.filename, run.loads),
                "deals": [(deal.deal_id, deal.commercial.floor_price) for deal in deals],
                "clusters": clustering
                and sorted([deals[index].deal_id for index in item.members] for item in clustering.clusters),
                "answers": sorted((sorted(item.deal_ids), item.status) for item in outcomes),
                "packages": sorted(map(words_of, store.packages(run.id))),
                "steps": [(_told_apart(step.what), step.who, step.state) for step in store.steps(run.id)],
                "exports": [(item.packages, item.filename) for item in store.exports(run.id)],
            }
        return found


def words_of(package):
    """Return what an analyst sees of a package."""
    return (
        package.deal_ids,
        _told_apart(package.name),
        package.status,
        package.version,
        _told_apart(package.reasoning),
        package.edited,
        package.locked,
        package.decided_by or "",
        sorted((deal_id, _told_apart(how)) for deal_id, how in package.by_hand.items()),
    )


def _told_apart(text):
    """Leave out the numbers that tell packages of one name apart: they go by the order of the answers."""
    return re.sub(rf"{NAME}( \d)?", NAME, text)


# --- steps ------------------------------------------------------------------------------------


def _open(story):
    assert story.workspace.runs() is not None


def _load(story):
    story.workspace.create_run(parse_deals(records(range(4))), "first.json", "Autumn")


def _add_file(story):
    newer = parse_deals([*records([4]), *records([0], "9.00")])
    (run,) = story.workspace.runs()  # as a page lists them
    story.workspace.update_deals(run.id, newer, "second.json", replace=False)


def _cluster(story):
    job = JobContext(lambda **_: None)
    build_clusters(story.workspace, story.run_id, _SETTINGS, lambda: story.encoder, job)


def _propose(story):
    store, run_id = story.workspace, story.run_id
    outcomes = store.outcomes(run_id)
    failed = [cluster_id for cluster_id, outcome in outcomes.items() if outcome.status == "failed"]
    rest = [*clusters_to_ask(store.deals(run_id), store.clustering(run_id), outcomes), *failed]
    proposer = ModelProposer(story.service, _TEMPLATE, model="fake-model")
    job = JobContext(lambda **_: None)
    propose_packages(store, run_id, rest, proposer, _LIMITS, job, template=_TEMPLATE)


def _edit(story):
    ids = tuple(story.package(f"{topic}-0").id for topic in ("sports", "news"))
    story.perform(EditPackages(ids[:1], (Rename("Sports of autumn"), SetReasoning("Wanted."))))


def _edit_two(story):
    ids = tuple(story.package(f"{topic}-0").id for topic in ("sports", "news"))
    story.perform(EditPackages(ids, (SetReasoning("Both are wanted."),)))


def _move(story):
    one, other = story.package("sports-1"), story.package("news-1")
    story.perform(MoveDeals(one.id, other.id, ("sports-1",)))


def _merge(story):
    ids = story.package("news-0").id, story.package("travel-0").id
    story.perform(Merge(ids, "News and travel"))


def _split(story):
    story.perform(Split(story.package("news-0").id, parts=(("travel-0", "travel-1", "travel-2"),)))


def _approve(story):
    ids = tuple(package.id for package in story.workspace.packages(story.run_id))
    story.perform(EditPackages(ids, (Approve("Looked at."),)))


def _undo(story):
    story.workspace.undo(story.run_id, "Ada")


def _redo(story):
    story.workspace.redo(story.run_id, "Ada")


def _export(story):
    job = export_job(story.workspace, story.run_id)
    write_file(story.folder / EXPORT, export("json", job))
    story.workspace.log_export(story.run_id, len(job.sheets), EXPORT)


def _copy(story):
    if file_of(story.url):
        backup(story.url)


@dataclass(frozen=True)
class Step:
    """One step of the story. whole: it is one transaction, and so made or not made at all."""

    name: str
    do: Callable[[Story], None]
    whole: bool = True


STEPS = (
    Step("open", _open),
    Step("load", _load),
    Step("add a file", _add_file),
    Step("cluster", _cluster, whole=False),
    Step("propose", _propose, whole=False),
    Step("edit", _edit),
    Step("edit two", _edit_two),
    Step("move", _move),
    Step("merge", _merge),
    Step("split", _split),
    Step("approve", _approve),
    Step("undo", _undo),
    Step("redo", _redo),
    Step("export", _export),
    Step("copy", _copy),
)


def tell(story, steps=STEPS):
    """Go through the steps, and return what is there after each."""
    found = []
    for step in steps:
        step.do(story)
        found.append(story.content())
    return found


# --- promises ---------------------------------------------------------------------------------


def check_run(store: Workspace, run_id: str) -> None:
    """Check that a run is whole: its deals, its packages, and that the trail gives the same packages."""
    deals, packages = store.deals(run_id), store.packages(run_id)
    clustering, outcomes, run = store.clustering(run_id), store.outcomes(run_id), store.run(run_id)

    states = deal_states(deals, clustering, outcomes, packages)
    assert sorted(item.deal_id for item in states) == sorted(deal.deal_id for deal in deals)
    assert sum(count_states(states).values()) == len(deals) == run.deals

    unmade = open_proposals(deals, clustering, outcomes, packages)
    found = reconcile(packages, deals, unmade)
    assert found.proposed == found.approved + found.rejected + found.pending + found.needs_review
    assert found.proposed == run.packages + len(unmade)
    assert found.approved == run.approved

    changes = store.changes(run_id)
    assert replay(changes).packages == packages, "the trail tells of other packages"
    check_chain(changes)
    for kind in (VECTORS, MAP):
        rows = store.array(run_id, kind)
        assert rows is None or len(rows) == len(deals)
    known = {deal.deal_id for deal in deals}
    assert all(known.issuperset(package.deal_ids) for package in packages)


def check_chain(changes) -> None:
    """Check that each change of a package begins where the one before ended, and versions only grow."""
    last = {}
    versions = defaultdict(int)
    for change in changes:
        assert last.get(change.package_id) == change.before, f"something is lost before {change.what!r}"
        last[change.package_id] = change.after
        if change.after is not None:
            assert change.after.version > versions[change.package_id]
            versions[change.package_id] = change.after.version


def check_files(story: Story, *, killed: bool = False) -> None:
    """Check that no file is half there: exports can be read, copies are sound, and nothing is left over.

    killed: a program that was killed may leave a hidden part behind, which nothing takes for a file.
    """
    exports = sorted(story.folder.glob("*.json"))
    for path in exports:
        read_document(path.read_bytes(), path.name)
    for path in backups(story.url):
        assert examine(path, "integrity_check").problem is None
    file = file_of(story.url)
    folders = {story.folder, *([file.parent, file.parent / "backups"] if file else [])}
    left = [path.name for folder in folders if folder.exists() for path in folder.glob("*part*")]
    assert all(name.startswith(".") for name in left)
    assert killed or left == []


def check(story: Story):
    """Check every promise, and return the content."""
    rows = story.rows()
    story.check_runs(rows)
    check_files(story)
    return story.content(rows)


def attempt(step: Step, story: Story) -> str | None:
    """Do a step; return the sentence it was refused with, None when it went through."""
    before = set(threading.enumerate())
    try:
        step.do(story)
    except DealweaverError as error:
        said = str(error)
        assert said
        assert "\n" not in said, "it takes one sentence"
        return said
    finally:
        for thread in set(threading.enumerate()) - before:  # a call that was given up still notes its answer
            thread.join()
    return None
