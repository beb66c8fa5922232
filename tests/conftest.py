"""What all tests share: how hard hypothesis looks, and where the protocol sheets are."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, so no property fails by its time.
settings.register_profile(
    "dev", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=200, derandomize=True, print_blob=True
)
settings.register_profile("long", settings.get_profile("dev"), max_examples=5_000)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)

ROOT = Path(__file__).parent.parent


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, which is what the async face is written for."""
    return "asyncio"


@pytest.fixture(scope="session")
def protocols() -> Path:
    """The folder of protocol sheets and official schemas: test data, no part of the project."""
    folder = Path(os.environ.get("PAYGATE_PROTOCOLS") or ROOT.parent / "shared" / "protocols")
    if not folder.is_dir():
        pytest.skip(f"no protocol sheets at {folder}; set PAYGATE_PROTOCOLS to their folder")
    return folder
