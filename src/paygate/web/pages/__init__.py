"""Pages on which payers pay: the application, what each state says, and how it looks."""

from paygate.web.pages.application import pages

__all__ = ["pages"]
