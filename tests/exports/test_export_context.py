"""What every export is told, without any secret."""

from dataclasses import replace

import pytest

from core.exports.export_context import About, without_secrets
from tests.exports.sheets import ABOUT


def test_about_comes_back():
    assert About.from_dict(ABOUT.to_dict()) == ABOUT
    lowest = replace(ABOUT, floor_is_lowest_risk=True)
    assert About.from_dict(lowest.to_dict()) == lowest


@pytest.mark.parametrize(
    "name", ["api_key", "GEMINI_API_KEY", "apikey", "client_secret", "password", "token", "credentials"]
)
def test_parts_named_like_a_secret_are_left_out_at_any_depth(name):
    settings = {"method": "gmm", name: "canary", "inner": [{name: "canary", "k": 1}]}
    assert without_secrets(settings) == {"method": "gmm", "inner": [{"k": 1}]}


@pytest.mark.parametrize("name", ["max_tokens", "keep_apart", "monkey", "cluster_key"])
def test_parts_that_only_sound_alike_stay(name):
    assert without_secrets({name: 1}) == {name: 1}
