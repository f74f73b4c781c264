"""After a kill the paid clip is still downloaded, and paid once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ...support.processes import client, finish, kill, ledger, state_of, wait_until, wind


@pytest.mark.slow
def test_killed_while_submitted_then_resumed(held_sandbox: str, tmp_path: Path) -> None:
    process = client(held_sandbox, tmp_path, "generate", "a lighthouse", "--resolution", "480p", "--json")
    wait_until(lambda: state_of(tmp_path) == "submitted")
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


@pytest.mark.slow
def test_killed_while_submitted_then_run_again(held_sandbox: str, tmp_path: Path) -> None:
    command = ("generate", "a lighthouse", "--resolution", "480p", "--json")
    process = client(held_sandbox, tmp_path, *command)
    wait_until(lambda: state_of(tmp_path) == "submitted")
    kill(process)
    wind(held_sandbox)
    code, out, err = finish(client(held_sandbox, tmp_path, *command))
    assert code == 0, err
    assert json.loads(out)["state"] == "saved"
    assert ledger(held_sandbox)["submits"] == 1


def test_killed_between_the_post_and_its_answer(running_sandbox: str, tmp_path: Path) -> None:
    command = ("generate", "a lighthouse [sandbox:stall=30]", "--resolution", "480p", "--json")
    process = client(running_sandbox, tmp_path, *command)
    wait_until(lambda: ledger(running_sandbox)["submits"] == 1)
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
