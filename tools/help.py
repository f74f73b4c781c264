"""Writes ``web/docs/<NodeId>/<language>.md``: the help that ComfyUI shows of a node.

What to know of a node is written by hand in ``help.json``, its inputs and outputs come from ``locales/``, so that the
help never speaks of a node that was. A test holds the files to it, as for ``locales.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WORDS = Path(__file__).with_suffix(".json")
_HEADS = {
    "en": ("Inputs", "Outputs", "Input", "Output", "What it does", "Notes"),
    "zh": ("输入", "输出", "输入", "输出", "说明", "备注"),
    "ja": ("入力", "出力", "入力", "出力", "説明", "備考"),
}


def page(name: str, words: Mapping[str, Any], language: str) -> str:
    """The help of a node. ``words`` is its entry in that language's ``nodeDefs.json``."""
    own = json.loads(_WORDS.read_text("utf-8"))[name][language]
    inputs, outputs, an_input, an_output, meaning, good = _HEADS[language]
    lines = [f"# {words['display_name']}", "", own["about"], "", f"![{words['display_name']}](img/{name}.png)", ""]
    lines += [f"## {good}", "", *(f"- {tip}" for tip in own["tips"]), ""]
    lines += [f"## {inputs}", "", f"| {an_input} | {meaning} |", "| --- | --- |"]
    lines += [f"| {_title(key, one)} | {_cell(one['tooltip'])} |" for key, one in words["inputs"].items()]
    lines += ["", f"## {outputs}", "", f"| {an_output} | {meaning} |", "| --- | --- |"]
    lines += [f"| {one['name']} | {_cell(one['tooltip'])} |" for one in words["outputs"].values()]
    return "\n".join(lines) + "\n"


def _title(key: str, one: Mapping[str, str]) -> str:
    return f"`{key}`" if one["name"] == key else f"{one['name']} `{key}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
