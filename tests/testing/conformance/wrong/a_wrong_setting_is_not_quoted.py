"""Its settings quote what they refuse."""

from typing import Any

from pydantic import field_validator

from tests.testing.conformance.right import Paper, PaperSettings


class Settings(PaperSettings):
    @field_validator("merchant", mode="before")
    @classmethod
    def named(cls, given: Any) -> Any:
        if not isinstance(given, str):
            raise ValueError(f"{given!r} is no merchant")  # noqa: TRY004  (pydantic wants it)
        return given


class Wrong(Paper):
    settings_model = Settings
