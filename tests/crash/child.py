"""The process that dies: runs one job or command through the engine, and is killed at a point, after a time, or not.

It takes orders, one JSON object a line on its standard input, and says how each ended. Where processes can be forked
it imports the engine once and forks a fresh process for each order, so that an order costs milliseconds and shares no
session, no connection and no thread with the one before. Elsewhere it does the order itself; its argument names a file
with the modules to import first.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import json
import os
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import grok_imagine.transport.client  # noqa: F401 - what a job needs, loaded before the fork
from grok_imagine.errors import GrokImagineError
from grok_imagine.jobs import Session, connections
from grok_imagine.jobs.failover import generate_with_failover
from grok_imagine.settings import Settings

from .points import KILL, Points
from .requests import connection_of, connections_of, request_of

OWNER = "node 7"


class Told:
    """A Progress whose every new step is a point too."""

    def __init__(self, points: Points) -> None:
        self.points = points
        self.last = ""

    def update(self, update: Any) -> None:
        if update.step != self.last:
            self.last = update.step
            self.points.reach(f"told: {update.step}")


async def act(order: dict[str, Any], points: Points) -> dict[str, Any]:
    """Do what the order says, in a session of its own; returns what a user would see."""
    told: dict[str, Any] = {}
    async with Session(Path(order["home"]), _settings(order), sleep=_soon) as session:
        try:
            result = await _result(session, order, points)
            told = {"file": str(result.file), "task_id": result.job.task_id, "state": result.job.state.value}
        except GrokImagineError as error:
            told = {"error": type(error).__name__, "message": str(error)}
        jobs = await session.journal.recent()
        told["jobs"] = [{"id": job.id, "state": job.state.value, "task_id": job.task_id} for job in jobs]
    return told


def _settings(order: dict[str, Any]) -> Settings:
    # How long a POST of another process counts as under way; here those others are mostly dead.
    seconds = 30 if order.get("patient") else 0.1
    if "provider" in order:
        return Settings(connections=connections_of(order["dialect"], order["provider"]), answer_seconds=seconds)
    return Settings(sandbox_url=order["sandbox"], answer_seconds=seconds)


async def _result(session: Session, order: dict[str, Any], points: Points) -> Any:
    progress = Told(points)
    if order["do"] == "generate":
        source = Path(order["source"]) if order.get("source") else None
        prompt = order.get("prompt", "a buoy")
        more = {"source": source, "prompt": prompt, "by_url": "provider" in order}
        request = request_of(order["dialect"], order["mode"], seed=order.get("seed", 0), **more)
        if "provider" in order:
            return await generate_with_failover(session, request, ("mine", "other"), owner=OWNER, progress=progress)
        return await session.generate(request, connection_of(order["dialect"]), owner=OWNER, progress=progress)
    job = order["job"]
    if order["do"] == "attach":
        await session.attach(job, order["task_id"])
    elif order["do"] == "attach url":
        await session.attach_url(job, order["url"])
    elif order["do"] == "again":
        job = (await session.resubmit(job)).id
    return await session.resume(job, progress=progress)


async def _soon(seconds: float) -> None:
    """The engine's pauses, cut short: it is the order of steps that counts here."""
    await asyncio.sleep(min(seconds, 0.02))


def command(order: dict[str, Any]) -> dict[str, Any]:
    """Run ``grok-imagine`` with the order's arguments; its exit code, and all that it wrote."""
    from grok_imagine.cli import console, main, session

    session.Session = functools.partial(Session, sleep=_soon)  # type: ignore[assignment, misc]
    sys.argv = ["grok-imagine", *order["arguments"]]
    said, code = Path(f"{order['out']}.txt"), None
    with said.open("w", encoding="utf-8") as text, redirect_stdout(text), redirect_stderr(text):
        console.out.file = console.err.file = text
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return {"exit": code, "said": said.read_text("utf-8")}


def run(order: dict[str, Any]) -> None:
    """Act, and leave what came of it where the order says."""
    began, modules = time.monotonic(), set(sys.modules)
    connections.SANDBOX_PACE = order.get("pace", 0.01)
    points = Points(order.get("kill_at"))
    if order.get("points"):
        points.install(Path(order["home"]))
    if order.get("lines"):
        points.install_lines()
    try:
        told = command(order) if order["do"] == "command" else asyncio.run(act(order, points))
    except Exception:
        told = {"error": "crashed", "message": traceback.format_exc()}
    sys.settrace(None)
    told |= {"points": points.seen, "seconds": time.monotonic() - began}
    if order.get("learn"):
        told["modules"] = sorted(set(sys.modules) - modules)
    Path(order["out"]).write_text(json.dumps(told))


def main() -> None:
    """Do each order in processes of its own, and say how they ended: 0, an exit code, or minus the signal."""
    if not hasattr(os, "fork"):
        return _serve_here(Path(sys.argv[1]))
    for line in sys.stdin:
        order = json.loads(line)
        outs = [order["out"], *(f"{order['out']}-{number}" for number in range(1, order.get("at_once", 1)))]
        children = [_fork({**order, "out": out}) for out in outs]
        if order.get("kill_after") is not None:
            time.sleep(order["kill_after"])
            for child in children:
                os.kill(child, KILL)  # not reaped yet, so the id is still that of our child
        ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        if order.get("learn") and ended == [0]:
            _load(json.loads(Path(order["out"]).read_text())["modules"])
        print(json.dumps({"ended": ended}), flush=True)


def _fork(order: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        run(order)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(70)


def _load(modules: list[str]) -> None:
    """Import what an order imported, so that the ones after it need not."""
    for name in modules:
        with suppress(Exception):
            importlib.import_module(name)
    gc.freeze()


def _serve_here(modules: Path) -> None:
    if modules.exists():
        _load(json.loads(modules.read_text()))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        run(json.loads(line))
        print(json.dumps({"ended": [0]}), flush=True)


if __name__ == "__main__":
    main()
