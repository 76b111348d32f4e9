"""Parts for a batch of trials: from the feeder where there is one, else from the hand."""

from __future__ import annotations

from calibration.rig import Rig, Task
from calibration.step import RefusedError

FILL_S, AGAIN_S, TIP_S = 30.0, 15.0, 8.0
"""What it takes to fill the feeder, to find more parts, and to tip the default bin's back."""
APART_MM = 140.0
"""From one part to the next, so that a gate is at home again in between."""
NONE_S = 15.0
"""A feeder that runs so long without a part is empty."""
WORDS = "small flat parts that stand out from the belt, such as 2x2 and 2x3 plates"


class Supply:
    """Keeps parts coming.

    Args:
        rig: its feeder at rest.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._by_hand = rig.machine.feeder.driver == "none"
        self._rate = min(rig.machine.feeder.parts_per_min, 60 * rig.config.belt.belt_mm_per_s / APART_MM)
        self._filled = False
        self._parts = 0
        self._news_s = self._paused_s = 0.0
        self._empty = 0

    def begin(self, count: int) -> None:
        """Has so many parts made ready for a batch, and lets them come."""
        if self._by_hand:
            self._drop(count)
        elif self._filled:
            box = self._rig.bins.default_bin
            words = f"Tip what lies in {box} back into the feeder: {count} parts or more should be in it."
            self._rig.operator.do(Task(words, "fill", {"count": count}, TIP_S))
        else:
            words = f"Put {count} {WORDS}, into the feeder, and nothing else. More do no harm."
            self._rig.operator.do(Task(words, "fill", {"count": count}, FILL_S))
        self._filled, self._empty = True, 0
        self._run()

    def follow(self, parts: int, wanted: int) -> None:
        """Told how many parts came so far, and how many are still wanted: asks for more once none come.

        Raises:
            RefusedError: nothing comes though more were asked for.
        """
        now_s = self._rig.clock.now_s()
        if parts > self._parts:
            self._parts, self._news_s, self._empty = parts, now_s, 0
        if now_s - self._news_s <= NONE_S:
            return
        self._empty += 1
        if self._empty > 1 or not parts:
            raise RefusedError(
                "gates: no parts are seen on the belt: look at the feeder, the lamp and the camera's view"
            )
        if self._by_hand:
            self._drop(wanted)
        else:
            self._rig.operator.do(Task(f"Put {wanted} parts more into the feeder.", "fill", {"count": wanted}, AGAIN_S))
        self._run()

    def stop(self) -> None:
        self._rig.feeder.set_rate(0)

    def pause(self) -> None:
        """Told that the belt stops: what came meanwhile would lie too near together."""
        self.stop()
        self._paused_s = self._rig.clock.now_s()

    def resume(self) -> None:
        """Told that it goes on."""
        if not self._by_hand:
            self._rig.feeder.set_rate(self._rate)
        self._news_s += self._rig.clock.now_s() - self._paused_s

    def _drop(self, count: int) -> None:
        every_s = round(max(APART_MM / self._rig.config.belt.belt_mm_per_s, 1.0), 1)
        words = f"Drop {count} {WORDS}, on the belt before the camera, one every {every_s:g} seconds."
        self._rig.operator.do(Task(words, "drop-small", {"count": count, "every_s": every_s}, 5.0 + count * every_s))

    def _run(self) -> None:
        if not self._by_hand:
            self._rig.feeder.set_rate(self._rate)
        self._news_s = self._rig.clock.now_s()
