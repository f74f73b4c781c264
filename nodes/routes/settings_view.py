"""The settings as the page sees them: of a secret where it comes from and its last four characters, never more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from pydantic import SecretStr

from ...grok_imagine.jobs.connections import Profile, profiles
from ...grok_imagine.providers.registry import Providers
from ...grok_imagine.settings import Settings, StoreSettings

if TYPE_CHECKING:
    from ...grok_imagine.settings import ConnectionSettings

_SHORTEST_TOLD = 12
"""The last four characters of a shorter secret would be too much of it."""
STORE_SECRETS = tuple(name for name, one in StoreSettings.model_fields.items() if SecretStr in get_args(one.annotation))
STORE_FIELDS = tuple(name for name in StoreSettings.model_fields if name not in STORE_SECRETS)
OPTIONS = ("store", "deadline_seconds", "on_interrupt", "results_max_gb", "results_max_days", "budget")
"""The settings that the page shows beside connections and stores, as far as this engine has them."""


def view(settings: Settings, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Plain JSON. ``stored`` is the settings file's content: only that can be changed here."""
    own = stored.get("connections", {})
    return {
        "connections": [
            _connection(one, settings.connections.get(one.name), is_stored=one.name in own)
            for one in profiles(settings).values()
        ],
        "dialects": [
            {
                "name": one.name,
                "label": one.label,
                "base_url": one.default_base_url,
                "key_url": one.key_url,
            }
            for one in Providers(settings.home).values()
        ],
        "stores": [
            _store(name, one, is_stored=name in stored.get("stores", {})) for name, one in settings.stores.items()
        ],
        "options": {name: _plain(getattr(settings, name)) for name in known_options()},
        "from_environment": [name for name in known_options() if _variable(name) in _environment()],
    }


def known_options() -> list[str]:
    """Those of OPTIONS that there are."""
    return [name for name in OPTIONS if name in Settings.model_fields]


def last_four(secret: SecretStr | None) -> str:
    """The end of a secret, by which its owner knows it again."""
    text = secret.get_secret_value() if secret else ""
    return text[-4:] if len(text) >= _SHORTEST_TOLD else ""


def _connection(profile: Profile, stated: ConnectionSettings | None, *, is_stored: bool) -> dict[str, Any]:
    provider = profile.provider
    return {
        "name": profile.name,
        "dialect": provider.name,
        "label": provider.label,
        "is_sandbox": profile.is_sandbox,
        "is_stored": is_stored,
        "base_url": profile.base_url,
        "is_own_url": bool(stated and stated.base_url),
        "model": stated.model if stated else None,
        "key": {
            "source": None if profile.is_sandbox else profile.key_source,
            "last_four": "" if profile.is_sandbox else last_four(profile.key),
            "variable": profile.key_variable,
        },
        "store": stated.store if stated else None,
        "pace": profile.pace,
        **_assumed(stated),
    }


def _assumed(stated: ConnectionSettings | None) -> dict[str, Any]:
    """What a clip is taken to cost where no price is published; in engines that keep a budget."""
    names = ("assumed_usd_per_second", "assumed_usd_per_clip")
    return {name: _plain(getattr(stated, name, None)) for name in names}


def _store(name: str, store: StoreSettings, *, is_stored: bool) -> dict[str, Any]:
    fields = {field: _plain(getattr(store, field)) for field in STORE_FIELDS}
    secrets: dict[str, Any] = {}
    for field in STORE_SECRETS:
        value = getattr(store, field)
        if value is not None:
            source = "environment" if _variable("STORES", name, field) in _environment() else "file"
            secrets[field] = {"source": source, "last_four": "" if field == "service_account_key" else last_four(value)}
    return {"name": name, "is_stored": is_stored, **fields, "secrets": secrets}


def _variable(*parts: str) -> str:
    return f"GROK_IMAGINE_{'__'.join(parts)}".upper()


def _environment() -> set[str]:
    return {name.upper() for name, value in os.environ.items() if value}


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return {name: _plain(each) for name, each in value.model_dump().items()}
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
