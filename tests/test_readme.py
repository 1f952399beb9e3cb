"""The README is executed: what it tells a reader to type works as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import orjson
import pytest

from core.reading import read_deals
from core.settings import environment_names, get_settings
from tests.conftest import AUTHORITIES_NAME
from tests.fakes.gemini import FakeGemini

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
INSTALL_TIMEOUT_S = 1_500
START_TIMEOUT_S = 60


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def copy_of_the_tree(target: Path) -> Path:
    """Copy what git knows or would add, so that nothing installed or built here helps."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in listed:
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def test_readme_names_exactly_the_settings_that_exist():
    named = set(re.findall(r"`([A-Z][A-Z_]+_[A-Z_]+)`", README))

    assert {name for name in named if not name.startswith("STREAMLIT_")} == set(environment_names())


def test_every_make_target_of_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"a"}

    missing = [target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)]

    assert named
    assert missing == []


def test_every_file_the_readme_names_exists():
    named = re.findall(r"`((?:sample_data|pages|\.ci|core)/[\w./]*)`", README)

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_library_example_runs_as_written(monkeypatch: pytest.MonkeyPatch):
    (example,) = blocks("python")
    small = ROOT / "sample_data" / "deals_small.json"
    names = {"deals": orjson.loads(small.read_bytes())[:15], "api_key": "any-key"}
    with FakeGemini() as server:
        monkeypatch.setenv("DEALWEAVER_GEMINI_BASE_URL", server.url)
        get_settings.cache_clear()
        exec(example, names)  # noqa: S102  (our own README)

    known = {deal.deal_id for deal in read_deals(small.read_bytes(), small.name).deals}
    assert names["packages"]
    assert {deal_id for package in names["packages"] for deal_id in package["deal_ids"]} <= known


def outward_environment() -> dict[str, str]:
    """Return the environment in which a program may ask a package index, whose certificate it checks."""
    return {name: value for name, value in os.environ.items() if name != AUTHORITIES_NAME}


@pytest.mark.slow
def test_the_commands_without_a_screen_run_as_written(tmp_path: Path):
    _, commands = blocks("sh")
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = binaries / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)

    subprocess.run(["bash", "-e", "-c", commands], cwd=tmp_path, check=True)  # noqa: S607

    counts = orjson.loads((tmp_path / "packages.json").read_bytes())["counts"]
    assert counts["read"] == 800
    assert counts["packaged"] + counts["left_over"] + counts["failed"] == counts["read"]


@pytest.mark.slow
def test_the_quick_start_works_in_an_empty_folder(tmp_path: Path):
    start, _ = blocks("sh")
    tree = copy_of_the_tree(tmp_path / "tree")
    *install, serve = start.strip().splitlines()
    subprocess.run(
        ["bash", "-e", "-c", "\n".join(install)],  # noqa: S607
        cwd=tree,
        check=True,
        timeout=INSTALL_TIMEOUT_S,
        # What is installed is used once, so that compiling all of it would take longer than it saves.
        env={**outward_environment(), "PIP_NO_COMPILE": "1"},
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        ["bash", "-c", f"exec {serve}"],  # noqa: S607
        cwd=tree,
        env={**os.environ, "STREAMLIT_SERVER_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert answer_of(f"http://127.0.0.1:{port}/_stcore/health") == "ok"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)


def answer_of(url: str) -> str:
    ends = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310
                return reply.read().decode()
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"{url} did not answer within {START_TIMEOUT_S} s")
