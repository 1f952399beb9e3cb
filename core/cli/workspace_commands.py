"""The commands of `python -m core` about the workspace: its safety, its runs, and export."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from core.errors import ExportError
from core.exports import PLATFORMS, PRESETS, Issue, export, preflight, write_file
from core.settings import get_settings
from core.storage.backup import backup, backups, restore
from core.storage.health import doctor
from core.storage.run_files import SUFFIX
from core.storage.workspace import RunSummary, Workspace
from core.work.export_jobs import chosen_options, export_job, run_named

Say = Callable[[str], None]

# As in the other commands: 0 all done, 1 the input cannot be used or something is wrong with it.
_OK, _WRONG = 0, 1


def add_workspace_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser], say: Say) -> None:
    """Add the commands to a parser; say: what writes a line for the person who called.

    The `command` of the parsed options returns the exit code and raises WorkspaceError.
    """
    keep = commands.add_parser("backup", help="copy the workspace as it is now; it may be in use")
    keep.add_argument("--to", type=Path, metavar="FOLDER", help="default: backups, beside the workspace")
    keep.set_defaults(command=lambda options: _backup(options.to, say))

    back = commands.add_parser("restore", help="put a backup in the place of the workspace, or list them")
    back.add_argument("backup", type=Path, nargs="?", help="backup to take; without one, they are listed")
    back.set_defaults(command=lambda options: _restore(options.backup, say))

    look = commands.add_parser("doctor", help="say whether the workspace is sound, and what to do if not")
    look.set_defaults(command=lambda _: _doctor(say))

    listed = commands.add_parser("runs", help="list the runs of the workspace, newest first")
    listed.set_defaults(command=lambda _: _runs(say))

    save = commands.add_parser("save-run", help="write a run with everything made from it to a file")
    save.add_argument("run", help="id or name of the run")
    save.add_argument("file", type=Path, help=f"file to write; its name ends in {SUFFIX}")
    save.set_defaults(command=lambda options: _save_run(options.run, options.file, say))

    load = commands.add_parser("open-run", help="add the run of such a file to the workspace")
    load.add_argument("file", type=Path, help="file that save-run or the Settings page wrote")
    load.set_defaults(command=lambda options: _open_run(options.file, say))

    out = commands.add_parser(
        "export", help="write the approved packages of a run in the workspace to a file"
    )
    out.add_argument("run", help="id or name of the run")
    out.add_argument(
        "--preset", choices=tuple(PRESETS), default="packages_deals", help="kind of file (%(default)s)"
    )
    out.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    out.add_argument(
        "--platform", choices=tuple(PLATFORMS), help="keep to the rules of this platform as well"
    )
    out.set_defaults(command=lambda options: _export(options, say))


def _backup(folder: Path | None, say: Say) -> int:
    say(f"Copied to {backup(get_settings().workspace_url, folder)}")
    return _OK


def _restore(path: Path | None, say: Say) -> int:
    url = get_settings().workspace_url
    if path is None:
        copies = backups(url)
        for copy in copies:
            say(str(copy))
        say(f"{len(copies)} backups, newest first; take one with python -m core restore BACKUP")
        return _OK
    aside = restore(url, path)
    say(f"The workspace is that of {path} again.")
    if aside:
        say(f"What was there before is in {aside}")
    return _OK


def _doctor(say: Say) -> int:
    report = doctor(get_settings().workspace_url)
    for finding in report.findings:
        say(f"{'ok' if finding.ok else 'WRONG':>5}  {finding.sentence}")
    return _OK if report.ok else _WRONG


def _runs(say: Say) -> int:
    with closing(Workspace(get_settings().workspace_url)) as workspace:
        for run in workspace.runs():
            say(_line(run))
    return _OK


def _line(run: RunSummary) -> str:
    clusters = "no clusters" if run.clusters is None else f"{run.clusters} clusters"
    counts = f"{run.deals} deals, {clusters}, {run.approved} of {run.packages} packages approved"
    return f"{run.id}  {run.saved_at}  {run.name}: {counts}"


def _save_run(name: str, file: Path, say: Say) -> int:
    with closing(Workspace(get_settings().workspace_url)) as workspace:
        run = run_named(workspace, name)
        workspace.export_workspace(run.id, file)
    say(f"{file}: the run {run.name}, {file.stat().st_size:,} bytes")
    return _OK


def _open_run(file: Path, say: Say) -> int:
    with closing(Workspace(get_settings().workspace_url)) as workspace:
        say(_line(workspace.run(workspace.import_workspace(file))))
    return _OK


def _export(options: argparse.Namespace, say: Say) -> int:
    """Write a file with the options of the page. Raises ExportError with all that stands against it."""
    preset = PRESETS[options.preset]
    with closing(Workspace(get_settings().workspace_url)) as workspace:
        run = run_named(workspace, options.run)
        job, wanted = export_job(workspace, run.id), chosen_options(workspace).platform
        platforms = dict.fromkeys((preset.platform, options.platform or preset.platform))
        issues = dict.fromkeys(
            issue for platform in platforms for issue in preflight(job.sheets, platform, wanted)
        )
        _refuse([issue for issue in issues if issue.severity == "error"])
        for issue in issues:
            say(f"warning: {issue.sentence}")
        data = export(preset.key, job)
        write_file(options.out, data)
        checksum = hashlib.sha256(data).hexdigest()
        workspace.log_export(run.id, len(job.sheets), options.out.name, label=preset.label, checksum=checksum)
    say(f"{options.out}: {len(job.sheets)} packages, {len(data):,} bytes, sha256 {checksum}")
    return _OK


def _refuse(errors: list[Issue]) -> None:
    if errors:
        sentences = "\n".join(issue.sentence for issue in errors)
        raise ExportError(f"Nothing was written, because of {len(errors)} errors:\n{sentences}")
