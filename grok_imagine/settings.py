"""Settings: the environment first, then a file that only its owner can read, then defaults.

The file is ``settings.json`` in the data folder, both for their owner alone::

    {"connections": {"mygateway": {"dialect": "openai_videos", "base_url": "https://…", "api_key": "…"}}}

The same from the environment: ``GROK_IMAGINE_CONNECTIONS__MYGATEWAY__API_KEY=…``, or the variable that each
provider's users know already (``REAPI_API_KEY``, ``XAI_API_KEY`` …), which the connection of that name reads.
Names of connections are in lower case, so that the environment can spell them.
Keys are SecretStr: printing, logging or dumping settings shows none.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from .errors import SettingsError
from .filelock import file_lock, replace_file
from .models.url import is_loopback, is_private_host, split
from .privacy import closed_to_others

FILE_NAME = "settings.json"
T = TypeVar("T")
_LONGEST_BASE = 1900
"""A callback's address may have 2048 characters (contract, rule A8); a path and a token follow."""


class ConnectionSettings(BaseModel):
    """A named profile: a dialect, where it is, and the key. Every field may be left to the dialect's default."""

    model_config = ConfigDict(extra="forbid")

    dialect: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None
    store: str | None = None
    """The store for this connection's uploads, where it is not the settings' own."""
    pace: float = Field(default=1.0, gt=0, le=10)
    """Multiplies the provider's documented poll intervals."""
    requests_per_second: float | None = Field(default=None, gt=0, le=1000)
    jobs_at_once: int | None = Field(default=None, ge=1, le=10000)
    """What all jobs of this connection together may use, in one process; by default 5 a second, and 10 jobs."""
    assumed_usd_per_second: Decimal | None = Field(default=None, ge=0, le=100)
    assumed_usd_per_clip: Decimal | None = Field(default=None, ge=0, le=1000)
    """What a clip is taken to cost where the provider publishes no price in numbers; both are added up. A budget
    needs one of them there."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        return None if value is None or not value.strip() else clean_base_url(value)

    @field_validator("api_key")
    @classmethod
    def _api_key(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None or not value.get_secret_value().strip() else clean_key(value)


class BudgetSettings(BaseModel):
    """The most that may be spent, in US dollars, over what is spent and pending. Days and months are local ones."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    per_run: Decimal | None = Field(default=None, ge=0)
    """In ComfyUI a run is one queued graph; on the command line it is one command."""
    per_day: Decimal | None = Field(default=None, ge=0)
    per_month: Decimal | None = Field(default=None, ge=0)


class StoreSettings(BaseModel):
    """A named place for uploads. What is not stated is taken from the cloud's own environment variables.

    ``public_base_url`` is a CDN in front of the bucket; for kind ``comfyui`` it is where the internet reaches this
    ComfyUI. ``url_hours`` is how long signed URLs live; by default as long as the provider may work on a job.
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
    """Remove an upload when every job that used it is final."""

    @field_validator("endpoint", "public_base_url")
    @classmethod
    def _urls(cls, value: str | None) -> str | None:
        return None if value is None or not value.strip() else clean_base_url(value, keep_version=True)


class Settings(BaseSettings):
    """All that can be set. Build it with :func:`load`."""

    model_config = SettingsConfigDict(
        env_prefix="GROK_IMAGINE_", env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
    )

    connections: dict[str, ConnectionSettings] = Field(default_factory=dict[str, ConnectionSettings])
    stores: dict[str, StoreSettings] = Field(default_factory=dict[str, StoreSettings])
    store: str | None = None
    """The store for uploads, by name; needed only where there are several."""
    results_store: str | None = None
    """The store where finished clips are kept too, by name: where several machines share the journal."""
    deadline_seconds: float = Field(default=1800, gt=0)
    """How long a node or command waits for one clip. The job itself goes on, and can be resumed."""
    answer_seconds: float = Field(default=100, gt=0)
    """How long a submit found in flight is waited for, before its outcome counts as unknown. Longer than a POST
    may take (transport/client.py), so that a run that is merely slow is not taken for one that died."""
    max_download_bytes: int = Field(default=512 * 1024 * 1024, gt=0)
    database_url: SecretStr | None = None
    """A PostgreSQL for the journal, where several machines share it; by default a file in the data folder."""
    worker_stalled_seconds: float = Field(default=30, gt=0, le=3600)
    """How long nothing is heard of a worker, before others take its rows."""
    budget: BudgetSettings = Field(default_factory=BudgetSettings)
    on_interrupt: Literal["keep", "drop"] = "keep"
    """What a stop means for the job: it goes on and can be collected later, or it is given up."""
    results_max_gb: float = Field(default=20, gt=0)
    results_max_days: float = Field(default=90, gt=0)
    """How large and old the folder of results may grow before ``grok-imagine prune`` takes from it."""
    allowed_networks: tuple[IPvAnyNetwork, ...] = ()
    """Networks that are not on the internet, and from which results may be downloaded all the same: a VPN or proxy
    program that answers every name with an address of its own needs ``["198.18.0.0/15"]``."""
    sandbox_url: str | None = None
    """A sandbox that already runs; without it one is started when it is first needed."""
    public_callback_base: str | None = None
    """Where the internet reaches this ComfyUI's route for callbacks (``POST /grok_imagine/callback/…``), for providers
    that can say when a clip is done. Empty: nobody is asked to call."""
    hosts: list[str] = Field(default_factory=list[str])
    """Names of the public DNS under which its own users open this ComfyUI: a browser may be led to it under others."""
    allow_remote_settings: bool = False
    """Whether keys and settings may be changed over the network, by whoever reaches ComfyUI."""

    @field_validator("public_callback_base")
    @classmethod
    def _callback_base(cls, value: str | None) -> str | None:
        if value is None or not value.strip():
            return None
        base = clean_base_url(value, keep_version=True)
        host = urlsplit(base).hostname or ""
        if is_private_host(host) and not is_loopback(base):  # this machine is reached by the sandbox
            raise ValueError("providers call from the internet, and this address is not on it")
        if len(base) > _LONGEST_BASE:
            raise ValueError(f"an address of more than {_LONGEST_BASE} characters is too long")
        return base

    @field_validator("connections", "stores")
    @classmethod
    def _names(cls, value: dict[str, T]) -> dict[str, T]:
        for name in value:
            if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,39}", name):
                raise ValueError(f"{name[:40]!r} is no name: use lower-case letters, digits, - _ .")
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
    """The settings of the data folder ``home``. Raises SettingsError that names the fault, never a value."""
    path = home / FILE_NAME
    stored: dict[str, Any] = {}
    try:
        if path.exists():
            closed_to_others(path)
            read: object = json.loads(path.read_text("utf-8"))
            if not isinstance(read, dict):
                raise ValueError("not an object")
            stored = cast("dict[str, Any]", read)
        return Settings(**stored)
    except ValidationError as error:
        raise SettingsError(f"settings ({path} and the environment): {faults_of(error)}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}. Mend or remove it.") from None


def faults_of(error: ValidationError) -> str:
    """Every fault by its field, and never the value that has it."""
    return "; ".join(
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    )


def save_connection(home: Path, name: str, connection: ConnectionSettings) -> None:
    """Write one connection into the file, the others untouched; atomically, readable by the owner alone."""
    plain = connection.model_dump(exclude_none=True, exclude_defaults=True)
    if connection.api_key is not None:
        plain["api_key"] = connection.api_key.get_secret_value()
    path = private_folder(home) / FILE_NAME
    with file_lock(home / f".{FILE_NAME}.lock"):  # two writers at once: neither loses what the other wrote
        try:
            stored: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path} cannot be read: {type(error).__name__}. Mend or remove it.") from None
        stored.setdefault("connections", {})[name] = plain
        write_private(path, json.dumps(stored, indent=2, ensure_ascii=False).encode())


def write_private(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` in one step; for its owner alone from its first byte, and so is its folder."""
    private_folder(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            closed_to_others(Path(temporary))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace_file(Path(temporary), path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def private_folder(path: Path) -> Path:
    """``path`` as a folder for its owner alone, made where it is missing."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return closed_to_others(path)


def clean_key(key: SecretStr) -> SecretStr:
    """The key as it goes into the header (rule C1): a pasted ``Bearer`` is taken off, other spaces are refused."""
    text = key.get_secret_value().strip()
    if text.lower().startswith("bearer "):
        text = text[len("bearer ") :].strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("the API key is empty or holds spaces, line breaks or other odd characters; paste it again")
    return SecretStr(text)


def clean_base_url(url: str, *, keep_version: bool = False) -> str:
    """The base URL as it is stored (rule C2): https, or http on this machine only; no query, no trailing ``/v1``."""
    text = url.strip().rstrip("/")
    parts = split(text)
    if parts is None or parts.query or parts.fragment or parts.username is not None or "?" in text or "#" in text:
        raise ValueError("the base URL must be an https URL without user name, query or fragment")
    if parts.scheme != "https" and not is_loopback(text):
        raise ValueError("the base URL must be https; http is only for this very machine")
    return text if keep_version else text.removesuffix("/v1")
