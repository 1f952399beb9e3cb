"""Texts as a reader sees them: one kind of dash and blank, and nothing nobody sees.

Patterns look at texts in this form, so that a hidden or look-alike character changes no answer.
"""

from __future__ import annotations

import unicodedata

# Letters by category, blanks to the eye: Hangul fillers.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")


def plain_text(text: str) -> str:
    """Return the text with one kind of dash and blank, and without characters nobody sees."""
    if text.isascii():
        return text
    shown = (char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return "".join("-" if unicodedata.category(char) == "Pd" else char for char in shown)


def has_words(text: str) -> bool:
    """Whether a text holds a letter or a number that can be seen."""
    return any(char.isalnum() and char not in _BLANK_LETTERS for char in text)


def without_controls(text: str) -> str:
    """Return the text without control characters and half characters, which databases and files refuse.

    Line ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cs"})


def clean_text(value: object, limit: int) -> str:
    """Return a text as one line without control characters, `limit` characters at most."""
    text = value if isinstance(value, str) else ""
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
