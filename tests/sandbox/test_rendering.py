"""When a clip is rendered, how often, and where it is kept."""

from __future__ import annotations

import asyncio
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.sandbox.render import draft


class Renderer:
    """The draft renderer, held until it may go on."""

    def __init__(self) -> None:
        self.calls, self.may_go, self._real = 0, threading.Event(), draft.render
        self.may_go.set()

    def render(self, *arguments: Any) -> Any:
        self.calls += 1
        assert self.may_go.wait(60)
        return self._real(*arguments)


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> Renderer:
    made = Renderer()
    monkeypatch.setattr(draft, "render", made.render)
    return made


@pytest.fixture
async def call(open_sandbox: Any, tmp_path: Path) -> Any:
    """A sandbox that shares its clips with no other test."""
    return await open_sandbox(clips=tmp_path / "clips")


async def test_a_clip_is_rendered_when_it_is_asked_for(call: Any, renderer: Renderer, tmp_path: Path) -> None:
    url = await call.clip("xai")
    assert (renderer.calls, list((tmp_path / "clips").iterdir())) == (0, [])
    async with call.http.head(url) as reply:
        head = reply.headers
    status, data, headers = await call.get(url)
    assert (status, renderer.calls) == (200, 1)
    assert (head["ETag"], int(head["Content-Length"])) == (headers["ETag"], len(data))
    assert (await call.get(url, **{"If-None-Match": head["ETag"]}))[0] == 304
    [file] = (tmp_path / "clips").iterdir()
    assert headers["ETag"] == f'"{file.stem}"'
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_clip_is_rendered_once_and_the_loop_stays_free(call: Any, renderer: Renderer) -> None:
    """Three requests for two tasks of the same words, while the renderer is at it."""
    renderer.may_go.clear()
    urls = [await call.clip("xai") for _ in range(2)]
    asking = [asyncio.ensure_future(call.get(url)) for url in (*urls, urls[0])]
    while not renderer.calls:
        assert (await call.control("health"))[0] == 200
    renderer.may_go.set()
    answers = await asyncio.gather(*asking)
    assert {(status, len(data)) for status, data, _ in answers} == {(200, len(answers[0][1]))}
    assert renderer.calls == 1


@pytest.mark.parametrize("fault", ["failed", "moderated", "blocked", "stuck"])
async def test_nothing_is_rendered_without_a_download(call: Any, renderer: Renderer, fault: str) -> None:
    await call.finish("xai", await call.submit("xai", fault=fault))
    assert renderer.calls == 0


async def test_a_render_that_fails_is_tried_again(call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("out of paint")

    url = await call.clip("xai")
    with monkeypatch.context() as patch:
        patch.setattr(draft, "render", broken)
        status, text, _ = await call.get(url)
        assert (status, b"out of paint" in text) == (500, True)
    assert list((tmp_path / "clips").iterdir()) == []
    assert (await call.get(url))[0] == 200


async def test_references_outlive_a_restart(open_sandbox: Any, make_picture: Any, tmp_path: Path) -> None:
    """The picture is gone from where it was; what was fetched of it is enough."""
    call = await open_sandbox(clips=tmp_path / "clips")
    image = await call.upload(make_picture(300, 200))
    body = {"model": "grok-imagine", "prompt": "kept", "image": image, "duration": 1}
    task = await call.submit("openai_videos", body)
    await call.finish("openai_videos", task)
    for upload in call.sandbox.core.store.uploads.iterdir():
        upload.unlink()
    await call.sandbox.stop()
    again = await open_sandbox(state=call.sandbox.state, clips=tmp_path / "clips")
    done = (await again.poll("openai_videos", task))[1]
    assert (await again.get(done["metadata"]["url"]))[1][4:8] == b"ftyp"


async def test_sandboxes_share_clips_but_not_drafts(open_sandbox: Any, renderer: Renderer, tmp_path: Path) -> None:
    for _ in range(2):
        call = await open_sandbox(clips=tmp_path / "shared")
        assert (await call.get(await call.clip("xai")))[0] == 200
    assert renderer.calls == 1
    full = await open_sandbox(clips=tmp_path / "shared", draft=False)
    assert (await full.get(await full.clip("xai")))[0] == 200
    assert (renderer.calls, len(list((tmp_path / "shared").iterdir()))) == (1, 2)


async def test_the_environment_decides_where_nothing_is_said(
    open_sandbox: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GROK_IMAGINE_SANDBOX_DRAFT")
    monkeypatch.delenv("GROK_IMAGINE_SANDBOX_CLIPS")
    alone = await open_sandbox()
    assert (alone.sandbox.draft, alone.sandbox.core.store.clips) == (False, alone.sandbox.state / "clips")
    monkeypatch.setenv("GROK_IMAGINE_SANDBOX_DRAFT", "1")
    monkeypatch.setenv("GROK_IMAGINE_SANDBOX_CLIPS", str(tmp_path / "shared"))
    told = await open_sandbox()
    assert (told.sandbox.draft, told.sandbox.core.store.clips) == (True, tmp_path / "shared")
