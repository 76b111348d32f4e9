"""What every console script does around its commands: a problem is one line on standard error, never a traceback."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from edge.errors import DISK_FULL, BrickgateError, ConfigError
from edge.signals import Interrupted, interrupting, let_go


def run_commands(
    app: Callable[[], object],
    stopped: str = "stopped: {signal} received",
    missing: str | None = None,
) -> None:
    """Runs the command that was typed.

    Args:
        stopped: what to say when a signal ended it; `{signal}` is its name.
        missing: what to say of a library that is not installed, `{name}`; None: that is a fault of the program.
    """
    try:
        with interrupting():
            app()
    except ConfigError as error:
        _fail(str(error), error.exit_code)
    except BrickgateError as error:
        _fail(f"error: {error}", error.exit_code)
    except Interrupted as interrupted:
        let_go()
        _fail(stopped.format(signal=interrupted.signal.name), interrupted.exit_code)
    except ModuleNotFoundError as error:
        if missing is None:
            raise
        _fail(f"error: {missing.format(name=error.name)}", 1)
    except OSError as error:
        _fail(f"error: {_told(error)}", 1)


def tell(line: str) -> None:
    """Writes a line to standard error. Whoever read it may be gone, and a full disk may stand behind it: that is no
    reason for a running machine to stop."""
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            print(line, file=sys.stderr, flush=True)


def _told(error: OSError) -> str:
    """What to do about a full disk, and of other errors what the system says; numpy tells a file cut short in words."""
    cut_short = error.errno is None and re.fullmatch(r"\d+ requested and \d+ written", str(error))
    if not cut_short and error.errno not in DISK_FULL:
        return str(error)
    files = [str(file) for file in (error.filename2, error.filename) if file is not None]
    where = f" for {files[0]}" if files else ""
    return f"the disk has no room left{where}: make room and run the same command again"


def _fail(line: str, exit_code: int) -> NoReturn:
    tell(line)
    raise SystemExit(exit_code) from None
