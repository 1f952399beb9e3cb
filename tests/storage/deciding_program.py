"""A program that decides on packages at random, exports and runs jobs, and says what was confirmed.

Arguments: database, run, folder of exports, who, seed, times (0 = until it is killed). Each line it
writes is a JSON object about one thing that the workspace has confirmed, see `Confirmed`.
"""

import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from core.errors import PackageError, WorkspaceError
from core.exports import export, write_file
from core.packages import (
    Approve,
    Command,
    Duplicate,
    EditPackages,
    MakePackage,
    Merge,
    MoveDeals,
    Package,
    Reject,
    Rename,
    SetReasoning,
    Split,
)
from core.storage import OUTLINE, Workspace
from core.storage.backup import backup
from core.storage.sqlite_file import file_of
from core.work import JobRegistry
from core.work.export_jobs import export_job

# made: [package id, version or null for one that is gone, words]; unseen: packages of it that were not
# as they had been shown; turned: words of an undo or redo; file, sha256: an export; job: what a job
# said at its end; refused: the sentence of a conflict.
Confirmed = dict[str, object]
Say = Callable[[Confirmed], None]

_FEWEST, _MOST = 4, 9


class Decider:
    """Somebody who works on the packages of a run; says what was confirmed, and what was refused."""

    def __init__(self, workspace: Workspace, run_id: str, who: str, seed: int, say: Say) -> None:
        self.workspace = workspace
        self.run_id = run_id
        self.who = who
        self.chance = random.Random(seed)
        self.say = say
        self.number = 0

    def decide(self) -> None:
        """Do one thing: a command from what the workspace shows now, or a step back or forth."""
        self.number += 1
        turn = self.chance.choice([None, None, None, "undo", "redo"])
        try:
            if turn:
                step = getattr(self.workspace, turn)(self.run_id, self.who)
                self.say({"turned": f"{turn.capitalize()}: {step.what}"})
            else:
                self._command()
        except (WorkspaceError, PackageError) as error:
            if "could not be" in str(error):  # the database failed, nobody else was first
                raise
            self.say({"refused": str(error)})

    def _command(self) -> None:
        packages = self.workspace.packages(self.run_id)
        versions = {package.id: package.version for package in packages}
        command = self._draw(packages)
        made = self.workspace.perform(self.run_id, versions, command, self.who)
        changes = [(item.package_id, item.after and item.after.version, item.what) for item in made]
        first = {item.package_id: item.before for item in reversed(made) if item.before}
        unseen = [key for key, package in first.items() if package.version != versions[key]]
        self.say({"made": changes, "unseen": unseen})

    def _draw(self, packages: Sequence[Package]) -> Command:
        if len(packages) < _FEWEST:  # the others were undone
            deals = [deal.deal_id for deal in self.workspace.deals(self.run_id)]
            return MakePackage(f"Made by {self.who} ({self.number})", tuple(self.chance.sample(deals, 4)))
        one, other = self.chance.sample(packages, 2)
        if len(packages) > _MOST:
            return Merge((one.id, other.id), f"Merged by {self.who} ({self.number})")
        words = f"{self.who} {self.number}"
        commands = [
            EditPackages((one.id,), (Rename(words),)),
            EditPackages((one.id, other.id), (SetReasoning(words),)),
            EditPackages((one.id,), (Approve(words),)),
            EditPackages((one.id,), (Reject(),)),
            Merge((one.id, other.id), words),
            Duplicate(one.id),
        ]
        if len(one.deal_ids) > 1:
            commands.append(MoveDeals(one.id, other.id, one.deal_ids[:1]))
            commands.append(Split(one.id, parts=(one.deal_ids[:1],)))
        return self.chance.choice(commands)

    def export(self, folder: Path) -> None:
        """Write the approved packages to a new file."""
        job = export_job(self.workspace, self.run_id)
        data = export("json", job)
        path = folder / f"{self.who}-{self.number}.json"
        write_file(path, data)
        self.workspace.log_export(self.run_id, len(job.sheets), path.name)
        self.say({"file": path.name, "sha256": hashlib.sha256(data).hexdigest()})


def work(workspace: Workspace, run_id: str):
    """Return work of a job that writes as it goes."""

    def steps(job):
        job.stage("Working", 5)
        for number in range(5):
            workspace.save_array(run_id, OUTLINE, np.full((3, 2), number, dtype=np.float32))
            job.progress(number + 1, 5)
            time.sleep(0.01)
        return "All 5 steps."

    return steps


def main(url: str, run_id: str, folder: str, who: str, seed: str, times: str) -> None:
    """Decide, export and run jobs."""
    most = int(times)

    def say(confirmed: Confirmed) -> None:
        sys.stdout.write(f"{json.dumps(confirmed)}\n")
        sys.stdout.flush()

    workspace = Workspace(url)
    registry = JobRegistry(workspace, tick_s=0.05)
    someone = Decider(workspace, run_id, who, int(seed), say)
    say({"begun": who})
    while not most or someone.number < most:
        someone.decide()
        if most:
            continue
        job = registry.job(run_id)
        if job is None or not job.running:
            if job and job.note:
                say({"job": job.note})
            registry.start(run_id, "Work", work(workspace, run_id), kind="work", params={"of": who})
        if someone.number % 5 == 0:
            someone.export(Path(folder))
        if someone.number % 10 == 0 and file_of(url):
            backup(url)
    registry.close()
    workspace.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
