"""How many parts a minute the rest of the machine can take: as many as it is asked for, and fewer when it loses some.

Two loops, each of the simplest kind that is known to settle, multiplied:

*Losses.* A part is lost when the gates refuse it or when it touches another. Losses grow with the rate, and single
ones say little. Each part that is served raises the rate by `GAIN × target`, each that is lost lowers it by `GAIN ×
(1 − target)`, in parts of itself; the two balance just where the target's share of parts is lost, whatever the feeder
and the layout are like: an integral controller on single yes/no events (C. Kaernbach, "Simple adaptive testing with the
weighted up-down method", Perception & Psychophysics 49, 1991). The result comes as many parts later than its cause as
lie between the feeder and the end of the view. With a share of losses p that grows about as the rate does, the loop's
gain a part is `GAIN × p`, so that even 50 parts of delay are far from the product of π/2 at which it would swing. From
far above, all of those parts may be lost and say the same thing again: within one delay the rate is halved at most.

*Overload.* When looks wait for the network, frames are dropped or the gates are reserved almost throughout, the rate is
halved about every second and a half, and given back slowly and evenly once that is over: additive increase,
multiplicative decrease (D. Chiu and R. Jain, "Analysis of the increase and decrease algorithms for congestion avoidance
in computer networks", Computer Networks and ISDN Systems 17, 1989).

Neither winds up: both states are held between their bounds, and a feeder that does not bring what it was asked for (its
hopper is empty) is not asked for more; one that is made to wait for room on the belt does bring it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GAIN = 0.08
EASE_OFF_PER_S = 0.5
EASE_ON_PER_S = 0.04
LEAST_EASE = 0.1
LONGEST_STEP_S = 1.0
"""A control loop that was held up does not make up for it at once."""
MOST_LOOKS_WAITING = 16
BUSY_LOAD = 0.9
STARVED = 0.6
"""Share of the asked rate under which parts come too slowly to judge a higher one."""


@dataclass(frozen=True, slots=True)
class RateSettings:
    """`parts_per_min` is the most, and where it starts; `target_lost` the share of lost parts to settle at."""

    parts_per_min: float
    min_parts_per_min: float = 10.0
    target_lost: float = 0.1
    delay_s: float = 2.0
    """From a change of the rate until the parts that came at it have left the view."""

    def __post_init__(self) -> None:
        if not 0 < self.min_parts_per_min <= self.parts_per_min:
            raise ValueError(f"{self.min_parts_per_min} to {self.parts_per_min} parts a minute is no range above 0")
        if not 0 < self.target_lost < 1:
            raise ValueError(f"target_lost is {self.target_lost}: it must lie between 0 and 1")


@dataclass(frozen=True, slots=True)
class FeedSigns:
    """What one frame tells about the feeding."""

    served: int = 0
    """Parts that went where they were wanted, or whose doubt has nothing to do with the feeding."""
    lost: int = 0
    """Parts that the gates had no time for, and double feeds."""
    arrivals_per_min: float | None = None
    """Parts a minute that are seen to come; None while that is not known."""
    room: float = 1.0
    """0 … 1: share of the last seconds in which the next part was let come; no more than that share of a rate can be
    seen to arrive."""
    frames_dropped: int = 0
    looks_waiting: int = 0
    gate_load: float = 0.0
    """0 … 1: share of the next stretch of belt on which the gates are reserved."""


class FeedController:
    """Says once a frame how many parts a minute to feed; the same signs at the same times give the same rates."""

    def __init__(self, settings: RateSettings) -> None:
        self._settings = settings
        self._log_rate = math.log(settings.parts_per_min)
        self._ease = 1.0
        self._last_s: float | None = None
        self._delay_from_s = -math.inf
        self._floor = self._log_rate
        self.brake = ""
        """Why the rate is being lowered for overload; "" while it is not."""

    @property
    def parts_per_min(self) -> float:
        """The rate as last worked out."""
        return max(math.exp(self._log_rate) * self._ease, self._settings.min_parts_per_min)

    def update(self, now_s: float, signs: FeedSigns) -> float:
        """Takes in one frame's signs.

        Returns:
            Parts per minute to feed from now on, within the bounds.
        """
        step_s = 0.0 if self._last_s is None else min(max(now_s - self._last_s, 0.0), LONGEST_STEP_S)
        self._last_s = now_s
        self.brake = _overload(signs)
        if now_s - self._delay_from_s >= self._settings.delay_s:
            self._delay_from_s, self._floor = now_s, self._log_rate - math.log(2)
        self._weigh(signs)
        if self.brake:
            self._ease = max(self._ease * math.exp(-EASE_OFF_PER_S * step_s), LEAST_EASE)
        else:
            self._ease = min(self._ease + EASE_ON_PER_S * step_s, 1.0)
        return self.parts_per_min

    def _weigh(self, signs: FeedSigns) -> None:
        settings = self._settings
        target = settings.target_lost
        due_per_min = STARVED * signs.room * self.parts_per_min
        starved = signs.arrivals_per_min is not None and signs.arrivals_per_min < due_per_min
        if not (self.brake or starved):
            self._log_rate += GAIN * target * signs.served
        self._log_rate -= GAIN * (1 - target) * signs.lost
        least, most = math.log(settings.min_parts_per_min), math.log(settings.parts_per_min)
        self._log_rate = min(max(self._log_rate, least, self._floor), most)


def _overload(signs: FeedSigns) -> str:
    if signs.frames_dropped:
        return "frames are dropped"
    if signs.looks_waiting > MOST_LOOKS_WAITING:
        return f"{signs.looks_waiting} looks wait for the network"
    if signs.gate_load > BUSY_LOAD:
        return f"the gates are reserved on {signs.gate_load:.0%} of the belt"
    return ""
