"""Who sees and changes whose jobs: several users, other machines, and pages that have not registered themselves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ..waiting import jobs_in, until

CLIP = {"duration": 1, "connection": "sandbox-xai"}
LAN = {"Host": "192.168.1.7:8188"}
ANNA, BORIS = {"Comfy_User": "anna_1"}, {"Comfy_User": "boris_2"}


class Users:
    """ComfyUI's user manager, as far as it names the user of a request."""

    users = ("anna_1", "boris_2")

    def get_request_user_id(self, request: Any) -> str:
        user = request.headers.get("comfy-user", "default")
        if user not in self.users:
            raise KeyError(f"Unknown user: {user}")
        return user


@pytest.fixture
async def users(host: Any, part: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    from comfy.cli_args import args

    monkeypatch.setattr(args, "multi_user", True, raising=False)
    monkeypatch.setattr(host, "user_manager", Users(), raising=False)
    part("nodes.host.pages")._pages.clear()
    yield
    part("nodes.host.pages")._pages.clear()


async def run_as(user: dict[str, str], desk: Any, host: Any, run: Any, monkeypatch: Any, **wish: Any) -> str:
    """Queue a clip from the user's page. The job's id."""
    page = f"page of {user['Comfy_User']}"
    status, found, _ = await desk.ask("POST", "/face", {"client_id": page}, **user)
    assert status == 200, found
    monkeypatch.setattr(host, "client_id", page)
    return (await run("GIVTextToVideo", **CLIP, **wish))[1]


def received(host: Any, client_id: str) -> set[str]:
    """The jobs that a page was told of."""
    return {data["id"] for event, data, client in host.sent if event == "grok_imagine.job" and client == client_id}


def told(host: Any, client_id: str) -> list[str]:
    """The states of jobs that a page was told of."""
    return [data["state"] for event, data, page in host.sent if (event, page) == ("grok_imagine.job", client_id)]


async def listed(desk: Any, **headers: str) -> set[str]:
    status, found, _ = await desk.ask("GET", "/jobs", **headers)
    assert status == 200, found
    assert found["counts"]["all"] == len(found["jobs"])
    return {job["id"] for job in found["jobs"]}


async def test_each_user_sees_their_own_jobs(
    desk: Any, run: Any, host: Any, users: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = await run_as(ANNA, desk, host, run, monkeypatch, prompt="of Anna", seed=1)
    theirs = await run_as(BORIS, desk, host, run, monkeypatch, prompt="of Boris", seed=2)
    assert await listed(desk, **ANNA) == {mine}
    assert await listed(desk, **BORIS) == {theirs}
    assert received(host, "page of anna_1") == {mine}
    assert received(host, "page of boris_2") == {theirs}
    for method, path in (("GET", ""), ("GET", "/workflow"), ("GET", "/prices"), ("POST", "/resume"), ("POST", "/drop")):
        assert (await desk.ask(method, f"/jobs/{mine}{path}", **BORIS))[0] == 404
    assert (await desk.ask("POST", f"/jobs/{mine}/remove", {}, **BORIS))[0] == 404
    for name, status in (("anna_1", 200), ("boris_2", 404), ("nobody", 403)):
        found = await desk.ask("GET", f"/jobs/{mine}/video?user={name}", X_Grok_Imagine="")
        assert found[0] == status, name
    assert (await desk.ask("POST", f"/jobs/{mine}/remove", {}, **ANNA))[0] == 200
    assert await listed(desk, **ANNA) == set()


async def test_an_equal_clip_of_two_users_is_paid_once_and_belongs_to_both(
    desk: Any, run: Any, host: Any, users: None, monkeypatch: pytest.MonkeyPatch, sandbox: Any
) -> None:
    job = await run_as(ANNA, desk, host, run, monkeypatch, prompt="of both")
    assert await run_as(BORIS, desk, host, run, monkeypatch, prompt="of both") == job
    assert sandbox.submits == 1
    assert (await desk.ask("POST", f"/jobs/{job}/remove", {}, **ANNA))[0] == 200
    assert await listed(desk, **ANNA) == set()
    assert await listed(desk, **BORIS) == {job}
    assert (await desk.ask("GET", f"/jobs/{job}/video?user=boris_2", X_Grok_Imagine=""))[0] == 200


async def test_a_job_of_another_user_is_not_found_by_a_node(
    desk: Any, run: Any, host: Any, part: Any, users: None, monkeypatch: pytest.MonkeyPatch, sandbox: Any, home: Path
) -> None:
    errors = part("grok_imagine.errors")
    job = await run_as(ANNA, desk, host, run, monkeypatch, prompt="of Anna")
    task = (await desk.ask("GET", f"/jobs/{job}", **ANNA))[1]["task_id"]
    file = str(home / "results" / f"{job}.mp4")
    ways: tuple[tuple[type[Exception], str, dict[str, str]], ...] = (
        (errors.SettingsError, "GIVWaitForTask", {"job_id": job}),
        (errors.SettingsError, "GIVWaitForTask", {"job_id": job, "task_id": task}),
        (errors.SettingsError, "GIVWaitForTask", {"job_id": job, "task_id": "another"}),
        (errors.TaskNotFound, "GIVWaitForTask", {"connection": "sandbox-xai", "task_id": task}),
        (errors.SettingsError, "GIVLoadVideoFrames", {"source": job}),
        (errors.RequestError, "GIVLoadVideoFrames", {"source": f"{job}.mp4"}),
        (errors.RequestError, "GIVLoadVideoFrames", {"source": file}),
    )
    await run_as(BORIS, desk, host, run, monkeypatch, prompt="of Boris")
    for error, node, given in ways:
        with pytest.raises(error, match=r"There is no (job|file)|You have no task") as caught:
            await run(node, **given)
        assert ("task_id" in given) or task not in str(caught.value)
    assert await listed(desk, **ANNA) == {job}
    await run_as(ANNA, desk, host, run, monkeypatch, prompt="of Anna")
    for _, node, given in ways:
        if given.get("task_id") != "another":
            await run(node, **given)
    assert sandbox.submits == 2


async def test_an_equal_list_of_two_users_belongs_to_both(
    desk: Any, run: Any, host: Any, users: None, monkeypatch: pytest.MonkeyPatch, sandbox: Any
) -> None:
    rows = {"connection": ["sandbox-xai"], "duration": [1], "rows": ["a tree\na kite"]}
    for user in (ANNA, BORIS):
        await run_as(user, desk, host, run, monkeypatch, prompt="a tree")
        videos, *_ = await run("GIVBatch", **rows)
        assert len(videos) == 2
    assert sandbox.submits == 2
    assert await listed(desk, **ANNA) == await listed(desk, **BORIS)


async def test_an_abandoned_job_is_told_to_its_own_user(
    desk: Any, run: Any, host: Any, home: Path, users: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comfy.model_management as management

    settings = json.loads((home / "settings.json").read_text())
    (home / "settings.json").write_text(json.dumps({**settings, "on_interrupt": "drop"}))
    await run_as(BORIS, desk, host, run, monkeypatch, prompt="of Boris")  # whose page is open on this machine
    before = received(host, "page of boris_2")
    waiting = asyncio.ensure_future(run_as(ANNA, desk, host, run, monkeypatch, prompt="of Anna [sandbox:stuck]"))
    await until(lambda: "submitted" in [state for _, state, _ in jobs_in(home)])
    management.interrupt_current_processing(True)
    with pytest.raises(management.InterruptProcessingException):
        await waiting
    await until(lambda: "failed" in told(host, "page of anna_1"))
    assert received(host, "page of boris_2") == before


async def test_a_job_of_nobody_is_seen_on_the_machine_itself(desk: Any, run: Any, host: Any, users: None) -> None:
    """As one of before, of the command line, or of a program that queued it."""
    job = (await run("GIVTextToVideo", **CLIP, prompt="of a program"))[1]
    assert await listed(desk, **ANNA) == {job}
    assert await listed(desk, **ANNA, **LAN) == set()
    assert (await desk.ask("GET", f"/jobs/{job}", **ANNA, **LAN))[0] == 404


async def test_without_a_known_user_nothing_is_told(desk: Any, users: None) -> None:
    for headers in ({}, {"Comfy_User": "nobody"}, {"Comfy_User": "__grok_imagine"}):
        for method, path in (("GET", "/jobs"), ("GET", "/settings"), ("POST", "/face")):
            status, error, _ = await desk.ask(method, path, **headers)
            assert (status, error["error"]["kind"]) == (403, "UnknownUser")


async def test_without_multi_user_the_header_says_nothing(desk: Any, run: Any) -> None:
    job = (await run("GIVTextToVideo", **CLIP, prompt="of the only user"))[1]
    assert await listed(desk, **BORIS) == {job}
    assert await listed(desk, **LAN) == {job}


ACTIONS = (
    *(f"/jobs/20261121-101500-3f9a2c7b/{name}" for name in ("resume", "attach", "again", "drop", "remove")),
    "/settings/connection/test",
    "/settings/store/test",
)


@pytest.mark.parametrize("headers", [LAN, {"X_Forwarded_For": "203.0.113.7"}], ids=["network", "proxy"])
@pytest.mark.parametrize("setting", [None, "allow_remote_actions", "allow_remote_settings"])
async def test_jobs_are_changed_from_the_machine_itself_unless_its_owner_allows_more(
    desk: Any, home: Path, headers: dict[str, str], setting: str | None
) -> None:
    path = home / "settings.json"
    if setting:
        path.write_text(json.dumps({**json.loads(path.read_text()), setting: True}))
    for action in ACTIONS:
        status, error, _ = await desk.ask("POST", action, {"name": "nowhere"}, **headers)
        is_refused = status == 403 and error["error"]["kind"] == "ActionsStayHere"
        assert is_refused == (setting is None), (action, error)
        here, error, _ = await desk.ask("POST", action, {"name": "nowhere"})
        assert here != 403, error
    assert (await desk.ask("GET", "/jobs", **headers))[0] == 200


async def test_a_page_hears_of_jobs_once_it_has_registered(
    desk: Any, run: Any, host: Any, part: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The websocket is open to every Host: one that no route would answer is sent nothing."""
    part("nodes.host.pages")._pages.clear()
    monkeypatch.setattr(host, "client_id", "foreign")
    status, _, _ = await desk.ask("POST", "/face", {"client_id": "foreign"}, Host="evil.example")
    assert status == 403
    await run("GIVTextToVideo", **CLIP, prompt="unheard")
    assert [one for one in host.sent if str(one[0]).startswith("grok_imagine")] == []
    await desk.post("/face", client_id="own")
    heard = (await run("GIVTextToVideo", **CLIP, prompt="heard"))[1]
    assert {client for event, _, client in host.sent if str(event).startswith("grok_imagine")} == {"own"}
    assert received(host, "own") == {heard}


async def test_other_pages_of_the_only_user_are_told(desk: Any, run: Any, host: Any) -> None:
    await desk.ask("POST", "/face", {"client_id": "on the network"}, **LAN)
    job = (await run("GIVTextToVideo", **CLIP, prompt="seen from afar"))[1]
    assert received(host, "on the network") == {job}
