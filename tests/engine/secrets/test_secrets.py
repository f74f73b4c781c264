"""No key leaves the settings: every surface that a job touches is searched for it."""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from grok_imagine import privacy
from grok_imagine.cli.console import job_as_json
from grok_imagine.errors import GrokImagineError
from grok_imagine.jobs.connections import profiles
from grok_imagine.privacy import is_open_to_others
from grok_imagine.private_files import private_folder
from grok_imagine.redact import conceal, redact
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import ConnectionSettings, Settings, load, save_connection

from ..support.privacy import is_private, open_to_others
from ..support.requests import DIALECTS, request_for
from ..support.sessions import Open

SECRET = "sandboxQ7x9Zk3mW2"
PREFIX = {"reapi": "rk_live_", "aivideoapi": "sk-", "apiinone": "aio_", "openai_videos": "sk-", "xai": "xai-"}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_key_in_anything_a_job_leaves(
    dialect: str,
    open_session: Open,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    base = f"{sandbox.url}/{dialect}"
    monkeypatch.setenv(f"GROK_IMAGINE_CONNECTIONS__{dialect.upper()}__BASE_URL", base)
    monkeypatch.setenv(f"GROK_IMAGINE_CONNECTIONS__{dialect.upper()}__PACE", "0.1")
    monkeypatch.setenv(f"GROK_IMAGINE_CONNECTIONS__{dialect.upper()}__API_KEY", PREFIX[dialect] + SECRET)
    texts: list[str] = []
    async with open_session() as session:
        assert session.settings.connections[dialect].api_key is not None
        result = await session.generate(request_for(dialect), dialect)
        texts += [json.dumps(job_as_json(result.job)), repr(result), repr(session.settings), repr(vars(session))]
        for fault in ("401", "402", "500", "drop-after", "truncated-json", "moderated", "no-id"):
            with pytest.raises(GrokImagineError) as caught:
                await session.generate(request_for(dialect, prompt=f"x [sandbox:{fault}]", seed=5), dialect)
            texts += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]
    texts += [record.getMessage() for record in caplog.records]
    texts += list(capfd.readouterr())
    assert not any(SECRET in text for text in texts)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "journal.db" for path in files)
    assert any(path.suffix == ".mp4" for path in files)
    assert not any(SECRET.encode() in path.read_bytes() for path in files)


def test_the_key_lives_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    save_connection(home, "reapi", ConnectionSettings(api_key="rk_live_" + SECRET))
    save_connection(home, "gate", ConnectionSettings(dialect="openai_videos", base_url="https://gate.example/v1"))
    assert is_private(home / "settings.json")
    assert is_private(home)
    assert {path.name for path in home.iterdir()} == {"settings.json", ".settings.json.lock"}
    open_to_others(home / "settings.json")
    settings = load(home)
    assert not is_open_to_others(home / "settings.json")
    open_to_others(home)
    save_connection(home, "xai", ConnectionSettings(api_key="xai-0123456789"))
    assert is_private(home)
    assert settings.connections["gate"].base_url == "https://gate.example"
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()
    found = profiles(settings, {})
    assert found["reapi"].key_source == "file"
    assert found["reapi"].key is not None
    assert found["reapi"].key.get_secret_value() == "rk_live_" + SECRET


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_connection(tmp_path / "home", "reapi", ConnectionSettings(api_key="rk_live_of_the_file"))
    monkeypatch.setenv("REAPI_API_KEY", "  Bearer rk_live_of_the_environment ")
    found = profiles(load(tmp_path / "home"), os.environ)["reapi"]
    assert found.key_source == "environment"
    assert found.key is not None
    assert found.key.get_secret_value() == "rk_live_of_the_environment"


@pytest.mark.parametrize(
    "faulty",
    [
        {"api_key": "two words"},
        {"api_key": "line\nbreak"},
        {"base_url": "http://example.com"},
        {"base_url": "https://user:word@example.com"},
        {"base_url": "https://example.com?key=1"},
        {"base_url": "ftp://example.com"},
        {"base_url": "example.com"},
        {"pace": 0},
        {"dialekt": "reapi"},
    ],
)
def test_faulty_settings_are_refused_without_showing_a_value(faulty: dict[str, object], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    stored = {"connections": {"mine": {"dialect": "reapi", "api_key": "rk_live_" + SECRET, **faulty}}}
    (home / "settings.json").write_text(json.dumps(stored))
    with pytest.raises(GrokImagineError) as caught:
        load(home)
    assert "mine" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "two words" not in str(caught.value)


def test_an_unknown_connection_lists_what_there_is() -> None:
    assert next(iter(profiles(Settings(), {}))) == "sandbox"
    assert {"sandbox-xai", "reapi", "aivideoapi", "apiinone", "xai"} <= set(profiles(Settings(), {}))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("key sk-abcdefgh12345 refused", "key [hidden] refused"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [hidden]"),
        ("see https://cdn.example/a.mp4?X-Sig=abc&b=1 now", "see https://cdn.example/a.mp4?[hidden] now"),
        ("at https://me:pw@host.example/x", "at https://host.example/x"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_redaction(text: str, left: str) -> None:
    assert redact(text) == left


def test_redaction_hides_what_it_is_told_and_cuts() -> None:
    assert redact("my hush secret", "hush") == "my [hidden] secret"
    assert len(redact("x" * 900)) == 500


LONG = 'Q7x9/Zk+3mW2="aPq\\Lm5Nv8'


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"a {LONG} b", "a [hidden] b"),
        (json.dumps({"k": LONG}), '{"k": "[hidden]"}'),
        (json.dumps(LONG).replace("/", "\\/").replace("+", "\\u002b"), '"[hidden]"'),
        (f"?k={quote(LONG, safe='')}&b=1", "?k=[hidden]&b=1"),
        (f"?k={quote(LONG, safe='/').lower()}", "?k=[hidden]"),
        (repr(LONG.encode()), "b'[hidden]'"),
        (f"key {LONG[:12]}****nv8 is bad", "key [hidden] is bad"),
        (LONG[:11], LONG[:11]),
    ],
)
def test_a_secret_is_hidden_however_it_is_spelt(text: str, left: str) -> None:
    assert conceal(text, LONG) == left


@pytest.mark.parametrize("before", ["", "B", "Be", "Bearer ", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_hidden_inside_of_base64(before: str, encode: Any) -> None:
    hidden = conceal(f'{{"seen": "{encode((before + LONG).encode()).decode()}"}}', LONG)
    assert "[hidden]" in hidden
    left = hidden.removeprefix('{"seen": "').removesuffix('"}').split("[hidden]")
    assert sum(map(len, left)) <= len(before) * 2 + 8, "no more than what stands beside it, and an end"


def test_a_short_secret_hides_only_itself() -> None:
    assert conceal("the abc of abcd", "abc") == "the [hidden] of [hidden]d"
    assert conceal("nothing", "") == "nothing"


def test_settings_are_written_while_somebody_reads_them(tmp_path: Path) -> None:
    """Windows replaces no file that is open; whoever has it open is waited for."""
    save_connection(tmp_path, "gate", ConnectionSettings(dialect="xai"))
    with (tmp_path / "settings.json").open() as reader:
        closing = threading.Timer(0.3, reader.close)
        closing.start()
        save_connection(tmp_path, "other", ConnectionSettings(dialect="xai"))
        closing.join()
    assert set(load(tmp_path).connections) >= {"gate", "other"}
    assert {path.name for path in tmp_path.iterdir()} == {"settings.json", ".settings.json.lock"}


@pytest.mark.skipif(os.name != "nt", reason="POSIX has a mode for every file")
def test_a_disk_that_keeps_nobody_out_is_warned_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(50, "The request is not supported")

    for name in ("_set", "_list_of"):
        monkeypatch.setattr(privacy, name, refuses)
    for _ in range(2):
        assert private_folder(tmp_path) == tmp_path
    assert [str(tmp_path) in one for one in caplog.messages] == [True]
