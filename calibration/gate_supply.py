"""Parts for a batch of trials: from the feeder where there is one, else from the hand."""

from __future__ import annotations

import math

from calibration.rig import Rig, Task
from calibration.step import RefusedError

FILL_S, TIP_S = 30.0, 8.0
"""What it takes to fill the feeder, and to tip the default bin's parts back."""
APART_MM = 140.0
"""From one part to the next, so that a gate is at home again in between."""
NONE_S, NONE_PARTS = 8.0, 4.0
"""A feeder that runs so long without a part, and at its rate for so many, is empty."""
SPARE, EACH = 10, 1.2
"""Parts for a batch: some that come too near to another one, and one for so many trials."""
MOST_PARTS = 300
"""That anybody is asked for: what is not tried before they are used up is tried in the next batch."""
WORDS = "small flat parts that stand out from the belt, such as 2x2 and 2x3 plates"


class Supply:
    """Keeps parts coming.

    Args:
        rig: its feeder at rest.
        trials: the most that a batch can have.
    """

    def __init__(self, rig: Rig, trials: int) -> None:
        self._rig = rig
        self._most = self.parts_for(trials)
        self._by_hand = rig.machine.feeder.driver == "none"
        self._rate = min(rig.machine.feeder.parts_per_min, 60 * rig.config.belt.belt_mm_per_s / APART_MM)
        self._none_s = NONE_S if self._by_hand else max(NONE_S, 60 * NONE_PARTS / self._rate)
        self._filled = self._off = False
        self._parts = self._before = self._tipped = 0
        """Parts so far; before this batch; when the feeder was filled last."""
        self._news_s = self._paused_s = 0.0

    @staticmethod
    def parts_for(trials: int) -> int:
        """How many parts so many trials take."""
        return min(math.ceil(trials / EACH) + SPARE, MOST_PARTS)

    def begin(self, trials: int) -> None:
        """Has parts made ready for so many trials, and lets them come. The feeder is filled once, for this batch and
        those to come."""
        if self._by_hand:
            self._drop(self.parts_for(trials))
        elif not self._filled:
            words = f"Put {self._most} {WORDS}, into the feeder, and nothing else. More do no harm."
            self._rig.operator.do(Task(words, "fill", {"count": self._most}, FILL_S))
        self._filled = True
        self._before = self._parts
        self._begin_anew()

    def refill(self) -> bool:
        """Has what passed all gates tipped back into the feeder, which is empty; whether parts may come again. They do
        not if none came since the last time.

        Raises:
            RefusedError: not one has come in this batch.
        """
        if self._by_hand or self._parts == self._tipped:
            if self._parts == self._before:
                raise RefusedError(
                    "gates: no parts are seen on the belt: look at the feeder, the lamp and the camera's view"
                )
            return False
        self._rig.feeder.set_rate(0)
        words = f"No parts come any more. Tip what lies in {self._rig.bins.default_bin} back into the feeder."
        self._rig.operator.do(Task(words, "fill", {"bin": self._rig.bins.default_bin}, TIP_S))
        self._tipped = self._parts
        self._begin_anew()
        return True

    def comes(self, parts: int) -> bool:
        """Told how many parts came so far, lets more of them come; False: none has for so long that none will."""
        now_s = self._rig.clock.now_s()
        if self._off:
            self._begin_anew()
        if parts > self._parts:
            self._parts, self._news_s = parts, now_s
        return now_s - self._news_s <= self._none_s

    def stop(self) -> None:
        """Told that no more are wanted."""
        self._rig.feeder.set_rate(0)
        self._off = True

    def pause(self) -> None:
        """Told that the belt stops: what came meanwhile would lie too near together."""
        self._rig.feeder.set_rate(0)
        self._paused_s = self._rig.clock.now_s()

    def go_on(self) -> None:
        """Told that it goes on."""
        self._news_s += self._rig.clock.now_s() - self._paused_s
        self._resume()

    def _begin_anew(self) -> None:
        """A feeder that was off has to bring the next part here first."""
        self._off, self._news_s = False, self._rig.clock.now_s()
        self._resume()

    def _resume(self) -> None:
        if not self._by_hand:
            self._rig.feeder.set_rate(self._rate)

    def _drop(self, count: int) -> None:
        every_s = round(max(APART_MM / self._rig.config.belt.belt_mm_per_s, 1.0), 1)
        words = f"Drop {count} {WORDS}, on the belt before the camera, one every {every_s:g} seconds."
        self._rig.operator.do(Task(words, "drop-small", {"count": count, "every_s": every_s}, 5.0 + count * every_s))
