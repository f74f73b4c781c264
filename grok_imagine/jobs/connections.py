"""Connections by name: what the settings say of one, completed by its dialect's defaults."""

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
"""The sandbox is this machine: it may be asked ten times as often as the provider it stands for."""


@dataclass(frozen=True)
class Rate:
    """How much of a connection may be used, by all jobs of a process together."""

    requests_per_second: float
    jobs_at_once: int


USUAL_RATE = Rate(5.0, 10)
"""No provider here documents a number for this model (contract, part 5), so it is a modest one. A 429 slows it down."""
SANDBOX_RATE = Rate(50.0, 20)


@dataclass(frozen=True)
class Profile:
    """A connection that can be chosen. ``key_source`` is environment, file, sandbox or None (no key yet)."""

    name: str
    provider: Provider
    base_url: str | None
    key: SecretStr | None
    key_source: str | None
    stated: ConnectionSettings = field(default_factory=ConnectionSettings)
    pace: float = 1.0

    @property
    def key_variable(self) -> str:
        """The environment variable that its key is read from."""
        return self.provider.key_variable if self.name == self.provider.name else own_key_variable(self.name)

    @property
    def is_sandbox(self) -> bool:
        """Whether it leads to the offline sandbox, whose address is only known once it runs."""
        return self.key_source == SANDBOX


@dataclass(frozen=True)
class Connection:
    """A connection that is ready to be used."""

    name: str
    provider: Provider
    endpoint: Endpoint
    pace: float
    rate_limiter: RateLimiter
    sandbox_url: str | None = None
    assumed_usd_per_second: Decimal | None = None
    assumed_usd_per_clip: Decimal | None = None

    def slot(self) -> JobSlot:
        """A place among the connection's jobs in flight, not taken yet."""
        return self.rate_limiter.slot()

    @property
    def label(self) -> str:
        """The provider's name for people, and the connection's own where it is another."""
        name = self.provider.label
        return name if self.name == self.provider.name else f"{name} (connection {self.name!r})"

    @property
    def origin(self) -> str:
        """Where it leads, without path."""
        return origin(self.endpoint.base_url)

    @property
    def is_local(self) -> bool:
        """Whether it leads to this very machine, so that private URLs are no fault."""
        return is_loopback(self.endpoint.base_url)


def check_belongs(job: Job, connection: Connection) -> None:
    """Raise SettingsError where the connection leads elsewhere than the job was submitted to."""
    if job.provider != connection.provider.name:
        raise SettingsError(
            f"Job {job.id} was submitted in the dialect {job.provider}, but the connection {connection.name!r} now "
            f"uses {connection.provider.name}. Nothing was sent. Set its dialect back to get the clip."
        )
    # The sandbox is this machine, on another port each time.
    is_elsewhere = job.origin not in (None, connection.origin) and connection.sandbox_url is None
    if is_elsewhere and job.state not in (JobState.PREPARED, JobState.SAVED):
        raise SettingsError(
            f"Job {job.id} was submitted to {job.origin}, but the connection {connection.name!r} now leads to "
            f"{connection.origin}. Nothing was sent. Set its base_url back to get the clip, or change the seed to make "
            "a new one."
        )


def profiles(settings: Settings, environment: Mapping[str, str] = os.environ) -> dict[str, Profile]:
    """Every connection that can be chosen: the sandbox first, then the user's own, then the known providers."""
    providers = Providers(settings.home)
    found = {name: _sandbox_profile(name, providers[dialect]) for name, dialect in sandbox_names(providers).items()}
    for name, stated in settings.connections.items():
        if name not in found and (stated.dialect or name) in providers:
            found[name] = _profile(name, stated, providers, environment)
    for name, provider in providers.items():
        if name not in found and provider.default_base_url:
            found[name] = _profile(name, ConnectionSettings(), providers, environment)
    return found


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
    """The connection of that name. Raises SettingsError that says why there is none, or lists what there is."""
    known = profiles(settings)
    if name not in known:
        if fault := faulty_connections(settings).get(name.removeprefix(f"{SANDBOX}-")):
            raise SettingsError(f"The connection {name!r} cannot be used. Nothing was sent or charged. {fault}")
        raise SettingsError(
            f"There is no connection {name!r}. Choose one of {', '.join(known)}, or add it to the settings. "
            "Nothing was sent or charged."
        )
    return known[name]


def connect(profile: Profile, pacers: RateLimiters, sandbox_url: str | None = None) -> Connection:
    """The connection, ready to be used. Raises MissingKey or SettingsError that say how to complete it."""
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
    stated, usual = profile.stated, SANDBOX_RATE if profile.is_sandbox else USUAL_RATE
    pacer = pacers.of(
        profile.name, stated.requests_per_second or usual.requests_per_second, stated.jobs_at_once or usual.jobs_at_once
    )
    endpoint = Endpoint(base_url, profile.key, profile.provider.authorize, pacer)
    return Connection(
        profile.name,
        profile.provider,
        endpoint,
        profile.pace,
        pacer,
        sandbox_url,
        assumed_usd_per_second=stated.assumed_usd_per_second,
        assumed_usd_per_clip=stated.assumed_usd_per_clip,
    )


def _sandbox_profile(name: str, provider: Provider) -> Profile:
    # Not a secret: the sandbox takes any key of the right form with this word in it.
    key = SecretStr(f"{provider.key_prefix}sandbox")
    return Profile(name, provider, None, key, SANDBOX, pace=SANDBOX_PACE)


def _profile(
    name: str, stated: ConnectionSettings, providers: Mapping[str, Provider], environment: Mapping[str, str]
) -> Profile:
    dialect = stated.dialect or name
    provider = providers[dialect] if stated.model is None else providers[dialect].with_model(stated.model)
    base_url = provider.base_url(stated.base_url) if stated.base_url else provider.default_base_url
    from_environment = name == dialect and environment.get(provider.key_variable, "").strip()
    if from_environment:
        try:
            key = clean_key(SecretStr(from_environment))
        except ValueError as error:
            raise SettingsError(f"{provider.key_variable}: {error}") from None
        return Profile(name, provider, base_url, key, "environment", stated, stated.pace)
    own = own_key_variable(name)
    source = "environment" if any(variable.upper() == own for variable in environment) else "file"
    return Profile(name, provider, base_url, stated.api_key, source if stated.api_key else None, stated, stated.pace)
