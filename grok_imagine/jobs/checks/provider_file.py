"""Checks a provider file against the sandbox, which reads the file by itself and serves what it describes.

Every capability makes two clips, and the first one meets the faults that providers have. Nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ...errors import (
    BadRequest,
    GrokImagineError,
    ResultNotFetched,
    SettingsError,
    SubmitUncertain,
)
from ...models import Blob, Call, Capability, Reply, VideoRequest
from ...providers import Provider, PublicUrls
from ...providers.definition_file import Location, line_of
from ...providers.registry import BUILT_IN_FOLDER, NAMES, PROVIDERS
from ...providers.user_files import FOLDER, read_user_file
from ...settings import Settings, private_folder
from ...transport.client import Client
from ...transport.endpoint import Endpoint
from ..connections import SANDBOX, sandbox_of
from ..sandbox_process import SandboxProcess
from ..session import Session
from ..source_video import with_source
from .fault_cases import CASES, FaultCase

_OPTIONS = ("--seconds", "0.2", "--draft", "--strict-extra")
_IDS = ("a" * 200, "dmlkZW9fMTIzNA==", "openai|video_1", "video_1@eu-west", "01J:0000", "~x.y_z-9", "12345")
_IMAGE, _VIDEO = "https://example.com/{}.png", "https://example.com/source.mp4"


@dataclass(frozen=True)
class FileCheck:
    """What was tried, what is wrong (empty if nothing is), and the line to fix. ``body`` is what was sent."""

    name: str
    fault: str = ""
    place: str = ""
    body: str = ""


@dataclass
class _Clock:
    """A clock that passes with what is waited for, so that a slow poll schedule costs no time."""

    skipped: float = 0.0

    async def sleep(self, seconds: float) -> None:
        self.skipped += seconds
        await asyncio.sleep(min(seconds, 0.05))

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped


@dataclass
class _Bench:
    """A session whose sandbox serves the file."""

    provider: Provider
    lines: list[str]
    file: str
    session: Session
    url: str
    seed: int = 0
    source: Path | None = None
    checks: list[FileCheck] = field(default_factory=list[FileCheck])

    @property
    def connection(self) -> str:
        return sandbox_of(self.provider.name)

    def place(self, loc: Location) -> str:
        where = ".".join(str(part) for part in loc)
        return f"{self.file}, line {line_of(loc, self.lines)}, {where}" if where else self.file

    def add(self, name: str, fault: str = "", loc: Location = (), body: str = "") -> None:
        self.checks.append(FileCheck(name, fault, self.place(loc) if fault else "", body))


async def check_file(source: str) -> AsyncIterator[FileCheck]:
    """Check a provider file, given by its path, or a provider of the pack, given by its name. Raises SettingsError."""
    provider, text, name = _read(source)
    with tempfile.TemporaryDirectory(prefix="grok-imagine-check-") as folder:
        home = Path(folder)
        if provider.name not in NAMES:
            (private_folder(home / FOLDER) / name).write_text(text, "utf-8")
        yield FileCheck(f"read {name}")
        async with _open(provider, text.splitlines(), name, home) as bench:
            _check_ids(bench)
            for index, capability in enumerate(provider.capabilities):
                await _check_capability(bench, capability, index)
                for check in bench.checks:
                    yield check
                bench.checks.clear()
            for case in CASES:
                await _check_fault(bench, case)
                yield bench.checks.pop()


def read_reply(source: str, path: Path) -> str:
    """What the provider of ``source`` reads in a real answer (JSON). Raises SettingsError."""
    provider, *_ = _read(source)
    try:
        reply = Reply(200, path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    said: list[str] = []
    for name, read in (("task id", lambda: provider.task_id(reply)), ("status", lambda: _status(provider, reply))):
        try:
            said.append(f"{name}: {read()}")
        except GrokImagineError as error:
            said.append(f"no {name} ({type(error).__name__}: {str(error)[:160]})")
    return "; ".join(said)


def _status(provider: Provider, reply: Reply) -> str:
    status = provider.status(reply)
    parts = [status.phase.value, status.video_url or "", status.error.message if status.error else ""]
    cost = f"billed ${status.cost.usd.normalize():f}" if status.cost else ""
    return ", ".join(part for part in (*parts, cost) if part)


def _read(source: str) -> tuple[Provider, str, str]:
    """The provider, the text of its file and the file's name."""
    if source in NAMES:
        path = BUILT_IN_FOLDER / f"{source}.toml"
        return PROVIDERS[source], path.read_text("utf-8"), path.name
    path = Path(source)
    return read_user_file(path, NAMES), path.read_text("utf-8"), path.name


@asynccontextmanager
async def _open(provider: Provider, lines: list[str], file: str, home: Path) -> AsyncGenerator[_Bench]:
    clock = _Clock()
    sandbox = SandboxProcess(home, options=_OPTIONS)
    try:
        url = await sandbox.url()
        async with Session(
            home,
            Settings.model_construct().of_home(home),
            sandbox=sandbox,
            sleep=clock.sleep,
            monotonic=clock.monotonic,
            writes_metadata=False,
        ) as session:
            yield _Bench(provider, lines, file, session, url)
    finally:
        await asyncio.to_thread(sandbox.close)


def _check_ids(bench: _Bench) -> None:
    """Ids as other gateways give them are read where the file says, and asked about as they are."""
    path = bench.provider.definition.read.task_id[0]
    for text in _IDS:
        body: object = text
        for part in reversed(path.split(".")):
            body = {part: body}
        try:
            found = bench.provider.task_id(Reply(200, json.dumps(body).encode()))
            fault = "" if found == text else f"read {found!r} for {text!r}"
        except GrokImagineError as error:
            fault = str(error)
        if fault:
            bench.add("task ids", fault, ("read", "task_id"))
            return
    bench.add("task ids")


async def _check_capability(bench: _Bench, capability: Capability, index: int) -> None:
    name = f"{capability.mode.value}, {capability.model}"
    for title, is_full in (("all options", True), ("defaults", False)):
        body = ""
        try:
            request = await _request(bench, capability, is_full=is_full)
            body = _body(bench.provider, capability, request)
            result = await bench.session.generate(request, bench.connection)
            fault = "" if result.file.stat().st_size else "the clip is empty"
            loc: Location = ()
        except GrokImagineError as error:
            fault, loc = str(error), _place_of(error, index)
        bench.add(f"{name}: {title}", fault, loc, body)


def _place_of(error: GrokImagineError, index: int) -> Location:
    if isinstance(error, BadRequest):
        return ("submit", "body")
    if isinstance(error, SubmitUncertain):
        return ("read", "task_id")
    return ("read", "video") if isinstance(error, ResultNotFetched) else ("capabilities", index)


async def _check_fault(bench: _Bench, case: FaultCase) -> None:
    capability = bench.provider.capabilities[0]
    remembers = bench.provider.remembers_submits and case.error is SubmitUncertain
    if remembers:  # asked again with the same key, the provider names the one task
        case = replace(case, error=None, tasks=1, name=f"{case.name.partition(':')[0]}: resolved by asking again")
    if case.error is ResultNotFetched and bench.provider.definition.content:
        case = replace(case, error=None)  # the file has an address of its own
    fault = ""
    before = await _tasks(bench)
    try:
        request = await _request(bench, capability, is_full=False)
        await _queue_fault(bench, case)
        await bench.session.generate(request, bench.connection)
        if case.error is not None:
            fault = f"ended with a clip instead of {case.error.__name__}"
    except GrokImagineError as error:
        if case.error is None or not isinstance(error, case.error):
            wanted = case.error.__name__ if case.error else "a clip"
            fault = f"ended in {type(error).__name__} instead of {wanted}: {error}"
    tasks = await _tasks(bench) - before
    if not fault and tasks != case.tasks:
        fault = f"{tasks} tasks were made instead of {case.tasks}"
    bench.add(case.name, fault, case.place)


async def _request(bench: _Bench, capability: Capability, *, is_full: bool) -> VideoRequest:
    """A request that uses all options of the capability, or leaves out what may be left out. Each is a new clip."""
    bench.seed += 1
    duration = capability.duration
    shortest = duration.shortest if duration and (is_full or duration.default is None) else None
    fields: dict[str, Any] = {
        "mode": capability.mode,
        "model": capability.model,
        "prompt": "a paper boat"[: capability.prompt_limit] if is_full or capability.prompt_required else "",
        "aspect_ratio": (capability.aspect_ratios or (None,))[-1] if is_full else None,
        "resolution": (capability.resolutions or (None,))[0] if is_full else None,
        "motion_mode": (capability.motion_modes or (None,))[-1] if is_full else None,
        "duration_seconds": shortest,
        "reference_images": tuple(
            _picture(number) for number in range(capability.max_images if is_full else capability.min_images)
        ),
        "seed": bench.seed,
    }
    if 0 < len(fields["reference_images"]) <= capability.ratio_follows_images:
        fields["aspect_ratio"] = None
    request = VideoRequest(**fields)
    if not capability.takes_video:
        return request
    return await with_source(bench.session, bench.connection, request, await _source(bench))


def _picture(number: int) -> Blob:
    import numpy as np

    from ...media.images.encode import encode_image

    return encode_image(np.full((64, 96, 3), 30 * number, np.uint8))


async def _source(bench: _Bench) -> Path:
    if bench.source is None:
        made = await bench.session.generate(VideoRequest(prompt="a source", duration_seconds=6), SANDBOX)
        bench.source = made.file
    return bench.source


def _body(provider: Provider, capability: Capability, request: VideoRequest) -> str:
    """The body as it is sent, with stand-ins for the URLs."""
    images = tuple(_IMAGE.format(number) for number in range(1, len(request.reference_images) + 1))
    call = provider.submit(request, PublicUrls(images, _VIDEO if capability.takes_video else None))
    return f"{call.method} {call.target} {json.dumps(call.body, ensure_ascii=False)}"


async def _queue_fault(bench: _Bench, case: FaultCase) -> None:
    body = {"dialect": bench.provider.name, "on": case.stage, "fault": case.fault, "times": 1}
    await _ask(bench, Call("POST", "/_sandbox/faults", body=body))


async def _tasks(bench: _Bench) -> int:
    reply = await _ask(bench, Call.get("/_sandbox/ledger"))
    return int(reply.json()["submits_by_dialect"].get(bench.provider.name, 0))


async def _ask(bench: _Bench, call: Call) -> Reply:
    async with Client() as client:
        return await client.send(call, Endpoint(bench.url, SecretStr(""), lambda one, _key: one))
