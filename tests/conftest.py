"""What all tests share: how hard hypothesis looks, and where the protocol sheets are."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("dev", max_examples=30, deadline=timedelta(seconds=2))
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("long", max_examples=5_000, deadline=None)
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
