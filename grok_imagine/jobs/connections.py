"""Connections by name: the settings of each, completed by its dialect's defaults."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ..errors import MissingKey, SettingsError
from ..models import Job, JobState
from ..models.url import is_loopback, origin
from ..providers import Provider
from ..providers.registry import Providers
from ..providers.user_files import own_key_variable
from ..settings import ConnectionSettings, Settings, clean_key

if TYPE_CHECKING:
    from ..transport.endpoint import Endpoint
    from ..transport.rate_limit import JobSlot, RateLimiter, RateLimiters

SANDBOX = "sandbox"
_SANDBOX_DIALECT = "reapi"
SANDBOX_PACE = 0.1
"""The sandbox runs on this machine, so it is polled ten times as often as the provider that it imitates."""


@dataclass(frozen=True)
class Rate:
    """The limits of a connection, for all jobs of a process together."""

    requests_per_second: float
    jobs_at_once: int


DEFAULT_RATE = Rate(5.0, 10)
"""No provider here documents limits for this model (contract, part 5), so these are low. A 429 pauses all jobs."""
SANDBOX_RATE = Rate(50.0, 20)


@dataclass(frozen=True)
class Profile:
    """A connection that can be chosen.

    ``key_source`` is environment, file, sandbox or None (no key yet). ``pace`` multiplies the poll intervals.
    """

    name: str
    provider: Provider
    base_url: str | None
    key: SecretStr | None
    key_source: str | None
    settings: ConnectionSettings = field(default_factory=ConnectionSettings)
    pace: float = 1.0

    @property
    def key_variable(self) -> str:
        """The environment variable for its key."""
        return self.provider.key_variable if self.name == self.provider.name else own_key_variable(self.name)

    @property
    def is_sandbox(self) -> bool:
        """Whether it uses the offline sandbox, whose address is known only once it runs."""
        return self.key_source == SANDBOX


@dataclass(frozen=True)
class Connection:
    """A connection with an address and a key. ``pace`` multiplies the poll intervals."""

    name: str
    provider: Provider
    endpoint: Endpoint
    pace: float
    rate_limiter: RateLimiter
    sandbox_url: str | None = None
    assumed_usd_per_second: Decimal | None = None
    assumed_usd_per_clip: Decimal | None = None

    def slot(self) -> JobSlot:
        """A slot for one of the connection's jobs in flight. It is not taken yet."""
        return self.rate_limiter.slot()

    @property
    def label(self) -> str:
        """The provider's display name, with the connection's name if that differs."""
        name = self.provider.label
        return name if self.name == self.provider.name else f"{name} (connection {self.name!r})"

    @property
    def origin(self) -> str:
        """Scheme, host and port of its base URL."""
        return origin(self.endpoint.base_url)

    @property
    def is_local(self) -> bool:
        """Whether its base URL is on this machine, so that private URLs are allowed."""
        return is_loopback(self.endpoint.base_url)


def check_belongs(job: Job, connection: Connection) -> None:
    """Raise SettingsError if the connection now has another dialect or address than the job was submitted with."""
    if job.provider != connection.provider.name:
        raise SettingsError(
            f"Job {job.id} was submitted in the dialect {job.provider}, but the connection {connection.name!r} now "
            f"uses {connection.provider.name}. Nothing was sent. Set its dialect back to get the clip."
        )
    # The sandbox has another port each time.
    is_elsewhere = job.origin not in (None, connection.origin) and connection.sandbox_url is None
    if is_elsewhere and job.state not in (JobState.PREPARED, JobState.SAVED):
        raise SettingsError(
            f"Job {job.id} was submitted to {job.origin}, but the connection {connection.name!r} now leads to "
            f"{connection.origin}. Nothing was sent. Set its base_url back to get the clip, or change the seed to make "
            "a new one."
        )


def profiles(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, Profile]:
    """Every connection that can be chosen: the sandboxes, then the user's own, then the known providers."""
    providers = Providers(settings.home)
    known = {name: _sandbox_profile(name, providers[dialect]) for name, dialect in sandbox_names(providers).items()}
    for name, section in settings.connections.items():
        if name not in known and (section.dialect or name) in providers:
            known[name] = _profile(name, section, providers, environment)
    for name, provider in providers.items():
        if name not in known and provider.default_base_url:
            known[name] = _profile(name, ConnectionSettings(), providers, environment)
    return known


def faulty_connections(settings: Settings) -> dict[str, str]:
    """The connections without a usable provider, and why. They are missing from :func:`profiles`."""
    providers = Providers(settings.home)
    named = {name: name for name in providers.faulty}
    named |= {name: one.dialect or name for name, one in settings.connections.items()}
    unknown = f"is no provider. Set the connection's dialect to one of {', '.join(providers)}."
    return {
        name: providers.faulty.get(dialect, f"{dialect!r} {unknown}")
        for name, dialect in named.items()
        if dialect not in providers
    }


def sandbox_names(providers: Iterable[str]) -> dict[str, str]:
    """The sandbox's connections and the dialect of each: ``sandbox`` itself speaks reAPI's."""
    return {SANDBOX: _SANDBOX_DIALECT, **{sandbox_of(name): name for name in providers}}


def sandbox_of(dialect: str) -> str:
    """The sandbox's connection that stands for a provider."""
    return SANDBOX if dialect == _SANDBOX_DIALECT else f"{SANDBOX}-{dialect}"


def profile(settings: Settings, name: str) -> Profile:
    """The connection of that name. Raises SettingsError that says why there is none, or lists the known names."""
    known = profiles(settings)
    if name not in known:
        if fault := faulty_connections(settings).get(name.removeprefix(f"{SANDBOX}-")):
            raise SettingsError(f"The connection {name!r} cannot be used. Nothing was sent or charged. {fault}")
        raise SettingsError(
            f"There is no connection {name!r}. Choose one of {', '.join(known)}, or add it to the settings. "
            "Nothing was sent or charged."
        )
    return known[name]


def connect(profile: Profile, limiters: RateLimiters, sandbox_url: str | None = None) -> Connection:
    """The connection with its address, key and rate limiter. Raises MissingKey, or SettingsError if it has no URL."""
    from ..transport.endpoint import Endpoint  # loads the HTTP client, which listing profiles does not need

    base_url = profile.base_url
    if profile.is_sandbox:
        base_url = f"{sandbox_url}/{profile.provider.name}"
    if not base_url:
        raise SettingsError(
            f"The connection {profile.name!r} has no base_url. Set one in the settings. Nothing was sent or charged."
        )
    if profile.key is None:
        raise MissingKey(
            f"The connection {profile.name!r} has no API key. Set the environment variable "
            f"{profile.key_variable}, or store one with: grok-imagine key {profile.name}. "
            "The connection 'sandbox' needs none. Nothing was sent or charged."
        )
    settings, default = profile.settings, SANDBOX_RATE if profile.is_sandbox else DEFAULT_RATE
    limiter = limiters.of(
        profile.name,
        settings.requests_per_second or default.requests_per_second,
        settings.jobs_at_once or default.jobs_at_once,
    )
    endpoint = Endpoint(base_url, profile.key, profile.provider.authorize, limiter)
    return Connection(
        profile.name,
        profile.provider,
        endpoint,
        profile.pace,
        limiter,
        sandbox_url,
        assumed_usd_per_second=settings.assumed_usd_per_second,
        assumed_usd_per_clip=settings.assumed_usd_per_clip,
    )


def _sandbox_profile(name: str, provider: Provider) -> Profile:
    # Not a secret: the sandbox accepts any key with the right prefix and this word.
    key = SecretStr(f"{provider.key_prefix}sandbox")
    return Profile(name, provider, None, key, SANDBOX, pace=SANDBOX_PACE)


def _profile(
    name: str, settings: ConnectionSettings, providers: Mapping[str, Provider], environment: Mapping[str, str]
) -> Profile:
    dialect = settings.dialect or name
    provider = providers[dialect] if settings.model is None else providers[dialect].with_model(settings.model)
    base_url = provider.base_url(settings.base_url) if settings.base_url else provider.default_base_url
    from_environment = name == dialect and environment.get(provider.key_variable, "").strip()
    if from_environment:
        try:
            key = clean_key(SecretStr(from_environment))
        except ValueError as error:
            raise SettingsError(f"{provider.key_variable}: {error}") from None
        return Profile(name, provider, base_url, key, "environment", settings, settings.pace)
    own = own_key_variable(name)
    source = "environment" if any(variable.upper() == own for variable in environment) else "file"
    key_source = source if settings.api_key else None
    return Profile(name, provider, base_url, settings.api_key, key_source, settings, settings.pace)
