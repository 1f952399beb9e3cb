"""Deal ids to paste into a platform: each once, exactly as they are, in the order of the packages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from core.errors import ExportError
from core.packages.sheet import PackageSheet

Separator = Literal[",", "\n"]
_WORDS: dict[Separator, str] = {",": "comma", "\n": "line break"}


def id_list(sheets: Sequence[PackageSheet], separator: Separator = "\n") -> bytes:
    """Return the ids as text, UTF-8. Raises ExportError when an id holds the separator."""
    ids = list(dict.fromkeys(deal_id for sheet in sheets for deal_id in sheet.package.deal_ids))
    for deal_id in ids:
        if separator in deal_id:
            other = next(_WORDS[mark] for mark in _WORDS if mark != separator)
            raise ExportError(
                f"The id {deal_id!r} holds a {_WORDS[separator]}, which stands between ids here: "
                f"choose the list with a {other} between them."
            )
    return separator.join(ids).encode()
