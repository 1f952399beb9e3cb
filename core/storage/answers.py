"""Answers about clusters: what became of each, which of them counts, and which are given again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import WorkspaceError
from core.proposals import Answer, Outcome, PromptTemplate
from core.proposals.templates import TemplateVersion
from core.storage import clusterings, package_rows
from core.storage.calls import OPEN, CallLog, calls_about, close_calls
from core.storage.database import ANALYST, check_loads, deal_ids_of, get_run, log_event
from core.storage.schema import AnswerCacheRow, AskingRow, AttemptRow, OutcomeRow, TemplateRow


@dataclass(frozen=True, slots=True)
class AnswerVersion:
    """An answer a cluster has or had. created_at: UTC, ISO 8601. template_id: None for the rules."""

    id: int
    created_at: str
    asking: int | None
    template_id: str | None
    outcome: Outcome


class AnswerBook(CallLog):
    """The part of the workspace about asking; each method is one transaction."""

    # --- outcomes -----------------------------------------------------------------------------

    def begin_asking(self, run_id: str, source: str, template: PromptTemplate | None) -> int:
        """Note that packages are asked for from now on, and return the number of this asking.

        template: what stands around the deals; it is kept as a version. None for the rules.
        """
        with self._saving() as session:
            get_run(session, run_id)
            version = TemplateVersion.of(template.text, clock.timestamp()) if template else None
            if version and session.scalar(_template(version.id)) is None:
                session.add(TemplateRow(id=version.id, text=version.text, made_at=version.made_at))
            row = AskingRow(
                run_id=run_id,
                at=clock.timestamp(),
                source=source,
                template_id=version.id if version else None,
            )
            session.add(row)
            session.flush()
            return row.id

    def save_outcome(
        self,
        run_id: str,
        outcome: Outcome,
        *,
        loads: int | None = None,
        asking: int | None = None,
        question: str | None = None,
    ) -> None:
        """Keep what became of one cluster, and its suggestions as pending packages.

        The suggestions of an answer take the place of untouched ones of the same cluster. What the
        rules propose for a failed or unsent cluster becomes packages only when it has none at all.
        loads: `RunSummary.loads` when the deals were read. asking: number of the asking it ends.
        question: name of what was asked, so that the answer is given again without a call.
        """
        with self._saving() as session:
            check_loads(get_run(session, run_id), loads)
            done = outcome.status == "done"
            if not done and package_rows.of_cluster(session, run_id, outcome.cluster_id):
                outcome = replace(outcome, proposals=(), unpackaged=(), stand_in=None)
            _add_outcome(session, run_id, outcome, asking)
            if done or outcome.proposals:
                package_rows.suggest(session, run_id, outcome)
            if done:
                close_calls(session, run_id, outcome.cluster_id, asking)
            if done and question and not outcome.cached:
                kept = AnswerCacheRow(
                    question=question,
                    run_id=run_id,
                    created_at=clock.timestamp(),
                    answer=_answer_of(outcome).to_dict(),
                )
                session.merge(kept)
            what = f"Proposals for cluster {outcome.cluster_id}: {outcome.status}"
            log_event(session, run_id, what, who=outcome.source)

    def outcomes(self, run_id: str) -> dict[str, Outcome]:
        """Return the outcome of each cluster that counts, by cluster id.

        The newest one counts, but "not sent" hides neither an answer nor a failure. A failed cluster
        keeps the proposals it had: `stand_in` then says whose they are, `deal_ids` what they are about.
        """
        with self._reading() as session:
            return _standing(Outcome.from_dict(item) for item in _saved_outcomes(session, run_id))

    def unfinished(self, run_id: str) -> tuple[str, ...]:
        """Return the ids of clusters that were being asked about when a run ended, and have no answer yet."""
        with self._reading() as session:
            rows = session.execute(
                select(AttemptRow.cluster_id, func.max(AttemptRow.asking))
                .where(AttemptRow.run_id == run_id, AttemptRow.state.in_(OPEN))
                .group_by(AttemptRow.cluster_id)
                .order_by(func.min(AttemptRow.id))
            ).all()
            decided: dict[str, int] = {}
            for item in _saved_outcomes(session, run_id):
                if item["status"] != "not_sent":
                    decided[item["cluster_id"]] = item.get("asking") or 0
            return tuple(cluster_id for cluster_id, asking in rows if asking > decided.get(cluster_id, 0))

    def answered_since(self, run_id: str, moment: str) -> frozenset[str]:
        """Return the ids of clusters that were answered at a moment or later (UTC, ISO 8601, seconds)."""
        with self._reading() as session:
            done = session.scalars(
                select(OutcomeRow.cluster_id).where(
                    OutcomeRow.run_id == run_id,
                    OutcomeRow.created_at >= moment,
                    OutcomeRow.outcome["status"].as_string() == "done",
                )
            )
            return frozenset(done)

    def answers(self, run_id: str, cluster_id: str) -> tuple[AnswerVersion, ...]:
        """Return every answer with proposals that a cluster has or had, newest first."""
        with self._reading() as session:
            rows = session.scalars(
                select(OutcomeRow)
                .where(OutcomeRow.run_id == run_id, OutcomeRow.cluster_id == cluster_id)
                .order_by(OutcomeRow.id.desc())
            ).all()
            askings = select(AskingRow.id, AskingRow.template_id).where(AskingRow.run_id == run_id)
            templates = dict(session.execute(askings).all())
            return tuple(
                AnswerVersion(
                    id=row.id,
                    created_at=row.created_at,
                    asking=row.outcome.get("asking"),
                    template_id=templates.get(row.outcome.get("asking") or 0),
                    outcome=Outcome.from_dict(row.outcome),
                )
                for row in rows
                if row.outcome["proposals"]
            )

    def keep_answer(self, run_id: str, answer_id: int, who: str = ANALYST) -> None:
        """Let an earlier answer count again: its suggestions replace the untouched ones of its cluster.

        Raises WorkspaceError when the answer, its cluster or one of its deals is gone.
        """
        with self._saving() as session:
            row, run = session.get(OutcomeRow, answer_id), get_run(session, run_id)
            if row is None or row.run_id != run_id or not row.outcome["proposals"]:
                raise WorkspaceError("This answer is not kept any more: reload the page.")
            outcome = Outcome.from_dict(row.outcome)
            clustering = clusterings.needed(run)
            gone = set(outcome.deal_ids) - deal_ids_of(session, run_id)
            if gone or outcome.cluster_id not in {cluster.id for cluster in clustering.clusters}:
                raise WorkspaceError(
                    "The answer is about a cluster or deals that are not there any more: ask for it again."
                )
            _add_outcome(session, run_id, outcome, row.outcome.get("asking"))
            package_rows.suggest(session, run_id, outcome)
            what = f"Take the answer of {row.created_at} for cluster {outcome.cluster_id}"
            log_event(session, run_id, what, who=who)

    # --- kept answers and templates -----------------------------------------------------------

    def kept_answer(self, question: str) -> Answer | None:
        """Return the checked answer to a question that was asked before, None without one."""
        with self._reading() as session:
            row = session.get(AnswerCacheRow, question)
            return Answer.from_dict(row.answer) if row else None

    def kept_questions(self, questions: Collection[str]) -> set[str]:
        """Return those of the questions that have a kept answer."""
        with self._reading() as session:
            found = select(AnswerCacheRow.question).where(AnswerCacheRow.question.in_(questions))
            return set(session.scalars(found))

    def save_template(self, text: str) -> TemplateVersion:
        """Keep a version of the prompt template as the newest. Raises PromptError when it is none."""
        version = TemplateVersion.of(text, clock.timestamp())
        with self._saving() as session:
            session.execute(delete(TemplateRow).where(TemplateRow.id == version.id))
            session.add(TemplateRow(id=version.id, text=version.text, made_at=version.made_at))
        return version

    def templates(self) -> tuple[TemplateVersion, ...]:
        """Return the versions of the prompt template that were saved or asked with, newest first."""
        with self._reading() as session:
            rows = session.scalars(select(TemplateRow).order_by(TemplateRow.number.desc()))
            return tuple(TemplateVersion(row.id, row.text, row.made_at) for row in rows)


# --- what counts ------------------------------------------------------------------------------


def _standing(outcomes: Iterable[Outcome]) -> dict[str, Outcome]:
    """Return the outcome of each cluster that counts; they come oldest first."""
    found: dict[str, Outcome] = {}
    for outcome in outcomes:
        before = found.get(outcome.cluster_id)
        if before is None or outcome.status == "done":
            found[outcome.cluster_id] = outcome
        elif outcome.status == "failed" or before.status == "not_sent":
            found[outcome.cluster_id] = _with_proposals_before(outcome, before)
    return found


def _with_proposals_before(outcome: Outcome, before: Outcome) -> Outcome:
    if outcome.proposals or not before.proposals:
        return outcome
    return replace(
        outcome,
        deal_ids=before.deal_ids,
        proposals=before.proposals,
        unpackaged=before.unpackaged,
        stand_in=before.proposal_source,
    )


def _saved_outcomes(session: Session, run_id: str) -> list[dict[str, Any]]:
    rows = select(OutcomeRow.outcome).where(OutcomeRow.run_id == run_id).order_by(OutcomeRow.id)
    return list(session.scalars(rows))


def _add_outcome(session: Session, run_id: str, outcome: Outcome, asking: int | None) -> None:
    """Add an outcome; the raw text stays out of it when the record of the calls holds it."""
    texts = calls_about(run_id, outcome.cluster_id).where(AttemptRow.asking == asking, AttemptRow.raw != "")
    if session.scalar(texts.limit(1)) is not None:
        outcome = replace(outcome, raw="")
    session.add(
        OutcomeRow(
            run_id=run_id,
            cluster_id=outcome.cluster_id,
            created_at=clock.timestamp(),
            outcome={**outcome.to_dict(), "asking": asking},
        )
    )


def forget_outcomes(session: Session, run_id: str, deal_ids: Collection[str]) -> None:
    """Drop the answers about these deals: their clusters must be asked about again.

    All answers of such a cluster go: an older one would else count again.
    """
    rows = session.scalars(select(OutcomeRow).where(OutcomeRow.run_id == run_id)).all()
    stale = {row.cluster_id for row in rows if not set(row.outcome["deal_ids"]).isdisjoint(deal_ids)}
    for row in rows:
        if row.cluster_id in stale:
            session.delete(row)


def _answer_of(outcome: Outcome) -> Answer:
    return Answer(
        outcome.proposals,
        outcome.unpackaged,
        outcome.issues,
        model=outcome.model,
        requested_model=outcome.requested_model,
        latency_s=outcome.latency_s,
    )


def _template(template_id: str) -> Select[TemplateRow]:
    return select(TemplateRow).where(TemplateRow.id == template_id)
