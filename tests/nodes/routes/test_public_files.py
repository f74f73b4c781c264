"""The shelf's route over real HTTP: a live token gives its file, everything else gives nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

HOST = "studio.example"
DATA = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


@pytest.fixture
async def shelf(home: Path, part: Any, serve: Any) -> tuple[str, Any]:
    """A server with the pack's routes, set up as public under HOST, and the shelf behind it."""
    home.mkdir(parents=True)
    store = {"kind": "comfyui", "public_base_url": f"https://{HOST}/comfy"}
    (home / "settings.json").write_text(json.dumps({"stores": {"here": store}}))
    url = await serve(part("nodes.routes.public_files").register)
    return f"{url}/public/", part("nodes.host.execution").runtime().public_files()


async def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Any]:
    async with aiohttp.ClientSession() as client, client.request(method, url, headers=headers) as answer:
        return answer.status, await answer.read(), answer.headers


def put(shelf: Any, part: Any, seconds: float = 60) -> str:
    blob = part("grok_imagine.models").Blob(DATA, "image/png")
    return str(shelf.put(blob, time.time() + seconds))


async def test_a_live_token_gives_its_file(shelf: tuple[str, Any], part: Any) -> None:
    url, files = shelf
    token = put(files, part)
    status, body, headers = await ask(url + token, Host=HOST)
    assert (status, body) == (200, DATA)
    assert headers["Content-Type"] == "image/png"
    assert headers["X-Content-Type-Options"] == "nosniff"
    status, body, headers = await ask(url + token, "HEAD", Host=HOST)
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(DATA)))
    status, body, _ = await ask(url + token, Host=HOST, Range="bytes=8-15")
    assert (status, body) == (206, DATA[8:16])
    assert (await ask(url + token))[0] == 200  # a proxy on this machine that says 127.0.0.1


async def test_everything_else_gets_nothing(shelf: tuple[str, Any], part: Any) -> None:
    url, files = shelf
    token = put(files, part)
    expired = put(files, part, seconds=-1)
    gone = put(files, part)
    files.remove(gone)
    (name,) = {path.stem for path in files._folder.glob("*.png") if files.find(token).path.stem == path.stem}
    for guess in (expired, gone, "x" * 43, token[:-1], token + "a", token.lower(), name, f"{name}.png", f"{name}.json"):
        status, body, _ = await ask(url + guess, Host=HOST)
        assert (status, body) == (404, b""), guess
    for path in ("../settings.json", "..%2fsettings.json", "%2e%2e/settings.json", "../journal.db", "", ".", "%00"):
        status, body, _ = await ask(url + path, Host=HOST)
        assert status == 404
        assert b"stores" not in body
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        status, body, _ = await ask(url + token, method, Host=HOST)
        assert status == 405
        assert DATA not in body
    assert (await ask(url + token, Host="evil.example"))[0] == 404  # a rebound DNS name
    assert (await ask(url + token, Host=f"{HOST}.evil.example"))[0] == 404
    assert (await ask(url + token, Host=HOST, Origin="https://evil.example"))[0] == 404
    assert (await ask(url + token, Host=HOST, Origin="null"))[0] == 404
    assert (await ask(url + token, Host=HOST, Origin=f"https://{HOST}"))[0] == 200


async def test_without_such_a_store_there_is_nothing(shelf: tuple[str, Any], part: Any, home: Path) -> None:
    url, files = shelf
    token = put(files, part)
    (home / "settings.json").write_text("{}")
    assert (await ask(url + token, Host=HOST))[0] == 404


async def test_a_job_hands_out_the_public_url_and_sweeps_the_shelf(shelf: tuple[str, Any], part: Any) -> None:
    _, files = shelf
    put(files, part, seconds=-1)
    route = part("grok_imagine.storage.comfyui_route")
    store = route.ComfyUIRoute("here", f"https://{HOST}/comfy", files, lifetime_seconds=60)
    file = await store.publish(part("grok_imagine.models").Blob(DATA, "image/png"))
    assert file.url.startswith(f"https://{HOST}/comfy/grok_imagine/public/")
    assert files.find(file.url.rsplit("/", 1)[1]) is not None
    assert len(list(files._folder.glob("*.png"))) == 1
    is_open = part("grok_imagine.privacy").is_open_to_others
    assert not any(is_open(path) for path in files._folder.iterdir())
    await store.remove(file.key)
    assert list(files._folder.iterdir()) == []
