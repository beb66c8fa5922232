"""`--fail-on-skip`, on which the claim rests that no contract went unchecked; and the sheets."""

import re
from pathlib import Path

import pytest

from tests.conftest import PUBLISHED
from tests.contract.paypal_files import FILES

pytest_plugins = ["pytester"]

SKIPS_AS_IT_RUNS = """
import pytest
def test_the_server(): pytest.skip("no server here")
"""
SKIPS_BY_MARK = """
import pytest
@pytest.mark.skip(reason="no server here")
def test_the_server(): pass
"""
SKIPS_IN_ITS_FIXTURE = """
import pytest
@pytest.fixture
def server(): pytest.skip("no server here")
def test_the_server(server): pass
"""
SKIPS_AS_A_MODULE = """
import pytest
pytest.skip("no server here", allow_module_level=True)
"""
ALL = [SKIPS_AS_IT_RUNS, SKIPS_BY_MARK, SKIPS_IN_ITS_FIXTURE, SKIPS_AS_A_MODULE]
NAMES = ["as it runs", "by mark", "in its fixture", "as a module"]


@pytest.fixture
def contract(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty project with what makes our tests fail that skip."""
    ours = Path(__file__).parent / "skips.py"
    pytester.makeconftest(ours.read_text())
    return pytester


@pytest.mark.parametrize("source", ALL, ids=NAMES)
def test_a_skip_fails_where_asked_and_keeps_its_reason(
    contract: pytest.Pytester, source: str
) -> None:
    contract.makepyfile(source)

    result = contract.runpytest_inprocess("--fail-on-skip")

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*--fail-on-skip: *no server here*"])


@pytest.mark.parametrize("source", ALL, ids=NAMES)
def test_a_skip_is_a_skip_otherwise(contract: pytest.Pytester, source: str) -> None:
    contract.makepyfile(source)

    result = contract.runpytest_inprocess()

    assert result.ret in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    result.assert_outcomes(skipped=1)


def test_what_passes_or_was_expected_to_fail_is_left_alone(contract: pytest.Pytester) -> None:
    contract.makepyfile("""
        import pytest
        def test_the_server(): pass
        @pytest.mark.xfail(reason="their bug", strict=True)
        def test_their_bug(): assert False
    """)

    result = contract.runpytest_inprocess("--fail-on-skip")

    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, xfailed=1)


NEEDS_SHEETS = """
def test_the_schema(protocols): assert (protocols / "there").exists()
def test_another_schema(protocols): pass
"""


@pytest.fixture
def plain_clone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty project with the conftest of our tests and no sheets beside it."""
    monkeypatch.delenv("PAYGATE_PROTOCOLS", raising=False)
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text())
    pytester.makepyfile(NEEDS_SHEETS)
    return pytester


def test_without_sheets_their_tests_skip_and_the_end_says_where_each_file_is_published(
    plain_clone: pytest.Pytester,
) -> None:
    result = plain_clone.runpytest_inprocess()

    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["2 tests need files of processors, in PAYGATE_PROTOCOLS:"])
    for name in PUBLISHED:
        result.stdout.fnmatch_lines([f"  {name}: *"])


def test_where_the_sheets_are_said_to_be_nothing_is_skipped(
    plain_clone: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PAYGATE_PROTOCOLS", str(tmp_path / "nothing"))
    nowhere = plain_clone.runpytest_inprocess()
    monkeypatch.setenv("PAYGATE_PROTOCOLS", str(tmp_path))
    incomplete = plain_clone.runpytest_inprocess()

    nowhere.assert_outcomes(errors=2)
    incomplete.assert_outcomes(passed=1, failed=1)


def test_every_file_of_the_sheets_that_a_test_reads_is_listed() -> None:
    tests = Path(__file__).parent
    read = {
        f"{folder}/{name}"
        for file in tests.rglob("*.py")
        for folder, name in re.findall(
            r'protocols / "(\w+)" / "([\w.-]+)"', file.read_text(encoding="utf-8")
        )
    }

    read |= {f"paypal/{name}.json" for name in FILES}
    read |= {f"{wallet}/vectors.json" for wallet in ("payarena", "remita", "skrill")}
    assert read | {"remita/status_codes.json"} == PUBLISHED.keys()
