"""The feeding, once a frame: what became of the parts, how they lie on the belt, and the feeder's rate from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from edge.clock import Clock
from edge.feeding.drive import DriveSettings, FeedDrive
from edge.feeding.rate import FeedController, FeedSigns, RateSettings
from edge.feeding.spacing import Spacing, nearest_trail_mm
from edge.records import Frame, Plan, Track

SEEN_LONGER_MM = 2.0
"""What the camera sees of two neighbours may be nearer together than they lie by this: with the real model and gaps of
just what the gates need, 11 of 100 parts were refused, with so much more 2.5, and with twice as much 2."""
SAME_RATE = 0.01
"""A rate that differs by less is not worth telling the feeder."""


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """Where parts land on the belt, and how much of it must be free in front of the next one."""

    x_mm: float
    """Station of the place; below that of the view for a feeder before it."""
    clearance_mm: float
    """From there to the trailing edge of the part before, at least."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """The feeding at a glance, for whoever shows it."""

    parts_per_min: float
    """What is asked of the feeder, on the average."""
    arrivals_per_min: float | None
    mean_gap_mm: float | None
    free: bool
    """False while the feeder pauses because the last part is too near."""
    brake: str
    """Why the rate is being lowered; "" when it is not."""
    served: int
    refused: int
    double: int


class Feeding:
    """Closes the loop from the parts on the belt to the feeder.

    Args:
        loop: how to follow what becomes of the parts, with a rate that `start` sets anew; None leaves it as it is set.
        drive: how the feeder can be driven.
        place: where parts land, to pause the feeder while the last part is too near; None never pauses it.
        view_from_mm: station at which the view begins.
        clock: the machine's.
        apply: sets the feeder, such as `Safety.set_feed_rate`.
    """

    def __init__(
        self,
        loop: RateSettings | None,
        drive: DriveSettings,
        place: FeedPlace | None,
        view_from_mm: float,
        clock: Clock,
        apply: Callable[[float], object],
    ) -> None:
        self._loop = loop
        self._controller: FeedController | None = None
        self._drive = FeedDrive(drive)
        self._place = place
        self._view_from_mm = view_from_mm
        self._clock = clock
        self._apply = apply
        self._spacing = Spacing()
        self._wanted = 0.0
        self._set_to: float | None = None
        self._last_index: int | None = None
        self._free = True
        self._held = False
        self._served = self._refused = self._double = 0

    @property
    def state(self) -> FeedState:
        """The feeding as of the last frame."""
        return FeedState(
            self._wanted,
            self._spacing.arrivals_per_min(self._clock.now_s()),
            self._spacing.mean_gap_mm,
            self._free,
            self._controller.brake if self._controller else "",
            self._served,
            self._refused,
            self._double,
        )

    def start(self, parts_per_min: float) -> None:
        """Lets parts come: at this rate, or with a closed loop at no more than it."""
        if self._loop is not None:
            least = min(self._loop.min_parts_per_min, parts_per_min)
            self._controller = FeedController(replace(self._loop, parts_per_min=parts_per_min, min_parts_per_min=least))
        self._wanted = parts_per_min
        self._tell(self._drive.set_to(self._clock.now_s(), self._wanted, free=True))

    def pause(self) -> None:
        """No part may come until `go_on`: the belt is about to run back.

        Raises:
            HardwareError: the feeder does not obey.
        """
        self._held = True
        if self._set_to is not None:
            self._tell(self._drive.set_to(self._clock.now_s(), self._wanted, free=False))

    def go_on(self) -> None:
        """Parts may come again; the frames that nobody looked at meanwhile were not dropped."""
        self._held, self._last_index = False, None

    def follow(
        self,
        frame: Frame,
        tracks: Sequence[Track],
        ended: Iterable[tuple[Track, Plan | None]],
        looks_waiting: int,
        gate_load: float,
    ) -> None:
        """Takes in a frame and sets the feeder.

        Args:
            tracks: all that are in view.
            ended: the parts that have left it with this frame, and how they were planned.
            looks_waiting: for the network.
            gate_load: 0 … 1, share of the next stretch of belt on which the gates are reserved.

        Raises:
            HardwareError: the feeder does not obey.
        """
        if self._set_to is None:
            return
        now_s = self._clock.now_s()
        self._spacing.see(frame, tracks)
        served, lost = self._count(ended)
        dropped = 0 if self._last_index is None else max(frame.index - self._last_index - 1, 0)
        self._last_index = frame.index
        if self._controller is not None:
            arrivals = self._spacing.arrivals_per_min(now_s)
            # Where the pause keeps the gaps that the gates need, gates that are never idle are what is wanted.
            busy = gate_load if self._place is None else 0.0
            signs = FeedSigns(served, lost, arrivals, self._drive.room, dropped, looks_waiting, busy)
            self._wanted = self._controller.update(now_s, signs)
        self._free = not self._held and self._is_free(frame, tracks)
        self._tell(self._drive.set_to(now_s, self._wanted, self._free))

    def _count(self, ended: Iterable[tuple[Track, Plan | None]]) -> tuple[int, int]:
        """Parts served and lost with this frame."""
        served = lost = 0
        for track, plan in ended:
            refused = plan is not None and plan.refused
            self._double += track.touching
            self._refused += refused and not track.touching
            lost += refused or track.touching
            served += not (refused or track.touching)
        self._served += served
        return served, lost

    def _is_free(self, frame: Frame, tracks: Sequence[Track]) -> bool:
        if self._place is None:
            return True
        nearest_mm = nearest_trail_mm(frame, tracks, self._view_from_mm)
        return nearest_mm >= self._place.x_mm + self._place.clearance_mm + SEEN_LONGER_MM

    def _tell(self, parts_per_min: float) -> None:
        before = self._set_to
        same_state = before is not None and (before > 0) == (parts_per_min > 0)
        if before is not None and same_state and abs(parts_per_min - before) <= SAME_RATE * before:
            return
        self._set_to = parts_per_min
        self._apply(parts_per_min)
