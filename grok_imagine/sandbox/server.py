"""The sandbox as an object: starts and stops one server, in the caller's own event loop."""

from __future__ import annotations

import ipaddress
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from .app import build
from .clock import Clock, ClockMode
from .control import Control
from .dialects.catalog import Catalog
from .faults import Stage, parse
from .model import Json
from .render.render_worker import RenderWorker
from .state import SandboxState, Settings
from .store import Store
from .task_runner import TaskRunner

CLIPS_VARIABLE, DRAFT_VARIABLE = "GROK_IMAGINE_SANDBOX_CLIPS", "GROK_IMAGINE_SANDBOX_DRAFT"


class Sandbox:
    """`async with Sandbox(seconds=0.2, clock="manual") as s: ...` serves at `s.url` until the block ends.

    `clips` is a folder of rendered clips that several sandboxes share, `draft` renders plain clips for tests; where
    they are not given, the environment's GROK_IMAGINE_SANDBOX_CLIPS and GROK_IMAGINE_SANDBOX_DRAFT=1 decide.
    `providers` is a folder of provider files (TOML) to serve beside those of the pack.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: str | Path | None = None,
        seconds: float = 4.0,
        clock: ClockMode = "wall",
        strict_extra: bool = False,
        clips: str | Path | None = None,
        draft: bool | None = None,
        providers: str | Path | None = None,
    ) -> None:
        if not is_loopback(host):
            raise ValueError(f"{host} is not a loopback address; the sandbox serves its own machine only")
        if not 0 <= seconds <= 86_400:
            raise ValueError("seconds must be between 0 and 86400")
        self.host, self.port, self.state = host, port, Path(state) if state else None
        self.clock_mode: ClockMode = clock
        self.settings = Settings(seconds, strict_extra)
        shared = clips or os.environ.get(CLIPS_VARIABLE)
        self.clips = Path(shared) if shared else None
        self.draft = os.environ.get(DRAFT_VARIABLE) == "1" if draft is None else draft
        self.dialects = Catalog(Path(providers) if providers else None)
        self.url = ""
        self._core: SandboxState | None = None
        self._tasks: TaskRunner | None = None
        self._renders: RenderWorker | None = None
        self._control: Control | None = None
        self._runner: web.AppRunner | None = None
        self._temporary: Path | None = None

    async def start(self) -> str:
        folder = self.state
        if folder is None:
            folder = self._temporary = Path(tempfile.mkdtemp(prefix="grok-imagine-sandbox-"))
        store = Store(folder, self.clips)
        offset = float(store.meta("clock_offset", "0.0"))
        # A manual clock continues from where it stopped, also in the next process.
        start = float(store.meta("clock_start", repr(time.time())))
        stopped_at = start + offset if self.clock_mode == "manual" else None
        clock = Clock(self.clock_mode, offset=offset, stopped_at=stopped_at)
        self._core = core = SandboxState(self.settings, clock, store, self.dialects)
        self._renders = renders = RenderWorker(store.clips, store.references, drafts=self.draft)
        self._tasks = tasks = TaskRunner(core, renders)
        self._control = Control(core, tasks)
        core.on_settled = tasks.wake
        self._runner = web.AppRunner(build(core, tasks, renders, self._control), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        core.url = self.url = await self._listen(self.port)
        core.other_url = await self._listen(0)
        await tasks.open()
        return self.url

    async def _listen(self, port: int) -> str:
        if self._runner is None:
            raise RuntimeError("not started")
        before = len(self._runner.addresses)
        await web.TCPSite(self._runner, self.host, port).start()
        bound = self._runner.addresses[before][1]
        return f"http://[{self.host}]:{bound}" if ":" in self.host else f"http://{self.host}:{bound}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._tasks is not None:
            await self._tasks.close()
        if self._renders is not None:
            self._renders.close()
        if self._core is not None:
            self._core.store.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        self._runner = self._tasks = self._renders = self._core = self._temporary = None

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # for tests

    @property
    def core(self) -> SandboxState:
        if self._core is None:
            raise RuntimeError("the sandbox is not running")
        return self._core

    def ledger(self) -> Json:
        """The same object as GET /_sandbox/ledger."""
        return self.core.ledger()

    def requests(self) -> list[Json]:
        return list(self.core.requests)

    def callbacks(self) -> list[Json]:
        """Callbacks sent so far: task, status of the answer, body."""
        return list(self.core.callbacks)

    def wind(self, seconds: float) -> float:
        """Advance the clock by so many seconds and settle the tasks that are then due."""
        if self._control is None:
            raise RuntimeError("the sandbox is not running")
        return self._control.wind(seconds)

    def fault(self, on: Stage, spec: str, *, dialect: str = "", times: int = 1) -> None:
        """Queue a fault for the next matching requests."""
        self.core.fault_queue.add(dialect, on, parse(spec), times)

    async def outcomes(self) -> None:
        """Wait until every task accepted so far has its outcome, which the clock then shows."""
        if self._tasks is not None:
            await self._tasks.wait_for_outcomes()

    def base(self, dialect: str) -> str:
        """The base URL of one dialect, as a client would configure it."""
        return f"{self.url}/{dialect}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def describe(sandbox: Sandbox, pid: int) -> dict[str, Any]:
    """What the process prints: one JSON line."""
    return {"url": sandbox.url, "pid": pid}
