"""Azure Blob against Azurite, Microsoft's emulator, which checks signatures; without it, against what obstore signs.

``AZURITE`` names its program (``npm install azurite``, then node_modules/.bin/azurite-blob).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import subprocess
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from grok_imagine.errors import StorageError
from grok_imagine.models import Blob
from grok_imagine.settings import StoreSettings
from grok_imagine.storage.bucket import BucketStore

PICTURE = Blob(b"\x89PNG\r\n\x1a\n" + bytes(500), "image/png")
ACCOUNT = "devstoreaccount1"
# The emulator's well-known key, the same everywhere:
# https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

needs_azurite = pytest.mark.skipif("AZURITE" not in os.environ, reason="AZURITE names no emulator")


def store(endpoint: str, lifetime_seconds: float = 600, **more: Any) -> BucketStore:
    fields: dict[str, Any] = {"kind": "azure", "bucket": "refs", "account_name": ACCOUNT, "account_key": KEY}
    stated = StoreSettings(**{**fields, "endpoint": endpoint, **more})
    return BucketStore("mine", stated, secret=b"x", lifetime_seconds=lifetime_seconds)


async def test_the_signed_url_reads_one_blob_for_so_long() -> None:
    file = await store(f"http://127.0.0.1:9/{ACCOUNT}").sign("grok-imagine/a.png")
    query = {name: values[0] for name, values in parse_qs(urlsplit(file.url).query).items()}
    assert (query["sp"], query["sr"]) == ("r", "b")
    start = time.mktime(time.strptime(query["st"], "%Y-%m-%dT%H:%M:%SZ"))
    assert time.mktime(time.strptime(query["se"], "%Y-%m-%dT%H:%M:%SZ")) - start == 600
    # https://learn.microsoft.com/rest/api/storageservices/create-service-sas: string to sign, version 2020-12-06 on
    parts = ["r", query["st"], query["se"], f"/blob/{ACCOUNT}/refs/grok-imagine/a.png", "", "", ""]
    text = "\n".join([*parts, query["sv"], "b", "", "", "", "", "", "", ""])
    expected = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    assert query["sig"] == expected


@pytest.fixture(scope="module")
def azurite(unused_tcp_port_factory: Any) -> Iterator[str]:
    port = unused_tcp_port_factory()
    command = [os.environ["AZURITE"], "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    command += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
        _make_container(endpoint)
        yield endpoint
        process.terminate()


def _make_container(endpoint: str) -> None:
    for _ in range(150):
        date = formatdate(usegmt=True)
        resource = f"/{ACCOUNT}/{ACCOUNT}/refs\nrestype:container"
        text = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:2021-12-02\n{resource}"
        signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
        headers = {"x-ms-date": date, "x-ms-version": "2021-12-02", "Content-Length": "0"}
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature}"
        try:
            answer = httpx.put(f"{endpoint}/refs?restype=container", headers=headers, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        assert answer.status_code == 201, answer.text
        return
    raise AssertionError("the emulator did not start within 30 s")


async def fetch(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url)


@needs_azurite
async def test_an_upload_is_read_by_its_signed_url_and_by_nothing_else(azurite: str) -> None:
    ours = store(azurite)
    file = await ours.publish(PICTURE)
    answer = await fetch(file.url)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PICTURE.data, "image/png")
    assert (await fetch(file.url.split("?")[0])).status_code in (401, 403)
    assert (await fetch(file.url.replace("sig=", "sig=A"))).status_code == 403
    assert [found.key for found in await ours.list()] == [file.key]
    await ours.remove(file.key)
    await ours.remove(file.key)
    assert await ours.list() == []


@needs_azurite
async def test_a_signed_url_expires(azurite: str) -> None:
    for lifetime in (2, 8, 32):  # the first that is long enough for this machine to fetch it once in time
        began = time.monotonic()
        file = await store(azurite, lifetime_seconds=lifetime).publish(PICTURE)
        status = (await fetch(file.url)).status_code
        if time.monotonic() - began < lifetime - 1.1:  # it names whole seconds
            assert status == 200
            break
    await asyncio.sleep(lifetime + 1.1)
    assert (await fetch(file.url)).status_code == 403


@needs_azurite
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"account_key": base64.b64encode(b"wrong" * 12).decode()}, "refuses the key|denies it"),
        ({"bucket": "nowhere"}, "does not know the bucket"),
    ],
)
async def test_a_failing_upload_says_why(change: dict[str, str], words: str, azurite: str) -> None:
    with pytest.raises(StorageError, match=words):
        await store(azurite, **change).publish(PICTURE)
