"""Background work of accepted tasks: fetches their references, settles them when due, sends callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import aiohttp

from .files.references import Reference, UnusableReferenceError, fetch
from .model import Failure, Job, Json, Task
from .render.frames import FPS, ratio_name
from .render.media import UnusableMediaError
from .render.render_worker import RenderWorker
from .state import SandboxState

_CALLBACK_TIMEOUT = aiohttp.ClientTimeout(total=10)
_CALLBACK_DELAYS = (1.0, 2.0, 4.0)


class TaskRunner:
    """The background work of one sandbox; `close` cancels it all."""

    def __init__(self, core: SandboxState, renders: RenderWorker) -> None:
        self.core, self._renders = core, renders
        self._background: set[asyncio.Task[None]] = set()
        self._accepting: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(trust_env=False, auto_decompress=True)
        self.core.load_pending_callbacks()
        self._spawn(self._settle_on_time())
        for task in self.core.store.open_tasks():
            if not task.outcome:
                # This sandbox's own files have other URLs if it listens on another port now.
                images = tuple(self.core.current_url(url) for url in task.job.images)
                task.job = replace(task.job, images=images, video=self.core.current_url(task.job.video))
                self.start_task(task)

    async def close(self) -> None:
        await self._cancel_background()
        if self._session is not None:
            await self._session.close()

    async def reset(self) -> None:
        await self._cancel_background()
        self._spawn(self._settle_on_time())

    async def _cancel_background(self) -> None:
        for work in list(self._background):
            work.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the task runner is not open")
        return self._session

    def start_task(self, task: Task) -> None:
        accepting = self._spawn(self._accept(task.id, task.job))
        self._accepting.add(accepting)
        accepting.add_done_callback(self._accepting.discard)

    def wake(self) -> None:
        """The clock was advanced, or a task has its outcome: look again at what is due."""
        self._wake.set()

    async def wait_for_outcomes(self) -> None:
        """Wait until every task accepted so far has its outcome."""
        while accepting := list(self._accepting):
            await asyncio.gather(*accepting, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _accept(self, task_id: str, job: Job) -> None:
        """Fetch and check a task's references, which decide its outcome. The clip is rendered on its first download."""
        failure: Failure | None = None
        clip, echo, references = "", dict[str, Any](), list[Reference]()
        try:
            references += await asyncio.gather(*(fetch(self.session, url, "image") for url in job.images))
            references += [await fetch(self.session, job.video, "video")] if job.video else []
            clip, result = await self._renders.accept(job, references)
            echo = {"ratio": ratio_name(result.size), "length": result.frames / FPS}
        except (UnusableReferenceError, UnusableMediaError) as error:
            failure = Failure("reference", str(error))
        except Exception as error:
            failure = Failure("generic", f"{type(error).__name__}: {error}")
        task = self.core.store.task(task_id)
        if task is None or task.outcome:
            return
        task.outcome, task.failure = "failed" if failure else "ready", failure
        task.outcome_at = self.core.clock.now()
        task.clip, task.references = clip, [one.digest for one in references] if clip else []
        task.echo = {**task.echo, **echo}
        self.core.store.save(task)
        self.wake()

    # time and callbacks

    async def _settle_on_time(self) -> None:
        """Settle tasks when they are due, so that refunds and callbacks do not wait for a poll."""
        while True:
            self._wake.clear()
            self.core.settle_all()
            for task in self.core.take_pending_callbacks():
                self._spawn(self._send_final_callbacks(task))
            await self._wait_for_wake(self.core.seconds_until_next_outcome())

    async def _wait_for_wake(self, seconds: float | None) -> None:
        # Not wait_for: before Python 3.12 it drops a cancellation that comes at the same time as the event.
        waiting = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({waiting}, timeout=seconds)
        finally:
            waiting.cancel()

    async def send_callback(self, task: Task) -> None:
        """Send one callback, with the body of a poll."""
        if task.callback_url:
            await self._post(task, self._poll_body(task))

    async def _send_final_callbacks(self, task: Task) -> None:
        bodies: list[Any] = [self._poll_body(task)] * (2 if task.fault("callback-twice") else 1)
        if task.fault("callback-forged"):
            bodies.insert(0, _forged_callback(task))
        for body in bodies:
            for pause in (*_CALLBACK_DELAYS, None):
                if await self._post(task, body) or pause is None:
                    break
                await asyncio.sleep(pause)

    def _poll_body(self, task: Task) -> Json | None:
        dialect = self.core.dialect(task.dialect)
        return dialect.poll_reply(self.core.view(task)).body if dialect else None

    async def _post(self, task: Task, body: Any) -> bool:
        status: int | str
        try:
            async with self.session.post(
                task.callback_url, json=body, timeout=_CALLBACK_TIMEOUT, allow_redirects=False
            ) as response:
                status = response.status
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            status = type(error).__name__
        self.core.callbacks.append({"task": task.id, "status": status, "body": body})
        return isinstance(status, int) and 200 <= status < 300


def _forged_callback(task: Task) -> Json:
    return {
        "id": "00000000-0000-4000-8000-000000000000",
        "status": "completed",
        "model": task.model,
        "created_at": int(task.created),
        "output": {"urls": ["http://169.254.169.254/forged.mp4"]},
    }
