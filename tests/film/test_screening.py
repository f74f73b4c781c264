"""The screening page: what it shows, and what it must not hold."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from grok_imagine.cli.app import app
from grok_imagine.film.run import run_film
from grok_imagine.film.screening import screen_film
from grok_imagine.jobs import Session

from .conftest import film
from .provider import KEY, SIGNATURE, FilmProvider


async def test_what_it_shows_and_what_it_hides(session: Session, provider: FilmProvider, tmp_path: Path) -> None:
    text = "a <b>kite</b> & {{shots}}\n[continue] it turns, key xai-SECRET4242424242\n[take 2 of 3] a boat"
    await run_film(session, film(text))
    page = await screen_film(session, film(f"{text}\na tree"), "Kites & co")
    assert len(provider.tasks) == 5, "it submits nothing"
    assert "<title>Kites &amp; co</title>" in page
    assert "4 shots · 1.0 s · 5 takes · 3 of 4 made · $0.50 · $0.50 per second kept" in page
    assert page.count("<video") == 1 + 5
    assert "a &lt;b&gt;kite&lt;/b&gt; &amp; {{shots}}" in page
    assert "<figcaption>new</figcaption>" in page
    assert page.count('<span class="used">used</span>') == 1
    assert re.findall(r'data-shot="(\d)"', page) == ["1", "2", "3"]
    plain = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    for secret in (KEY, "SECRET4242424242", SIGNATURE, "://", str(tmp_path), "task_0"):
        assert secret not in plain, secret
    clips = re.findall(r"base64,([A-Za-z0-9+/=]+)", page)
    assert len(set(clips)) == 5


async def test_a_draft_costs_nothing(session: Session) -> None:
    spec = film("a kite", is_draft=True)
    await run_film(session, spec)
    page = await screen_film(session, spec, "Draft")
    assert "1 shot · 1.0 s · draft, free" in page
    assert "$" not in re.sub(r"<script>.*</script>", "", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page), flags=re.S)


def test_the_command_writes_a_page_of_a_film_that_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "shots.txt").write_text("a kite\n", "utf-8")
    target = tmp_path / "out" / "film.html"
    command = ["screening", str(tmp_path / "shots.txt"), "--home", str(tmp_path / "home"), "-o", str(target)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "1 shot · 0.0 s · 0 of 1 made" in target.read_text("utf-8")
