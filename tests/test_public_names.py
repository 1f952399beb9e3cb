"""The names and signatures other code builds on, and what importing them costs."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import core

HEAVY = (
    "langchain_google_genai",
    "numba",
    "pandas",
    "plotly",
    "scipy",
    "sklearn",
    "streamlit",
    "torch",
    "umap",
)
ROOMS = (
    "core.deals",
    "core.embeddings",
    "core.search",
    "core.clustering",
    "core.proposals",
    "core.packages",
    "core.exports",
)

REQUIRED = inspect.Parameter.empty
SIGNATURES = {
    "create_deal_text_representation": {"deal": REQUIRED},
    "create_deal_embeddings": {"deals": REQUIRED, "model_name": "all-MiniLM-L6-v2", "batch_size": 32},
    "cluster_deals_semantically": {
        "deals": REQUIRED,
        "embeddings": REQUIRED,
        "max_deals_per_cluster": 30,
        "min_cluster_size": 5,
        "method": "gmm",
    },
    "cluster_deals_with_soft_assignments": {
        "deals": REQUIRED,
        "embeddings": REQUIRED,
        "max_deals_per_cluster": 30,
        "min_cluster_size": 5,
        "probability_threshold": 0.3,
    },
    "PackageCreator": {
        "llm_api_key": REQUIRED,
        "prompt_template": REQUIRED,
        "model_name": "gemini-2.5-flash",
        "temperature": 0.5,
        "embedding_model": "all-MiniLM-L6-v2",
        "max_deals_per_cluster": 25,
        "min_cluster_size": 5,
        "clustering_method": "gmm",
        "use_soft_assignments": False,
    },
    "read_deals": {"data": REQUIRED, "filename": REQUIRED},
}


def load(name):
    """Load a public name of core."""
    return getattr(core, name)


def test_public_names_are_sorted_and_what_dir_shows():
    assert core.__all__ == sorted(core.__all__)
    assert dir(core) == core.__all__
    assert set(SIGNATURES) <= set(core.__all__)


@pytest.mark.parametrize("name", core.__all__)
def test_public_name_loads_from_its_room(name):
    assert load(name) is getattr(import_module(core._PUBLIC[name]), name)


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_a_room_lists_exists_once(room):
    module = import_module(room)
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


def test_unknown_name_is_an_attribute_error_with_both_names():
    with pytest.raises(AttributeError, match="module 'core' has no attribute 'no_such_name'"):
        _ = core.no_such_name


@pytest.mark.parametrize(("name", "parameters"), SIGNATURES.items(), ids=SIGNATURES)
def test_documented_parameters_keep_names_order_and_defaults(name, parameters):
    found = inspect.signature(load(name)).parameters.values()
    callable_in_order = [
        (parameter.name, parameter.default)
        for parameter in found
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    assert callable_in_order[: len(parameters)] == list(parameters.items())
    assert all(parameter.default is not REQUIRED for parameter in list(found)[len(parameters) :])


def test_creator_has_the_documented_methods():
    creator = load("PackageCreator")
    assert list(inspect.signature(creator.create_packages).parameters)[:2] == ["self", "deals"]
    assert callable(creator._propose_packages_for_cluster)


def test_importing_core_and_its_rooms_loads_no_heavy_library():
    code = (
        f"import sys, core, {', '.join(ROOMS)}, core.projection; "
        f"print(' '.join(sorted(set({HEAVY!r}) & set(sys.modules))), end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "", "import heavy libraries inside the function that needs them"
