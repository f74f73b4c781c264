"""Settings, from environment variables, else the settings file, else defaults.

The file is ``settings.json`` in the data folder; only its owner can read it::

    {"connections": {"mygateway": {"dialect": "openai_videos", "base_url": "https://…", "api_key": "…"}}}

The same as an environment variable: ``GROK_IMAGINE_CONNECTIONS__MYGATEWAY__API_KEY=…``. The connection named after a
provider also reads that provider's usual variable (``REAPI_API_KEY``, ``XAI_API_KEY`` …). Connection names are in
lower case, since names of environment variables are not case-sensitive on all systems.
Keys are SecretStr, so printing, logging or dumping settings does not show them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from .errors import SettingsError
from .filelock import file_lock
from .models.url import clean_base_url, is_loopback, is_private_host
from .privacy import ensure_private
from .private_files import private_folder, write_private

FILE_NAME = "settings.json"
T = TypeVar("T")
MAX_USD = 10_000_000
"""The largest limit in US dollars. The journal's exact amounts end near 900 million."""
_WEEK = 7 * 24 * 3600
_LONGEST_BASE = 1900
"""A callback URL may have 2048 characters (contract, rule A8), including the path and token that are appended."""


class ConnectionSettings(BaseModel):
    """A named connection: its dialect, base URL and key. Every field defaults to the dialect's own value."""

    model_config = ConfigDict(extra="forbid")

    dialect: str | None = None
    base_url: str | None = None
    model: str | None = Field(default=None, min_length=1, max_length=96, pattern=r"^[!-~]+$")
    """The gateway's own name for the model ``grok-imagine``, if it has another."""
    api_key: SecretStr | None = None
    store: str | None = None
    """The store for this connection's uploads, if it differs from ``Settings.store``."""
    pace: float = Field(default=1.0, gt=0, le=10)
    """Multiplies the provider's documented poll intervals."""
    requests_per_second: float | None = Field(default=None, gt=0, le=1000)
    jobs_at_once: int | None = Field(default=None, ge=1, le=10000)
    """Limits for all jobs of this connection in one process. Defaults: 5 requests per second, 10 jobs."""
    assumed_usd_per_second: Decimal | None = Field(default=None, ge=0, le=100)
    assumed_usd_per_clip: Decimal | None = Field(default=None, ge=0, le=1000)
    """Assumed price if the provider publishes none; the two are added. A budget needs one of them in that case."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        return None if value is None or not value.strip() else clean_base_url(value)

    @field_validator("api_key")
    @classmethod
    def _api_key(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None or not value.get_secret_value().strip() else clean_key(value)


class BudgetSettings(BaseModel):
    """Spending limits in US dollars, including pending jobs. Days and months are in local time."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    per_run: Decimal | None = Field(default=None, ge=0, le=MAX_USD)
    """A run is one queued graph in ComfyUI, or one command on the command line."""
    per_day: Decimal | None = Field(default=None, ge=0, le=MAX_USD)
    per_month: Decimal | None = Field(default=None, ge=0, le=MAX_USD)


class StoreSettings(BaseModel):
    """A named store for uploads. Missing values are read from the cloud's own environment variables.

    ``public_base_url`` is a CDN in front of the bucket; for kind ``comfyui`` it is this ComfyUI's public URL.
    ``url_hours`` is the lifetime of signed URLs; by default as long as the provider may work on a job.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: Literal["s3", "gcs", "azure", "comfyui"] = "s3"
    bucket: str | None = None
    endpoint: str | None = None
    region: str | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    service_account_key: SecretStr | None = None
    account_name: str | None = None
    account_key: SecretStr | None = None
    virtual_hosted_style: bool = False
    prefix: str = Field(default="grok-imagine", pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$")
    public_base_url: str | None = None
    url_hours: float | None = Field(default=None, gt=0, le=168)
    delete_after: bool = False
    """Delete an upload when every job that used it is final."""

    @field_validator("endpoint", "public_base_url")
    @classmethod
    def _urls(cls, value: str | None) -> str | None:
        return None if value is None or not value.strip() else clean_base_url(value, keep_version=True)


class Settings(BaseSettings):
    """All settings. Create it with :func:`load`."""

    model_config = SettingsConfigDict(
        env_prefix="GROK_IMAGINE_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    connections: dict[str, ConnectionSettings] = Field(default_factory=dict[str, ConnectionSettings])
    stores: dict[str, StoreSettings] = Field(default_factory=dict[str, StoreSettings])
    store: str | None = None
    """The name of the store for uploads; needed only if there are several."""
    results_store: str | None = None
    """The name of the store to which finished clips are copied, if several machines share the journal."""
    deadline_seconds: float = Field(default=1800, gt=0, le=_WEEK)
    """How long a node or command waits for one clip. The job continues afterwards and can be resumed."""
    answer_seconds: float = Field(default=100, gt=0, le=_WEEK)
    """How long to wait for another process's pending submit before its outcome counts as unknown. Longer than a POST
    may take (transport/client.py), so that a slow process is not considered dead."""
    max_download_bytes: int = Field(default=512 * 1024 * 1024, gt=0, le=10**12)
    database_url: SecretStr | None = None
    """A PostgreSQL database for a journal shared by several machines. Default: a file in the data folder."""
    worker_stalled_seconds: float = Field(default=30, gt=0, le=3600)
    """How long a worker may send no heartbeat before others take its rows."""
    budget: BudgetSettings = Field(default_factory=BudgetSettings)
    on_interrupt: Literal["keep", "drop"] = "keep"
    """What an interrupt does to the job: keep it, so that it can be resumed, or abandon it."""
    results_max_gb: float = Field(default=20, gt=0, le=1_000_000)
    results_max_days: float = Field(default=90, gt=0, le=36_500)
    """The size and age of results above which ``grok-imagine prune`` removes them."""
    allowed_networks: tuple[IPvAnyNetwork, ...] = ()
    """Private networks from which results may be downloaded. A VPN or proxy that resolves every name to an address of
    its own needs ``["198.18.0.0/15"]``."""
    sandbox_url: str | None = None
    """The URL of a running sandbox. By default one is started when it is needed."""
    public_callback_base: str | None = None
    """The public base URL of this ComfyUI's callback route (``POST /grok_imagine/callback/…``), for providers with
    webhooks. Empty: no callbacks are requested."""
    hosts: list[str] = Field(default_factory=list[str])
    """Public host names of this ComfyUI. Requests with other host names are refused (DNS rebinding)."""
    allow_remote_actions: bool = False
    """Whether anyone who can reach ComfyUI over the network may resume, submit again, abandon and remove jobs."""
    allow_remote_settings: bool = False
    """Whether anyone who can reach ComfyUI over the network may change keys and settings, and do the former."""
    _home: Path | None = PrivateAttr(default=None)

    @property
    def home(self) -> Path | None:
        """The data folder that they were read from; None for settings that were made in memory."""
        return self._home

    def of_home(self, home: Path) -> Settings:
        """These settings, with the data folder that they belong to."""
        self._home = home
        return self

    @field_validator("public_callback_base")
    @classmethod
    def _callback_base(cls, value: str | None) -> str | None:
        if value is None or not value.strip():
            return None
        base = clean_base_url(value, keep_version=True)
        host = urlsplit(base).hostname or ""
        if is_private_host(host) and not is_loopback(base):  # the sandbox can call this machine
            raise ValueError("use a public address: providers cannot reach a private one")
        if len(base) > _LONGEST_BASE:
            raise ValueError(f"use at most {_LONGEST_BASE} characters")
        return base

    @field_validator("connections", "stores")
    @classmethod
    def _names(cls, value: dict[str, T]) -> dict[str, T]:
        for name in value:
            if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,39}", name):
                raise ValueError(f"{name[:40]!r} is not a valid name: use lower-case letters, digits, - _ .")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (EnvSettingsSource(settings_cls), init_settings)


def load(home: Path) -> Settings:
    """The settings of the data folder ``home``. Raises a SettingsError that names the faulty fields, never a value."""
    path = home / FILE_NAME
    try:
        if path.exists():
            ensure_private(path)
        return Settings(**read_file(home)).of_home(home)
    except ValidationError as error:
        raise SettingsError(f"Invalid settings ({path} and the environment): {faults_of(error)}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}. Fix or delete it.") from None


def faults_of(error: ValidationError) -> str:
    """The errors as text, each with its field but without the value."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}"
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    )


def save_connection(home: Path, name: str, connection: ConnectionSettings) -> None:
    """Store one connection in the settings file, atomically and readable only by its owner. Raises SettingsError."""
    plain = connection.model_dump(exclude_none=True, exclude_defaults=True)
    if connection.api_key is not None:
        plain["api_key"] = connection.api_key.get_secret_value()
    with edit_settings(home) as stored:
        stored.setdefault("connections", {})[name] = plain


@contextmanager
def edit_settings(home: Path) -> Generator[dict[str, Any]]:
    """Read the settings file, let the body change its content, validate all of it, and write it atomically.

    No other process does so meanwhile. Raises SettingsError if the file cannot be read or the result is invalid; the
    file is then unchanged, as it is if the body raises.
    """
    path = private_folder(home) / FILE_NAME
    with file_lock(home / f".{FILE_NAME}.lock"):
        stored = read_file(home)
        yield stored
        try:
            Settings(**stored)
        except ValidationError as error:
            raise SettingsError(f"Not saved: {faults_of(error)}") from None
        write_private(path, json.dumps(stored, indent=2, ensure_ascii=False).encode())


def read_file(home: Path) -> dict[str, Any]:
    """The file's content, including keys; empty if there is no file. Raises SettingsError."""
    path = home / FILE_NAME
    try:
        found: object = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return cast("dict[str, Any]", found)
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}. Fix or delete it.") from None


def clean_key(key: SecretStr) -> SecretStr:
    """The key as sent in the header (rule C1), without a pasted ``Bearer``. Raises ValueError for other spaces."""
    text = key.get_secret_value().strip()
    if text.lower().startswith("bearer "):
        text = text[len("bearer ") :].strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            "the API key is empty or contains spaces, line breaks or other invalid characters; paste it again"
        )
    return SecretStr(text)
