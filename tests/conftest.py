"""What all tests stand on: signals that arrive, and when a page in a browser has what the pack adds to it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

LOADED = """() => window.app?.graph && window.app.extensionManager
    && window.LiteGraph?.registered_node_types.GIVTextToVideo"""
INFORMED = """async () => {
    const { capabilities } = await import('/extensions/comfyui-grok-imagine/lib/node_store.mjs');
    while (capabilities() === null) await new Promise((next) => setTimeout(next, 20));
}"""


def pytest_configure() -> None:
    """Hear Ctrl-C. A shell that starts something in the background lets it ignore SIGINT, and so would every process
    that the tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


async def _wait_until_ready(page: Any) -> None:
    await page.wait_for_function(LOADED, timeout=90_000)
    # What the server says of prices and limits. The page's modules are asked, not its network: Chromium forgets.
    await asyncio.wait_for(page.evaluate(INFORMED), 60)


@pytest.fixture(scope="session")
def wait_until_ready() -> Callable[[Any], Awaitable[None]]:
    """Awaits that ComfyUI's page, just opened or loaded anew, can be used."""
    return _wait_until_ready
