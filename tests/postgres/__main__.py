"""``python -m tests.postgres``: a batch whose workers are killed every so often, in three scenes; told, and as JSON.

*shared*: several workers, the journal and the queue in a PostgreSQL. *budget*: the same, with a budget for half of the
rows, which is raised once it is used up. *alone*: one process and its journal's file, without a PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .conftest import PLACES, Server
from .fleet import PAID, QUICK_PRICE, Fleet, Ordeal, rows

LOST_ANSWERS = 6
SCENES = ("shared", "budget", "alone")


def main() -> int:
    """Run the scenes; 1 where a row was lost or paid twice, or a budget passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.postgres", description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="scene", help=f"of {', '.join(SCENES)}; all by default")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--every", type=float, default=10, help="seconds between two kills")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    fault = ""
    for scene in options.scenes or SCENES:
        try:
            figures[scene] = play(scene, options)
        except AssertionError as error:
            fault = f"{scene}: {error}"
            break
        print(f"{scene}: " + ", ".join(f"{figure} {name}" for name, figure in figures[scene].items()), flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1))
    print(fault or "no row lost, none paid twice, no budget passed", file=sys.stderr if fault else sys.stdout)
    return int(bool(fault))


def play(scene: str, options: argparse.Namespace) -> dict[str, Any]:
    """One scene to its end. Raises AssertionError where a promise is broken."""
    began = time.monotonic()
    figures: dict[str, Any] = {"rows": options.rows}
    costs = {"connection": "quick"} if scene == "budget" else {}
    requests = rows(options.rows, lost_answers=LOST_ANSWERS, **costs)
    with (
        tempfile.TemporaryDirectory(prefix="fleet-") as folder,
        database(scene) as url,
        Fleet(Path(folder), url, **(PAID if costs else {})) as fleet,
    ):
        ordeal = Ordeal(fleet, requests, every_seconds=options.every)
        if scene == "budget":
            limit = QUICK_PRICE * (options.rows // 2)
            paid = ordeal.within(limit, options.workers)
            figures |= {"USD of budget": str(limit), "USD spent when it held": str(QUICK_PRICE * paid)}
        elif scene == "alone":
            ordeal.alone()
        else:
            ordeal.shared(options.workers)
        figures |= {"kills": fleet.kills, "settled outcomes unknown": ordeal.unknown}
        figures |= {"lost": options.rows - len(fleet.charged()), "paid twice": len(fleet.paid_twice())}
    return {**figures, "seconds": round(time.monotonic() - began, 1)}


@contextmanager
def database(scene: str) -> Iterator[str]:
    """The URL of a new database; none for the scene that has its journal in a file."""
    if scene == "alone":
        yield ""
        return
    programs = next((place for place in PLACES if (place / "initdb").is_file()), None)
    if programs is None:
        raise SystemExit(f"no PostgreSQL is installed here: the scene {scene} cannot be played; only: alone")
    with tempfile.TemporaryDirectory(prefix="pg-") as data:
        Path(data).chmod(0o755)
        server = Server(programs, Path(data))
        server.start()
        try:
            yield server.create("fleet").get_secret_value()
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
