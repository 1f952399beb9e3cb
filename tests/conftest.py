"""What every test can rely on: no setting of the person who runs it reaches the code."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from core import clock
from core.settings import Settings, environment_names, get_settings
from tests.fakes.clock import RunningClock
from tests.leftovers import nothing_is_left_open  # noqa: F401  (a fixture of every session)

# The sample data, and workspaces in a file and on a server, for every room that uses one.
pytest_plugins = ["tests.samples", "tests.workspaces"]

# A slow machine is no bug: property tests have no time limit of their own. They try the same examples every
# time, so that nobody's tests depend on luck; `--hypothesis-profile=search` looks for new ones.
hypothesis.settings.register_profile("dealweaver", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, derandomize=False)
hypothesis.settings.load_profile("dealweaver")

# Looking for garbage among all that the libraries keep took a tenth of the time of the tests.
gc.set_threshold(20_000, 20, 20)

AUTHORITIES_NAME = "SSL_CERT_FILE"
PROXY_NAMES = ("ALL_PROXY", "FTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "WS_PROXY", "WSS_PROXY")


@pytest.fixture(scope="session", autouse=True)
def no_authority() -> Iterator[None]:
    """Let no client of a service trust anybody but a certificate authority that does not exist.

    No test talks to a service outside, and loading the real ones takes a client most of its 0.1 s.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(AUTHORITIES_NAME, str(Path(__file__).parent / "fakes" / "authority.pem"))
        yield


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget every setting and proxy, and keep the workspace and the secrets file in tmp_path.

    Names are compared without case, as the settings and most HTTP clients do. Settings are
    read once per process, so they are forgotten before and after each test.
    """
    unwanted = {*environment_names(), *PROXY_NAMES}
    for name in list(os.environ):
        if name.upper() in unwanted:
            monkeypatch.delenv(name)
    monkeypatch.setenv("DEALWEAVER_HOME", str(tmp_path))
    monkeypatch.setitem(Settings.model_config, "toml_file", str(tmp_path / "secrets.toml"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(autouse=True)
def present() -> Iterator[RunningClock]:
    """Let every test begin at the same moment, whatever day it is."""
    running = RunningClock()
    with clock.using(running):
        yield running


@pytest.fixture
def machine_time(present: RunningClock) -> Iterator[None]:  # noqa: ARG001  (comes after it)
    """Let a test go by the machine's clock, as files and the other processes of the test do."""
    with clock.using(clock.SystemClock()):
        yield
