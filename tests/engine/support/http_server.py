"""A plain HTTP server on loopback, and an endpoint of the engine that leads to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from pydantic import SecretStr

from grok_imagine.providers import provider
from grok_imagine.transport.endpoint import Endpoint

KEY = SecretStr("rk_live_very_secret")


VIDEO = b"\x00\x00\x00\x18ftypisom" + bytes(5000)


@asynccontextmanager
async def serving(**handlers: object) -> AsyncIterator[str]:
    """A real server on loopback; each handler answers at its own name."""
    app = web.Application()
    for name, handler in handlers.items():
        app.router.add_route("*", f"/{name}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def endpoint(base: str) -> Endpoint:
    return Endpoint(base, KEY, provider("reapi").authorize)
