"""Who may use the pack's routes: ComfyUI's own page, under a name of this server, and for settings from this machine.

ComfyUI has no log-in, and any page that a browser opens can send requests to it. So every route here refuses a
foreign Origin and a Host that another site could make its own (DNS rebinding); JSON routes want a header that a
foreign page cannot send without asking; nothing changes on a GET.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import platform
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ...grok_imagine.errors import GrokImagineError
from ...grok_imagine.models.url import is_loopback, is_private_host
from ...grok_imagine.redact import redact
from ...grok_imagine.transport.timeouts import wait_with_timeout
from ..host import pages

if TYPE_CHECKING:
    from aiohttp import web

    from ..host.runtime import Runtime

HEADER = "X-Grok-Imagine"
_LARGEST_BODY = 256 * 1024
_BODY_SECONDS = 30.0
_PRIVATE = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class ApiRequest:
    """A request as a value: names from its path, its query, and the JSON object that it brought."""

    match: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any] = field(default_factory=dict[str, Any])
    user: str = ""
    """ComfyUI's user id with --multi-user, else empty."""
    is_here: bool = True
    """Whether it was made on this very machine."""

    def text(self, name: str, default: str | None = None) -> str:
        """A text of the body. Raises ApiError where it is missing or something else."""
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise ApiError(400, f"{name} must be a text.")
        return value


@dataclass(frozen=True)
class File:
    """An answer that is a file. One whose content never changes under its address may be kept by the browser."""

    path: Path
    media_type: str
    is_lasting: bool = False


class ApiError(Exception):
    """The request is rejected."""

    def __init__(self, status: int, message: str, kind: str = "Refused") -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


Work = Callable[[ApiRequest], Awaitable[Any]]


class Guard:
    """Makes routes of work that is done on the pack's own loop, so that ComfyUI's is never held up."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def get(self, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A GET that answers with JSON."""
        return self._route(work, lambda request: self._check(request, wants_header=True))

    def file(self, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A GET that answers with a file; elements of a page cannot send a header of ours."""
        return self._route(work, lambda request: self._check(request, wants_header=False))

    def post(self, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A POST of JSON that is answered with JSON."""
        return self._route(work, lambda request: self._check(request, wants_header=True))

    def local_post(self, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Like :meth:`post`, for what changes jobs or may spend: only from this very machine, unless opened up."""

        def check(request: web.Request) -> None:
            self._check(request, wants_header=True)
            if not (is_here(request) or self._runtime.settings.takes_remote_actions()):
                raise ApiError(403, ACTIONS_STAY_HERE, "ActionsStayHere")

        return self._route(work, check)

    def admin_post(self, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Like :meth:`post`, for settings and keys: only from this very machine, unless its owner opened it up."""

        def check(request: web.Request) -> None:
            self._check(request, wants_header=True)
            if not (is_here(request) or self._runtime.settings.takes_remote_settings()):
                raise ApiError(403, SETTINGS_STAY_HERE, "SettingsStayHere")

        return self._route(work, check)

    def _check(self, request: web.Request, *, wants_header: bool) -> None:
        host = request.headers.get("Host", "")
        if not is_own_name(host, self._runtime.settings.page_hosts()):
            name = urlsplit(f"//{host}").hostname or host
            raise ApiError(403, FOREIGN_NAME.format(name=redact(name, limit=100)), "ForeignHost")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise ApiError(403, "This is for ComfyUI's own page.", "ForeignOrigin")
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise ApiError(403, "This is for ComfyUI's own page.", "ForeignOrigin")
        if wants_header and HEADER not in request.headers:
            raise ApiError(403, f"The header {HEADER} is missing.")

    def _route(
        self, work: Work, check: Callable[[web.Request], None]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        from aiohttp import web

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                check(request)
                body = await _json(request) if request.method == "POST" else {}
                names, query = dict(request.match_info), dict(request.query)
                api_request = ApiRequest(names, query, body, _user(request), is_here(request))
                result = await asyncio.wrap_future(self._runtime.submit(_run(work, api_request)))
            except ApiError as refused:
                return _error(refused.status, refused.kind, str(refused))
            except GrokImagineError as error:
                return _error(400, type(error).__name__, redact(str(error), limit=4000))
            except Exception as error:
                logging.getLogger(__name__).exception("a route of Grok Imagine Video failed")
                return _error(500, "Unexpected", f"{type(error).__name__}: see ComfyUI's log.")
            if isinstance(result, File):
                kept = {"Cache-Control": "private, max-age=31536000, immutable"} if result.is_lasting else {}
                return web.FileResponse(result.path, headers={**_PRIVATE, **kept, "Content-Type": result.media_type})
            return web.json_response(result, headers=_PRIVATE)

        return answer


async def _run(work: Work, api_request: ApiRequest) -> Any:
    from ...grok_imagine.jobs.progress import USER_ID

    USER_ID.set(api_request.user)
    return await work(api_request)


def _user(request: web.Request) -> str:
    """With --multi-user, the user that ComfyUI's page names; elements of a page name it in the query instead."""
    headers = {"comfy-user": name} if (name := request.headers.get("comfy-user") or request.query.get("user")) else {}
    try:
        return pages.user_of(headers)
    except KeyError:
        raise ApiError(403, "ComfyUI does not know this user. Reload the page and choose one.", "UnknownUser") from None


async def _json(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise ApiError(415, "Send JSON.")
    try:
        data = await wait_with_timeout(_BODY_SECONDS, read_body(request, _LARGEST_BODY))
    except asyncio.TimeoutError:
        raise ApiError(408, "The request took too long to arrive.") from None
    if data is None:
        raise ApiError(413, "That is too much.")
    try:
        body: Any = json.loads(data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(400, "Send a JSON object.")
    return cast("dict[str, Any]", body)


async def read_body(request: web.Request, limit: int) -> bytes | None:
    """The whole body, in however many pieces it arrives; None if it has more than ``limit`` bytes."""
    if (request.content_length or 0) > limit:
        return None
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > limit:
            return None
    return bytes(data)


def _error(status: int, kind: str, message: str) -> web.Response:
    from aiohttp import web

    return web.json_response({"error": {"kind": kind, "message": message}}, status=status, headers=_PRIVATE)


FOREIGN_NAME = (
    "ComfyUI is open here under the name {name}, which is not known to be its own, so this could be another site's "
    'trick. If it is yours, add "hosts": ["{name}"] to user/__grok_imagine/settings.json, or set '
    "GROK_IMAGINE_HOSTS='[\"{name}\"]' where ComfyUI starts."
)
ACTIONS_STAY_HERE = (
    "Jobs are changed on the machine that runs ComfyUI: open it there as http://127.0.0.1, or use the grok-imagine "
    "command. To allow it from here (everybody who reaches this server could then do it), set "
    '"allow_remote_actions": true in user/__grok_imagine/settings.json.'
)
SETTINGS_STAY_HERE = (
    "Keys and settings are changed on the machine that runs ComfyUI: open it there as http://127.0.0.1, or use "
    "environment variables or the grok-imagine command. To allow it from here (everybody who reaches this server "
    'could then do it), set "allow_remote_settings": true in user/__grok_imagine/settings.json.'
)


def is_own_name(host: str, known: frozenset[str]) -> bool:
    """Whether ``host``, a Host header, can be this server's: no site on the internet can point such a name here.

    A page that was served under an address, or under a name that only the local network resolves, was served by
    whoever sits there. A name of the public DNS can be rebound, so its owner has to say that it is his.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return is_private_host(name) or name in known or name == platform.node().lower()
    return True


def is_here(request: web.Request) -> bool:
    """Whether the request was made on this very machine, with no proxy in between as far as it says."""
    passed_on = {"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"} & set(request.headers)
    peer = request.remote or ""
    peer_url = f"http://[{peer}]" if ":" in peer else f"http://{peer}"
    return not passed_on and is_loopback(peer_url) and is_loopback(f"http://{request.headers.get('Host', '')}")
