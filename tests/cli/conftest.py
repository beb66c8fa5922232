"""The commands in a folder of their own, run in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from paygate.cli.app import app
from tests.cli.packages import Packages

CSV = """\
number,customer,currency,total,due
A-1,C-1,USD,30.00,2026-12-01
A-2,C-1,JPY,1200,2026-12-02
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]

    @property
    def all(self) -> str:
        return self.out + self.err


Run = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("PAYGATE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "invoices.csv").write_text(CSV)
    (tmp_path / "gateways.toml").write_text('[card]\ndriver = "fake"\njournal = "card.jsonl"\n')
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    def call(*arguments: str, stdin: bytes | None = None, **environment: str) -> Done:
        done = CliRunner().invoke(app, arguments, input=stdin, env=environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture
def shell(folder: Path) -> Run:
    """Run ``paygate`` as a shell would, in a process of its own."""
    program = Path(sys.executable).with_name("paygate")

    def call(*arguments: str, stdin: bytes | None = None, **environment: str) -> Done:
        done = subprocess.run(
            [program, *arguments],
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONUTF8": "1", **environment},
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call


@pytest.fixture
def imported(run: Run) -> Run:
    """Commands with the two invoices in the ledger."""
    assert run("invoice", "import", "invoices.csv").code == 0
    return run


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    monkeypatch.syspath_prepend(tmp_path)
    brought = Packages(tmp_path)
    yield brought
    brought.forget()
