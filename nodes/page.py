"""The way to ComfyUI's page, by its server: the pack's routes, and messages to every open page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import bridge

if TYPE_CHECKING:
    from ..grok_imagine.models import Job


def add_routes() -> None:
    """Add the pack's routes to ComfyUI's server, where there is one."""
    table = getattr(bridge.server(), "routes", None)
    if table is not None:
        from . import routes, routes_callback, routes_capabilities, routes_face, routes_jobs, routes_settings

        runtime = bridge.runtime()
        routes.register(table, runtime)
        routes_callback.register(table, runtime)
        routes_capabilities.register(table, runtime)
        routes_jobs.register(table, runtime, show)
        routes_settings.register(table, runtime)
        routes_face.register(table, runtime)


def show_job(job: Job) -> None:
    """Tell every open page how a job stands. Called on the pack's loop, after each change."""
    from .jobs_view import view

    show("grok_imagine.job", view(job, bridge.runtime().home))


def show(event: str, message: dict[str, Any]) -> None:
    """Send a message to every open page, where there are any. From any thread; it returns at once."""
    server = bridge.server()
    if server is not None:
        server.send_sync(event, message, None)
