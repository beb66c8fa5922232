"""What the tests of the pages in a browser need: Chromium, and checkers that npm installs.

``nox -s browser`` installs the checkers and sets ``PAYGATE_BROWSER_TOOLS`` to their folder. In any
other session these tests are skipped if something is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

TOOLS = Path(os.environ.get("PAYGATE_BROWSER_TOOLS", "")) / "node_modules"
CHROMIUM = os.environ.get("PAYGATE_CHROMIUM", "/usr/bin/chromium")
# Chromium refuses to run as root in its sandbox, and CI is root in a container.
FLAGS = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"]
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Finding:
    """What a checker objects to, and where."""

    rule: str
    where: str
    why: str


def require(path: Path) -> Path:
    """Return *path* in the folder of the checkers, or skip the test."""
    if not path.exists():
        pytest.skip(f"{path.name} is not installed; nox -s browser installs it")
    return path


def program(name: str) -> str:
    """Return the path of a program, or skip the test."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@cache
def axe_source() -> str:
    """Return the script of axe-core."""
    return require(TOOLS / "axe-core" / "axe.min.js").read_text("utf-8")


AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def axe(page: Any) -> list[Finding]:
    """Return what axe-core objects to on *page*: WCAG 2.2 AA and best practices."""
    page.evaluate(axe_source())
    result = page.evaluate(
        "(tags) => axe.run({runOnly: {type: 'tag', values: tags}})", list(AXE_TAGS)
    )
    return [
        Finding(each["id"], str(node["target"]), node["failureSummary"])
        for each in result["violations"]
        for node in each["nodes"]
    ]


def vnu(files: Sequence[Path]) -> list[Finding]:
    """Return what the checker of the W3C objects to in *files*."""
    jar = require(TOOLS / "vnu-jar" / "build" / "dist" / "vnu.jar")
    done = subprocess.run(
        [program("java"), "-jar", str(jar), "--format", "json", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    messages = json.loads(done.stderr or "{}").get("messages", [])
    return [
        Finding(each["type"], Path(each["url"]).name, each["message"])
        for each in messages
        if each["type"] == "error"
    ]


def until(page: Page, condition: str) -> None:
    """
    Wait until *condition* holds in *page*.

    `Page.wait_for_function` evaluates its text again in a task of the page if it does not hold at
    once, and the policy of these pages forbids that.
    """
    end = time.monotonic() + PATIENCE_S
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"this has not come true: {condition}"
        page.wait_for_timeout(20)
