"""A real PostgreSQL on loopback, started for the tests from what the machine has installed; skipped without one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

pytest.importorskip("psycopg", reason="the extra postgres is not installed")

# Debian keeps the server's programs off the PATH.
PLACES = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin"), Path("/usr/bin")]


class Server:
    """A PostgreSQL of one test run: it can be stopped and started again."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self.port = _free_port()
        # PostgreSQL refuses to run as root, which containers often are.
        self._as = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(folder, "nobody", "nogroup")
        (password := folder / "password").write_text("a-password", "utf-8")
        self._run("initdb", "-D", str(folder / "data"), "-U", "pack", "-A", "scram-sha-256", f"--pwfile={password}")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
        self._run(
            "pg_ctl", "-D", str(self._folder / "data"), "-w", "-l", str(self._folder / "log"), "-o", options, "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-w", "-m", "immediate", "stop")

    def url(self, database: str) -> SecretStr:
        return SecretStr(f"postgresql://pack:a-password@127.0.0.1:{self.port}/{database}")

    def create(self, database: str) -> SecretStr:
        import psycopg

        with psycopg.connect(self.url("postgres").get_secret_value(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')  # type: ignore[arg-type]
        return self.url(database)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._programs / program), *arguments]
        done = subprocess.run(
            command, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    programs = next((place for place in PLACES if (place / "initdb").is_file()), None)
    if programs is None:
        pytest.skip("no PostgreSQL is installed here")
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:  # a short path: it holds a Unix socket
        Path(folder).chmod(0o755)
        running = Server(programs, Path(folder))
        running.start()
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def database_url(server: Server, request: pytest.FixtureRequest) -> SecretStr:
    """A new, empty database."""
    return server.create(f"t{abs(hash(request.node.nodeid)):x}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
