"""One clip at the independent provider, killed at random moments with one of its faults."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.conformance.server import CLIP

from .verdict import Verdict, pictures, read_journal
from .worker import KILLED, Worker

PROMPT = "a buoy"
_MOST_ROUNDS = 4
"""How often a user acts upon what he is told: an attached task may turn out to have no URL."""


@dataclass(frozen=True)
class ClipCase:
    """A request, a fault of the provider, and when its processes are killed: at these parts of the usual time."""

    dialect: str
    mode: str
    fault: str
    moments: tuple[float, ...]
    by_id: bool = False

    @property
    def name(self) -> str:
        at = ", ".join(f"{100 * moment:.1f} %" for moment in self.moments)
        return f"{self.dialect} {self.mode}, {self.fault or 'no fault'}, killed after {at} of the usual time"

    def judge(self, lane: Worker, meanwhile: Callable[[Path], None] = lambda _: None) -> Verdict:
        """Run it on that lane. ``meanwhile(home)`` is done between the last kill and the fresh process."""
        verdict = Verdict(self.name, f"random moments | {self.fault or 'no fault'}")
        lane.books(dialect=self.dialect, faults={PROMPT: self.fault})
        home = lane.fresh_home()
        _kill(self, lane, home, verdict)
        before = lane.books()
        verdict.is_paid = bool(before["tasks"])
        meanwhile(home)
        found = read_journal(home)
        ended, told = lane.order(home, **_first(self, lane, found.id, found.state))
        if ended != 0:
            verdict.faults.append(f"the fresh process ended {ended}")
        if found.state == "none" and "seconds" in told:
            lane.usual_seconds[self.fault] = told["seconds"]
        is_told = told.get("error") == "SubmitUncertain"
        is_unknown = found.state == "submitting" or (before["tasks"] and not found.task_id)
        verdict.count("silent", bool(is_unknown and not is_told), f"{found} {before}, but told {told}")
        posts = sum(lane.books()["posts"].values()) - sum(before["posts"].values())
        again = bool(before["tasks"] and posts and not before["tasks"][-1]["is_failed"])
        verdict.count("silent", again, f"{posts} POSTs although {before} was accepted")
        told = _settle(self, lane, home, verdict, told)
        _look(self, verdict, told, lane.books())
        if (home / "results").is_dir():
            verdict.parts = sum(path.suffix == ".part" for path in (home / "results").iterdir())
        lane.tidy(home)
        return verdict


def learn(lane: Worker) -> None:
    """Run a clip and a command, so that the lane's processes have what they need, and the usual time is known."""
    lane.books(dialect="reapi")
    home = lane.fresh_home()
    request = {"do": "generate", "dialect": "reapi", "mode": "text", "provider": lane.provider, "prompt": PROMPT}
    lane.order(home, **request, learn=True)
    if sys.platform != "win32":  # there the lasting process learns, which runs no commands
        lane.order(home, do="command", arguments=["jobs", "--home", str(home)], learn=True)
    lane.usual_seconds[""] = lane.order(lane.fresh_home(), **request)[1]["seconds"]
    lane.tidy(home)


def _request(case: ClipCase, lane: Worker) -> dict[str, Any]:
    return {"dialect": case.dialect, "mode": case.mode, "provider": lane.provider, "prompt": PROMPT}


def _first(case: ClipCase, lane: Worker, job: str, state: str) -> dict[str, Any]:
    can_resume = state in ("submitted", "succeeded", "saved", "submitting")
    what = {"do": "resume", "job": job} if case.by_id and can_resume else {"do": "generate"}
    return {**_request(case, lane), **what}


def _kill(case: ClipCase, lane: Worker, home: Path, verdict: Verdict) -> None:
    """Kill the request's processes, one after the other."""
    for moment in case.moments:
        usual = lane.usual_seconds.get(case.fault, lane.usual_seconds[""])
        ended, told = lane.order(home, do="generate", **_request(case, lane), kill_after=moment * usual)
        if ended == KILLED:
            verdict.kills += 1
        elif ended != 0 or told.get("error") == "crashed":
            verdict.faults.append(f"before the kill: ended {ended}, {told}")
        if told.get("error") == "JobFailed":
            return  # its user knows; the same request again is a new clip


def _settle(case: ClipCase, lane: Worker, home: Path, verdict: Verdict, told: dict[str, Any]) -> dict[str, Any]:
    """What a user does who is told of an unknown outcome, or of a result without a URL."""
    for _ in range(_MOST_ROUNDS):
        tasks, job = lane.books()["tasks"], told["jobs"][0]["id"] if told.get("jobs") else ""
        if told.get("error") == "SubmitUncertain":
            verdict.is_unknown = True
            if "Outcome unknown" not in told["message"]:
                verdict.faults.append(f"the user is told: {told['message']}")
            what = {"do": "attach", "task_id": tasks[-1]["id"]} if tasks else {"do": "again"}
        elif told.get("error") == "ResultNotFetched" and tasks:
            what = {"do": "attach url", "url": f"{lane.provider}/files/{tasks[-1]['id']}/clip.mp4"}
        else:
            return told
        told = lane.order(home, **_request(case, lane), **what, job=job)[1]
    return told


def _look(case: ClipCase, verdict: Verdict, told: dict[str, Any], books: dict[str, Any]) -> None:
    """One task in the books that was not paid back, and its clip is here; or the user was told that there is none."""
    paid = [task for task in books["tasks"] if not task["is_failed"]]
    verdict.count("twice", len(paid) > 1, f"paid more than once: {books}")
    failed = {"moderated": "ContentRejected", "task fails": "JobFailed"}.get(case.fault)
    if failed:
        if told.get("error") != failed or paid:
            verdict.faults.append(f"{case.fault}, but told {told}, {books}")
        return
    file = Path(told["file"]) if told.get("file") else None
    is_home = file is not None and told["state"] == "saved" and pictures(file) == whole_clip()
    verdict.count("lost", not is_home, f"the clip is not here: {told}, {books}")
    if is_home and told["task_id"] not in {task["id"] for task in paid}:
        verdict.faults.append(f"the clip is that of another task: {told}, {books}")


@cache
def whole_clip() -> str:
    """The packets of the clip that the provider serves."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(CLIP)
        return pictures(path)
