"""The versions of the analyst's prompt template, named by their content, and how two differ."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from difflib import unified_diff

from core.proposals.prompt import PromptTemplate

_ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A template as it was saved.

    id: names the text by its content. made_at: ISO 8601, UTC.
    """

    id: str
    text: str
    made_at: str

    @classmethod
    def of(cls, text: str, made_at: str) -> TemplateVersion:
        """Return the version that a text is. Raises PromptError when it is no template."""
        return cls(template_id(PromptTemplate(text).text), text, made_at)


def template_id(text: str) -> str:
    """Return 12 hex digits that name a text; kinds of line ends, and one at its end, make no other text."""
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()[:_ID_LENGTH]


def template_diff(before: str, after: str) -> str:
    """Return the lines that differ, "-" before and "+" after, with a line around each change.

    Empty when both texts are the same version.
    """
    lines = unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm="")
    return "\n".join(list(lines)[2:])  # without the two lines that name files
