"""Versions of the prompt template: named by content, and shown by what changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import PromptError
from core.proposals import DEFAULT_TEMPLATE
from core.proposals.templates import TemplateVersion, template_diff, template_id

MADE_AT = "2026-10-07T12:00:00+00:00"


def test_version_holds_its_text_and_when_it_was_made() -> None:
    version = TemplateVersion.of(DEFAULT_TEMPLATE, MADE_AT)
    assert version == TemplateVersion(template_id(DEFAULT_TEMPLATE), DEFAULT_TEMPLATE, MADE_AT)


def test_text_without_the_placeholder_is_no_version() -> None:
    with pytest.raises(PromptError, match=r"\{enriched_deals\}"):
        TemplateVersion.of("Group the deals.", MADE_AT)


def test_id_is_known_and_does_not_change_between_processes() -> None:
    assert template_id("Group: {enriched_deals}") == "bb23623886c6"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\nb", "a\r\nb\r\n", True),
        ("a\nb", "a\nB", False),
        ("a\nb", "a b", False),
        ("a", "a ", False),
        ("a", "a\n\n", False),
        ("é", "e", False),
    ],
)
def test_line_ends_make_no_other_version(one: str, other: str, same: bool) -> None:
    assert (template_id(one) == template_id(other)) == same
    assert (template_diff(one, other) == "") == same


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("a\nb\nc\nd\ne", "a\nb\nX\nd\ne", ["@@ -2,3 +2,3 @@", " b", "-c", "+X", " d"]),
        ("a", "a\nb", ["@@ -1 +1,2 @@", " a", "+b"]),
        ("a\n-- b\n++ c", "a", ["@@ -1,3 +1 @@", " a", "--- b", "-++ c"]),
        ("a", "a", []),
    ],
)
def test_diff_shows_changed_lines_and_their_neighbours(before: str, after: str, lines: list[str]) -> None:
    assert template_diff(before, after).splitlines() == lines


_TEXTS = st.text(st.sampled_from("ab \n"), max_size=8).map("{enriched_deals}".__add__)


@settings(deadline=None)
@given(_TEXTS, _TEXTS)
def test_texts_differ_exactly_when_they_are_two_versions(one: str, other: str) -> None:
    assert (template_diff(one, other) == "") == (template_id(one) == template_id(other))
