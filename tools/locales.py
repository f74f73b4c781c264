"""Writes ``locales/``: what ComfyUI itself shows of our nodes, in each language, from the nodes' own English words.

A tooltip is built of sentences, some with limits and prices that come from the providers' capabilities. So each
sentence is translated once, in ``locales.json`` beside this file: ``{}`` stands for what is filled in, and ``phrases``
translate the pieces within. A sentence that has no translation is an error that names it. Run the test
``tests/nodes/schema/test_locales.py`` with ``GROK_IMAGINE_WRITE=1`` to write the files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "zh", "ja")
_MEMORY = Path(__file__).with_suffix(".json")


class Untranslated(Exception):
    """Sentences for which ``locales.json`` has no words."""


class Translator:
    """English texts into one language, sentence by sentence."""

    def __init__(self, language: str) -> None:
        self._language = language
        memory = json.loads(_MEMORY.read_text("utf-8"))
        column = LANGUAGES.index(language)
        self._phrases = [(re.compile(one[0]), one[column]) for one in memory["phrases"]]
        self._sentences = [
            (_pattern(one[0]), one[column]) for one in sorted(memory["sentences"], key=lambda each: -len(each[0]))
        ]
        self.names: dict[str, str] = {name: words[column - 1] for name, words in memory["names"].items()}
        self.missing: list[str] = []

    def text(self, english: str) -> str:
        """The text in this language. What is missing is noted, and stays English."""
        rest, said = english.strip(), list[str]()
        while rest:
            for pattern, words in self._sentences:
                if match := pattern.match(rest):
                    pieces = [self._piece(one) for one in match.groups()]
                    said.append(words.format(*pieces))
                    rest = rest[match.end() :].lstrip()
                    break
            else:
                self.missing.append(rest)
                return english
        return "".join(said)

    def _piece(self, text: str) -> str:
        for pattern, words in self._phrases:
            text = pattern.sub(words, text)
        return text


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(re.escape(part) for part in sentence.split("{}")) + r"(?=\s|$)")


def build(nodes: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """For each language the content of ``nodeDefs.json``. Raises Untranslated with every sentence that lacks words."""
    every = list(nodes)
    found: dict[str, dict[str, Any]] = {"en": {node.GET_SCHEMA().node_id: _english(node) for node in every}}
    missing: list[str] = []
    for language in LANGUAGES[1:]:
        translator = Translator(language)
        found[language] = {name: _translated(words, translator) for name, words in found["en"].items()}
        missing += [f"{language}: {one}" for one in dict.fromkeys(translator.missing)]
    if missing:
        raise Untranslated("\n".join(missing))
    return found


def _english(node: Any) -> dict[str, Any]:
    schema, declared = node.GET_SCHEMA(), node.INPUT_TYPES()
    inputs = {**declared.get("required", {}), **declared.get("optional", {})}
    return {
        "display_name": schema.display_name,
        "description": schema.description,
        "inputs": {name: {"name": name, "tooltip": one[1]["tooltip"]} for name, one in inputs.items()},
        "outputs": {
            str(number): {"name": one.display_name, "tooltip": one.tooltip} for number, one in enumerate(schema.outputs)
        },
    }


def _translated(words: Mapping[str, Any], translator: Translator) -> dict[str, Any]:
    def name(english: str) -> str:
        numbered = re.fullmatch(r"(.+?)_(\d+)", english)
        stem = f"{numbered[1]}_N" if numbered else english
        if stem not in translator.names:
            translator.missing.append(f"the name {stem}")
        return translator.names.get(stem, english).replace("N", numbered[2] if numbered else "N")

    def parts(which: str) -> dict[str, Any]:
        return {
            key: {"name": name(one["name"]), "tooltip": translator.text(one["tooltip"])}
            for key, one in words[which].items()
        }

    return {
        "display_name": name(words["display_name"]),
        "description": translator.text(words["description"]),
        "inputs": parts("inputs"),
        "outputs": parts("outputs"),
    }


def dumped(content: Any) -> str:
    """The text of a file."""
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
