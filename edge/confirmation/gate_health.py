"""Whether the gates do what they are told, by where the parts went."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from edge.config.sensors import ConfirmationConfig


class Verdict(Enum):
    """What a failure of a gate means."""

    BEAR = auto()
    """Once is nothing, or it is known already."""
    OUT_OF_SERVICE = auto()
    """It does not divert what it should: its bins must not be used."""
    IN_THE_WAY = auto()
    """It diverts what should pass: nothing may come to it any more."""


class GateHealth:
    """Counts for each gate how the last commands went: those to divert and those to let pass, apart, for a gate that
    diverts one part in twenty would hide each failure behind nineteen parts that pass. A gate that is out of service
    stays so until the machine is started again."""

    def __init__(self, settings: ConfirmationConfig) -> None:
        self._settings = settings
        self._went: dict[tuple[str, bool], deque[bool]] = {}
        self._given_up: list[tuple[str, bool]] = []

    @property
    def out_of_service(self) -> tuple[str, ...]:
        """The gates that were taken out of service, the first one first."""
        return tuple(dict.fromkeys(gate for gate, _ in self._given_up))

    def failures(self, gate: str, *, diverting: bool) -> tuple[int, int]:
        """How many of how many of its last commands failed."""
        went = self._of(gate, diverting)
        return went.count(False), len(went)

    def obeyed(self, gate: str, *, diverting: bool) -> None:
        """A part went where the gate should send it."""
        self._of(gate, diverting).append(True)

    def failed(self, gate: str, *, diverting: bool) -> Verdict:
        """A part did not go where the gate should send it.

        Args:
            diverting: whether the gate should have left its rest for the part.
        """
        went = self._of(gate, diverting)
        went.append(False)
        if (gate, diverting) in self._given_up or went.count(False) < self._settings.faults:
            return Verdict.BEAR
        self._given_up.append((gate, diverting))
        return Verdict.OUT_OF_SERVICE if diverting else Verdict.IN_THE_WAY

    def _of(self, gate: str, diverting: bool) -> deque[bool]:
        return self._went.setdefault((gate, diverting), deque(maxlen=self._settings.of_last))
