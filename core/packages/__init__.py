"""Proposals become packages that an analyst reviews."""

from core.packages.edits import (
    AddDeals,
    Approve,
    Edit,
    Lock,
    Reject,
    RemoveDeals,
    Rename,
    Reopen,
    SetReasoning,
    Unlock,
    apply_edit,
    with_claims,
)
from core.packages.history import Change, Review, redo, replay, undo
from core.packages.package import Package
from core.packages.review import (
    Command,
    Duplicate,
    EditPackages,
    MakePackage,
    Merge,
    MoveDeals,
    Split,
    perform,
)

__all__ = [
    "AddDeals",
    "Approve",
    "Change",
    "Command",
    "Duplicate",
    "Edit",
    "EditPackages",
    "Lock",
    "MakePackage",
    "Merge",
    "MoveDeals",
    "Package",
    "Reject",
    "RemoveDeals",
    "Rename",
    "Reopen",
    "Review",
    "SetReasoning",
    "Split",
    "Unlock",
    "apply_edit",
    "perform",
    "redo",
    "replay",
    "undo",
    "with_claims",
]
