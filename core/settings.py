"""Every default, limit and environment name of the project, once.

Values come from the environment, then from `.streamlit/secrets.toml`, then from the
defaults below. Nothing else in the project reads the environment.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from core.errors import SettingError

ProviderName = Literal["gemini", "openai", "anthropic", "ollama"]

EMBEDDING_MODEL = "all-MiniLM-L6-v2"
EMBEDDING_DIMENSIONS = 384
# Larger batches are slower on CPU: they fall out of the cache (measured .65-.9x at 128 and 256).
EMBEDDING_BATCH_SIZE = 32

# The two maximum sizes differ on purpose: 30 bounds a cluster on its own, 25 is the size a
# language model groups well, so everything that goes on to proposals uses 25.
CLUSTERING_MAX_DEALS = 30
PROPOSAL_MAX_DEALS = 25
MIN_CLUSTER_SIZE = 5
MEMBERSHIP_THRESHOLD = 0.3

GEMINI_MODEL = "gemini-2.5-flash"
# Used once per run when the requested model answers 404 (it is due to retire in December 2026).
GEMINI_SUCCESSOR = "gemini-3.5-flash-lite"
GEMINI_BASE_URL = "https://generativelanguage.googleapis.com"
OPENAI_BASE_URL = "https://api.openai.com/v1"
ANTHROPIC_BASE_URL = "https://api.anthropic.com"
OLLAMA_BASE_URL = "http://127.0.0.1:11434"
TEMPERATURE = 0.5
# What PackageCreator promises: one call and two more, of this long each.
CALL_TIMEOUT_S = 60.0
CALL_RETRIES = 2
# What the app and the command line allow a cluster: calls that may fail on the way, answers that may
# be unusable, and wall time in seconds of one call and of all its calls together.
TRANSPORT_ATTEMPTS = 4
CONTENT_ATTEMPTS = 2
APP_CALL_TIMEOUT_S = 45.0
CLUSTER_DEADLINE_S = 180.0

# A package of fewer deals is not worth a deal id of its own (domain rule: 3-15 deals are typical).
MIN_PACKAGE_DEALS = 3
# Characters that platforms take: IAB Deals API, Index Exchange.
NAME_LIMIT = 255
DESCRIPTION_LIMIT = 250

MAX_ROWS = 200_000
MAX_COLUMNS = 512
# A cell this long is no value of a deal; the huge raw_deal_data columns stay far below (characters).
MAX_CELL_CHARS = 2_000_000
# Text of all cells together (characters): a few kilobytes of XLSX or Parquet can unfold to terabytes.
MAX_TABLE_CHARS = 300_000_000
# How far an unfinished quote may reach in a file whose quoting is broken.
MAX_JOINED_LINES = 50
MAX_JOINED_CHARS = 65_536
# Lines whose quotes are mended one by one; a file with more is broken as a whole.
MAX_BROKEN_QUOTES = 20_000
# A workbook is a zip archive: what its directory may promise.
MAX_ZIP_ENTRIES = 200
MAX_ZIP_MB = 200
MAX_ZIP_RATIO = 100
MAX_PARQUET_MB = 500
MAX_JSON_DEPTH = 64
# Lists and objects of one JSON file; 200,000 nested deals have a quarter of this.
MAX_JSON_PARTS = 4_000_000
# Repairs of one kind that are spelled out; the others are counted.
MAX_LISTED_REPAIRS = 200
# What the child process that parses a file may use.
PARSER_MEMORY_MB = 2_048
PARSER_CPU_S = 20
PARSER_WALL_S = 30.0
# Above this many points the map draws a sample; tables and actions keep using every deal.
MAP_POINTS = 5_000

# Every random step of the pipeline starts from this seed, so that a rerun gives the same result.
RANDOM_SEED = 20_260_101


class Settings(BaseSettings):
    """What an operator may set; field descriptions are the documentation."""

    # Never `populate_by_name`: the environment would fill `home` from HOME, `model` from MODEL.
    model_config = SettingsConfigDict(
        toml_file=".streamlit/secrets.toml", env_ignore_empty=True, extra="ignore", frozen=True
    )

    gemini_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        description="Google Gemini key; without one the rules proposer is used.",
    )
    openai_api_key: SecretStr | None = Field(
        None, validation_alias="OPENAI_API_KEY", description="OpenAI key, for the provider openai."
    )
    anthropic_api_key: SecretStr | None = Field(
        None, validation_alias="ANTHROPIC_API_KEY", description="Anthropic key, for the provider anthropic."
    )
    gemini_base_url: str = Field(
        GEMINI_BASE_URL,
        validation_alias="DEALWEAVER_GEMINI_BASE_URL",
        description="Where Gemini calls go: https, or http on this machine only.",
    )
    openai_base_url: str = Field(
        OPENAI_BASE_URL,
        validation_alias="DEALWEAVER_OPENAI_BASE_URL",
        description="Where OpenAI calls go: https, or http on this machine only.",
    )
    anthropic_base_url: str = Field(
        ANTHROPIC_BASE_URL,
        validation_alias="DEALWEAVER_ANTHROPIC_BASE_URL",
        description="Where Anthropic calls go: https, or http on this machine only.",
    )
    ollama_base_url: str = Field(
        OLLAMA_BASE_URL,
        validation_alias="DEALWEAVER_OLLAMA_BASE_URL",
        description="Where the Ollama server listens: http on this machine, or https.",
    )
    home: Path = Field(
        Path(".dealweaver"),
        validation_alias="DEALWEAVER_HOME",
        description="Folder of the workspace database.",
    )
    database_url: str | None = Field(
        None,
        validation_alias="DEALWEAVER_DATABASE_URL",
        description="SQLAlchemy URL of the workspace; default: a SQLite file in DEALWEAVER_HOME.",
    )
    embedding_model: str = Field(
        EMBEDDING_MODEL,
        validation_alias="DEALWEAVER_EMBEDDING_MODEL",
        description="Name of a sentence-transformers model, or the path of a local folder.",
    )
    embedding_cache_mb: int = Field(
        500,
        ge=1,
        validation_alias="DEALWEAVER_EMBEDDING_CACHE_MB",
        description="Size in MB at which the file of kept vectors drops those not used for longest.",
    )
    provider: ProviderName = Field(
        "gemini",
        validation_alias="DEALWEAVER_PROVIDER",
        description="The service that is asked for proposals.",
    )
    model: str | None = Field(
        None,
        validation_alias="DEALWEAVER_MODEL",
        description="Model for proposals; default: that of the provider.",
    )
    requests_per_minute: int = Field(
        0,
        ge=0,
        validation_alias="DEALWEAVER_REQUESTS_PER_MINUTE",
        description="Known rate limit of the key; 0 = not known, slow down when the service says so.",
    )
    workers: int = Field(
        8,
        ge=1,
        le=8,
        validation_alias="DEALWEAVER_WORKERS",
        description="Model calls under way at the same time.",
    )
    max_calls: int | None = Field(
        None,
        ge=1,
        validation_alias="DEALWEAVER_MAX_CALLS",
        description="Model calls after which a proposal run stops; default: no limit.",
    )
    max_tokens: int | None = Field(
        None,
        ge=1,
        validation_alias="DEALWEAVER_MAX_TOKENS",
        description="Tokens, read and written together, after which a proposal run stops; default: no limit.",
    )
    max_usd: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        validation_alias="DEALWEAVER_MAX_USD",
        description="Estimated US dollars after which a proposal run stops; default: no limit.",
    )
    upload_mb: int = Field(
        25, ge=1, validation_alias="DEALWEAVER_UPLOAD_MB", description="Largest deal file in MB."
    )

    @field_validator("gemini_api_key", "openai_api_key", "anthropic_api_key", mode="before")
    @classmethod
    def _blank_key_is_no_key(cls, value: object) -> object:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return (text.strip() or None) if isinstance(text, str) else value

    @field_validator("gemini_base_url", "openai_base_url", "anthropic_base_url", "ollama_base_url")
    @classmethod
    def _calls_travel_safely(cls, value: str) -> str:
        parts = urlsplit(value)
        local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("it must start with https://, or with http:// on this machine (127.0.0.1)")
        return value.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (signature of the library)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment first, then the secrets file that Streamlit users know."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def has_key(self) -> bool:
        """Whether a Gemini key is set; the key itself is never shown."""
        return self.gemini_api_key is not None

    @property
    def embedding_cache(self) -> Path:
        """File of the vectors that were made before."""
        return self.home / "embeddings.db"

    @property
    def workspace_url(self) -> str:
        """SQLAlchemy URL of the workspace database."""
        return self.database_url or f"sqlite:///{(self.home / 'workspace.db').as_posix()}"


def load_settings() -> Settings:
    """Read the settings afresh. Raises SettingError that names the variable or file and its problem."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        raise SettingError(
            f"The setting {name} has a value that cannot work: {problem}. Correct it and start again."
        ) from None
    except (TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(
            f"The file {Settings.model_config.get('toml_file')} is no valid TOML ({error}): "
            "correct or remove it and start again."
        ) from None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once. Raises SettingError."""
    return load_settings()


def environment_names() -> list[str]:
    """Every environment name the project reads, sorted; the README must list exactly these."""
    names: set[str] = set()
    for field in Settings.model_fields.values():
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            names.update(str(choice) for choice in alias.choices)
        elif isinstance(alias, str):
            names.add(alias)
    return sorted(names)
