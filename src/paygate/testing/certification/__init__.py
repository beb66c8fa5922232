"""Certification: a scripted run against a processor's sandbox, and its report.

Whoever has an account with a processor can run it, from the shell (`paygate certify`) or
from Python, and send the report to the maintainers: it holds no secret, no token and no
whole reference. The run makes real requests and moves no real money; a live account is
refused.
"""

from paygate.testing.certification.report import CertificationReport, CertificationStep, StepResult
from paygate.testing.certification.script import STEPS, CertificationPlan, certify

__all__ = [
    "STEPS",
    "CertificationPlan",
    "CertificationReport",
    "CertificationStep",
    "StepResult",
    "certify",
]
