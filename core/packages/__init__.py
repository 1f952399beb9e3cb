"""Proposals become packages that an analyst reviews."""

from core.packages.edits import (
    AddDeals,
    Approve,
    Edit,
    Reject,
    RemoveDeals,
    Rename,
    Reopen,
    SetReasoning,
    apply_edit,
    with_claims,
)
from core.packages.model import Package, package_from_proposal

__all__ = [
    "AddDeals",
    "Approve",
    "Edit",
    "Package",
    "Reject",
    "RemoveDeals",
    "Rename",
    "Reopen",
    "SetReasoning",
    "apply_edit",
    "package_from_proposal",
    "with_claims",
]
