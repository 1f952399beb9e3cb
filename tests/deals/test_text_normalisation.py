"""Texts as a reader sees them: nothing hidden, one kind of dash, and what holds words at all."""

import pytest

from core.deals.text_normalisation import has_words, plain_text, without_controls


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Kids TV", "Kids TV"),
        ("K\u200bi\u00adds", "Kids"),
        ("\uff2b\uff49\uff44\uff53", "Kids"),
        ("non\u2011political \u2013 \u2014", "non-political - -"),
        ("Kids\u00a0TV", "Kids TV"),
        ("Caf\u00e9", "Caf\u00e9"),
    ],
)
def test_text_is_read_as_it_looks(text, plain):
    assert plain_text(text) == plain


@pytest.mark.parametrize("text", ["7", "\u00e9", "\u6771", "#12"])
def test_letter_or_number_is_a_word(text):
    assert has_words(text)


@pytest.mark.parametrize("text", ["", " \n", ".", "--", "\u200b", "\u2060\u00ad", "\u3164", "\u0301", "\x00"])
def test_signs_and_what_nobody_sees_are_no_words(text):
    assert not has_words(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b", "ab"),
        ("a\ud83db", "ab"),
        ("a\n\tb", "a\n\tb"),
        ("\U0001f600 a\u200b", "\U0001f600 a\u200b"),
    ],
)
def test_only_what_cannot_be_kept_goes(text, kept):
    assert without_controls(text) == kept
