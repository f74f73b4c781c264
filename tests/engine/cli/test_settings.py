"""Settings as people paste and write them: base URLs, key variables, limits, and several processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from grok_imagine.cli.app import app
from grok_imagine.errors import MissingKey, SettingsError
from grok_imagine.jobs import Session
from grok_imagine.jobs.connections import profiles
from grok_imagine.models import VideoRequest
from grok_imagine.providers.base import PublicUrls
from grok_imagine.settings import ConnectionSettings, Settings, load
from grok_imagine.settings_file import put, put_options

from ..support.processes import ROOT

PASTED = [
    *(
        (dialect, f"https://reapi.ai{tail}", "https://reapi.ai")
        for dialect in ("reapi", "apiinone")
        for tail in (
            *("", "/", "//", "/api", "/api/", "/API", "/api/v1", "/api/v1/", "/api/V1", "/v1"),
            *("/api/v1/videos/generations", "/api/v1/videos/generations/", "/api/v1/tasks/task_1"),
        )
    ),
    *(
        (dialect, f"https://gate.example{tail}", "https://gate.example")
        for dialect in ("openai_videos", "xai", "aivideoapi")
        for tail in ("", "/", "/v1", "/V1/", "//v1//", "/v1/videos", "/v1/videos/vid_1/content", "/v1/chat/completions")
    ),
    ("openai_videos", "  https://gate.example/v1/ \n", "https://gate.example"),
    ("openai_videos", "https://gate.example/api", "https://gate.example/api"),
    ("openai_videos", "https://gate.example/api/v1", "https://gate.example/api"),
    ("openai_videos", "https://gate.example/team/v1/videos", "https://gate.example/team"),
    ("openai_videos", "https://gate.example/v1/acct/name/openai", "https://gate.example/v1/acct/name/openai"),
    ("openai_videos", "https://gate.example/xv1", "https://gate.example/xv1"),
]


@pytest.mark.parametrize(("dialect", "pasted", "base"), PASTED)
def test_a_pasted_base_url_becomes_the_right_one(dialect: str, pasted: str, base: str) -> None:
    stated = ConnectionSettings(dialect=dialect, base_url=pasted, api_key="sk-0123456789")
    assert profiles(Settings(connections={"mine": stated}), {})["mine"].base_url == base


@pytest.mark.parametrize(
    ("name", "variable"), [("reapi", "REAPI_API_KEY"), ("mine", "GROK_IMAGINE_CONNECTIONS__MINE__API_KEY")]
)
async def test_the_error_names_the_variable_of_a_missing_key(
    name: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "connections", "mine", {"dialect": "reapi"})
    async with Session(tmp_path) as session:
        with pytest.raises(MissingKey, match=rf"Set the environment variable {variable}, or store one with"):
            await session.connect(name)
    monkeypatch.setenv(variable, "rk_live_0123456789")
    async with Session(tmp_path) as session:
        assert (await session.connect(name)).name == name


def test_a_gateway_may_have_another_name_for_the_model() -> None:
    own = ConnectionSettings(dialect="openai_videos", base_url="https://gate.example", model="x-ai/grok-video:2")
    usual = own.model_copy(update={"model": None})
    provider = {
        name: each.provider for name, each in profiles(Settings(connections={"own": own, "usual": usual})).items()
    }
    request = VideoRequest(model="grok-imagine", prompt="a kite", duration_seconds=2)
    calls = {name: provider[name].submit(request, PublicUrls()) for name in ("own", "usual")}
    assert {name: call.body["model"] for name, call in calls.items() if call.body} == {
        "own": "x-ai/grok-video:2",
        "usual": "grok-imagine",
    }
    assert provider["own"].check(request).capability.model == "grok-imagine"
    with pytest.raises(SettingsError, match="reAPI names its own models"):
        profiles(Settings(connections={"mine": ConnectionSettings(dialect="reapi", model="grok-imagine")}), {})


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *(
            (name, number)
            for name in ("deadline_seconds", "answer_seconds", "results_max_gb", "results_max_days")
            for number in ("Infinity", "1e400", "NaN", "1e300")
        ),
        ("max_download_bytes", "1e300"),
        ("max_download_bytes", "9" * 400),
        ("worker_stalled_seconds", "Infinity"),
        *(
            ("budget", f'{{"{limit}": {number}}}')
            for limit in ("per_run", "per_day", "per_month")
            for number in ("Infinity", "1e400", "NaN", "1e30", "99999999")
        ),
        ("connections", '{"mine": {"pace": Infinity}}'),
        ("connections", '{"mine": {"assumed_usd_per_clip": 1e30}}'),
    ],
)
def test_infinity_and_huge_numbers_are_refused(field: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(f'{{"{field}": {text}}}')
    with pytest.raises(SettingsError, match=rf"Invalid settings .*: {field}"):
        load(tmp_path)
    (tmp_path / "settings.json").unlink()
    with pytest.raises(SettingsError, match=rf"Not saved: {field}"):
        put_options(tmp_path, {field: json.loads(text)})
    assert not (tmp_path / "settings.json").exists()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"deadline_seconds": ' + "9" * 5000 + "}", "[]", "\x00"])
def test_a_settings_file_that_is_not_an_object_is_one_clear_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(text)
    for reads in (load, lambda home: put_options(home, {"store": None})):
        with pytest.raises(SettingsError, match=r"settings\.json cannot be read: .*Fix or delete it"):
            reads(tmp_path)
    assert (tmp_path / "settings.json").read_text() == text


WRITER = """
import sys
from pathlib import Path
from grok_imagine.settings import ConnectionSettings, save_connection
from grok_imagine.settings_file import put
home, worker = Path(sys.argv[1]), sys.argv[2]
for number in range(20):
    name, key = f"c{worker}-{number}", f"sk-0123456789-{worker}-{number}"
    if number % 2:
        put(home, "connections", name, {"dialect": "xai", "api_key": key})
    else:
        save_connection(home, name, ConnectionSettings(dialect="xai", api_key=key))
"""


def test_no_key_is_lost_when_four_processes_write(tmp_path: Path) -> None:
    put_options(tmp_path, {"deadline_seconds": 77})
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(n)], cwd=ROOT) for n in range(4)]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    stored: dict[str, Any] = json.loads((tmp_path / "settings.json").read_text())
    assert len(stored["connections"]) == 80
    assert load(tmp_path).deadline_seconds == 77


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    put_options(tmp_path, {"deadline_seconds": 77})
    before = (tmp_path / "settings.json").read_bytes()
    with pytest.raises(SettingsError, match="Not saved: connections: 'A B' is not a valid name"):
        put(tmp_path, "connections", "A B", {"dialect": "xai"})
    assert (tmp_path / "settings.json").read_bytes() == before


def test_an_unknown_provider_name_is_not_saved(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["key", "reapii", "--home", str(tmp_path)], input="rk_live_secret\n")
    assert done.exit_code == 3
    assert "Not saved: 'reapii' is no provider. Choose one of reapi, aivideoapi" in " ".join(done.output.split())
    assert not (tmp_path / "settings.json").exists()


def test_a_sample_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="stores"):
        put(tmp_path, "stores", "mine", {"kind": "s3", "bucket": "b", "endpoint": "https://<account>.example.com"})
