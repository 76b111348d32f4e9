"""One batch of trials: parts ride by, each is tried at a gate or two, and afterwards the bins are counted."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from calibration.gate_belief import GateUnderTrial
from calibration.gate_counts import Counts
from calibration.gate_design import MOST_TRIALS
from calibration.gate_looks import LATE_MM, GateLooks, Ride
from calibration.gate_model import Trial
from calibration.gate_supply import Supply
from calibration.gate_wanted import Wanted, next_gate
from calibration.gate_ways import Run
from calibration.measured_belt import MeasuredBelt
from calibration.rig import Rig
from calibration.step import RefusedError

REACHES = 0.5
"""How likely it has to be that a part has come so far for it to be tried at another gate."""
NEXT_MM = 60.0
"""A gate that is so much further along can still be told in time what a part is tried at."""
EARLY_S, SETTLES_S, AFTER_MM, GONE_S = 0.05, 0.1, 2.0, 1.2
MOVES_MM = 5.0
"""Of a belt that runs, over the first pictures."""
NAP_S = 0.04
"""The belt's travel is noted so often."""
ON_TIME_MM = 0.5
"""A belt that is stopped so much later stands elsewhere than it should."""
COAST_MM_PER_MM_S = 0.15
"""How far a belt coasts, until it was seen: the way of 0.3 s of an even slowing down."""


class GateBatches:
    """Does batches of trials on one run of gates.

    Args:
        rig: its belt and feeder at rest, nothing on the belt.
        run: the gates, and where those before them have to stand.
        unders: all gates by name.
    """

    def __init__(self, rig: Rig, run: Run, unders: Mapping[str, GateUnderTrial], counts: Counts) -> None:
        self._rig, self._run_of_gates, self._unders, self._counts = rig, run, unders, counts
        self._belt = MeasuredBelt(rig)
        self._looks = GateLooks(rig, self._belt.scale, self._belt.travel_mm)
        self._supply = Supply(rig, MOST_TRIALS * len(run.gates))
        self._on_travel: list[tuple[float, int, Callable[[], None]]] = []
        self._on_time: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._wanted: dict[str, Wanted] = {}
        self._stations_mm = {gate: under.gate.x_mm for gate, under in unders.items()}
        self._begun: set[int] = set()
        self._reaches: dict[int, float] = {}
        """How likely it is that a part is still on the belt behind the gates that it was tried at."""
        self._look_mm = 0.0
        self._speed = rig.config.belt.belt_mm_per_s
        self._coast_mm = COAST_MM_PER_MM_S * self._speed
        self._started_mm = 0.0
        self._standing = False

    def do(self, wanted: Mapping[str, Sequence[Trial]]) -> dict[str, tuple[Trial, ...]]:
        """Tries the gates, all stands before all swings; gives what was really done.

        Raises:
            RefusedError: no parts come, or the belt does not stop or move.
        """
        for gate, position in self._run_of_gates.onwards.items():
            self._rig.gates[gate].move_to(position)
        self._counts.clear()
        self._started_mm = from_mm = self._belt.travel_mm()
        self._belt.start()
        self._looks.begin()
        if self._belt.travel_mm() - from_mm < MOVES_MM:
            raise RefusedError("gates: the belt does not move: look at its motor and at its encoder")
        self._look_mm = self._looks.next_mm(self._belt.travel_mm())
        done: dict[str, list[Trial]] = {gate: [] for gate in wanted}
        self._supply.begin(sum(map(len, wanted.values())))
        for kind in ("stand", "swing"):
            self._wanted = {gate: Wanted([t for t in trials if t.kind == kind]) for gate, trials in wanted.items()}
            self._standing = kind == "stand"
            if self._open:
                self._until_done()
            for gate, own in self._wanted.items():
                done[gate] += own.done
        self._supply.stop()
        self._rig.wait_until(self._rig.clock.now_s() + GONE_S)
        self._belt.stop()
        self._counts.watch()
        return {gate: tuple(trials) for gate, trials in done.items()}

    @property
    def _open(self) -> int:
        return sum(len(own.todo) for own in self._wanted.values())

    def _until_done(self) -> None:
        """Lets parts come until all was tried and the last of them is gone."""
        while self._open or self._riding():
            if not self._open:
                self._supply.stop()
            elif not self._supply.comes(len(self._begun)) and not self._riding() and not self._supply.refill():
                self._give_up()
            self._step()
        self._looks.rides.clear()

    def _give_up(self) -> None:
        """Leaves what no parts are there for to the next batch."""
        for own in self._wanted.values():
            own.todo.clear()

    def _riding(self) -> bool:
        last_mm = max(self._reach(gate)[1] for gate in self._run_of_gates.onwards) + 30.0
        travel_mm = self._belt.travel_mm()
        return bool(self._on_travel or self._on_time) or any(
            travel_mm < ride.x_belt_mm + last_mm for ride in self._looks.real(travel_mm)
        )

    def _step(self) -> None:
        """The next thing due: an action, a look at the belt, or a nap."""
        now_s, travel_mm = self._rig.clock.now_s(), self._belt.travel_mm()
        waits_s = [self._on_time[0][0] - now_s] if self._on_time else []
        waits_s += [(self._on_travel[0][0] - travel_mm) / self._speed] if self._on_travel else []
        wait_s = min(waits_s, default=1.0)
        if travel_mm >= self._look_mm and (wait_s > self._looks.period_s or travel_mm > self._look_mm + LATE_MM - 8.0):
            self._looks.look()
            self._look_mm = self._looks.next_mm(self._belt.travel_mm())
            self._begin_rides()
            self._counts.watch()
        elif wait_s > NAP_S:
            self._rig.wait_until(now_s + NAP_S)
        else:
            if wait_s > 0:
                self._rig.wait_until(now_s + wait_s)
            on_time = self._on_time and self._on_time[0][0] - now_s <= wait_s
            heapq.heappop(self._on_time if on_time else self._on_travel)[2]()

    def _at_travel(self, travel_mm: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._on_travel, (travel_mm, next(self._numbers), do))

    def _at_time(self, time_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._on_time, (time_s, next(self._numbers), do))

    def _begin_rides(self) -> None:
        """Chooses what a part is tried at."""
        for ride in self._looks.rides:
            if ride.confirmed and ride.number not in self._begun:
                self._begun.add(ride.number)
                if ride.single:
                    self._choose(ride)

    def _choose(self, ride: Ride, past_mm: float = 0.0) -> None:
        """What a part is tried at beyond a station."""
        gate = next_gate(self._wanted, self._stations_mm, past_mm)
        if gate is not None:
            self._put_off(ride, gate)

    def _go_on(self, ride: Ride, gate: str, trial: Trial) -> None:
        """A part that may have passed is tried at a later gate too."""
        under = self._unders[gate]
        self._reaches[ride.number] = self._reach_of(ride) * under.chance(trial, under.rest)
        if self._reach_of(ride) > REACHES:
            self._choose(ride, self._station_mm(gate) + NEXT_MM)

    def _reach_of(self, ride: Ride) -> float:
        return self._reaches.get(ride.number, 1.0)

    def _put_off(self, ride: Ride, gate: str) -> None:
        """Has one of the gate's trials done on a part that comes, unless another part is in the way by then."""
        own = self._wanted[gate]
        trial = own.todo.pop(0)
        middle_mm = self._looks.middle_mm(ride) + self._station_mm(gate)
        stops_mm = middle_mm + trial.at - self._coast_mm
        swings_mm = middle_mm - trial.at * self._speed
        turns = not self._standing and trial.came != self._home_of(gate)

        def later() -> None:
            own.todo.append(trial)
            self._choose(ride, self._station_mm(gate) + NEXT_MM)

        def begin() -> None:
            if self._reach_of(ride) <= REACHES or own.was_tried_with(ride.number):
                own.todo.append(trial)
                if turns:
                    self._go_home(gate)
            elif (
                self._is_in_the_way(ride, gate)
                or self._belt.travel_mm() < own.busy_mm
                or (self._standing and not self._would_stand_at(stops_mm))
            ):
                if turns:
                    self._go_home(gate)
                later()
            elif self._standing:
                self._stand(ride, gate, trial)
            else:
                self._swing(ride, gate, trial, middle_mm)
                self._go_on(ride, gate, trial)

        def turn() -> None:
            """A chute that waits at one end has nobody else's part fall in there, which would be counted."""
            before_mm = middle_mm - self._belt.travel_mm()
            if self._belt.travel_mm() < own.busy_mm or self._is_in_the_way(ride, gate, before_mm):
                later()
            else:
                self._move(gate, trial.came)
                self._at_travel(swings_mm, begin)

        if turns:
            self._at_travel(swings_mm - self._longest_s(gate) * self._speed, turn)
        else:
            self._at_travel(stops_mm if self._standing else swings_mm, begin)

    def _home_of(self, gate: str) -> int:
        """The position in which the gate waits, and lets parts go on."""
        return self._unders[gate].gate.positions.index(self._run_of_gates.onwards[gate])

    def _would_stand_at(self, stops_mm: float) -> bool:
        """Whether a belt that is stopped now coasts as it was seen to, from where it should: it has not coasted past
        that for another part's sake, and runs at its full speed again."""
        travel_mm = self._belt.travel_mm()
        return travel_mm - stops_mm < ON_TIME_MM and travel_mm - self._started_mm > self._coast_mm

    def _is_in_the_way(self, ride: Ride, gate: str, before_mm: float = 0.0) -> bool:
        """Whether another part comes to the gate before it is at home again, or is still there, or comes on the last
        `before_mm` of the part's way."""
        low_mm, high_mm = self._reach(gate)
        move_mm = 0.0 if self._standing else max(self._longest_s(gate) * self._speed, before_mm)
        for other in self._looks.real(self._belt.travel_mm()):
            ahead_mm = ride.x_belt_mm - other.x_belt_mm
            clear_mm = ride.half_mm + other.half_mm + (high_mm - low_mm) + AFTER_MM
            if other is not ride and -clear_mm - self._longest_s(gate) * self._speed < ahead_mm < clear_mm + move_mm:
                return True
        return False

    def _stand(self, ride: Ride, gate: str, trial: Trial) -> None:
        """Stops the belt under the part, moves its gate and every other that also has a part near it, and lets the
        belt go on."""
        from_mm = self._belt.travel_mm()
        self._supply.pause()
        stands_mm = self._belt.stop()
        self._coast_mm += 0.5 * (stands_mm - from_mm - self._coast_mm)
        moved = [(ride, gate, trial), *self._others_standing(stands_mm, gate)]
        for _, name, one in moved:
            self._move(name, one.went)
        self._rig.wait_until(self._rig.clock.now_s() + max(self._longest_s(name) for _, name, _ in moved) + SETTLES_S)
        for own_ride, name, one in moved:
            at_mm = stands_mm - self._looks.middle_mm(own_ride) - self._station_mm(name)
            done = replace(one, at=at_mm, part=own_ride.number)
            self._wanted[name].note(one, done, self._reach_of(own_ride))
            self._go_on(own_ride, name, done)
            if self._unders[name].shape.is_pusher:
                self._go_home(name)
            else:
                self._go_home_after(own_ride, name)
        if any(self._unders[name].shape.is_pusher for _, name, _ in moved):
            self._rig.wait_until(self._rig.clock.now_s() + max(self._longest_s(name) for _, name, _ in moved))
        self._belt.start()
        self._started_mm = self._belt.travel_mm()
        if self._open:
            self._supply.go_on()

    def _others_standing(self, stands_mm: float, gate: str) -> list[tuple[Ride, str, Trial]]:
        """Trials of other gates that a part happens to stand for."""
        found: list[tuple[Ride, str, Trial]] = []
        for name, own in self._wanted.items():
            if name == gate or not own.todo or stands_mm < own.busy_mm:
                continue
            places_mm = [one.at for one in own.todo]
            step_mm = (max(places_mm) - min(places_mm)) / len(places_mm)
            for ride in self._looks.real(stands_mm):
                at_mm = stands_mm - self._looks.middle_mm(ride) - self._station_mm(name)
                trial = min(own.todo, key=lambda one: abs(one.at - at_mm))
                near = abs(trial.at - at_mm) <= max(3 * step_mm, 0.3)
                free = ride.single and ride.confirmed and self._reach_of(ride) > REACHES
                free = free and not own.was_tried_with(ride.number)
                if near and free and not self._is_in_the_way(ride, name):
                    own.todo.remove(trial)
                    found.append((ride, name, trial))
                    break
        return found

    def _swing(self, ride: Ride, gate: str, trial: Trial, middle_mm: float) -> None:
        """Tells the gate to move while the part comes, and notes when the part really came."""
        from_s, positions = self._rig.clock.now_s(), self._unders[gate].gate.positions
        self._move(gate, trial.went)
        own, reach = self._wanted[gate], self._reach_of(ride)
        back_s: list[float] = []

        def call_back() -> None:
            self._rig.gates[gate].move_to(positions[trial.came])
            back_s.append(self._rig.clock.now_s() - from_s)

        def note() -> None:
            came_s = self._belt.time_of(middle_mm) - from_s
            back = back_s[0] if trial.back_s is not None else None
            own.note(trial, replace(trial, at=came_s, back_s=back, part=ride.number), reach)

        if trial.back_s is not None:
            self._at_time(from_s + trial.back_s, call_back)
        elif self._unders[gate].shape.is_pusher:
            self._at_time(from_s + self._longest_s(gate), lambda: self._go_home(gate))
        self._at_travel(max(middle_mm, self._belt.travel_mm() + self._speed * (trial.back_s or 0.0)) + 5.0, note)
        self._go_home_after(ride, gate)

    def _go_home_after(self, ride: Ride, gate: str) -> None:
        """Home once the part is surely past."""
        config = self._unders[gate].gate
        past_mm = ride.x_belt_mm + self._reach(gate)[1] + ride.half_mm + AFTER_MM
        past_mm += (config.fall_s or 0.0) * self._speed
        self._wanted[gate].busy_mm = past_mm + self._longest_s(gate) * self._speed
        self._at_travel(past_mm, lambda: self._go_home(gate))

    def _go_home(self, gate: str) -> None:
        self._rig.gates[gate].move_to(self._run_of_gates.onwards[gate])

    def _move(self, gate: str, index: int) -> None:
        self._rig.gates[gate].move_to(self._unders[gate].gate.positions[index])

    def _station_mm(self, gate: str) -> float:
        return self._stations_mm[gate]

    def _reach(self, gate: str) -> tuple[float, float]:
        """Stations between which the gate is, as far as is known, with its face."""
        under = self._unders[gate]
        middle_mm = under.gate.x_mm + under.off_mm
        half_mm = min(4 * under.off_std_mm + 1.0, 15.0) + under.gate.reach_mm
        return middle_mm - half_mm, middle_mm + half_mm

    def _longest_s(self, gate: str) -> float:
        """Of a movement, as far as is known."""
        under, ranges = self._unders[gate], self._unders[gate].ranges
        latency_s = min(under.latency_s + 4 * under.latency_std_s, ranges.latency_s[1])
        return latency_s + min(under.travel_s + 4 * under.travel_std_s, ranges.travel_s[1]) + EARLY_S
