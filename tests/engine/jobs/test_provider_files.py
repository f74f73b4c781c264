"""Provider files of users: a connection uses one, the sandbox serves it, and a faulty one is named where it is used."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from grok_imagine.doctor.doctor import run_checks
from grok_imagine.errors import ContentRejected, MissingKey, ProviderError, SettingsError, SubmitUncertain
from grok_imagine.jobs import Session
from grok_imagine.jobs.connections import faulty_connections, profiles
from grok_imagine.models import Blob, JobState, VideoRequest
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import load
from grok_imagine.settings_file import put, put_options

from ..support.requests import clip_facts
from ..support.sessions import hurried

GUIDE = Path(__file__).parents[3] / "docs" / "provider-files.md"
ACME = re.findall(r"```toml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)[0]
"""The guide's example."""
REQUEST = VideoRequest(prompt="a paper boat", duration_seconds=2, resolution="480p")


def write(home: Path, text: str, name: str = "acme") -> None:
    (home / "providers").mkdir(parents=True, exist_ok=True)
    (home / "providers" / f"{name}.toml").write_text(text, "utf-8")


@pytest.fixture
async def acme(tmp_path: Path) -> AsyncIterator[tuple[Session, Sandbox]]:
    """A session and a sandbox that was started before the provider's file was written."""
    home = tmp_path / "home"
    async with Sandbox(seconds=0.2, providers=home / "providers") as sandbox:
        put_options(home, {"sandbox_url": sandbox.url})
        async with Session(home, sleep=hurried) as session:
            write(home, ACME)
            yield session, sandbox


async def test_a_new_file_makes_a_clip_on_the_sandbox_that_already_runs(acme: tuple[Session, Sandbox]) -> None:
    session, sandbox = acme
    result = await session.generate(REQUEST, "sandbox-acme")
    assert (result.job.provider, result.job.state) == ("acme", JobState.SAVED)
    assert clip_facts(result.file)[0] == 48
    (post,) = [one for one in sandbox.requests() if one["method"] == "POST"]
    assert post["body"]["input"] == {"prompt": "a paper boat", "seconds": 2, "quality": "480p"}
    assert sandbox.ledger()["totals"]["acme"]["usd"] == "0.04"
    assert str(result.job.estimate_usd) == "0.04"


async def test_images_arrive_there_too(acme: tuple[Session, Sandbox], picture: Blob) -> None:
    session, sandbox = acme
    result = await session.generate(REQUEST.model_copy(update={"reference_images": (picture,)}), "sandbox-acme")
    (post,) = [one for one in sandbox.requests() if one["method"] == "POST"]
    assert result.job.mode == "image_to_video"
    assert len(post["body"]["input"]["images"]) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("500", SubmitUncertain),
        ("drop-after", SubmitUncertain),
        ("no-id", SubmitUncertain),
        ("401", ProviderError),
        ("402", ProviderError),
        ("moderated", ContentRejected),
        ("blocked", ContentRejected),
    ],
)
async def test_its_faults_are_those_of_any_provider(
    fault: str, error: type[Exception], acme: tuple[Session, Sandbox]
) -> None:
    session, sandbox = acme
    with pytest.raises(error):
        await session.generate(REQUEST.model_copy(update={"prompt": f"a boat [sandbox:{fault}]"}), "sandbox-acme")
    assert sandbox.ledger()["posts"] == 1


async def test_the_sandbox_refuses_what_the_file_does_not_offer(acme: tuple[Session, Sandbox]) -> None:
    import httpx

    _, sandbox = acme
    async with httpx.AsyncClient(headers={"Authorization": "Bearer ac_sandbox"}) as client:
        bodies = [
            ({"model": "grok-imagine-text", "input": {"prompt": "x", "seconds": 99}}, "duration"),
            ({"model": "grok-imagine-text", "input": {"prompt": "x", "seed": 1}}, "unknown field"),
            ({"model": "grok-imagine-text", "input": {"prompt": "x", "images": ["https://e.example/1"]}}, "model"),
            ({"model": "other", "input": {"prompt": "x"}}, "model"),
            ({"model": "grok-imagine-text", "input": {}}, "prompt"),
        ]
        for body, said in bodies:
            reply = await client.post(f"{sandbox.url}/acme/v1/jobs", json=body)
            assert (reply.status_code, said in reply.text) == (400, True), reply.text
        assert (await client.get(f"{sandbox.url}/acme/v1/jobs/nobody")).status_code == 404
        assert "--providers" in (await client.get(f"{sandbox.url}/nobody/v1/jobs")).text


async def test_a_connection_of_its_own_needs_its_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ACME)
    monkeypatch.setenv("ACME_API_KEY", "ac_from_a_variable_that_the_file_names")
    variable = "GROK_IMAGINE_CONNECTIONS__ACME__API_KEY"
    async with Session(tmp_path) as session:
        with pytest.raises(MissingKey, match=variable):
            await session.connect("acme")
    put(tmp_path, "connections", "studio", {"dialect": "acme", "api_key": "ac_0123456789"})
    found = profiles(load(tmp_path))
    assert found["studio"].base_url == found["acme"].base_url == "https://api.acme.example"
    assert found["studio"].key is not None
    monkeypatch.setenv(variable, "ac_own")
    key = profiles(load(tmp_path))["acme"].key
    assert key is not None
    assert key.get_secret_value() == "ac_own"


async def test_a_faulty_file_is_named_by_whoever_needs_it_and_disturbs_nobody_else(tmp_path: Path) -> None:
    write(tmp_path, ACME.replace("poll = ", "pool = "))
    put(tmp_path, "connections", "studio", {"dialect": "acme", "api_key": "ac_0123456789"})
    put(tmp_path, "connections", "old", {"dialect": "gone"})
    settings = load(tmp_path)
    assert {"acme", "sandbox-acme", "studio", "old"} & set(profiles(settings)) == set()
    assert "sandbox" in profiles(settings)
    faults = faulty_connections(settings)
    assert set(faults) == {"acme", "studio", "old"}
    assert "line 1, poll: Field required" in faults["studio"]
    async with Session(tmp_path) as session:
        for name, said in (("studio", "acme.toml"), ("sandbox-acme", "acme.toml"), ("old", "'gone' is no provider")):
            with pytest.raises(SettingsError, match=said):
                await session.connect(name)
    checks = {check.name: check for check in await run_checks(tmp_path, offline=True) if check.part == "providers"}
    assert set(checks) == {"acme", "studio", "old"}
    assert "line 1, poll: Field required" in checks["acme"].text
    assert all(check.grade == "fault" for check in checks.values())
