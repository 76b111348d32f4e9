"""Whether what one sensor says can be trusted."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from edge.config.sensors import ConfirmationConfig


class SensorFault(StrEnum):
    """What is wrong with a sensor, as far as its sightings tell."""

    BLIND = "blind"
    """It overlooks parts that must have passed it."""
    DUSTY = "dusty"
    """It sees what no part can have been."""
    STUCK = "stuck"
    """Its beam is broken all the time."""
    DEAD = "dead"
    """It does not answer."""


class SensorHealth:
    """Counts what a sensor saw, overlooked and made up. Blind and dusty end when it was right `of_last` times in a row;
    stuck ends with the beam clear, dead never."""

    def __init__(self, settings: ConfirmationConfig) -> None:
        self._settings = settings
        self._due: deque[bool] = deque(maxlen=settings.of_last)
        """Whether it saw each part that was due."""
        self._explained: deque[bool] = deque(maxlen=settings.of_last)
        """Whether each thing that it saw was a part."""
        self._right_in_a_row = 0
        self.overlooked_in_a_row = 0
        self.fault: SensorFault | None = None

    @property
    def trusted(self) -> bool:
        return self.fault is None

    @property
    def doubtful(self) -> bool:
        """Whether it lately saw what was no part."""
        return False in self._explained

    def failures(self) -> tuple[int, int]:
        """How many of how many, as its fault counts them: parts that it did not see, or sightings of nothing."""
        counted = self._due if self.fault is SensorFault.BLIND else self._explained
        return counted.count(False), len(counted)

    def hit(self) -> None:
        self._due.append(True)
        self._explained.append(True)
        self._right_in_a_row += 1
        self.overlooked_in_a_row = 0
        recovers = self.fault in (SensorFault.BLIND, SensorFault.DUSTY)
        if recovers and self._right_in_a_row >= self._settings.of_last:
            self.recover()

    def overlook(self) -> None:
        self.overlooked_in_a_row += 1
        self._wrong(self._due, SensorFault.BLIND)

    def startle(self) -> None:
        self._wrong(self._explained, SensorFault.DUSTY)

    def fail(self, fault: SensorFault) -> None:
        """The sensor itself shows that it is stuck or dead."""
        if self.fault is not SensorFault.DEAD:
            self.fault = fault

    def recover(self) -> None:
        """Begins anew, trusted."""
        self.fault = None
        self._due.clear()
        self._explained.clear()

    def _wrong(self, what: deque[bool], fault: SensorFault) -> None:
        what.append(False)
        self._right_in_a_row = 0
        if self.fault is None and what.count(False) >= self._settings.faults:
            self.fault = fault
