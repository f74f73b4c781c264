"""What happens behind the desk: fetch the references, film the clip, settle on time, call back."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from .core import Core
from .film import FILM_VERSION, Script, UnusableFootageError, render
from .model import Failure, Job, Json, Task
from .references import Reference, UnusableReferenceError, fetch

_CALLBACK_TIMEOUT = aiohttp.ClientTimeout(total=10)
_CALLBACK_PAUSES = (1.0, 2.0, 4.0)


class Crew:
    """Background work of one sandbox; everything it starts, it ends in `close`."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._stop = threading.Event()
        # One render per core; PyAV and NumPy let go of the interpreter while they work.
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 2, thread_name_prefix="film")
        self._work: set[asyncio.Task[None]] = set()
        self._making: set[asyncio.Task[None]] = set()
        self._filming: dict[str, asyncio.Future[Json]] = {}
        self._wake = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(trust_env=False, auto_decompress=True)
        self.core.recall_callbacks()
        self._spawn(self._keep_time())
        for task in self.core.store.open_tasks():
            if not task.outcome:
                # Files of this sandbox moved with it if it listens on another port now.
                images = tuple(self.core.rehome(url) for url in task.job.images)
                task.job = replace(task.job, images=images, video=self.core.rehome(task.job.video))
                self.begin(task)

    async def close(self) -> None:
        self._stop.set()
        await self._cancel_work()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._session is not None:
            await self._session.close()

    async def reset(self) -> None:
        await self._cancel_work()
        self._filming.clear()
        self._spawn(self._keep_time())

    async def _cancel_work(self) -> None:
        for work in list(self._work):
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the crew is not at work")
        return self._session

    def begin(self, task: Task) -> None:
        making = self._spawn(self._produce(task.id, task.job))
        self._making.add(making)
        making.add_done_callback(self._making.discard)

    def wake(self) -> None:
        """The clock was wound, or an outcome came in: look again at what is due."""
        self._wake.set()

    async def idle(self) -> None:
        """Wait until every clip ordered so far is rendered (or has failed)."""
        while making := list(self._making):
            await asyncio.gather(*making, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    # production

    async def _produce(self, task_id: str, job: Job) -> None:
        try:
            images = await asyncio.gather(*(fetch(self.session, url, "image") for url in job.images))
            video = await fetch(self.session, job.video, "video") if job.video else None
            footage = await self._film_once(job, [*images, *([video] if video else [])])
        except (UnusableReferenceError, UnusableFootageError) as error:
            self._finish(task_id, Failure("reference", str(error)))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._finish(task_id, Failure("generic", f"rendering failed: {type(error).__name__}: {error}"))
        else:
            self._finish(task_id, None, footage)

    def _finish(self, task_id: str, failure: Failure | None, footage: Json | None = None) -> None:
        task = self.core.store.task(task_id)
        if task is None or task.outcome:
            return
        task.outcome = "failed" if failure else "ready"
        task.outcome_at = self.core.clock.now()
        task.failure = failure
        if footage:
            task.clip = footage["clip"]
            task.echo = {**task.echo, "ratio": footage["ratio"], "length": footage["seconds"]}
        self.core.store.save(task)
        self.wake()

    async def _film_once(self, job: Job, references: list[Reference]) -> Json:
        """Identical jobs share one render, also while it is under way."""
        key = _key(job, references)
        facts = self.core.store.clips / f"{key}.json"
        if facts.exists():
            return json.loads(facts.read_text("utf-8"))
        under_way = self._filming.get(key)
        if under_way is None:
            loop = asyncio.get_running_loop()
            under_way = loop.run_in_executor(self._pool, self._film, job, references, key)
            self._filming[key] = under_way
            under_way.add_done_callback(lambda _: self._filming.pop(key, None))
        return await asyncio.shield(under_way)

    def _film(self, job: Job, references: list[Reference], key: str) -> Json:
        """In a worker thread: write the clip beside its facts, each whole or not at all."""
        clips = self.core.store.clips
        with tempfile.TemporaryDirectory(dir=clips) as scratch:
            part = Path(scratch) / "clip.mp4"
            script = Script(job.mode, job.prompt, job.seconds, job.tier, job.ratio, job.source_limit)
            footage = render(script, [r.data for r in references], part, self._stop.is_set)
            part.chmod(0o600)
            part.replace(clips / f"{key}.mp4")
            facts: Json = {"clip": f"{key}.mp4", "ratio": footage.ratio, "seconds": footage.seconds}
            note = Path(scratch) / "facts.json"
            note.write_text(json.dumps(facts), "utf-8")
            note.chmod(0o600)
            note.replace(clips / f"{key}.json")
        return facts

    # time and callbacks

    async def _keep_time(self) -> None:
        """Settle tasks as they fall due, so that refunds and callbacks need no poll to happen."""
        while True:
            self._wake.clear()
            self.core.settle_all()
            for task in self.core.callbacks_due():
                self._spawn(self._deliver(task))
            await self._until_woken(self.core.next_due())

    async def _until_woken(self, seconds: float | None) -> None:
        # Not wait_for: before Python 3.12 it drops a cancellation that comes with the waking, and nobody would stop.
        waiting = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({waiting}, timeout=seconds)
        finally:
            waiting.cancel()

    async def call_back(self, task: Task) -> None:
        """One callback with the task as a poll would show it now."""
        if task.callback_url:
            await self._post(task, self._poll_body(task))

    async def _deliver(self, task: Task) -> None:
        bodies: list[Any] = [self._poll_body(task)] * (2 if task.fault("callback-twice") else 1)
        if task.fault("callback-forged"):
            bodies.insert(0, _forged(task))
        for body in bodies:
            for pause in (*_CALLBACK_PAUSES, None):
                if await self._post(task, body) or pause is None:
                    break
                await asyncio.sleep(pause)

    def _poll_body(self, task: Task) -> Json | None:
        dialect = self.core.dialect(task.dialect)
        return dialect.poll(self.core.view(task)).body if dialect else None

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


def _key(job: Job, references: list[Reference]) -> str:
    """The render's identity: what is drawn, and from which bytes; never whose task it is."""
    spec = job.to_json()
    spec.update(images=[r.digest for r in references], video=bool(job.video), version=FILM_VERSION)
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:40]


def _forged(task: Task) -> Json:
    return {
        "id": "00000000-0000-4000-8000-000000000000",
        "status": "completed",
        "model": task.model,
        "created_at": int(task.created),
        "output": {"urls": ["http://169.254.169.254/forged.mp4"]},
    }
