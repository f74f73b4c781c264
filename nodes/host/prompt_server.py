"""ComfyUI's PromptServer: its routes, its queue, and messages to its pages. This module imports nothing of ours."""

from __future__ import annotations

from typing import Any

_TEXT_EVENT = 3
"""BinaryEventTypes.TEXT in ComfyUI's protocol.py."""


def instance() -> Any:
    """The server; None where ComfyUI runs without one."""
    from server import PromptServer

    return getattr(PromptServer, "instance", None)


def routes() -> Any:
    """The route table that ComfyUI serves; None where there is no server."""
    return getattr(instance(), "routes", None)


def send(event: str, message: dict[str, Any], client_id: str | None) -> None:
    """Send a message to one page. From any thread; returns at once."""
    server = instance()
    if server is not None:
        server.send_sync(event, message, client_id)


def client_id() -> str | None:
    """The page whose prompt is running; None if unknown."""
    return getattr(instance(), "client_id", None)


def send_progress_text(text: str, node_id: str, prompt_id: str | None) -> None:
    """Show ``text`` under a node's widgets, as every ComfyUI can."""
    server = instance()
    server.send_progress_text(text, node_id)
    flags = server.sockets_metadata.get(server.client_id, {}).get("feature_flags", {})
    if prompt_id and flags.get("supports_progress_text_metadata"):
        # Front end 1.42 reads the prompt's id first, though its server does not send it. Each front end ignores the
        # spelling that it does not read. https://github.com/Comfy-Org/ComfyUI_frontend/pull/9002
        names = (prompt_id.encode(), node_id.encode())
        message = b"".join(len(name).to_bytes(4, "big") + name for name in names) + text.encode()
        server.send_sync(_TEXT_EVENT, message, server.client_id)
