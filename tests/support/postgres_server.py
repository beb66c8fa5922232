"""A PostgreSQL server of the tests' own: nobody else's, in memory, gone when its process is gone.

Its programs are those of the newest PostgreSQL that Debian has installed, or those in the folder
that the environment variable ``PAYGATE_POSTGRES`` names, such as a build of another version.
The server refuses to run as root, so there it runs as ``nobody``. It listens on a socket in its
folder alone. It ends when the pipe to it is closed, however the tests end.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from copy import copy
from pathlib import Path
from typing import Any, Final

import psycopg

ROLE: Final = "paygate"
LOCKED: Final = "locked"
"""A role that needs its password, which is `PASSWORD`."""
PASSWORD: Final = "correct horse"

_SERVE: Final = """
folder=$1; shift
"$@" </dev/null >"$folder/log" 2>&1 &
cat >/dev/null
kill -QUIT $!
wait $!
[ -e "$folder/killed" ] || rm -rf "$folder"
"""
# Nothing of it outlives the tests, so that nothing waits for a disk.
_SETTINGS: Final[Mapping[str, str]] = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}
_HBA: Final = (
    f"local all {LOCKED} scram-sha-256\nlocal all all trust\nlocal replication all trust\n"
    "host all all 127.0.0.0/8 trust\n"
)


def binaries() -> Path | None:
    """Return the folder of the server's programs; None if there is no PostgreSQL here."""
    named = os.environ.get("PAYGATE_POSTGRES")
    found = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    on_path = shutil.which("initdb")
    found = found or ([Path(on_path).parent] if on_path else [])
    return found[-1] if found and (found[-1] / "initdb").exists() else None


class Server:
    """A running server, and the databases in it."""

    def __init__(self, programs: Path, **settings: str) -> None:
        self._settings = {**_SETTINGS, **settings}
        self._who: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._who = {"user": "nobody", "group": "nogroup", "extra_groups": ()}
        self.folder = self._folder()
        make = f"-D {self.folder / 'data'} -U {ROLE} -E UTF8 -N --locale=C.UTF-8 -A trust"
        self._run([programs / "initdb", *make.split()])
        (self.folder / "data" / "pg_hba.conf").write_text(_HBA)
        self._programs = programs
        self._process: subprocess.Popen[str] | None = None
        self.start()
        with self.connect() as connection:
            connection.execute(f"CREATE ROLE {LOCKED} LOGIN PASSWORD '{PASSWORD}'")

    def follower(self) -> "Server":
        """Return a standby server that has what this one has, and follows it; or skip the test."""
        if not (self._programs / "pg_basebackup").exists():
            import pytest

            pytest.skip("these programs of PostgreSQL have no pg_basebackup")
        other = copy(self)
        other.folder = self._folder()
        copied = f"-D {other.folder / 'data'} -h {self.folder} -U {ROLE} -R -X stream -c fast"
        self._run([self._programs / "pg_basebackup", *copied.split()])
        other.start()
        return other

    def _folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="paygate-postgres-"))
        if self._who:
            shutil.chown(folder, "nobody")
        return folder

    def start(self, **settings: str) -> None:
        """Start the server, and return when it answers."""
        (self.folder / "killed").unlink(missing_ok=True)
        options = [f"-c{name}={value}" for name, value in {**self._settings, **settings}.items()]
        serve = f"{self._programs / 'postgres'} -D {self.folder / 'data'} -k {self.folder}"
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _SERVE, "sh", str(self.folder), *serve.split(), *options],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
            cwd=self.folder,
            **self._who,
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """End the server as a power cut does: nothing is finished or told."""
        (self.folder / "killed").touch()
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGQUIT)
        assert self._process is not None, "it was started when it was made"
        assert self._process.stdin is not None, "it was started with a pipe"
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def stop(self) -> None:
        """Stop the server and remove what it wrote."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(timeout=30)

    def url(self, database: str, role: str = ROLE) -> str:
        """Return the URL of a database."""
        return f"postgresql://{role}@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres", role: str = ROLE) -> "psycopg.Connection[Any]":
        """Connect to a database, each statement being a transaction of its own."""
        return psycopg.connect(self.url(database, role), autocommit=True)

    def create(self, database: str, template: str = "template0") -> None:
        """Make a database, as a copy of *template*."""
        with closing(self.connect()) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"'.encode())

    def drop(self, database: str) -> None:
        """Remove a database, whoever is connected to it."""
        with closing(self.connect()) as connection:
            connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)'.encode())

    def _run(self, command: list[Any]) -> None:
        subprocess.run(
            command, check=True, capture_output=True, cwd=self.folder, timeout=60, **self._who
        )
