"""What an export of a run is written from, and the options that were chosen for it, kept in the workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, TypeVar

import orjson

from core.clustering import Clustering
from core.coverage import DealState, count_states, deal_states
from core.errors import ExportError
from core.exports import (
    About,
    DealsApiOptions,
    Dv360Options,
    ExportJob,
    ExportOptions,
    PlatformOptions,
    RunLog,
)
from core.packages.sheet import sheets_of
from core.proposals import Outcome
from core.storage.export_log import EXPORT
from core.storage.workspace import RunSummary, Workspace
from core.wording.findings import CheckRules

_Kind = TypeVar("_Kind", ExportOptions, DealsApiOptions, Dv360Options, PlatformOptions)


# --- options ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChosenOptions:
    """Everything an analyst chose for exports; `platform` holds the options of the Deals API as well."""

    cells: ExportOptions = field(default_factory=ExportOptions)
    deals_api: DealsApiOptions = field(default_factory=DealsApiOptions)
    dv360: Dv360Options = field(default_factory=Dv360Options)
    platform: PlatformOptions = field(default_factory=PlatformOptions)


# Part of ChosenOptions -> what its values are made of.
_KINDS: Mapping[str, type] = {
    "cells": ExportOptions,
    "deals_api": DealsApiOptions,
    "dv360": Dv360Options,
    "platform": PlatformOptions,
}
_DEALS_API = "deals_api"


def _preference(part: str) -> str:
    return f"export_{part}"


def chosen_options(workspace: Workspace) -> ChosenOptions:
    """Return the options that were kept; where nothing sound is kept, the defaults, which claim nothing."""
    parts = {
        part: _read(kind(), workspace.preference(_preference(part), "{}")) for part, kind in _KINDS.items()
    }
    chosen = ChosenOptions(**parts)
    return replace(chosen, platform=replace(chosen.platform, deals_api=chosen.deals_api))


def keep_option(workspace: Workspace, part: str, name: str, value: object) -> None:
    """Keep one option: `name` is a field of that part of ChosenOptions. Its default is not kept."""
    options = replace(getattr(chosen_options(workspace), part), **{name: value})
    default = asdict(_KINDS[part]())
    changed = {
        key: kept for key, kept in asdict(options).items() if key != _DEALS_API and kept != default[key]
    }
    text = orjson.dumps(changed, default=str).decode() if changed else None
    workspace.set_preference(_preference(part), text)


def _read(default: _Kind, text: str) -> _Kind:
    try:
        saved = orjson.loads(text)
    except ValueError:
        return default
    known = {item.name for item in fields(default)} - {_DEALS_API}
    found = {}
    for name, value in saved.items() if isinstance(saved, dict) else ():
        if name in known and (read := _value_like(name, getattr(default, name), value)) is not None:
            found[name] = read
    return replace(default, **found)


# Options whose default, None, does not tell what they are.
_NUMBERS: Mapping[str, Callable[[Any], Any]] = {"units": int, "total_cost": Decimal, "margin": Decimal}


def _value_like(name: str, default: object, value: Any) -> Any:  # noqa: ANN401  (read from JSON)
    """Return a kept value as its option takes it, None when it is none."""
    if name in _NUMBERS:
        try:
            return _NUMBERS[name](value)
        except (TypeError, ValueError, ArithmeticError):
            return None
    if isinstance(default, tuple):
        is_texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return tuple(value) if is_texts else None
    return value if type(value) is type(default) else None


# --- origin -----------------------------------------------------------------------------------


def last_change(events: Sequence[Mapping[str, Any]]) -> int:
    """Return the place of the newest event that changed something.

    An export is no change: the same packages give the same bytes again.
    """
    changes = (place for place, event in enumerate(events) if not event["what"].startswith(f"{EXPORT} "))
    return max(changes, default=0)


def about_run(
    workspace: Workspace,
    run: RunSummary,
    *,
    clustering: Clustering | None,
    outcomes: Mapping[str, Outcome],
    states: Sequence[DealState],
    rules: CheckRules,
    events: Sequence[Mapping[str, Any]],
) -> About:
    """Return what an export says of where its packages come from."""
    asked = [outcome for outcome in outcomes.values() if outcome.proposals]
    prompts = workspace.prompts_used(run.id)
    proposed_by = sorted({outcome.proposal_source for outcome in asked})
    settings: dict[str, Any] = {
        "clustering": clustering.settings.to_dict() if clustering else None,
        "embedding_model": workspace.made_by(run.id),
        "proposals": {
            "asked": sorted({outcome.source for outcome in asked}),
            "proposed_by": proposed_by,
            "prompts": list(prompts),
        },
        "overlap_policy": asdict(rules.overlap),
    }
    return About(
        run=run.name,
        file=run.filename,
        when=events[last_change(events)]["at"],
        settings=settings,
        model=", ".join(proposed_by) or None,
        prompt_hash=", ".join(prompts) or None,
        deals=run.deals,
        coverage=dict(count_states(states).items()),
        floor_is_lowest_risk=rules.floor_is_lowest_risk,
    )


def log_of(states: Sequence[DealState], events: Sequence[Mapping[str, Any]]) -> RunLog:
    """Return what a workbook shows of a run: its trail up to the last change, which no export is."""
    return RunLog(states, events[: last_change(events) + 1])


# --- without a screen -------------------------------------------------------------------------


def export_job(workspace: Workspace, run_id: str) -> ExportJob:
    """Return what any file of a run is written from: its approved packages, with the options that are kept.

    Raises WorkspaceError when there is no such run.
    """
    run, events = workspace.run(run_id), workspace.events(run_id)
    listed, packages = workspace.deals(run_id), workspace.packages(run_id)
    clustering, outcomes = workspace.clustering(run_id), workspace.outcomes(run_id)
    rules = workspace.check_rules(run_id)
    deals = {deal.deal_id: deal for deal in listed}
    states = deal_states(listed, clustering, outcomes, packages)
    # A rejected package may hold deals that are gone; those that stand are what names and deals collide with.
    standing = [package for package in packages if package.status != "rejected"]
    sheets = sheets_of(standing, deals, rules)
    chosen = chosen_options(workspace)
    return ExportJob(
        tuple(sheet for sheet in sheets if sheet.package.approval_holds(deals)),
        about_run(
            workspace,
            run,
            clustering=clustering,
            outcomes=outcomes,
            states=states,
            rules=rules,
            events=events,
        ),
        chosen.cells,
        chosen.deals_api,
        chosen.dv360,
        log_of(states, events),
    )


def run_named(workspace: Workspace, name: str) -> RunSummary:
    """Return the run of this id, else the one of this name. Raises ExportError for none and for several."""
    runs = workspace.runs()
    found = [run for run in runs if run.id == name] or [run for run in runs if run.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(run.id for run in found)
        raise ExportError(f"{len(found)} runs are named {name!r}: give the id of one of them ({ids}).")
    there = ", ".join(f"{run.id} ({run.name})" for run in runs[:5]) or "none"
    raise ExportError(f"There is no run {name!r} in this workspace; it has: {there}.")
