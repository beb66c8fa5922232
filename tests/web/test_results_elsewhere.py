"""Results of payment pages are read by the programs of the how-to page, in other languages."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paygate.testing import FakeClock
from paygate.web.results import result_key, write_result
from tests.web.api.calling import Shop, blocks_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    with made.cashier:
        yield made


NODE = """
import { readFileSync } from "node:fs";
import { readResult } from "./result.mjs";
const given = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(given.map(({ token, ...more }) => readResult(token, more))));
"""
PHP = """
require 'result.php';
$given = json_decode(stream_get_contents(STDIN), true);
echo json_encode(array_map(
    fn ($each) => read_result(
        $each['token'], $each['key'], $each['origin'], $each['pages'], $each['now']),
    $given));
"""
ORIGIN = "https://alder.example"


@pytest.mark.parametrize("language", ["javascript", "php"])
def test_a_result_is_read_in_another_language(shop: Shop, tmp_path: Path, language: str) -> None:
    program = {"javascript": "node", "php": "php"}[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    [source] = blocks_of(ROOT / "docs" / "how-to" / "read-results-elsewhere.md", language)
    payment = shop.cashier.payment(shop.paid())
    now = FakeClock().now()
    token = write_result(
        shop.web, payment, origin=ORIGIN, tenant="main", now=now, assignment_key="o-7"
    )
    head, body, signature = token.split(".")
    end = int(now.timestamp()) + 300
    right = {
        "token": token,
        "key": result_key(shop.web, origin=ORIGIN).reveal().hex(),
        "origin": ORIGIN,
        "pages": shop.web.root,
        "now": end - 1,
    }
    none = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    wrong = [
        {**right, "now": end},
        {**right, "origin": "https://other.example"},
        {**right, "pages": "https://other.example/pay"},
        {**right, "key": "00" * 32},
        {**right, "token": f"{head}.{body}."},
        {**right, "token": f"{none}.{body}."},
        {**right, "token": f"{head}.{body[:-2]}AA.{signature}"},
        {**right, "token": f"{head}.{body}"},
        {**right, "token": ""},
    ]
    if language == "javascript":
        (tmp_path / "result.mjs").write_text(source)
        (tmp_path / "main.mjs").write_text(NODE)
        command = ["node", "main.mjs"]
    else:
        (tmp_path / "result.php").write_text(source)
        command = ["php", "-r", PHP]

    done = subprocess.run(
        command,
        input=json.dumps([right, *wrong]).encode(),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr.decode()
    found, *others = json.loads(done.stdout)
    assert (found["payment"], found["status"], found["key"]) == (payment.id, "succeeded", "o-7")
    assert others == [None] * len(wrong)
