"""``python -m tests.postgres``: workers on one batch, of which one is killed every so often; as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from .conftest import PLACES, Server
from .fleet import Fleet, ordeal, rows


def main() -> int:
    """Run it; 1 where a row was lost or paid twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.postgres", description=__doc__)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--every", type=float, default=10, help="seconds between two kills")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    programs = next((place for place in PLACES if (place / "initdb").is_file()), None)
    if programs is None:
        print("no PostgreSQL is installed here: nothing was tested", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="pg-") as data, tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        Path(data).chmod(0o755)
        server = Server(programs, Path(data))
        server.start()
        began = time.monotonic()
        try:
            with Fleet(Path(folder), server.create("fleet").get_secret_value()) as fleet:
                more = {"workers": options.workers, "every_seconds": options.every, "kills": 1_000_000}
                unknown = ordeal(fleet, rows(options.rows), **more)
                figures = {
                    "rows": options.rows,
                    "workers": options.workers,
                    "kills": fleet.kills,
                    "outcome unknown, then settled": unknown,
                    "lost": options.rows - len(fleet.charged()),
                    "paid twice": len(fleet.paid_twice()),
                    "seconds": round(time.monotonic() - began, 1),
                }
        finally:
            server.stop()
    for name, figure in figures.items():
        print(f"{name:>30}  {figure}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1))
    return int(bool(figures["lost"] or figures["paid twice"]))


if __name__ == "__main__":
    sys.exit(main())
