"""What the page needs to know of the connections: choices, limits, prices and usual times, as plain data."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ...grok_imagine.errors import GrokImagineError, SettingsError
from ...grok_imagine.providers import PROVIDERS
from ...grok_imagine.providers.describe import describe

if TYPE_CHECKING:
    from aiohttp import web

    from ..host.runtime import Runtime


def register(routes: web.RouteTableDef, runtime: Runtime) -> None:
    """Add ``GET /grok_imagine/capabilities``. It changes and writes nothing."""
    from .security import ApiRequest, Guard

    async def capabilities(_request: ApiRequest) -> dict[str, Any]:
        """``{connections, dialects, times}``; with invalid settings also ``fault``, a message for the user."""
        found = await asyncio.to_thread(_connections, runtime)
        dialects = {name: describe(provider) for name, provider in PROVIDERS.items()}
        return {**found, "dialects": dialects, "times": await _times(runtime)}

    routes.get("/grok_imagine/capabilities")(Guard(runtime).get(capabilities))


def _connections(runtime: Runtime) -> dict[str, Any]:
    """Every connection by name: its dialect, and whether it could be used now. Nothing of its key."""
    from ...grok_imagine.jobs.connections import SANDBOX, profiles
    from ...grok_imagine.settings import Settings, load

    fault = None
    try:
        found = profiles(load(runtime.home))
    except SettingsError as error:
        fault, found = str(error), profiles(Settings.model_construct())
    described = {
        name: {
            "dialect": one.provider.name,
            "is_sandbox": one.key_source == SANDBOX,
            "has_key": one.key is not None,
        }
        for name, one in found.items()
    }
    return {"connections": described, **({"fault": fault} if fault else {})}


async def _times(runtime: Runtime) -> list[dict[str, Any]]:
    """How long this user's own clips took. Before the first job there is no journal, and none is made for this."""
    if not await asyncio.to_thread(_has_journal, runtime):
        return []

    from ...grok_imagine.journal.durations import duration_stats

    try:
        async with runtime.session() as session:
            return [asdict(one) for one in await duration_stats(session.journal)]
    except GrokImagineError:
        return []  # reported where a job needs the journal or the settings


def _has_journal(runtime: Runtime) -> bool:
    from ...grok_imagine.journal.database import FILE_NAME
    from ...grok_imagine.settings import load

    try:
        return (runtime.home / FILE_NAME).exists() or load(runtime.home).database_url is not None
    except SettingsError:
        return False
