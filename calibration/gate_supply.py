"""Parts for the trials: from the feeder where there is one, else from the hand."""

from __future__ import annotations

from calibration.rig import Rig, Task
from calibration.step import RefusedError

PARTS = 30
"""So many are put into the feeder, or dropped in one go."""
FILL_S, BACK_S, DROP_S = 30.0, 20.0, 2.0
APART_S = 2.5
"""From one part to the next, so that a gate is at home again in between."""
NONE_S = 25.0
"""A feeder that runs so long without a part is empty."""
WORDS = "small parts that stand out from the belt, such as 2x2 bricks and plates"


class Supply:
    """Keeps parts coming.

    Args:
        rig: its feeder at rest.
        one_by_one: the next part comes when nothing is on the belt.
    """

    def __init__(self, rig: Rig, one_by_one: bool) -> None:
        self._rig, self._one_by_one = rig, one_by_one
        self._by_hand = rig.machine.feeder.driver == "none"
        self._rate = min(rig.machine.feeder.parts_per_min, 60 / APART_S)
        self._filled = False
        self._news_s: float | None = None
        self._parts = 0
        self._empty = 0
        self._awaited = 0

    def follow(self, now_s: float, riding: int, parts: int) -> None:
        """Told what is on the belt, and how many came so far.

        Raises:
            RefusedError: nothing comes.
        """
        if self._news_s is None or parts > self._parts or riding:
            self._empty = 0 if parts > self._parts else self._empty
            self._news_s, self._parts = now_s, parts
        if self._by_hand:
            self._drop(now_s, riding)
        else:
            self._feed(now_s, riding)

    def stop(self) -> None:
        self._rig.feeder.set_rate(0)

    def _feed(self, now_s: float, riding: int) -> None:
        if not self._filled or self._is_empty(now_s):
            self._rig.feeder.set_rate(0)
            self._empty += self._filled
            self._refuse_when_empty()
            again = "Empty the bins back into the feeder."
            words = again if self._filled else f"Put about {PARTS} {WORDS}, into the feeder."
            self._rig.operator.do(Task(words, "fill", {"count": PARTS}, BACK_S if self._filled else FILL_S))
            self._filled, self._news_s = True, now_s
        wait = self._one_by_one and riding
        self._rig.feeder.set_rate(0 if wait else self._rate)

    def _drop(self, now_s: float, riding: int) -> None:
        if riding or (self._parts < self._awaited and not self._is_empty(now_s)):
            return
        count = 1 if self._one_by_one else PARTS
        words = (
            f"Drop one of {WORDS}, on the belt before the camera."
            if self._one_by_one
            else f"Drop {PARTS} {WORDS}, on the belt before the camera, one every {APART_S:g} seconds."
        )
        takes_s = DROP_S if self._one_by_one else count * APART_S
        self._empty += self._filled and self._parts < self._awaited
        self._refuse_when_empty()
        self._rig.operator.do(Task(words, "drop-small", {"count": count, "every_s": APART_S}, takes_s))
        self._filled, self._news_s, self._awaited = True, now_s, self._parts + count

    def _is_empty(self, now_s: float) -> bool:
        return self._news_s is not None and now_s - self._news_s > NONE_S

    def _refuse_when_empty(self) -> None:
        if self._empty > 1:
            raise RefusedError(
                "gates: no parts are seen on the belt: look at the feeder, the lamp and the camera's view"
            )
