"""Where a JSON text holds what no parser should take in silence: NaN, or a key twice in one object.

The parser of the standard library does not tell where its hooks are called, so a text that was
refused is looked through again; a good one never is.
"""

from __future__ import annotations

import json
import re

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]|-?Infinity|NaN', re.DOTALL)


def place_of_fault(text: str) -> str:
    """Return ": record 3, line 7 column 12" of the first constant or repeated key.

    Linear in the text; "" when there is no such fault.
    """
    keys: list[set[str] | None] = []  # of each open object its keys, of each open list None
    key_next = False
    records, list_depth = 0, 0
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word in "[{":
            if word == "[":
                list_depth = list_depth or len(keys) + 1
            elif list_depth and len(keys) == list_depth:
                records += 1
            keys.append(set() if word == "{" else None)
        elif word in "]}" and keys:
            keys.pop()
        known = keys[-1] if keys else None
        if word[0] == '"' and key_next and known is not None:
            name = json.loads(word)
            if name in known:
                return _place(text, token.start(), records)
            known.add(name)
        elif word[-1] in "Ny":  # NaN, Infinity
            return _place(text, token.start(), records)
        key_next = known is not None and word in "{,"
    return ""


def _place(text: str, offset: int, record: int) -> str:
    line = text.count("\n", 0, offset) + 1
    column = offset - text.rfind("\n", 0, offset)
    return f":{f' record {record},' if record else ''} line {line} column {column}"
