"""A package with everything that screens and exports show of it: its deals, facts and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.deals import Deal
from core.errors import PackageError
from core.packages.checks import Others, check_package
from core.packages.fact_sheet import PackageFacts, package_facts
from core.packages.package import Package
from core.wording.findings import CheckRules, Finding


@dataclass(frozen=True, slots=True)
class PackageSheet:
    """A package and what is true of it now.

    members: its deals, in the order of the package. findings: worst first.
    """

    package: Package
    members: tuple[Deal, ...]
    facts: PackageFacts
    findings: tuple[Finding, ...]


def sheet_of(
    package: Package, deals: Mapping[str, Deal], rules: CheckRules, others: Others | None = None
) -> PackageSheet:
    """Look up the deals of a package, compute its facts and check it.

    deals: deal id -> deal, at least those of the package. others: what it may collide with.
    Raises PackageError when a deal of the package is not among `deals`.
    """
    if gone := [deal_id for deal_id in package.deal_ids if deal_id not in deals]:
        raise PackageError(
            f"{package.name!r} holds deals that are not in the run any more ({', '.join(gone)}): remove them."
        )
    members = tuple(deals[deal_id] for deal_id in package.deal_ids)
    return PackageSheet(
        package,
        members,
        package_facts(members, floor_is_lowest_risk=rules.floor_is_lowest_risk),
        check_package(package, members, rules, others),
    )


def sheets_of(
    packages: Sequence[Package], deals: Mapping[str, Deal], rules: CheckRules
) -> tuple[PackageSheet, ...]:
    """Return the sheet of each package, in order; each is compared with the others that are not rejected.

    Raises PackageError when a package holds a deal that is not among `deals`.
    """
    others = Others.of(packages)
    return tuple(sheet_of(package, deals, rules, others) for package in packages)
