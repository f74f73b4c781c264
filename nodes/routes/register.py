"""Adds all of the pack's routes to ComfyUI's server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..host import node_events
from . import callbacks, jobs, public_files, quote, settings
from .security import ApiError, ApiRequest, Guard

if TYPE_CHECKING:
    from aiohttp import web

    from ..host.runtime import Runtime


def add_routes(table: web.RouteTableDef, runtime: Runtime, broadcast: Callable[[str, dict[str, Any]], None]) -> None:
    """Add the routes to ``table``. ``broadcast(event, message)`` sends to every open page."""
    public_files.register(table, runtime)
    callbacks.register(table, runtime)
    quote.register(table, runtime)
    jobs.register(table, runtime, broadcast)
    settings.register(table, runtime)
    table.post("/grok_imagine/face")(Guard(runtime).post(_add_page))


async def _add_page(request: ApiRequest) -> dict[str, Any]:
    """Note that the page ``client_id`` shows node statuses, so that it is sent node events from now on."""
    client_id = request.text("client_id")
    if not 0 < len(client_id) <= 100:
        raise ApiError(400, "Send a client_id.")
    node_events.add_page(client_id)
    return {}
