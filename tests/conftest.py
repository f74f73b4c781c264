"""What all tests stand on: no setting from outside, signals that arrive, one folder of clips, a page that is ready."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import settings

CLIPS, DRAFT = "GROK_IMAGINE_SANDBOX_CLIPS", "GROK_IMAGINE_SANDBOX_DRAFT"
_KEPT = {CLIPS, DRAFT, "GROK_IMAGINE_FRONTENDS", "GROK_IMAGINE_WRITE"}
_made: list[str] = []

LOADED = """() => window.app?.graph && window.app.extensionManager
    && window.LiteGraph?.registered_node_types.GIVTextToVideo"""
INFORMED = """async () => {
    const { isSettled } = await import('/extensions/comfyui-grok-imagine/lib/node/quotes.mjs');
    while (!isSettled()) await new Promise((next) => setTimeout(next, 20));
}"""

settings.register_profile("short", max_examples=100, deadline=None)
settings.register_profile("long", max_examples=1000, deadline=None)
settings.load_profile("short")  # --hypothesis-profile=long takes the other


def pytest_configure() -> None:
    """Prepare this process, and with it every process that the tests start."""
    os.environ.pop("COLUMNS", None)  # Rich reads the width of its tables from it, once
    for name in set(os.environ) - _KEPT:
        if name.upper().startswith(("GROK_IMAGINE_", "AWS_")) or name.upper().endswith("_API_KEY"):
            del os.environ[name]
    _hear_ctrl_c()
    _share_clips()


def pytest_xdist_auto_num_workers() -> int:
    """Two processes a core for ``-n auto``: the tests wait for servers and timers about as long as they compute."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One process runs all tests that share a server, a browser or the file that is packed, from the beginning."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            first = nodeid.partition("::")[0].partition("/")[0]
            return first if first in ("postgres", "web", "test_registry.py") else nodeid

    return Scheduler(config, log)


def _hear_ctrl_c() -> None:
    """A shell that starts something in the background lets it ignore SIGINT, and so would what the tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _share_clips() -> None:
    """Every sandbox of the run, in any process, takes its clips from one folder, so that none is rendered twice."""
    os.environ.setdefault(DRAFT, "1")
    if CLIPS not in os.environ:
        os.environ[CLIPS] = tempfile.mkdtemp(prefix="grok-imagine-clips-")
        _made.append(os.environ[CLIPS])


def pytest_unconfigure() -> None:
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)


async def _wait_until_ready(page: Any) -> None:
    await page.wait_for_function(LOADED, timeout=90_000)
    # What the server says of prices and limits. The page's modules are asked, not its network: Chromium forgets.
    await asyncio.wait_for(page.evaluate(INFORMED), 60)


@pytest.fixture(scope="session")
def wait_until_ready() -> Callable[[Any], Awaitable[None]]:
    """Awaits that ComfyUI's page, just opened or loaded anew, can be used."""
    return _wait_until_ready
