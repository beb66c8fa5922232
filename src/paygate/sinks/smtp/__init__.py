"""The sink ``smtp``: notices by mail, to customers or to fixed addresses."""

from __future__ import annotations

from paygate.sinks.smtp.settings import SmtpSettings
from paygate.sinks.smtp.sink import Smtp
from paygate.sinks.smtp.templates import Template

__all__ = ["Smtp", "SmtpSettings", "Template"]
