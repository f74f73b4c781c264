"""A provider that remembers submits by a key: an unknown outcome is resolved by asking again, nothing is paid twice.

The server counts tasks by itself: one for each key, whatever becomes of its answers.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import SubmitUncertain
from grok_imagine.jobs import Session
from grok_imagine.models import JobState, VideoRequest
from grok_imagine.settings import Settings

from .conftest import hurry
from .server import CLIP, Reply, World, served

REQUEST = VideoRequest(model="grok-imagine-video", prompt="a kite", duration_seconds=4, resolution="480p")
DAY = 24 * 3600.0
KEY, OTHER_KEY = "comfyui-x1234567", "comfyui-another-account"


class Router(World):
    """Comfy Router as its documentation has it: a queue, and one task for each Idempotency-Key."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[str, str] = {}
        self.bodies: list[bytes] = []
        self.answers: list[Any] = []
        """What the next submits are answered instead; "lost" closes the connection."""

    def answer(self, method: str, path: str, body: bytes) -> Any:
        """Each account has its own keys, as its own tasks."""
        if method == "GET":
            return self._read(path)
        headers = self.requests[-1][2]
        assert headers["X-API-Key"] in (KEY, OTHER_KEY)
        self.bodies.append(body)
        instead = self.answers.pop(0) if self.answers else None
        if isinstance(instead, tuple):  # refused before anything was made
            return instead
        account = headers["X-API-Key"] + headers["Idempotency-Key"]
        task = self.tasks.setdefault(account, f"req-{len(self.tasks) + 1}")
        if instead == "lost":
            return Reply(201, {}, b"", 0, 0)
        return 201, {}, {"request_id": task, "status": "IN_QUEUE", "queue_position": 1}

    def _read(self, path: str) -> Any:
        if path.endswith(".mp4"):
            return 200, {}, CLIP
        task = path.removesuffix("/status").rpartition("/")[2]
        assert path.startswith("/v2/models/xai/grok-imagine-video/requests/")
        assert task in self.tasks.values()
        if path.endswith("/status"):
            return 200, {}, {"request_id": task, "status": "COMPLETED"}
        return 200, {}, {"status": "done", "video": {"url": f"{{url}}/{task}.mp4", "respect_moderation": True}}


@pytest.fixture
def router() -> Iterator[Router]:
    with served(Router()) as world:
        yield world


def session(router: Router, home: Path, key: str = KEY, **more: Any) -> Session:
    own = {"dialect": "comfyrouter", "base_url": router.url, "api_key": key}
    stated = Settings(connections={"mine": own}, answer_seconds=0.1, **more.pop("settings", {}))  # type: ignore[arg-type]
    return Session(home, stated, sleep=hurry, **more)


async def test_a_lost_answer_is_asked_for_with_the_same_key_and_body(router: Router, tmp_path: Path) -> None:
    router.answers = ["lost"]
    async with session(router, tmp_path) as opened:
        result = await opened.generate(REQUEST, "mine")
    assert (result.job.state, result.job.task_id, router.posts) == (JobState.SAVED, "req-1", 2)
    assert len(router.tasks) == 1
    assert router.bodies[0] == router.bodies[1]


@pytest.mark.parametrize("how", ["generate", "resume"])
async def test_what_stayed_unknown_is_resolved_later(how: str, router: Router, tmp_path: Path) -> None:
    router.answers = ["lost"] * 6
    async with session(router, tmp_path) as opened:
        with pytest.raises(SubmitUncertain, match="Asked again"):
            await opened.generate(REQUEST, "mine")
        (job,) = await opened.journal.recent()
        assert job.state is JobState.SUBMITTING
    router.answers = []
    async with session(router, tmp_path) as opened:
        again = opened.generate(REQUEST, "mine") if how == "generate" else opened.resume(job.id)
        assert (await again).job.state is JobState.SAVED
    assert len(router.tasks) == 1


async def test_a_killed_submit_is_resolved_by_the_next_run(router: Router, tmp_path: Path) -> None:
    router.answers = ["lost"] * 6
    async with session(router, tmp_path) as opened:
        with pytest.raises(SubmitUncertain):
            await opened.generate(REQUEST, "mine")
        (job,) = await opened.journal.recent()
        await opened.journal.update_fields(job, error=None, error_kind=None)  # as a kill -9 leaves it
    router.answers = []
    async with session(router, tmp_path) as opened:
        assert (await opened.generate(REQUEST, "mine")).job.state is JobState.SAVED
    assert len(router.tasks) == 1


REFUSALS = [
    (402, {}, {"error_type": "insufficient_credits", "detail": "no"}),
    (409, {}, {"error_type": "concurrency_limit_exceeded", "detail": "in flight"}),
    (409, {}, {"error_type": "invalid_input", "detail": "another request"}),
    (422, {}, {"detail": [{"loc": ["body"], "msg": "no"}]}),
    (429, {"Retry-After": "0"}, {"error_type": "rate_limited", "detail": "slow down"}),
    (500, {}, {}),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: f"{one[0]}-{one[2].get('error_type', '')}")
async def test_a_refusal_of_the_question_says_nothing_of_the_first_submit(
    refusal: Any, router: Router, tmp_path: Path
) -> None:
    router.answers = ["lost", *[refusal] * 4]
    async with session(router, tmp_path) as opened:
        with pytest.raises(SubmitUncertain):
            await opened.generate(REQUEST, "mine")
        (job,) = await opened.journal.recent()
        assert (job.state, len(router.tasks)) == (JobState.SUBMITTING, 1)
        assert (await opened.generate(REQUEST, "mine")).job.state is JobState.SAVED
    assert len(router.tasks) == 1


@pytest.mark.parametrize("away", [-DAY, DAY])
async def test_with_a_clock_that_is_wrong_nothing_is_sent(away: float, router: Router, tmp_path: Path) -> None:
    router.answers = ["lost"] * 6
    async with session(router, tmp_path) as opened:
        with pytest.raises(SubmitUncertain):
            await opened.generate(REQUEST, "mine")
    posts = router.posts
    async with session(router, tmp_path, now=lambda: time.time() + away) as opened:
        with pytest.raises(SubmitUncertain):
            await opened.generate(REQUEST, "mine")
    assert router.posts == posts


async def test_another_account_is_not_asked_since_it_would_make_and_charge_a_new_task(
    router: Router, tmp_path: Path
) -> None:
    router.answers = ["lost"] * 6
    async with session(router, tmp_path) as opened:
        with pytest.raises(SubmitUncertain):
            await opened.generate(REQUEST, "mine")
    router.answers, posts = [], router.posts
    async with session(router, tmp_path, OTHER_KEY) as opened:
        with pytest.raises(SubmitUncertain):
            await opened.generate(REQUEST, "mine")
        assert OTHER_KEY not in (tmp_path / "journal.db").read_bytes().decode("latin-1")
    assert (router.posts, len(router.tasks)) == (posts, 1)
    async with session(router, tmp_path) as opened:
        assert (await opened.generate(REQUEST, "mine")).job.state is JobState.SAVED
    assert len(router.tasks) == 1


async def test_another_clip_has_another_key(router: Router, tmp_path: Path) -> None:
    async with session(router, tmp_path) as opened:
        await opened.generate(REQUEST, "mine")
        await opened.generate(REQUEST.model_copy(update={"seed": 1}), "mine")
        await opened.generate(REQUEST, "mine")  # the finished one
    assert (len(router.tasks), router.posts) == (2, 2)


async def test_in_a_storm_of_lost_answers_every_clip_is_one_task(router: Router, tmp_path: Path) -> None:
    dice = random.Random(7)
    router.answers = [dice.choice(["lost", "lost", (500, {}, {}), None]) for _ in range(60)]
    async with session(router, tmp_path) as opened:
        for seed in range(12):
            for _ in range(8):
                try:
                    await opened.generate(REQUEST.model_copy(update={"seed": seed}), "mine")
                    break
                except SubmitUncertain:
                    continue
        jobs = await opened.journal.recent(limit=50)
    assert {job.state for job in jobs} == {JobState.SAVED}
    assert (len(jobs), len(router.tasks)) == (12, 12)
