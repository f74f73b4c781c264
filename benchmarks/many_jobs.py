"""What waiting jobs cost: CPU seconds for each job and minute, and memory, for 1 to 1000 jobs in one process.

``python benchmarks/many_jobs.py`` starts a sandbox whose clock stands still, so that no job ever gets done, and a fresh
process for each number of jobs: a session that has them all wait at reAPI's documented pace (a poll every five
seconds, a progress tick every second). The sandbox's own work is not counted. Each row is kept for report.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import kept

ROOT = kept.ROOT
COUNTS = (1, 10, 100, 500, 1000)


class Ticks:
    """A host that only counts what it is told."""

    def __init__(self, jobs: int) -> None:
        self.count, self._jobs = 0, jobs
        self.waiting: set[str] = set()
        self.all_wait = asyncio.Event()

    def update(self, update: object) -> None:
        self.count += 1
        if update.step in ("queued", "generating"):  # type: ignore[attr-defined]
            self.waiting.add(update.job.id)  # type: ignore[attr-defined]
            if len(self.waiting) == self._jobs:
                self.all_wait.set()


async def measure(url: str, count: int, seconds: float, home: Path) -> dict[str, float]:
    """In a fresh process: submit, wait until all wait, then look at the clock of the CPU for so long."""
    import importlib

    import psutil

    jobs, models, settings = (
        importlib.import_module(f"grok_imagine.{name}") for name in ("jobs", "models", "settings")
    )
    own = {"dialect": "reapi", "base_url": f"{url}/reapi", "api_key": "rk_live_sandbox_many"}
    stated = settings.Settings(connections={"many": {**own, "requests_per_second": 1000, "jobs_at_once": 10000}})
    ticks, process = Ticks(count), psutil.Process()
    async with jobs.Session(home, stated) as session:
        empty = process.memory_info().rss
        began, submit_cpu = time.perf_counter(), time.process_time()
        wishes = [
            models.VideoRequest(prompt="a kite", duration_seconds=6, resolution="480p", seed=n) for n in range(count)
        ]
        going = [
            asyncio.ensure_future(session.generate(wish, "many", owner=str(number), progress=ticks))
            for number, wish in enumerate(wishes)
        ]
        await ticks.all_wait.wait()
        submitted, submit_cpu = time.perf_counter() - began, time.process_time() - submit_cpu
        await asyncio.sleep(5.5)  # every job has been asked about at least once
        told, cpu, wall = ticks.count, time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        rss, told = process.memory_info().rss, ticks.count - told
        late = await _latest(5.5)  # for itself: its timers cost CPU too
        for one in going:
            one.cancel()
        await asyncio.gather(*going, return_exceptions=True)
    return {
        "jobs": count,
        "submit_seconds": round(submitted, 1),
        "submit_cpu_ms_per_job": round(submit_cpu / count * 1000, 1),
        "cpu_per_job_minute": round(cpu / count / wall * 60, 4),
        "cpu_share": round(cpu / wall, 4),
        "ticks_per_second": round(told / wall, 1),
        "latest_ms": round(late * 1000, 1),
        "rss_mb": round(rss / 2**20, 1),
        "kb_per_job": round((rss - empty) / count / 1024, 1),
    }


async def _latest(seconds: float) -> float:
    """The longest that the event loop kept a timer of 10 ms waiting meanwhile."""
    until, late = time.perf_counter() + seconds, 0.0
    while time.perf_counter() < until:
        asked = time.perf_counter()
        await asyncio.sleep(0.01)
        late = max(late, time.perf_counter() - asked - 0.01)
    return late


def main() -> None:
    """Measure each number of jobs in a process of its own, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--seconds", type=float, default=15, help="how long each is looked at")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=3, metavar=("URL", "JOBS", "HOME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        url, count, home = options.one
        print(json.dumps(asyncio.run(measure(url, int(count), options.seconds, Path(home)))))
        return
    rows: list[dict[str, float]] = []
    for count in options.jobs:
        row = _apart(count, options.seconds)
        if not options.json:
            if not rows:
                print(" | ".join(row))
            print(" | ".join(f"{value:>{len(name)}}" for name, value in row.items()), flush=True)
        rows.append(row)
        before = [one for one in kept.load("many_jobs").get("rows", []) if one["jobs"] != count]
        kept.save("many_jobs", {"rows": sorted([*before, row], key=lambda one: one["jobs"])})
    if options.json:
        print(json.dumps(rows, indent=1))


def _apart(count: int, seconds: float) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "grok_imagine.sandbox", "--clock", "manual", "--exit-with-parent"]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True) as sandbox,
    ):
        if sandbox.stdout is None or sandbox.stdin is None:
            raise RuntimeError("no pipes")
        url = json.loads(sandbox.stdout.readline())["url"]
        again = [sys.executable, __file__, "--seconds", str(seconds), "--one", url, str(count), home]
        done = subprocess.run(again, env=environment, capture_output=True, text=True, check=False)
        sandbox.stdin.close()
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
