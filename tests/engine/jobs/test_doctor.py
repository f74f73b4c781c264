"""The doctor: finds faults, says what to do about them, and reveals no secrets."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from packaging.markers import Marker

from grok_imagine.doctor.anonymize import Anonymizer
from grok_imagine.doctor.doctor import run_checks
from grok_imagine.doctor.environment import OLDEST_COMFYUI, Check
from grok_imagine.doctor.requirements import Requirement, marker_applies, parse_requirements, parse_version
from grok_imagine.errors import GrokImagineError, SubmitUncertain
from grok_imagine.jobs import Session
from grok_imagine.privacy import make_private
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import ConnectionSettings, save_connection
from grok_imagine.transport.partial_download import PartialDownload

from ..support.privacy import open_to_others
from ..support.processes import ROOT, client, finish, run_here
from ..support.requests import request_for

SECRET = "rk_live_sandbox_Q7x9Zk3mW2"


@pytest.fixture
def home(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose one connection leads to the sandbox; the known providers are not asked by any test."""
    home = tmp_path / "user" / "data"
    mine = ConnectionSettings(dialect="reapi", base_url=f"{sandbox.url}/reapi", api_key=SECRET, pace=0.1)
    save_connection(home, "mine", mine)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "user"))
    monkeypatch.setenv("GROK_IMAGINE_SANDBOX_URL", sandbox.url)
    for name in ("REAPI", "AIVIDEOAPI", "APIINONE", "XAI"):
        monkeypatch.setenv(f"GROK_IMAGINE_CONNECTIONS__{name}__BASE_URL", f"{sandbox.url}/{name.lower()}")
    return home


def find(checks: list[Check], part: str, name: str) -> Check:
    (found,) = [one for one in checks if (one.part, one.name) == (part, name)]
    return found


def faults(checks: list[Check]) -> list[tuple[str, str]]:
    return [(one.part, one.name) for one in checks if one.grade == "fault"]


async def make(home: Path, **more: Any) -> None:
    async with Session(home) as session:
        await session.generate(request_for("reapi", **more), "mine")


async def test_the_doctor_finds_no_fault_after_a_clip(home: Path, sandbox: Sandbox) -> None:
    assert find(await run_checks(home), "journal", "journal").text == "file, created with the first job"
    assert not (home / "journal.db").exists()  # looking makes nothing
    await make(home)
    before = sandbox.ledger()["posts"]
    checks = await run_checks(home)
    assert faults(checks) == []
    assert find(checks, "keys", "mine").text == f"…{SECRET[-4:]}, from the file"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+ answers \(HTTP 404, \d+ ms\)", find(checks, "network", "mine").text)
    assert "s of the servers" in find(checks, "network", "clock").text
    assert find(checks, "journal", "soundness").text.startswith("file, intact, ")
    assert find(checks, "journal", "jobs").text == "1 in total, 0 unfinished, 0 of unknown outcome"
    budget = find(checks, "journal", "budget").text
    assert budget == "$0.054 spent today, $0.054 this month, $0.00 pending; no limit"
    assert find(checks, "environment", "httpx").grade == "ok"
    assert sandbox.ledger()["posts"] == before


async def test_providers_are_asked_once_and_without_a_key(home: Path) -> None:
    seen: list[tuple[str, str, dict[str, str]]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, request.path_qs, dict(request.headers)))
        return web.Response(status=503, headers={"Date": "Sat, 21 Nov 2020 16:00:00 GMT"})

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    async with TestServer(app) as server:
        save_connection(
            home, "mine", ConnectionSettings(dialect="reapi", base_url=str(server.make_url("/")), api_key=SECRET)
        )
        checks = await run_checks(home)
    ((method, path, headers),) = seen
    assert (method, path) == ("GET", "/")
    assert "authorization" not in {name.lower() for name in headers}
    assert SECRET not in repr(headers)
    assert find(checks, "network", "mine").grade == "note"  # it answers, if only that it is in trouble
    assert find(checks, "network", "clock").grade == "ok"  # one server's wrong clock is not this machine's


async def test_every_broken_thing_is_a_fault_that_says_what_to_do(
    home: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = ConnectionSettings(
        dialect="openai_videos", base_url=f"http://127.0.0.1:{unused_tcp_port}", api_key="sk-0123456789abcdef"
    )
    save_connection(home, "nowhere", nowhere)
    save_connection(home, "other", ConnectionSettings(dialect="xai", base_url=os.environ["GROK_IMAGINE_SANDBOX_URL"]))
    monkeypatch.setenv("GROK_IMAGINE_CONNECTIONS__OTHER__API_KEY", "rk_live_of_another_provider")
    (home / "callback.key").write_bytes(b"k" * 32)
    for path in (home, home / "settings.json", home / "callback.key"):
        open_to_others(path)
    checks = await run_checks(home, now=lambda: time.time() + 3600)
    expected = [
        ("data folder", "folder"),
        ("data folder", "settings.json"),
        ("data folder", "callback.key"),
        ("network", "nowhere"),
        ("network", "clock"),
    ]
    assert faults(checks) == expected
    assert all(one.advice for one in checks if one.grade != "ok")
    for name in ("settings.json", "callback.key"):
        command = f"chmod 600 ~/data/{name}" if os.name == "posix" else rf'icacls "~\data\{name}" /inheritance:r'
        assert command in find(checks, "data folder", name).advice
    assert "replace your keys" in find(checks, "data folder", "settings.json").advice
    assert re.match(r"(3599|36\d\d) s ahead of the servers", find(checks, "network", "clock").text)
    other = find(checks, "keys", "other")
    assert (other.grade, other.text) == ("note", "…ider, from the environment")
    assert "begin with xai-" in other.advice


async def test_settings_that_cannot_be_read(home: Path) -> None:
    (home / "settings.json").write_text(json.dumps({"connections": {"mine": {"api_key": f"{SECRET} {SECRET}"}}}))
    checks = await run_checks(home)
    assert faults(checks) == [("settings", "settings")]
    assert SECRET not in repr(checks)


async def test_journals_in_trouble(home: Path) -> None:
    await make(home)
    journal, whole = home / "journal.db", home / "whole.db"
    shutil.copyfile(journal, whole)

    async def faulty(name: str, spoil: bytes | str) -> Check:
        for path in home.glob("journal.db*"):
            path.unlink()
        if isinstance(spoil, bytes):
            journal.write_bytes(spoil)
        else:
            shutil.copyfile(whole, journal)
            database = sqlite3.connect(journal)
            with database:
                database.execute(spoil)
            database.close()
        make_private(journal)
        before = journal.read_bytes()
        checks = await run_checks(home)
        assert journal.read_bytes() == before  # the doctor cures nothing by itself
        assert faults(checks) == ([("journal", name)] if name else [])
        return find(checks, "journal", name or "version")

    database = sqlite3.connect(whole)
    (fingerprint,) = database.execute("SELECT fingerprint FROM jobs").fetchone()
    (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs_by_wish'").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    data, start, end = whole.read_bytes(), (page - 1) * size, page * size
    other = data[start:end].replace(fingerprint.encode(), b"0" * len(fingerprint))
    assert other != data[start:end]
    assert "Restore a backup" in (await faulty("soundness", data[:start] + other + data[end:])).advice
    assert "Restore a backup" in (await faulty("journal", data[:start] + b"\0" * size + data[end:])).advice
    assert "Restore a backup" in (await faulty("journal", b"")).advice
    assert "Restore a backup" in (await faulty("journal", b"not a database at all" * 400)).advice
    assert "Update the pack" in (await faulty("version", "UPDATE alembic_version SET version_num = '9999'")).advice
    older = await faulty("", "UPDATE alembic_version SET version_num = '0001'")
    assert older.text == "schema 0001; will be upgraded when next opened"


async def test_unfinished_jobs_and_partial_downloads_are_reported(home: Path) -> None:
    async with Session(home) as session:
        with pytest.raises(SubmitUncertain):
            await session.generate(request_for("reapi", prompt="a SECRETPROMPT [sandbox:drop-after]"), "mine")
    results = home / "results"
    results.mkdir(mode=0o700, exist_ok=True)
    old = results / ".20260101-000000-00000001.mp4.part"
    old.write_bytes(b"x" * 1_000_000)
    os.utime(old, (time.time() - 1e6, time.time() - 1e6))
    held = PartialDownload.open(results / "20260101-000000-00000002.mp4", keep=True)
    checks = await run_checks(home)
    held.close()
    assert faults(checks) == []
    jobs = find(checks, "journal", "jobs")
    assert (jobs.grade, jobs.text) == ("note", "1 in total, 0 unfinished, 1 of unknown outcome")
    assert "grok-imagine attach JOB TASK_ID" in jobs.advice
    assert find(checks, "data folder", "partial downloads").text == "2, 1.0 MB; 1 in use, 1 old"
    assert "SECRETPROMPT" not in repr(checks)


@pytest.mark.parametrize(
    "marker",
    [
        "python_version<'3.11'",
        'python_version >= "3.11"',
        "python_version < '3.9'",
        "python_version >= '3.9' and python_version < '4'",
        f"sys_platform == '{sys.platform}'",
        f"sys_platform != '{sys.platform}' or os_name == '{os.name}'",
        "(platform_system == 'Linux' or platform_system == 'Windows') and python_full_version < '3.9.1'",
        "platform_system == 'None' and (python_version > '3' or python_version > '2')",
        "python_version > '3' and extra == 'cli'",
    ],
)
def test_a_marker_means_what_it_means_to_pip(marker: str) -> None:
    assert marker_applies(marker) == Marker(marker).evaluate({"extra": ""})


def test_only_what_is_required_here_is_looked_for() -> None:
    lines = [
        "httpx[socks]>=0.27",
        "numpy >= 1.26",
        "here>=2;python_version>='3.10'",
        "elsewhere>=2;python_version<'3.10'",
        'optional>=1; extra == "cli"',
        "unclear>=1; planet == 'Mars'",
        "unclear>=1; (python_version >= '3.10'",
    ]
    assert parse_requirements(lines) == [
        Requirement("httpx", "[socks]", "0.27"),
        Requirement("numpy", "", "1.26"),
        Requirement("here", "", "2"),
    ]
    lines = (ROOT / "requirements.txt").read_text("utf-8").split()
    required = [one.name for one in parse_requirements(lines)]
    assert len(required) == len(lines) - (sys.version_info >= (3, 11)), "each line is understood"
    assert ("tomli" in required) == (sys.version_info < (3, 11))


@pytest.mark.parametrize(("installed", "text"), [(None, "missing"), ("0.26.9", "0.26.9, older than the required 0.27")])
async def test_a_library_that_is_missing_or_old_is_a_fault(
    installed: str | None, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name != "httpx":
            return real(name)
        if installed is None:
            raise metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(metadata, "version", version)
    checks = await run_checks(tmp_path / "home", offline=True)
    assert faults(checks) == [("environment", "httpx")]
    found = find(checks, "environment", "httpx")
    assert found.text == text
    assert found.advice.endswith('-m pip install "httpx[socks]>=0.27"')


@pytest.mark.parametrize(("version", "grade"), [("0.18.1", "ok"), ("0.9.2", "fault")])
async def test_comfyui_is_found_around_the_data_folder(
    version: str, grade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE"):  # Windows' temporary folder lies in the home folder, whose name is hidden
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "comfyui_version.py").write_text(f'__version__ = "{version}"\n')
    checks = await run_checks(tmp_path / "user" / "__grok_imagine", offline=True)
    found = find(checks, "environment", "ComfyUI")
    assert (found.grade, found.text) == (grade, f"{version} in {tmp_path}")
    assert f'requires-comfyui = ">={OLDEST_COMFYUI}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert parse_version("0.14.1rc2") == (0, 14, 1)


async def test_a_store_is_tried_only_when_asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROK_IMAGINE_STORES__SHELF__KIND", "comfyui")
    monkeypatch.setenv("GROK_IMAGINE_STORES__SHELF__PUBLIC_BASE_URL", os.environ["GROK_IMAGINE_SANDBOX_URL"])
    assert "not tested" in find(await run_checks(home), "stores", "shelf").text
    checks = await run_checks(home, with_stores=True)
    tried = [(one.grade, one.text.split(":")[0]) for one in checks if one.part == "stores"]
    assert tried == [("ok", "put"), ("fault", "fetch over its URL"), ("ok", "delete")]
    (failed,) = [one for one in checks if one.part == "stores" and one.grade == "fault"]
    assert "HTTP 404" in failed.text


def test_the_report_has_no_secrets(
    running_sandbox: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through the command line, with a secret in every place that has one."""
    user = tmp_path / "Alice Doe"
    home = user / "data"
    secrets = {
        "key": SECRET,
        "word": "pg-passw0rd",
        "access": "AKIAZZTESTACCESS",
        "bucket": "aws+Secret/Key0123456789",
        "proxy": "proxy-passw0rd",
    }
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("USERPROFILE", str(user))
    save_connection(home, "mine", ConnectionSettings(dialect="reapi", base_url=f"{running_sandbox}/reapi"))
    monkeypatch.setenv("GROK_IMAGINE_CONNECTIONS__MINE__API_KEY", SECRET)
    monkeypatch.setenv("GROK_IMAGINE_DATABASE_URL", f"postgresql://pguser:{secrets['word']}@127.0.0.1:1/pgname")
    monkeypatch.setenv("GROK_IMAGINE_STORES__S__BUCKET", "b")
    monkeypatch.setenv("GROK_IMAGINE_STORES__S__ENDPOINT", running_sandbox)
    monkeypatch.setenv("GROK_IMAGINE_STORES__S__ACCESS_KEY_ID", secrets["access"])
    monkeypatch.setenv("GROK_IMAGINE_STORES__S__SECRET_ACCESS_KEY", secrets["bucket"])
    monkeypatch.setenv("HTTP_PROXY", f"http://me:{secrets['proxy']}@127.0.0.1:1")
    for name in ("REAPI", "AIVIDEOAPI", "APIINONE", "XAI"):
        monkeypatch.setenv(f"GROK_IMAGINE_CONNECTIONS__{name}__BASE_URL", f"{running_sandbox}/{name.lower()}")
    for more in (("--stores",), ("--json", "--stores"), ("--offline",)):
        code, out, err = run_here(running_sandbox, home, "doctor", *more)
        assert code == 3, err  # no PostgreSQL answers there
        assert "Alice" not in out
        assert f"…{SECRET[-4:]}" in out.replace(r"\u2026", "…")  # escaped where the pipe is not in UTF-8
        for secret in (*secrets.values(), "pguser", "pgname"):
            assert secret not in out + err
    assert f"~{os.sep}data" in out
    assert "OperationalError" in out
    assert out.splitlines()[-1].startswith("1 faults (journal: journal)")


@pytest.mark.parametrize(
    "text",
    [
        r"C:\Users\Alice Doe\data",
        r"c:\users\alice doe\data",
        "C:/Users/Alice Doe/data",
        r"C:\\Users\\Alice Doe\\data",
    ],
)
def test_windows_home_is_hidden_however_it_is_spelled(text: str) -> None:
    assert re.fullmatch(r"~[\\/]+data", Anonymizer(homes=(r"C:\Users\Alice Doe",)).clean(text))
    assert Anonymizer(homes=(r"C:\Users\Ali",)).clean(text) == text


def test_exit_code_and_json(running_sandbox: str, tmp_path: Path) -> None:
    code, out, err = finish(client(running_sandbox, tmp_path / "home", "doctor", "--offline", "--json"))
    told = json.loads(out)
    assert (code, told["faults"]) == (0, 0), err
    assert {"part", "name", "text", "grade", "advice"} == set(told["checks"][0])
    assert not (tmp_path / "home").exists()  # to look is not to make
    code, out, _ = finish(client(running_sandbox, tmp_path / "home", "doctor", "--offline"))
    assert code == 0
    assert max(len(line) for line in out.splitlines()) <= 110


def test_a_failing_check_is_an_internal_error() -> None:
    from pydantic import SecretStr

    from grok_imagine.journal.database import database_location
    from grok_imagine.journal.durability.health import check_health

    with pytest.raises(GrokImagineError, match="Check that the server is running"):
        check_health(database_location(Path(), SecretStr("postgresql://u:p@127.0.0.1:1/d")))
