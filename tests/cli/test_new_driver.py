"""`paygate new-driver`: what it writes passes its tests, lint and both type checkers at once."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from paygate.cli.new_driver.package import CAPABILITIES, KINDS, write_package
from paygate.errors import InvalidValue
from tests.cli.conftest import Run

# `nox -s types` has these tools and runs what needs them; `nox -s tests` does without.
lacking = [tool for tool in ("mypy", "pyright", "ruff") if find_spec(tool) is None]
needs_tools = pytest.mark.skipif(bool(lacking), reason=f"not installed: {', '.join(lacking)}")
COMBINATIONS = [
    ("card", frozenset[str]()),
    ("card", frozenset({"refund"})),
    ("card", frozenset({"authorize", "webhooks"})),
    ("card", frozenset({"redirect", "store"})),
    *((kind, frozenset[str]()) for kind in KINDS if kind != "card"),
    *KINDS.items(),
]


def called(combination: tuple[str, frozenset[str]]) -> str:
    kind, chosen = combination
    return "+".join([kind, *sorted(chosen)])


def ended(command: list[str], folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )


def installed(folder: Path, name: str) -> str:
    """Put what pip writes about the package beside its modules, and tell where to look."""
    module = f"paygate_{name.replace('-', '_')}"
    facts = folder / "src" / f"{module}-0.1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: paygate-{name}\nVersion: 0.1.0\n"
    )
    (facts / "entry_points.txt").write_text(
        f"[paygate.gateways]\n{name} = {module}:{''.join(map(str.capitalize, name.split('-')))}\n"
    )
    return str(folder / "src")


@pytest.mark.parametrize("combination", COMBINATIONS, ids=called)
def test_a_new_driver_passes_the_kit(
    tmp_path: Path, combination: tuple[str, frozenset[str]]
) -> None:
    kind, chosen = combination
    folder = write_package("acme-pay", tmp_path, chosen, kind).folder
    path = installed(folder, "acme-pay")

    done = ended(["pytest", "-q", "-p", "no:cacheprovider"], folder, PYTHONPATH=path)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "passed" in done.stdout
    assert " failed" not in done.stdout.splitlines()[-1]
    assert "cases that do not apply" in done.stdout


def test_a_program_reads_which_files_were_written(run: Run, folder: Path) -> None:
    made = run("new-driver", "acme-pay", "--json").json["package"]

    assert {str(each) for each in (folder / made["folder"]).rglob("*") if each.is_file()} == {
        str(folder / each) for each in made["files"]
    }


@pytest.mark.parametrize(
    ("chosen", "played"),
    [
        (frozenset({"refund", "webhooks"}), ["played card: charge, refund"]),
        (
            frozenset(CAPABILITIES),
            [
                "played card: authorize, capture, charge, enroll, forget, refund, void",
                "played redirect: charge, complete, withdraw",
            ],
        ),
    ],
    ids=["some", "all"],
)
def test_the_engine_holds_against_a_new_driver(
    shell: Run, tmp_path: Path, chosen: frozenset[str], played: list[str]
) -> None:
    folder = write_package("acme-pay", tmp_path, chosen).folder
    path = installed(folder, "acme-pay")

    done = shell("simulate", "--driver", "acme-pay", "--seeds", "30", PYTHONPATH=path)

    assert done.code == 0, done.all
    assert done.out.splitlines()[: len(played)] == played
    assert done.out.splitlines()[-1].startswith("30 seeds, 0 violations; the driver's own code")


@needs_tools
@pytest.mark.parametrize("combination", COMBINATIONS, ids=called)
@pytest.mark.parametrize("name", ["ax", "a-driver-with-a-name-very-long"])
def test_a_new_driver_is_formatted_and_clean(
    tmp_path: Path, combination: tuple[str, frozenset[str]], name: str
) -> None:
    kind, chosen = combination
    folder = write_package(name, tmp_path, chosen, kind).folder

    formatted = ended(["ruff", "format", "--diff", "."], folder)
    clean = ended(["ruff", "check", "."], folder)

    assert formatted.returncode == 0, formatted.stdout
    assert clean.returncode == 0, clean.stdout


@needs_tools
def test_a_new_driver_is_clean_for_both_type_checkers(tmp_path: Path) -> None:
    for number, (kind, chosen) in enumerate(COMBINATIONS):
        write_package(f"acme{number}", tmp_path, chosen, kind)
    folders = sorted(str(each) for each in tmp_path.glob("paygate-*"))
    (tmp_path / "pyrightconfig.json").write_text(
        '{"typeCheckingMode": "strict", "executionEnvironments": ['
        + ", ".join(f'{{"root": "{each}", "extraPaths": ["{each}/src"]}}' for each in folders)
        + "]}"
    )

    for folder in folders:
        checked = ended(
            ["mypy", "src", "tests"], Path(folder), MYPY_CACHE_DIR=str(tmp_path / "cache")
        )
        assert checked.returncode == 0, checked.stdout
    strictly = ended(["pyright", "--pythonpath", sys.executable], tmp_path)
    assert strictly.returncode == 0, strictly.stdout


def test_the_command_says_what_to_do_next(run: Run, tmp_path: Path) -> None:
    done = run("new-driver", "acme", "--into", str(tmp_path), "--refund")

    assert done.code == 0
    assert "pip install -e '.[dev]'" in done.out
    assert (tmp_path / "paygate-acme" / "tests" / "transcripts" / "refund.txt").exists()
    assert not (tmp_path / "paygate-acme" / "tests" / "transcripts" / "void.txt").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "paygate-acme").mkdir()

    with pytest.raises(InvalidValue, match="already exists; nothing was written"):
        write_package("acme", tmp_path, frozenset())

    assert list((tmp_path / "paygate-acme").iterdir()) == []


@pytest.mark.parametrize("name", ["", "Acme", "7pay", "a_b", "a--b", "class", "../acme", "x" * 31])
def test_a_name_that_no_driver_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue, match="cannot be the name of a driver"):
        write_package(name, tmp_path, frozenset())

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["stripe", "bitcoin", "fake", "fake-loopback", "authorize-net"])
def test_a_name_of_paygates_own_drivers_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue, match="is a built-in driver"):
        write_package(name, tmp_path, frozenset())

    assert list(tmp_path.iterdir()) == []


def test_what_a_kind_cannot_do_is_refused(run: Run, tmp_path: Path) -> None:
    into = tmp_path / "drivers"
    into.mkdir()

    done = run("new-driver", "acme", "--into", str(into), "--kind", "voucher", "--store")

    assert done.code != 0
    assert "--kind voucher has no --store; it has --webhooks" in done.all
    assert list(into.iterdir()) == []


def test_the_environment_is_named_in_capital_letters(tmp_path: Path) -> None:
    folder = write_package("acme-pay", tmp_path, frozenset()).folder

    assert '{ env = "ACME_PAY_API_KEY" }' in (folder / "README.md").read_text()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "card"])
def test_a_driver_of_another_kind_has_nothing_of_cards(tmp_path: Path, kind: str) -> None:
    folder = write_package("acme", tmp_path, KINDS[kind], kind).folder

    texts = [path.read_text() for path in folder.rglob("*.py")]
    assert not any("Kind.CARD" in text for text in texts)
    assert any(f"Kind.{kind.upper()}" in text for text in texts)
