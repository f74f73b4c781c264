"""The settings' routes over real HTTP: what is set up is shown, keys go in and never come out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.privacy import is_open_to_others

KEY = "rk_live_sandbox_MARKER_9xyz"


def _one(view: Any, name: str, section: str = "connections") -> Any:
    return next((one for one in view[section] if one["name"] == name), None)


async def test_a_connection_is_added_shown_by_its_last_four_tried_and_removed(
    desk: Any,
    home: Path,
    sandbox: Any,
) -> None:
    fields = {"dialect": "reapi", "base_url": f"{sandbox.url}/reapi", "api_key": f" Bearer {KEY}\n"}
    view = await desk.post("/settings/connection", name="mine", **fields)
    assert _one(view, "mine")["key"] == {
        "source": "file",
        "last_four": "9xyz",
        "variable": "GROK_IMAGINE_CONNECTIONS__MINE__API_KEY",
    }
    settings = home / "settings.json"
    assert json.loads(settings.read_text())["connections"]["mine"]["api_key"] == KEY
    assert not is_open_to_others(settings)
    for answer in (view, await desk.get("/settings"), await desk.get("/jobs")):
        assert "MARKER" not in json.dumps(answer)
    found = await desk.post("/settings/connection/test", name="mine")
    assert found == {"is_good": True, "steps": [{"step": "reach", "fault": ""}, {"step": "key", "fault": ""}]}
    assert sandbox.submits == 0
    assert _one(await desk.post("/settings/connection/remove", name="mine"), "mine") is None
    assert "MARKER" not in settings.read_text()
    assert json.loads(settings.read_text())["sandbox_url"] == sandbox.url, "what is not named stays"


async def test_a_wrong_key_and_a_wrong_address_are_told_apart(desk: Any, sandbox: Any) -> None:
    await desk.post(
        "/settings/connection", name="a", dialect="reapi", base_url=f"{sandbox.url}/reapi", api_key="wrong-key-1"
    )
    found = await desk.post("/settings/connection/test", name="a")
    assert [bool(step["fault"]) for step in found["steps"]] == [False, True]
    assert "wrong-key-1" not in json.dumps(found)
    await desk.post(
        "/settings/connection", name="b", dialect="reapi", base_url="http://127.0.0.1:9", api_key="some-key-12"
    )
    found = await desk.post("/settings/connection/test", name="b")
    assert [step["step"] for step in found["steps"]] == ["reach"]
    status, error, _ = await desk.ask("POST", "/settings/connection/test", {"name": "xai"})
    assert (status, error["error"]["kind"]) == (400, "MissingKey")


async def test_a_key_is_not_sent_elsewhere_because_somebody_changed_the_address(
    desk: Any,
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
) -> None:
    await desk.post("/settings/connection", name="reapi", api_key=KEY)
    status, error, _ = await desk.ask(
        "POST", "/settings/connection", {"name": "reapi", "base_url": "https://evil.example"}
    )
    assert status == 400
    assert "enter the key again" in error["error"]["message"]
    assert "evil" not in (home / "settings.json").read_text()
    await desk.post("/settings/connection", name="reapi", base_url="https://other.example", api_key="another-key-1")
    monkeypatch.setenv("XAI_API_KEY", KEY)
    status, error, _ = await desk.ask(
        "POST", "/settings/connection", {"name": "xai", "base_url": "https://evil.example"}
    )
    assert status == 400
    assert "comes from the environment" in error["error"]["message"]


async def test_the_environment_s_keys_are_named_as_such(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAPI_API_KEY", KEY)
    monkeypatch.setenv("AIVIDEOAPI_API_KEY", "short")
    view = await desk.get("/settings")
    assert _one(view, "reapi")["key"] == {"source": "environment", "last_four": "9xyz", "variable": "REAPI_API_KEY"}
    assert _one(view, "aivideoapi")["key"]["last_four"] == "", "four of five characters would be the key"
    assert _one(view, "xai")["key"]["source"] is None
    assert "MARKER" not in json.dumps(view)


async def test_a_store_is_added_and_its_secrets_stay(desk: Any, home: Path) -> None:
    fields = {"kind": "s3", "bucket": "clips", "endpoint": "https://r2.example", "region": "auto"}
    secrets = {"access_key_id": "AKIA_MARKER_abcd", "secret_access_key": "secret_MARKER_efgh"}
    view = await desk.post("/settings/store", name="mine", **fields, **secrets)
    shown = _one(view, "mine", "stores")
    assert shown["secrets"]["secret_access_key"] == {"source": "file", "last_four": "efgh"}
    assert (shown["bucket"], shown["endpoint"]) == ("clips", "https://r2.example")
    assert "MARKER" not in json.dumps(view)
    view = await desk.post("/settings/store", name="mine", bucket="other")
    assert _one(view, "mine", "stores")["secrets"]["access_key_id"]["last_four"] == "abcd"
    status, error, _ = await desk.ask("POST", "/settings/store", {"name": "mine", "endpoint": "https://evil.example"})
    assert status == 400
    assert "enter the keys again" in error["error"]["message"]
    found = await desk.post("/settings/store/test", name="mine")
    assert not found["is_good"]
    assert "MARKER" not in json.dumps(found)
    await desk.post("/settings/options", store="mine")
    await desk.post("/settings/store/remove", name="mine")
    assert "MARKER" not in (home / "settings.json").read_text()
    assert (await desk.get("/settings"))["options"]["store"] is None


async def test_options_are_checked_before_they_are_written(desk: Any, home: Path) -> None:
    view = await desk.post("/settings/options", deadline_seconds=600, on_interrupt="drop", budget={"per_day": "2.50"})
    assert view["options"]["deadline_seconds"] == 600
    assert view["options"]["budget"]["per_day"] == "2.50"
    before = (home / "settings.json").read_text()
    status, error, _ = await desk.ask("POST", "/settings/options", {"deadline_seconds": -1, "budget": {"per_day": "x"}})
    assert status == 400
    assert "deadline_seconds" in error["error"]["message"]
    assert "budget.per_day" in error["error"]["message"], "every fault at once"
    assert (home / "settings.json").read_text() == before
    view = await desk.post("/settings/options", deadline_seconds=None, sandbox_url="http://evil.example")
    assert view["options"]["deadline_seconds"] == 1800
    assert "evil" not in (home / "settings.json").read_text(), "only what the page shows can be changed by it"


async def test_names_and_values_that_cannot_be_are_refused(desk: Any, home: Path) -> None:
    before = (home / "settings.json").read_text()
    bad = [
        {"name": "With Space", "dialect": "reapi"},
        {"name": "../up", "dialect": "reapi"},
        {"name": "", "dialect": "reapi"},
        {"name": "sandbox", "api_key": KEY},
        {"name": "new", "dialect": "nonsense"},
        {"name": "new", "dialect": "openai_videos"},
        {"name": "new", "dialect": "reapi", "base_url": "http://plain.example"},
        {"name": "new", "dialect": "reapi", "base_url": f"https://user:{KEY}@host.example"},
        {"name": "new", "dialect": "reapi", "api_key": f"two words {KEY}"},
    ]
    for body in bad:
        status, error, _ = await desk.ask("POST", "/settings/connection", body)
        assert status == 400, body
        assert "MARKER" not in json.dumps(error)
    assert (home / "settings.json").read_text() == before


async def test_settings_are_changed_on_this_machine_alone(desk: Any, home: Path) -> None:
    body = {"name": "reapi", "api_key": KEY}
    for headers in ({"X_Forwarded_For": "203.0.113.9"}, {"Host": "192.168.1.7:8188"}):
        status, error, _ = await desk.ask("POST", "/settings/connection", body, **headers)
        assert (status, error["error"]["kind"]) == (403, "SettingsStayHere")
        assert (await desk.ask("GET", "/settings", **headers))[0] == 200
    stored = json.loads((home / "settings.json").read_text())
    (home / "settings.json").write_text(json.dumps({**stored, "allow_remote_settings": True, "hosts": ["pod.example"]}))
    assert (await desk.ask("POST", "/settings/connection", body, Host="192.168.1.7:8188"))[0] == 200
    assert (await desk.ask("POST", "/settings/connection", body, Host="pod.example"))[0] == 200
    assert (await desk.ask("POST", "/settings/connection", body, Host="other.example"))[0] == 403
