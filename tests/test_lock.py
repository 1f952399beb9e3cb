"""The lock: it holds what the project asks for, each file by its hash."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"].values()
ASKED = [
    requirement
    for text in chain(PROJECT["dependencies"], *EXTRAS)
    if (requirement := Requirement(text)).name != PROJECT["name"]
]
# The machine's own file, see the Makefile.
NOT_LOCKED = "torch"
# "name==1.2 ; marker \", then a line for each hash.
ENTRY = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; .*)? \\\n(?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def locked() -> dict[str, list[str]]:
    """Name -> versions; of several, each is for other versions of Python."""
    text = (ROOT / "constraints.txt").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for name, version in ENTRY.findall(text):
        found.setdefault(canonicalize_name(name), []).append(version)
    named = re.findall(r"^[\w.-]+==", text, re.MULTILINE)
    assert sum(map(len, found.values())) == len(named), "an entry without a hash, or in another form"
    return found


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_what_the_project_asks_for_is_locked_at_a_version_that_will_do(
    asked: Requirement, locked: dict[str, list[str]]
):
    if asked.name == NOT_LOCKED:
        assert NOT_LOCKED not in locked
        assert str(asked.specifier).startswith("==")
        return
    versions = locked[canonicalize_name(asked.name)]
    assert [version for version in versions if version not in asked.specifier] == []


def test_the_lock_brings_no_library_of_a_gpu(locked: dict[str, list[str]]):
    assert [name for name in locked if re.match(r"nvidia|cuda|triton", name)] == []
