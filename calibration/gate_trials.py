"""Tries gates on parts that ride past them: commands at chosen moments, and for each the position that the part met."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from calibration.gate_answers import Answers
from calibration.gate_choice import GateUnderTrial, next_stand, next_swing
from calibration.gate_model import Trial
from calibration.gate_supply import Supply
from calibration.gate_ways import Run, met
from calibration.parts_run import PartsRun
from calibration.rig import Rig
from calibration.step import RefusedError
from edge.config.gates import GateConfig
from edge.records import Frame, Track, TrackState

DECIDES_S = 0.75
"""A trial is chosen so long before the part comes to where the gate is told to move."""
SETTLES_S = 0.1
AFTER_MM = 8.0
COAST_MM_PER_MM_S = 0.15
"""How far a belt coasts, until it was seen: the way of 0.3 s of an even slowing down."""
MOST_PARTS_A_TRIAL = 4
"""Parts that may go by for each trial that is still wanted, before the step gives up."""


@dataclass(slots=True)
class Ride:
    """One part on the belt, and what it is tried at. `answer` is the bin that it ended in, "" for one that is not
    known, None until then."""

    track_id: int
    x_belt_mm: float
    half_mm: float
    pending: dict[str, Trial] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    answer: str | None = None


class GateTrials:
    """Does the trials of one run of gates after another.

    Args:
        rig: its belt and feeder at rest.
        unders: the gates by name; trials are put down there.
        stops: whether the belt can be stopped under a part.
    """

    def __init__(self, rig: Rig, unders: Mapping[str, GateUnderTrial], stops: bool) -> None:
        self._rig, self._unders, self._stops = rig, unders, stops
        self._run = PartsRun(rig, self._see)
        self._answers = Answers(rig, self._run)
        self._supply = Supply(rig, one_by_one=not self._answers.by_sensors)
        self._rides: dict[int, Ride] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._busy_mm: dict[str, float] = {}
        self._home: dict[str, str] = {}
        self._gates: tuple[str, ...] = ()
        self._standing = True
        self._found: dict[str, float] = {}
        self._coast_mm = COAST_MM_PER_MM_S * rig.config.belt.belt_mm_per_s
        self.parts = 0

    def do(self, run: Run) -> None:
        """All trials of a run's gates, first on the standing belt, then on the running one.

        Raises:
            RefusedError: no parts come, a gate does not answer, or it is not to be found out within reason.
        """
        self._gates, self._home = run.gates, dict(run.onwards)
        for gate, position in self._home.items():
            self._rig.gates[gate].move_to(position)
        self._run.start()
        if self._stops:
            self._standing = True
            self._until_known()
            self._found |= {gate: self._mean_place(gate) for gate in run.gates}
        self._standing = False
        self._until_known()
        self._supply.stop()
        self._rig.belt_motor.stop()

    def _until_known(self) -> None:
        first, wanted = self.parts, 60 * len(self._gates)
        while any(self._next(gate) for gate in self._gates) or any(ride.pending for ride in self._rides.values()):
            if self.parts - first > wanted * MOST_PARTS_A_TRIAL:
                raise RefusedError(
                    f"gates: {self.parts} parts did not tell where {', '.join(self._gates)} stand: look at them"
                )
            self._supply.follow(self._run.now_s, sum(ride.answer is None for ride in self._rides.values()), self.parts)
            self._step()
            self._settle_answers()

    def _step(self) -> None:
        """The next thing due, or the next frame."""
        if self._due:
            travel_mm, speed = self._run.travel_mm(), max(self._run.mm_per_s(), 1.0)
            wait_s = (self._due[0][0] - travel_mm) / speed
            if wait_s <= 1 / self._rig.config.camera.frames_per_s:
                if wait_s > 0:
                    self._rig.wait_until(self._run.now_s + wait_s)
                heapq.heappop(self._due)[2]()
                return
        self._run.look()

    def _at(self, travel_mm: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (travel_mm, next(self._numbers), do))

    def _see(self, frame: Frame, tracks: list[Track]) -> None:
        for track in tracks:
            ride = self._rides.get(track.track_id)
            if track.touching or track.too_long or not track.complete or track.state is TrackState.REJECTED:
                continue
            middle_mm = (track.lead_belt_mm + track.trail_belt_mm) / 2
            half_mm = (track.trail_belt_mm - track.lead_belt_mm) / 2
            if ride is None and track.state is TrackState.CONFIRMED:
                self._rides[track.track_id] = ride = Ride(track.track_id, middle_mm, half_mm)
                self.parts += 1
                self._expect(ride)
            elif ride is not None:
                ride.x_belt_mm, ride.half_mm = middle_mm, half_mm

    def _expect(self, ride: Ride) -> None:
        """Puts the choice of a trial at each gate off until shortly before it."""
        speed = self._run.mm_per_s()
        for gate in self._gates:
            at_mm = self._x_mm(gate) - speed * (DECIDES_S + self._longest_s(gate))
            self._at(ride.x_belt_mm + at_mm, lambda gate=gate: self._begin(ride, gate))

    def _begin(self, ride: Ride, gate: str) -> None:
        if ride.answer is not None or self._run.travel_mm() < self._busy_mm.get(gate, float("-inf")):
            return
        trial = self._next(gate)
        if trial is None:
            return
        home_mm = ride.x_belt_mm + self._x_mm(gate) + ride.half_mm + AFTER_MM
        self._busy_mm[gate] = home_mm + self._run.mm_per_s() * self._longest_s(gate)
        if trial.kind == "stand":
            self._at(ride.x_belt_mm + trial.place_mm - self._coast_mm, lambda: self._stand(ride, gate, trial))
            return
        if self._config(gate).positions[trial.came] != self._home[gate]:
            self._move(gate, trial.came)
        self._at(ride.x_belt_mm + trial.place_mm, lambda: self._swing(ride, gate, trial))

    def _stand(self, ride: Ride, gate: str, trial: Trial) -> None:
        """Stops the belt under the part, moves the gate, and lets the belt go on."""
        from_mm = self._run.travel_mm()
        stands_mm = self._run.stop_belt()
        self._coast_mm += 0.5 * (stands_mm - from_mm - self._coast_mm)
        self._move(gate, trial.went)
        self._rig.wait_until(self._run.now_s + self._longest_s(gate) + SETTLES_S)
        if self._config(gate).kind == "pusher":
            self._go_home(gate)
            self._rig.wait_until(self._run.now_s + self._longest_s(gate))
        self._run.start_belt()
        ride.pending[gate] = replace(trial, place_mm=stands_mm - ride.x_belt_mm)
        if self._config(gate).kind != "pusher":
            self._go_home_after(ride, gate)

    def _swing(self, ride: Ride, gate: str, trial: Trial) -> None:
        """Tells the gate to move while the part comes."""
        place_mm, from_s = self._run.travel_mm() - ride.x_belt_mm, self._run.now_s
        self._move(gate, trial.went)
        if trial.back_s is not None:
            self._rig.wait_until(from_s + trial.back_s)
            self._move(gate, trial.came)
        elif self._config(gate).kind == "pusher":
            self._rig.wait_until(from_s + self._longest_s(gate))
            self._go_home(gate)
        ride.pending[gate] = replace(
            trial,
            place_mm=place_mm,
            mm_per_s=self._run.mm_per_s(),
            back_s=None if trial.back_s is None else self._run.now_s - from_s,
        )
        self._go_home_after(ride, gate)

    def _go_home_after(self, ride: Ride, gate: str) -> None:
        speed, config = self._run.mm_per_s(), self._config(gate)
        fall_mm = (config.fall_s or 0.0) * speed
        self._at(ride.x_belt_mm + self._x_mm(gate) + ride.half_mm + AFTER_MM + fall_mm, lambda: self._go_home(gate))

    def _go_home(self, gate: str) -> None:
        self._rig.gates[gate].move_to(self._home[gate])

    def _move(self, gate: str, index: int) -> None:
        self._rig.gates[gate].move_to(self._config(gate).positions[index])

    def _settle_answers(self) -> None:
        last_mm = max(self._x_mm(gate) for gate in self._home)
        for ride, bin_ in self._answers.settle(list(self._rides.values()), last_mm):
            ride.answer = bin_
            for gate, trial in ride.pending.items():
                position = met(self._rig.bins, gate, bin_) if bin_ else None
                if position is not None:
                    known = replace(trial, met=self._config(gate).positions.index(position))
                    self._unders[gate].trials.append(known)
                    check_answers(self._unders[gate])
            ride.pending.clear()
        self._rides = {key: ride for key, ride in self._rides.items() if ride.answer is None}

    def _next(self, gate: str) -> Trial | None:
        under, speed = self._unders[gate], self._rig.config.belt.belt_mm_per_s
        return next_stand(under, speed) if self._standing else next_swing(under, self._x_mm(gate), speed)

    def _mean_place(self, gate: str) -> float:
        belief = self._unders[gate].place()
        return belief.mean(belief.x_mm)

    def _x_mm(self, gate: str) -> float:
        return self._found.get(gate, self._config(gate).x_mm)

    def _longest_s(self, gate: str) -> float:
        """Of a movement, as far as is known before."""
        ranges = self._unders[gate].ranges if gate in self._unders else GateUnderTrial(self._config(gate)).ranges
        return ranges.latency_s[1] + ranges.travel_s[1]

    def _config(self, gate: str) -> GateConfig:
        return next(config for config in self._rig.machine.gates if config.name == gate)


def check_answers(under: GateUnderTrial) -> None:
    """Refuses a gate whose first trials, surely clear of any doubt, went elsewhere twice.

    Raises:
        RefusedError: it does not move, or moves to another position.
    """
    name, positions = under.gate.name, under.gate.positions
    for went in under.working:
        sure = [trial.met for trial in under.clear() if trial.went == went]
        if len(sure) < 2 or went in sure:
            continue
        if sure[-1] == under.rest:
            raise RefusedError(
                f"gates: {name} was told '{positions[went]}' twice, and the part rode on as in '{under.gate.rest}':"
                f" look at its power, its cable and its horn"
            )
        raise RefusedError(
            f"gates: {name} was told '{positions[went]}' twice, and the part went the way of '{positions[sure[-1]]}':"
            f" swap the two in machine.yaml or in the layout of bins.yaml"
        )
