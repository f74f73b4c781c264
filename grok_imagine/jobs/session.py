"""A session: the journal, the HTTP client and the sandbox, opened and closed together, and all operations on jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from weakref import WeakValueDictionary

from pydantic import SecretStr

from ..errors import FetchFailed, SettingsError, TaskNotFound
from ..journal import job_query, workflows
from ..journal.journal import OnClaim
from ..journal.observed import JobListener, ObservableJournal
from ..journal.uploads import Uploads
from ..models import Blob, Call, Job, JobState, VideoRequest
from ..models.money import Limits, SpendSummary
from ..models.url import is_below, is_loopback
from ..providers import CheckResult
from ..settings import Settings, load
from ..storage.base import Store
from ..transport.client import Client
from ..transport.download import OnBytes, download
from ..transport.endpoint import Endpoint
from ..transport.rate_limit import RateLimiters
from . import connections, recovery
from .checks.connection import try_connection
from .checks.store import CheckStep, check_store, sweep
from .connections import Connection
from .new_job import fingerprints, job_for_external_task, new_job
from .pipeline.callbacks import CallbackRegistry
from .pipeline.context import JobContext, SessionServices
from .pipeline.in_flight import InFlightSteps
from .pipeline.poll import confirm_task
from .pipeline.runner import run as run_job
from .pipeline.shared_results import SharedResults
from .progress import BUDGET_RUN_ID, USER_ID, Progress, SilentProgress
from .prune import PruneResult, prune
from .recovery import AbandonResult
from .result import Result, result_of
from .sandbox_process import SandboxProcess
from .uploads.encode import Encoder
from .uploads.publish import Publisher
from .uploads.stores import Stores


class Session:
    """``async with Session(home) as session: result = await session.generate(request, "sandbox")``.

    ``home`` is the data folder: settings, journal, results. A session belongs to one event loop. ``sandbox``,
    ``rate_limiters`` and ``callbacks`` are shared by all sessions of a process. ``listener(job)`` is called after each
    change of a job.
    """

    def __init__(
        self,
        home: Path,
        settings: Settings | None = None,
        *,
        sandbox: SandboxProcess | None = None,
        rate_limiters: RateLimiters | None = None,
        callbacks: CallbackRegistry | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        listener: JobListener = lambda _job: None,
        writes_metadata: bool = True,
    ) -> None:
        self.home = home
        self.settings = settings or load(home)
        self._sandbox = sandbox or SandboxProcess(home, self.settings.sandbox_url)
        self._own_sandbox = sandbox is None
        self._now = self.clock = now
        self._in_flight = InFlightSteps()
        self._rate_limiters = rate_limiters or RateLimiters(sleep, monotonic)
        self._request_locks = WeakValueDictionary[str, asyncio.Lock]()
        limits = Limits(**self.settings.budget.model_dump())
        self.journal = ObservableJournal(
            home, now, listener=listener, database_url=self.settings.database_url, limits=limits
        )
        self._client = Client(sleep=sleep, allowed_networks=self.settings.allowed_networks)
        self.stores = Stores(home, self.settings, self._client.put_public, now)
        self._uploads = Uploads(self.journal, now)
        self.publisher = Publisher(self._uploads, self.stores.deletes_after, Encoder(self._uploads))
        results_store = self.stores.for_results()
        self._services = SessionServices(
            journal=self.journal,
            client=self._client,
            publisher=self.publisher,
            results=home / "results",
            sleep=sleep,
            run_in_flight=self._in_flight.run,
            in_flight=self._in_flight.get,
            deadline_seconds=self.settings.deadline_seconds,
            answer_seconds=self.settings.answer_seconds,
            max_download_bytes=self.settings.max_download_bytes,
            writes_metadata=writes_metadata,
            shared_results=SharedResults(self.journal, results_store) if results_store else None,
            callbacks=callbacks,
            monotonic=monotonic,
            now=now,
        )

    async def __aenter__(self) -> Session:
        await self.journal.__aenter__()
        try:
            await self._client.__aenter__()
        except BaseException:
            await self.journal.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Shielded from cancellation: steps in flight still need the journal, which must be closed after them.
        await asyncio.shield(asyncio.ensure_future(self._close()))

    async def _close(self) -> None:
        async with AsyncExitStack() as parts:  # closes the last one first, and the others even if one fails
            if self._own_sandbox:
                parts.push_async_callback(asyncio.to_thread, self._sandbox.close)
            parts.push_async_exit(self.journal)
            parts.push_async_exit(self._client)
            await self._in_flight.finish()

    @property
    def in_flight(self) -> frozenset[asyncio.Task[Job]]:
        """The paid steps that are running."""
        return self._in_flight.tasks

    async def connect(self, name: str) -> Connection:
        """The connection of that name. Starts the sandbox if it uses it. Raises SettingsError or MissingKey."""
        profile = connections.profile(self.settings, name)
        url = await self._sandbox.url() if profile.is_sandbox else None
        connection = connections.connect(profile, self._rate_limiters, url)
        self._client.environment.check(connection.endpoint.base_url)
        return connection

    def check(self, request: VideoRequest, connection: Connection) -> CheckResult:
        """Check every rule of the connection's contract. Raises RequestError with all violations."""
        return connection.provider.check(request, allow_private_urls=connection.is_local)

    async def generate(
        self,
        request: VideoRequest,
        connection_name: str,
        *,
        owner: str = "",
        run: str = "",
        progress: Progress | None = None,
        workflow: bytes | None = None,
        on_claim: OnClaim | None = None,
    ) -> Result:
        """Make the clip, or resume the job that already makes it.

        The same inputs and seed are the same clip, which is paid once, also after a restart; a new seed makes a new
        clip. ``owner`` is stored in the journal. ``run`` groups jobs for the budget per run; a clip without one counts
        alone. ``workflow`` (JSON) is stored with the job; ``on_claim`` is passed to :meth:`Journal.claim`. Raises the
        errors of :mod:`grok_imagine.errors`.
        """
        connection = await self.connect(connection_name)
        checked = self.check(request, connection)
        identity, *older = await fingerprints(request, connection, self._uploads)
        # Equal requests at the same time, as from a list, are one clip: the second finds the first one's job.
        async with self._request_locks.setdefault(identity, asyncio.Lock()):
            fresh = new_job(request, connection, checked, owner=owner, fingerprint=identity, now=self._now())
            counted = None if connection.sandbox_url else run or BUDGET_RUN_ID.get()
            claimed = await self.journal.claim(fresh, run=counted, older=older, on_claim=on_claim)
            job = await recovery.reopen_missing_file(recovery.raise_if_rejected(claimed), self._services)
            await self.share(job.id)
            if workflow:
                now = self._now()
                await self.journal.transaction(
                    lambda connection: workflows.save_workflow(connection, job, workflow, now)
                )
            is_reused = job.state is JobState.SAVED
            warnings = tuple(str(warning) for warning in checked.warnings)
            context = self._context(connection, request=request, progress=progress, notes=warnings)
            return result_of(await run_job(job, context), warnings, is_reused)

    async def find(self, request: VideoRequest, connection_name: str) -> Job | None:
        """The job that already makes this clip, or None."""
        profile = connections.profile(self.settings, connection_name)
        # A sandbox need not run for this.
        connection = profile if profile.is_sandbox else await self.connect(connection_name)
        identities = await fingerprints(request, connection, self._uploads)
        return await self.journal.find_by_fingerprint(*identities)

    async def share(self, job_id: str) -> None:
        """Let the current user see a job, since they made the same request."""
        if user := USER_ID.get():
            await self.journal.transaction(lambda connection: job_query.add_user(connection, job_id, user))

    async def is_of_others(self, job_id: str) -> bool:
        """Whether the job belongs only to other users."""
        user = USER_ID.get()
        return await self.journal.transaction(lambda connection: job_query.is_of_others(connection, job_id, user))

    async def get_job(self, job_id: str) -> Job:
        """The job of that id. Raises SettingsError if there is none or if it belongs only to other users."""
        job = await self.journal.get(job_id)
        if job is None or await self.is_of_others(job_id):
            raise SettingsError(
                f"There is no job {job_id!r} in the journal {self.journal.place}. See: grok-imagine jobs"
            )
        return job

    async def resume(self, job_id: str, *, progress: Progress | None = None) -> Result:
        """Resume a job from its state. If the file of a SAVED job is gone or damaged, it is downloaded again."""
        job = await self.get_job(job_id)
        if job.state is JobState.SAVED and (file := await recovery.find_file(job, self._services)):
            return Result(replace(job, file=file), file, is_reused=True)  # needs neither key nor connection
        connection = await self.connect(job.connection)
        job = await self._reopen(job, connection)
        context = self._context(connection, progress=progress)
        is_asked_again = job.state is JobState.SUBMITTING and connection.provider.remembers_submits
        if job.state is JobState.PREPARED or is_asked_again:
            context.request = await recovery.rebuild_request(
                job, connection, self.stores.choose(connection), self._uploads
            )
        return result_of(await run_job(job, context))

    async def upload(
        self, media: Sequence[Blob], store: str | None = None, *, connection: str | None = None
    ) -> list[str]:
        """Upload files and return their public URLs. Raises StorageError, or SettingsError for an unknown store.

        Without ``store`` it uses the connection's store, else the default of the settings.
        """
        if store is not None:
            chosen: Store = self.stores.open(store)
        elif connection is not None:
            chosen = self.stores.choose(await self.connect(connection))
        else:
            chosen = self.stores.default()
        return await self.publisher.publish(None, chosen, list(media))

    async def check_store(self, name: str) -> list[CheckStep]:
        """Upload, download and delete a test image. Returns the steps, up to the first that failed."""
        return await check_store(name, self.stores, self._client)

    async def try_connection(self, name: str) -> list[CheckStep]:
        """Check that the connection can be reached and accepts its key. Nothing is submitted."""
        return await try_connection(await self.connect(name), self._client)

    async def sweep_store(self, name: str, *, older_than_hours: float, pinned: bool = False) -> list[str]:
        """Delete old uploads that no unfinished job needs; those whose URLs the user has only if ``pinned``."""
        return await sweep(name, self.stores, self._uploads, older_than_hours=older_than_hours, pinned=pinned)

    async def attach(self, job_id: str, task_id: str) -> Job:
        """Give a job of unknown outcome the task id that its user found at the provider.

        Raises TaskNotFound if the provider does not know it.
        """
        job = await self.get_job(job_id)
        try:
            connection = await self.connect(job.connection)
        except SettingsError:
            connection = None  # without a key the id cannot be checked now; resuming the job reports that
        return await recovery.attach(job, task_id, connection, self._services)

    async def attach_url(self, job_id: str, url: str) -> Job:
        """Give a paid job the URL of its video, if none was found in the provider's answers."""
        return await recovery.attach_url(await self.get_job(job_id), url, self._services)

    async def resubmit(self, job_id: str) -> Job:
        """Replace a job of unknown outcome by a new one, which is returned. Call ``resume`` to submit it."""
        job = await recovery.resubmit(await self.get_job(job_id), self._services)
        await self.journal.transaction(lambda connection: job_query.copy_users(connection, job_id, job.id))
        return job

    async def abandon(self, job_id: str) -> AbandonResult:
        """Abandon a job. If the provider cannot cancel it, it continues there and is billed; the text says so."""
        job = await self.get_job(job_id)
        return await recovery.abandon(job, await self.connect(job.connection), self._services)

    async def spend_summary(self) -> SpendSummary:
        """What was spent today and this month, what is pending, and the limits."""
        return await self.journal.ledger.spend()

    async def prune(
        self, *, apply: bool = False, for_good: bool = False, max_gb: float | None = None, max_days: float | None = None
    ) -> PruneResult:
        """The results over the limits (default: the settings'). ``apply`` and ``for_good`` as in :func:`prune`."""
        limits = max_gb or self.settings.results_max_gb, max_days or self.settings.results_max_days
        facts = {"max_bytes": limits[0] * 1e9, "max_seconds": limits[1] * 86400, "now": self._now()}
        chunks = self.home / "chunks"
        return await prune(self._services.results, self.journal, chunks=chunks, **facts, apply=apply, for_good=for_good)

    async def collect(self, connection_name: str, task_id: str, *, progress: Progress | None = None) -> Result:
        """Wait for a task by its id at the provider, and download its clip.

        Raises TaskNotFound, without storing a job, if the provider does not know it or it is another user's.
        """
        connection = await self.connect(connection_name)
        task_id = recovery.check_task_id(task_id)
        job = await self.journal.find_by_task(connection.name, task_id)
        if job is not None and await self.is_of_others(job.id):
            raise TaskNotFound(f"You have no task {task_id!r} at {connection.name!r}. Nothing was changed.")
        if job is None:
            await confirm_task(task_id, connection, self._services)
            job = await self.journal.add(job_for_external_task(connection, task_id, self._now()))
        await self.share(job.id)
        job = await self._reopen(job, connection)
        return result_of(await run_job(job, self._context(connection, progress=progress)))

    async def download_url(self, url: str, target: Path, *, on_bytes: OnBytes | None = None) -> None:
        """Download a video from a URL that the user entered: public https, or a file of the running sandbox.

        No key is sent. Raises FetchFailed or another TransportError.
        """
        base_url = ""  # a shared workflow may contain the URL, so no private address is trusted
        if is_loopback(url):
            sandbox_url = await self._sandbox.url()
            if not is_below(url, sandbox_url):
                text = "The URL points to this machine, but not to a file of the sandbox. Nothing was downloaded."
                raise FetchFailed(text, is_refused=True)
            base_url = sandbox_url
        nobody = Endpoint(base_url, SecretStr(""), lambda call, _key: call)
        call = Call.get(url, authorized=False)
        await download(self._client, call, nobody, target, limit=self.settings.max_download_bytes, on_bytes=on_bytes)

    # -- inside

    async def _reopen(self, job: Job, connection: Connection) -> Job:
        job = await recovery.reopen_failed(job, connection, self._services)
        return await recovery.reopen_missing_file(job, self._services)

    def _context(
        self,
        connection: Connection,
        *,
        request: VideoRequest | None = None,
        progress: Progress | None = None,
        notes: tuple[str, ...] = (),
    ) -> JobContext:
        def store() -> Store:
            return self.stores.choose(connection)

        return JobContext(self._services, connection, store, request, progress or SilentProgress(), notes)
