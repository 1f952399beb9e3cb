"""Packages as one JSON document, with everything needed to understand them later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from core.deals import Deal
from core.exports.tabular import members
from core.packages import Package


def packages_json(
    packages: Iterable[Package], deals: Mapping[str, Deal], *, about: Mapping[str, Any]
) -> bytes:
    """Write packages with their deals, UTF-8, indented.

    about: what the document says of its origin (run, settings, counts). Never holds a key.
    Raises ExportError when a package holds a deal that is not in `deals`.
    """
    listed = [
        {
            "package_id": package.id,
            "package_name": package.name,
            "status": package.status,
            "version": package.version,
            "decided_by": package.decided_by,
            "decided_at": package.decided_at,
            "proposal_source": package.source,
            "edited_by_analyst": package.edited,
            "reasoning": package.reasoning,
            "deal_ids": list(package.deal_ids),
            "deals": [deal.to_dict() for deal in members(package, deals)],
        }
        for package in packages
    ]
    return orjson.dumps({"about": dict(about), "packages": listed}, option=orjson.OPT_INDENT_2)
