"""A receiver of webhooks in a process of its own, which fails, hangs and dies as it is told.

It verifies each request with `standardwebhooks`, the library of the scheme's authors, and appends
the id, aggregate and number of each event to its journal before it answers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Generator


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    told: ClassVar[argparse.Namespace]
    webhook: ClassVar[Webhook]
    requests = count(1)
    lock = threading.Lock()
    over = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.lock:
            number, told = next(self.requests), self.told
            if told.fail_every and number % told.fail_every == 0:
                self.answer(500)
                return
            facts = self.webhook.verify(body, dict(self.headers.items()))
            line = {"id": self.headers["webhook-id"], **{k: facts[k] for k in ("aggregate", "seq")}}
            with Path(told.journal).open("a") as journal:
                journal.write(json.dumps(line) + "\n")
            if number == told.die_at:
                os._exit(1)  # it has the event, and the sender does not know
        if number == told.hang_at:
            self.over.wait()
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Receiver:
    """The process, and what it has received so far."""

    def __init__(self, journal: Path, secret: str) -> None:
        self._journal, self._secret, self.port = journal, secret, 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def is_dead(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def start(self, **told: int) -> None:
        """Start it, on the port that it had before; it hangs, dies or fails at these requests."""
        self.stop()
        options = [f"--{name.replace('_', '-')}={number}" for name, number in told.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.webhook_receiver", f"--port={self.port}",
             f"--journal={self._journal}", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{self._secret}\n")
        self._process.stdin.flush()
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def received(self) -> list[dict[str, str | int]]:
        if not self._journal.exists():
            return []
        return [json.loads(line) for line in self._journal.read_text().splitlines()]


@contextmanager
def receiver(journal: Path, secret: str) -> Generator[Receiver]:
    made = Receiver(journal, secret)
    try:
        yield made
    finally:
        made.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--journal", required=True)
    for name in ("--port", "--fail-every", "--hang-at", "--die-at"):
        parser.add_argument(name, type=int, default=0)
    Handler.told = parser.parse_args()
    Handler.webhook = Webhook(sys.stdin.readline().strip())
    server = ThreadingHTTPServer(("127.0.0.1", Handler.told.port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)  # noqa: T201  (the parent reads it)
    sys.stdin.read()  # ends with the parent
    os._exit(0)


if __name__ == "__main__":
    main()
