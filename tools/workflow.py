"""Puts a workflow together as ComfyUI's page saves it, from the nodes as they are; ``templates.py`` says which ones.

Inputs, outputs and defaults come from our schemas and, for the few of ComfyUI's own nodes, from ``core_nodes.json``
(ComfyUI 0.18.1's ``/object_info``, those nodes alone), so that no workflow speaks of a node that was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CORE: dict[str, Any] = json.loads(Path(__file__).with_name("core_nodes.json").read_text("utf-8"))
_VALUES = ("COMBO", "STRING", "INT", "FLOAT", "BOOLEAN")
_OURS, _CORE, _NOTE, _GROUP = ("#223", "#335"), ("#232", "#353"), ("#432", "#653"), "#b58b2a"

Node = dict[str, Any]


class Graph:
    """A workflow as ComfyUI's page saves it, put together node by node."""

    def __init__(self, info: Mapping[str, Any]) -> None:
        self._info = {**CORE, **info}
        self._nodes: list[Node] = []
        self._links: list[list[Any]] = []
        self._groups: list[dict[str, Any]] = []

    def note(self, at: tuple[int, int], size: tuple[int, int], text: str) -> None:
        """What the template shows, in Markdown."""
        node = self._add("MarkdownNote", at, size, "Read me", _NOTE)
        node["widgets_values"] = [text]

    def node(
        self,
        kind: str,
        at: tuple[int, int],
        size: tuple[int, int],
        title: str | None = None,
        links: Mapping[str, tuple[Node, str]] | None = None,
        **values: Any,
    ) -> Node:
        """A node with its default values, but for ``values``; ``links`` says which output each socket gets."""
        colour = _OURS if kind.startswith("GIV") else _CORE if kind == "SaveVideo" else None
        node = self._add(kind, at, size, title, colour)
        info = self._info[kind]
        node["properties"] = {"Node name for S&R": kind}
        for part in ("required", "optional"):
            for name, (type_, *more) in info["input"].get(part, {}).items():
                self._input(node, name, type_, more[0] if more else {}, values, is_optional=part == "optional")
        pairs = zip(info["output_name"], info["output"], strict=True)
        node["outputs"] = [{"name": name, "type": type_, "links": None} for name, type_ in pairs]
        if values:
            raise KeyError(f"{kind} has no {', '.join(values)}")
        for socket, (origin, output) in (links or {}).items():
            self._link(origin, output, node, socket)
        return node

    def group(self, title: str, box: tuple[int, int, int, int]) -> None:
        """A frame with a title around what lies in that box: left, top, width, height."""
        one = {"title": title, "bounding": list(box), "color": _GROUP, "font_size": 22, "flags": {}}
        self._groups.append({"id": len(self._groups) + 1, **one})

    @property
    def workflow(self) -> dict[str, Any]:
        """The whole."""
        ends = {"revision": 0, "last_node_id": len(self._nodes), "last_link_id": len(self._links)}
        view = {"ds": {"scale": 0.75, "offset": [60, 60]}}
        parts = {"nodes": self._nodes, "links": self._links, "groups": self._groups}
        return {**ends, **parts, "config": {}, "extra": view, "version": 0.4}

    def _add(self, kind: str, at: Any, size: Any, title: str | None, colour: Any) -> Node:
        plain = {"flags": {}, "order": len(self._nodes), "mode": 0, "inputs": [], "outputs": [], "properties": {}}
        node = {"id": len(self._nodes) + 1, "type": kind, "pos": list(at), "size": list(size), **plain}
        node["widgets_values"] = []
        if title:
            node["title"] = title
        if colour:
            node["color"], node["bgcolor"] = colour
        self._nodes.append(node)
        return node

    def _input(
        self, node: Node, name: str, type_: Any, more: dict[str, Any], values: dict[str, Any], *, is_optional: bool
    ) -> None:
        socket: dict[str, Any] = {"name": name, "type": type_ if isinstance(type_, str) else "COMBO", "link": None}
        if socket["type"] in _VALUES:
            socket["widget"] = {"name": name}
            first = (type_ if isinstance(type_, list) else more.get("options") or [""])[0]
            node["widgets_values"].append(values.pop(name, more.get("default", first)))
            if more.get("control_after_generate"):
                node["widgets_values"].append("fixed")
        elif is_optional:
            socket["shape"] = 7  # LiteGraph's hollow circle: it may stay empty
        node["inputs"].append(socket)

    def _link(self, origin: Node, output: str, target: Node, socket: str) -> None:
        out = next(index for index, one in enumerate(origin["outputs"]) if one["name"] == output)
        into = next(index for index, one in enumerate(target["inputs"]) if one["name"] == socket)
        number = len(self._links) + 1
        self._links.append([number, origin["id"], out, target["id"], into, origin["outputs"][out]["type"]])
        origin["outputs"][out]["links"] = [*(origin["outputs"][out]["links"] or []), number]
        target["inputs"][into]["link"] = number


def dumped(workflow: Mapping[str, Any]) -> str:
    """The text of a workflow's file: a line for each node and link, so that a change can be read."""
    lists = {"nodes", "links", "groups"}
    lines = []
    for name, value in workflow.items():
        if name in lists and value:
            rows = ",\n  ".join(json.dumps(one, ensure_ascii=False) for one in value)
            lines.append(f'"{name}": [\n  {rows}\n ]')
        else:
            lines.append(f'"{name}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n " + ",\n ".join(lines) + "\n}\n"
