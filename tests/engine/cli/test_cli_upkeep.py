"""The commands for money and jobs: budget, again, drop, prune, and Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from grok_imagine.cli import console
from grok_imagine.cli.app import app

from ..support.processes import ROOT, client, finish, ledger, state_of, wait_until, wind

DAY = 86400
Run = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(running_sandbox: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one command; ``paid`` is a connection of the user's own, so that what it takes counts."""
    for name, value in {
        "HOME": home,
        "SANDBOX_URL": running_sandbox,
        "ANSWER_SECONDS": "0.2",
        "CONNECTIONS__PAID__DIALECT": "reapi",
        "CONNECTIONS__PAID__BASE_URL": f"{running_sandbox}/reapi",
        "CONNECTIONS__PAID__API_KEY": "rk_live_sandbox_1",
        "CONNECTIONS__PAID__PACE": "0.1",
    }.items():
        monkeypatch.setenv(f"GROK_IMAGINE_{name}", str(value))
    for shown in (console.out, console.err):
        monkeypatch.setattr(shown, "width", 200)
    return lambda *arguments, **more: CliRunner().invoke(app, list(arguments), **more)


def job_of(run: Run) -> dict[str, Any]:
    (job,) = json.loads(run("jobs", "--json").stdout)
    return job


def make(run: Run, prompt: str = "a kite", *more: str) -> Any:
    return run("generate", prompt, "-c", "paid", "-d", "6", "-r", "480p", *more, "--json")


def test_budget(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'No spending limit is set. See "budget" in the README.' in run("budget").stdout
    monkeypatch.setenv("GROK_IMAGINE_BUDGET__PER_RUN", "1")
    monkeypatch.setenv("GROK_IMAGINE_BUDGET__PER_DAY", "0.10")
    assert make(run).exit_code == 0
    refused = make(run, "a kite", "--seed", "1")
    assert (refused.exit_code, json.loads(refused.stdout)["error"]) == (2, "OverBudget")
    shown = run("budget")
    assert shown.exit_code == 0
    assert re.search(r"today +\$0\.054 +\$0\.00 +\$0\.10 +\$0\.046 *\n", shown.stdout)
    assert re.search(r"this month +\$0\.054 +\$0\.00 +none *\n", shown.stdout)
    assert "Limit per run: $1.00" in shown.stdout
    assert re.search(r"paid +charge +-\$0\.054 +\+\$0\.054", shown.stdout)
    told = json.loads(run("budget", "--json", "--limit", "1").stdout)
    assert told["today"] == {"spent": "0.054", "pending": "0", "left": "0.046"}
    assert [entry["kind"] for entry in told["entries"]] == ["charge"]
    told = json.loads(run("budget", "--json", "--job", "no-such-job").stdout)
    assert told["entries"] == []


def test_again_asks_for_confirmation(run: Run, running_sandbox: str) -> None:
    assert make(run, "a kite [sandbox:drop-after]").exit_code == 6
    job = job_of(run)
    assert job["outcome_unknown"]
    silent = run("again", job["job_id"], "--json")  # nobody is there to be asked
    assert silent.exit_code == 3
    assert "bills both" in json.loads(silent.stdout)["message"]
    assert "--yes" in json.loads(silent.stdout)["message"]
    assert ledger(running_sandbox)["posts"] == 1
    meant = run("again", job["job_id"], "--yes", "--json")
    assert meant.exit_code == 6  # the marker in the prompt acts again
    assert ledger(running_sandbox)["posts"] == 2
    rows = {one["job_id"]: one for one in json.loads(run("jobs", "--json").stdout)}
    assert len(rows) == 2
    assert rows[job["job_id"]]["state"] == "failed"
    over = run("again", job["job_id"], "--yes", "--json")
    assert (over.exit_code, "unknown outcome" in json.loads(over.stdout)["message"]) == (3, True)
    assert ledger(running_sandbox)["posts"] == 2


def test_drop(run: Run, running_sandbox: str) -> None:
    assert make(run).exit_code == 0
    saved = run("drop", job_of(run)["job_id"], "--json")
    assert (saved.exit_code, "nothing to abandon" in json.loads(saved.stdout)["message"]) == (3, True)
    assert run("drop", "no-such-job").exit_code == 3
    assert ledger(running_sandbox)["posts"] == 1


def test_dropping_a_submitted_job_says_that_it_is_billed(run: Run, held_sandbox: str) -> None:
    there = {"GROK_IMAGINE_SANDBOX_URL": held_sandbox, "GROK_IMAGINE_DEADLINE_SECONDS": "0.01"}
    late = run("generate", "a slow kite", "-r", "480p", "--json", env=there)
    assert (late.exit_code, json.loads(late.stdout)["error"]) == (5, "JobTimedOut")
    job_id = json.loads(late.stdout)["job_id"]
    given_up = run("drop", job_id, "--json", env=there)
    assert given_up.exit_code == 0
    told = json.loads(given_up.stdout)
    assert told["state"] == "failed"
    assert "cannot cancel: the job continues there and is billed" in told["note"]
    assert run("drop", job_id, env=there).exit_code == 3
    wind(held_sandbox)
    del there["GROK_IMAGINE_DEADLINE_SECONDS"]
    assert run("resume", job_id, "--json", env=there).exit_code == 0  # wanted after all
    assert ledger(held_sandbox)["posts"] == 1


def lay_old(home: Path, run: Run) -> Path:
    """A clip of a job that the provider keeps no longer."""
    made = make(run)
    clip = Path(json.loads(made.stdout)["file"])
    old = time.time() - 400 * DAY
    os.utime(clip, (old, old))
    return clip


def test_prune_asks_and_takes_yes(run: Run, home: Path) -> None:
    clip = lay_old(home, run)
    assert "1 removed" not in run("prune", "--max-days", "1000").stdout
    nobody = run("prune")  # over the age of the settings, and no terminal
    assert nobody.exit_code == 3
    assert "add --yes" in nobody.stderr
    assert clip.name in nobody.stdout
    plan = json.loads(run("prune", "--json").stdout)
    assert [(one["removed"], one["can_be_fetched_again"]) for one in plan["files"]] == [(False, True)]
    assert clip.is_file()
    gone = run("prune", "--yes")
    assert (gone.exit_code, "1 removed" in gone.stdout) == (0, True)
    assert not clip.exists()
    assert make(run).exit_code == 0  # fetched again
    assert clip.is_file()


def test_prune_keeps_irreplaceable_clips_without_for_good(run: Run, home: Path) -> None:
    clip = home / "results" / "20250101-000000-00000001.mp4"  # no journal knows its job
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"x")
    os.utime(clip, (time.time() - 400 * DAY,) * 2)
    kept = run("prune", "--yes")
    assert kept.exit_code == 0
    assert "--for-good" in kept.stdout
    assert clip.is_file()
    gone = run("prune", "--yes", "--for-good", "--json")
    assert [one["removed"] for one in json.loads(gone.stdout)["files"]] == [True]
    assert not clip.exists()


def test_prune_removes_all_chunks_of_a_video_together(run: Run, home: Path) -> None:
    folder = home / "chunks" / "0123"
    folder.mkdir(parents=True)
    (folder / "joined.mp4").write_bytes(b"x")
    for path in (folder / "joined.mp4", folder):
        os.utime(path, (time.time() - 400 * DAY,) * 2)
    gone = run("prune", "--yes")
    assert (gone.exit_code, "1 removed" in gone.stdout, "its graph recreates them" in gone.stdout) == (0, True, True)
    assert not folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is POSIX's")
@pytest.mark.parametrize(("answer", "code"), [pytest.param("n", 1, marks=pytest.mark.slow), ("y", 0)])
def test_prune_at_a_terminal(answer: str, code: int, tmp_path: Path) -> None:
    import pty

    clip = tmp_path / "results" / "20250101-000000-00000001.mp4"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"x")
    os.utime(clip, (time.time() - 400 * DAY,) * 2)
    command = [sys.executable, "-m", "grok_imagine.cli", "prune", "--for-good", "--home", str(tmp_path)]
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(command, cwd=ROOT, stdin=theirs, capture_output=True, text=True, timeout=120)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == code, done.stderr
    assert "Remove 1 files?" in done.stdout
    assert clip.exists() is (answer == "n")


@pytest.mark.skipif(os.name != "posix", reason="Windows sends no Ctrl-C to one process alone")
@pytest.mark.parametrize("choice", [pytest.param("keep", marks=pytest.mark.slow), "drop"])
def test_ctrl_c_does_what_the_settings_say(
    choice: str,
    held_sandbox: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GROK_IMAGINE_ON_INTERRUPT", choice)
    command = ("generate", "a lighthouse", "--resolution", "480p", "--json")
    process = client(held_sandbox, tmp_path, *command)
    wait_until(lambda: state_of(tmp_path) == "submitted")
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (130, ""), err
    if choice == "drop":
        assert "cannot cancel: the job continues there and is billed" in err
        assert "The job is kept" not in err
        assert state_of(tmp_path) == "failed"
    else:
        assert "The job is kept" in err
        assert state_of(tmp_path) == "submitted"
    wind(held_sandbox)
    code, out, err = finish(client(held_sandbox, tmp_path, *command))  # either way it is not paid twice
    assert (code, json.loads(out)["state"]) == (0, "saved"), err
    assert ledger(held_sandbox)["submits"] == 1
