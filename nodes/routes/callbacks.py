"""The webhook for providers. Unauthenticated: the body is ignored, the answer is always 204."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...grok_imagine.jobs.pipeline.callbacks import ROUTE
from ...grok_imagine.transport.timeouts import wait_with_timeout
from .security import read_body

if TYPE_CHECKING:
    from aiohttp import web

    from ..host.runtime import Runtime

_LARGEST_BODY = 64 * 1024
_BODY_SECONDS = 5.0


def register(routes: web.RouteTableDef, runtime: Runtime) -> None:
    """Add ``POST /grok_imagine/callback/<token>``, which brings the next poll of the token's job forward."""
    from aiohttp import web

    # What does not look like a token finds no route at all.
    @routes.post(ROUTE + "/{token:[A-Za-z0-9_-]{43}}")
    async def receive(request: web.Request) -> web.Response:
        """An empty 204 for every token, known or not."""
        if not runtime.settings.takes_callbacks():
            return web.Response(status=404)
        if not await _is_small(request):
            refused = web.Response(status=413)
            refused.force_close()
            return refused
        runtime.call(request.match_info["token"])
        return web.Response(status=204)


async def _is_small(request: web.Request) -> bool:
    """Read the body and discard it. Its content is never used."""
    try:
        return await wait_with_timeout(_BODY_SECONDS, read_body(request, _LARGEST_BODY)) is not None
    except asyncio.TimeoutError:
        return False
