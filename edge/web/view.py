"""Everything that the page shows, gathered once a second at most, however many look."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edge.web.bins import BinLevel, BinLevels
from edge.web.parts import SeenPart, last_parts
from edge.web.state import MachineState, at_instant, read_state

Thing = TypeVar("Thing")
FRESH_S = 1.0
PARTS = 9
NOTES_BYTES = 4000


@dataclass(frozen=True, slots=True)
class View:
    """What one look at the machine gives. `now_s` is the instant of the look, in seconds since 1970."""

    now_s: float
    hostname: str
    machine: MachineState
    parts: tuple[SeenPart, ...] = ()
    bins: tuple[BinLevel, ...] = ()
    notes: tuple[str, ...] = ()
    """How to get in, and what was wrong with the network's settings, as the system left word of them."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page reads. None of these need exist."""

    state_file: Path
    journal: Path
    bins_file: Path | None = None
    notes_file: Path | None = None


class Viewpoint:
    """Reads the sources; keeps a view for `FRESH_S`, so that many viewers cost no more than one."""

    def __init__(self, sources: Sources, hostname: Callable[[], str], now_s: Callable[[], float]) -> None:
        self.sources = sources
        self.hostname, self._now_s = hostname, now_s
        self._bins = BinLevels(sources.journal, sources.bins_file)
        self._lock = threading.Lock()
        self._view: View | None = None

    def look(self) -> View:
        """The view of now."""
        with self._lock:
            now_s = self._now_s()
            if self._view is None or not 0 <= now_s - self._view.now_s < FRESH_S:
                self._view = View(
                    now_s,
                    self.hostname(),
                    at_instant(read_state(self.sources.state_file), now_s),
                    _or_nothing(lambda: last_parts(self.sources.journal, PARTS)),
                    _or_nothing(self._bins.read),
                    _notes(self.sources.notes_file),
                )
            return self._view


def _or_nothing(read: Callable[[], tuple[Thing, ...]]) -> tuple[Thing, ...]:
    """What `read` gives. The state is what the page is for: a library that is broken, which keeps the machine from
    starting and parts from being read, must not keep the reason from being shown."""
    try:
        return read()
    except Exception:
        return ()


def _notes(file: Path | None) -> tuple[str, ...]:
    if file is not None:
        with contextlib.suppress(OSError), file.open("rb") as stream:
            return tuple(stream.read(NOTES_BYTES).decode("utf-8", "replace").splitlines())
    return ()
