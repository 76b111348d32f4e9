"""Errors that a user may see: one line that says what, where and what to do."""

from __future__ import annotations

import errno

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of an `OSError` that says that a file does not fit: no room, no quota, or too large."""


class BrickgateError(Exception):
    """A problem to tell the user in one line; commands print it without a traceback and exit with `exit_code`."""

    exit_code = 1


class ConfigError(BrickgateError):
    """A configuration that must not start the machine."""

    exit_code = 2


class BundleError(BrickgateError):
    """A model bundle that is missing, damaged or cannot be served by the preprocessing."""


class InputError(BrickgateError):
    """A picture, video, manifest or label file that cannot be used."""


class HardwareError(BrickgateError):
    """A device that is missing, refused a command or stopped answering."""


class JournalError(BrickgateError):
    """A journal that cannot be read or written."""
