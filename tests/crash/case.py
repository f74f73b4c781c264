"""One case of the crash matrix: kill, look, come back as a user would, and judge what is left."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from .worker import KILLED, Worker


@dataclass(frozen=True)
class Case:
    """A wish, and where its process is killed: at these points one after the other, or after these times."""

    dialect: str
    mode: str
    points: tuple[str, ...] = ()
    after: tuple[float, ...] = ()
    lines: bool = False
    by_id: bool = False
    """Come back by ``resume JOB`` instead of running the same graph again."""
    fault: tuple[str, str] | None = None
    """A fault at the sandbox: (stage, name)."""

    @property
    def name(self) -> str:
        how = " then ".join([*self.points, *(f"after {seconds * 1000:.0f} ms" for seconds in self.after)])
        return f"{self.dialect} {self.mode}{' ' + '@'.join(self.fault) if self.fault else ''}: {how}"


@dataclass
class Verdict:
    """What became of a case. ``faults`` is empty where all is well."""

    case: Case
    kills: int = 0
    found: str = "none"
    is_unknown: bool = False
    is_paid: bool = False
    """Whether the provider had charged for the clip before the process came back."""
    is_home: bool = False
    submits: int = 0
    resubmits: int = 0
    """POSTs that a process sent although it found the outcome unknown."""
    parts: int = 0
    """Half-downloaded files that are left; ``grok-imagine prune`` takes them."""
    faults: list[str] = field(default_factory=list)


def judge(case: Case, lane: Worker, meanwhile: Callable[[Path], None] = lambda _: None) -> Verdict:
    """Run the case on that lane. ``meanwhile(home)`` is done between the last kill and the fresh process."""
    home = lane.fresh()
    verdict = Verdict(case)
    if case.fault:
        lane.ask("/_sandbox/faults", {"on": case.fault[0], "fault": case.fault[1], "dialect": case.dialect})
    wish = {"do": "generate", "dialect": case.dialect, "mode": case.mode, "points": True, "lines": case.lines}
    for stop in [*({"kill_at": point} for point in case.points), *({"kill_after": seconds} for seconds in case.after)]:
        ended, told = lane.order(home, **wish, **stop)
        if ended == KILLED:
            verdict.kills += 1
        elif ended != 0 or told.get("error") not in (None, "SubmitUncertain"):
            verdict.faults.append(f"before the kill: ended {ended}, {told}")
    before = lane.ledger()
    verdict.is_paid = before["submits"] > 0
    meanwhile(home)
    told = _come_back(case, lane, home, verdict, before)
    after = lane.ledger()
    verdict.submits = after["submits"]
    if not verdict.faults:
        _look(verdict, told, after, home, lane)
    lane.tidy(home)
    return verdict


def _come_back(case: Case, lane: Worker, home: Path, verdict: Verdict, before: dict[str, Any]) -> dict[str, Any]:
    """A fresh process, the same wish; and where the outcome is unknown, what a user does about it."""
    wish = {"do": "generate", "dialect": case.dialect, "mode": case.mode}
    found = _journaled(home)
    job, verdict.found = found or ("", "none")
    can_resume = verdict.found in ("submitted", "succeeded", "saved", "submitting")
    first = {"do": "resume", "job": job} if case.by_id and can_resume else wish
    ended, told = lane.order(home, **first)
    if ended != 0:
        verdict.faults.append(f"the fresh process ended {ended}")
    verdict.is_unknown = told.get("error") == "SubmitUncertain"
    if verdict.is_unknown != (verdict.found == "submitting"):
        verdict.faults.append(f"found {verdict.found}, but told {told.get('error')}: {told.get('message')}")
    if not verdict.is_unknown:
        return told
    if "Outcome unknown" not in told["message"]:
        verdict.faults.append(f"the user is told: {told['message']}")
    now = lane.ledger()
    verdict.resubmits = now["posts"] - before["posts"]
    charged = [entry["task"] for entry in now["entries"] if entry["kind"] == "charge"]
    if charged:  # the user finds the task at the provider's dashboard
        return lane.order(home, do="attach", job=told["jobs"][0]["id"], task_id=charged[0])[1]
    return lane.order(home, **wish, seed=1)[1]  # the user sees that it is not there, and submits anew


def _journaled(home: Path) -> tuple[str, str] | None:
    """The job's id and state, read from a copy: the journal itself is left as the dead process left it."""
    with tempfile.TemporaryDirectory(dir=home) as place:
        for file in home.glob("journal.db*"):
            shutil.copy(file, place)
        with closing(sqlite3.connect(Path(place) / "journal.db")) as database:
            try:
                row: tuple[str, str] | None = database.execute("SELECT id, state FROM jobs").fetchone()
            except sqlite3.OperationalError:  # it died before there were tables
                return None
    return row


def _look(verdict: Verdict, told: dict[str, Any], ledger: dict[str, Any], home: Path, lane: Worker) -> None:
    """The clip is here, whole and the provider's own; it was paid once."""
    file = Path(told["file"]) if told.get("file") else None
    clips = lane.filmed(_pictures)
    verdict.is_home = file is not None and told["state"] == "saved" and _pictures(file) in clips
    if not verdict.is_home:
        verdict.faults.append(f"the clip is not here: {told}")
    charges = [entry for entry in ledger["entries"] if entry["kind"] == "charge"]
    if ledger["submits"] != 1 or len(charges) != 1:
        verdict.faults.append(f"{ledger['submits']} submits, {len(charges)} charges")
    if verdict.resubmits:
        verdict.faults.append(f"{verdict.resubmits} POSTs although the outcome was unknown")
    if ledger["violations"]:
        verdict.faults.append(f"{ledger['violations']} requests against the contract")
    if told.get("task_id") and charges and told["task_id"] != charges[0]["task"]:
        verdict.faults.append("the clip is that of another task")
    verdict.parts = sum(path.suffix == ".part" for path in (home / "results").iterdir())


def _pictures(path: Path) -> str:
    """The hash of every packet of picture and sound: the saved file holds the provider's, and a note of its making."""
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with av.open(str(path)) as film:
        for packet in film.demux():
            digest.update(b"%d:%d:" % (packet.stream.index, packet.size) + bytes(packet))
    return digest.hexdigest()
