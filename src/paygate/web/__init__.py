"""Web applications that a host mounts (extra ``web``)."""

from paygate.web.callbacks import callbacks

__all__ = ["callbacks"]
