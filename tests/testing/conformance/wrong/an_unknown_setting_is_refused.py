"""Its settings ignore what is misspelt."""

from pydantic import ConfigDict

from tests.testing.conformance.right import Paper, PaperSettings


class Settings(PaperSettings):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Wrong(Paper):
    settings_model = Settings
