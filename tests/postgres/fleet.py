"""Processes for the tests: a sandbox, a database, and workers that can be killed."""

from __future__ import annotations

import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[2]
CLI = [sys.executable, "-m", "grok_imagine.cli"]
PAID = {
    "GROK_IMAGINE_CONNECTIONS": json.dumps(
        {
            "mine": {"dialect": "reapi", "base_url": "{sandbox}/reapi", "api_key": "rk_live_sandbox_1", "pace": 0.1},
            "quick": {
                "dialect": "xai",
                "base_url": "{sandbox}/xai",
                "api_key": "xai-sandbox_1",
                "pace": 0.1,
                "assumed_usd_per_second": "0.05",
            },
        }
    )
}
"""Connections of the user's own that happen to lead to the sandbox: what they take counts as real money."""
PRICE, QUICK_PRICE = Decimal("0.054"), Decimal("0.05")
"""Of six seconds of the one, and of one second of the other."""


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
            **({"GROK_IMAGINE_DATABASE_URL": database_url} if database_url else {}),
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
        return self._start(f"machine {self._machines}", "worker", "--concurrency", str(concurrency))

    def start_alone(self, concurrency: int = 4) -> subprocess.Popen[bytes]:
        """The list made by the machine that asks for it, whose journal is a file."""
        self._machines += 1
        command = ("batch", str(self.folder / "list.jsonl"), "--json", "--at-once", str(concurrency))
        return self._start("asker", *command)

    def _start(self, home: str, *command: str) -> subprocess.Popen[bytes]:
        environment = {**self.environment, "GROK_IMAGINE_HOME": str(self.folder / home)}
        with (self.folder / f"worker-{self._machines}.log").open("wb") as log:
            worker = subprocess.Popen([*CLI, *command], cwd=ROOT, env=environment, stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def kill(self, victim: subprocess.Popen[bytes]) -> None:
        """SIGKILL, which no process hears coming."""
        victim.kill()
        victim.wait()
        self.workers.remove(victim)
        self.kills += 1

    def kill_one(self) -> None:
        """Kill a worker taken at random; another takes its place, as a new machine would."""
        self.kill(random.choice(self.workers))
        self.start()

    def ledger(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_sandbox/ledger", timeout=60) as reply:
            return json.load(reply)

    def fault(self, fault: dict[str, Any]) -> None:
        """Have the provider play a fault at its next answer."""
        request = urllib.request.Request(
            f"{self.url}/_sandbox/faults", json.dumps(fault).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=60).close()

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
        """What a user does about rows of unknown outcome: attach the task that the provider has, else send it again.

        A worker may have been killed before its request arrived: then the answer that is to be lost is lost only to
        what is sent again, and the task that came of it is attached to the job of that.
        """
        self.batch("--status")
        left = [row for row in self.results() if row["state"] == "unknown"]
        for row in left:
            assert "Outcome unknown" in row["error"]
            prompt, _, fault = row["request"]["prompt"].partition(" [")
            tasks = self.charged().get(prompt, [])
            command = ("attach", row["job_id"], *tasks) if tasks else ("again", row["job_id"], "--yes")
            code, _, err = self.run(*command)
            if fault and not tasks and "Outcome unknown" in err:
                sent_again = re.findall(r"\d{8}-\d{6}-[0-9a-f]{8}", err)[-1]
                code, _, err = self.run("attach", sent_again, *self.charged()[prompt])
            assert code == 0, err
        return len(left)

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("worker-*.log")))

    def until(self, condition: Callable[[], object], seconds: float = 240) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"it did not happen within {seconds} s\n{self.logs()}"
            time.sleep(0.1)


def rows(count: int, *, lost_answers: int = 0, **more: Any) -> list[dict[str, Any]]:
    """Different requests, as short and small as they can be. So many of them are accepted and charged, and the
    connection breaks before the answer comes: nobody can know, and each has to end as outcome unknown."""
    quick = {"duration": 1, "resolution": "480p", "connection": "sandbox-xai"}
    made = [{"prompt": f"clip {number}", **quick, **more} for number in range(1, count + 1)]
    for row in made[:: max(1, count // lost_answers)][:lost_answers] if lost_answers else []:
        row["prompt"] += " [sandbox:drop-after]"
    return made


class Ordeal:
    """Rows that are worked on while one worker after the other is killed at random.

    ``check`` is called all the while. Each part fails where a row is lost or paid twice.
    """

    def __init__(
        self,
        fleet: Fleet,
        rows: list[dict[str, Any]],
        *,
        every_seconds: float,
        kills: int = 1_000_000,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self.fleet, self.rows, self.unknown = fleet, rows, 0
        self._every, self._kills, self._check = every_seconds, kills, check
        fleet.write(rows)

    def shared(self, workers: int) -> int:
        """Several workers and a queue, to the end. Gives how many rows ended as outcome unknown, and were settled."""
        self.begin(workers)
        return self._end()

    def within(self, limit: Decimal, workers: int) -> int:
        """The same under a budget for the day that does not last, until it is raised. Gives the clips that it paid."""
        name = "GROK_IMAGINE_BUDGET__PER_DAY"
        self.fleet.environment[name] = str(limit)
        self._check = lambda: self._is_within(Decimal(self.fleet.environment[name]))
        self.begin(workers)
        told, paid = self.fleet.batch("--status"), self.fleet.submits()
        assert "per day" in told["stopped_by"], told
        assert Decimal(told["cost_usd"]) <= limit
        assert told["rows"]["waiting"] >= len(self.rows) - paid
        self.fleet.environment[name] = str(100 * limit)
        for worker in tuple(self.fleet.workers):
            self.fleet.kill(worker)  # they know the old limit
        self.begin(workers)
        self._end()
        return paid

    def _is_within(self, limit: Decimal) -> None:
        taken = Decimal(self.fleet.ledger()["usd"])
        assert taken <= limit, f"${taken} of ${limit}: the budget is passed"

    def _end(self) -> int:
        self.settle()
        if self.unknown:
            self.fleet.batch("--defer")
            self.fleet.until(lambda: not self.fleet.tasks_left())
        self._all_is_well()
        return self.unknown

    def begin(self, workers: int) -> None:
        """Leave the rows to workers, and kill one of them every so often until none is left to be worked on."""
        fleet = self.fleet
        told = fleet.batch("--defer")["rows"]
        assert sum(told.values()) == len(self.rows), told
        for _ in range(workers):
            fleet.start()
        last, before = [time.monotonic()], fleet.submits()

        def is_over() -> bool:
            self._check()
            due = fleet.submits() >= before + workers and time.monotonic() - last[0] > self._every
            if fleet.kills < self._kills and due:
                fleet.kill_one()
                last[0] = time.monotonic()
            return not fleet.tasks_left()

        fleet.until(is_over, seconds=1200)

    def alone(self) -> int:
        """One process with a journal of its own, killed and started again until it comes to its end."""
        while self._dies(self.fleet.start_alone()):
            pass
        self.settle()
        if self.unknown:
            self.fleet.batch()
        self._all_is_well()
        return self.unknown

    def _dies(self, worker: subprocess.Popen[bytes]) -> bool:
        """Whether the process was killed, once it got something done and its time came; else it came to its end."""
        began, before = time.monotonic(), self.fleet.submits()

        def is_due() -> bool:
            return self.fleet.submits() > before and time.monotonic() - began > self._every

        def is_over() -> bool:
            self._check()
            return worker.poll() is not None or (self.fleet.kills < self._kills and is_due())

        self.fleet.until(is_over, seconds=1200)
        if worker.poll() is None:
            self.fleet.kill(worker)
            return True
        return False

    def settle(self) -> None:
        """What ended as outcome unknown is settled, as a user would."""
        told = self.fleet.batch("--status")["rows"]
        assert set(told) <= {"done", "unknown"}, told
        assert sum(told.values()) == len(self.rows), "no row is lost"
        self.unknown += self.fleet.settle_unknown()
        assert self.unknown >= sum("[" in row["prompt"] for row in self.rows), "the lost answers at least"

    def _all_is_well(self) -> None:
        assert self.fleet.batch("--status")["rows"] == {"done": len(self.rows)}
        assert self.fleet.paid_twice() == []
        assert len(self.fleet.charged()) == len(self.rows) == self.fleet.submits()
