"""What the commands check before anything is paid: output folders, lists, numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from grok_imagine.batch.rows import read_csv, read_lines
from grok_imagine.cli import console
from grok_imagine.cli.app import app
from grok_imagine.cli.output import check_file, check_folder, copy_clip
from grok_imagine.errors import RequestError, SettingsError
from grok_imagine.jobs import ProgressUpdate

from ..support.processes import ledger, run_here
from ..support.requests import a_job

ODD = "a [bold]boat[/] :boat: [/red] [link=x]"


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"kept")
    for path in (file / "clip.mp4", file / "deep" / "clip.mp4", Path("/proc/none/clip.mp4")):
        with pytest.raises(RequestError, match=r"^--output: .* cannot be written: .*Nothing was sent or charged"):
            check_file("--output", path)
        with pytest.raises(RequestError, match="cannot be written"):
            check_folder("--output", path)
    with pytest.raises(RequestError, match="is a folder; name a file"):
        check_file("--results", tmp_path)
    check_file("--output", tmp_path, may_be_folder=True)
    check_file("--output", file)
    check_file("--output", tmp_path / "new" / "clip.mp4")
    check_folder("--output", None)
    assert file.read_bytes() == b"kept"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "new"]


def test_a_clip_that_cannot_be_copied_is_not_lost(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"clip")
    with pytest.raises(SettingsError, match=f"finished and kept: {clip}. It could not be copied to"):
        copy_clip(clip, clip / "below" / "x.mp4")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("generate", "a kite", "-d", "6", "-o", "{file}/clip.mp4"), "--output: .* cannot be written"),
        (("batch", "{list}", "-d", "6", "--results", "{folder}"), "--results: .* is a folder; name a file"),
        (("batch", "{list}", "-d", "6", "--results", "{file}/r.jsonl"), "--results: .* cannot be written"),
        (("batch", "{list}", "-d", "6", "-o", "{file}"), "--output: .* cannot be written"),
        (("continue", "{file}", "on", "-o", "{folder}"), "--output: .* is a folder; name a file"),
    ],
)
def test_a_command_checks_its_output_before_it_pays(
    command: tuple[str, ...], told: str, running_sandbox: str, tmp_path: Path
) -> None:
    names = {"file": tmp_path / "file", "folder": tmp_path / "folder", "list": tmp_path / "list.txt"}
    names["file"].write_text("x")
    names["list"].write_text("a kite\n")
    names["folder"].mkdir()
    arguments = [part.format(**names) for part in command]
    code, _, err = run_here(running_sandbox, tmp_path / "home", *arguments)
    assert code == 2
    assert re.search(told, " ".join(err.split())), err
    assert ledger(running_sandbox)["posts"] == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('prompt,duration\n"a kite,6\nb,6\n', r"line \d+: cannot be read: unexpected end of data; check the quotes"),
        ('prompt\n"a" kite\n', r"line 2: cannot be read: .*; check the quotes before it"),
        ("prompt\n" + "x" * 200_000 + "\n", r"line 2: cannot be read: field larger than field limit"),
        ("prompt,prompt\na,b\n", "several columns for prompt"),
        ("prompt,duration,seconds\na,1,2\n", "several columns for duration_seconds"),
        ("prompt,colour\na,red\n", "colour: unknown field; expected one of"),
        ("a,b\n1,2\n", "needs a header"),
        ("", "needs a header"),
        ("prompt\n", "has 0 rows"),
        ("prompt\na,b\n", "line 2: has more cells than the header"),
    ],
)
def test_a_csv_that_cannot_be_read_is_one_clear_error(text: str, told: str) -> None:
    with pytest.raises(RequestError, match=told) as caught:
        read_csv(text)
    assert "Nothing was sent or charged" in str(caught.value)


def test_unusual_csv_cells_are_accepted() -> None:
    text = 'Prompt , seed,duration,,\n"a ""big"", red kite",--5,6,,\nb,99999999999999999999999,-1\n,,,,\nc\n'
    assert read_csv(text) == [
        {"prompt": 'a "big", red kite', "seed": "--5", "duration": 6},
        {"prompt": "b", "seed": "99999999999999999999999", "duration": -1},
        {"prompt": "c"},
    ]
    assert read_csv("prompt,seed\na," + "9" * 5000)[0]["seed"] == "9" * 5000


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"prompt": ' + "[" * 100_000, "line 1: is not a JSON object"),
        ('{"prompt": ' + "[" * 90 + "]" * 90 + "}", "line 1, prompt: must be a text, a number or a list"),
        ('{"prompt": {"text": "a"}}', "line 1, prompt: must be a text, a number or a list"),
        ('{"prompt": "a", "images": [["b"]]}', "line 1, images: must be a text, a number or a list"),
        ('{"prompt": "a", "seed": ' + "9" * 5000 + "}", "line 1: is not a JSON object"),
        ('{"prompt": "a"', "line 1: is not a JSON object"),
        ('{"prompt": "a"}, {', "line 1: is not a JSON object"),
    ],
)
def test_json_that_is_not_a_row_is_one_clear_error(line: str, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        read_lines([line])


@pytest.mark.parametrize(
    "command",
    [
        *(("jobs", "--limit", number) for number in ("0", "-1", "99999999999999999999", "1e9", "x")),
        *(("budget", "--limit", number) for number in ("-1", "99999999999999999999")),
        *(("prune", "--max-gb", number) for number in ("-1", "inf", "1e400")),
        *(("batch", "{list}", "--max-usd", number) for number in ("-1", "inf", "1e30", "many", "NaN")),
    ],
)
def test_numbers_out_of_range_are_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    names = {"list": tmp_path / "list.txt"}
    names["list"].write_text("a kite\n")
    arguments = [part.format(**names) for part in command]
    made = CliRunner().invoke(app, [*arguments, "--home", str(tmp_path / "home")])
    assert made.exit_code == 2, made.output
    assert made.exception is None or isinstance(made.exception, SystemExit)


def test_square_brackets_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "width", 200)
    monkeypatch.setattr(console.err, "width", 200)
    job: Any = a_job(request={"prompt": ODD}, connection="[/c]")
    with console.ProgressBar() as bar:
        bar.update(ProgressUpdate(job, "[/s]", 0.0, None, f"the provider reports {ODD!r}", None, False))
    console.print_jobs([job], as_json=False)
    console.print_table([{"name": ODD}])
    with pytest.raises(SystemExit), console.report_errors(as_json=False):
        raise SettingsError(ODD)
    out, err = capsys.readouterr()
    assert (out.count(ODD), err.count(ODD)) == (2, 2)
    assert "[/s]" in err


def test_a_prompt_in_square_brackets_becomes_a_clip(
    running_sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "width", 200)
    listed = tmp_path / "list.jsonl"
    listed.write_text(json.dumps({"prompt": f"{ODD} [sandbox:failed]"}) + "\n" + json.dumps({"prompt": ODD}) + "\n")
    code, _, err = run_here(running_sandbox, tmp_path, "batch", str(listed), "-d", "6", "-r", "480p")
    assert code == 4, err
    code, out, err = run_here(running_sandbox, tmp_path, "generate", ODD, "-d", "6", "-r", "480p")
    assert code == 0, err
    assert ledger(running_sandbox)["submits"] == 2
    code, out, err = run_here(running_sandbox, tmp_path, "jobs")
    assert code == 0, err
    assert "[bold]boat[/]" in " ".join(out.split())
