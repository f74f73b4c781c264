"""Workflows that were saved with an older version, as ComfyUI's page and as its API have them: the nodes take them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ..tools import load_tool

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "stored" / "workflows"
PAGES = sorted(path for path in FOLDER.glob("*.json") if not path.name.endswith(".api.json"))
CORE = load_tool("workflow").CORE


@pytest.fixture
def info(nodes: dict[str, Any], home: Path) -> dict[str, Any]:
    return {**CORE, **{name: node.GET_NODE_INFO_V1() for name, node in nodes.items()}}


def _inputs(info: Mapping[str, Any]) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    parts = info["input"]
    declared = {name: one for part in ("required", "optional") for name, one in parts.get(part, {}).items()}
    return {name: (kind, more[0] if more else {}) for name, (kind, *more) in declared.items()}


def _is_offered(kind: Any, more: Mapping[str, Any], value: Any) -> bool:
    options = kind if isinstance(kind, list) else more.get("options")
    if options:
        return value in options
    types = {"INT": int, "FLOAT": (int, float), "BOOLEAN": bool, "STRING": str}
    if not isinstance(value, types.get(kind, object)):
        return False
    return kind not in ("INT", "FLOAT") or more.get("min", value) <= value <= more.get("max", value)


def _widgets(node: Mapping[str, Any], info: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values by name, as the page reads them: by their order alone."""
    values = iter(node["widgets_values"])
    for name, (kind, more) in _inputs(info).items():
        if isinstance(kind, list) or kind in ("COMBO", "STRING", "INT", "FLOAT", "BOOLEAN"):
            yield name, next(values)
            if more.get("control_after_generate"):
                next(values)
    assert list(values) == [], "values that no input takes"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_s_workflow_is_loaded(path: Path, info: dict[str, Any]) -> None:
    workflow = json.loads(path.read_text("utf-8"))
    nodes = {node["id"]: node for node in workflow["nodes"] if node["type"] != "MarkdownNote"}
    for node in nodes.values():
        declared = _inputs(info[node["type"]])
        for name, value in _widgets(node, info[node["type"]]):
            assert _is_offered(*declared[name], value), (node["type"], name, value)
        assert {one["name"] for one in node["inputs"]} <= set(declared), node["type"]
        names = [one["name"] for one in node["outputs"]]
        assert names == list(info[node["type"]]["output_name"])[: len(names)], node["type"]
    for _, origin, slot, target, socket, kind in workflow["links"]:
        name = nodes[target]["inputs"][socket]["name"]
        assert kind == info[nodes[origin]["type"]]["output"][slot]
        assert name in _inputs(info[nodes[target]["type"]])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_page_and_the_api_read_the_same_values(path: Path, info: dict[str, Any]) -> None:
    prompt = json.loads(path.with_suffix(".api.json").read_text("utf-8"))
    page = {str(node["id"]): node for node in json.loads(path.read_text("utf-8"))["nodes"]}
    assert prompt.keys() == {number for number, node in page.items() if node["type"] != "MarkdownNote"}
    for number, node in prompt.items():
        declared = _inputs(info[node["class_type"]])
        links = {name: link for name, link in node["inputs"].items() if isinstance(link, list)}
        values = {name: value for name, value in node["inputs"].items() if name not in links}
        widgets = dict(_widgets(page[number], info[node["class_type"]]))
        assert values == {name: value for name, value in widgets.items() if name not in links}
        assert all(_is_offered(*declared[name], value) for name, value in values.items()), node["class_type"]
        required = set(info[node["class_type"]]["input"].get("required", {}))
        assert required <= set(node["inputs"]), "what is required is given"
        for name, (origin, slot) in links.items():
            assert name in declared
            assert slot < len(info[prompt[origin]["class_type"]]["output"])
