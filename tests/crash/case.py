"""One case at the sandbox: kill a job at a point, continue as a user would, and check what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .verdict import Verdict, pictures, read_journal
from .worker import KILLED, Worker


@dataclass(frozen=True)
class Case:
    """A request, and where its process is killed: at these points one after the other."""

    dialect: str
    mode: str
    points: tuple[str, ...] = ()
    lines: bool = False
    by_id: bool = False
    """Come back by ``resume JOB`` instead of running the same graph again."""
    fault: tuple[str, str] | None = None
    """A fault at the sandbox: (stage, name)."""

    @property
    def name(self) -> str:
        fault = f" {'@'.join(self.fault)}" if self.fault else ""
        return f"{self.dialect} {self.mode}{fault}: {' then '.join(self.points)}"

    def judge(self, lane: Worker, meanwhile: Callable[[Path], None] = lambda _: None) -> Verdict:
        """Run it on that lane. ``meanwhile(home)`` is done between the last kill and the fresh process."""
        home = lane.fresh()
        verdict = Verdict(self.name, f"sandbox, named points | {self.dialect} {self.mode}")
        if self.fault:
            lane.ask("/_sandbox/faults", {"on": self.fault[0], "fault": self.fault[1], "dialect": self.dialect})
        request = {"do": "generate", "dialect": self.dialect, "mode": self.mode}
        for point in self.points:
            ended, told = lane.order(home, **request, points=True, lines=self.lines, kill_at=point)
            if ended == KILLED:
                verdict.kills += 1
            elif ended != 0 or told.get("error") not in (None, "SubmitUncertain"):
                verdict.faults.append(f"before the kill: ended {ended}, {told}")
        before = lane.ledger()
        verdict.is_paid = before["submits"] > 0
        meanwhile(home)
        told = _come_back(self, lane, home, verdict, before)
        if not verdict.faults:
            _look(verdict, told, lane.ledger(), home, lane)
        lane.tidy(home)
        return verdict


def _come_back(case: Case, lane: Worker, home: Path, verdict: Verdict, before: dict[str, Any]) -> dict[str, Any]:
    """A fresh process, the same request; and where the outcome is unknown, what a user does about it."""
    request = {"do": "generate", "dialect": case.dialect, "mode": case.mode}
    found = read_journal(home)
    can_resume = found.state in ("submitted", "succeeded", "saved", "submitting")
    first = {"do": "resume", "job": found.id} if case.by_id and can_resume else request
    ended, told = lane.order(home, **first)
    if ended != 0:
        verdict.faults.append(f"the fresh process ended {ended}")
    verdict.is_unknown = told.get("error") == "SubmitUncertain"
    if verdict.is_unknown != (found.state == "submitting"):
        verdict.count("silent", 1, f"found {found.state}, but told {told.get('error')}: {told.get('message')}")
    if not verdict.is_unknown:
        return told
    if "Outcome unknown" not in told["message"]:
        verdict.faults.append(f"the user is told: {told['message']}")
    now = lane.ledger()
    more = now["posts"] - before["posts"]
    verdict.count("silent", more, f"{more} POSTs although the outcome was unknown")
    charged = [entry["task"] for entry in now["entries"] if entry["kind"] == "charge"]
    if charged:  # the user finds the task at the provider's dashboard
        return lane.order(home, do="attach", job=told["jobs"][0]["id"], task_id=charged[0])[1]
    return lane.order(home, **request, seed=1)[1]  # the user sees that it is not there, and submits anew


def _look(verdict: Verdict, told: dict[str, Any], ledger: dict[str, Any], home: Path, lane: Worker) -> None:
    """The clip is here, whole and the provider's own; it was paid once."""
    file = Path(told["file"]) if told.get("file") else None
    is_home = file is not None and told["state"] == "saved" and pictures(file) in lane.filmed(pictures)
    verdict.count("lost", not is_home, f"the clip is not here: {told}")
    charges = [entry for entry in ledger["entries"] if entry["kind"] == "charge"]
    if ledger["submits"] != 1 or len(charges) != 1:
        verdict.count("twice", ledger["submits"] > 1, f"{ledger['submits']} submits, {len(charges)} charges")
    if ledger["violations"]:
        verdict.faults.append(f"{ledger['violations']} requests against the contract")
    if told.get("task_id") and charges and told["task_id"] != charges[0]["task"]:
        verdict.faults.append("the clip is that of another task")
    verdict.parts = sum(path.suffix == ".part" for path in (home / "results").iterdir())
