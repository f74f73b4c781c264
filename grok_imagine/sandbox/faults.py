"""The faults that the sandbox can simulate: one table, for the parser and the documentation."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Stage = Literal["submit", "poll", "content", "cdn"]
Kind = Literal["reply", "task", "view", "file", "callback"]
STAGES: tuple[Stage, ...] = ("submit", "poll", "content", "cdn")
UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class FaultKind:
    """`reply` changes an HTTP reply, `task` the outcome, `view` the poll body, `file` the download."""

    kind: Kind
    text: str
    times: int = UNLIMITED


def _reply(text: str) -> FaultKind:
    return FaultKind("reply", text, 1)


FAULTS: dict[str, FaultKind] = {
    # One HTTP answer. Aim with @submit (the default for a marker), @poll, @content or @cdn.
    "401": _reply("the dialect's invalid-key answer"),
    "402": _reply("the dialect's out-of-credit answer"),
    "quota-403": _reply("out of credit as the new-api family spells it: 403 insufficient_user_quota"),
    "404": _reply("the dialect's unknown-task answer, although the task exists (replication lag)"),
    "429": _reply("rate limit, Retry-After in seconds (arg, default 1)"),
    "429-date": _reply("rate limit, Retry-After as an HTTP date (arg = seconds from now, default 1)"),
    "429-spend": _reply("spend limit of the key reached, which no waiting cures"),
    "500": _reply("internal error; =accepted: the task exists and is charged all the same"),
    "502": _reply("bad gateway in the dialect's JSON; =accepted as for 500"),
    "503": _reply("unavailable; =accepted as for 500"),
    "html-502": _reply("a proxy's HTML page with status 502; =accepted as for 500"),
    "code-500": _reply("HTTP 200 whose body says code 500"),
    "empty-202": _reply("HTTP 202 with no body (the request itself is carried out)"),
    "truncated-json": _reply("the JSON text stops half-way"),
    "slow-body": _reply("half the body, a pause (arg seconds, default 2), the rest"),
    "stall": _reply("carried out, then silence for arg seconds (default 30) before the answer"),
    "drop-before": _reply("connection closed, nothing carried out"),
    "drop-after": _reply("carried out (a submit is charged), then the connection is closed without an answer"),
    "no-id": _reply("the submit is accepted and charged; its answer holds no task id"),
    # The outcome of a task.
    "failed": FaultKind("task", "the task fails when due (arg = message)"),
    "moderated": FaultKind("task", "the task fails when due with the dialect's moderation code"),
    "progress-100-failed": FaultKind("task", "fails when due; reported with progress 100"),
    "blocked": FaultKind("task", "reported as completed, with a moderation error and no video"),
    "stuck": FaultKind("task", "never done: running for ever"),
    # What a poll shows.
    "unknown-status": FaultKind("view", "an undocumented status word for ever (arg = the word, default 'warming_up')"),
    "no-url": FaultKind("view", "done, without a URL"),
    "no-status": FaultKind("view", "done and with a URL, without a status"),
    "empty-error": FaultKind("view", "an error object with empty code and message while running"),
    "status": FaultKind("view", "arg is the word for done, e.g. status=succeeded"),
    "status-running": FaultKind("view", "arg is the word for running, e.g. status-running=generating"),
    "status-failed": FaultKind("view", "arg is the word for failed, e.g. status-failed=failure"),
    "shape-b": FaultKind("view", "API in One's other documented shape, on submit and poll"),
    "legacy": FaultKind("view", "the gateway's legacy poll shape (data.status SUCCESS, progress '45%')"),
    "fail-reason-url": FaultKind("view", "the gateway's legacy shape of older builds: the URL in fail_reason"),
    "third": FaultKind("view", "the gateway's third poll shape (task_id, status succeeded, url, format)"),
    "sibling": FaultKind("view", "the gateway's job shape (video.generation.job, result.outputs)"),
    "wrapped": FaultKind("view", "the poll body inside {code:200, msg, data}"),
    "result-json": FaultKind("view", "the URL only inside a resultJson string"),
    "nested-url": FaultKind("view", "the URL as a list where one URL is documented (result.videos[].url[])"),
    "private-url": FaultKind("view", "the URL points at a private address (arg, default link-local metadata)"),
    # The download, at /content and at the CDN.
    "redirect": FaultKind("file", "302 to another origin, which must not receive the Authorization header"),
    "expired-url": FaultKind("file", "403, as after the URL's lifetime"),
    "wrong-type": FaultKind("file", "the video with another Content-Type (arg, default text/plain)"),
    "json-file": FaultKind("file", "a JSON error with status 200 in place of the video"),
    "cut": FaultKind("file", "the connection closes half-way, once; a Range request then continues", 1),
    # Callbacks.
    "callback-twice": FaultKind("callback", "the final callback is sent twice"),
    "callback-early": FaultKind("callback", "a callback arrives before the submit is answered"),
    "callback-forged": FaultKind("callback", "a forged callback claims success for a strange id and address"),
}

_SPEC = re.compile(
    r"(?P<name>[a-z0-9-]+)(?:@(?P<stage>submit|poll|content|cdn))?(?:\*(?P<times>[0-9]+|ever))?(?:=(?P<arg>.*))?\Z"
)
_MARKER = re.compile(r"\[sandbox:([^\]\s]+)\]")


class UnknownFaultError(ValueError):
    """An unknown fault. An error, as a test with a misspelt fault would pass without testing anything."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One requested fault: its name, argument, stage, and how many times it acts."""

    name: str
    arg: str = ""
    stage: Stage | None = None
    times: int = UNLIMITED

    @property
    def kind(self) -> Kind:
        return FAULTS[self.name].kind

    def seconds(self, default: float) -> float:
        try:
            return min(max(float(self.arg), 0.0), 600.0)
        except ValueError:
            return default

    def acts_at(self, stage: Stage) -> bool:
        if self.stage is not None:
            return self.stage == stage
        by_kind: dict[Kind, tuple[Stage, ...]] = {
            "reply": ("submit",),
            "task": (),
            "view": ("poll",),
            "file": ("content", "cdn"),
            "callback": (),
        }
        return stage in by_kind[self.kind]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def parse(spec: str) -> Fault:
    """Read `name[@stage][*times][=arg]`, e.g. `503@poll*3` or `status=succeeded`."""
    found = _SPEC.match(spec.strip())
    if found is None or found["name"] not in FAULTS:
        raise UnknownFaultError(f"unknown sandbox fault {spec!r}; GET /_sandbox/faults lists them")
    times = FAULTS[found["name"]].times
    if found["times"]:
        times = UNLIMITED if found["times"] == "ever" else int(found["times"])
    stage: Stage | None = next((s for s in STAGES if s == found["stage"]), None)
    return Fault(found["name"], found["arg"] or "", stage, times)


def parse_list(text: str) -> list[Fault]:
    """Read several, separated by commas. Raises UnknownFaultError."""
    return [parse(part) for part in text.split(",") if part.strip()]


def parse_prompt(prompt: str) -> list[Fault]:
    """The faults requested by markers like `[sandbox:503@poll*2]`."""
    return [fault for marker in _MARKER.findall(prompt) for fault in parse_list(marker)]


def without_markers(prompt: str) -> str:
    """The prompt without its fault markers, as it is rendered."""
    return " ".join(_MARKER.sub(" ", prompt).split())


def split_acting(faults: list[Fault], stage: Stage) -> tuple[list[Fault], list[Fault]]:
    """Split a task's faults into those that act now and those that remain afterwards."""
    acting: list[Fault] = []
    remaining: list[Fault] = []
    for fault in faults:
        if not fault.acts_at(stage) or fault.times == 0:
            remaining.append(fault)
            continue
        acting.append(fault)
        if fault.times == UNLIMITED:
            remaining.append(fault)
        elif fault.times > 1:
            remaining.append(replace(fault, times=fault.times - 1))
    return acting, remaining


class FaultQueue:
    """Faults queued through the control endpoint, for the next matching requests."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, Stage, Fault]] = deque()

    def add(self, dialect: str, stage: Stage, fault: Fault, times: int) -> None:
        for _ in range(times):
            self._waiting.append((dialect, stage, fault))

    def take(self, dialect: str, stage: Stage) -> list[Fault]:
        """At most one queued fault per request, so `times: 3` means three requests."""
        for item in self._waiting:
            if item[0] in ("", dialect) and item[1] == stage:
                self._waiting.remove(item)
                return [item[2]]
        return []

    def clear(self) -> None:
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)
