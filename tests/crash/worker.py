"""One lane of the crash matrix: a sandbox in a process of its own, and the process that forks the ones to be killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KILLED = -9


class Worker:
    """``with Worker(folder) as lane: lane.order(do="generate", …)``. The sandbox outlives every kill."""

    def __init__(self, folder: Path, *, seconds: float = 0.15) -> None:
        self.folder = folder
        self.state = folder / "sandbox"
        self.source: Path | None = None
        self._seconds = seconds
        self._number = 0
        self._filmed = dict[str, str]()

    def __enter__(self) -> Worker:
        self.state.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "grok_imagine.sandbox", "--state", str(self.state), "--exit-with-parent"]
        self._sandbox = _start([*command, "--seconds", str(self._seconds)], self.folder)
        self.url = str(json.loads(_line(self._sandbox))["url"])
        self._children = _start([sys.executable, "-m", "tests.crash.child"], self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._children, self._sandbox):
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)
            assert process.stdout is not None
            process.stdout.close()

    def fresh(self) -> Path:
        """An empty ledger, and an empty data folder."""
        self.ask("/_sandbox/reset", {})
        self._number += 1
        home = self.folder / f"home-{self._number}"
        home.mkdir(mode=0o700)
        return home

    def order(self, home: Path, **order: Any) -> tuple[int, dict[str, Any]]:
        """Have one process do that; how it ended, and what it told if it came so far."""
        out = Path(order.get("out") or home / "told.json")
        out.unlink(missing_ok=True)
        source = str(self.source) if self.source else None
        full = {"home": str(home), "sandbox": self.url, "out": str(out), "source": source, **order}
        assert self._children.stdin is not None
        self._children.stdin.write(json.dumps(full) + "\n")
        self._children.stdin.flush()
        ended = int(json.loads(_line(self._children))["ended"])
        return ended, json.loads(out.read_text()) if out.exists() else {}

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


def _start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("GROK_IMAGINE_")}
    environment["PYTHONPATH"], environment["GROK_IMAGINE_SANDBOX_DRAFT"] = str(ROOT), "1"
    with (folder / "stderr.log").open("ab") as log:
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True)


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
