"""The control endpoints under /_sandbox/: health, ledger, requests, clock, faults, reset."""

from __future__ import annotations

import os
from typing import Any

from aiohttp import web

from . import faults as fault_table
from .faults import FAULTS, STAGES, Fault, Stage
from .http_helpers import decode_json
from .model import Json
from .state import SandboxState
from .task_runner import TaskRunner

_FITS: dict[str, tuple[Stage, ...]] = {
    "reply": STAGES,
    "task": ("submit",),
    "view": ("submit", "poll"),
    "file": ("submit", "content", "cdn"),
    "callback": ("submit",),
}


def _bad(message: str) -> web.Response:
    return web.json_response({"error": message}, status=400)


class Control:
    """The handlers of /_sandbox/, which no dialect has."""

    def __init__(self, core: SandboxState, runner: TaskRunner) -> None:
        self.core, self.runner = core, runner

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox/health", self.health),
            web.get("/_sandbox/ledger", self.ledger),
            web.get("/_sandbox/requests", self.requests),
            web.get("/_sandbox/faults", self.list_faults),
            web.post("/_sandbox/faults", self.add_fault),
            web.post("/_sandbox/clock", self.clock),
            web.post("/_sandbox/reset", self.reset),
        ]

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "status": "ok",
                "pid": os.getpid(),
                "now": self.core.clock.now(),
                "clock": self.core.clock.mode,
                "seconds": self.core.settings.seconds,
                "strict_extra": self.core.settings.strict_extra,
                "dialects": [d.name for d in self.core.dialects],
                "queued_faults": len(self.core.fault_queue),
            }
        )

    async def ledger(self, _: web.Request) -> web.Response:
        return web.json_response(self.core.ledger())

    async def requests(self, _: web.Request) -> web.Response:
        return web.json_response({"requests": list(self.core.requests), "callbacks": list(self.core.callbacks)})

    async def list_faults(self, _: web.Request) -> web.Response:
        table = {name: {"kind": f.kind, "description": f.text} for name, f in FAULTS.items()}
        return web.json_response({"syntax": "name[@submit|poll|content|cdn][*times][=arg]", "faults": table})

    async def add_fault(self, request: web.Request) -> web.Response:
        body = decode_json(await request.read())
        if body is None:
            return _bad("the body must be a JSON object")
        try:
            dialect, stage, fault, times = self._read_fault(body)
        except ValueError as error:
            return _bad(str(error))
        self.core.fault_queue.add(dialect, stage, fault, times)
        return web.json_response({"queued": len(self.core.fault_queue)})

    def _read_fault(self, body: Json) -> tuple[str, Stage, Fault, int]:
        dialect, times = body.get("dialect", ""), body.get("times", 1)
        if dialect and self.core.dialect(dialect) is None:
            raise ValueError(f"unknown dialect {dialect!r}")
        stage = next((s for s in STAGES if s == body.get("on")), None)
        if stage is None:
            raise ValueError(f"'on' must be one of {', '.join(STAGES)}")
        fault = fault_table.parse(str(body.get("fault", "")))
        if stage not in _FITS[fault.kind]:
            raise ValueError(f"{fault.name} can be asked for on {', '.join(_FITS[fault.kind])}")
        if type(times) is not int or not 1 <= times <= 10_000:
            raise ValueError("'times' must be an integer from 1")
        return dialect, stage, fault, times

    async def clock(self, request: web.Request) -> web.Response:
        body = decode_json(await request.read()) or {}
        seconds: Any = body.get("advance")
        if type(seconds) not in (int, float) or not 0 <= seconds <= 1e9:
            return _bad("'advance' must be a number of seconds, not negative")
        return web.json_response({"now": self.wind(seconds)})

    def wind(self, seconds: float) -> float:
        """Advance the clock, and store its time, so that a restarted sandbox does not go back."""
        now = self.core.clock.advance(seconds)
        self.core.store.set_meta("clock_offset", repr(self.core.clock.offset))
        self.core.settle_all()
        self.runner.wake()
        return now

    async def reset(self, _: web.Request) -> web.Response:
        await self.runner.reset()
        self.core.store.reset()
        self.core.fault_queue.clear()
        self.core.requests.clear()
        self.core.callbacks.clear()
        return web.json_response({"status": "ok"})
