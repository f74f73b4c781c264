"""Starts the sandbox as a child process when it is first needed. It ends when this process ends."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue

from ..errors import SettingsError
from ..private_files import private_folder
from ..providers.user_files import FOLDER as PROVIDERS

_START_SECONDS = 30.0
# ``-m`` would not find the package under an embedded Python, which ignores PYTHONPATH and the working folder.
_BOOT = (
    "import sys, runpy; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('grok_imagine.sandbox', run_name='__main__', alter_sys=True)"
)


class SandboxProcess:
    """One sandbox for one host process. It ends when the pipe to its standard input is closed."""

    def __init__(self, home: Path, url: str | None = None, *, options: tuple[str, ...] = ()) -> None:
        self._folder, self._providers, self._options = home / "sandbox", home / PROVIDERS, options
        self._url = url
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    async def url(self) -> str:
        """The sandbox's URL. Starts it if it is not running. Raises SettingsError if it cannot start."""
        return await asyncio.to_thread(self._ensure)

    def close(self) -> None:
        """End the sandbox that this object started."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def _ensure(self) -> str:
        with self._lock:
            if self._url and (self._process is None or self._process.poll() is None):
                return self._url
            self._url = self._start()
            return self._url

    def _start(self) -> str:
        private_folder(self._folder)
        root = Path(__file__).resolve().parents[2]
        command = [sys.executable, "-c", _BOOT, str(root), "--exit-with-parent", "--state", str(self._folder)]
        command += ["--providers", str(self._providers), *self._options]
        with (self._folder / "sandbox.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8"
            )
        line = _first_line(self._process)
        try:
            return str(json.loads(line)["url"])
        except (ValueError, KeyError, TypeError):
            self._process.kill()
            raise SettingsError(
                f"The sandbox did not start. Its log says why: {self._folder / 'sandbox.log'}"
            ) from None


def _first_line(process: subprocess.Popen[str]) -> str:
    """The process's first line of output; empty after a timeout, which pipes do not have."""
    lines: Queue[str] = Queue()
    stdout = process.stdout
    if stdout is None:
        return ""
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    try:
        return lines.get(timeout=_START_SECONDS)
    except Empty:
        return ""
