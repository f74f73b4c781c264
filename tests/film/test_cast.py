"""The cast: names found in prompts of any script, and rendered to what each provider understands."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from grok_imagine.errors import RequestError
from grok_imagine.film.cast import find_mentions, load_cast, members_of, render
from grok_imagine.film.plan import make_plan
from grok_imagine.film.requests import ShotRequests
from grok_imagine.film.run import run_film
from grok_imagine.film.shots import Shot
from grok_imagine.jobs import Session
from grok_imagine.models import Blob, Mode, VideoRequest
from grok_imagine.providers import PROVIDERS

from .conftest import film
from .provider import FilmProvider

CAST = {"anna": ("a", "b"), "ann": ("c",), "安娜": ("d",)}


def upper(prompt: str) -> str:
    return render(prompt, CAST, lambda mention: f"<{mention.member}>")


@pytest.mark.parametrize(
    ("prompt", "rendered"),
    [
        ("@anna waves", "<anna> waves"),
        ("@Anna, @ANN.", "<anna>, <ann>."),
        ("(@ann's hat)", "(<ann>'s hat)"),
        ("@安娜走过街道", "<安娜>走过街道"),
        ("@anna走过", "<anna>走过"),
        ("@annabel waves", "@annabel waves"),
        ("@anna_2 waves", "@anna_2 waves"),
        ("anna@example.com, @@anna", "anna@example.com, @@anna"),
        ("@image1 and @Image12走", "@image1 and @Image12走"),
    ],
)
def test_names_are_found_in_prompts(prompt: str, rendered: str) -> None:
    assert upper(prompt) == rendered


def test_unknown_names_are_told_once() -> None:
    assert [one.text for one in find_mentions("@zoe and @image3", CAST)] == ["@zoe"]
    members, faults = members_of(Shot(7, "@zoe meets @anna and @zoe", references=("bob", "Ann")), CAST)
    assert members == ("anna", "ann")
    assert [str(one).split(" (")[0] for one in faults] == [
        "line 7: @zoe is not in the cast",
        "line 7: @bob is not in the cast",
    ]


@pytest.mark.parametrize(
    ("dialect", "mode", "sent"),
    [
        ("xai", Mode.REFERENCE, "<IMAGE_1> greets <IMAGE_2> <IMAGE_3>"),
        ("openai_videos", Mode.REFERENCE, "@Image1 greets @Image2 @Image3"),
        ("aivideoapi", None, "@image1 greets @image2 @image3"),
        ("reapi", None, "Bob greets anna"),
        ("apiinone", None, "Bob greets anna"),
    ],
)
def test_each_provider_gets_its_own_tokens(dialect: str, mode: Mode | None, sent: str) -> None:
    provider = PROVIDERS[dialect]
    connection: Any = SimpleNamespace(name=dialect, provider=provider)
    cast = {"anna": ("https://a.example/1.png", "https://a.example/2.png"), "bob": ("https://b.example/3.png",)}
    has_references = any(one.mode is Mode.REFERENCE for one in provider.capabilities)
    requests = ShotRequests(connection, VideoRequest(), cast, has_references)
    shot = Shot(1, "@Bob greets @anna")
    request = requests.build(shot, 1)
    assert request.mode is mode
    assert request.reference_images == (*cast["bob"], *cast["anna"])
    capability, _ = provider.judge(request)
    assert capability is not None
    assert provider.with_tokens(request, capability.mode).prompt == sent
    continued = requests.build(Shot(1, "@bob waves", continues=True), 1, Blob(b"x", "image/png"))
    assert (continued.mode, len(continued.reference_images)) == (Mode.IMAGE, 2)


async def test_files_are_read_once_and_their_faults_named_together(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "anna.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    cast = await load_cast([("Anna", ("anna.png", "https://x.example/a.png"))], tmp_path, reads_files=True)
    assert [type(one) for one in cast["anna"]] == [Blob, str]
    wrong = [("anna", ("missing.png",)), ("Anna", ("broken.png",)), ("image1", ("anna.png",)), ("bob", ())]
    with pytest.raises(RequestError) as caught:
        await load_cast(wrong, tmp_path, reads_files=True)
    told = " ".join(str(one) for one in caught.value.violations)
    assert len(caught.value.violations) == 5
    for words in ("missing.png", "broken.png", "twice", "is no name", "has no image"):
        assert words in told


async def test_another_picture_makes_again_the_shots_that_show_it(
    session: Session, provider: FilmProvider, tmp_path: Path
) -> None:
    def shots() -> Any:
        return film("@anna = anna.png\n@anna waves\n[@anna] the pier\na kite", folder=tmp_path)

    Image.new("RGB", (64, 64), "red").save(tmp_path / "anna.png")
    await run_film(session, shots())
    assert [len(task["images"]) for task in sorted(provider.tasks, key=lambda one: one["prompt"])] == [1, 0, 1]
    assert (await make_plan(session, shots())).new_count == 0
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "anna.png")
    assert [take.number for take in (await make_plan(session, shots())).takes if take.is_charged] == [1, 2]
