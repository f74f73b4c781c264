"""Prompts in API form of an earlier version: every input, value and output that they name is still there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "old_workflows" / "api"
PROMPTS = sorted(FOLDER.glob("*.json"))
CLIP = ["VIDEO", "STRING", "STRING", "STRING", "STRING"]
OUTPUTS = {
    "GIVTextToVideo": CLIP,
    "GIVImageToVideo": CLIP,
    "GIVEditVideo": CLIP,
    "GIVExtendVideo": CLIP,
    "GIVWaitForTask": CLIP,
    "GIVContinueVideo": ["VIDEO", "STRING", "STRING"],
    "GIVBatch": ["VIDEO", "STRING", "STRING"],
}
"""The outputs of earlier versions. Links name them by position, so new ones can only follow these."""


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_every_input_is_still_there(path: Path, nodes: dict[str, Any]) -> None:
    for node in json.loads(path.read_text("utf-8")).values():
        if node["class_type"] not in nodes:
            continue
        info = nodes[node["class_type"]].GET_NODE_INFO_V1()["input"]
        offered = {**info["required"], **info.get("optional", {})}
        assert set(info["required"]) <= set(node["inputs"]) <= set(offered)
        for name, value in node["inputs"].items():
            kind, *rest = offered[name]
            options = kind if isinstance(kind, list) else (rest[0] if rest else {}).get("options")
            if options and not isinstance(value, list):
                assert value in options, (node["class_type"], name)


def test_all_nine_are_here() -> None:
    assert len(PROMPTS) == 9


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_keep_their_places(name: str, nodes: dict[str, Any]) -> None:
    assert nodes[name].GET_NODE_INFO_V1()["output"][: len(OUTPUTS[name])] == OUTPUTS[name]
