"""The sandbox and the command line as processes of their own, which a test can kill."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from grok_imagine.cli.app import app

ROOT = Path(__file__).resolve().parents[3]


def wind(url: str) -> None:
    _post(f"{url}/_sandbox/clock", {"advance": 3600})


def reset(url: str) -> None:
    """Let the sandbox forget its tasks, files, faults and ledger."""
    _post(f"{url}/_sandbox/reset", {})


def _post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()


def sandbox_process(*options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "grok_imagine.sandbox", "--seconds", "1", "--exit-with-parent", *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield json.loads(process.stdout.readline())["url"]
        process.stdin.close()
        process.wait(60)


def _settings(url: str, home: Path) -> dict[str, str]:
    # The last: how long a dead run's POST is waited for.
    names = {"SANDBOX_URL": url, "HOME": str(home), "ANSWER_SECONDS": "2"}
    return {f"GROK_IMAGINE_{name}": value for name, value in names.items()}


def client(url: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **_settings(url, home)}
    command = [sys.executable, "-m", "grok_imagine.cli", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run_here(url: str, home: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process, where one of its own would tell no more. As :func:`finish`."""
    done = CliRunner().invoke(app, list(arguments), env=_settings(url, home))
    return done.exit_code, done.stdout, done.stderr


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def state_of(home: Path) -> str | None:
    try:
        with closing(sqlite3.connect(f"file:{home / 'journal.db'}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT state FROM jobs").fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row else None


def ledger(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_sandbox/ledger") as reply:
        return json.load(reply)


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it did not happen within 120 s"
        time.sleep(0.01)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
