"""A fleet for the tests: a sandbox process, a database, and workers in processes of their own, which can be killed."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[2]
CLI = [sys.executable, "-m", "grok_imagine.cli"]


class Fleet:
    """``with Fleet(folder, database_url) as fleet``: each worker has a data folder of its own, as a machine has."""

    def __init__(self, folder: Path, database_url: str, *, stalled_seconds: float = 3, **environment: str) -> None:
        self.folder, self.kills = folder, 0
        self.workers: list[subprocess.Popen[bytes]] = []
        command = [sys.executable, "-m", "grok_imagine.sandbox", "--seconds", "1", "--exit-with-parent"]
        command += ["--state", str(folder / "sandbox")]
        self._sandbox = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = json.loads(self._sandbox.stdout.readline())["url"]  # type: ignore[union-attr]
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith("GROK_IMAGINE_") and not name.upper().endswith("_API_KEY")
        }
        self.environment = {
            **clean,
            "GROK_IMAGINE_SANDBOX_URL": self.url,
            "GROK_IMAGINE_DATABASE_URL": database_url,
            "GROK_IMAGINE_WORKER_STALLED_SECONDS": str(stalled_seconds),
            "GROK_IMAGINE_ANSWER_SECONDS": "5",  # how long a dead worker's POST is waited for
            **{name: value.replace("{sandbox}", self.url) for name, value in environment.items()},
        }
        self._machines = 0

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        with self._sandbox as sandbox:  # closes its pipes, which ends it
            sandbox.stdin.close()  # type: ignore[union-attr]

    def write(self, rows: list[dict[str, Any]]) -> Path:
        (path := self.folder / "list.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
        return path

    def run(self, *arguments: str, home: str = "asker") -> tuple[int, str, str]:
        """The command line on the machine of that name, to its end."""
        environment = {**self.environment, "GROK_IMAGINE_HOME": str(self.folder / home)}
        done = subprocess.run(
            [*CLI, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240
        )
        return done.returncode, done.stdout, done.stderr

    def batch(self, *options: str, home: str = "asker") -> dict[str, Any]:
        """Ask for the list, or how it stands, as JSON."""
        code, out, err = self.run("batch", str(self.folder / "list.jsonl"), "--json", *options, home=home)
        assert out.startswith("{"), f"{code} {err}"
        told = json.loads(out)
        assert "error" not in told, told
        return told

    def results(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "list.jsonl.results.jsonl").read_text().splitlines()]

    def start(self, concurrency: int = 4) -> subprocess.Popen[bytes]:
        """A worker on a machine of its own."""
        self._machines += 1
        home = self.folder / f"machine {self._machines}"
        environment = {**self.environment, "GROK_IMAGINE_HOME": str(home)}
        with (self.folder / f"worker-{self._machines}.log").open("wb") as log:
            command = [*CLI, "worker", "--concurrency", str(concurrency)]
            worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def kill_one(self) -> None:
        """SIGKILL to a worker taken at random; another takes its place, as a new machine would."""
        victim = random.choice(self.workers)
        victim.kill()
        victim.wait()
        self.workers.remove(victim)
        self.kills += 1
        self.start()

    def ledger(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_sandbox/ledger", timeout=60) as reply:
            return json.load(reply)

    def submits(self) -> int:
        return int(self.ledger()["submits"])

    def charged(self) -> dict[str, list[str]]:
        """What the provider was paid for, from its own books: prompt -> task ids."""
        tasks: dict[str, list[str]] = {}
        with closing(sqlite3.connect(f"file:{self.folder / 'sandbox' / 'sandbox.sqlite3'}?mode=ro", uri=True)) as books:
            paid = "SELECT tasks.id, data FROM tasks JOIN ledger ON ledger.task = tasks.id WHERE kind = 'charge'"
            for task, data in books.execute(paid):
                tasks.setdefault(json.loads(data)["job"]["prompt"], []).append(task)
        return tasks

    def paid_twice(self) -> list[str]:
        return [prompt for prompt, tasks in self.charged().items() if len(tasks) > 1]

    def tasks_left(self) -> int:
        """How many rows wait in the queue or are being worked."""
        with psycopg.connect(self.environment["GROK_IMAGINE_DATABASE_URL"], autocommit=True) as database:
            query = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
            return int(database.execute(query).fetchone()[0])  # type: ignore[index]

    def settle_unknown(self) -> int:
        """What a user does about rows of unknown outcome: attach the task that the provider has, else send it again."""
        self.batch("--status")
        left = [row for row in self.results() if row["state"] == "unknown"]
        for row in left:
            assert "Outcome unknown" in row["error"]
            tasks = self.charged().get(row["request"]["prompt"], [])
            command = ("attach", row["job_id"], *tasks) if tasks else ("again", row["job_id"], "--yes")
            code, _, err = self.run(*command)
            assert code == 0, err
        return len(left)

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("worker-*.log")))

    def until(self, condition: Callable[[], object], seconds: float = 240) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"it did not happen within {seconds} s\n{self.logs()}"
            time.sleep(0.1)


def rows(count: int, **more: Any) -> list[dict[str, Any]]:
    """Different wishes, as short and small as they can be."""
    quick = {"duration": 1, "resolution": "480p", "connection": "sandbox-xai"}
    return [{"prompt": f"clip {number}", **quick, **more} for number in range(1, count + 1)]


def ordeal(fleet: Fleet, rows: list[dict[str, Any]], *, workers: int, every_seconds: float, kills: int) -> int:
    """Work the rows while one worker after the other is killed at random. Gives how many ended as outcome unknown,
    which are then settled as a user would. Fails where a row is lost or paid twice."""
    fleet.write(rows)
    assert fleet.batch("--defer")["rows"] == {"waiting": len(rows)}
    for _ in range(workers):
        fleet.start()
    last = [time.monotonic()]

    def is_over() -> bool:
        if fleet.kills < kills and fleet.submits() >= workers and time.monotonic() - last[0] > every_seconds:
            fleet.kill_one()
            last[0] = time.monotonic()
        return not fleet.tasks_left()

    fleet.until(is_over, seconds=1200)
    told = fleet.batch("--status")["rows"]
    assert set(told) <= {"done", "unknown"}, told
    assert sum(told.values()) == len(rows), "no row is lost"
    unknown = fleet.settle_unknown()
    assert unknown == told.get("unknown", 0)
    if unknown:
        fleet.batch("--defer")
        fleet.until(lambda: not fleet.tasks_left())
    assert fleet.batch("--status")["rows"] == {"done": len(rows)}
    assert fleet.paid_twice() == []
    assert len(fleet.charged()) == len(rows) == fleet.submits()
    return unknown
