"""The process dies without warning, and the paid clip still comes home, paid once."""

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

import pytest

from .conftest import ROOT


@pytest.fixture
def running_sandbox() -> Iterator[str]:
    """A sandbox in a process of its own, so that it outlives the client that is killed."""
    yield from _sandbox()


@pytest.fixture
def held_sandbox() -> Iterator[str]:
    """The same, whose clock stands still until it is wound: a task is running for as long as the test wants."""
    yield from _sandbox("--clock", "manual")


def wind(url: str) -> None:
    body = json.dumps({"advance": 3600}).encode()
    request = urllib.request.Request(f"{url}/_sandbox/clock", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()


def _sandbox(*options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "grok_imagine.sandbox", "--seconds", "1", "--exit-with-parent", *options]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield json.loads(process.stdout.readline())["url"]
        process.stdin.close()
        process.wait(60)


def client(url: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "GROK_IMAGINE_SANDBOX_URL": url, "GROK_IMAGINE_HOME": str(home)}
    environment["GROK_IMAGINE_ANSWER_SECONDS"] = "2"  # how long a dead run's POST is waited for
    command = [sys.executable, "-m", "grok_imagine.cli", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


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


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it did not happen within 120 s"
        time.sleep(0.01)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_killed_while_submitted_then_resumed(held_sandbox: str, tmp_path: Path) -> None:
    process = client(held_sandbox, tmp_path, "generate", "a lighthouse", "--resolution", "480p", "--json")
    until(lambda: state_of(tmp_path) == "submitted")
    kill(process)
    code, out, _ = finish(client(held_sandbox, tmp_path, "jobs", "--json"))
    (job,) = json.loads(out)
    assert (code, job["state"]) == (0, "submitted")
    wind(held_sandbox)
    code, out, err = finish(client(held_sandbox, tmp_path, "resume", job["job_id"], "--json"))
    assert code == 0, err
    clip = Path(json.loads(out)["file"])
    assert clip.read_bytes()[4:8] == b"ftyp"
    assert ledger(held_sandbox)["submits"] == 1


def test_killed_while_submitted_then_run_again(held_sandbox: str, tmp_path: Path) -> None:
    command = ("generate", "a lighthouse", "--resolution", "480p", "--json")
    process = client(held_sandbox, tmp_path, *command)
    until(lambda: state_of(tmp_path) == "submitted")
    kill(process)
    wind(held_sandbox)
    code, out, err = finish(client(held_sandbox, tmp_path, *command))
    assert code == 0, err
    assert json.loads(out)["state"] == "saved"
    assert ledger(held_sandbox)["submits"] == 1


def test_killed_between_the_post_and_its_answer(running_sandbox: str, tmp_path: Path) -> None:
    command = ("generate", "a lighthouse [sandbox:stall=30]", "--resolution", "480p", "--json")
    process = client(running_sandbox, tmp_path, *command)
    until(lambda: ledger(running_sandbox)["submits"] == 1)
    kill(process)
    code, out, _ = finish(client(running_sandbox, tmp_path, "jobs", "--json"))
    (job,) = json.loads(out)
    assert (job["state"], job["outcome_unknown"], job["task_id"]) == ("submitting", True, None)
    for again in (("resume", job["job_id"], "--json"), command):
        code, out, _ = finish(client(running_sandbox, tmp_path, *again))
        assert code == 6
        assert json.loads(out)["error"] == "SubmitUncertain"
        assert "Outcome unknown" in json.loads(out)["message"]
    assert ledger(running_sandbox)["posts"] == 1
