"""What all tests stand on: no setting from outside, signals that arrive, one folder of clips, a page that is ready."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

CLIPS, DRAFT = "GROK_IMAGINE_SANDBOX_CLIPS", "GROK_IMAGINE_SANDBOX_DRAFT"
_KEPT = {CLIPS, DRAFT, "GROK_IMAGINE_FRONTENDS", "GROK_IMAGINE_WRITE"}
_made: list[str] = []

STORED = Path(__file__).parent / "fixtures" / "stored"
"""What an older version has stored; it must still open."""
STORED_AT = 1795874779.0

LOADED = """() => window.app?.graph && window.app.extensionManager
    && window.LiteGraph?.registered_node_types.GIVTextToVideo"""
INFORMED = """async () => {
    const { isSettled } = await import('/extensions/comfyui-grok-imagine/lib/node/quotes.mjs');
    while (!isSettled()) await new Promise((next) => setTimeout(next, 20));
}"""

# A busy machine is no fault of a test's.
_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("short", max_examples=100, **_PATIENT)
settings.register_profile("long", max_examples=1000, **_PATIENT)
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


def _restore_database(name: str, path: Path, **places: str) -> None:
    """Make ``path`` from ``<name>.sql``: as old as it was then, so that nothing in it has expired."""
    text, age = (STORED / f"{name}.sql").read_text("utf-8"), time.time() - STORED_AT
    for place, value in places.items():
        text = text.replace(f"{{{place}}}", value)
    text = re.sub(r"\b179\d{7}\.\d+", lambda found: f"{float(found[0]) + age:.3f}", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(text)


def _restore_sandbox(state: Path) -> None:
    # Another port than the next sandbox's, as ever.
    _restore_database("sandbox", state / "sandbox.sqlite3", sandbox="http://127.0.0.1:9")


def _restore_home(home: Path, sandbox_url: str) -> None:
    _restore_database("journal", home / "journal.db", home=home.as_posix(), sandbox=sandbox_url)
    settings = (STORED / "settings.json").read_text("utf-8")
    (home / "settings.json").write_text(settings.replace("{sandbox}", sandbox_url), "utf-8")
    (home / "results").mkdir()
    with closing(sqlite3.connect(home / "journal.db")) as journal:
        for (file,) in journal.execute("SELECT file FROM jobs WHERE state = 'saved'"):
            shutil.copy(Path(__file__).parent / "conformance" / "clip.mp4", file)


@pytest.fixture(scope="session")
def restore_sandbox() -> Callable[[Path], None]:
    """``restore_sandbox(folder)``: the sandbox's state as an older version left it."""
    return _restore_sandbox


@pytest.fixture(scope="session")
def restore_home() -> Callable[[Path, str], None]:
    """``restore_home(home, sandbox_url)``: a data folder as an older version left it."""
    return _restore_home
