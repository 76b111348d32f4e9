"""What the service says of itself: `state.json` for the status page, and `issue` for the console.

Both lie in the service's run-time folder (memory, gone with the power) and are replaced as a whole, so that whoever
reads them never finds half a file. What stands in them is in docs/running.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The service says that it starts before it has read what makes a machine.
    from edge.machine import Machine

STATE, ISSUE = "state.json", "issue"
STARTING, SORTING, STOPPED, SAFE_MODE = "starting", "sorting", "stopped", "safe-mode"
MOST_ERRORS = 20
REFRESH_S = 2.0
_PROMPTS = Path("/run/agetty.reload")
"""Touched, it makes the consoles show the new issue (agetty(8), --reload)."""


def version() -> str:
    """The installed version; empty where Brickgate runs from a folder that nobody installed."""
    import importlib.metadata

    try:
        return importlib.metadata.version("brickgate")
    except importlib.metadata.PackageNotFoundError:
        return ""


class StateFile:
    """Writes the two files. A folder that takes none of them keeps the machine from nothing.

    Args:
        folder: the service's run-time folder.
        wall_clock_s: seconds since 1970.
        clock_s: seconds that nobody sets: a Pi learns the time of day only some time after its start.
    """

    def __init__(
        self,
        folder: Path,
        wall_clock_s: Callable[[], float] = time.time,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._wall_clock_s, self._clock_s = wall_clock_s, clock_s
        self._lock = threading.Lock()
        self._now = ("", "")
        self._since_s = 0.0

    def write(
        self,
        state: str,
        reason: str = "",
        *,
        accelerator: str = "",
        ms_per_look: float | None = None,
        config_errors: Sequence[str] = (),
    ) -> None:
        """The state is now this. `since` is kept while state and reason stay."""
        with self._lock:
            now_s, at_s = self._wall_clock_s(), self._clock_s()
            if (state, reason) != self._now:
                self._now, self._since_s = (state, reason), at_s
                _replace(self._folder / ISSUE, _issue(state, reason, config_errors))
                with contextlib.suppress(OSError):
                    os.utime(_PROMPTS)
            values = {
                "state": state,
                "reason": reason,
                "since": round(now_s - (at_s - self._since_s), 1),
                "at": round(now_s, 1),
                "version": version(),
                "accelerator": accelerator,
                "ms_per_look": None if ms_per_look is None else round(ms_per_look, 1),
                "config_errors": list(config_errors[:MOST_ERRORS]),
            }
            _replace(self._folder / STATE, json.dumps(values, ensure_ascii=False) + "\n")


class Sorting:
    """Keeps the files up to date while a machine sorts, from a thread of its own: the control path writes nothing."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, machine: Machine) -> None:
        """The machine has started."""
        self.refresh(machine)
        self._thread = threading.Thread(target=self._keep, args=(machine,), name="state", daemon=True)
        self._thread.start()

    def refresh(self, machine: Machine) -> None:
        """Writes what holds now."""
        accelerator = machine.devices.accelerator
        looked_s = getattr(accelerator, "s_per_look", None)
        held = ", ".join(machine.safety.held)
        self._file.write(
            SORTING,
            f"held: {held}" if held else "",
            accelerator=accelerator.name,
            ms_per_look=None if looked_s is None else 1000 * looked_s,
        )

    def end(self) -> None:
        """The machine has stopped: nothing is written any more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(REFRESH_S)

    def _keep(self, machine: Machine) -> None:
        while not self._ended.wait(REFRESH_S):
            self.refresh(machine)


def _issue(state: str, reason: str, config_errors: Sequence[str]) -> str:
    title = f"Brickgate {version()}".strip()
    lines = [f"{title}: {state}" + (f": {reason}" if reason else "")]
    if state == SAFE_MODE:
        lines[:0] = ["", f"*** {title} is in SAFE MODE: the machine stands still ***"]
        lines += [f"  {error}" for error in config_errors[:5]]
    # agetty(8) takes a backslash for an escape.
    return "\n".join(lines).replace("\\", "\\\\") + "\n\n"


def _replace(file: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        part = file.with_name(f".{file.name}.part")
        part.write_text(text, encoding="utf-8")
        part.chmod(0o644)
        part.replace(file)
