"""Where the step `gates` spends its time: the belt that stands, no parts that come, and what hands are asked to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from calibration.rig import Rig
from calibration.simulated import SimOperator


class GatesAccount:
    """Watches a rig from now on.

    Args:
        rig: simulated, its belt at rest.
    """

    def __init__(self, rig: Rig) -> None:
        assert isinstance(rig.operator, SimOperator)
        self._operator, self._clock, self._world = rig.operator, rig.clock, rig.operator.sim.world
        self._begun_s, self._tasks, self._parts = rig.clock.now_s(), len(rig.operator.tasks), len(self._world.truth)
        self._stopped_s: float | None = None
        self.standing_s, self.stops, self.empty_s, self.off_s = 0.0, 0, 0.0, 0.0
        rig.belt_motor.start = self._starting(rig.belt_motor.start)  # type: ignore[method-assign]
        rig.belt_motor.stop = self._stopping(rig.belt_motor.stop)  # type: ignore[method-assign]
        self._seen_s = self._begun_s
        self._world.on_tick(self._note)

    def _starting(self, start: Callable[[], None]) -> Callable[[], None]:
        def started() -> None:
            if self._stopped_s is not None:
                self.standing_s += self._clock.now_s() - self._stopped_s
                self._stopped_s = None
            start()

        return started

    def _stopping(self, stop: Callable[[], None]) -> Callable[[], None]:
        def stopped() -> None:
            if self._stopped_s is None:
                self._stopped_s, self.stops = self._clock.now_s(), self.stops + 1
            stop()

        return stopped

    def _note(self, now_s: float) -> None:
        """Seconds in which the belt runs and no part is fed, because the feeder is off or there is nothing in it."""
        hopper, passed_s = self._world.hopper, now_s - self._seen_s
        if self._stopped_s is None and hopper is not None:
            self.empty_s += passed_s * (not hopper)
            self.off_s += passed_s * (bool(hopper) and self._world.feeder.parts_per_min == 0)
        self._seen_s = now_s

    def __str__(self) -> str:
        tasks = self._operator.tasks[self._tasks :]
        asked: Counter[str] = Counter()
        took_s: Counter[str] = Counter()
        for task in tasks:
            asked[task.kind] += 1
            took_s[task.kind] += task.takes_s
        hands = ", ".join(f"{kind} {asked[kind]} times {took_s[kind]:.0f} s" for kind in asked)
        machine_s = self._clock.now_s() - self._begun_s
        parts = len(self._world.truth) - self._parts
        return (
            f"machine {machine_s:.0f} s: {parts} parts, belt stopped {self.stops} times for {self.standing_s:.0f} s;"
            f" belt runs while the feeder is empty {self.empty_s:.0f} s, while it is off {self.off_s:.0f} s."
            f" Hands {sum(took_s.values()):.0f} s: {hands}"
        )
