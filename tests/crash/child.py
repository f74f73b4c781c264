"""The process that dies: runs one job through the engine, and is killed at a point, after a time, or not at all.

Started once, it imports the engine and then forks a fresh process for each order (one JSON object a line on its
standard input; one line back when that process has ended). So an order costs milliseconds, not an interpreter's
start, and shares no session, no connection and no thread with the one before.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import grok_imagine.transport.client  # noqa: F401 - what a job needs, loaded before the fork
from grok_imagine.errors import GrokImagineError
from grok_imagine.jobs import Session, connections
from grok_imagine.settings import Settings

from .points import Points
from .wishes import connection_of, request_of

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
    # How long a POST of another process counts as under way; here those others are mostly dead.
    settings = Settings(sandbox_url=order["sandbox"], answer_seconds=30 if order.get("patient") else 0.3)
    told: dict[str, Any] = {}
    async with Session(Path(order["home"]), settings, sleep=_soon) as session:
        try:
            result = await _result(session, order, points)
            told = {"file": str(result.file), "task_id": result.job.task_id, "state": result.job.state.value}
        except GrokImagineError as error:
            told = {"error": type(error).__name__, "message": str(error)}
        jobs = await session.journal.recent()
        told["jobs"] = [{"id": job.id, "state": job.state.value, "task_id": job.task_id} for job in jobs]
    return told


async def _result(session: Session, order: dict[str, Any], points: Points) -> Any:
    progress = Told(points)
    if order["do"] == "attach":
        await session.attach(order["job"], order["task_id"])
        return await session.resume(order["job"], progress=progress)
    if order["do"] == "resume":
        return await session.resume(order["job"], progress=progress)
    source = Path(order["source"]) if order.get("source") else None
    request = request_of(order["dialect"], order["mode"], seed=order.get("seed", 0), source=source)
    return await session.generate(request, connection_of(order["dialect"]), owner=OWNER, progress=progress)


async def _soon(seconds: float) -> None:
    """The engine's pauses, cut short: it is the order of steps that counts here."""
    await asyncio.sleep(min(seconds, 0.02))


def run(order: dict[str, Any]) -> None:
    """In the forked process: act, and leave what came of it where the order says."""
    connections.SANDBOX_PACE = order.get("pace", 0.01)
    points = Points(order.get("kill_at"))
    if order.get("points"):
        points.install(Path(order["home"]))
    if order.get("lines"):
        points.install_lines()
    try:
        told = asyncio.run(act(order, points))
    except Exception:
        told = {"error": "crashed", "message": traceback.format_exc()}
    sys.settrace(None)
    Path(order["out"]).write_text(json.dumps({**told, "points": points.seen}))


def main() -> None:
    """Fork a process for each order, and say how it ended: 0, an exit code, or minus the signal."""
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                run(order)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(70)
        print(json.dumps({"ended": _ended(child, order.get("kill_after"))}), flush=True)


def _ended(child: int, kill_after: float | None) -> int:
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)  # not reaped yet, so the id is still that of our child
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
