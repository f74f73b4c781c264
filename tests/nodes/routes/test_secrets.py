"""No route answers with a key or a signature, whatever is asked; a forged callback finds nobody and changes nothing."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

KEY = "xai-sandbox-Ab3/Kd9+Qe7=Zt5u"
REVOKED = "rk_live_sandbox-revoked-Kf7/Qd5+Ve3=Ut1z"
STORE_SECRET = "store-Lg8/Rd4+We2=Tt0a/secret"
FIRST = 12
"""So many characters of a key are too many; its last four are what its owner knows it by."""
READS = ("/jobs", "/jobs?group=failed", "/settings", "/spend")


def marks(texts: list[str]) -> list[str]:
    """Which of the secrets show, in part or whole."""
    sought = [secret[:FIRST] for secret in (KEY, REVOKED, STORE_SECRET)]
    return [text for text in texts if any(one in text.replace("\\/", "/") for one in sought)]


async def test_no_route_shows_a_key_or_a_signature(
    desk: Any,
    run: Any,
    home: Path,
    sandbox: Any,
    caplog: pytest.LogCaptureFixture,
    host: Any,
    part: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    fetch = part("grok_imagine.jobs.pipeline.download")
    monkeypatch.setattr(fetch, "_SCHEDULE", fetch.Backoff(first=0.1, longest=0.1, tries=3))
    told: list[str] = []

    async def ask(method: str, path: str, body: Any = None) -> Any:
        status, found, headers = await desk.ask(method, path, body)
        told.extend((json.dumps(found) if not isinstance(found, bytes) else repr(found), repr(dict(headers))))
        return status, found

    own = {"dialect": "xai", "base_url": f"{sandbox.url}/xai", "api_key": KEY}
    assert (await ask("POST", "/settings/connection", {"name": "mine", **own}))[0] == 200
    revoked = {"dialect": "reapi", "base_url": f"{sandbox.url}/reapi", "api_key": REVOKED}
    assert (await ask("POST", "/settings/connection", {"name": "revoked", **revoked}))[0] == 200
    store = {"kind": "s3", "bucket": "b", "endpoint": "http://127.0.0.1:9", "secret_access_key": STORE_SECRET}
    assert (await ask("POST", "/settings/store", {"name": "mine", **store}))[0] == 200
    await ask("POST", "/settings/store", {"name": "mine", "endpoint": "https://else.example"})
    await ask("POST", "/settings/store/test", {"name": "mine"})
    await ask("POST", "/settings/connection", {"name": "mine", "base_url": "https://else.example"})
    await ask("POST", "/settings/connection", {"name": "mine", "api_key": f"{KEY} {REVOKED}"})
    for name in ("mine", "revoked"):
        assert (await ask("POST", "/settings/connection/test", {"name": name}))[0] == 200
    video, made, *rest = await run("GIVTextToVideo", prompt="a kite", duration=1, connection="mine")
    told += [repr(video), rest[-1]]
    for prompt, connection in (("x [sandbox:no-id]", "mine"), ("x [sandbox:expired-url]", "mine"), ("x", "revoked")):
        with pytest.raises(Exception, match=r"\w") as caught:
            await run("GIVTextToVideo", prompt=prompt, duration=6, connection=connection)
        told += [str(caught.value), repr(caught.value)]
    for path in READS:
        await ask("GET", path)
    (_, listed) = await ask("GET", "/jobs")
    assert len(listed["jobs"]) == 4
    for job in listed["jobs"]:
        for part in ("", "/workflow", "/thumbnail"):
            await ask("GET", f"/jobs/{job['id']}{part}")
        for action in ("resume", "attach", "again", "drop"):
            body = {"task_id": "nothing", "knowingly": False}
            await ask("POST", f"/jobs/{job['id']}/{action}", body)
    status, clip = await ask("GET", f"/jobs/{made}/video")
    assert (status, clip[4:8]) == (200, b"ftyp")
    told += [repr(one) for one in (desk.shown, host.texts, host.sent)]
    told += [logging.Formatter().format(record) for record in caplog.records]
    assert marks(told) == []
    assert [text for text in told if "signature=" in text] == []
    kept = [path for path in home.rglob("*") if path.is_file() and path.name != "settings.json"]
    assert kept
    assert marks([path.read_bytes().decode("latin-1") for path in kept]) == []
    assert KEY in json.loads((home / "settings.json").read_text())["connections"]["mine"]["api_key"]


@pytest.mark.parametrize("path", ["/callback/aivideo/x", "/callback/aivideoapi/{task}", "/jobs/{job}/callback"])
@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_a_forged_callback_changes_nothing(desk: Any, run: Any, path: str, status: str, sandbox: Any) -> None:
    _, job, task, *_ = await run("GIVTextToVideo", prompt="a kite", duration=1, connection="sandbox-xai")
    before = await desk.get(f"/jobs/{job}")
    forged = {"id": task, "status": status, "output": {"urls": ["https://evil.example/a.mp4"]}, "error": "evil"}
    for _ in range(2):
        answer, _, _ = await desk.ask("POST", path.format(task=task, job=job), forged)
        assert answer in (404, 405)
    after = await desk.get(f"/jobs/{job}")
    assert after == before
    assert "evil" not in json.dumps(after)
    assert sandbox.submits == 1
