"""The routes of all dialects in one aiohttp application, and the middleware that rejects foreign callers."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from . import faults as fault_table
from .control import Control
from .dialects import DIALECTS
from .faults import Fault, UnknownFaultError
from .files.file_responses import ClipDownloads
from .files.gateway_files import GatewayFiles
from .files.uploads import NotMediaError, Uploads
from .http_helpers import reply_of_fault, send
from .provider_paths import provider_paths
from .render.render_worker import RenderWorker
from .state import SandboxState
from .task_handlers import FAULT_HEADER, LAST_BODY, TaskHandlers
from .task_runner import TaskRunner

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Seven data URIs of 10 MB each, in base64, is the largest body any dialect takes.
_BODY_LIMIT = 100 * 1024 * 1024
_CLIENT_CLOSED_REQUEST = 499
"""What nginx writes down for a caller that hung up before the answer."""


def build(core: SandboxState, runner: TaskRunner, renders: RenderWorker, control: Control) -> web.Application:
    """Every route of the sandbox in one application."""
    app = web.Application(middlewares=[access_middleware(core)], client_max_size=_BODY_LIMIT)
    downloads, uploads = ClipDownloads(core, renders), Uploads(core)
    for dialect in DIALECTS:
        handlers = TaskHandlers(core, runner, uploads, dialect)
        prefix = "/" + dialect.name
        if dialect.name == "openai_videos":
            files = GatewayFiles(handlers, downloads)
            app.router.add_get(prefix + "/v1/videos", files.list)
            app.router.add_get(prefix + "/v1/videos/{task_id}/content", files.content)
            app.router.add_delete(prefix + "/v1/videos/{task_id}", files.delete)
        if dialect.name == "aivideoapi":
            app.router.add_get(prefix + "/v1/credits", handlers.credits)
        for path, operation in dialect.submit_paths.items():
            app.router.add_post(prefix + path, _bind(handlers.submit, operation))
        for path, shape in dialect.poll_paths.items():
            app.router.add_get(prefix + path, _bind(handlers.poll, shape))
    app.router.add_get("/cdn/{dialect}/{token}.mp4", _cdn(core, downloads))
    app.router.add_post("/_sandbox/uploads", uploads.post)
    app.router.add_get("/_sandbox/files/{name}", uploads.get)
    app.router.add_routes(control.routes())
    app.router.add_route("*", "/{dialect}/{path:.*}", provider_paths(core, runner, uploads, downloads))
    return app


def _bind(act: Callable[[web.Request, str], Awaitable[web.StreamResponse]], word: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await act(request, word)

    return handler


def _cdn(core: SandboxState, downloads: ClipDownloads) -> Handler:
    """The CDN path: faults of the request, of the queue, and those the task remembers."""

    async def handler(request: web.Request) -> web.StreamResponse:
        name = request.match_info["dialect"]
        dialect = core.dialect(name)
        if dialect is None:
            return web.Response(status=404)
        faults: list[Fault] = fault_table.parse_list(request.headers.get(FAULT_HEADER, ""))
        faults += core.fault_queue.take(name, "cdn")
        task = core.store.task_by_token(request.match_info["token"])
        if task is not None:
            acting, kept = fault_table.split_acting(task.faults, "cdn")
            faults += [fault for fault in acting if fault.kind in ("reply", "file")]
            if kept != task.faults:
                task.faults = kept
                core.store.save(task)
        if instead := reply_of_fault(faults, dialect):
            return await send(request, instead[0], faults)
        return await downloads.cdn(request, faults)

    return handler


def _is_local_caller(request: web.Request) -> bool:
    """Whether the caller is of this machine: no rebound host name, no page of another origin."""
    host = urlsplit("//" + request.host).hostname
    origin = request.headers.get("Origin")
    if host not in _LOOPBACK or request.headers.get("Sec-Fetch-Site") == "cross-site":
        return False
    return origin is None or urlsplit(origin).hostname in _LOOPBACK


def access_middleware(core: SandboxState) -> Any:
    """Rejects callers from elsewhere, and logs every request."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_local_caller(request):
            return web.Response(status=403, text="this sandbox serves its own machine only")
        status = 0
        LAST_BODY.set(None)
        try:
            response = await handler(request)
            status = response.status
        except (UnknownFaultError, NotMediaError) as error:
            status = 400
            response = web.json_response({"sandbox_error": str(error)}, status=400)
        except web.HTTPException as error:
            status = error.status
            raise
        except ConnectionError:
            status = _CLIENT_CLOSED_REQUEST
            response = web.Response(status=status)  # the caller is gone; a traceback would only disturb the log
        finally:
            if not request.path.startswith("/_sandbox/"):
                core.requests.append(_log_entry(request, status))
        return response

    return middleware


def _log_entry(request: web.Request, status: int) -> dict[str, Any]:
    """One entry of the request log, without keys and queries (which hold signatures)."""
    return {
        "time": time.time(),
        "method": request.method,
        "path": request.path,
        "body": _shorten_data_uris(LAST_BODY.get()),
        "authorization": "Authorization" in request.headers,
        "fault": request.headers.get(FAULT_HEADER),
        "range": request.headers.get("Range"),
        "status": status,
    }


def _shorten_data_uris(value: Any) -> Any:
    """The value with its data URIs cut to 80 characters."""
    if isinstance(value, str):
        return value[:80] + f"...({len(value)})" if value.startswith("data:") else value
    if isinstance(value, dict):
        items: Any = value.items()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return {key: _shorten_data_uris(item) for key, item in items}
    if isinstance(value, list):
        return [_shorten_data_uris(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
