"""The desk: where clerks find a payment, see what happened, and act on it."""

from paygate.web.desk.application import desk
from paygate.web.desk.pages import DeskPage, Done
from paygate.web.desk.staff import Role, Staff

__all__ = ["DeskPage", "Done", "Role", "Staff", "desk"]
