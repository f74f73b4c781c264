"""``grok-imagine batch`` at the independent provider: killed and started again under a limit, then finished."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from .clip_case import whole_clip
from .requests import connections_of
from .verdict import Verdict, pictures
from .worker import KILLED, Worker

PRICES = {"reapi": Decimal("0.054"), "apiinone": Decimal("0.24"), "openai_videos": Decimal("0.25")}
"""What a clip of six seconds costs, by the engine's own estimate."""
FAULTS = (
    "",
    "429 first",
    "cut after acceptance",
    "500 after acceptance",
    "task fails",
    "moderated",
    "no url",
    "polls cut",
)
LIMITS = ("--max-usd", "budget per day")
ROWS, _NEW_ROWS = 5, 2
_ROWS_IN_LIMIT = Decimal("3.5")
_USUAL = "list"
_MOST_ROUNDS = 5
_FAILED = {"task fails", "moderated"}


@dataclass(frozen=True)
class BatchCase:
    """A list whose command is killed at these parts of its usual time, and started again each time."""

    dialect: str
    limit: str
    faults: tuple[str, ...]
    """The provider's fault for each row; rows that are put on top have none."""
    moments: tuple[float, ...]
    grows: bool = False
    """Two new rows are put on top of the list after the first two kills."""
    at_once: int = 1
    """How many processes run the same command side by side, and are killed together."""
    points: tuple[str, ...] = ()
    """Where it is killed once more, after the moments."""

    @property
    def name(self) -> str:
        at = ", ".join(f"{100 * moment:.1f} %" for moment in self.moments)
        how = f"{self.at_once} at once, " if self.at_once > 1 else ""
        grows = ", new rows on top" if self.grows else ""
        where = at or " then ".join(self.points)
        return f"batch {self.dialect} under {self.limit}{grows}, {how}{list(self.faults)}, killed after {where}"

    def recorded(self, lane: Worker) -> list[str]:
        """The points that its command passes when nobody kills it."""
        run = _Run(self, lane, lane.fresh_home(), Verdict(self.name, ""))
        told = run.command(is_limited=True, points=True)[1]
        lane.tidy(run.home)
        return list(told["points"])

    def judge(self, lane: Worker) -> Verdict:
        """Run it on that lane."""
        shape = f"{', new rows' if self.grows else ''}{f', {self.at_once} processes' if self.at_once > 1 else ''}"
        scene = f"list under {self.limit}{shape} | {self.dialect}" if self.moments else "list, named points |"
        verdict = Verdict(self.name, scene)
        run = _Run(self, lane, lane.fresh_home(), verdict)
        run.kill()
        run.finish()
        run.look()
        lane.tidy(run.home)
        return verdict


class _Run:
    """A case while it runs."""

    def __init__(self, case: BatchCase, lane: Worker, home: Path, verdict: Verdict) -> None:
        self.case, self.lane, self.home, self.verdict = case, lane, home, verdict
        self.price = PRICES[case.dialect]
        self.limit = self.price * _ROWS_IN_LIMIT
        self.faults = {f"row {number}": fault for number, fault in enumerate(case.faults, 1)}
        self.prompts = list(self.faults)
        lane.books(dialect=case.dialect, faults=self.faults, usd=str(self.price))

    def kill(self) -> None:
        """Under the limit: killed, started again, and at last left to its end."""
        for number, moment in enumerate(self.case.moments):
            usual = self.lane.usual_seconds.get(_USUAL, 3 * self.lane.usual_seconds[""])
            ended, told = self.command(is_limited=True, kill_after=moment * usual, at_once=self.case.at_once)
            self.verdict.kills += told["killed"]
            if ended != KILLED and number == 0 and "seconds" in told:
                self.lane.usual_seconds[_USUAL] = told["seconds"]
            if self.case.grows and number < 2:
                self.prompts = [f"new row {number}.{new}" for new in range(_NEW_ROWS)] + self.prompts
        for point in self.case.points:
            self.verdict.kills += self.command(is_limited=True, points=True, kill_at=point)[1]["killed"]
        self.command(is_limited=True, at_once=self.case.at_once)
        books = self.lane.books()
        most = Decimal(books["most_charged_usd"])
        self.verdict.is_paid = bool(books["tasks"])
        self.verdict.count("passed", most > self.limit, f"${most} was charged under a limit of ${self.limit}")

    def finish(self) -> None:
        """Without the limit, with all that its user does: rows of unknown outcome are looked up at the provider."""
        for _ in range(_MOST_ROUNDS):
            self.command(is_limited=False)
            acts = [act for row in self.results() if (act := self._act_on(row))]
            if not acts:
                return
            for arguments in acts:
                self._run(*arguments)

    def _act_on(self, row: dict[str, Any]) -> tuple[str, ...]:
        tasks = [one["id"] for one in self.lane.books()["tasks"] if one["prompt"] == row["request"]["prompt"]]
        if row["state"] == "unknown":
            self.verdict.is_unknown = True
            return ("attach", row["job_id"], tasks[-1]) if tasks else ("again", row["job_id"], "--yes")
        if row["error_kind"] == "ResultNotFetched" and tasks:
            return "attach", row["job_id"], "--url", f"{self.lane.provider}/files/{tasks[-1]}/clip.mp4"
        return ()

    def look(self) -> None:
        """Each row is one task in the books and one clip here, or failed as the provider said."""
        books, rows = self.lane.books(), {row["request"]["prompt"]: row for row in self.results()}
        for prompt in self.prompts:
            tasks, row = [task for task in books["tasks"] if task["prompt"] == prompt], rows.get(prompt, {})
            self.verdict.count("twice", len(tasks) > 1, f"{prompt} ({self.faults.get(prompt)}): accepted as {tasks}")
            if self.faults.get(prompt) in _FAILED:
                if row.get("state") != "failed":
                    self.verdict.faults.append(f"{prompt} should have failed: {row}")
                continue
            is_home = row.get("state") == "done" and pictures(Path(row["file"])) == whole_clip()
            self.verdict.count("lost", not is_home, f"{prompt}: {row}, {tasks}, {self.said()}")

    def results(self) -> list[dict[str, Any]]:
        """The rows of the results file."""
        file = self.home / "list.jsonl.results.jsonl"
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []

    def said(self) -> str:
        """The last lines that the last command wrote."""
        file = self.home / "told.json.txt"
        return file.read_text("utf-8")[-600:] if file.exists() else ""

    def command(self, *, is_limited: bool, **how: Any) -> tuple[int, dict[str, Any]]:
        """Run the list; how it ended, and what it told."""
        budget = {"per_day": float(self.limit)} if is_limited and self.case.limit == "budget per day" else {}
        connections = connections_of(self.case.dialect, self.lane.provider)
        settings = {"connections": connections, "answer_seconds": 0.1, "budget": budget}
        (self.home / "settings.json").write_text(json.dumps(settings))
        more = {} if self.case.dialect == "apiinone" else {"duration": 6, "resolution": "480p"}
        lines = [json.dumps({"prompt": prompt, **more}) for prompt in self.prompts]
        (self.home / "list.jsonl").write_text("\n".join(lines))
        limit = ["--max-usd", str(self.limit)] if is_limited and self.case.limit == "--max-usd" else []
        return self._run(
            "batch", str(self.home / "list.jsonl"), "-c", "mine", "--at-once", "3", "--json", *limit, **how
        )

    def _run(self, *arguments: str, **how: Any) -> tuple[int, dict[str, Any]]:
        whole = [arguments[0], "--home", str(self.home), *arguments[1:]]
        ended, told = self.lane.order(self.home, do="command", arguments=whole, **how)
        if ended not in (0, KILLED) or told.get("error") or "Traceback" in told.get("said", ""):
            self.verdict.faults.append(f"{' '.join(arguments)}: ended {ended}, {told}")
        return ended, told
