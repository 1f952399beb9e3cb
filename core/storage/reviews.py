"""What an analyst does to the packages of a run: commands, and the way back from them.

A step is a command that changed something. Steps are taken back newest first and made again in
their order, also after a restart; the audit trail holds each of these as changes of packages.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from core import clock
from core.deals import Deal
from core.errors import WorkspaceError
from core.packages import (
    Change,
    Command,
    Edit,
    EditPackages,
    MakePackage,
    Package,
    Review,
    perform,
    redo,
    undo,
    with_claims,
)
from core.packages.checks import Others
from core.packages.history import changed_since
from core.packages.package import new_package_id
from core.packages.review import approves
from core.storage import package_rows
from core.storage.answers import AnswerBook
from core.storage.database import ANALYST, get_run
from core.storage.package_rows import ClusterMembers, Kind
from core.storage.schema import DealRow, EventRow, PackageRow, PreferenceRow, RunRow, StepRow
from core.wording.findings import CheckRules, OverlapMode, OverlapPolicy

StepState = Literal["done", "undone", "dropped"]

_Turn = Callable[[Review, Sequence[Change], str], tuple[Review, tuple[Change, ...]]]

# SQLite takes 32,766 values in one statement.
_IDS_AT_ONCE = 10_000
_OVERLAP_MODE, _MOST_SHARED = "overlap_mode", "overlap_most_shared"


@dataclass(frozen=True, slots=True)
class Step:
    """A command that changed packages.

    at: UTC, ISO 8601. what: in words. state: done; undone = it can be made again; dropped = another
    command came after it was undone.
    """

    id: int
    at: str
    who: str
    what: str
    state: StepState


class ReviewBook(AnswerBook):
    """The part of the workspace about packages; each method is one transaction."""

    @cached_property
    def _clusters(self) -> ClusterMembers:
        return ClusterMembers()

    # --- packages -----------------------------------------------------------------------------

    def packages(self, run_id: str) -> tuple[Package, ...]:
        """Return the packages of a run in the order they came."""
        with self._reading() as session:
            return tuple(map(Package.from_dict, package_rows.current(session, run_id, self._clusters)))

    def changes(self, run_id: str) -> tuple[Change, ...]:
        """Return what made, changed or retired packages, oldest first; replayed, it gives those that stand.

        Standing packages are those that nothing replaced, also suggestions for clusters that are not the
        run's now.
        """
        with self._reading() as session:
            return tuple(map(package_rows.change_of, package_rows.trail(session, run_id)))

    def add_package(
        self, run_id: str, name: str, deal_ids: Sequence[str], who: str = ANALYST, *, reasoning: str = ""
    ) -> Package:
        """Make a package by hand. Raises PackageError without a sound name, and for unknown deals or none."""
        (made,) = self.perform(run_id, {}, MakePackage(name, tuple(deal_ids), reasoning), who)
        assert made.after is not None  # noqa: S101  (it was just made)
        return made.after

    def edit_packages(
        self, run_id: str, versions: Mapping[str, int], edits: Iterable[Edit], who: str = ANALYST
    ) -> tuple[Package, ...]:
        """Apply edits to packages, all or none, and return their new versions; see `perform`."""
        command = EditPackages(tuple(versions), tuple(edits))
        with self._saving() as session:
            after, changes = self._perform(session, run_id, versions, command, who)
        self._note_approvals(_approvals(changes))
        packages = {package.id: package for package in after.packages}
        return tuple(packages[package_id] for package_id in versions)

    def renew_suggestions(self, run_id: str, renewed: Mapping[str, Package]) -> int:
        """Put other suggestions in the places of untouched ones, by their ids; return how many.

        Those that an analyst edited or decided on meanwhile stay. A page drawn before cannot decide
        on what it does not show: the new ones have ids of their own.
        """
        with self._saving() as session:
            rows = package_rows.current_rows(session, run_id, renewed, self._clusters)
            places = [row for row in rows.values() if package_rows.is_untouched(row)]
            for row in places:
                fresh = dataclasses.replace(renewed[row.id], id=new_package_id())
                package_rows.renew(session, run_id, row, fresh)
        return len(places)

    # --- commands -----------------------------------------------------------------------------

    def perform(
        self, run_id: str, versions: Mapping[str, int], command: Command, who: str = ANALYST
    ) -> tuple[Change, ...]:
        """Carry a command out, all of it or nothing, as one step; return what it changed.

        versions: package id -> the version the command was made from, of each package it is about.
        A step that was undone before cannot be made again afterwards. Raises WorkspaceError when a
        package has changed since, PackageError when the command is not allowed.
        """
        with self._saving() as session:
            _, changes = self._perform(session, run_id, versions, command, who)
        self._note_approvals(_approvals(changes))
        return changes

    def _perform(
        self, session: Session, run_id: str, versions: Mapping[str, int], command: Command, who: str
    ) -> tuple[Review, tuple[Change, ...]]:
        rows = package_rows.current_rows(session, run_id, command.package_ids, self._clusters)
        for package_id in command.package_ids:
            _refuse_stale(rows.get(package_id), versions.get(package_id))
        review = _review_of(session, run_id, rows.values())
        deals = _deals_of(session, run_id, review.packages, command.deal_ids)
        rules, others = CheckRules.now(), None
        if approves(command):  # only then the checks look at all other packages
            rules, others = _rules_of(session, run_id), self._others(session, run_id, deals.keys())
        after, changes = perform(review, command, deals, who, rules, others=others)
        if changes:
            names = {package.id: package.name for package in review.packages}
            step_id = _new_step(session, run_id, command.words(names), who)
            package_rows.keep_changes(session, run_id, changes, who=who, kind="command", step_id=step_id)
        return after, changes

    def _others(self, session: Session, run_id: str, deal_ids: Collection[str]) -> Others:
        """Return the names of all packages that count, and which of them hold one of these deals."""
        return Others.of(
            Package(
                id=saved["id"],
                name=saved["name"],
                deal_ids=tuple(deal_id for deal_id in saved["deal_ids"] if deal_id in deal_ids),
                reasoning="",
                source="",
                status=saved["status"],
            )
            for saved in package_rows.current(session, run_id, self._clusters)
        )

    # --- back and forth -----------------------------------------------------------------------

    def steps(self, run_id: str) -> tuple[Step, ...]:
        """Return the steps of a run, newest first; the newest done one is undone next."""
        with self._reading() as session:
            found = select(StepRow).where(StepRow.run_id == run_id).order_by(StepRow.id.desc())
            return tuple(map(_step_of, session.scalars(found)))

    def undo(self, run_id: str, who: str = ANALYST) -> Step:
        """Take the newest step back and return it: its packages have their former content in a new version.

        Raises WorkspaceError when there is none, PackageError when a package was changed since by something
        else, such as a newer file.
        """
        with self._saving() as session:
            newest = select(func.max(StepRow.id)).where(StepRow.run_id == run_id, StepRow.state == "done")
            row = session.get(StepRow, session.scalar(newest) or 0)
            if row is None:
                raise WorkspaceError("There is nothing to undo: nothing was done to packages yet.")
            _turn(session, row, undo, "undo", who)
            row.state = "undone"
            return _step_of(row)

    def redo(self, run_id: str, who: str = ANALYST) -> Step:
        """Make the step that was undone last again, and return it; raises as `undo` does."""
        with self._saving() as session:
            first = select(func.min(StepRow.id)).where(StepRow.run_id == run_id, StepRow.state == "undone")
            row = session.get(StepRow, session.scalar(first) or 0)
            if row is None:
                raise WorkspaceError("There is nothing to redo: no step was undone last.")
            _turn(session, row, redo, "redo", who)
            row.state = "done"
            return _step_of(row)

    # --- what the checks go by ----------------------------------------------------------------

    def check_rules(self, run_id: str) -> CheckRules:
        """Return what the checks of this run's packages go by, as of today (UTC)."""
        with self._reading() as session:
            return _rules_of(session, run_id)

    def set_overlap_policy(self, policy: OverlapPolicy) -> None:
        """Keep what is said of deals that packages share. Raises WorkspaceError for a share not in [0, 1]."""
        if not 0 <= policy.most_shared <= 1:
            raise WorkspaceError(
                f"{policy.most_shared:g} is no share of deals: choose one from 0 to 1 (100 %)."
            )
        values = {_OVERLAP_MODE: policy.mode, _MOST_SHARED: str(policy.most_shared)}
        with self._saving() as session:
            session.execute(delete(PreferenceRow).where(PreferenceRow.name.in_(values)))
            session.add_all(PreferenceRow(name=name, value=value) for name, value in values.items())


def _approvals(changes: Iterable[Change]) -> int:
    """Count the packages that were approved by these changes."""
    return sum(
        change.after is not None
        and change.after.status == "approved"
        and (change.before is None or change.before.status != "approved")
        for change in changes
    )


def deals_named(session: Session, run_id: str, deal_ids: Iterable[str]) -> dict[str, Deal]:
    """Return those of the deals that the run has, by id."""
    wanted, found = list(set(deal_ids)), {}
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        some = DealRow.deal_id.in_(wanted[start : start + _IDS_AT_ONCE])
        for record in session.scalars(select(DealRow.record).where(DealRow.run_id == run_id, some)):
            deal = Deal.from_dict(record)
            found[deal.deal_id] = deal
    return found


def _deals_of(
    session: Session, run_id: str, packages: Iterable[Package | None], more: Iterable[str] = ()
) -> dict[str, Deal]:
    held = {deal_id for package in packages if package for deal_id in package.deal_ids}
    return deals_named(session, run_id, held.union(more))


def _review_of(session: Session, run_id: str, rows: Iterable[PackageRow]) -> Review:
    """Return these packages as a review, those that do not stand with their last version."""
    rows = list(rows)
    there = sorted((row for row in rows if not row.replaced), key=lambda row: (row.position, row.id))
    return Review(
        tuple(map(package_rows.package_of, there)),
        tuple(row.position for row in there),
        package_rows.end_of(session, run_id),
        {row.id: row.version for row in rows if row.replaced},
    )


def _refuse_stale(row: PackageRow | None, version: int | None) -> None:
    if row is None:
        raise WorkspaceError("The package is not there any more: reload the page.")
    if row.version != version:
        raise WorkspaceError(
            f"{row.package['name']!r} was changed meanwhile (version {row.version}, yours {version}): "
            "reload the page and make your change again."
        )


def _new_step(session: Session, run_id: str, what: str, who: str) -> int:
    undone = update(StepRow).where(StepRow.run_id == run_id, StepRow.state == "undone")
    session.execute(undone.values(state="dropped"))
    row = StepRow(run_id=run_id, at=clock.timestamp(), who=who, what=what, state="done")
    session.add(row)
    session.flush()
    return row.id


def _step_of(row: StepRow) -> Step:
    state: StepState = next(item for item in get_args(StepState) if item == row.state)
    return Step(row.id, row.at, row.who, row.what, state)


def _turn(session: Session, step: StepRow, turn: _Turn, kind: Kind, who: str) -> None:
    """Take a step back or make it again. Raises PackageError when something else came in between."""
    events = session.scalars(select(EventRow).where(EventRow.step_id == step.id).order_by(EventRow.id)).all()
    changes = [package_rows.change_of(event) for event in events if event.kind == "command"]
    ids = {change.package_id for change in changes}
    _refuse_other_changes(session, step.run_id, events[-1].id, ids)
    rows = session.scalars(select(PackageRow).where(PackageRow.id.in_(ids)))
    review = _review_of(session, step.run_id, rows)
    _, made = turn(review, changes, f"{kind.capitalize()}: {step.what}")
    if _file_came(session, step.run_id, events[0].id):
        made = _with_deals_now(session, step.run_id, made)
    package_rows.keep_changes(session, step.run_id, made, who=who, kind=kind, step_id=step.id)


def _refuse_other_changes(session: Session, run_id: str, last_event: int, ids: Iterable[str]) -> None:
    """Raise PackageError when something other than steps changed one of the packages after an event."""
    later = select(EventRow).where(
        EventRow.run_id == run_id,
        EventRow.id > last_event,
        EventRow.package_id.in_(ids),
        EventRow.kind.is_not(None),
        EventRow.step_id.is_(None),
    )
    event = session.scalar(later.limit(1))
    if event is not None:
        raise changed_since((event.after or event.before or {})["name"])


def _file_came(session: Session, run_id: str, since_event: int) -> bool:
    later = select(EventRow.id).where(
        EventRow.run_id == run_id, EventRow.id > since_event, EventRow.kind == "file"
    )
    return session.scalar(later.limit(1)) is not None


def _with_deals_now(session: Session, run_id: str, changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes with claims about the deals as they are after a newer file.

    Raises PackageError when a package would hold a deal that is gone, or an approval of other content.
    """
    deals = _deals_of(session, run_id, (change.after for change in changes))
    current = []
    for change in changes:
        after = change.after
        if after is not None:
            gone = any(deal_id not in deals for deal_id in after.deal_ids)
            if gone or (after.status == "approved" and not after.approval_holds(deals)):
                raise changed_since(after.name)
            after = with_claims(after, deals)
        current.append(dataclasses.replace(change, after=after))
    return tuple(current)


def _rules_of(session: Session, run_id: str) -> CheckRules:
    switch = RunRow.report["floor_is_lowest_risk"].as_boolean()
    found = session.execute(select(switch).where(RunRow.id == run_id)).one_or_none()
    if found is None:
        get_run(session, run_id)
    names = (_OVERLAP_MODE, _MOST_SHARED)
    kept = dict(
        session.execute(
            select(PreferenceRow.name, PreferenceRow.value).where(PreferenceRow.name.in_(names))
        ).all()
    )
    usual = OverlapPolicy()
    mode: OverlapMode = next(
        (item for item in get_args(OverlapMode) if item == kept.get(_OVERLAP_MODE)), usual.mode
    )
    policy = OverlapPolicy(mode, float(kept.get(_MOST_SHARED, usual.most_shared)))
    rules = CheckRules.now()
    return dataclasses.replace(rules, floor_is_lowest_risk=bool(found and found[0]), overlap=policy)
