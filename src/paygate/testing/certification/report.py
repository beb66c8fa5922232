"""The report of a certification: what was tried, and what the sandbox did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.kind import Kind

_KEPT: Final = 4


class StepResult(StrEnum):
    """The result of one step."""

    PASSED = "passed"
    """The sandbox did what the driver declares, and the ledger agrees."""
    FAILED = "failed"
    """The sandbox, the driver or the ledger did something else."""
    SKIPPED = "skipped"
    """The account does not offer it, or something that it needs is missing from the plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationStep:
    """One step of a certification, with its result and what was observed."""

    name: str
    title: str
    result: StepResult
    observed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationReport:
    """The results of a certification of one kind of payment at one account.

    `merchant_account` is shortened to its last four characters.
    """

    driver: str
    driver_version: str
    paygate_version: str
    kind: Kind
    merchant_account: str
    at: datetime
    steps: tuple[CertificationStep, ...]

    @property
    def ok(self) -> bool:
        """Whether no step failed and at least one passed."""
        results = [step.result for step in self.steps]
        return StepResult.FAILED not in results and StepResult.PASSED in results

    def to_markdown(self) -> str:
        """Return the report as a Markdown page."""
        account = self.merchant_account or "(not named)"
        head = [
            f"# {self.driver} {self.driver_version}: {self.kind}",
            "",
            f"Run on {self.at:%Y-%m-%d} with paygate {self.paygate_version}.",
            f"Sandbox of account {account}.",
            "",
            "| Step | Result | Observed |",
            "| --- | --- | --- |",
        ]
        rows = [f"| {step.title} | {step.result} | {_cell(step.observed)} |" for step in self.steps]
        return "\n".join([*head, *rows, ""])


def shortened(reference: str) -> str:
    """Return the last four characters of a reference, which identify it to its owner only."""
    return f"…{reference[-_KEPT:]}" if len(reference) > _KEPT else reference


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
