"""``grok-imagine provider``: a sound file passes on the sandbox, and what is wrong is said with the line to fix."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from grok_imagine.cli.app import app

GUIDE = Path(__file__).parents[3] / "docs" / "provider-files.md"
ACME = re.findall(r"```toml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)[0]


def run(*arguments: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, ["provider", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout)


def acme(folder: Path, old: str = "", new: str = "") -> str:
    assert old in ACME
    path = folder / "acme.toml"
    path.write_text(ACME.replace(old, new, 1) if old else ACME, "utf-8")
    return str(path)


def test_the_guide_s_file_passes_every_check(tmp_path: Path) -> None:
    code, said = run("check", acme(tmp_path))
    assert [one for one in said["checks"] if one["fault"]] == []
    assert (code, said["is_good"], len(said["checks"])) == (0, True, 21)
    bodies = [one["body"] for one in said["checks"] if one["body"]]
    assert len(bodies) == 4
    assert '"seconds": 1, "quality": "480p"' in bodies[0]


@pytest.mark.parametrize(
    ("old", "new", "check", "place"),
    [
        ('out_of_credit = ["no_credit"]', 'bad_request = ["invalid_api_key"]', "401", "errors.codes"),
        ('out_of_credit = ["no_credit"]', 'bad_request = ["task_not_found"]', "404 right after", "errors.codes"),
    ],
)
def test_a_file_that_reads_wrong_is_told_where_to_fix_it(
    old: str, new: str, check: str, place: str, tmp_path: Path
) -> None:
    code, said = run("check", acme(tmp_path, old, new))
    faults = {one["check"]: one for one in said["checks"] if one["fault"]}
    found = next((one for name, one in faults.items() if name.startswith(check)), None)
    assert found is not None, list(faults)
    assert code == 3
    assert re.fullmatch(rf"acme\.toml, line \d+, {re.escape(place)}", found["place"])


def test_a_file_that_cannot_be_read_is_not_tried(tmp_path: Path) -> None:
    code, said = run("check", acme(tmp_path, "poll = ", "pool = "))
    assert code != 0
    assert "poll: Field required" in said["message"]
    assert run("check", str(tmp_path / "missing.toml"))[0] != 0


def test_a_real_answer_is_read_by_the_file(tmp_path: Path) -> None:
    from grok_imagine.jobs.checks.provider_file import read_reply

    (done := tmp_path / "done.json").write_text(
        json.dumps({"id": "j_7", "status": "completed", "output": {"url": "https://cdn.acme.example/7.mp4"}}), "utf-8"
    )
    (other := tmp_path / "other.json").write_text('{"job": {"id": "j_7"}}', "utf-8")
    assert read_reply(acme(tmp_path), done) == "task id: j_7; status: done, https://cdn.acme.example/7.mp4"
    assert "no task id (UnreadableReply" in read_reply(acme(tmp_path), other)


def test_list_names_the_pack_s_providers_own_files_and_faulty_ones(tmp_path: Path) -> None:
    (tmp_path / "providers").mkdir()
    acme(tmp_path / "providers")
    (tmp_path / "providers" / "broken.toml").write_text("name = ", "utf-8")
    code, rows = run("list", "--home", str(tmp_path))
    found = {row["name"]: row for row in rows}
    assert code == 0
    assert {"reapi", "xai", "acme", "broken"} <= set(found)
    assert found["acme"]["file"].endswith("acme.toml")
    assert "not TOML" in found["broken"]["fault"]
    assert CliRunner().invoke(app, ["provider", "list", "--home", str(tmp_path)]).exit_code == 0
