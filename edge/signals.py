"""Ctrl-C, SIGTERM and SIGHUP (a terminal that is closed, an SSH line that breaks): they end any command with one line,
and `brickgate run` in good order: a process that is killed leaves belt and feeder running."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal came; `exit_code` is the shell's own for it, 128 + its number."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(f"{self.signal.name} received")

    @property
    def exit_code(self) -> int:
        return 128 + self.signal


class StopRequest:
    """What was asked for: the first signal, or None."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """0 without a signal."""
        return 0 if self.signal is None else 128 + self.signal


@contextmanager
def interrupting() -> Iterator[None]:
    """Within, a signal raises `Interrupted` wherever the main thread is."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    with _handled_by(interrupt):
        yield


@contextmanager
def noted() -> Iterator[StopRequest]:
    """Within, a signal interrupts nothing: it is noted, to be acted on in good order."""
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        request.signal = request.signal or signal.Signals(number)

    with _handled_by(note):
        yield request


def let_go() -> None:
    """From now on a further signal ends the process at once and without a word: it is on its way out already."""
    for number in _heard():
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _heard()}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _heard() -> list[signal.Signals]:
    """All but a SIGHUP that is ignored: by `nohup`, so that the command outlives its terminal."""
    outlives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return [number for number in SIGNALS if not (outlives and number is signal.SIGHUP)]
