"""Workers with a shared PostgreSQL database: no row is lost or paid twice, whichever dies."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from .fleet import PAID, PRICE, Fleet, Ordeal, rows


@pytest.fixture
def fleet(tmp_path: Path, database_url: SecretStr) -> Iterator[Fleet]:
    with Fleet(tmp_path, database_url.get_secret_value()) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_three_workers_of_which_one_is_killed_again_and_again(fleet: Fleet) -> None:
    Ordeal(fleet, rows(24, lost_answers=2), every_seconds=2, kills=4).shared(workers=3)
    assert fleet.kills > 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_one_machine_with_a_file_killed_again_and_again(tmp_path: Path) -> None:
    with Fleet(tmp_path, "") as alone:
        unknown = Ordeal(alone, rows(24, lost_answers=2), every_seconds=2, kills=3).alone()
        assert alone.kills > 0
        assert unknown >= 2


@pytest.mark.slow
def test_a_worker_that_dies_between_request_and_answer(fleet: Fleet) -> None:
    """Accepted and charged, and nobody alive who heard it: shown as that, never sent again, and brought home."""
    fleet.write([{**row, "prompt": row["prompt"] + " [sandbox:stall=20]"} for row in rows(1)])
    fleet.batch("--defer")
    worker = fleet.start()
    fleet.until(lambda: fleet.submits() == 1)
    fleet.kill(worker)
    fleet.start()
    fleet.until(lambda: not fleet.tasks_left())
    assert fleet.batch("--status")["rows"] == {"unknown": 1}
    assert fleet.settle_unknown() == 1
    fleet.batch("--defer")
    fleet.until(lambda: not fleet.tasks_left())
    assert fleet.batch("--status")["rows"] == {"done": 1}
    assert fleet.ledger()["posts"] == 1


@pytest.mark.slow
def test_a_request_that_never_arrived_and_an_answer_that_is_lost_when_it_is_sent_again(fleet: Fleet) -> None:
    """Two unknown outcomes of one row: what was paid is attached to the job of the second, and paid once."""
    fleet.fault({"on": "submit", "fault": "drop-before", "times": 1, "dialect": "xai"})
    fleet.write(rows(1, lost_answers=1))
    fleet.batch("--defer")
    fleet.start()
    fleet.until(lambda: not fleet.tasks_left())
    assert fleet.batch("--status")["rows"] == {"unknown": 1}
    assert fleet.submits() == 0
    assert fleet.settle_unknown() == 1
    fleet.batch("--defer")
    fleet.until(lambda: not fleet.tasks_left())
    assert fleet.batch("--status")["rows"] == {"done": 1}
    assert fleet.submits() == 1


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_day_s_budget_is_never_passed(tmp_path: Path, database_url: SecretStr) -> None:
    """Ten rows of $0.054 fit into the day, twelve are asked for, of three workers at once."""
    limits = {**PAID, "GROK_IMAGINE_BUDGET__PER_DAY": str(10 * PRICE)}
    with Fleet(tmp_path, database_url.get_secret_value(), **limits) as fleet:
        fleet.write([{**row, "duration": 6} for row in rows(12, connection="mine")])
        fleet.batch("--defer")
        for _ in range(3):
            fleet.start()
        fleet.until(lambda: fleet.submits() >= 4)
        fleet.kill_one()
        fleet.until(lambda: not fleet.tasks_left())
        told = fleet.batch("--status")
        assert "per day" in told["stopped_by"]
        assert told["rows"]["waiting"] >= 2
        assert "running" not in told["rows"], "what the dead worker had sent is brought home, the rest waits"
        assert Decimal(told["cost_usd"]) <= Decimal("0.54")
        assert len(fleet.charged()) <= 10
        assert fleet.paid_twice() == []


@pytest.mark.slow
def test_the_limit_of_the_whole_list_holds_over_all_workers(fleet: Fleet) -> None:
    fleet.write([{**row, "duration": 6} for row in rows(8, connection="sandbox")])
    fleet.batch("--defer", "--max-usd", "0.2")  # 0.054 a row
    for _ in range(2):
        fleet.start()
    fleet.until(lambda: not fleet.tasks_left())
    told = fleet.batch("--status")
    assert told["rows"] == {"done": 3, "waiting": 5}
    assert "limit of $0.2 is reached" in told["stopped_by"]
    fleet.batch("--defer")
    fleet.until(lambda: not fleet.tasks_left())
    assert fleet.batch("--status")["rows"] == {"done": 8}
    assert fleet.submits() == 8


@pytest.mark.slow
def test_a_worker_that_is_stopped_gives_its_rows_back(fleet: Fleet) -> None:
    fleet.write(rows(4))
    assert fleet.batch("--defer")["rows"] == {"waiting": 4}
    fleet.batch("--defer")
    assert fleet.tasks_left() == 4, "asked for again, nothing is queued twice"
    first = fleet.start()
    fleet.until(lambda: fleet.submits() >= 2)
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0, fleet.logs()
    told = fleet.batch("--status")["rows"]
    assert not {"running", "failed", "unknown"} & set(told), told
    fleet.batch("--defer")
    second = fleet.start()
    fleet.until(lambda: not fleet.tasks_left())
    clips = fleet.folder / "clips"
    assert fleet.batch("--status", "-o", str(clips))["rows"] == {"done": 4}
    assert sorted(path.name for path in clips.iterdir()) == [f"0000{n}.mp4" for n in range(1, 5)]
    assert all(Path(row["file"]).read_bytes()[4:8] == b"ftyp" for row in fleet.results())
    assert fleet.submits() == 4
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 0, fleet.logs()


def test_workers_without_a_database_get_a_clear_error(tmp_path: Path) -> None:
    with Fleet(tmp_path, "") as fleet:
        fleet.write(rows(1))
        for command in (["worker"], ["batch", str(tmp_path / "list.jsonl"), "--defer"]):
            code, _, err = fleet.run(*command)
            assert code == 3
            assert "Set database_url" in " ".join(err.split())
        assert fleet.submits() == 0


def test_local_files_are_refused_by_name(fleet: Fleet) -> None:
    (fleet.folder / "cat.png").write_bytes(b"no matter")
    fleet.write(rows(1, images=["cat.png"]))
    code, out, _ = fleet.run("batch", str(fleet.folder / "list.jsonl"), "--defer", "--json")
    assert code == 2
    assert "cat.png is a local file; use a URL" in out
