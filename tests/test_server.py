"""The server answers on this machine, and only pages that were opened under its own names."""

from __future__ import annotations

import http.client
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.browser.conftest import ROOT, Server

SWITCHES, REFUSED = 101, 403  # HTTP: a websocket is opened, or not


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    running.start()
    yield running
    running.kill()


def open_stream(server: Server, host: str, origin: str) -> int:
    """Ask for the websocket through which a page is seen and changed; return the status of the answer."""
    headers = {
        "Host": host,
        "Origin": origin,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # the example of RFC 6455
    }
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.putrequest("GET", "/_stcore/stream", skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_a_page_opened_under_a_name_of_this_machine_gets_its_stream(server: Server, name: str) -> None:
    host = f"{name}:{server.port}"
    assert open_stream(server, host, f"http://{host}") == SWITCHES


@pytest.mark.parametrize(
    "name", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.7"]
)
@pytest.mark.parametrize("port", ["", ":{port}"])
def test_a_page_whose_name_was_pointed_at_this_machine_gets_none(
    server: Server, name: str, port: str
) -> None:
    host = name + port.format(port=server.port)
    assert open_stream(server, host, f"http://{host}") == REFUSED


def test_another_name_can_be_served_when_the_environment_says_so(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        server.start(STREAMLIT_SERVER_ALLOWED_HOSTS="deals.example other.example")
        statuses = [
            open_stream(server, name, f"http://{name}")
            for name in ("deals.example", "other.example", "evil.example")
        ]
    finally:
        server.kill()
    assert statuses == [SWITCHES, SWITCHES, REFUSED]


def test_the_settings_of_the_server_name_this_machine_only() -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["server"]
    assert settings["address"] == "127.0.0.1"
    assert settings["allowedHosts"] == ["127.0.0.1", "localhost", "::1"]
    assert settings["enableCORS"]
    assert settings["enableXsrfProtection"]
