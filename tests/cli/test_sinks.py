"""Sinks from the shell: listed, checked, published to, replayed and forgotten."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.packages import Packages

SOURCE = """
from paygate import SinkTraits
from paygate.driver import Secret, Settings
from paygate.errors import CredentialsRejected, EventRefused, NoResponse

class Letters(Settings):
    key: Secret[str]
    refuse: bool = False
    away: bool = False

class Post:
    settings_model = Letters
    traits = SinkTraits(events=("invoice.*",))

    def __init__(self, settings):
        self._settings = settings

    def send(self, delivery):
        if self._settings.refuse:
            raise EventRefused("no such box", final=True)
        if self._settings.away:
            raise NoResponse("the box is not at home")

    def check(self):
        if self._settings.key.reveal() == "wrong-password":
            raise CredentialsRejected("wrong-password is wrong")
"""

FILE = """
[sinks.letters]
sink = "post"
key = { env = "POST_KEY" }

[sinks.stuck]
sink = "post"
key = "right"
refuse = true
events = ["invoice.generated"]

[card]
driver = "fake"
"""
GATEWAYS = ("--gateways", "sinks.toml")


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Packages]:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    packages = Packages(tmp_path)
    packages.bring("letter-post", "post", "letter_post:Post", SOURCE, group="paygate.sinks")
    yield packages
    packages.forget()


@pytest.fixture
def shell(imported: Run, packages: Packages) -> Run:
    Path("sinks.toml").write_text(FILE, "utf-8")
    return imported


def test_sinks_of_the_file_are_listed_published_to_and_replayed(shell: Run) -> None:
    env = {"POST_KEY": "hunter2-and-more"}
    number = len(shell("event", "list", "--json").json["events"])

    done = shell("event", "publish", *GATEWAYS, "--json", **env).json["published"]
    found = shell("sink", "list", *GATEWAYS, "--json", **env).json["sinks"]
    told = shell("sink", "list", *GATEWAYS, COLUMNS="200", **env).out

    assert (done["delivered"], done["dead"]) == (number, number)
    assert [(one["name"], one["events"]) for one in found] == [
        ("letters", ["invoice.*"]),
        ("stuck", ["invoice.generated"]),
    ]
    assert found[1]["status"]["dead_letters"] == number
    assert "up to date" in told
    assert "hunter2" not in told

    first = shell("dead-letter", "list", "--json").json["dead_letters"][0]["event"]["id"]
    one = shell("dead-letter", "replay", "stuck", first, "--json").json["replay"]
    again = shell("dead-letter", "replay", "stuck", first)
    every = shell("dead-letter", "replay", "stuck", "--json").json["replay"]
    assert (one["events"], every["events"]) == (1, number - 1)
    assert again.code != 0
    assert "still waits" in again.err

    Path("sinks.toml").write_text("", "utf-8")
    left = shell("sink", "list", COLUMNS="200").out
    gone = shell("sink", "forget", "stuck", "--json").json["forgotten"]
    assert "not configured" in left
    assert gone == {"sink": "stuck", "events": number}


def test_publish_says_which_sink_pauses_until_when_and_why(shell: Run) -> None:
    file = FILE.replace("refuse = true", "away = true")
    Path("sinks.toml").write_text(file, "utf-8")
    asked = ("event", "publish", *GATEWAYS)

    first = shell(*asked, POST_KEY="right")
    told = shell(*asked, POST_KEY="right")
    as_json = shell(*asked, "--json", POST_KEY="right").json["published"]

    pause = re.compile(r"stuck cannot be reached, and pauses until 20\d\d-\S+ \S+ UTC: .*at home")
    assert pause.search(first.out)
    assert told.out.startswith("0 delivered, 0 delayed, 0 dead")
    assert pause.search(told.out)
    [paused] = as_json["paused"]
    assert (paused["name"], as_json["unreached"]) == ("stuck", [])
    assert "at home" in paused["reason"]


def test_a_check_reports_each_sink_by_itself(shell: Run) -> None:
    good = shell("sink", "check", "letters", *GATEWAYS, POST_KEY="right")
    bad = shell("sink", "check", *GATEWAYS, "--json", POST_KEY="wrong-password")

    assert (good.code, bad.code) == (0, 1)
    letters, stuck = bad.json["sinks"]
    assert (letters["sink"], letters["accepted"]) == ("letters", False)
    assert letters["problem"] == "the sink 'letters': •••• is wrong"
    assert (stuck["sink"], stuck["accepted"]) == ("stuck", True)
    assert shell("event", "list", "--json").json["events"]
    assert shell("sink", "list", "--json").json["sinks"] == []  # a check registers nothing


def test_a_sink_that_is_not_in_the_file_and_a_file_without_sinks(shell: Run) -> None:
    missing = shell("sink", "check", "crm", *GATEWAYS, POST_KEY="right")
    none = shell("event", "publish")

    assert "there is no sink 'crm'" in missing.err
    assert "no sink is configured" in none.err
    assert missing.code == none.code == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[sinks.a]\nsink = "pots"', "no installed package has a sink 'pots'"),
        ('[sinks.a]\nsink = "post"', "settings of sink 'post': key: this setting is needed"),
        ("[sinks.a]\nkey = 1", "the settings need a 'sink'"),
        ('[sinks]\nsink = "post"', "a sink is a table such as [sinks.crm]"),
        ('[sinks.a]\nsink="post"\nkey="k"\n[sinks.a]\nsink="post"', "not TOML"),
        ('[sinks.a]\nsink = "post"\nkey = "k"\nevents = ["x"]', "no event type matches 'x'"),
        ('[sinks.a]\nsink = "post"\nkey = { env = "NOWHERE" }', "the environment has no NOWHERE"),
    ],
)
def test_what_is_wrong_with_a_sink_in_a_file(text: str, words: str, shell: Run) -> None:
    Path("sinks.toml").write_text(text, "utf-8")

    done = shell("event", "publish", *GATEWAYS)

    assert done.code == 2
    assert words in " ".join(done.err.split())


def test_installed_sinks_are_listed_and_two_of_one_name_are_reported(
    shell: Run, packages: Packages
) -> None:
    good = shell("sink", "installed", "--json").json
    packages.bring("other-post", "post", "letter_post:Post", group="paygate.sinks")
    packages.bring("odd-post", "odd", "nowhere:Post", group="paygate.sinks")

    bad = shell("sink", "installed", "--json")

    assert {"name": "post", "package": "letter-post", "target": "letter_post:Post"}.items() <= {
        **next(each for each in good["installed"] if each["name"] == "post")
    }.items()
    problems = {each["name"]: each["problem"] for each in bad.json["installed"]}
    assert bad.code == 1
    assert "several packages have a sink 'post'" in problems["post"]
    assert "package odd-post" in problems["odd"]
