"""In a real ComfyUI: the pack loads, examples run, nodes overlap, an interrupt is heard, and no key gets out."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

pytestmark = [pytest.mark.comfyui, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {path.stem: path for path in sorted((ROOT / "example_workflows").glob("*.json"))}
NODES = {
    "GIVTextToVideo",
    "GIVImageToVideo",
    "GIVEditVideo",
    "GIVExtendVideo",
    "GIVContinueVideo",
    "GIVBatch",
    "GIVFilm",
    "GIVCast",
    "GIVWaitForTask",
    "GIVLoadVideoFrames",
    "GIVSplitVideo",
    "GIVJoinChunks",
    "GIVUploadMedia",
}
_PLAIN = (144, (848, 480))
MAKES = {
    "batch": [_PLAIN, (8 * 24, (848, 480)), (144, (480, 848))],  # rows with a length and a ratio of their own
    "edit_and_extend": [((4 + 4) * 24, (848, 480))],
    "film": [((6 + 6 + 4) * 24 - 1, (848, 480))],
    "long_clip": [(3 * 144 - 2, (848, 480))],  # a segment's first frame is the last one before it, and comes once
}
"""The clips that an example saves: frames and size, where they are not one of 6 s at 480p."""
NOT_AS_IT_CAME = {"CreateVideo", "GIVContinueVideo", "GIVFilm"}
"""What these hand on is made anew, of frames or of several clips."""


def _jobs(comfy: Any, prompt: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(comfy.home / "journal.db")) as journal:
        rows = journal.execute("select id, state, request from jobs order by created_at").fetchall()
    return [(job, state) for job, state, request in rows if json.loads(request).get("prompt") == prompt]


def _look(path: Path) -> tuple[int, tuple[int, int], Fraction | None, bool, dict[str, str]]:
    with av.open(str(path)) as film:
        video = film.streams.video[0]
        count = sum(1 for _ in film.decode(video))
        rate = video.average_rate
        return (
            count,
            (video.width, video.height),
            rate and Fraction(rate),
            bool(film.streams.audio),
            dict(film.metadata),
        )


async def test_the_pack_is_loaded_without_a_word_of_complaint(comfy: Any) -> None:
    info = comfy.get("/object_info")
    assert set(info) >= NODES
    for name in NODES:
        assert info[name]["api_node"] is False
        assert info[name]["python_module"] == "custom_nodes.comfyui-grok-imagine"
    log = comfy.log.read_text("utf-8")
    assert "custom_nodes/comfyui-grok-imagine" in log
    assert "Traceback" not in log
    assert "IMPORT FAILED" not in log
    ours = [line for line in log.splitlines() if "grok" in line.lower()]
    assert not [line for line in ours if re.search(r"warn|error|fail|skip", line, re.IGNORECASE)], ours
    assert comfy.has_written_nothing_at_start


async def test_the_examples_are_offered_with_their_pictures(comfy: Any) -> None:
    assert set(comfy.get("/api/workflow_templates")["comfyui-grok-imagine"]) == set(EXAMPLES)
    for path in EXAMPLES.values():
        picture = path.with_suffix(".jpg")
        assert 2_000 < picture.stat().st_size <= 60 * 1024


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_runs_as_it_is(name: str, comfy: Any, as_prompt: Any) -> None:
    prompt = as_prompt(json.loads(EXAMPLES[name].read_text("utf-8")))
    (save,) = (number for number, node in prompt.items() if node["class_type"] == "SaveVideo")
    result = await comfy.run(prompt)
    assert result.end == "execution_success", result.last
    files = comfy.files(result, save)
    found = [_look(path) for path in files]
    assert [one[:2] for one in found] == MAKES.get(name, [_PLAIN])
    assert {one[2:4] for one in found} == {(Fraction(24), True)}
    # The workflow from ComfyUI, and ours beside it where the clip is as it came.
    source = prompt[prompt[save]["inputs"]["video"][0]]["class_type"]
    for one in found:
        assert set(one[4]) >= ({"prompt"} if source in NOT_AS_IT_CAME else {"prompt", "grok_imagine"})
    for number, node in prompt.items():
        if node["inputs"].get("connection") == "sandbox" and node["class_type"] in (
            "GIVTextToVideo",
            "GIVImageToVideo",
        ):
            texts = [text for _, text in result.texts(number)]
            assert any(text.startswith("Generating") and "credits" in text for text in texts), texts
    if os.environ.get("GROK_IMAGINE_WRITE"):
        _picture(files[0], EXAMPLES[name].with_suffix(".jpg"))


def _picture(film: Path, target: Path) -> None:
    """The template's picture: a frame from the middle, as large and as good as 60 KB hold."""
    from PIL import Image

    with av.open(str(film)) as opened:
        frames = [frame.to_image() for frame in opened.decode(video=0)]
    middle = frames[len(frames) // 2]
    middle = middle.resize((640, round(640 * middle.height / middle.width)), Image.Resampling.LANCZOS)
    for quality in (88, 80, 70, 60):
        middle.save(target, quality=quality, optimize=True)
        if target.stat().st_size <= 60 * 1024:
            return


async def test_two_nodes_of_one_graph_overlap(comfy: Any, sandbox: Any, text: Any, save: Any) -> None:
    prompt = {"1": text(prompt="one of two"), "2": text(prompt="two of two"), "3": save("1"), "4": save("2")}
    result = await comfy.run(prompt)
    assert result.end == "execution_success", result.last
    spans = [[at for at, _ in result.texts(node)] for node in ("1", "2")]
    assert max(span[0] for span in spans) < min(span[-1] for span in spans)
    entries = sandbox("/_sandbox/ledger")["entries"][-2:]
    assert abs(entries[0]["time"] - entries[1]["time"]) < 2


async def test_frames_have_the_right_number_size_and_rate(comfy: Any, text: Any) -> None:
    prompt = {
        "1": text(prompt="to be counted"),
        "2": {"class_type": "GIVLoadVideoFrames", "inputs": {"video": ["1", 0], "source": ""}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 3]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["2", 2]}},
        "5": {"class_type": "GetImageSize", "inputs": {"image": ["2", 0]}},
        "6": {"class_type": "PreviewAny", "inputs": {"source": ["5", 0]}},
        "7": {"class_type": "SaveAudio", "inputs": {"audio": ["2", 1], "filename_prefix": "sound"}},
    }
    result = await comfy.run(prompt)
    assert result.end == "execution_success", result.last
    assert [result.outputs[node]["text"][0] for node in ("3", "4", "6")] == ["24", "24.0", "848"]
    assert result.outputs["7"]["audio"]


async def test_an_interrupt_is_heard_and_the_job_arrives_with_one_submit(
    comfy: Any, sandbox: Any, text: Any, save: Any
) -> None:
    wish = "stopped, then gone on with"
    prompt = {"1": text(prompt=wish), "2": save("1")}
    before = sandbox("/_sandbox/ledger")["submits"]
    pressed: list[float] = []

    async def stop(event: Any) -> None:
        if not pressed and event[1] == "text" and "Generating" in event[2]:
            pressed.append(event[0])
            await asyncio.to_thread(comfy.post, "/interrupt", {})

    stopped = await comfy.run(prompt, during=stop)
    assert stopped.end == "execution_interrupted"
    assert stopped.events[-1][0] - pressed[0] < 2
    assert [state for _, state in _jobs(comfy, wish)] == ["submitted"]
    result = await comfy.run(prompt)
    assert result.end == "execution_success", result.last
    assert [state for _, state in _jobs(comfy, wish)] == ["saved"]
    assert sandbox("/_sandbox/ledger")["submits"] == before + 1


async def test_an_error_is_shown_whole(comfy: Any, text: Any, save: Any) -> None:
    bad = text(connection="sandbox", prompt="", duration=3, aspect_ratio="4:3", resolution="1080p")
    result = await comfy.run({"1": bad, "2": save("1")})
    assert result.end == "execution_error"
    assert result.last["exception_type"] == "grok_imagine.errors.RequestError", "no path in front of the text"
    message = result.last["exception_message"]
    for field in ("prompt", "duration_seconds", "aspect_ratio", "resolution"):
        assert f"- {field}: " in message
    assert "nothing was sent or charged" in message


async def test_an_unknown_connection_is_refused_when_the_prompt_is_queued(comfy: Any, text: Any, save: Any) -> None:
    import urllib.error

    with pytest.raises(urllib.error.HTTPError) as caught:
        comfy.post("/prompt", {"prompt": {"1": text(connection="nowhere"), "2": save("1")}})
    answer = json.loads(caught.value.read())
    details = answer["node_errors"]["1"]["errors"][0]["details"]
    assert "no connection 'nowhere'" in details
    assert "sandbox" in details


async def test_a_provider_s_call_is_let_in(comfy: Any, sandbox: Any, text: Any, save: Any) -> None:
    """By ComfyUI's own checks of where a request comes from; it then makes the next poll come sooner."""
    mine = {"dialect": "aivideoapi", "base_url": f"{sandbox.url}/aivideoapi", "api_key": "sk-sandbox", "pace": 10}
    settings = comfy.home / "settings.json"
    settings.write_text(json.dumps({"public_callback_base": comfy.url, "connections": {"mine": mine}}))
    settings.chmod(0o600)
    known = len(sandbox("/_sandbox/requests")["callbacks"])
    result = await comfy.run({"1": text(connection="mine", prompt="a clip it is told of", duration=6), "2": save("1")})
    assert result.end == "execution_success", result.last
    assert [one["status"] for one in sandbox("/_sandbox/requests")["callbacks"][known:]] == [204]
    assert result.events[-1][0] < 45, "the next poll was to come after 50 seconds"


async def test_no_key_gets_out(comfy: Any, sandbox: Any, text: Any, save: Any) -> None:
    """Runs last: a connection with a key of its own makes a clip, then everything that was written is searched."""
    own = {"dialect": "reapi", "base_url": f"{sandbox.url}/reapi", "api_key": "rk_live_sandbox_MARKER7own"}
    settings = comfy.home / "settings.json"
    settings.write_text(json.dumps({"connections": {"own": own}}))
    settings.chmod(0o600)
    wish = "made with a key"
    prompt = {
        "1": text(connection="own", prompt=wish, duration=6),
        "2": save("1"),
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 4]}},
    }
    result = await comfy.run(prompt)
    assert result.end == "execution_success", result.last
    refused = await comfy.run({"1": text(connection="own", prompt="x [sandbox:401]", duration=6), "2": save("1")})
    assert refused.end == "execution_error"
    info = comfy.get("/object_info")
    assert {"own", "studio", "reapi"} <= set(info["GIVTextToVideo"]["input"]["required"]["connection"][1]["options"])
    spoken = [info, comfy.get("/history"), comfy.get("/queue"), result.events, refused.events, result.outputs]
    assert "MARKER" not in json.dumps(spoken)
    time.sleep(1)
    links_not_followed = [path for path in comfy.base.rglob("*") if path.is_file() and path != settings]
    assert {"journal.db", "server.log"} <= {path.name for path in links_not_followed}
    assert any(path.suffix == ".mp4" and "output" in path.parts for path in links_not_followed)
    assert [path for path in links_not_followed if b"MARKER" in path.read_bytes()] == []
    assert settings.stat().st_mode & 0o077 == 0
    log = comfy.log.read_text("utf-8")
    assert "signature=" not in log, "a signed URL lets whoever reads the log have the clip"
    assert "HTTP Request" not in log
