"""What a refusal, a stop and another node's failure mean for a graph, and for the money."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import av
import pytest

from ..waiting import SHORT, jobs_in, until

REFUSED = {**SHORT, "prompt": "a kite [sandbox:moderated]", "resolution": "480p", "aspect_ratio": "9:16"}


def facts(path: Path) -> tuple[int, int, int]:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert frames[0].std() > 5, "an empty picture says nothing"
    height, width, _ = frames[0].shape
    return len(frames), width, height


async def test_a_refusal_fails_the_node_and_is_never_sent_again_by_itself(run: Any, sandbox: Any) -> None:
    for _ in range(3):
        with pytest.raises(Exception, match="could not make the clip") as caught:
            await run("GIVTextToVideo", "1", **REFUSED)
        assert type(caught.value).__name__ == "ContentRejected"
    assert "is not sent again. Change the prompt, the images or the seed" in str(caught.value)
    assert sandbox.submits == 1
    with pytest.raises(Exception, match="could not make the clip"):
        await run("GIVTextToVideo", "1", **REFUSED, seed=1)  # a new seed is a new clip
    assert sandbox.submits == 2


async def test_a_placeholder_keeps_the_other_branches_alive(run: Any, sandbox: Any, home: Path) -> None:
    refused, good = await asyncio.gather(
        run("GIVTextToVideo", "1", **{**REFUSED, "duration": 2}, on_rejected="placeholder"),
        run("GIVTextToVideo", "2", **SHORT, prompt="a kite"),
    )
    assert Path(good[0].get_stream_source()).parent == home / "results"
    video, job_id, task_id, url, info = refused
    file = Path(video.get_stream_source())
    assert facts(file) == (48, 480, 854)
    told = json.loads(info)
    assert told["is_placeholder"] is True
    assert told["outcome"] == "rejected by moderation"
    assert (told["job_id"], told["task_id"], url) == (job_id, task_id, "")
    assert sandbox.submits == 2
    again = await run("GIVTextToVideo", "1", **{**REFUSED, "duration": 2}, on_rejected="placeholder")
    assert again[0].get_stream_source() == video.get_stream_source()
    assert sandbox.submits == 2


async def test_a_placeholder_stands_in_for_moderation_alone(run: Any) -> None:
    with pytest.raises(Exception, match="internal_error"):
        await run("GIVTextToVideo", **SHORT, prompt="[sandbox:failed=out+of+luck]", on_rejected="placeholder")


@pytest.mark.held
@pytest.mark.parametrize("choice", ["keep", "drop"])
async def test_a_stop_keeps_or_drops_the_job_and_running_again_pays_nothing(
    choice: str, run: Any, sandbox: Any, home: Path, caplog: Any
) -> None:
    import comfy.model_management as management

    settings = json.loads((home / "settings.json").read_text())
    (home / "settings.json").write_text(json.dumps({**settings, "on_interrupt": choice}))
    wish = {**SHORT, "prompt": "a kite"}
    waiting = asyncio.ensure_future(run("GIVTextToVideo", "4", **wish))
    await until(lambda: [one[1] for one in jobs_in(home)] == ["submitted"])
    management.interrupt_current_processing(True)
    with pytest.raises(management.InterruptProcessingException):
        await waiting
    management.interrupt_current_processing(False)
    if choice == "drop":
        await until(lambda: [one[1] for one in jobs_in(home)] == ["failed"])
        await until(lambda: "continues there and is billed" in caplog.text)
    else:
        assert [one[1] for one in jobs_in(home)] == ["submitted"]
    again = asyncio.ensure_future(run("GIVTextToVideo", "4", **wish))
    await until(lambda: [one[1] for one in jobs_in(home)] == ["submitted"])
    sandbox.wind(60)
    result = await again
    assert Path(result[0].get_stream_source()).is_file()
    assert sandbox.submits == 1


@pytest.mark.held
async def test_another_nodes_failure_never_drops_a_job(run: Any, sandbox: Any, home: Path) -> None:
    settings = json.loads((home / "settings.json").read_text())
    (home / "settings.json").write_text(json.dumps({**settings, "on_interrupt": "drop"}))
    waiting = asyncio.ensure_future(run("GIVTextToVideo", "4", **SHORT, prompt="a kite"))
    await until(lambda: [one[1] for one in jobs_in(home)] == ["submitted"])
    waiting.cancel()  # what ComfyUI does to the siblings of a node that failed
    with pytest.raises(asyncio.CancelledError):
        await waiting
    again = asyncio.ensure_future(run("GIVTextToVideo", "4", **SHORT, prompt="a kite"))
    sandbox.wind(60)
    await again
    assert [one[1] for one in jobs_in(home)] == ["saved"]
    assert sandbox.submits == 1
