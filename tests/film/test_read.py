"""Shot lists: every shape that people write them in, and all faults named at once with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from grok_imagine.errors import RequestError
from grok_imagine.film.read import read_csv, read_file, read_text
from grok_imagine.film.shots import Shot

LINES = """# Act one

@anna = anna.png, https://example.com/side.png
A boat leaves the shore
[continue, 8s] It meets @anna; she waves
- [cut, take 2 of 4, seed 7] A lighthouse [sandbox:failed]
2. [3 takes, @anna] The pier, at night
{"prompt": "It snows", "seconds": 10, "transition": "continue", "references": ["anna"]}
"""
SHOTS = (
    Shot(4, "A boat leaves the shore"),
    Shot(5, "It meets @anna; she waves", True, 8),
    Shot(6, "A lighthouse [sandbox:failed]", seed=7, take=2, takes=4),
    Shot(7, "The pier, at night", takes=3, references=("anna",)),
    Shot(8, "It snows", True, 10, references=("anna",)),
)


def test_lines() -> None:
    found = read_text(LINES)
    assert found.shots == SHOTS
    assert found.cast == (("anna", ("anna.png", "https://example.com/side.png")),)
    assert [shot.made_takes for shot in found.shots] == [(1,), (1,), (1, 2, 3, 4), (1, 2, 3), (1,)]
    assert read_text("[take 3] A kite").shots[0].made_takes == (3,), "without others only the one that is used"


@pytest.mark.parametrize("option", ["8s", "8 s", "8 SEC", "8 seconds", "cut; 8s"])
def test_seconds_are_written_as_people_do(option: str) -> None:
    assert read_text(f"[{option}] A kite").shots == (Shot(1, "A kite", duration_seconds=8),)


def test_csv(tmp_path: Path) -> None:
    text = 'Prompt, seconds, transition, take, takes, references\n"A boat, far off",,,,,\n'
    text += "It turns,8,continue,2,3,anna | bob\n"
    shots = (Shot(2, "A boat, far off"), Shot(3, "It turns", True, 8, take=2, takes=3, references=("anna", "bob")))
    assert read_csv(text).shots == read_text(text).shots == shots
    file = tmp_path / "shots.csv"
    file.write_text("\ufeff" + text, "utf-8")
    assert read_file(file).shots == shots


def test_markdown(tmp_path: Path) -> None:
    file = tmp_path / "shots.md"
    file.write_text(
        "# Film\n\nSome words about it.\n\n- @anna = anna.png\n- [ ] A boat\n1. [continue] It turns\n\n"
        "| Prompt | Seconds | Transition |\n|---|:---:|---|\n| A \\| B | 8 | |\n| It stops | | continue |\n",
        "utf-8",
    )
    found = read_file(file)
    assert found.shots == (
        Shot(6, "A boat"),
        Shot(7, "It turns", True),
        Shot(11, "A | B", duration_seconds=8),
        Shot(12, "It stops", True),
    )
    assert found.cast == (("anna", ("anna.png",)),)


def test_every_fault_is_named_with_its_line() -> None:
    text = "[continue] On\n[8 s, wide] A boat\n[take 5 of 4] A kite\n[8s] \n[seed 7, seed 8] A\n{broken\n"
    text += '{"prompt": "x", "transition": "fade", "seconds": "long", "camera": 1}\n[[9999 s]] no option\n'
    with pytest.raises(RequestError) as caught:
        read_text(text)
    told = [str(one) for one in caught.value.violations]
    expected = [
        "line 2: unknown option 'wide'; expected cut, continue, 8s, seed 7, take 2, take 2 of 4, 4 takes, @name",
        "line 3, take: take 5 is used, but only 4 are made",
        "line 4: has no prompt",
        "line 5: states seed twice",
        "line 6: is no JSON object",
        "line 7: unknown field 'camera'; expected one of: prompt, duration",
        "line 7, duration: must be 1 to 3600, got 'long'",
        "line 7, transition: must be cut or continue, got 'fade'",
        "line 1: the first shot cannot continue",
    ]
    assert [one[: len(two)] for one, two in zip(told, expected, strict=True)] == expected
    assert "Nothing was sent or charged" in str(caught.value)


@pytest.mark.parametrize(("text", "words"), [("# only a heading", "0 shots"), ("a\n" * 501, "501 shots")])
def test_a_list_has_shots_and_not_too_many(text: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        read_text(text)


def test_faulty_tables_and_files(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="line 2: has more cells"):
        read_csv("prompt,seconds\na, 8, 9\n")
    with pytest.raises(RequestError, match="unknown field 'camera'"):
        read_text("| prompt | camera |\n|---|---|\n| a | 2 |\n")
    with pytest.raises(RequestError, match=r"missing\.txt cannot be read"):
        read_file(tmp_path / "missing.txt")
