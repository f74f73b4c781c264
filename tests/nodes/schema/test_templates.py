"""The templates: as their generator draws them, true to the nodes, and each run on the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ..tools import load_tool

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "example_workflows"
WRITES = bool(os.environ.get("GROK_IMAGINE_WRITE"))  # asked here, as tests of nodes hide such settings from the pack


WORKFLOW = load_tool("workflow")
DRAWN = {draw.__name__: draw for draw in load_tool("templates").DRAWN}
OURS = {
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
}
"""Each of these is shown by a template."""


@pytest.fixture
def info(nodes: dict[str, Any], home: Path) -> dict[str, Any]:
    return {name: node.GET_NODE_INFO_V1() for name, node in nodes.items()}


@pytest.mark.parametrize("name", DRAWN)
def test_a_template_is_as_it_is_drawn(name: str, info: dict[str, Any]) -> None:
    graph = WORKFLOW.Graph(info)
    DRAWN[name](graph)
    path = FOLDER / f"{name}.json"
    if WRITES:
        path.write_text(WORKFLOW.dumped(graph.workflow), "utf-8")
    assert path.read_text("utf-8") == WORKFLOW.dumped(graph.workflow), "run this test with GROK_IMAGINE_WRITE=1"


def test_all_of_them_are_drawn_and_have_their_picture() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(DRAWN)
    assert {path.stem for path in FOLDER.glob("*.jpg")} == set(DRAWN)
    shown = {node["type"] for name in DRAWN for node in _workflow(name)["nodes"]}
    assert shown >= OURS


@pytest.mark.parametrize("name", DRAWN)
def test_every_value_is_one_that_its_node_offers(name: str, info: dict[str, Any]) -> None:
    every = {**WORKFLOW.CORE, **info}
    for node in _workflow(name)["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        declared = {key: one for part in every[node["type"]]["input"].values() for key, one in part.items()}
        for key, value in _values(node, every[node["type"]]).items():
            kind, *rest = declared[key]
            more = rest[0] if rest else {}
            options = kind if isinstance(kind, list) else more.get("options")
            if options:
                assert value in options, (node["type"], key)
            elif kind in ("INT", "FLOAT"):
                assert more.get("min", value) <= value <= more.get("max", value), (node["type"], key)


@pytest.mark.parametrize("name", DRAWN)
def test_comfy_s_own_validation_takes_it(name: str, info: dict[str, Any], tmp_path: Path) -> None:
    program = os.environ.get("COMFY_CLI")
    if not program:
        pytest.skip("COMFY_CLI names no program")
    every, workflow = {**WORKFLOW.CORE, **info}, _workflow(name)
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    prompt = {}
    for node in workflow["nodes"]:
        if node["type"] in every:
            linked = {one["name"]: links[one["link"]] for one in node["inputs"] if one["link"] is not None}
            values = {**_values(node, every[node["type"]]), **linked}
            prompt[str(node["id"])] = {"class_type": node["type"], "inputs": values}
    (tmp_path / "prompt.json").write_text(json.dumps(prompt), "utf-8")
    (tmp_path / "info.json").write_text(json.dumps(every), "utf-8")
    command = [program, "--json", "workflow", "validate"]
    command += ["--workflow", str(tmp_path / "prompt.json"), "--input", str(tmp_path / "info.json")]
    plain = {**os.environ, "DO_NOT_TRACK": "1"}
    said = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=120)
    answer = json.loads(said.stdout)
    assert answer["ok"], answer
    assert (answer["data"]["errors"], answer["data"]["warnings"]) == ([], [])
    assert answer["data"]["spends_credits"] is False, "it counts as no partner node"


@pytest.mark.parametrize("name", DRAWN)
async def test_a_template_makes_its_clips_on_the_sandbox(name: str, run: Any, sandbox: Any, info: Any) -> None:
    """Our nodes run for real, in order; what ComfyUI's own would do to pictures does not matter here."""
    workflow = _workflow(name)
    every = {**WORKFLOW.CORE, **info}
    links = {link[0]: (link[1], link[2]) for link in workflow["links"]}
    made: dict[int, Any] = {}
    for node in sorted(workflow["nodes"], key=lambda one: one["order"]):
        kind = node["type"]
        if kind == "MarkdownNote":
            continue
        linked = {one["name"]: links[one["link"]] for one in node["inputs"] if one["link"] is not None}
        inputs = {key: made[origin][slot] for key, (origin, slot) in linked.items()}
        if kind.startswith("GIV"):
            given = {**_values(node, every[kind]), **inputs}
            if kind == "GIVBatch":  # it takes lists, as ComfyUI hands them to such a node
                given = {key: [value] for key, value in given.items()}
            made[node["id"]] = await run(kind, str(node["id"]), **given)
        else:
            made[node["id"]] = tuple(_stand_in(output) for output in every[kind]["output"])
        if kind == "SaveVideo":
            videos = inputs["video"] if isinstance(inputs["video"], list) else [inputs["video"]]
            assert all(video is _FILM or video.get_duration() > 3 for video in videos)
    clips = Counter(
        {
            "GIVBatch": 2,
            "GIVContinueVideo": 1,
            "GIVFilm": 2,
            "GIVCast": -1,
            "GIVWaitForTask": -1,
            "GIVLoadVideoFrames": -1,
        }
    )
    ours = [node["type"] for node in workflow["nodes"] if node["type"].startswith("GIV")]
    assert sandbox.submits == sum(1 + clips[kind] for kind in ours), "each clip is submitted once"


_FILM = object()


def _stand_in(kind: str) -> Any:
    import torch

    shapes = {"IMAGE": (1, 96, 160, 3), "MASK": (1, 96, 160)}
    return torch.full(shapes[kind], 0.5) if kind in shapes else _FILM


def _workflow(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def _values(node: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
    """The values by name, as the page reads them from their places."""
    values = iter(node["widgets_values"])
    found = {}
    for part in info["input"].values():
        for key, (kind, *more) in part.items():
            if isinstance(kind, list) or kind in ("COMBO", "STRING", "INT", "FLOAT", "BOOLEAN"):
                found[key] = next(values)
                if more and more[0].get("control_after_generate"):
                    assert next(values) == "fixed"
    assert list(values) == [], node["type"]
    return found
