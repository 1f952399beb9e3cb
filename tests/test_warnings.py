"""Which warnings fail a test: all, but for what libraries announce of themselves."""

import warnings

import pytest


def warn(category: type[Warning], module: str) -> None:
    """Warn as if a line of this module had done it."""
    warnings.warn_explicit("It will go.", category, f"{module}.py", 1, module)


@pytest.mark.parametrize(
    ("category", "module"),
    [
        (DeprecationWarning, "anthropic.resources.messages"),
        (DeprecationWarning, "langchain_anthropic.chat_models"),
        (DeprecationWarning, "google.genai.models"),
        (DeprecationWarning, "streamlit.runtime"),
        (FutureWarning, "sklearn.utils"),
    ],
)
def test_what_a_library_announces_of_itself_fails_no_test(category: type[Warning], module: str):
    warn(category, module)


@pytest.mark.parametrize(
    ("category", "module"),
    [
        (DeprecationWarning, "core.proposals.gemini"),
        (DeprecationWarning, "pages.deals"),
        (DeprecationWarning, "tests.test_warnings"),
        (FutureWarning, "core.clustering.kmeans"),
        (UserWarning, "anthropic.resources.messages"),
        (ResourceWarning, "psycopg.connection"),
        (RuntimeWarning, "sklearn.utils"),
    ],
)
def test_every_other_warning_does(category: type[Warning], module: str):
    with pytest.raises(category):
        warn(category, module)
