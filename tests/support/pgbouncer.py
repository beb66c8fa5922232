"""PgBouncer before a PostgreSQL server, in transaction mode: each transaction has any session."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.support.postgres_server import ROLE, Server

_PORT: Final = 6432
_SETTINGS: Final = """\
[databases]
* = host={server} user={role}
[pgbouncer]
unix_socket_dir = {own}
listen_port = {port}
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_login_retry = 1
"""


def program() -> str | None:
    """Return the path of PgBouncer; None if it is not installed."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


class Bouncer:
    """A running PgBouncer; it refuses to run as root, so there it runs as ``nobody``."""

    def __init__(self, path: str, server: Server) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="paygate-bouncer-"))
        who: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
            who = {"user": "nobody", "group": "nogroup", "extra_groups": ()}
        settings = self.folder / "pgbouncer.ini"
        settings.write_text(
            _SETTINGS.format(server=server.folder, role=ROLE, own=self.folder, port=_PORT)
        )
        self._process = subprocess.Popen(
            [path, "-q", settings], stdin=subprocess.DEVNULL, cwd=self.folder, **who
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "PgBouncer does not answer"
                time.sleep(0.02)
            else:
                return

    def url(self, database: str) -> str:
        """Return the URL of a database behind it."""
        return f"postgresql://{ROLE}@/{database}?host={self.folder}&port={_PORT}"

    def stop(self) -> None:
        """End it, and remove what it wrote."""
        self._process.kill()
        self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
