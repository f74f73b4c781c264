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
    assert sandbox.submits == 4, "run again, nothing is paid again"


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
    with pytest.raises(errors.RequestError, match="files are not read here"):
        await run("GIVBatch", **QUICK, rows=[json.dumps({"prompt": "a", "images": [str(secret)]})])
    with pytest.raises(errors.RequestError, match="3 images for 2 rows"):
        await run("GIVBatch", **QUICK, rows=["a\nb"], images=[torch.rand(3, 72, 128, 3)])
    assert sandbox.submits == 0


async def test_a_node_falls_back_before_acceptance_only(run: Any, sandbox: Any, part: Any) -> None:
    wish = {"prompt": "a kite", "duration": 1, "fallbacks": "sandbox-apiinone, sandbox-xai"}
    made = json.loads((await run("GIVTextToVideo", connection="reapi", **wish))[4])
    assert made["dialect"] == "xai"
    assert [one.split(":")[0] for one in made["warnings"][:2]] == [
        "not taken by reapi",
        "not taken by sandbox-apiinone",
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
