"""``grok-imagine film``: the plan before anything is sent, the film and its edit list after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grok_imagine.cli.app import app

from .provider import FRAMES, KEY, FilmProvider


@pytest.fixture
def home(tmp_path: Path, provider: FilmProvider) -> Path:
    mine = {"dialect": "xai", "base_url": provider.url, "api_key": KEY, "pace": 0.02, "assumed_usd_per_clip": "0.10"}
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({"connections": {"mine": mine}}), "utf-8")
    (tmp_path / "shots.txt").write_text("a kite\n[continue] it turns\n[2 takes] a boat\n", "utf-8")
    return folder


def run(home: Path, *arguments: str) -> Result:
    command = ["film", str(home.parent / "shots.txt"), "-c", "mine", "-d", "1", "--home", str(home), *arguments]
    return CliRunner().invoke(app, command)


def test_plan_then_film(home: Path, provider: FilmProvider, tmp_path: Path) -> None:
    planned = run(home, "--dry-run")
    assert planned.exit_code == 0
    assert "3 shots, 4 takes: 4 new, about $0.4" in planned.stdout
    assert planned.stdout.count("$0.10") == 4
    assert run(home, "--dry-run", "--max-usd", "0.3").exit_code == 2
    assert provider.requests == []
    target, edits = tmp_path / "out" / "film.mp4", tmp_path / "out" / "film.otio"
    made = run(home, "--json", "-o", str(target), "--edit-list", str(edits), "--max-usd", "0.4")
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert (told["file"], told["frames"], told["cost_usd"]) == (str(target), 3 * FRAMES - 1, "0.4")
    assert target.stat().st_size > 1000
    assert json.loads(edits.read_text("utf-8"))["OTIO_SCHEMA"] == "Timeline.1"
    again = run(home, "-o", str(target))
    assert "nothing new, nothing to pay" in again.stderr
    assert len(provider.tasks) == 4
    states = [one["state"] for one in json.loads(run(home, "--dry-run", "--json").stdout)["takes"]]
    assert states == ["made"] * 4


def test_a_plan_shows_prompts_as_they_are(home: Path) -> None:
    (home.parent / "shots.txt").write_text("[cut] [bold]A[/bold] kite\n", "utf-8")
    assert "[bold]A[/bold] kite" in run(home, "--dry-run").stdout


def test_wrong_options_are_named_before_anything_is_sent(home: Path, provider: FilmProvider) -> None:
    assert "--cast: 'anna' is not NAME=IMAGE,IMAGE" in run(home, "--cast", "anna").output
    assert "Cannot make 0 clips" in run(home, "--at-once", "0").output
    assert "a folder; name a file" in run(home, "-o", str(home)).output
    assert provider.requests == []
