"""How many parts lie in a bin: from the beam that counts them, else from whoever stands at the machine."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.rig import Rig, Task
from calibration.step import RefusedError

COUNT_S, EACH_S = 1.5, 0.25
"""What it takes a person to step to a bin, say how many parts lie in it and tip them back into the feeder, and to count
each of them."""
MOST = 200


class Counts:
    """Counts what went to each bin since the last time.

    Args:
        rig: its sensors started.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._beams = {
            sensor.at.bin: sensor.name
            for sensor in rig.machine.sensors
            if sensor.at.bin is not None and sensor.name in rig.sensors
        }
        self._broken = dict.fromkeys(self._beams.values(), 0)

    def watch(self) -> None:
        """Takes what the beams saw; to be done now and then, for they forget."""
        for name in self._broken:
            self._broken[name] += len(self._rig.sensors[name].take())

    def clear(self) -> None:
        """Begins anew."""
        self.watch()
        self._broken = dict.fromkeys(self._broken, 0)

    def take(self, bins: Sequence[str], most: int, expected: float) -> int:
        """Parts in these bins together, of which there are at most so many, and about as many as expected.

        Raises:
            RefusedError: there are more of them, also when asked again.
        """
        self.watch()
        beams = sum(self._broken[self._beams[bin_]] for bin_ in bins if bin_ in self._beams)
        asked = [bin_ for bin_ in bins if bin_ not in self._beams]
        each = max(expected - beams, 0.0) / max(len(asked), 1)
        count = beams + sum(self._ask(f"How many parts lie in {bin_}?", bin_, each) for bin_ in asked)
        if count > most and asked:
            words = f"{count} is more than the {most} that can have gone there: how many was it in"
            count = beams + sum(self._ask(f"{words} {bin_}?", bin_, each) for bin_ in asked)
        if count > most:
            raise RefusedError(
                f"gates: {count} parts are in {', '.join(bins)}, and at most {most} can have gone there: empty the"
                " bins, look whether the gate comes back to rest, and begin again"
            )
        return count

    def _ask(self, words: str, bin_: str, expected: float) -> int:
        answers = tuple(str(number) for number in range(MOST))
        words = f"{words} Then tip them back into the feeder."
        return int(self._rig.operator.do(Task(words, "count", {"bin": bin_}, COUNT_S + EACH_S * expected, answers)))
