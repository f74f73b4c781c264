"""The paths of the dialects that are read from provider files. Files may come and change while the sandbox runs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from .dialects import DIALECTS
from .files.file_responses import ClipDownloads
from .files.uploads import Uploads
from .http_helpers import reply_of_fault, send
from .model import ApiErrorKind, RequestRejected, State
from .state import SandboxState
from .task_handlers import TaskHandlers
from .task_runner import TaskRunner

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def provider_paths(core: SandboxState, runner: TaskRunner, uploads: Uploads, downloads: ClipDownloads) -> Handler:
    """The handler of every path below ``/{dialect}/`` that no dialect written by hand has."""

    async def handler(request: web.Request) -> web.StreamResponse:
        name, path = request.match_info["dialect"], "/" + request.match_info["path"]
        dialect = core.dialect(name)
        if dialect is None or dialect in DIALECTS:
            message = f"this sandbox has no {request.path}; for a provider file, start it with --providers FOLDER"
            return web.json_response({"error": {"code": "no_such_path", "message": message}}, status=404)
        handlers = TaskHandlers(core, runner, uploads, dialect)
        if request.method == "POST" and path in dialect.submit_paths:
            return await handlers.submit(request, dialect.submit_paths[path])
        for pattern, shape in dialect.poll_paths.items():
            if request.method == "GET" and _find_task(request, path, pattern):
                return await handlers.poll(request, shape)
        if request.method == "GET" and dialect.content_path and _find_task(request, path, dialect.content_path):
            return await _content(request, handlers, downloads)
        return await send(request, dialect.error_reply(ApiErrorKind.NO_TASK, f"{request.method} {path} is no path"))

    return handler


def _find_task(request: web.Request, path: str, pattern: str) -> bool:
    """Whether the request's path is the pattern's; the task's id is then where the handlers look for it."""
    pattern_path, _, query = pattern.partition("?")
    expression = re.escape(pattern_path).replace(re.escape("{task_id}"), "(?P<id>[^/]+)")
    found = re.fullmatch(expression, path)
    if found is None:
        return False
    task_id = request.query.get(query.partition("=")[0], "") if query else found["id"]
    request.match_info["task_id"] = task_id
    return True


async def _content(request: web.Request, handlers: TaskHandlers, downloads: ClipDownloads) -> web.StreamResponse:
    """The clip itself, for the owner of the key."""
    faults = handlers.requested_faults(request, "content")
    try:
        task = handlers.task_for(request)
    except RequestRejected as rejected:
        return await send(request, rejected.reply)
    faults += handlers.use_faults(task, "content")
    if instead := reply_of_fault(faults, handlers.dialect):
        return await send(request, instead[0], faults)
    view = handlers.core.view(task)
    if view.state is not State.DONE or view.blocked:
        return await send(request, handlers.dialect.error_reply(ApiErrorKind.NO_TASK, "the clip is not ready"))
    url, _ = handlers.core.signed_url(task)
    return await downloads.clip(request, task, faults, redirect_url=url)
