"""Workflows that were saved by an earlier version: opened, sent and saved again, they are what they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .worlds import EVERYWHERE

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "stored" / "workflows"
API = sorted(FOLDER.glob("*.api.json"))
PROMPT = "async () => (await app.graphToPrompt()).output"
SAVED = "() => app.graph.serialize()"


def prompt_of(nodes: dict[str, Any]) -> dict[str, Any]:
    """The inputs of our nodes, links included; front ends differ in what they send of the core's."""
    return {number: one["inputs"] for number, one in nodes.items() if one["class_type"].startswith("GIV")}


@pytest.mark.parametrize("world", EVERYWHERE)
async def test_an_old_workflow_sends_and_saves_what_it_did(page: Any) -> None:
    await page.open()
    assert len(API) == 9
    for path in API:
        workflow = json.loads(path.with_name(path.name.replace(".api.", ".")).read_text("utf-8"))
        wanted = prompt_of(json.loads(path.read_text("utf-8")))
        values = {one["id"]: one.get("widgets_values", []) for one in workflow["nodes"] if one["type"][:3] == "GIV"}
        await page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        await page.quoted()
        assert prompt_of(await page.evaluate(PROMPT)) == wanted, path.stem
        saved = await page.evaluate(SAVED)
        assert {one["id"]: one["widgets_values"] for one in saved["nodes"] if one["id"] in values} == values, path.stem
        await page.evaluate("workflow => app.loadGraphData(workflow)", saved)
        assert prompt_of(await page.evaluate(PROMPT)) == wanted, (path.stem, "saved and opened again")


@pytest.mark.parametrize("world", EVERYWHERE)
async def test_an_old_prompt_opens_with_its_values(page: Any) -> None:
    await page.open()
    for path in API:
        nodes = json.loads(path.read_text("utf-8"))
        await page.evaluate("([prompt, name]) => app.loadApiJson(prompt, name)", [nodes, path.stem])
        await page.quoted()
        assert prompt_of(await page.evaluate(PROMPT)) == prompt_of(nodes), path.stem
