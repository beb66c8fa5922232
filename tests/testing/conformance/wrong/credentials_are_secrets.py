"""It keeps a credential as plain text."""

from pydantic import Field

from tests.testing.conformance.right import Paper, PaperSettings


class Settings(PaperSettings):
    report_token: str = Field(default="plain-2Hs8", description="Reads the reports")


class Wrong(Paper):
    settings_model = Settings
