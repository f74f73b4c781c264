"""What ComfyUI shows of the nodes: ids and names that never change, tooltips, choices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SNAPSHOT = Path(__file__).with_name("schema.json")
"""Workflows on users' disks name these. Add, deprecate, but never rename or remove."""


def _inputs(node: Any) -> dict[str, Any]:
    declared = node.INPUT_TYPES()
    return {**declared.get("required", {}), **declared.get("optional", {})}


def _options(node: Any, name: str) -> Any:
    return _inputs(node)[name][1]


def test_ids_and_names_are_locked(nodes: dict[str, Any]) -> None:
    found = {
        node_id: {
            "inputs": {name: [one[0], where] for where, part in _parts(node) for name, one in part.items()},
            "outputs": [[output.display_name, output.io_type] for output in node.GET_SCHEMA().outputs],
        }
        for node_id, node in nodes.items()
    }
    assert found == json.loads(SNAPSHOT.read_text("utf-8"))


def _parts(node: Any) -> list[tuple[str, dict[str, Any]]]:
    declared = node.INPUT_TYPES()
    return [(where, declared.get(where, {})) for where in ("required", "optional")]


def test_every_input_and_output_has_a_tooltip(nodes: dict[str, Any]) -> None:
    for node in nodes.values():
        for name, one in _inputs(node).items():
            assert len(one[1].get("tooltip", "")) > 20, (node, name)
        assert all(output.tooltip for output in node.GET_SCHEMA().outputs), node


def test_no_node_is_a_partner_node_or_sets_a_badge(nodes: dict[str, Any]) -> None:
    for node in nodes.values():
        schema = node.GET_SCHEMA()
        assert schema.is_api_node is False
        assert schema.price_badge is None
        assert schema.category == "Grok Imagine"
        assert schema.search_aliases
        assert schema.description
        assert "api_key" not in json.dumps(node.INPUT_TYPES(), default=str).lower()


def test_choices_come_from_the_providers(nodes: dict[str, Any], part: Any) -> None:
    text, image = nodes["GIVTextToVideo"], nodes["GIVImageToVideo"]
    capabilities = [one for each in part("grok_imagine.providers").PROVIDERS.values() for one in each.capabilities]
    ids = {one.model for one in capabilities if one.mode.value == "text_to_video"}
    assert set(_options(text, "model")["options"]) == {"auto", *ids}
    assert _options(text, "resolution")["options"] == ["auto", "480p", "720p", "1080p"]
    assert _options(text, "motion_mode")["options"] == ["auto", "fun", "normal", "spicy"]
    assert _options(image, "mode")["options"] == ["auto", "image_to_video", "reference_to_video"]
    assert _options(text, "aspect_ratio")["options"].count("auto") == 1
    duration = _options(text, "duration")
    longest = max(one.duration.longest for one in capabilities if one.duration)
    assert (duration["min"], duration["default"], duration["max"], duration["display"]) == (0, 6, longest, "slider")
    assert sum(name.startswith("image_") for name in _inputs(image)) == 7 + 1


def test_the_widgets_have_what_users_expect(nodes: dict[str, Any]) -> None:
    for name in ("GIVTextToVideo", "GIVImageToVideo"):
        seed = _options(nodes[name], "seed")
        assert (seed["min"], seed["max"]) == (0, 2147483647)
        assert seed["control_after_generate"] == "fixed"
        prompt = _options(nodes[name], "prompt")
        assert prompt["multiline"] is True
        assert prompt["dynamicPrompts"] is False
        assert _options(nodes[name], "connection")["default"] == "sandbox"


def test_connections_come_from_the_settings(nodes: dict[str, Any], home: Path) -> None:
    def names() -> list[str]:
        return _options(nodes["GIVTextToVideo"], "connection")["options"]

    assert names()[0] == "sandbox"
    assert {"reapi", "aivideoapi", "apiinone", "xai", "sandbox-xai"} <= set(names())
    assert not home.exists(), "looking at the nodes writes nothing"
    home.mkdir(parents=True)
    stated = {"connections": {"studio": {"dialect": "openai_videos", "base_url": "https://gateway.example"}}}
    (home / "settings.json").write_text(json.dumps(stated))
    assert "studio" in names()
    (home / "settings.json").write_text("{ not json")
    assert names()[0] == "sandbox", "faulty settings leave what needs none"


def test_an_unknown_connection_is_refused_before_anything_runs(nodes: dict[str, Any], home: Path) -> None:
    for name in ("GIVTextToVideo", "GIVImageToVideo", "GIVWaitForTask"):
        check = nodes[name].validate_inputs
        assert check(connection="sandbox") is True
        assert check(connection=None) is True, "a linked value is not known yet"
        fault = check(connection="studio")
        assert "no connection 'studio'" in fault
        assert "sandbox, " in fault
        assert "reapi" in fault


def test_faulty_settings_are_named_at_the_node(nodes: dict[str, Any], home: Path) -> None:
    home.mkdir(parents=True)
    (home / "settings.json").write_text("{ not json")
    assert "settings.json cannot be read" in nodes["GIVTextToVideo"].validate_inputs(connection="studio")


async def test_a_node_that_cannot_be_shown_costs_no_other(pack: Any, part: Any, monkeypatch: Any, caplog: Any) -> None:
    extension = part("nodes.extension")

    def broken() -> None:
        raise TypeError("an unknown argument")

    monkeypatch.setattr(extension.NODES[0], "GET_SCHEMA", broken)
    left = await (await pack.comfy_entrypoint()).get_node_list()
    assert len(left) == len(extension.NODES) - 1
    assert "GIVTextToVideo cannot be shown" in caplog.text


def test_an_older_schema_gets_only_what_it_knows(part: Any) -> None:
    made = part("nodes.common.inputs").schema(node_id="GIVTextToVideo", unheard_of=True)
    assert made.node_id == "GIVTextToVideo"
