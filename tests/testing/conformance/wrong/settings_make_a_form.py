"""One of its settings has no description."""

from tests.testing.conformance.right import Paper, PaperSettings


class Settings(PaperSettings):
    key2: str = ""


class Wrong(Paper):
    settings_model = Settings
