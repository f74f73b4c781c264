"""The routes of the settings: what is set up, and changing it. Keys go in here and never come out again."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...grok_imagine.errors import SettingsError
from ...grok_imagine.redact import redact
from ..host import pages
from .security import ApiError, ApiRequest, Guard

if TYPE_CHECKING:
    from aiohttp import web

    from ...grok_imagine.jobs.checks.store import CheckStep
    from ..host.runtime import Runtime

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_CONNECTION_FIELDS = ("dialect", "base_url", "model", "store", "pace", "assumed_usd_per_second", "assumed_usd_per_clip")


def register(routes: web.RouteTableDef, runtime: Runtime) -> None:
    """Add the routes."""
    handlers, guard = SettingsHandlers(runtime), Guard(runtime)
    root = "/grok_imagine/settings"
    routes.get(root)(guard.get(handlers.all))
    routes.post(root + "/connection")(guard.admin_post(handlers.put_connection))
    routes.post(root + "/connection/remove")(guard.admin_post(handlers.remove_connection))
    routes.post(root + "/connection/test")(guard.local_post(handlers.try_connection))
    routes.post(root + "/store")(guard.admin_post(handlers.put_store))
    routes.post(root + "/store/remove")(guard.admin_post(handlers.remove_store))
    routes.post(root + "/store/test")(guard.local_post(handlers.check_store))
    routes.post(root + "/options")(guard.admin_post(handlers.put_options))


class SettingsHandlers:
    """Handles the requests, on the pack's loop; files are read and written in a thread."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._home = runtime.home

    async def all(self, _request: ApiRequest) -> dict[str, Any]:
        """Everything that the page shows."""
        return await asyncio.to_thread(self._view)

    async def put_connection(self, request: ApiRequest) -> dict[str, Any]:
        """Add a connection or change one. The key is changed only where one is given, ``""`` takes it out."""
        name = _name(request)

        def work() -> dict[str, Any]:
            from ...grok_imagine import settings_file

            fields = _given(request, _CONNECTION_FIELDS)
            key = request.body.get("api_key")
            found = self._connection_to_change(name, fields, has_new_key=isinstance(key, str))
            _keep_key_at_home(found, fields, self._default_url(found, fields), has_new_key=isinstance(key, str))
            if isinstance(key, str):
                fields["api_key"] = _clean(key) if key.strip() else None
            settings_file.put(self._home, "connections", name, fields)
            return self._changed()

        return await asyncio.to_thread(work)

    async def remove_connection(self, request: ApiRequest) -> dict[str, Any]:
        """Take a connection out of the file, its key with it. A known provider is then as it was at first."""
        return await self._removed("connections", _name(request))

    async def try_connection(self, request: ApiRequest) -> dict[str, Any]:
        """Test whether the connection can be reached and its key works. Submits nothing."""
        name = _name(request)
        async with self._runtime.session() as session:
            return _findings(await session.try_connection(name))

    async def put_store(self, request: ApiRequest) -> dict[str, Any]:
        """Add a store or change one; secrets as with keys of connections."""
        from .settings_view import STORE_FIELDS, STORE_SECRETS

        name = _name(request)

        def work() -> dict[str, Any]:
            from ...grok_imagine import settings_file

            fields = _given(request, STORE_FIELDS)
            for secret in STORE_SECRETS:
                value = request.body.get(secret)
                if isinstance(value, str):
                    fields[secret] = value.strip() or None
            self._keep_secrets_at_home(name, fields)
            settings_file.put(self._home, "stores", name, fields)
            return self._changed()

        return await asyncio.to_thread(work)

    async def remove_store(self, request: ApiRequest) -> dict[str, Any]:
        """Take a store out of the file, its keys with it. What was uploaded there stays."""
        return await self._removed("stores", _name(request))

    async def check_store(self, request: ApiRequest) -> dict[str, Any]:
        """Put, fetch and delete a picture there."""
        name = _name(request)
        async with self._runtime.session() as session:
            return _findings(await session.check_store(name))

    async def put_options(self, request: ApiRequest) -> dict[str, Any]:
        """Change settings that are no connections or stores; null is the default."""
        from .settings_view import known_options

        def work() -> dict[str, Any]:
            from ...grok_imagine import settings_file

            settings_file.put_options(self._home, _given(request, known_options()))
            return self._changed()

        return await asyncio.to_thread(work)

    # -- in a thread

    def _view(self) -> dict[str, Any]:
        from ...grok_imagine.settings import load, read_file
        from .settings_view import view

        return view(load(self._home), read_file(self._home))

    def _changed(self) -> dict[str, Any]:
        """The settings as they are now; open pages ask for new quotes."""
        pages.announce("grok_imagine.settings")
        return self._view()

    async def _removed(self, section: str, name: str) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            from ...grok_imagine import settings_file

            settings_file.remove(self._home, section, name)
            return self._changed()

        return await asyncio.to_thread(work)

    def _connection_to_change(self, name: str, fields: dict[str, Any], *, has_new_key: bool) -> Any:
        """The connection as it is now; None for a new one. Raises SettingsError for one that cannot be."""
        from ...grok_imagine.jobs.connections import profiles
        from ...grok_imagine.providers.registry import Providers
        from ...grok_imagine.settings import load

        settings, providers = load(self._home), Providers(self._home)
        found, stated = profiles(settings).get(name), settings.connections.get(name)
        if found is not None and found.is_sandbox:
            raise SettingsError("The sandbox needs no settings.")
        dialect = fields.get("dialect") or (found.provider.name if found else None)
        if dialect is None or dialect not in providers:
            raise SettingsError(f"Not saved: choose what the connection speaks: {', '.join(providers)}.")
        if not (fields.get("base_url") or providers[dialect].default_base_url or (found and found.base_url)):
            raise SettingsError(f"Not saved: {providers[dialect].label} needs a base URL.")
        if found is None and stated and stated.api_key and not has_new_key:
            # Its provider is gone or faulty, so nobody knows where the stored key belongs.
            raise SettingsError("Not saved: enter the key again, as it would be sent to another address from now on.")
        return found

    def _default_url(self, found: Any, fields: dict[str, Any]) -> str | None:
        from ...grok_imagine.providers.registry import Providers

        return Providers(self._home)[fields.get("dialect") or found.provider.name].default_base_url

    def _keep_secrets_at_home(self, name: str, fields: dict[str, Any]) -> None:
        """A changed address requires the secrets again, so that nobody can redirect stored ones."""
        from ...grok_imagine.settings import load
        from .settings_view import STORE_SECRETS

        found = load(self._home).stores.get(name)
        if found is None:
            return
        moved = any(
            field in fields and (fields[field] or None) != getattr(found, field) for field in ("endpoint", "kind")
        )
        kept = [secret for secret in STORE_SECRETS if getattr(found, secret) is not None and secret not in fields]
        if moved and kept:
            raise SettingsError(f"Not saved: for another address enter the keys again ({', '.join(kept)}).")


def _keep_key_at_home(found: Any, fields: dict[str, Any], default_url: str | None, *, has_new_key: bool) -> None:
    """A changed address requires the key again, so that nobody can redirect a stored key."""
    if found is None or found.key is None:
        return
    stated = fields.get("base_url", found.base_url)
    dialect = fields.get("dialect") or found.provider.name
    target = stated or default_url
    if dialect == found.provider.name and _origin(target) == _origin(found.base_url):
        return
    if found.key_source == "environment":
        raise SettingsError(
            "Not saved: this connection's key comes from the environment, so where it is sent is set there too. "
            "Add a connection with another name instead."
        )
    if not has_new_key:
        raise SettingsError("Not saved: enter the key again, as it would be sent to another address from now on.")


def _origin(url: str | None) -> tuple[str, str]:
    parts = urlsplit((url or "").strip().lower())
    return parts.scheme, parts.netloc


def _clean(key: str) -> str:
    from pydantic import SecretStr

    from ...grok_imagine.settings import clean_key

    try:
        return clean_key(SecretStr(key)).get_secret_value()
    except ValueError as error:
        raise SettingsError(f"Not saved: {error}.") from None


def _given(request: ApiRequest, names: Any) -> dict[str, Any]:
    """Those of the named fields that the body has; an empty text is none."""
    return {name: request.body[name] if request.body[name] != "" else None for name in names if name in request.body}


def _name(request: ApiRequest) -> str:
    name = request.text("name").strip()
    if not _NAME.fullmatch(name):
        raise ApiError(400, "A name has up to 40 lower-case letters, digits, - _ and ., such as my-gateway.", "BadName")
    return name


def _findings(found: list[CheckStep]) -> dict[str, Any]:
    steps = [{"step": one.step, "fault": redact(one.fault, limit=1000)} for one in found]
    return {"is_good": all(one.is_good for one in found), "steps": steps}
