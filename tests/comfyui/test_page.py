"""In the real page: every example loads, nothing overlaps, and a picture of it is kept in artifacts/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.comfyui, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
TITLE = 30
"""A node's title bar, which lies above its position."""


@pytest.fixture
async def page(comfy: Any, wait_until_ready: Any) -> Any:
    driver = pytest.importorskip("playwright.async_api")
    if not CHROMIUM.exists():
        pytest.skip("there is no /usr/bin/chromium")
    comfy.post("/settings/Comfy.TutorialCompleted", True)  # else its dialog covers the page
    async with driver.async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        opened = await browser.new_page(viewport={"width": 1600, "height": 900})
        await opened.goto(comfy.url, wait_until="domcontentloaded")
        await wait_until_ready(opened)
        yield opened
        await browser.close()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_an_example_is_laid_out_tidily(path: Path, page: Any, as_prompt: Any) -> None:
    workflow = json.loads(path.read_text("utf-8"))
    await page.evaluate("w => window.app.loadGraphData(w)", workflow)
    await page.wait_for_timeout(1000)
    await page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    await page.wait_for_timeout(1500)
    artifacts = ROOT / "artifacts"
    artifacts.mkdir(exist_ok=True)
    await page.screenshot(path=str(artifacts / f"{path.stem}.png"))
    nodes = await page.evaluate(
        "() => window.app.graph._nodes.map(n => ({pos: [...n.pos], size: [...n.size], bad: n.has_errors}))"
    )
    assert len(nodes) == len(workflow["nodes"])
    assert not [node for node in nodes if node["bad"]]
    boxes = [(n["pos"][0], n["pos"][1] - TITLE, n["pos"][0] + n["size"][0], n["pos"][1] + n["size"][1]) for n in nodes]
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3], (one, other)
    sent = await page.evaluate("async () => (await window.app.graphToPrompt()).output")
    ours = as_prompt(workflow)
    for number, node in ours.items():
        assert sent[number]["class_type"] == node["class_type"]
        if node["class_type"].startswith("GIV") or node["class_type"] == "SaveVideo":
            assert sent[number]["inputs"] == node["inputs"], "what the page sends is what the tests run"


async def test_a_new_node_looks_right(page: Any) -> None:
    await page.evaluate(
        """() => {
            window.app.graph.clear();
            const types = ["GIVTextToVideo", "GIVImageToVideo", "GIVWaitForTask", "GIVLoadVideoFrames"];
            types.forEach((type, i) => {
                const node = LiteGraph.createNode(type);
                node.pos = [440 * i, 60];
                window.app.graph.add(node);
            });
        }"""
    )
    await page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    await page.wait_for_timeout(1500)
    (ROOT / "artifacts").mkdir(exist_ok=True)
    await page.screenshot(path=str(ROOT / "artifacts" / "new_nodes.png"))
    values = await page.evaluate(
        "() => Object.fromEntries(window.app.graph._nodes[0].widgets.map(w => [w.name, w.value]))"
    )
    expected = {"prompt": "", "connection": "sandbox", "duration": 6, "resolution": "auto", "aspect_ratio": "auto"}
    assert list(values)[:6] == [*expected, "seed"], "what is seen at first, in this order"
    assert {name: values[name] for name in expected} == expected
    # A seed that changed by itself would buy a clip on each run.
    control = "() => window.app.graph._nodes[0].widgets.find(w => w.name === 'seed').linkedWidgets[0].value"
    assert (values["seed"], await page.evaluate(control)) == (0, "fixed")
    assert (values["model"], values["motion_mode"]) == ("auto", "auto")


async def test_the_progress_is_seen_on_the_node(page: Any) -> None:
    workflow = json.loads((ROOT / "example_workflows" / "Text to Video.json").read_text("utf-8"))
    maker = next(node for node in workflow["nodes"] if node["type"] == "GIVTextToVideo")
    maker["widgets_values"][2] = "seen while it is made"
    await page.evaluate("w => window.app.loadGraphData(w)", workflow)
    await page.wait_for_timeout(1000)
    await page.evaluate("() => window.app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    await page.evaluate("() => window.app.queuePrompt(0)")
    await page.wait_for_function(
        "() => [...document.querySelectorAll('.giv-node-status')]"
        ".some(one => /Generating.*credits/.test(one.textContent))",
        timeout=30_000,
    )
    await page.screenshot(path=str(ROOT / "artifacts" / "running.png"))
