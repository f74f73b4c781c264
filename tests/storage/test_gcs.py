"""Google Cloud Storage: no emulator that checks signatures runs offline, so what obstore sends and signs is inspected.

A server on loopback keeps what is put and verifies each signed URL as Google documents it (V4 signing with a service
account's RSA key): canonical request, string to sign, expiry.
https://cloud.google.com/storage/docs/authentication/canonical-requests
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from grok_imagine.errors import StorageError
from grok_imagine.models import Blob
from grok_imagine.settings import StoreSettings
from grok_imagine.storage.base import PublicFile
from grok_imagine.storage.bucket import BucketStore

PICTURE = Blob(b"\x89PNG\r\n\x1a\n" + bytes(500), "image/png")
ACCOUNT = "uploads@project.iam.gserviceaccount.com"


class Gcs:
    """What of Google's XML API the store uses, for one bucket."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key, self.url = key, ""
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.seen: list[str] = []

    async def put(self, request: web.Request) -> web.Response:
        self.seen.append(f"PUT {request.path} {request.headers.get('Authorization', '')[:7]}")
        self.objects[request.path] = (await request.read(), request.headers["Content-Type"])
        return web.Response(headers={"ETag": '"1"', "x-goog-generation": "1"})

    async def get(self, request: web.Request) -> web.Response:
        fault = self.refusal(request)
        if fault:
            return web.Response(status=403, text=fault)
        data, kind = self.objects[request.path]
        return web.Response(body=data, content_type=kind)

    def refusal(self, request: web.Request) -> str | None:
        """Why the URL is not good, or None."""
        query = dict(request.query)
        signature = query.pop("X-Goog-Signature", "")
        if not signature:
            return "anonymous"
        made = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
        if datetime.now(timezone.utc) > made + timedelta(seconds=int(query["X-Goog-Expires"])):
            return "expired"
        raw = "&".join(part for part in request.rel_url.raw_query_string.split("&") if "Signature=" not in part)
        # obstore signs for Google's own host, whichever base URL it was given.
        host = "host:storage.googleapis.com"
        canonical = "\n".join(["GET", request.rel_url.raw_path, raw, host, "", "host", "UNSIGNED-PAYLOAD"])
        scope = query["X-Goog-Credential"].split("/", 1)[1]
        text = "\n".join(
            ["GOOG4-RSA-SHA256", query["X-Goog-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
        )
        try:
            self.key.public_key().verify(bytes.fromhex(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return "wrong signature"
        return None if query["X-Goog-Credential"].startswith(ACCOUNT) else "wrong account"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
async def gcs(key: rsa.RSAPrivateKey) -> AsyncIterator[Gcs]:
    there = Gcs(key)
    app = web.Application()
    app.router.add_put("/{path:.*}", there.put)
    app.router.add_get("/{path:.*}", there.get)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield there
    await runner.cleanup()


async def publish(gcs: Gcs, key: rsa.RSAPrivateKey, lifetime_seconds: float = 600) -> PublicFile:
    """Put without Google's token server, which is not here, and sign with the account's own key, which needs none."""
    with suppress(StorageError):  # without OAuth obstore would ask Google to sign
        await store(gcs, key, lifetime_seconds, disable_oauth=True).publish(PICTURE)
    signing = store(gcs, key, lifetime_seconds)
    return await signing.sign(signing.key_of(PICTURE))


def store(gcs: Gcs, key: rsa.RSAPrivateKey, lifetime_seconds: float = 600, **more: Any) -> BucketStore:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account: dict[str, Any] = {
        "type": "service_account",
        "client_email": ACCOUNT,
        "private_key": pem,
        "private_key_id": "1",
        "gcs_base_url": gcs.url,
        **more,
    }
    stated = StoreSettings(kind="gcs", bucket="refs", endpoint=gcs.url, service_account_key=json.dumps(account))  # type: ignore[arg-type]
    return BucketStore("mine", stated, secret=b"x", lifetime_seconds=lifetime_seconds)


async def fetch(gcs: Gcs, url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url)


async def test_what_is_put_is_read_by_the_signed_url_alone(gcs: Gcs, key: rsa.RSAPrivateKey) -> None:
    file = await publish(gcs, key)
    (path,) = gcs.objects
    assert path == f"/refs/{file.key}"
    answer = await fetch(gcs, file.url)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PICTURE.data, "image/png")
    assert (await fetch(gcs, file.url.split("?")[0])).text == "anonymous"
    assert (await fetch(gcs, file.url.replace(".png", ".jpg"))).text == "wrong signature"


async def test_a_signature_of_another_key_is_rejected(gcs: Gcs, key: rsa.RSAPrivateKey) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file = await publish(gcs, other)
    assert (await fetch(gcs, file.url)).text == "wrong signature"


async def test_the_url_says_when_it_ends(gcs: Gcs, key: rsa.RSAPrivateKey) -> None:
    file = await publish(gcs, key, lifetime_seconds=90)
    assert "X-Goog-Expires=90" in file.url
    longest = await publish(gcs, key, lifetime_seconds=1e9)
    assert "X-Goog-Expires=604800" in longest.url
