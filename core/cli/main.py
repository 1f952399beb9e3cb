"""The pipeline without a screen: `python -m core run DEALS` and `python -m core check DEALS`.

Exit codes: 0 all done; 1 the input cannot be used, or check found refused rows; 2 a fatal
error stopped the proposals; 3 some clusters failed. Rules propose where a model did not, and say
so. What was finished is written in each case, except after Ctrl+C.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import orjson
from tqdm import tqdm

from core.cli.workspace_commands import add_workspace_commands
from core.clustering import METHODS
from core.clustering.cluster import SmallClusters
from core.clustering.keep_apart import RULES, stratum_of
from core.counting import counted
from core.creator import CreationResult, PackageCreator, patient_limits
from core.deals import Deal
from core.errors import DealweaverError, ImportRefused, NeedsMapping
from core.proposals import DEFAULT_TEMPLATE, Outcome, PromptTemplate, Proposer, RulesProposer
from core.proposals.providers import PROVIDERS, make_proposer
from core.reading import ImportResult, ReadOptions, read_deals, read_sample, suggest_fields
from core.settings import (
    MEMBERSHIP_THRESHOLD,
    MIN_CLUSTER_SIZE,
    PROPOSAL_MAX_DEALS,
    Settings,
    get_settings,
)

# Columns that are named with examples when none of them is known to be the id.
_NAMED_COLUMNS = 30
OK, BAD_INPUT, STOPPED, SOME_FAILED = 0, 1, 2, 3
BY_RULES = "rules"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every error is one sentence on stderr."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.CRITICAL)  # failures are told once, by this command
    try:
        return int(options.command(options))
    except DealweaverError as error:
        _say(str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        _say("Stopped by the keyboard; nothing was written.")
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description="Dealweaver without a screen.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="read deals, cluster them, propose packages, write them as JSON")
    run.set_defaults(command=_run)
    what = run.add_mutually_exclusive_group(required=True)
    what.add_argument("deals", type=Path, nargs="?", help="deal file: CSV, TSV, JSON or JSON Lines")
    what.add_argument("--sample", action="store_true", help="the sample deals, moved by whole weeks to today")
    run.add_argument("--out", type=Path, default=Path("packages.json"), help="file to write (%(default)s)")
    run.add_argument(
        "--proposer",
        choices=(BY_RULES, *PROVIDERS),
        help="who proposes; default: DEALWEAVER_PROVIDER when its key is set, else rules",
    )
    run.add_argument("--model", help="model to ask; default: DEALWEAVER_MODEL, else that of the proposer")
    run.add_argument(
        "--template",
        type=Path,
        metavar="FILE",
        help="prompt with {enriched_deals} where the deals shall stand",
    )
    run.add_argument("--method", choices=METHODS, default="gmm", help="clustering method (%(default)s)")
    run.add_argument(
        "--max-size", type=int, default=PROPOSAL_MAX_DEALS, help="most deals of a cluster (%(default)s)"
    )
    run.add_argument(
        "--min-size", type=int, default=MIN_CLUSTER_SIZE, help="fewest deals of a cluster (%(default)s)"
    )
    run.add_argument(
        "--small-clusters",
        choices=get_args(SmallClusters),
        default="attach",
        help="what becomes of groups under --min-size (%(default)s)",
    )
    run.add_argument(
        "--keep-apart",
        action="append",
        default=[],
        metavar="RULE",
        help="deals that differ in it share no cluster; may be given several times: "
        f"{', '.join(RULES)}, or a column",
    )
    run.add_argument("--overlap", action="store_true", help="let a deal join a second cluster")
    run.add_argument(
        "--threshold",
        type=float,
        default=MEMBERSHIP_THRESHOLD,
        help="membership strength for --overlap, in (0, 1] (%(default)s)",
    )

    check = commands.add_parser("check", help="say what a file holds, what was repaired and what refused")
    check.set_defaults(command=_check)
    check.add_argument("deals", type=Path, help="deal file")
    check.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=FIELD",
        help="read a column as this field (COLUMN= for none); may be given several times",
    )
    check.add_argument(
        "--floor-is-lowest-risk", action="store_true", help='the GARM rating "Floor" means the safest level'
    )
    add_workspace_commands(commands, print)
    return parser


def _read(
    path: Path, options: ReadOptions | None = None, mapping: Mapping[str, str | None] | None = None
) -> ImportResult:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImportRefused(
            str(path), f"cannot be read ({error.strerror}): check the name and its rights."
        ) from None
    return read_deals(data, path.name, options, mapping=mapping)


# --- check ------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    mapping = _mapping(options.map)
    try:
        result = _read(options.deals, ReadOptions(options.floor_is_lowest_risk), mapping)
    except NeedsMapping as refusal:
        columns = [f"{name} ({_examples(refusal.samples.get(name, ()))})" for name in refusal.columns]
        more = "; ..." if len(columns) > _NAMED_COLUMNS else ""
        _say(
            f"{refusal} Or choose one with --map COLUMN=deal_id; its columns: "
            f"{'; '.join(columns[:_NAMED_COLUMNS])}{more}."
        )
        return BAD_INPUT
    _print_counts(options.deals.name, result)
    _print_columns(result)
    for repair in result.repairs:
        print(f"  repaired: {repair}")
    for problem in result.problems:
        place = f"row {problem.row}" + (f", {problem.column}" if problem.column else "")
        print(f"  {problem.severity}: {place}: {problem.message}")
    return BAD_INPUT if result.ledger.refused else OK


def _mapping(pairs: Sequence[str]) -> dict[str, str | None]:
    """Return column -> field of the --map options. Raises DealweaverError for one without "="."""
    mapping: dict[str, str | None] = {}
    for pair in pairs:
        column, mark, field = pair.rpartition("=")
        if not mark:
            raise DealweaverError(f"--map {pair} names no field: write --map COLUMN=FIELD.")
        mapping[column] = field or None
    return mapping


def _print_counts(name: str, result: ImportResult) -> None:
    ledger = result.ledger
    print(
        f"{name}: {ledger.read} read = {ledger.loaded} loaded "
        f"+ {ledger.merged} merged + {ledger.refused} refused"
    )
    if result.source:
        parts = (result.source.format, result.source.encoding, result.source.sheet)
        print(f"  read as: {', '.join(part for part in parts if part)}")


def _print_columns(result: ImportResult) -> None:
    """Say what each column fills, where that is not plain from its name, and what fills nothing."""
    for column, field in result.mapping.items():
        if column != field:
            print(f"  column: {column} -> {field}")
    for field, columns in result.ambiguous.items():
        print(f"  column: {field} is filled by {', '.join(columns)}; {columns[0]} is used first")
    for column, examples in result.unmapped.items():
        near = suggest_fields(column)
        print(
            f"  no field: {column}: {_examples(examples)}"
            + (f" (perhaps {' or '.join(near)}: use --map)" if near else "")
        )


def _examples(examples: Sequence[str]) -> str:
    return ", ".join(map(repr, examples)) or "always blank"


# --- run --------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    imported = _read_sample() if options.sample else _read(options.deals)
    _check_target(options.out, options.deals)
    _check_rules(options.keep_apart, imported.deals)
    settings = get_settings()
    name = options.proposer or _ready_proposer(settings)
    proposer = _proposer(name, options, settings)
    creator = PackageCreator(
        "",
        DEFAULT_TEMPLATE,
        embedding_model=settings.embedding_model,
        max_deals_per_cluster=options.max_size,
        min_cluster_size=options.min_size,
        clustering_method=options.method,
        use_soft_assignments=options.overlap,
        probability_threshold=options.threshold,
        small_clusters=options.small_clusters,
        keep_apart=options.keep_apart,
        proposer=proposer,
        limits=patient_limits(settings),
        fallback=RulesProposer(),
    )
    with _Bar() as bar:
        creator.create_packages(imported.deals, bar)
    result = creator.result
    assert result is not None  # noqa: S101  (create_packages has just set it)
    model = None if name == BY_RULES else proposer.source
    document = _document(options, imported, result, {"proposer": name, "model": model})
    _write(options.out, document)
    return _report(options.out, document, result)


def _read_sample() -> ImportResult:
    sample = read_sample()
    if sample.note:
        print(sample.note)
    return sample.result


def _ready_proposer(settings: Settings) -> str:
    return settings.provider if PROVIDERS[settings.provider].ready(settings) else BY_RULES


def _proposer(name: str, options: argparse.Namespace, settings: Settings) -> Proposer:
    """Return who proposes. Raises DealweaverError when that cannot work, before anything is computed."""
    template = _template(options.template)
    if name == BY_RULES:
        return RulesProposer()
    # The model of the settings is meant for the provider of the settings.
    model = options.model or (settings.model if name == settings.provider else None)
    return make_proposer(name, settings, template, model)


def _template(path: Path | None) -> PromptTemplate:
    if path is None:
        return PromptTemplate()
    try:
        return PromptTemplate(path.read_text("utf-8-sig"))
    except OSError as error:
        raise DealweaverError(
            f"{path} cannot be read ({error.strerror}): give another file with --template."
        ) from None
    except UnicodeDecodeError:
        raise DealweaverError(f"{path} is no UTF-8 text: save it as UTF-8 and start again.") from None


def _check_rules(rules: Sequence[str], deals: Sequence[Deal]) -> None:
    """Raise DealweaverError for a rule that no deal has a value for: it would keep nothing apart."""
    for rule in rules:
        if rule not in RULES and not any(stratum_of(deal, (rule,))[0] for deal in deals):
            raise DealweaverError(
                f"--keep-apart {rule} is no rule and no column of the deals: "
                f"use {', '.join(RULES)}, or the name of a column."
            )


class _Bar:
    """Turns the creator's sentences into a progress bar on a terminal; silent elsewhere."""

    def __enter__(self) -> _Bar:
        self._bar = tqdm(total=1, bar_format="{desc} {bar} {elapsed}", disable=None, leave=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __call__(self, sentence: str) -> None:
        words = sentence.split()
        numbers = [int(word.strip(":")) for word in words if word.strip(":").isdigit()]
        if "of" in words and len(numbers) >= 2:  # noqa: PLR2004  ("... 3 of 40 ...")
            self._bar.n, self._bar.total = numbers[0], numbers[1]
        self._bar.set_description_str(sentence[:70].ljust(40))


def _document(
    options: argparse.Namespace,
    imported: ImportResult,
    result: CreationResult,
    asked: Mapping[str, str | None],
) -> dict[str, Any]:
    packages = [
        {
            "package_name": proposal.name,
            "deal_ids": list(proposal.deal_ids),
            "reasoning": proposal.reasoning,
            "cluster_id": outcome.cluster_id,
            "proposal_source": proposal.source or outcome.proposal_source,
        }
        for outcome in result.run.outcomes
        for proposal in outcome.proposals
    ]
    failed = result.failed
    failed_clusters = [
        {
            "cluster_id": outcome.cluster_id,
            # A deal that the rules, or a second cluster, did package is not repeated: each has one state.
            "deal_ids": [deal_id for deal_id in outcome.deal_ids if deal_id in failed],
            "reason": outcome.error,
            "stand_in": outcome.stand_in,
        }
        for outcome in result.run.with_status("failed", "not_sent")
    ]
    return {
        "packages": packages,
        "left_over": [{"deal_id": deal_id, "reason": why} for deal_id, why in result.left_over.items()],
        "failed_clusters": failed_clusters,
        "refused": [
            {"row": problem.row, "reason": problem.message}
            for problem in imported.problems
            if problem.severity == "refused"
        ],
        "counts": {
            "read": imported.ledger.read,
            "loaded": imported.ledger.loaded,
            "merged": imported.ledger.merged,
            "refused": imported.ledger.refused,
            "packaged": len(result.packaged),
            "left_over": len(result.left_over),
            "failed": len(failed),
        },
        "settings": {
            "file": "sample" if options.sample else options.deals.name,
            **asked,
            "clustering": result.clustering.settings.to_dict(),
            "embedding_model": get_settings().embedding_model,
        },
    }


def _check_target(path: Path, deals: Path | None) -> None:
    """Raise before any call is paid for when the result could not be written, or would replace the deals."""
    with _naming_target(path):
        if deals and path.exists() and path.samefile(deals):
            raise DealweaverError(f"{path} is the deal file itself: choose another file with --out.")
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        part = _part_of(path)
        part.touch(exist_ok=False)
        part.unlink()


def _write(path: Path, document: dict[str, Any]) -> None:
    """Write beside the target and move into place: a full disk leaves the old file whole."""
    part = _part_of(path)
    with _naming_target(path):
        part.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        part.replace(path)


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.part")


@contextmanager
def _naming_target(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DealweaverError(
            f"{path} cannot be written ({error.strerror}): choose another file with --out."
        ) from None


def _report(path: Path, document: dict[str, Any], result: CreationResult) -> int:
    counts = document["counts"]
    print(
        f"{path}: {len(document['packages'])} packages; {counts['loaded']} deals = "
        f"{counts['packaged']} packaged + {counts['left_over']} left over + {counts['failed']} failed"
        + (f"; {counts['refused']} rows refused" if counts["refused"] else "")
    )
    code = _tell_troubles(path, result)
    if result.spent.calls:
        _say(result.spent.sentence())
    return code


def _tell_troubles(path: Path, result: CreationResult) -> int:
    if result.run.stopped:
        rest = _by_rules(result.run.with_status("failed", "not_sent"))
        _say(f"Stopped: {result.run.stopped}{rest} The packages are in {path}.")
        return STOPPED
    failed = result.run.with_status("failed")
    for reason, outcomes in _by_reason(failed).items():
        names = ", ".join(outcome.cluster_id for outcome in outcomes)
        _say(
            f"{counted(len(outcomes), 'cluster')} failed: {reason}{_by_rules(outcomes)} "
            f"Run the command again; it asks about every cluster. Failed: {names}"
        )
    return SOME_FAILED if failed else OK


def _by_rules(outcomes: Sequence[Outcome]) -> str:
    count = sum(bool(outcome.proposals) for outcome in outcomes)
    return f" Rules proposed for {counted(count, 'cluster')} instead." if count else ""


def _by_reason(failed: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    reasons: dict[str, list[Outcome]] = {}
    for outcome in failed:
        reasons.setdefault(outcome.error or "", []).append(outcome)
    return reasons


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
