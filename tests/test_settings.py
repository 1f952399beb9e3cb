from pathlib import Path

import pytest
from pydantic import SecretStr

from core import settings as settings_module
from core.errors import SettingError
from core.settings import (
    CLUSTERING_MAX_DEALS,
    EMBEDDING_BATCH_SIZE,
    EMBEDDING_DIMENSIONS,
    EMBEDDING_MODEL,
    GEMINI_BASE_URL,
    GEMINI_MODEL,
    PROPOSAL_MAX_DEALS,
    Settings,
    environment_names,
    get_settings,
    load_settings,
)

KEY = "AIza-not-a-real-key"


def test_settings_work_without_any_environment(monkeypatch):
    monkeypatch.delenv("DEALWEAVER_HOME")
    found = load_settings()
    assert found.home == Path(".dealweaver")
    assert found.workspace_url == "sqlite:///.dealweaver/workspace.db"
    assert found.embedding_model == EMBEDDING_MODEL == "all-MiniLM-L6-v2"
    assert (found.provider, found.model, GEMINI_MODEL) == ("gemini", None, "gemini-2.5-flash")
    assert found.gemini_base_url == GEMINI_BASE_URL
    assert found.ollama_base_url.startswith("http://127.0.0.1:")
    assert (found.max_calls, found.max_tokens, found.max_usd) == (None, None, None)
    assert (found.workers, found.upload_mb, found.requests_per_minute) == (8, 25, 0)
    assert found.gemini_api_key is None
    assert not found.has_key


def test_defaults_are_those_of_the_documented_architecture():
    assert (EMBEDDING_DIMENSIONS, EMBEDDING_BATCH_SIZE) == (384, 32)
    assert (CLUSTERING_MAX_DEALS, PROPOSAL_MAX_DEALS, settings_module.MIN_CLUSTER_SIZE) == (30, 25, 5)
    assert (settings_module.TEMPERATURE, settings_module.CALL_TIMEOUT_S) == (0.5, 60.0)
    assert settings_module.CALL_RETRIES == 2
    assert (settings_module.TRANSPORT_ATTEMPTS, settings_module.CONTENT_ATTEMPTS) == (4, 2)
    assert (settings_module.APP_CALL_TIMEOUT_S, settings_module.CLUSTER_DEADLINE_S) == (45.0, 180.0)


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("DEALWEAVER_HOME", "/data/dw", "home", Path("/data/dw")),
        ("DEALWEAVER_DATABASE_URL", "postgresql://db/dw", "workspace_url", "postgresql://db/dw"),
        ("DEALWEAVER_EMBEDDING_MODEL", "./model", "embedding_model", "./model"),
        ("DEALWEAVER_MODEL", "gemini-x", "model", "gemini-x"),
        ("DEALWEAVER_PROVIDER", "ollama", "provider", "ollama"),
        ("DEALWEAVER_MAX_CALLS", "40", "max_calls", 40),
        ("DEALWEAVER_MAX_TOKENS", "100000", "max_tokens", 100_000),
        ("DEALWEAVER_MAX_USD", "0.25", "max_usd", 0.25),
        ("DEALWEAVER_REQUESTS_PER_MINUTE", "15", "requests_per_minute", 15),
        ("DEALWEAVER_WORKERS", "4", "workers", 4),
        ("DEALWEAVER_UPLOAD_MB", "100", "upload_mb", 100),
        ("DEALWEAVER_GEMINI_BASE_URL", "https://proxy.example/", "gemini_base_url", "https://proxy.example"),
        (
            "DEALWEAVER_OPENAI_BASE_URL",
            "https://proxy.example/v1/",
            "openai_base_url",
            "https://proxy.example/v1",
        ),
        (
            "DEALWEAVER_ANTHROPIC_BASE_URL",
            "https://proxy.example",
            "anthropic_base_url",
            "https://proxy.example",
        ),
        ("DEALWEAVER_OLLAMA_BASE_URL", "http://localhost:9", "ollama_base_url", "http://localhost:9"),
        ("OPENAI_API_KEY", f" {KEY}\n", "openai_api_key", SecretStr(KEY)),
        ("ANTHROPIC_API_KEY", f"{KEY} ", "anthropic_api_key", SecretStr(KEY)),
        ("GEMINI_API_KEY", KEY, "has_key", True),
        ("GOOGLE_API_KEY", f" {KEY}\n", "has_key", True),
    ],
)
def test_each_name_sets_its_setting(monkeypatch, name, text, field, value):
    assert name in environment_names()
    monkeypatch.setenv(name, text)
    assert getattr(load_settings(), field) == value


def test_names_of_the_environment_are_complete_sorted_and_marked_as_ours():
    found = environment_names()
    assert found == sorted(set(found))
    assert len(found) == len(Settings.model_fields) + 1  # the key has two names
    assert all(name.startswith("DEALWEAVER_") or name.endswith("_API_KEY") for name in found)


@pytest.mark.parametrize(
    "field", sorted({name for name in Settings.model_fields if not name.endswith("_api_key")})
)
def test_variable_named_like_a_field_belongs_to_others(monkeypatch, field):
    monkeypatch.delenv("DEALWEAVER_HOME")
    before = load_settings()
    monkeypatch.setenv(field.upper(), "7")  # HOME and DATABASE_URL are set on many machines
    assert load_settings() == before


@pytest.mark.parametrize("name", environment_names())
def test_blank_variable_counts_as_not_set(monkeypatch, name):
    monkeypatch.delenv("DEALWEAVER_HOME")
    before = load_settings()
    monkeypatch.setenv(name, "")
    assert load_settings() == before


@pytest.mark.parametrize("blank", [" ", "\n", "\t "])
@pytest.mark.parametrize("name", ["GEMINI_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
def test_key_of_blanks_is_no_key(monkeypatch, name, blank):
    monkeypatch.setenv(name, blank)
    found = load_settings()
    assert (found.gemini_api_key, found.openai_api_key, found.anthropic_api_key) == (None, None, None)


def test_blank_first_name_leaves_the_key_to_the_second(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "")
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    assert load_settings().gemini_api_key.get_secret_value() == KEY


def test_first_name_of_the_key_wins(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_API_KEY", "other")
    assert load_settings().gemini_api_key.get_secret_value() == KEY


def test_key_is_never_shown(monkeypatch):
    for name in ("GEMINI_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)
    found = load_settings()
    assert KEY not in f"{found!r} {found} {found.model_dump()} {found.model_dump_json()}"


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load_settings().workers = 3


# --- values that cannot work ---


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DEALWEAVER_WORKERS", "0"),
        ("DEALWEAVER_WORKERS", "9"),
        ("DEALWEAVER_WORKERS", "many"),
        ("DEALWEAVER_UPLOAD_MB", "0"),
        ("DEALWEAVER_UPLOAD_MB", "1.5"),
        ("DEALWEAVER_REQUESTS_PER_MINUTE", "-1"),
        ("DEALWEAVER_PROVIDER", "other"),
        ("DEALWEAVER_MAX_CALLS", "0"),
        ("DEALWEAVER_MAX_TOKENS", "-5"),
        ("DEALWEAVER_MAX_USD", "0"),
        ("DEALWEAVER_MAX_USD", "inf"),
        ("DEALWEAVER_MAX_USD", "nan"),
        ("DEALWEAVER_OPENAI_BASE_URL", "http://openai.example"),
        ("DEALWEAVER_ANTHROPIC_BASE_URL", "anthropic.example"),
        ("DEALWEAVER_OLLAMA_BASE_URL", "http://10.0.0.1:11434"),
        ("DEALWEAVER_GEMINI_BASE_URL", "http://gemini.example"),
        ("DEALWEAVER_GEMINI_BASE_URL", "ftp://127.0.0.1"),
        ("DEALWEAVER_GEMINI_BASE_URL", "gemini.example"),
        ("DEALWEAVER_GEMINI_BASE_URL", "http://127.0.0.1@gemini.example"),
        ("DEALWEAVER_GEMINI_BASE_URL", "http://localhost.gemini.example"),
        ("DEALWEAVER_GEMINI_BASE_URL", "https://[broken"),
    ],
)
def test_value_that_cannot_work_is_refused_with_its_name_and_without_the_key(monkeypatch, name, text):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv(name, text)
    with pytest.raises(
        SettingError, match=rf"The setting {name} has a value that cannot work: .+ start again\."
    ) as caught:
        load_settings()
    assert KEY not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:8080", "https://x.example"]
)
def test_key_may_travel_by_https_or_inside_this_machine(monkeypatch, url):
    monkeypatch.setenv("DEALWEAVER_GEMINI_BASE_URL", url)
    assert load_settings().gemini_base_url == url.rstrip("/")


# --- the secrets file ---


@pytest.fixture
def secrets_file(tmp_path, monkeypatch):
    monkeypatch.setitem(Settings.model_config, "toml_file", str(tmp_path / "secrets.toml"))
    return tmp_path / "secrets.toml"


def test_secrets_file_is_read_and_the_environment_wins(secrets_file, monkeypatch):
    secrets_file.write_text(
        f'GEMINI_API_KEY = "{KEY}"\nDEALWEAVER_WORKERS = 3\n[connections.other]\nurl = "x"\n'
    )
    assert load_settings().gemini_api_key.get_secret_value() == KEY
    assert load_settings().workers == 3
    monkeypatch.setenv("DEALWEAVER_WORKERS", "5")
    assert load_settings().workers == 5


@pytest.mark.parametrize("data", [b'GEMINI_API_KEY = "AIza-not-a-real-key', b"\xff\xfe"])
def test_broken_secrets_file_is_refused_with_its_name_and_without_the_key(secrets_file, data):
    secrets_file.write_bytes(data)
    with pytest.raises(
        SettingError, match=r"secrets\.toml is no valid TOML \(.+\): correct or remove it"
    ) as caught:
        load_settings()
    assert KEY not in str(caught.value)


# --- once per process ---


def test_settings_are_read_once_until_the_cache_is_cleared(monkeypatch):
    first = get_settings()
    monkeypatch.setenv("DEALWEAVER_WORKERS", "3")
    assert get_settings() is first
    assert load_settings().workers == 3
    get_settings.cache_clear()
    assert get_settings().workers == 3


def test_tests_see_no_setting_of_the_person_who_runs_them(tmp_path):
    assert get_settings().home == tmp_path
    assert not get_settings().has_key
