"""``paygate new-driver``: write a package with a driver that passes its tests."""

from paygate.cli.new_driver.command import new_driver

__all__ = ["new_driver"]
