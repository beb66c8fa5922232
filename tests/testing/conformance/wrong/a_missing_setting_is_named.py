"""Its settings do not say what is missing."""

from typing import Any

from pydantic import model_validator

from tests.testing.conformance.right import Paper, PaperSettings


class Settings(PaperSettings):
    @model_validator(mode="before")
    @classmethod
    def complete(cls, given: Any) -> Any:
        if not {"api_key", "signing_key"} <= set(given):
            raise ValueError("the settings are incomplete")
        return given


class Wrong(Paper):
    settings_model = Settings
