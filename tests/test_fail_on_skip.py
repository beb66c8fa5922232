"""`--fail-on-skip`, on which the claim rests that no contract went unchecked."""

from pathlib import Path

import pytest

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
    """An empty project with the conftest of our contract tests."""
    ours = Path(__file__).parent / "contract" / "conftest.py"
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
