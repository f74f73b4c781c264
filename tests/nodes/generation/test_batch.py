"""The batch node, and a choice of connections: rows in any shape, images by row, what failed told and not fatal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

QUICK = {"connection": ["sandbox-xai"], "duration": [1], "resolution": ["480p"]}


async def test_lines_objects_and_lists_are_rows(run: Any, sandbox: Any) -> None:
    rows = ["a kite", '{"prompt": "a boat", "duration": 2}', "a kite\n\na tree"]
    videos, results, summary = await run("GIVBatch", "9", **QUICK, rows=rows)
    told = [json.loads(line) for line in results.splitlines()]
    assert [row["request"]["prompt"] for row in told] == ["a kite", "a boat", "a kite", "a tree"]
    assert [row["request"]["duration_seconds"] for row in told] == [1, 2, 1, 1]
    assert [video.get_stream_source() for video in videos] == [row["file"] for row in told]
    assert summary.startswith("4 rows: 4 done · $")
    await run("GIVBatch", "9", **QUICK, rows=rows)
    assert sandbox.submits == 3, "an equal row is the same clip, and run again, nothing is paid again"
    same = {name: value[0] for name, value in QUICK.items()}
    made = await run("GIVTextToVideo", **same, prompt="a tree")
    assert made[1] == told[3]["job_id"], "a node and a row share their clips"
    assert sandbox.submits == 3


async def test_csv_with_an_image_for_each_row(run: Any, sandbox: Any) -> None:
    images = [torch.rand(1, 72, 128, 3), torch.rand(1, 72, 128, 3)]
    text = "prompt,duration\nit turns,1\nit falls,2\n"
    videos, results, _ = await run("GIVBatch", **QUICK, rows=[text], images=images)
    assert len(videos) == 2
    bodies = [one["body"] for one in sandbox.requests if one["method"] == "POST"]
    assert len({body["image"]["url"] for body in bodies}) == 2
    assert "sha256:" in json.loads(results.splitlines()[0])["request"]["reference_images"][0]


async def test_a_failed_row_is_told(run: Any, part: Any) -> None:
    videos, results, summary = await run("GIVBatch", **QUICK, rows=["a kite\na stone [sandbox:failed]"])
    assert len(videos) == 1
    assert "1 failed" in summary
    assert json.loads(results.splitlines()[1])["error_kind"] == "JobFailed"
    with pytest.raises(part("grok_imagine.errors").JobFailed, match=r"No row has become a clip.*Row 1: "):
        await run("GIVBatch", "2", **QUICK, rows=["a stone [sandbox:failed]"])


async def test_a_workflow_reads_no_files(run: Any, sandbox: Any, part: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"x")
    errors = part("grok_imagine.errors")
    with pytest.raises(errors.RequestError, match="local files are not allowed here"):
        await run("GIVBatch", **QUICK, rows=[json.dumps({"prompt": "a", "images": [str(secret)]})])
    with pytest.raises(errors.RequestError, match="3 images for 2 rows"):
        await run("GIVBatch", **QUICK, rows=["a\nb"], images=[torch.rand(3, 72, 128, 3)])
    assert sandbox.submits == 0


async def test_a_node_falls_back_before_acceptance_only(run: Any, sandbox: Any, part: Any) -> None:
    wish = {"prompt": "a kite", "duration": 1, "fallbacks": "sandbox-apiinone, sandbox-xai"}
    made = json.loads((await run("GIVTextToVideo", connection="reapi", **wish))[4])
    assert made["dialect"] == "xai"
    assert [one.split(":")[0] for one in made["warnings"][:2]] == [
        "not accepted by reapi",
        "not accepted by sandbox-apiinone",
    ]
    image = await run("GIVImageToVideo", connection="reapi", **wish, image_1=torch.rand(1, 72, 128, 3))
    assert json.loads(image[4])["dialect"] == "xai"
    with pytest.raises(part("grok_imagine.errors").JobFailed):
        await run(
            "GIVTextToVideo",
            "2",
            connection="sandbox-xai",
            prompt="x [sandbox:failed]",
            duration=1,
            fallbacks="sandbox",
        )


# -- run again: what ComfyUI may take from its cache, and what is made, paid and fetched


@pytest.fixture
def look(nodes: dict[str, Any]) -> Any:
    """What the node tells ComfyUI of itself before a run, asked as ComfyUI asks."""
    from comfy_api.latest import _io

    def ask(node_id: str) -> Any:
        clone = nodes["GIVBatch"].PREPARE_CLASS_CLONE({"hidden_inputs": {_io.Hidden.unique_id: node_id}})
        return clone.fingerprint_inputs(**QUICK, rows=["a kite"])

    return ask


async def test_what_is_made_is_left_alone_and_what_is_new_is_made(run: Any, look: Any, sandbox: Any) -> None:
    images = [torch.rand(1, 72, 128, 3), torch.rand(1, 72, 128, 3)]
    wish = {**QUICK, "rows": ["it turns\nit falls"], "images": images, "seed": [7]}
    before = look("21")
    videos, *_ = await run("GIVBatch", "21", **wish)
    assert look("21") == look("21") == before, "all is done: ComfyUI may take it from its cache"
    again, *_ = await run("GIVBatch", "21", **wish)
    assert [one.get_stream_source() for one in again] == [one.get_stream_source() for one in videos]
    assert sandbox.submits == 2
    another = {**wish, "images": [images[0], torch.rand(1, 72, 128, 3)]}
    changed, *_ = await run("GIVBatch", "21", **another)
    assert changed[0].get_stream_source() == videos[0].get_stream_source()
    assert changed[1].get_stream_source() != videos[1].get_stream_source()
    assert sandbox.submits == 3, "the row with another image, and no other"
    await run("GIVBatch", "21", **{**wish, "rows": ["it turns\nit falls\nit stops"], "images": [*images, images[0]]})
    assert sandbox.submits == 4, "the row that was added"
    await run("GIVBatch", "21", **{**wish, "seed": [8]})
    assert sandbox.submits == 6, "a new seed, all of them"
    await run("GIVBatch", "21", **wish)
    assert sandbox.submits == 6


async def test_rows_that_are_left_are_gone_on_with(run: Any, look: Any, sandbox: Any) -> None:
    wish = {"connection": ["sandbox"], "duration": [6], "rows": ["a kite\na boat"]}
    _, _, summary = await run("GIVBatch", "22", **wish, max_usd=[0.06])  # one clip is $0.054
    assert "1 done" in summary
    assert "1 waiting" in summary
    first, second = look("22"), look("22")
    assert first != second, "Run goes on, though no input has changed"
    _, _, summary = await run("GIVBatch", "22", **wish)
    assert summary.startswith("2 rows: 2 done")
    assert look("22") == look("22")
    assert sandbox.submits == 2


async def test_failed_rows_are_made_anew_only_by_wish(run: Any, look: Any, sandbox: Any) -> None:
    wish = {**QUICK, "rows": ["a kite\na stone [sandbox:failed]"]}
    await run("GIVBatch", "23", **wish)
    assert look("23") == look("23")
    await run("GIVBatch", "23", **wish)
    assert sandbox.submits == 2
    await run("GIVBatch", "23", **wish, retry_failed=[True])
    assert sandbox.submits == 3
    assert look("23") != look("23"), "and each Run is a try, as long as one fails"


async def test_a_clip_that_is_gone_is_fetched_again(run: Any, look: Any, sandbox: Any) -> None:
    wish = {**QUICK, "rows": ["a kite\na boat"]}
    videos, *_ = await run("GIVBatch", "24", **wish)
    gone = Path(videos[1].get_stream_source())
    gone.unlink()
    assert look("24") != look("24")
    again, results, _ = await run("GIVBatch", "24", **wish)
    assert len(again) == 2
    assert gone.read_bytes()[4:8] == b"ftyp"
    assert [json.loads(line)["state"] for line in results.splitlines()] == ["done", "done"]
    assert look("24") == look("24")
    assert sandbox.submits == 2
