"""What every export is told besides its packages: where they come from, and how cells are written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.coverage import DealState

# Names of settings that may hold a secret; none of them is ever written. "max_tokens" is no secret.
_SECRET = re.compile(r"(^|_)(api_?key|secret|password|credentials?|token)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class About:
    """Where the packages of an export come from.

    run: name of the run. file: name of its newest deal file.
    when: when the run was last saved (UTC, ISO 8601), not when it was exported: the same content
        gives the same bytes.
    settings: how the deals were clustered and asked about; parts with the name of a secret are left out.
    model: who proposed. prompt_hash: names the prompt template by its content; None when rules proposed.
    deals: how many were loaded, None when nobody counted. coverage: state -> deals, all of them together.
    floor_is_lowest_risk: how the analyst reads the GARM rating "Floor" of this file.
    """

    run: str
    file: str
    when: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    prompt_hash: str | None = None
    deals: int | None = None
    coverage: Mapping[str, int] = field(default_factory=dict)
    floor_is_lowest_risk: bool = False

    @property
    def floor_reading(self) -> str:
        """How the GARM rating "Floor" is read, in words."""
        if self.floor_is_lowest_risk:
            return 'GARM "Floor" means the lowest risk, as chosen for this file'
        return 'GARM "Floor" means below the brand-safety floor'

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, without anything that is named like a secret."""
        return {
            "run": self.run,
            "file": self.file,
            "when": self.when,
            "settings": without_secrets(self.settings),
            "model": self.model,
            "prompt_hash": self.prompt_hash,
            "deals_loaded": self.deals,
            "coverage": dict(self.coverage),
            "floor_is_lowest_risk": self.floor_is_lowest_risk,
            "floor_reading": self.floor_reading,
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> About:
        """Rebuild from `to_dict`. Raises KeyError when a part is missing."""
        return cls(
            run=saved["run"],
            file=saved["file"],
            when=saved["when"],
            settings=saved["settings"],
            model=saved["model"],
            prompt_hash=saved["prompt_hash"],
            deals=saved["deals_loaded"],
            coverage=saved["coverage"],
            floor_is_lowest_risk=saved["floor_is_lowest_risk"],
        )


def without_secrets(value: Any) -> Any:  # noqa: ANN401  (settings are any JSON)
    """Return a JSON-like value without the parts whose name says that they hold a secret."""
    if isinstance(value, Mapping):
        return {name: without_secrets(part) for name, part in value.items() if not _SECRET.search(str(name))}
    if isinstance(value, (list, tuple)):
        return [without_secrets(part) for part in value]
    return value


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How cells of a CSV file are written.

    bom: start with a byte order mark, without which Excel does not see UTF-8.
    excel_safe_ids: write ids as ="549644398148090651"; Excel keeps 15 digits of a bare number.
    """

    bom: bool = False
    excel_safe_ids: bool = False


@dataclass(frozen=True, slots=True)
class RunLog:
    """What a workbook shows besides the packages.

    states: where every deal of the run stands. events: the audit trail, oldest first, with the
        keys at, who, what and package_id.
    """

    states: Sequence[DealState] = ()
    events: Sequence[Mapping[str, Any]] = ()
