"""What only the OpenAI-compatible gateway has: /content with the key, and the SDK's list and delete."""

from __future__ import annotations

from aiohttp import web

from ..dialects.openai_videos import OpenAIVideos
from ..http_helpers import refusing_fault, send
from ..model import Json, Refusal, Reply, State
from ..task_handlers import TaskHandlers
from .file_responses import Delivery


class GatewayFiles:
    """Handlers that only the gateway has."""

    def __init__(self, desk: TaskHandlers, delivery: Delivery) -> None:
        if not isinstance(desk.dialect, OpenAIVideos):
            raise TypeError("only the gateway serves /content")
        self.desk, self.delivery, self.dialect = desk, delivery, desk.dialect

    async def content(self, request: web.Request) -> web.StreamResponse:
        faults = self.desk.faults_of(request, "content")
        try:
            task = self.desk.task_for(request)
        except Refusal as refused:
            # An unknown task is 400 at the poll and 404 here, as in this family's proxy.
            unknown = refused.reply.status == 400
            return await send(request, self.dialect.no_file() if unknown else refused.reply)
        faults += self.desk.spend(task, "content")
        if instead := refusing_fault(faults, self.dialect):
            return await send(request, instead[0], faults)
        if request.query.get("variant", "video") != "video":
            return await send(request, self.dialect.refuse_variant())
        view = self.desk.core.view(task)
        if view.state is not State.DONE or view.blocked:
            return await send(request, self.dialect.not_ready(view))
        url, _ = self.desk.core.signed_url(task)
        return await self.delivery.clip(request, task, faults, elsewhere=url)

    async def list(self, request: web.Request) -> web.StreamResponse:
        core = self.desk.core
        try:
            account = self.desk.account_of(request)
        except Refusal as refused:
            return await send(request, refused.reply)
        tasks = [t for t in core.store.tasks_of(self.dialect.name, account) if not t.deleted]
        if request.query.get("order") == "asc":
            tasks.reverse()
        ids = [task.id for task in tasks]
        start = ids.index(after) + 1 if (after := request.query.get("after", "")) in ids else 0
        limit = request.query.get("limit", "20")
        count = min(max(int(limit), 1), 100) if limit.isdigit() and len(limit) < 5 else 20
        page: list[Json] = [self.dialect.poll(core.view(task)).body or {} for task in tasks[start : start + count]]
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
            task = self.desk.task_for(request)
        except Refusal as refused:
            return await send(request, refused.reply)
        task.deleted = True
        self.desk.core.store.save(task)
        return await send(request, Reply(200, {"id": task.id, "deleted": True, "object": "video.deleted"}))
