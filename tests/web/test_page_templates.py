"""Every template, opened in the page: nothing overlaps, nothing is red, and its values are sent as they are written."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from .worlds import EVERYWHERE

FOLDER = Path(__file__).resolve().parents[2] / "example_workflows"
TITLE = 30
"""A node's title bar, which lies above its position."""
BOXES = """() => app.graph._nodes.map(node => {
    const drawn = document.querySelector(`[data-node-id="${node.id}"]`)?.getBoundingClientRect();
    const [x, y] = node.pos, scale = app.canvas.ds.scale;
    const height = drawn ? drawn.height / scale - TITLE : node.size[1];
    return [node.title, x, y - TITLE, x + node.size[0], y + height, Boolean(node.has_errors)];
})""".replace("TITLE", str(TITLE))


@pytest.mark.parametrize("world", EVERYWHERE)
async def test_each_opens_tidily_and_is_sent_as_it_is(page: Any) -> None:
    await page.open()
    paths = sorted(FOLDER.glob("*.json"))
    assert len(paths) >= 8
    for path in paths:
        workflow = json.loads(path.read_text("utf-8"))
        await page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        await page.still(BOXES)
        await page.fit()
        boxes = await page.still(BOXES)
        assert await page.evaluate("() => app.canvas.ds.scale") >= 0.7, path.stem
        await page.shot(f"template-{path.stem}")
        assert len(boxes) == len(workflow["nodes"])
        assert [box for box in boxes if box[5]] == []
        for one, other in combinations(boxes, 2):
            is_apart = one[1] >= other[3] or other[1] >= one[3] or one[2] >= other[4] or other[2] >= one[4]
            assert is_apart, (path.stem, one, other)
        kept = await page.evaluate(
            "() => app.graph.serialize().nodes.map(node => [node.id, node.widgets_values ?? []])"
        )
        wanted = {node["id"]: node["widgets_values"] for node in workflow["nodes"] if node["type"].startswith("GIV")}
        assert {number: values for number, values in kept if number in wanted} == wanted
        marked = "() => app.graph._nodes.flatMap(node => node.widgets ?? []).filter(one => one.isGrokMarked).length"
        assert await page.evaluate(marked) == 0, path.stem
