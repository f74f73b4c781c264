"""Keys in the environment and in the settings file, everything that the engine can do with them, and a search of all
that it leaves: errors, logs, files, the journal while it is open, clips, and what each command prints."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from grok_imagine.batch.run import Batch, run_batch
from grok_imagine.chain.run import Chain, run_chain
from grok_imagine.cli.app import app
from grok_imagine.errors import GrokImagineError
from grok_imagine.jobs import Session
from grok_imagine.jobs.failover import generate_with_failover, quotes
from grok_imagine.media.mux import metadata
from grok_imagine.models import JobState, Mode, VideoRequest
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import ConnectionSettings, load, save_connection

from ..support.leaks import contents, leaks, listen_to_all, logged, told_of
from ..support.privacy import is_private
from ..support.requests import DIALECTS, request_for
from ..support.sessions import Recorder, hurried

KEYS = {
    "reapi": "rk_live_sandbox-Ab3/Kd9+Qe7=Zt5u",
    "aivideoapi": "sk-sandbox-Fb3/Ld9+Re7=Yt5v",
    "apiinone": "aio_sandbox-Gc4/Md8+Se6=Xt4w",
    "openai_videos": "sk-sandbox-Hd5/Nd7+Te5=Wt3x",
    "xai": "xai-sandbox-Je6/Pd6+Ue4=Vt2y",
}
IN_FILE = ("apiinone", "xai")
REVOKED = "rk_live_sandbox-revoked-Kf7/Qd5+Ve3=Ut1z"
STORE = {"access_key_id": "AKIALEAKTESTLEAK", "secret_access_key": "store-Lg8/Rd4+We2=Tt0a/secret"}
PROMPT_URL = "https://public.example/still.png?X-Amz-Signature=0123456789abcdefPROMPTED"
SECRETS = [*KEYS.values(), REVOKED, STORE["secret_access_key"], STORE["access_key_id"]]


@pytest.fixture
def home(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder set up with keys from both places, a store that cannot be reached, and a budget."""
    folder = tmp_path / "home"
    for dialect, key in KEYS.items():
        base_url = f"{sandbox.url}/{dialect}"
        if dialect in IN_FILE:
            save_connection(folder, dialect, ConnectionSettings(base_url=base_url, api_key=key, pace=0.05))
        else:
            where = f"GROK_IMAGINE_CONNECTIONS__{dialect.upper()}__"
            monkeypatch.setenv(where + "BASE_URL", base_url)
            monkeypatch.setenv(where + "API_KEY", key)
            monkeypatch.setenv(where + "PACE", "0.05")
    revoked = ConnectionSettings(dialect="reapi", base_url=f"{sandbox.url}/reapi", api_key=REVOKED)
    save_connection(folder, "revoked", revoked)
    stores = {"bucket": {"bucket": "b", "endpoint": "http://127.0.0.1:9", "region": "us-east-1", **STORE}}
    monkeypatch.setenv("GROK_IMAGINE_STORES", json.dumps(stores))
    monkeypatch.setenv("GROK_IMAGINE_SANDBOX_URL", sandbox.url)
    monkeypatch.setenv("GROK_IMAGINE_HOME", str(folder))
    monkeypatch.setenv("GROK_IMAGINE_BUDGET", '{"per_day": "3"}')
    for name in ("openai_videos", "xai", "apiinone"):
        monkeypatch.setenv(f"GROK_IMAGINE_CONNECTIONS__{name.upper()}__ASSUMED_USD_PER_CLIP", "0.01")
    return folder


@pytest.fixture
def signatures(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every signature that the sandbox puts into a result's URL."""
    made: list[str] = []
    real = sandbox.core.signature

    def noted(token: str, expires: int) -> str:
        made.append(real(token, expires))
        return made[-1]

    monkeypatch.setattr(sandbox.core, "signature", noted)
    return made


class Watching(Recorder):
    """Remembers what it is told, and the notes of downloads that lie about meanwhile."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.notes: dict[str, bytes] = {}

    def update(self, update: Any) -> None:
        super().update(update)
        for path in (self.folder / "results").glob(".*.part.json"):
            self.notes[path.name] = path.read_bytes()


FAULTS = (
    "401",
    "402",
    "429-spend",
    "500",
    "html-502",
    "drop-after",
    "truncated-json",
    "no-id",
    "moderated",
    "failed=see+https://cdn.example/a.mp4?X-Amz-Signature=0123456789abcdefPROMPTED",
    "expired-url",
    "private-url=https://10.0.0.9/a.mp4?X-Amz-Signature=0123456789abcdefPROMPTED",
    "json-file",
)


class Walked:
    """All that one session told, gathered as it went on."""

    def __init__(self, session: Session, sandbox: Sandbox) -> None:
        self.session, self.sandbox = session, sandbox
        self.texts: list[str] = []
        self.progress = Watching(session.home)
        self.clips: list[Path] = []

    async def good(self, work: Any) -> Any:
        found = await work
        self.texts.append(repr(found))
        if hasattr(found, "file"):
            self.clips.append(found.file)
        return found

    async def bad(self, work: Any) -> None:
        with pytest.raises(GrokImagineError) as caught:
            await work
        self.texts += told_of(caught.value)

    async def clips_and_faults(self) -> None:
        """Each dialect makes a clip, and meets every kind of fault."""
        graph = json.dumps({"nodes": [{"widgets_values": ["a kite", "reapi"]}]}).encode()
        for dialect in DIALECTS:
            request = request_for(dialect, prompt=f"{dialect} [sandbox:cut@cdn]")
            make = self.session.generate
            await self.good(make(request, dialect, owner="7", workflow=graph, progress=self.progress))
        for number, fault in enumerate(FAULTS):
            request = request_for("reapi", prompt=f"x [sandbox:{fault}]", seed=number)
            await self.bad(self.session.generate(request, "reapi", progress=self.progress))
        await self.bad(self.session.generate(request_for("reapi", seed=99), "revoked"))

    async def wholes(self) -> None:
        """A batch, a chain, a fail-over, a task collected by its id, prices, budget, trials."""
        session = self.session
        rows = [{"prompt": "one"}, {"prompt": "two [sandbox:moderated]"}]
        quick = {"duration_seconds": 1, "resolution": "480p"}
        await self.good(run_batch(session, Batch("a list", rows, "xai", quick)))
        base = VideoRequest(mode=Mode.IMAGE, duration_seconds=1)
        await self.good(run_chain(session, Chain("sandbox-xai", self.clips[-1], ("on",), base)))
        await self.bad(run_chain(session, Chain("xai", self.clips[-1], ("on",), base)))  # no bucket there
        sent = VideoRequest(prompt="first", duration_seconds=6, resolution="480p")
        made = await self.good(generate_with_failover(session, sent, ("revoked", "xai"), owner="9"))
        await self.good(session.collect("xai", made.job.task_id))
        for name in (*KEYS, "revoked"):
            await self.good(session.try_connection(name))
        self.texts += [repr(quotes(session.settings, sent)), repr(await session.spend_summary())]
        self.texts += [repr(await session.check_store("bucket"))]

    async def decisions(self) -> None:
        """Every job of unknown outcome is attached, submitted again or given up; each kind of job is resumed."""
        jobs = await self.session.journal.recent(limit=200)
        unknown = [job for job in jobs if job.is_uncertain]
        assert len(unknown) >= 4
        await self.good(self.session.resubmit(unknown[0].id))
        await self.bad(self.session.attach(unknown[1].id, "task_00000000000000000000000000000000"))
        await self.bad(self.session.abandon(unknown[1].id))
        for state in (JobState.SUBMITTING, JobState.SUCCEEDED, JobState.FAILED):
            await self.bad(self.session.resume(next(job.id for job in jobs if job.state is state)))
        for job in await self.session.journal.recent(limit=200):
            self.texts += [repr(job), repr(await self.session.journal.history(job.id))]
        await self.good(self.session.prune(apply=True, max_gb=1e-9))


async def test_no_key_and_no_signature_on_any_surface(
    home: Path,
    sandbox: Sandbox,
    signatures: list[str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    listen_to_all()
    async with Session(home, load(home), sleep=hurried) as session:
        walked = Walked(session, sandbox)
        await walked.clips_and_faults()
        await walked.wholes()
        while_open = contents(home)
        assert {"journal.db", "journal.db-wal"} <= set(while_open)
        assert all(metadata.read(clip) for clip in walked.clips[: len(DIALECTS)])
        await walked.decisions()
        walked.texts += [repr(session.settings), session.settings.model_dump_json(), repr(vars(session))]
    texts = [*walked.texts, *map(repr, walked.progress.updates), *logged(caplog.records), *capfd.readouterr()]
    assert walked.progress.notes, "a download was cut, and its note was looked at"
    assert leaks(SECRETS, texts, {**contents(home), **while_open, **walked.progress.notes}) == []
    assert len(set(signatures)) > 10
    signed = [*signatures, "0123456789abcdefPROMPTED"]
    # The journal keeps the URL that a clip is fetched from, and the prompt; it is its owner's alone.
    shown = {name: data for name, data in while_open.items() if not name.startswith("journal.db")}
    own = [text for text in texts if "[sandbox:" not in text]
    assert leaks(signed, own, {**shown, **walked.progress.notes}) == []
    assert all(is_private(path) for path in [home, *home.glob("journal.db*"), *home.glob("*.json")])


COMMANDS = (
    ("jobs",),
    ("jobs", "--json"),
    ("budget",),
    ("budget", "--json"),
    ("connections",),
    ("connections", "--json"),
    ("price",),
    ("price", "--json"),
    ("storage", "list", "--json"),
    ("storage", "check", "bucket"),
    ("storage", "check", "bucket", "--json"),
    ("storage", "sweep", "bucket"),
    ("prune", "--json", "--max-gb", "0", "--yes"),
    ("generate", "by command", "-c", "reapi", "-r", "480p"),
    ("generate", "by command", "-c", "reapi", "-r", "480p", "--json"),
    ("generate", "x [sandbox:401]", "-c", "reapi", "--json"),
    ("generate", "x [sandbox:no-id]", "-c", "reapi"),
    ("generate", "x", "-c", "revoked"),
    ("generate", "x", "-c", "revoked", "--json"),
    ("generate", "by reference", "-c", "reapi", "-i", PROMPT_URL, "--json"),
    ("generate", "x", "-c", "reapi", "-i", PROMPT_URL.replace("public.example", "10.0.0.9"), "--json"),
    ("jobs", "--json"),
    ("collect", "task_00000000000000000000000000000000", "-c", "reapi"),
    ("resume", "nothing", "--json"),
    ("key", "mine", "--dialect", "nothing"),
    ("doctor",),
    ("doctor", "--offline", "--stores", "--json"),
)


async def test_no_command_shows_a_key(
    home: Path, sandbox: Sandbox, signatures: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GROK_IMAGINE_DEADLINE_SECONDS", "4")
    texts: list[str] = []

    def run() -> None:
        runner = CliRunner()
        for command in COMMANDS:
            done = runner.invoke(app, list(command), input=f"{KEYS['reapi']}\n")
            texts.append(f"{command}: {done.output}\n{''.join(traceback.format_exception(*done.exc_info))}")
            assert done.exception is None or isinstance(done.exception, SystemExit), texts[-1]

    await asyncio.to_thread(run)
    assert any('"state": "saved"' in text for text in texts)
    assert leaks([*SECRETS, *signatures, "0123456789abcdefPROMPTED"], [text.split(": ", 1)[1] for text in texts]) == []
    assert leaks(SECRETS, files=contents(tmp_path)) == []
