"""Wait for Task: by the job's id, by the provider's, and with both for a job of unknown outcome."""

from __future__ import annotations

import json
from typing import Any

import pytest

SHORT = {"connection": "sandbox-xai", "duration": 1}


def _submitted_elsewhere(sandbox: Any) -> str:
    body = {"model": "grok-imagine-video", "prompt": "from another program", "duration": 1}
    return sandbox.ask("/xai/v1/videos/generations", body, Authorization="Bearer xai-sandbox")["request_id"]


async def test_a_task_of_another_program_is_collected_by_its_id(run: Any, sandbox: Any) -> None:
    task = _submitted_elsewhere(sandbox)
    video, job_id, task_id, _, info = await run("GIVWaitForTask", connection="sandbox-xai", task_id=f" {task}\n")
    assert task_id == task
    assert sandbox.submits == 1
    assert json.loads(info)["job_id"] == job_id
    by_job = await run("GIVWaitForTask", job_id=job_id)
    assert by_job[0].get_stream_source() == video.get_stream_source()
    both = await run("GIVWaitForTask", job_id=job_id, task_id=task)
    assert both[1] == job_id


async def test_a_job_of_unknown_outcome_is_never_posted_again_and_takes_its_task(
    run: Any, sandbox: Any, part: Any
) -> None:
    errors = part("grok_imagine.errors")
    wish = {**SHORT, "prompt": "a kite [sandbox:drop-after]"}
    for _ in range(2):
        with pytest.raises(errors.SubmitUncertain, match="Outcome unknown") as caught:
            await run("GIVTextToVideo", **wish)
    assert sandbox.submits == 1
    task = sandbox.ask("/_sandbox/ledger")["entries"][0]["task"]
    given = await run("GIVWaitForTask", job_id=caught.value.job_id, task_id=task)
    assert given[2] == task
    assert (await run("GIVTextToVideo", **wish))[1] == caught.value.job_id
    assert sandbox.submits == 1


async def test_ids_that_lead_nowhere_are_named(run: Any, sandbox: Any, part: Any) -> None:
    errors = part("grok_imagine.errors")
    with pytest.raises(errors.RequestError, match="Enter a job_id"):
        await run("GIVWaitForTask")
    with pytest.raises(errors.SettingsError, match="no job"):
        await run("GIVWaitForTask", job_id="20260101-000000-00000000")
    with pytest.raises(errors.SettingsError, match="no job"):
        await run("GIVWaitForTask", job_id="20260101-000000-00000000", task_id="x")
    with pytest.raises(errors.TaskNotFound, match="does not know the task 'another'"):
        await run("GIVWaitForTask", connection="sandbox-xai", task_id="another")
    assert not any(call["method"] == "POST" for call in sandbox.requests)
    done = await run("GIVTextToVideo", **SHORT, prompt="a kite")
    with pytest.raises(errors.RequestError, match="has the task"):
        await run("GIVWaitForTask", job_id=done[1], task_id="another")
    assert sandbox.submits == 1
