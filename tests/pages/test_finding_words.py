"""Findings in words: every rule has some, and text from files stays text."""

from __future__ import annotations

import pytest

from core.packages.checks import RULES
from core.wording.findings import Finding
from pages._shared.finding_words import FINDING_WORDS, finding_line, worst_words
from tests.pages.conftest import PICTURE, plain


def test_every_rule_has_a_few_words() -> None:
    assert FINDING_WORDS.keys() == RULES.keys()
    assert max(map(len, FINDING_WORDS.values())) <= 25
    assert len(set(FINDING_WORDS.values())) == len(FINDING_WORDS)


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ([], None),
        ([Finding("KIDS_POLITICAL", "error", "Both.")], "✕ Error: Kids with political"),
        ([Finding("KIDS_POLITICAL", "warning", "Both.")], "▲ Warning: Kids with news"),
        (
            [Finding("MULTI_SSP", "info", "Two."), Finding("MULTI_SSP", "info", "Two.")],
            "○ Note: Several SSPs",
        ),
    ],
)
def test_the_worst_finding_in_a_list(findings: list[Finding], words: str | None) -> None:
    assert worst_words(findings) == words


def test_a_finding_names_its_deals_once() -> None:
    assert "Deals" not in finding_line(Finding("EXPIRED", "warning", "Not so for 1 of 3, A1.", ("A1",)))
    line = finding_line(Finding("RISK_MIX", "warning", "1 low-risk, 1 high-risk.", ("A1", "B2")))
    assert plain(line).endswith("Deals: A1, B2.")


def test_a_sentence_with_markup_stays_a_sentence() -> None:
    finding = Finding("NAME_NEAR_DUPLICATE", "warning", f"It is nearly {PICTURE}.", (PICTURE,))
    assert PICTURE not in finding_line(finding)
