"""The route by which a page says that it shows faces, and so is told of progress in their form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..host import node_events
from .security import ApiError, ApiRequest, Guard

if TYPE_CHECKING:
    from aiohttp import web

    from ..host.runtime import Runtime


def register(routes: web.RouteTableDef, runtime: Runtime) -> None:
    """Add ``POST /grok_imagine/face``, of ``{"client_id": …}``. It changes nothing but how that very page is told."""

    async def welcome(asked: ApiRequest) -> dict[str, Any]:
        name = asked.text("client_id")
        if not 0 < len(name) <= 100:
            raise ApiError(400, "Send a client_id.")
        node_events.welcome(name)
        return {}

    routes.post("/grok_imagine/face")(Guard(runtime).post(welcome))
