"""Films: what a change makes again, counted by a provider that imports nothing of ours."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from grok_imagine.errors import ProviderError, RequestError
from grok_imagine.film.describe import film_as_json, plan_as_json
from grok_imagine.film.edit_list import edit_list
from grok_imagine.film.plan import TakeState, make_plan
from grok_imagine.film.run import run_film
from grok_imagine.jobs import Session
from grok_imagine.jobs.progress import USER_ID
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.mux import metadata

from .conftest import Open, film
from .provider import FRAMES, FilmProvider

CHAIN = range(11, 16)
"""The shots that continue the one before, so that 10 to 15 are a chain."""


def thirty(**changed: str) -> str:
    """30 shots, five of them continued. ``s7="…"`` changes the prompt of shot 7."""
    lines = [
        ("[continue] " if number in CHAIN else "") + changed.get(f"s{number}", f"shot {number}")
        for number in range(1, 31)
    ]
    return "\n".join(lines)


async def test_a_change_makes_again_what_depends_on_it(open_session: Open, provider: FilmProvider) -> None:
    async with open_session() as session:
        first = await run_film(session, film(thirty()), at_once=10)
        assert sorted(provider.prompts) == sorted(f"shot {number}" for number in range(1, 31))
        assert first.joined is not None
        assert first.joined.frames == 30 * FRAMES - 5, "the first frame of a continued shot repeats the one before"
        again = await run_film(session, film(thirty()))
        assert (again.file, again.joined, again.plan.new_count) == (first.file, None, 0)
        assert len(provider.tasks) == 30
    async with open_session() as session:  # another process
        cut = film(thirty(s7="another"))
        planned = await make_plan(session, cut)
        assert [take.number for take in planned.takes if take.state is TakeState.NEW] == [7]
        assert planned.text == "30 shots: 1 new, about $0.1 of about $3 in total"
        assert len(provider.tasks) == 30, "a plan sends nothing"
        changed = await run_film(session, cut)
        assert provider.prompts[30:] == ["another"]
        assert changed.file != first.file
        chain = film(thirty(s13="another turn"))
        assert [take.number for take in (await make_plan(session, chain)).takes if take.is_charged] == [13, 14, 15]
        await run_film(session, chain)
        assert provider.prompts[31:] == ["another turn", "shot 14", "shot 15"]
        await run_film(session, film(thirty()))
        assert len(provider.tasks) == 34, "the first film is there still"


async def test_continued_shots_start_from_the_last_frame(session: Session, provider: FilmProvider) -> None:
    made = await run_film(session, film("a\n[continue] b\nc\n[continue] d"))
    by_prompt = {task["prompt"]: task for task in provider.tasks}
    assert [len(by_prompt[name]["images"]) for name in "abcd"] == [0, 1, 0, 1]
    assert by_prompt["b"]["images"] != by_prompt["d"]["images"]
    assert provider.prompts.index("a") < provider.prompts.index("b")
    assert [result.job.mode for result in made.shots] == ["text_to_video", "image_to_video"] * 2
    assert decode(made.file).frame_count == 4 * FRAMES - 2
    facts = metadata.read(made.file)
    assert facts is not None
    assert [one["prompt"] for one in facts["segments"]] == list("abcd")


async def test_the_price_and_every_fault_come_first(session: Session, provider: FilmProvider) -> None:
    with pytest.raises(RequestError) as caught:
        await run_film(session, film(f"a\n[99 s] b\n\n{'x' * 9999}\n@zoe runs"))
    told = [str(one) for one in caught.value.violations]
    assert [one.split(":")[0] for one in told] == [
        "shot 2 (line 2), duration_seconds",
        "shot 3 (line 4), prompt",
        "line 5",
    ]
    assert told[2] == "line 5: @zoe is not in the cast (none yet)"
    with pytest.raises(RequestError, match=r"cost about \$0\.2, more than your limit of \$0\.15"):
        await run_film(session, film("a\nb"), max_usd=Decimal("0.15"))
    assert provider.requests == []
    await run_film(session, film("a\nb"), max_usd=Decimal("0.20"))
    await run_film(session, film("a\nb\nc"), max_usd=Decimal("0.10"))
    assert provider.prompts == ["a", "b", "c"], "the limit is for what is new"


async def test_equal_shots_are_one_clip(session: Session, provider: FilmProvider) -> None:
    text = "a\n[continue] b\na\n[continue] b"
    planned = await make_plan(session, film(text))
    assert [take.is_repeat for take in planned.takes] == [False, False, True, True]
    assert planned.new is not None
    assert planned.new.usd == Decimal("0.2")
    made = await run_film(session, film(text))
    assert provider.prompts == ["a", "b"]
    assert made.joined is not None
    assert made.joined.frames == 4 * FRAMES - 2


async def test_a_failed_shot_keeps_the_others(session: Session, provider: FilmProvider) -> None:
    with pytest.raises(ProviderError) as caught:
        await run_film(session, film("a\nb [refused]\n[continue] c\nd"))
    assert str(caught.value).startswith("Shot 2 (line 2): ")
    assert "2 of 4 clips are made and kept: run it again to continue." in str(caught.value)
    assert sorted(provider.prompts) == ["a", "d"], "a shot that continues a missing one waits"
    await run_film(session, film("a\nb\n[continue] c\nd"))
    assert sorted(provider.prompts) == ["a", "b", "c", "d"]


async def test_choosing_a_take_never_submits(session: Session, provider: FilmProvider) -> None:
    def text(take: int) -> str:
        return f"a\n[take {take} of 8] b\nc"

    first = await run_film(session, film(text(1)), at_once=8)
    assert len(provider.tasks) == 10
    files = {first.file}
    for take in range(2, 9):
        planned = await make_plan(session, film(text(take)))
        assert planned.new_count == 0
        files.add((await run_film(session, film(text(take)))).file)
    assert len(files) == 8
    await run_film(session, film("a\n[take 3] b\nc"))
    await run_film(session, film("a\n[seed 2] b\nc"))
    assert len(provider.tasks) == 10, "take 3 is the clip of the seed after next"
    assert len({take.result.job.id for take in first.takes if take.result}) == 10


async def test_another_take_changes_what_continues_it(session: Session, provider: FilmProvider) -> None:
    await run_film(session, film("[take 1 of 2] a\n[continue] b"))
    planned = await make_plan(session, film("[take 2 of 2] a\n[continue] b"))
    assert [(take.number, take.take) for take in planned.takes if take.is_charged] == [(2, 1)]


async def test_a_take_that_is_not_used_may_fail(session: Session, provider: FilmProvider) -> None:
    first = await run_film(session, film("a"))
    provider.most = 1
    made = await run_film(session, film("[2 takes] a"))
    assert made.file == first.file
    assert [bool(take.result) for take in made.takes] == [True, False]
    assert "not this one" in made.takes[1].error
    with pytest.raises(ProviderError, match=r"Shot 1 \(line 1\)"):
        await run_film(session, film("[take 2 of 2] a"))
    assert len(provider.tasks) == 1


async def test_what_is_told_of_a_film(session: Session, tmp_path: Path) -> None:
    made = await run_film(session, film("a\n[continue, 2 takes] b\nc"))
    told = film_as_json(made, "film.mp4")
    again = film_as_json(await run_film(session, film("a\n[continue, 2 takes] b\nc")), "film.mp4")
    assert [again[name] for name in ("frames", "seconds", "seams")] == [
        told[name] for name in ("frames", "seconds", "seams")
    ]
    seams = told["seams"]
    assert isinstance(seams, list)
    assert [seam["frame"] for seam in seams] == [FRAMES, 2 * FRAMES - 1]
    assert [seam["delta_e"] is None for seam in seams] == [False, True], "a cut may change its colours"
    assert (told["frames"], told["cost_usd"]) == (3 * FRAMES - 1, "0.4")
    takes = told["takes"]
    assert isinstance(takes, list)
    assert [(one["shot"], one["take"], one["is_used"], one["transition"], one["cost_usd"]) for one in takes] == [
        (1, 1, True, "cut", "0.1"),
        (2, 1, True, "continue", "0.1"),
        (2, 2, False, "continue", "0.1"),
        (3, 1, True, "cut", "0.1"),
    ]
    planned = plan_as_json(await make_plan(session, film("a\nz")))
    assert (planned["new"], planned["new_usd"], planned["total_usd"]) == (1, "0.1", "0.2")
    timeline = json.loads(edit_list(made))
    clips = timeline["tracks"]["children"][0]["children"]
    assert [one["source_range"]["start_time"]["value"] for one in clips] == [0, 1, 0]
    assert sum(one["source_range"]["duration"]["value"] for one in clips) == told["frames"]
    assert [Path(one["media_reference"]["target_url"].removeprefix("file://")).is_file() for one in clips] == [True] * 3


async def test_a_draft_is_free_and_the_plan_knows_it(session: Session, provider: FilmProvider) -> None:
    text = "a kite\n[continue] it turns\na boat"
    drafted = await run_film(session, film("a kite\n[continue] it turns", is_draft=True))
    assert drafted.plan.is_free
    assert {take.result.job.connection for take in drafted.takes if take.result} == {"sandbox-xai"}
    planned = await make_plan(session, film(text))
    assert [take.has_draft for take in planned.takes] == [True, True, False]
    assert planned.new_count == 3
    assert provider.requests == []
    await run_film(session, film(text))
    planned = await make_plan(session, film(text))
    assert [take.has_draft for take in planned.takes] == [True, True, False]
    assert planned.new_count == 0


async def test_users_share_their_equal_shots(session: Session, provider: FilmProvider) -> None:
    text = "a kite\n[continue] it turns"
    for user in ("ann", "bob"):
        USER_ID.set(user)
        made = await run_film(session, film(text))
        assert [await session.is_of_others(shot.job.id) for shot in made.shots] == [False, False]
    USER_ID.set("eve")
    assert (await make_plan(session, film(text))).new_count == 0
    assert len(provider.tasks) == 2


async def test_clips_that_are_missing_here_are_downloaded_again(session: Session, provider: FilmProvider) -> None:
    """As on another machine that shares the journal, and after a clean-up."""
    text = "a kite\n[continue] it turns\na boat"
    made = await run_film(session, film(text))
    for file in [made.file, *(shot.file for shot in made.shots)]:
        file.unlink()
    assert (await make_plan(session, film(text))).new_count == 0
    again = await run_film(session, film(text))
    assert again.file == made.file
    assert decode(again.file).frame_count == 3 * FRAMES - 1
    assert len(provider.tasks) == 3
