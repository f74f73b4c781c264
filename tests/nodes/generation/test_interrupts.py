"""Running side by side, stopping, and going on: the pack's own loop and its one session."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from ..waiting import SHORT, jobs_in, until


@pytest.mark.held
async def test_two_nodes_of_one_graph_run_side_by_side(run: Any, host: Any, sandbox: Any) -> None:
    wish = {**SHORT, "prompt": "a kite"}
    both = asyncio.gather(*(run("GIVTextToVideo", node, **wish, seed=seed) for node, seed in (("1", 1), ("2", 2))))
    await until(lambda: sandbox.submits == 2)  # the second does not wait for the first to end
    told = ("1", "2")
    await until(lambda: {node for _, node, text in host.texts if text.startswith("Generating")} == {*told})
    sandbox.wind(60)
    one, other = await both
    assert one[1] != other[1]


@pytest.mark.held
async def test_an_equal_node_waits_for_the_clip_that_is_being_made(run: Any, host: Any, sandbox: Any) -> None:
    wish = {**SHORT, "prompt": "a kite"}
    both = asyncio.gather(run("GIVTextToVideo", "1", **wish), run("GIVTextToVideo", "2", **wish))
    await until(lambda: {node for _, node, _ in host.texts} == {"1", "2"})
    await until(lambda: any(text.startswith("Generating") for _, _, text in host.texts))
    sandbox.wind(60)
    one, other = await both
    assert one[1] == other[1]
    assert sandbox.submits == 1


async def test_equal_wishes_of_a_list_that_run_at_once_are_one_clip(run: Any, sandbox: Any) -> None:
    results = await asyncio.gather(*(run("GIVTextToVideo", "1", **SHORT, prompt="a kite") for _ in range(3)))
    assert len({result[1] for result in results}) == 1
    assert sandbox.submits == 1


async def test_a_node_that_blocks_comfyuis_loop_does_not_stop_the_polling(run: Any, sandbox: Any) -> None:
    waiting = asyncio.ensure_future(run("GIVTextToVideo", **SHORT, prompt="a kite [sandbox:stuck]"))
    await until(lambda: any(one["method"] == "GET" for one in sandbox.requests))
    began, end = time.time(), time.monotonic() + 120
    polls = 0
    while polls < 4 and time.monotonic() < end:
        time.sleep(0.2)  # as a node does that computes: nothing else turns this loop meanwhile
        polls = sum(one["method"] == "GET" and one["time"] > began for one in sandbox.requests)
    assert polls >= 4
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.held
async def test_an_interrupt_is_heard_and_the_job_goes_on_when_run_again(
    run: Any, sandbox: Any, home: Path, part: Any, monkeypatch: Any
) -> None:
    import comfy.model_management as management

    looks: list[bool] = []
    look = management.processing_interrupted
    monkeypatch.setattr(management, "processing_interrupted", lambda: looks.append(look()) or looks[-1])

    wish = {**SHORT, "prompt": "a kite"}
    waiting = asyncio.ensure_future(run("GIVTextToVideo", "4", **wish))
    await until(lambda: [one[1] for one in jobs_in(home)] == ["submitted"])
    management.interrupt_current_processing(True)
    with pytest.raises(management.InterruptProcessingException):
        await waiting
    assert looks.count(True) == 1, "the first look that sees it ends the node"
    assert part("nodes.host.execution")._TICK <= 0.5, "and there are at least two looks a second"
    assert management.processing_interrupted(), "left for the other nodes of the prompt to hear"
    assert [one[1:] for one in jobs_in(home)] == [("submitted", "4")]
    management.interrupt_current_processing(False)
    sandbox.wind(60)
    result = await run("GIVTextToVideo", "4", **wish)
    assert [(one[0], one[1]) for one in jobs_in(home)] == [(result[1], "saved")]
    assert sandbox.submits == 1


@pytest.mark.held
async def test_a_node_canceled_with_its_prompt_leaves_its_job_to_be_resumed(
    run: Any, sandbox: Any, home: Path, part: Any
) -> None:
    bridge = part("nodes.host.execution")
    waiting = asyncio.ensure_future(run("GIVTextToVideo", **SHORT, prompt="a kite"))
    await until(lambda: sandbox.submits == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.to_thread(bridge.runtime().close)  # and the process ends
    bridge._runtime = None
    sandbox.wind(60)
    assert (await run("GIVTextToVideo", **SHORT, prompt="a kite"))[1] == jobs_in(home)[0][0]
    assert sandbox.submits == 1


async def test_one_failing_node_leaves_its_siblings_their_session(run: Any, part: Any) -> None:
    errors = part("grok_imagine.errors")
    good, bad = await asyncio.gather(
        run("GIVTextToVideo", "1", **SHORT, prompt="a kite"),
        run("GIVTextToVideo", "2", **SHORT, prompt="a kite [sandbox:failed]"),
        return_exceptions=True,
    )
    assert isinstance(bad, errors.JobFailed)
    assert good[1]


async def test_new_settings_are_read_without_a_restart(run: Any, home: Path, sandbox: Any, part: Any) -> None:
    runtime = part("nodes.host.execution").runtime
    await run("GIVTextToVideo", **SHORT, prompt="a kite")
    before = runtime()._session_ref
    stuck = asyncio.ensure_future(run("GIVTextToVideo", "9", **SHORT, prompt="a kite [sandbox:stuck]"))
    await until(lambda: sandbox.submits == 2)
    mine = {"dialect": "xai", "base_url": f"{sandbox.url}/xai", "api_key": "xai-sandbox-mine"}
    (home / "settings.json").write_text(json.dumps({"sandbox_url": sandbox.url, "connections": {"mine": mine}}))
    result = await run("GIVTextToVideo", connection="mine", duration=1, prompt="a kite")
    assert json.loads(result[4])["connection"] == "mine"
    after = runtime()._session_ref
    assert after is not before
    assert before.is_retired
    assert before.users == 1, "whoever still waits keeps its session"
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    await until(lambda: before.users == 0)


async def test_settings_that_cannot_be_read_are_told_and_then_mended(run: Any, home: Path, part: Any) -> None:
    whole = (home / "settings.json").read_text()
    (home / "settings.json").write_text("{ not json")
    with pytest.raises(part("grok_imagine.errors").SettingsError, match="Fix or delete"):
        await run("GIVTextToVideo", **SHORT, prompt="a kite")
    (home / "settings.json").write_text(whole)
    assert (await run("GIVTextToVideo", **SHORT, prompt="a kite"))[1]


async def test_without_settings_the_sandbox_is_started_and_ended(run: Any, home: Path, part: Any) -> None:
    (home / "settings.json").unlink()
    bridge = part("nodes.host.execution")
    assert (await run("GIVTextToVideo", **SHORT, prompt="a kite"))[1]
    process = bridge.runtime()._sandbox[1]._process
    assert process.poll() is None
    await asyncio.to_thread(bridge.runtime().close)
    assert process.poll() == 0
