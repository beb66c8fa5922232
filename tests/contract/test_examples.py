"""The Stripe example, at a Stripe-like server."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "stripe_charge.py"


def test_the_stripe_example_charges_and_is_declined(localstripe: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=tmp_path,
        env={"STRIPE_SECRET_KEY": "sk_test_12345", "STRIPE_API_BASE": localstripe},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "a card that works: succeeded" in done.stdout
    assert "a card that is declined: declined generic" in done.stdout
