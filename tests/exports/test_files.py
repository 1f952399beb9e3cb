"""Names that are no path and no device, and files that are whole or not there."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ExportError
from core.exports import safe_name, write_file


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Autumn run", "Autumn-run"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "export"),
        (".hidden", "hidden"),
        ("C:\\windows\\x", "C-windows-x"),
        ("", "export"),
        ("Größe", "Gr-e"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1", "_com1"),
        ("console", "console"),
        ("a\x00b\nc", "a-b-c"),
        ("x" * 200, "x" * 80),
        ("trailing. ", "trailing"),
    ],
)
def test_hostile_names_become_plain_ones(text, name):
    assert safe_name(text) == name


def test_the_suffix_stays_whole_when_the_name_is_long():
    name = safe_name("y" * 200, "-packages.csv")
    assert len(name) == 80
    assert name.endswith("y-packages.csv")


@given(st.text())
def test_any_name_is_safe(text):
    name = safe_name(text, ".csv")
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", name)
    assert name.split(".")[0].casefold() not in {"con", "prn", "aux", "nul", "com1", "lpt1"}


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "packages.csv"
    path.write_bytes(b"old")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_told_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "packages.csv"
    path.mkdir()
    with pytest.raises(ExportError, match="cannot be written"):
        write_file(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(ExportError, match="choose another folder"):
        write_file(tmp_path / "gone" / "packages.csv", b"new")
