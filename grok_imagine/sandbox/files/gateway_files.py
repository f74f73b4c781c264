"""What only the OpenAI-compatible gateway has: /content with the key, and the SDK's list and delete."""

from __future__ import annotations

from aiohttp import web

from ..dialects.openai_videos import OpenAIVideos
from ..http_helpers import reply_of_fault, send
from ..model import Json, Reply, RequestRejected, State
from ..task_handlers import TaskHandlers
from .file_responses import ClipDownloads


class GatewayFiles:
    """Handlers that only the gateway has."""

    def __init__(self, handlers: TaskHandlers, downloads: ClipDownloads) -> None:
        if not isinstance(handlers.dialect, OpenAIVideos):
            raise TypeError("only the gateway serves /content")
        self.handlers, self.downloads, self.dialect = handlers, downloads, handlers.dialect

    async def content(self, request: web.Request) -> web.StreamResponse:
        faults = self.handlers.requested_faults(request, "content")
        try:
            task = self.handlers.task_for(request)
        except RequestRejected as rejected:
            # An unknown task is 400 at the poll and 404 here, as in this family's proxy.
            unknown = rejected.reply.status == 400
            return await send(request, self.dialect.no_file_reply() if unknown else rejected.reply)
        faults += self.handlers.use_faults(task, "content")
        if instead := reply_of_fault(faults, self.dialect):
            return await send(request, instead[0], faults)
        if request.query.get("variant", "video") != "video":
            return await send(request, self.dialect.unsupported_variant_reply())
        view = self.handlers.core.view(task)
        if view.state is not State.DONE or view.blocked:
            return await send(request, self.dialect.not_ready_reply(view))
        url, _ = self.handlers.core.signed_url(task)
        return await self.downloads.clip(request, task, faults, redirect_url=url)

    async def list(self, request: web.Request) -> web.StreamResponse:
        core = self.handlers.core
        try:
            account = self.handlers.account_of(request)
        except RequestRejected as rejected:
            return await send(request, rejected.reply)
        tasks = [t for t in core.store.account_tasks(self.dialect.name, account) if not t.deleted]
        if request.query.get("order") == "asc":
            tasks.reverse()
        ids = [task.id for task in tasks]
        start = ids.index(after) + 1 if (after := request.query.get("after", "")) in ids else 0
        limit = request.query.get("limit", "20")
        count = min(max(int(limit), 1), 100) if limit.isdigit() and len(limit) < 5 else 20
        page: list[Json] = [
            self.dialect.poll_reply(core.view(task)).body or {} for task in tasks[start : start + count]
        ]
        body: Json = {
            "object": "list",
            "data": page,
            "has_more": start + count < len(tasks),
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
        }
        return await send(request, Reply(200, body))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        try:
            task = self.handlers.task_for(request)
        except RequestRejected as rejected:
            return await send(request, rejected.reply)
        task.deleted = True
        self.handlers.core.store.save(task)
        return await send(request, Reply(200, {"id": task.id, "deleted": True, "object": "video.deleted"}))
