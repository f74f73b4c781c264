"""The way to ComfyUI's page, by its server: the pack's public_files, and messages to every open page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import execution

if TYPE_CHECKING:
    from ...grok_imagine.models import Job


def add_routes() -> None:
    """Add the pack's routes to ComfyUI's server, where there is one."""
    table = getattr(execution.server(), "routes", None)
    if table is not None:
        from ..routes import callbacks, capabilities, clients, jobs, public_files, settings

        runtime = execution.runtime()
        public_files.register(table, runtime)
        callbacks.register(table, runtime)
        capabilities.register(table, runtime)
        jobs.register(table, runtime, show)
        settings.register(table, runtime)
        clients.register(table, runtime)


def show_job(job: Job) -> None:
    """Tell every open page how a job stands. Called on the pack's loop, after each change."""
    from .job_view import view

    show("grok_imagine.job", view(job, execution.runtime().home))


def show(event: str, message: dict[str, Any]) -> None:
    """Send a message to every open page, where there are any. From any thread; it returns at once."""
    server = execution.server()
    if server is not None:
        server.send_sync(event, message, None)
