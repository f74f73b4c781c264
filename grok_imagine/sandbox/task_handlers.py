"""The requests of every dialect: a submit, accepted and charged once, and a poll."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from aiohttp import web

from . import faults as fault_table
from .dialects import Dialect
from .dialects.aivideoapi import AiVideoApi
from .dialects.base import as_list, as_object
from .faults import Fault, Stage
from .files.uploads import Uploads
from .http_helpers import abort_connection, decode_json, read_form, read_key, reply_of_fault, send
from .model import ApiErrorKind, Json, ParsedRequest, Reply, RequestRejected, Task
from .state import SandboxState
from .task_runner import TaskRunner

FAULT_HEADER = "X-Sandbox-Fault"
# The body of the present request, for the log; not every aiohttp release can keep it on the request.
LAST_BODY: ContextVar[Json | None] = ContextVar("last_body", default=None)


class TaskHandlers:
    """Handlers for one dialect."""

    def __init__(self, core: SandboxState, runner: TaskRunner, uploads: Uploads, dialect: Dialect) -> None:
        self.core, self.runner, self.uploads, self.dialect = core, runner, uploads, dialect

    def requested_faults(self, request: web.Request, stage: Stage) -> list[Fault]:
        """The faults of this request, from its header and from the queue."""
        from_header = fault_table.parse_list(request.headers.get(FAULT_HEADER, ""))
        return from_header + self.core.fault_queue.take(self.dialect.name, stage)

    # submit

    async def submit(self, request: web.Request, operation: str) -> web.StreamResponse:
        self.core.store.count("posts." + self.dialect.name)
        requested = self.requested_faults(request, "submit")
        body = await self._body(request)
        requested += fault_table.parse_prompt("\n".join(_texts(body)))
        now = [f for f in requested if f.kind == "reply" and f.stage in (None, "submit")]
        later = [f for f in requested if f not in now]
        if any(f.name == "drop-before" for f in now):
            return abort_connection(request)
        replacement = reply_of_fault(now, self.dialect)
        if replacement and not replacement[1]:
            return await send(request, replacement[0], now)
        try:
            reply = await self._accept(request, operation, body, later)
        except RequestRejected as rejected:
            return await send(request, rejected.reply, now)
        return await send(request, replacement[0] if replacement else reply, now)

    async def _body(self, request: web.Request) -> Json | None:
        if request.content_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
            body, file = await read_form(request)
            if file is not None:
                # OpenAI's own field for a first frame; the file becomes an image of this gateway by URL.
                body["image"] = self.uploads.save(file[0]).url if file[1] == "input_reference" else None
        else:
            body = decode_json(await request.read())
        LAST_BODY.set(body)
        return body

    async def _accept(self, request: web.Request, operation: str, body: Json | None, faults: list[Fault]) -> Reply:
        key = read_key(request, self.dialect)
        if body is None:
            raise RequestRejected(self.dialect.error_reply(ApiErrorKind.BAD_JSON))
        parsed = self.dialect.parse_request(operation, body, strict=self.core.settings.strict_extra)
        if not self.core.can_pay(self.dialect, key, parsed.price):
            raise RequestRejected(self.dialect.error_reply(ApiErrorKind.NO_CREDIT))
        account = self.core.account(key)
        if (earlier := self._earlier_task(request, account, body)) is not None:
            return self.dialect.submit_reply(earlier, "")
        task = self._task(parsed, account, faults)
        self.core.store.accept(task, _summary(parsed))
        self._remember(request, account, body, task)
        self.runner.start_task(task)
        if task.fault("callback-early"):
            await self.runner.send_callback(task)
        return self.dialect.submit_reply(task, "shape-b" if task.fault("shape-b") else "")

    def _earlier_task(self, request: web.Request, account: str, body: Json) -> Task | None:
        """The task that the same idempotency key made before. Raises RequestRejected where that was another request."""
        name = self._idempotency(request, account)
        task_id, _, sent = self.core.store.meta(name, "").partition(" ") if name else ("", "", "")
        task = self.core.store.task(task_id) if task_id else None
        if task is not None and sent != _digest(body):
            detail = "this idempotency key was used for another request"
            reply = self.dialect.error_reply(ApiErrorKind.BAD_JSON, detail)
            raise RequestRejected(Reply(409, reply.body))
        return task

    def _remember(self, request: web.Request, account: str, body: Json, task: Task) -> None:
        if name := self._idempotency(request, account):
            self.core.store.set_meta(name, f"{task.id} {_digest(body)}")

    def _idempotency(self, request: web.Request, account: str) -> str:
        header = self.dialect.idempotency_header
        value = request.headers.get(header, "") if header else ""
        return f"idempotency {self.dialect.name} {account} {value}" if value else ""

    def _task(self, parsed: ParsedRequest, account: str, faults: list[Fault]) -> Task:
        job = replace(parsed.job, prompt=fault_table.without_markers(parsed.job.prompt))
        return Task(
            id=self.dialect.new_id(),
            dialect=self.dialect.name,
            account=account,
            created=self.core.clock.now(),
            seconds=self.core.settings.seconds,
            model=parsed.model,
            job=job,
            token=secrets.token_urlsafe(24),
            price=parsed.price,
            echo=parsed.echo,
            callback_url=parsed.callback_url,
            faults=faults,
        )

    # poll

    async def poll(self, request: web.Request, shape: str) -> web.StreamResponse:
        faults = self.requested_faults(request, "poll")
        try:
            task = self.task_for(request)
        except RequestRejected as rejected:
            task, answer = None, rejected.reply
        else:
            faults += self.use_faults(task, "poll")
            answer = None
        if any(f.name == "drop-before" for f in faults):
            return abort_connection(request)
        if replacement := reply_of_fault(faults, self.dialect):
            return await send(request, replacement[0], faults)
        if task is not None:
            answer = self.dialect.poll_reply(self.core.view(task, shape, tuple(f for f in faults if f.kind == "view")))
        return await send(request, answer or Reply(404), faults)

    def task_for(self, request: web.Request) -> Task:
        """The task in the path, if it is this account's."""
        account = self.account_of(request)
        task = self.core.store.task(request.match_info["task_id"])
        if task is None or task.deleted or task.dialect != self.dialect.name or task.account != account:
            raise RequestRejected(self.dialect.error_reply(ApiErrorKind.NO_TASK))
        return task

    def account_of(self, request: web.Request) -> str:
        return self.core.account(read_key(request, self.dialect))

    def use_faults(self, task: Task, stage: Stage) -> list[Fault]:
        """The task's faults that act at this stage; one that acts a number of times is counted down."""
        acting, remaining = fault_table.split_acting(task.faults, stage)
        if remaining != task.faults:
            task.faults = remaining
            self.core.store.save(task)
        return [fault for fault in acting if fault.kind in ("reply", "file")]

    async def credits(self, request: web.Request) -> web.StreamResponse:
        """AI Video API's balance."""
        if not isinstance(self.dialect, AiVideoApi):
            return web.Response(status=404)
        try:
            key = read_key(request, self.dialect)
        except RequestRejected as rejected:
            return await send(request, rejected.reply)
        self.core.settle_all()
        return await send(request, self.dialect.balance(*self.core.credits_bought_and_used(self.dialect, key)))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a body. Any of them may be the prompt, which asks for faults."""
    if isinstance(value, str):
        yield value
    for inner in (as_object(value) or {}).values() if as_object(value) is not None else as_list(value) or []:
        yield from _texts(inner)


def _digest(body: Json) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _summary(parsed: ParsedRequest) -> str:
    job = parsed.job
    parts = [
        parsed.model,
        job.mode,
        f"{job.seconds} s" if job.seconds else "",
        job.tier,
        job.ratio,
        f"{len(job.images)} images" if job.images else "",
        "1 video" if job.video else "",
    ]
    return ", ".join(part for part in parts if part)
