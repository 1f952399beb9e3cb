"""The real app in a process of its own, and a Chromium that looks at it.

Run with `-m browser`. Without Chromium or Playwright these tests fail and say what to install:
a skip would look like success.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

from core.settings import environment_names
from core.storage import Workspace
from tests.conftest import PROXY_NAMES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request

Scheme = Literal["light", "dark"]

ROOT = Path(__file__).parents[2]
START_S = 60
# One click, on a machine that draws in software and is busy with other things.
PATIENCE_MS = 30_000
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


# Opened below the root, Streamlit's page asks for its server there first, gets 404, and goes up one level.
_BASE_PROBE = re.compile(r"/\w+/_stcore/(health|host-config)$")


class Server:
    """The app as `streamlit run` starts it, on a free port, with a workspace of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.log = folder / "server.log"
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, **settings: str) -> None:
        """Start it; settings: names of the environment and their values."""
        unwanted = {*environment_names(), *PROXY_NAMES}
        environment = {name: value for name, value in os.environ.items() if name.upper() not in unwanted}
        # A blank key counts as none, and hides one that the developer keeps in the secrets file.
        environment |= {"DEALWEAVER_HOME": str(self.home), "GEMINI_API_KEY": " ", **settings}
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        patience_ends = time.monotonic() + START_S
        while not self._healthy():
            assert self._process.poll() is None, f"the app ended at once:\n{self.log.read_text()}"
            assert time.monotonic() < patience_ends, f"the app does not start:\n{self.log.read_text()}"
            time.sleep(0.1)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:  # noqa: S310
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """End the process without giving it a moment to save anything."""
        if self._process:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    @property
    def database_url(self) -> str:
        return f"sqlite:///{(self.home / 'workspace.db').as_posix()}"

    def workspace(self) -> Workspace:
        """Open the server's database from outside; the caller closes it."""
        return Workspace(self.database_url)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Tab:
    """One browser tab on the app; remembers every request, console error and crash of the page."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", self._note_request)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and address.hostname != "127.0.0.1":
            self.foreign.append(request.url)

    def _note_console(self, message: ConsoleMessage) -> None:
        address = str(message.location.get("url", ""))
        if message.type == "error" and not _BASE_PROBE.search(address):
            self.complaints.append(f"{message.text} ({address})")

    def open(self, path: str = "/") -> Tab:
        self.page.goto(f"{self.server.url}{path}")
        return self.settle()

    def close(self) -> None:
        """Leave the page, which else goes on asking the server how its job is doing."""
        self.page.close()

    def reload(self) -> Tab:
        self.page.reload()
        return self.settle()

    def settle(self) -> Tab:
        """Wait until the script has run to its end."""
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
        self.page.get_by_test_id("stHeading").first.wait_for()
        return self

    def go(self, title: str) -> Tab:
        """Follow a link of the navigation."""
        self.page.get_by_test_id("stTopNavLink").filter(has_text=title).click()
        self.heading(title).wait_for()
        return self.settle()

    def heading(self, title: str) -> Locator:
        return self.page.get_by_role("heading", name=title, exact=True)

    def click(self, name: str) -> None:
        """Click the one button whose label starts so, once it is on."""
        self.page.get_by_role("button", name=re.compile(f"(^|\\s){re.escape(name)}")).click()

    def wait_for_text(self, pattern: str, seconds: float | None = None) -> str:
        """Wait until an element's text matches, and return that text."""
        found = self.page.get_by_text(re.compile(pattern)).first
        found.wait_for(timeout=seconds * 1_000 if seconds else PATIENCE_MS)
        return found.inner_text()

    def run_id(self) -> str:
        found = re.search(r"[?&]run=([0-9a-f]+)", self.page.url)
        assert found, self.page.url
        return found[1]

    def assert_clean(self) -> None:
        """No traceback, no console error, and nothing asked of another machine."""
        assert self.page.get_by_test_id("stException").count() == 0
        assert self.complaints == []
        assert self.foreign == []


class Contexts:
    """A browser context for each server, so that only the first tab loads the app's scripts anew.

    Every tab is a session of its own all the same: Streamlit's sessions are connections.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._by_server: dict[Server, BrowserContext] = {}

    def new_page(self, server: Server) -> Page:
        if server not in self._by_server:
            self._by_server[server] = self._browser.new_context()
        return self._by_server[server].new_page()

    def forget(self, server: Server) -> None:
        """Close what was opened for a server that is gone."""
        if context := self._by_server.pop(server, None):
            context.close()


_open_tabs: list[Tab] = []


@pytest.fixture(scope="session")
def contexts() -> Iterator[Contexts]:
    """Start the Chromium of the system, without a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("Playwright is missing: pip install -e '.[browser]'")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.fail("Chromium is missing: install the Debian package with `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield Contexts(browser)
        browser.close()


@pytest.fixture
def new_tab(contexts: Contexts) -> Iterator[Callable[..., Tab]]:
    """Return a function that opens a tab with its own session; all are closed at the end."""

    def open_tab(
        server: Server, *, width: int = 1440, height: int = 900, color_scheme: Scheme = "light"
    ) -> Tab:
        page = contexts.new_page(server)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=color_scheme)
        _open_tabs.append(Tab(page, server))
        return _open_tabs[-1]

    yield open_tab
    for tab in _open_tabs:
        tab.page.close()
    _open_tabs.clear()


@pytest.fixture
def fresh_server(tmp_path: Path, contexts: Contexts) -> Iterator[Server]:
    """A server that has not started yet, for tests that end its process or need one that served nobody."""
    server = Server(tmp_path)
    yield server
    server.kill()
    contexts.forget(server)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server that the tests share; each works on runs of its own."""
    running = Server(tmp_path_factory.mktemp("server"))
    running.start()
    yield running
    running.kill()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's log with a failed test."""
    report = yield
    if report.failed:
        for used in getattr(item, "funcargs", {}).values():
            if isinstance(used, Server) and used.log.exists():
                report.sections.append(("log of the app", used.log.read_text()[-20_000:]))
        for tab in _open_tabs if report.when == "call" else ():
            report.sections.append((f"screen at {tab.page.url}", tab.page.inner_text("body")[:5_000]))
    return report
