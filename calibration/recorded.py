"""Whoever sits at a recording: nothing can be laid or switched in it any more, but what is seen in it can be named."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.rig import Operator, Task

ASSUMED = {
    "clear": "nothing lies on the belt at its beginning",
    "lay-sheet": "the printed sheet lies flat on the seen belt, and its ruler is 100 mm long",
    "lay-bricks": "the bricks lie on their tubes all over the seen belt",
    "switch-belt": "the belt runs",
    "drop-any": "parts lie on the belt, a hand apart",
    "drop-bricks": "after the bare belt come the bricks whose colours you name, a hand apart",
    "drop-kind": "the parts of this kind come next, a hand apart",
    "drop-small": "small parts come next",
    "fill": "the feeder was filled",
}
"""What a recording must show instead of what hands would do, by the kind of task."""


@dataclass(slots=True)
class RecordingOperator:
    """Asks `person` only what can still be answered; for all that hands would do it says once what is assumed."""

    person: Operator
    told: str = ""

    def do(self, task: Task) -> str:
        if (assumed := ASSUMED.get(task.kind)) is None:
            return self.person.do(task)
        if assumed != self.told:
            self.told = assumed
            self.person.say(f"assumed of the recording: {assumed}")
        return "yes" if task.answers else ""

    def say(self, line: str) -> None:
        self.person.say(line)
