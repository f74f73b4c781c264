"""The two acts of every dialect: a submit, accepted and charged once; and a poll."""

from __future__ import annotations

import secrets
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from aiohttp import web

from . import faults as fault_table
from .dialects import Dialect
from .dialects.aivideoapi import AiVideoApi
from .dialects.base import as_object
from .faults import Fault, Stage
from .files.uploads import Uploads
from .http_helpers import decode_json, hang_up, key_of, read_form, refusing_fault, send
from .model import ApiErrorKind, Json, Order, Refusal, Reply, Task
from .state import SandboxState
from .task_runner import TaskRunner

FAULT_HEADER = "X-Sandbox-Fault"
# The body of the request under way, for the log; aiohttp releases differ in what a request itself can hold.
LAST_BODY: ContextVar[Json | None] = ContextVar("last_body", default=None)


class TaskHandlers:
    """Handlers for one dialect."""

    def __init__(self, core: SandboxState, runner: TaskRunner, uploads: Uploads, dialect: Dialect) -> None:
        self.core, self.runner, self.uploads, self.dialect = core, runner, uploads, dialect

    def faults_of(self, request: web.Request, stage: Stage) -> list[Fault]:
        """Faults asked of this request by its header or by the queue."""
        asked = fault_table.parse_list(request.headers.get(FAULT_HEADER, ""))
        return asked + self.core.queue.take(self.dialect.name, stage)

    # submit

    async def submit(self, request: web.Request, operation: str) -> web.StreamResponse:
        self.core.store.count("posts." + self.dialect.name)
        asked = self.faults_of(request, "submit")
        body = await self._body(request)
        asked += fault_table.in_prompt(_prompt_of(body or {}))
        now = [f for f in asked if f.kind == "reply" and f.stage in (None, "submit")]
        later = [f for f in asked if f not in now]
        if any(f.name == "drop-before" for f in now):
            return hang_up(request)
        instead = refusing_fault(now, self.dialect)
        if instead and not instead[1]:
            return await send(request, instead[0], now)
        try:
            reply = await self._accept(request, operation, body, later)
        except Refusal as refused:
            return await send(request, refused.reply, now)
        return await send(request, instead[0] if instead else reply, now)

    async def _body(self, request: web.Request) -> Json | None:
        if request.content_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
            body, file = await read_form(request)
            if file is not None:
                # OpenAI's own field for a first frame; the file becomes an image of this gateway by URL.
                body["image"] = self.uploads.keep(file[0]).url if file[1] == "input_reference" else None
        else:
            body = decode_json(await request.read())
        LAST_BODY.set(body)
        return body

    async def _accept(self, request: web.Request, operation: str, body: Json | None, faults: list[Fault]) -> Reply:
        key = key_of(request, self.dialect)
        if body is None:
            raise Refusal(self.dialect.refuse(ApiErrorKind.BAD_JSON))
        order = self.dialect.order(operation, body, strict=self.core.settings.strict_extra)
        if not self.core.can_pay(self.dialect, key, order.price):
            raise Refusal(self.dialect.refuse(ApiErrorKind.BROKE))
        task = self._task(order, self.core.account(key), faults)
        self.core.store.accept(task, _summary(order))
        self.runner.begin(task)
        if task.fault("callback-early"):
            await self.runner.call_back(task)
        return self.dialect.accepted(task, "shape-b" if task.fault("shape-b") else "")

    def _task(self, order: Order, account: str, faults: list[Fault]) -> Task:
        job = replace(order.job, prompt=fault_table.without_markers(order.job.prompt))
        return Task(
            id=self.dialect.new_id(),
            dialect=self.dialect.name,
            account=account,
            created=self.core.clock.now(),
            seconds=self.core.settings.seconds,
            model=order.model,
            job=job,
            token=secrets.token_urlsafe(24),
            price=order.price,
            echo=order.echo,
            callback_url=order.callback_url,
            faults=faults,
        )

    # poll

    async def poll(self, request: web.Request, shape: str) -> web.StreamResponse:
        passing = self.faults_of(request, "poll")
        try:
            task = self.task_for(request)
        except Refusal as refused:
            task, answer = None, refused.reply
        else:
            passing += self.spend(task, "poll")
            answer = None
        if any(f.name == "drop-before" for f in passing):
            return hang_up(request)
        if instead := refusing_fault(passing, self.dialect):
            return await send(request, instead[0], passing)
        if task is not None:
            answer = self.dialect.poll(self.core.view(task, shape, tuple(f for f in passing if f.kind == "view")))
        return await send(request, answer or Reply(404), passing)

    def task_for(self, request: web.Request) -> Task:
        """The task in the path, if it is this account's."""
        account = self.account_of(request)
        task = self.core.store.task(request.match_info["task_id"])
        if task is None or task.deleted or task.dialect != self.dialect.name or task.account != account:
            raise Refusal(self.dialect.refuse(ApiErrorKind.NO_TASK))
        return task

    def account_of(self, request: web.Request) -> str:
        return self.core.account(key_of(request, self.dialect))

    def spend(self, task: Task, stage: Stage) -> list[Fault]:
        """The task's remembered faults for this stage; those that act a number of times are used up."""
        acting, kept = fault_table.spend(task.faults, stage)
        if kept != task.faults:
            task.faults = kept
            self.core.store.save(task)
        return [fault for fault in acting if fault.kind in ("reply", "file")]

    async def credits(self, request: web.Request) -> web.StreamResponse:
        """AI Video API's balance."""
        if not isinstance(self.dialect, AiVideoApi):
            return web.Response(status=404)
        try:
            key = key_of(request, self.dialect)
        except Refusal as refused:
            return await send(request, refused.reply)
        self.core.settle_all()
        return await send(request, self.dialect.balance(*self.core.funds(self.dialect, key)))


def _prompt_of(body: Json) -> str:
    texts: list[Any] = [body.get("prompt"), (as_object(body.get("input")) or {}).get("prompt")]
    return "\n".join(text for text in texts if isinstance(text, str))


def _summary(order: Order) -> str:
    job = order.job
    parts = [
        order.model,
        job.mode,
        f"{job.seconds} s" if job.seconds else "",
        job.tier,
        job.ratio,
        f"{len(job.images)} images" if job.images else "",
        "1 video" if job.video else "",
    ]
    return ", ".join(part for part in parts if part)
