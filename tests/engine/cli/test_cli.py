"""The command line: output, exit codes, and the demo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from grok_imagine.cli.app import app
from grok_imagine.journal.journal import Journal

from ..support.processes import ROOT, client, finish, run_here
from ..support.requests import a_job


def test_generate_then_frames(running_sandbox: str, tmp_path: Path) -> None:
    clip = tmp_path / "out" / "clip.mp4"
    code, out, err = finish(
        client(running_sandbox, tmp_path, "generate", "a red balloon", "-r", "480p", "-a", "1:1", "-o", str(clip))
    )
    assert code == 0, err
    assert out.strip() == str(clip)
    assert "54 credits" in err
    assert "generating" in err
    frames, sheet = tmp_path / "frames", tmp_path / "sheet.png"
    code, out, err = finish(
        client(running_sandbox, tmp_path, "frames", str(clip), "-o", str(frames), "--sheet", str(sheet), "--json")
    )
    assert code == 0, err
    assert json.loads(out) == {"frames": 144, "width": 480, "height": 480, "fps": "24"}
    assert len(list(frames.glob("*.png"))) == 144
    with Image.open(sheet) as picture:
        assert picture.width >= 480


def test_an_image_file_becomes_a_clip(running_sandbox: str, tmp_path: Path) -> None:
    picture = tmp_path / "in.png"
    Image.new("RGB", (300, 200), "teal").save(picture)
    command = ("generate", "drift", "-i", str(picture), "-r", "480p", "--json")
    code, out, err = run_here(running_sandbox, tmp_path, *command)
    assert code == 0, err
    told = json.loads(out)
    assert told["mode"] == "image_to_video"
    assert told["request"]["reference_images"][0].startswith("sha256:")


def test_a_clip_is_edited_and_extended_from_its_file(running_sandbox: str, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    start = ("generate", "a kite", "-c", "sandbox-xai", "-d", "2", "-r", "480p", "-o", str(clip))
    assert run_here(running_sandbox, tmp_path, *start)[0] == 0
    for how, more in (("--edit", ()), ("--extend", ("-d", "2"))):
        command = ("generate", "at night", "-c", "sandbox-xai", how, str(clip), *more, "--json")
        code, out, err = run_here(running_sandbox, tmp_path, *command)
        assert code == 0, err
        told = json.loads(out)
        assert told["mode"] == f"{how[2:]}_video"
        assert told["request"]["source_seconds"] == 2.0
        assert told["request"]["source_video"].startswith("sha256:")


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (("generate", "x", "--edit", "a.mp4", "--extend", "b.mp4", "--json"), 2, "RequestError"),
        (("generate", "x", "-c", "sandbox-xai", "--edit", "no-such.mp4", "--json"), 2, "DecodeError"),
        (("generate", "", "-r", "9k", "--json"), 2, "RequestError"),
        (("generate", "x", "-c", "nowhere", "--json"), 3, "SettingsError"),
        (("generate", "x", "-c", "reapi", "--json"), 3, "MissingKey"),
        (("generate", "x [sandbox:402]", "--json"), 4, "OutOfCredit"),
        (("generate", "x [sandbox:failed]", "--json"), 4, "JobFailed"),
        (("generate", "x [sandbox:private-url]", "--json"), 5, "ResultNotFetched"),
        (("resume", "no-such-job", "--json"), 3, "SettingsError"),
    ],
)
def test_exit_codes(
    arguments: tuple[str, ...],
    code: int,
    kind: str,
    running_sandbox: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GROK_IMAGINE_SANDBOX_URL", running_sandbox)
    monkeypatch.setenv("GROK_IMAGINE_HOME", str(tmp_path))
    done = CliRunner().invoke(app, list(arguments))
    assert (done.exit_code, json.loads(done.stdout)["error"]) == (code, kind), done.stderr


async def test_a_pipe_in_an_old_code_page_gets_all_that_fits(tmp_path: Path) -> None:
    """As Windows opens one."""
    async with Journal(tmp_path) as journal:
        await journal.add(a_job(request={"prompt": "löwe 🦁 日本"}, error="獅子 ×"))
    environment = {**os.environ, "GROK_IMAGINE_HOME": str(tmp_path), "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1251"}
    command = [sys.executable, "-m", "grok_imagine.cli"]
    for more in (["jobs", "--json"], ["jobs"], ["doctor", "--offline", "--home", str(tmp_path / "× 獅子")]):
        done = subprocess.run([*command, *more], cwd=ROOT, env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        if "--json" in more:
            assert json.loads(done.stdout)[0]["request"]["prompt"] == "löwe 🦁 日本"


def test_a_key_is_asked_for_and_never_shown(running_sandbox: str, tmp_path: Path) -> None:
    environment = {**os.environ, "GROK_IMAGINE_HOME": str(tmp_path)}
    code = "import typer; typer.prompt = lambda *a, **k: 'sk-typed-key-1234'; from grok_imagine.cli import main; main()"
    arguments = ["key", "gate", "--dialect", "openai_videos", "--base-url", "https://gate.example/v1"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert "1234" not in done.stdout + done.stderr
    _, out, _ = finish(client(running_sandbox, tmp_path, "connections", "--json"))
    (gate,) = [one for one in json.loads(out) if one["name"] == "gate"]
    assert gate == {"name": "gate", "dialect": "openai_videos", "key": "file", "base_url": "https://gate.example"}


@pytest.mark.slow
def test_the_demo_leaves_a_clip_frames_and_a_sheet(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GROK_IMAGINE")}
    done = subprocess.run(
        [sys.executable, "-m", "grok_imagine.cli", "demo", "-o", str(tmp_path / "demo")],
        cwd=ROOT,
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "144 frames, 1280x720, 24 fps" in done.stdout
    assert "generating" in done.stderr
    assert (tmp_path / "demo" / "clip.mp4").read_bytes()[4:8] == b"ftyp"
    assert len(list((tmp_path / "demo" / "frames").glob("*.png"))) == 144
    with Image.open(tmp_path / "demo" / "contact_sheet.png") as sheet:
        assert sheet.width > 600
