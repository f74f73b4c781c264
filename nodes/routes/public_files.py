"""Serves uploaded files to providers, for a ComfyUI that is reachable from the internet."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...grok_imagine.models.url import is_loopback
from ...grok_imagine.storage.comfyui_route import ROUTE

if TYPE_CHECKING:
    from aiohttp import web

    from ..host.runtime import Runtime

_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}


def register(routes: web.RouteTableDef, runtime: Runtime) -> None:
    """Add the route. The settings are read from ``runtime`` on each request."""
    from aiohttp import web

    # aiohttp answers HEAD by this too, keeps Range, and refuses every other method.
    @routes.get(ROUTE + "/{token}")
    async def serve(request: web.Request) -> web.StreamResponse:
        """The file of a live token, for the provider that was sent its URL; an empty 404 for everything else."""
        found = None
        if _is_meant(request, runtime.settings.public_hosts()):
            found = runtime.public_files().find(request.match_info["token"])
        if found is None:
            return web.Response(status=404)
        return web.FileResponse(found.path, headers={**_HEADERS, "Content-Type": found.media_type})


def _is_meant(request: web.Request, hosts: frozenset[str]) -> bool:
    """Whether the request came to the public address that the user set up, and from no page of another site.

    A browser that was led here by a rebound DNS name says that name as Host; a reverse proxy on this machine may
    say a loopback one. Providers' servers send no Origin.
    """
    if not hosts:
        return False
    host = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    origin = request.headers.get("Origin")
    if origin is not None and (urlsplit(origin).hostname or "") not in hosts:
        return False
    return host in hosts or is_loopback(f"http://{request.headers.get('Host', '')}")
