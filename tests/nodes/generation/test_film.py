"""The film and cast nodes: one line a shot, what is changed made again, names that stand for images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

QUICK = {"connection": "sandbox-xai", "duration": 1, "resolution": "480p"}


async def test_a_film_and_what_a_change_costs(run: Any, sandbox: Any, host: Any) -> None:
    shots = "a kite\n[continue] it turns\n[take 2 of 2] a boat"
    video, clips, edits, info = await run("GIVFilm", **QUICK, shots=shots)
    told = json.loads(info)
    assert sandbox.submits == 4
    assert told["frames"] == 3 * 24 - 1
    assert video.get_stream_source() == told["file"]
    used = [take["file"] for take in told["takes"] if take["is_used"]]
    assert [clip.get_stream_source() for clip in clips] == used
    assert len(json.loads(edits)["tracks"]["children"][0]["children"]) == 3
    assert any("3 shots, 4 takes: 4 new" in text for _, _, text in host.texts)
    await run("GIVFilm", "2", **QUICK, shots=shots.replace("take 2", "take 1"))
    assert sandbox.submits == 4, "another take is there already"
    await run("GIVFilm", "2", **QUICK, shots=shots.replace("a boat", "a ship"))
    assert sandbox.submits == 6, "two takes of the shot that was changed"
    same = await run("GIVTextToVideo", **QUICK, prompt="a kite")
    assert same[1] == told["takes"][0]["job_id"], "a node and a shot share their clips"


async def test_a_cast_is_rendered_to_the_providers_tokens(run: Any, sandbox: Any) -> None:
    (first,) = await run("GIVCast", name="@anna", images=torch.rand(2, 72, 128, 3))
    (cast,) = await run("GIVCast", name="bob", images=torch.rand(1, 72, 128, 3), cast=first)
    shots = "@bob greets @anna; both laugh\n[continue] they walk on"
    await run("GIVFilm", **QUICK, shots=shots, cast=cast)
    bodies = [one["body"] for one in sandbox.requests if one["method"] == "POST"]
    assert len(bodies[0]["reference_images"]) == 3
    assert "<IMAGE_1> greets <IMAGE_2> <IMAGE_3>; both" in bodies[0]["prompt"]
    assert "image" in bodies[1]


@pytest.mark.parametrize(
    ("names", "shots", "words"),
    [
        (["anna"], "@zoe waves", "line 1: @zoe is not in the cast (@anna)"),
        (["anna", "Anna"], "@anna waves", "@Anna: is in the cast twice"),
        (["a b"], "a kite", "@a b: is no name"),
        (["image1"], "a kite", "@image1: is no name"),
        (["a", "b", "c", "d"], "@a @b @c @d meet", "shot 1 (line 1), reference_images"),
    ],
)
async def test_the_cast_is_checked_before_anything_is_sent(
    names: list[str], shots: str, words: str, run: Any, sandbox: Any, part: Any
) -> None:
    cast: Any = ()
    for name in names:
        (cast,) = await run("GIVCast", name=name, images=torch.rand(2, 72, 128, 3), cast=cast)
    with pytest.raises(part("grok_imagine.errors").RequestError) as caught:
        await run("GIVFilm", **QUICK, shots=shots, cast=cast)
    assert words in str(caught.value)
    assert sandbox.submits == 0


async def test_a_workflow_reads_no_files(run: Any, sandbox: Any, part: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"x")
    with pytest.raises(part("grok_imagine.errors").RequestError, match="local files are not allowed here"):
        await run("GIVFilm", **QUICK, shots=f"@anna = {secret}\n@anna waves")
    assert sandbox.submits == 0


async def test_limits_and_drafts(run: Any, sandbox: Any, part: Any) -> None:
    wish = {"shots": "a kite\na boat", "duration": 6}
    with pytest.raises(part("grok_imagine.errors").RequestError, match="more than your limit"):
        await run("GIVFilm", connection="sandbox", **wish, max_usd=0.1)
    assert sandbox.submits == 0
    *_, info = await run("GIVFilm", connection="xai", **wish, draft=True)
    assert json.loads(info)["takes"][0]["state"] == "made"
    assert sandbox.submits == 2, "the sandbox stands for the connection, which needs no key"
