"""The routes of the Jobs panel: the list, one job, its picture and clip, and what its user can do with it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...grok_imagine.errors import GrokImagineError
from ...grok_imagine.models import JobState
from ...grok_imagine.redact import redact
from ..host.job_view import clip, view
from .security import ApiError, ApiRequest, File, Guard

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from ...grok_imagine.jobs.session import Session
    from ...grok_imagine.models import Job
    from ..host.runtime import Runtime

_LONGEST_PAGE = 1000
_PATIENCE = 1.5
"""How long to wait for an action's error before answering; after that it continues in the background."""
_JOB = "/grok_imagine/jobs/{job:[A-Za-z0-9_-]{1,40}}"


def register(routes: web.RouteTableDef, runtime: Runtime, show: Callable[[str, dict[str, Any]], None]) -> None:
    """Add the routes. ``show(event, message)`` sends to the open pages of the user."""
    handlers, guard = JobHandlers(runtime, show), Guard(runtime)
    routes.get("/grok_imagine/jobs")(guard.get(handlers.page))
    routes.get(_JOB)(guard.get(handlers.job))
    routes.get(_JOB + "/thumbnail")(guard.file(handlers.thumbnail))
    routes.get(_JOB + "/video")(guard.file(handlers.video))
    routes.get(_JOB + "/workflow")(guard.get(handlers.workflow))
    routes.get(_JOB + "/prices")(guard.get(handlers.prices))
    routes.get("/grok_imagine/spend")(guard.get(handlers.spend))
    routes.post(_JOB + "/resume")(guard.local_post(handlers.resume))
    routes.post(_JOB + "/attach")(guard.local_post(handlers.attach))
    routes.post(_JOB + "/again")(guard.local_post(handlers.again))
    routes.post(_JOB + "/drop")(guard.local_post(handlers.drop))
    routes.post(_JOB + "/remove")(guard.local_post(handlers.remove))


class JobHandlers:
    """Handles the requests, on the pack's loop."""

    def __init__(self, runtime: Runtime, show: Callable[[str, dict[str, Any]], None]) -> None:
        self._runtime = runtime
        self._show = show
        self._busy: dict[str, asyncio.Future[Any]] = {}
        self._drawing: dict[str, asyncio.Future[Any]] = {}

    # -- looking

    async def page(self, request: ApiRequest) -> dict[str, Any]:
        """Some jobs, newest first: ``?group=&search=&before=&limit=``."""
        from ...grok_imagine.journal.job_query import GROUPS, JobQuery, query_jobs

        if not self._runtime.settings.has_journal():
            return {"jobs": [], "next": "", "counts": dict.fromkeys(GROUPS, 0)}
        async with self._runtime.session() as session:
            wait = session.settings.answer_seconds
            query = request.query
            try:
                limit = max(1, min(int(query.get("limit", 100)), _LONGEST_PAGE))
                words = (query.get("group", "all"), query.get("search", "")[:200], query.get("before", ""))
                now = time.time()
                wanted = JobQuery(*words, limit, now - wait, now + wait, request.user, request.is_here)
                if wanted.group not in GROUPS:
                    raise ValueError(f"group must be one of {', '.join(GROUPS)}")
                if wanted.before:
                    float(wanted.before.partition("~")[0])
            except ValueError as error:
                raise ApiError(400, f"That cannot be listed: {error}.") from None
            found = await session.journal.transaction(lambda connection: query_jobs(connection, wanted))
            jobs = await asyncio.to_thread(lambda: [self._view(job, session) for job in found.jobs])
            for job in jobs:
                job["has_workflow"] = job["id"] in found.with_workflow
            return {"jobs": jobs, "next": found.next, "counts": found.counts}

    async def job(self, request: ApiRequest) -> dict[str, Any]:
        """One job, whole, with its history."""
        from ...grok_imagine.journal import workflows

        async with self._runtime.session() as session:
            job = await self._known(session, request)
            history = [
                {**step, "note": redact(step["note"] or "", limit=1000)}
                for step in await session.journal.history(job.id)
            ]
            kept = await session.journal.transaction(lambda connection: workflows.has_workflow(connection, job.id))
            return {**self._view(job, session, whole=True), "has_workflow": kept, "history": history}

    async def workflow(self, request: ApiRequest) -> dict[str, Any]:
        """The workflow that the job came from: ``{"workflow": …}``, or ``{"prompt": …}`` for one queued without it."""
        from ...grok_imagine.journal import workflows

        async with self._runtime.session() as session:
            job = await self._known(session, request)
            data = await session.journal.transaction(lambda connection: workflows.read_workflow(connection, job.id))
        if data is None:
            raise ApiError(404, "This job has no stored workflow.", "NoWorkflow")
        return await asyncio.to_thread(json.loads, data)

    async def prices(self, request: ApiRequest) -> dict[str, Any]:
        """What the same clip would cost at every connection, the cheapest first."""
        from ...grok_imagine.jobs.failover import requote

        async with self._runtime.session() as session:
            job = await self._known(session, request)
            found = await asyncio.to_thread(requote, session.settings, {**job.request, "mode": job.mode})
        return {"prices": [one.as_json for one in found]}

    async def spend(self, _request: ApiRequest) -> dict[str, Any]:
        """What is spent and pending this day and month, and what is left of the budget."""
        if not self._runtime.settings.has_journal():
            return {}
        async with self._runtime.session() as session:
            return (await session.spend_summary()).as_json()

    async def video(self, request: ApiRequest) -> File:
        """The clip itself. aiohttp answers ranges of it, so that it can be sought in."""
        async with self._runtime.session() as session:
            path = clip(await self._known(session, request), self._runtime.home)
        if path is None:
            raise ApiError(404, "The clip's file is not here.", "NoFile")
        return File(path, "video/mp4")

    async def thumbnail(self, request: ApiRequest) -> File:
        """A small picture from the middle of the clip, made on first request."""
        from ...grok_imagine.media.images.thumbnail import thumbnail

        async with self._runtime.session() as session:
            job = await self._known(session, request)
        video = clip(job, self._runtime.home)
        if video is None:
            raise ApiError(404, "The clip's file is not here.", "NoFile")
        picture = _thumbnail_path(video)
        drawing = self._drawing.get(job.id)
        if drawing is None:
            drawing = asyncio.ensure_future(asyncio.to_thread(thumbnail, video, picture))
            self._drawing[job.id] = drawing
            drawing.add_done_callback(lambda _done: self._drawing.pop(job.id, None))
        await asyncio.shield(drawing)
        return File(picture, "image/jpeg")

    # -- doing

    async def resume(self, request: ApiRequest) -> dict[str, Any]:
        """Resume a job: wait for it, download its clip, or check it once more. Submits nothing."""
        async with self._runtime.session() as session:
            job = await self._known(session, request)
        return await self._begin(job.id, self._resumed(job.id))

    async def attach(self, request: ApiRequest) -> dict[str, Any]:
        """Attach a task ID to a job of unknown outcome, or a video's URL to a finished job, and resume it."""
        is_url = "url" in request.body
        value = request.text("url" if is_url else "task_id")
        async with self._runtime.session() as session:
            job = await self._known(session, request)
            await (session.attach_url if is_url else session.attach)(job.id, value)
        return await self._begin(job.id, self._resumed(job.id))

    async def again(self, request: ApiRequest) -> dict[str, Any]:
        """Resubmit a job of unknown outcome, as its user has decided. It may be paid twice."""
        if request.body.get("knowingly") is not True:
            raise ApiError(400, "You may pay twice if you submit again. Confirm it first.", "NotConfirmed")
        async with self._runtime.session() as session:
            job = await self._known(session, request)
            new_job = await session.resubmit(job.id)
        return await self._begin(new_job.id, self._resumed(new_job.id))

    async def drop(self, request: ApiRequest) -> dict[str, Any]:
        """Abandon a running job. The message says whether it may still be billed."""
        async with self._runtime.session() as session:
            job = await self._known(session, request)
            dropped = await session.abandon(job.id)
            return {"job": self._view(dropped.job, session), "message": dropped.text}

    async def remove(self, request: ApiRequest) -> dict[str, Any]:
        """Remove a job from the list and delete its clip. Its cost still counts."""
        from ...grok_imagine.journal import job_query, workflows

        async with self._runtime.session() as session:
            job = await self._known(session, request)
            user = request.user
            if await session.journal.transaction(lambda connection: job_query.remove_user(connection, job.id, user)):
                self._show("grok_imagine.removed", {"id": job.id})
                return {"id": job.id}
            shown = self._view(job, session)
            if "remove" not in shown["actions"] or shown["is_busy"]:
                raise ApiError(409, "This job is still running. Wait for it or abandon it first.", "NotOver")
            if job.state is JobState.PREPARED:
                job = (await session.abandon(job.id)).job
            now = time.time()
            await session.journal.transaction(lambda connection: workflows.remove_job(connection, job, now))
            await asyncio.to_thread(_discard, clip(job, self._runtime.home))
        message = {"id": job.id}
        self._show("grok_imagine.removed", message)
        return message

    async def _resumed(self, job_id: str) -> Job:
        async with self._runtime.session() as session:
            return (await session.resume(job_id)).job

    # -- inside

    async def _begin(self, job_id: str, work: Awaitable[Job]) -> dict[str, Any]:
        """Start a long action, unless it is running. An immediate error is raised."""
        task = self._busy.get(job_id)
        if task is None:
            task = asyncio.ensure_future(work)
            self._busy[job_id] = task
            task.add_done_callback(lambda done: self._ended(job_id, done))
        elif asyncio.iscoroutine(work):
            work.close()
        await asyncio.wait({task}, timeout=_PATIENCE)
        if task.done():
            task.result()
        async with self._runtime.session() as session:
            job = await session.journal.get(job_id)
            return {"job": self._view(job, session) if job else None, "is_done": task.done()}

    def _ended(self, job_id: str, done: asyncio.Future[Any]) -> None:
        self._busy.pop(job_id, None)
        error = None if done.cancelled() else done.exception()
        if isinstance(error, GrokImagineError):
            with suppress(Exception):  # no page may be open
                message = {"job_id": job_id, "kind": type(error).__name__, "message": redact(str(error), limit=2000)}
                self._show("grok_imagine.trouble", message)

    def _view(self, job: Job, session: Session, *, whole: bool = False) -> dict[str, Any]:
        shown = view(job, self._runtime.home, answer_seconds=session.settings.answer_seconds, whole=whole)
        return {**shown, "is_busy": job.id in self._busy}

    async def _known(self, session: Session, request: ApiRequest) -> Job:
        from ...grok_imagine.journal import job_query

        job_id = request.match["job"]
        is_listed = await session.journal.transaction(
            lambda connection: job_query.is_listed(connection, job_id, user=request.user, sees_unowned=request.is_here)
        )
        job = await session.journal.get(job_id) if is_listed else None
        if job is None:
            raise ApiError(404, "No such job.", "NoJob")
        return job


def _thumbnail_path(video: Path) -> Path:
    return video.parent / "thumbnails" / f"{video.stem}.jpg"


def _discard(video: Path | None) -> None:
    if video is not None:
        _thumbnail_path(video).unlink(missing_ok=True)
        with suppress(PermissionError):  # Windows keeps a file that is playing; pruning deletes it later
            video.unlink(missing_ok=True)
