"""The member portal: what a customer owes, how they pay it, and what became of it."""

from paygate.web.portal.application import portal
from paygate.web.portal.fragments import Fragment
from paygate.web.portal.member import Member

__all__ = ["Fragment", "Member", "portal"]
