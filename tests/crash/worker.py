"""One worker of the crash matrix: a sandbox and an independent provider, and the processes to kill."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .points import KILL

ROOT = Path(__file__).resolve().parents[2]
KILLED = KILL if sys.platform == "win32" else -KILL
"""How a process ends that was killed."""


class Worker:
    """``with Worker(folder) as lane: lane.order(do="generate", …)``. The servers outlive every kill."""

    def __init__(self, folder: Path, *, seconds: float = 0.15) -> None:
        self.folder = folder
        self.state = folder / "sandbox"
        self.source: Path | None = None
        self.usual_seconds = dict[str, float]()
        """How long a clip or a list takes when nobody kills it, by fault."""
        self._seconds = seconds
        self._number = 0
        self._filmed = dict[str, str]()

    def __enter__(self) -> Worker:
        self.state.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "grok_imagine.sandbox", "--state", str(self.state), "--exit-with-parent"]
        self._sandbox = start([*command, "--seconds", str(self._seconds)], self.folder)
        self._provider = start([sys.executable, "-m", "tests.crash.provider"], self.folder)
        self._children = Forked(self.folder) if hasattr(os, "fork") else Started(self.folder)
        self.url = str(json.loads(_line(self._sandbox))["url"])
        self.provider = str(json.loads(_line(self._provider))["url"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._children.close()
        for process in (self._provider, self._sandbox):
            stop(process)

    def fresh(self) -> Path:
        """An empty ledger, and an empty data folder."""
        self.ask("/_sandbox/reset", {})
        return self.fresh_home()

    def fresh_home(self) -> Path:
        """An empty data folder."""
        self._number += 1
        home = self.folder / f"home-{self._number}"
        home.mkdir(mode=0o700)
        return home

    def order(self, home: Path, **order: Any) -> tuple[int, dict[str, Any]]:
        """Have one process do that; how it ended, and what it told if it came so far.

        With ``at_once`` several do it side by side: killed if one of them was, and what the first told. ``killed``
        says how many were.
        """
        out = Path(order.get("out") or home / "told.json")
        out.unlink(missing_ok=True)
        source = str(self.source) if self.source else None
        ended = self._children.order(
            {"home": str(home), "sandbox": self.url, "out": str(out), "source": source, **order}
        )
        code = KILLED if KILLED in ended else max(ended, key=abs)
        told = json.loads(out.read_text()) if code != KILLED and out.exists() else {}
        return code, {**told, "killed": ended.count(KILLED)}

    def books(self, **order: Any) -> dict[str, Any]:
        """The independent provider's books when all that was sent has been read; with an order it begins anew."""
        send(self._provider, order)
        return json.loads(_line(self._provider))

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=60) as reply:
            return json.load(reply)

    def ledger(self) -> dict[str, Any]:
        """The ledger when all that was sent has been read: the killed client's bytes lay in the socket before
        these requests, which take several turns of the sandbox's one event loop."""
        for _ in range(4):
            self.ask("/_sandbox/health")
        return self.ask("/_sandbox/ledger")

    def filmed(self, hashed: Callable[[Path], str]) -> set[str]:
        """The hashes of the clips that the sandbox has; a clip never changes, so each is read once."""
        for clip in (self.state / "clips").glob("*.mp4"):
            if clip.name not in self._filmed:
                self._filmed[clip.name] = hashed(clip)
        return set(self._filmed.values())

    def tidy(self, home: Path) -> None:
        shutil.rmtree(home, ignore_errors=True)


class Forked:
    """The processes to be killed, forked from one that has loaded all they need."""

    def __init__(self, folder: Path) -> None:
        self._parent = start(CHILD, folder)

    def order(self, order: dict[str, Any]) -> list[int]:
        send(self._parent, order)
        return list(json.loads(_line(self._parent))["ended"])

    def close(self) -> None:
        stop(self._parent)


class Started:
    """The processes to be killed where none can be forked: each is started ahead, and waits for its order.

    One that nobody kills takes the next such order too; it has never seen that data folder. What the first orders
    imported is written down, and imported by those that are started later.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._modules = folder, folder / "modules.json"
        self._spare = self._start()
        self._lasting = self._take()

    def order(self, order: dict[str, Any]) -> list[int]:
        if not order.get("points") and "kill_after" not in order and order["do"] != "command":
            send(self._lasting, order)
            ended = list(json.loads(_line(self._lasting))["ended"])
            if order.get("learn"):
                self._modules.write_text(json.dumps(json.loads(Path(order["out"]).read_text())["modules"]))
            return ended
        processes = [self._take() for _ in range(order.get("at_once", 1))]
        for number, process in enumerate(processes):
            send(process, {**order, "out": order["out"] + (f"-{number}" if number else "")})
            assert process.stdin is not None
            process.stdin.close()
        if order.get("kill_after") is not None:
            time.sleep(order["kill_after"])
        return [self._ended(process, is_killed="kill_after" in order) for process in processes]

    def _start(self) -> subprocess.Popen[str]:
        return start([*CHILD, str(self._modules)], self._folder)

    def _take(self) -> subprocess.Popen[str]:
        ready, self._spare = self._spare, self._start()
        _line(ready)
        return ready

    def _ended(self, process: subprocess.Popen[str], *, is_killed: bool) -> int:
        if is_killed and process.poll() is None:
            with suppress(PermissionError):  # it has just ended
                os.kill(process.pid, KILL)
        code = process.wait()
        assert process.stdout is not None
        process.stdout.close()
        return code

    def close(self) -> None:
        for process in (self._lasting, self._spare):
            stop(process)


CHILD = [sys.executable, "-m", "tests.crash.child"]


def start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("GROK_IMAGINE_")}
    environment["PYTHONPATH"], environment["GROK_IMAGINE_SANDBOX_DRAFT"] = str(ROOT), "1"
    with (folder / "stderr.log").open("ab") as log:
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True)


def send(process: subprocess.Popen[str], order: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()


def stop(process: subprocess.Popen[str]) -> None:
    """Let it end: its standard input does."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the process ended; see stderr.log in its folder"
    return line


def scratch() -> tempfile.TemporaryDirectory[str]:
    """In memory where there is such a place: a killed process loses nothing that was written, on disk or not, and
    the thousands of fsyncs of a whole matrix then cost nothing."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="crash-", dir=memory if os.access(memory, os.W_OK) else None)
