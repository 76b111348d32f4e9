"""What a gate is still to be tried at in a batch, and what it was tried at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from calibration.gate_model import Trial

LEFT_SHARE = 0.6
"""A gate that has so much less to do than one behind it lets a part go on to that."""


@dataclass(slots=True)
class Wanted:
    """One gate's trials of one kind.

    Attributes:
        todo: the next first.
        busy_mm: until this travel the gate is moving, or serves another part.
    """

    todo: list[Trial]
    done: list[Trial] = field(default_factory=list)
    busy_mm: float = float("-inf")
    _missed: float = 0.0

    def note(self, trial: Trial, done: Trial, reach: float) -> None:
        """Puts down what was done for a trial on a part that had come so far with that chance: for each part that most
        likely had not, one more is tried."""
        self.done.append(done)
        self._missed += 1 - reach
        if self._missed >= 1:
            self._missed -= 1
            self.todo.append(trial)

    def was_tried_with(self, part: int) -> bool:
        return any(done.part == part for done in self.done)


def next_gate(wanted: Mapping[str, Wanted], stations_mm: Mapping[str, float], past_mm: float) -> str | None:
    """The first gate beyond a station that has about as much to do as any there; None: none has."""
    ahead = [gate for gate in wanted if stations_mm[gate] > past_mm]
    most = max((len(wanted[gate].todo) for gate in ahead), default=0)
    open_ = [gate for gate in ahead if wanted[gate].todo and len(wanted[gate].todo) >= LEFT_SHARE * most]
    return min(open_, key=lambda gate: stations_mm[gate], default=None)
