"""Adds all of the pack's routes to ComfyUI's server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..host import pages
from . import callbacks, jobs, public_files, quote, settings
from .security import ApiError, ApiRequest, Guard

if TYPE_CHECKING:
    from aiohttp import web

    from ..host.runtime import Runtime


def add_routes(table: web.RouteTableDef, runtime: Runtime, publish: Callable[[str, dict[str, Any]], None]) -> None:
    """Add the routes to ``table``. ``publish(event, message)`` sends to the open pages of the user."""
    public_files.register(table, runtime)
    callbacks.register(table, runtime)
    quote.register(table, runtime)
    jobs.register(table, runtime, publish)
    settings.register(table, runtime)
    table.post("/grok_imagine/face")(Guard(runtime).post(_add_page))


async def _add_page(request: ApiRequest) -> dict[str, Any]:
    """Note that the page ``client_id`` shows jobs and node statuses, so that it is sent events from now on."""
    client_id = request.text("client_id")
    if not 0 < len(client_id) <= 100:
        raise ApiError(400, "Send a client_id.")
    pages.add(client_id, pages.Page(request.user, request.is_here))
    return {}
