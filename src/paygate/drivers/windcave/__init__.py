"""Windcave, formerly Payment Express: hosted pages and fields, and stored cards."""

from paygate.drivers.windcave.gateway import Windcave
from paygate.drivers.windcave.settings import WindcaveSettings

__all__ = ["Windcave", "WindcaveSettings"]
