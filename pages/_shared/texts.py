"""Words that several screens build in the same way."""

from __future__ import annotations

import re

_MARKDOWN_SIGNS = re.compile(r"[!-/:-@\[-`{-~]")


def literal(text: str) -> str:
    """Return a text from a file, a model or an address so that Markdown shows it as it is written.

    Otherwise a name like "![x](https://...)" would load a picture from outside.
    """
    return _MARKDOWN_SIGNS.sub(r"\\\g<0>", text)
