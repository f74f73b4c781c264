"""Every word that is shown exists in every language: nodes, the page's own strings, help with a picture."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ..tools import load_tool

ROOT = Path(__file__).resolve().parents[3]
LANGUAGES = ("en", "zh", "ja")
STRINGS = ROOT / "web" / "lib" / "strings"
NAMES = {
    "error.title",
    "connection.kind",
    "store.kind.s3",
    "store.kind.gcs",
    "store.kind.azure",
    "store.access_key_id",
    "store.secret_access_key",
}
"""Words that are names, and the same in every language."""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("locales")


def _check(path: Path, text: str) -> None:
    """The file must hold that text; with GROK_IMAGINE_WRITE it is written."""
    if os.environ.get("GROK_IMAGINE_WRITE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text, "run this test with GROK_IMAGINE_WRITE=1"


def test_the_nodes_words_are_translated_and_up_to_date(nodes: dict[str, Any], tool: ModuleType) -> None:
    for language, content in tool.build(nodes.values()).items():
        _check(ROOT / "locales" / language / "nodeDefs.json", tool.dumped(content))
        assert set(content) == set(nodes)


def test_no_translation_is_left_in_english(nodes: dict[str, Any], tool: ModuleType) -> None:
    built = tool.build(nodes.values())
    for language in LANGUAGES[1:]:
        for name, node in built[language].items():
            texts = [
                node["description"],
                *(one["tooltip"] for part in ("inputs", "outputs") for one in node[part].values()),
            ]
            for text in texts:
                assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text), (language, name, text)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "locales").glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_no_word_is_read_as_a_formula(path: Path) -> None:
    """ComfyUI gives these words to vue-i18n, where @ links, {} fills in and | parts plurals.

    Front ends before 1.42 do not draw a node of which one cannot be compiled; later ones show some as they are, so an
    escape would be seen.
    """

    def texts(value: Any) -> list[str]:
        return [one for each in value.values() for one in texts(each)] if isinstance(value, dict) else [value]

    assert [one for one in texts(json.loads(path.read_text("utf-8"))) if re.search(r"[@{}|]", one)] == []


def test_an_unknown_sentence_is_named(tool: ModuleType) -> None:
    translator = tool.Translator("zh")
    assert translator.text("The first URL. Never heard of before.") == "The first URL. Never heard of before."
    assert translator.missing == ["Never heard of before."]


def _strings(language: str, part: str) -> dict[str, str]:
    text = (STRINGS / language / f"{part}.mjs").read_text("utf-8")
    return {
        json.loads(key): json.loads(value)
        for key, value in re.findall(r'^\s*("[^"]+"):\s*\n?\s*("(?:[^"\\]|\\.)*")', text, re.M)
    }


@pytest.mark.parametrize("part", ["node", "panel", "settings"])
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_page_speaks_every_language(language: str, part: str) -> None:
    english, other = _strings("en", part), _strings(language, part)
    assert len(english) > 50
    # Neither Chinese nor Japanese has a singular, so ".one" may be missing there.
    assert {key for key in other if not key.endswith(".one")} == {key for key in english if not key.endswith(".one")}
    for key, text in other.items():
        assert set(re.findall(r"{\w+}", text)) <= {*re.findall(r"{\w+}", english[key]), "{count}"}, key
        assert key in NAMES or re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text), key


def test_every_word_that_the_page_asks_for_exists() -> None:
    known = {key for part in ("node", "panel", "settings") for key in _strings("en", part)}
    for path in sorted((ROOT / "web" / "lib").rglob("*.mjs")):
        for key in re.findall(r'\bt\(\s*"([^"]+)"', path.read_text("utf-8")):
            assert key in known or f"{key}.other" in known, (path.name, key)


def test_every_error_says_what_to_do_next(part: Any) -> None:
    errors = part("grok_imagine.errors")
    kinds = [name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, Exception)]
    kinds.remove("GrokImagineError")
    assert len(kinds) > 25
    charged = (ROOT / "web" / "lib" / "node" / "text.mjs").read_text("utf-8")
    english = _strings("en", "node")
    for kind in kinds:
        assert f"node.error.{kind}" in english
        assert f"node.next.{kind}" in english
        assert re.search(rf"^  {kind}: \"\w+\",$", charged, re.M), kind


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_node_has_help_with_a_picture(language: str, nodes: dict[str, Any], tool: ModuleType) -> None:
    words = tool.build(nodes.values())[language]
    for name in nodes:
        path = ROOT / "web" / "docs" / name / f"{language}.md"
        _check(path, load_tool("help").page(name, words[name], language))
        # ComfyUI's page looks for it from the folder of all help, not from the file's own.
        (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", path.read_text("utf-8"))
        assert (ROOT / "web" / "docs" / picture).stat().st_size > 2000, f"{name} has no picture"
