"""The belt's guard on the simulated belt: each fault is told once and stops what it must; nothing else is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import VirtualClock
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.interfaces import Encoder
from edge.hardware.tracked_encoder import TrackedEncoder
from edge.records import SeenMotion
from edge.scheduling.belt_follower import BeltFollower
from edge.scheduling.belt_guard import BeltGuard, BeltSources
from edge.sim.belt import EncoderFault, SimBelt, SimBeltMotor, SimEncoder
from edge.sim.settings import BeltSettings

READ_S, FRAMES_PER_S, NOISE_MM = 0.005, 12, 0.25


@dataclass
class Ride:
    """A simulated belt under its guard. Parts in view are seen to go with it, as exactly as a tracker sees them."""

    kind: str = "sim"
    switched: bool = True
    settings: BeltSettings = field(default_factory=BeltSettings)
    parts_in_view: int = 2
    nominal_mm_per_s: float = 150.0
    rolling: float = 1.0
    """Speed of the first part in view, as a share of the belt's."""
    measured: bool = False

    def __post_init__(self) -> None:
        rng = np.random.default_rng(5)
        self.clock, self.rng = VirtualClock(), rng
        self.belt = SimBelt(self.settings, rng)
        self.motor, self.sim_encoder = SimBeltMotor(self.belt), SimEncoder(self.belt, rng)
        self.on: bool | None = True
        self.ran_s = 0.0
        self.encoder: Encoder = {
            "sim": lambda: self.sim_encoder,
            "constant": lambda: ConstantEncoder(self.nominal_mm_per_s, lambda: self.ran_s),
            "tracker": lambda: TrackedEncoder(self.nominal_mm_per_s, lambda: self.ran_s),
        }[self.kind]()
        self.said: list[str] = []
        self.stopped: list[tuple[float, str]] = []
        sources = BeltSources(
            self.nominal_mm_per_s,
            self.kind == "sim",
            follows=self.kind == "tracker",
            switched=self.switched,
            measured=self.measured,
        )
        self.guard = BeltGuard(sources, lambda: self.on if self.switched else None, self.said.append, self._stop)
        self.follower = BeltFollower(self.encoder) if isinstance(self.encoder, TrackedEncoder) else None
        self.encoder.start()
        self.motor.start()
        self._ticks, self._shown_mm = 0, 0.0

    def _stop(self, line: str) -> None:
        self.stopped.append((self.clock.now_s(), line))

    def run(self, duration_s: float) -> Ride:
        """Readings every few milliseconds, and frames; goes on after a stop, as a machine would not."""
        for _ in range(round(duration_s / READ_S)):
            self.clock.advance(READ_S)
            self.belt.advance(READ_S)
            self.ran_s += READ_S if self.belt.running else 0.0
            self._ticks += 1
            if line := self.guard.reading(self.clock.now_s(), self.encoder.belt_mm()):
                self._stop(line)
            if self._ticks % round(1 / READ_S / FRAMES_PER_S) == 0:
                self._frame()
        return self

    def switch(self, on: bool) -> None:
        self.on = on
        self.motor.start() if on else self.motor.stop()

    def _frame(self) -> None:
        now_s, belt_mm = self.clock.now_s(), self.encoder.belt_mm()
        way_mm, self._shown_mm = self.belt.travel_mm - self._shown_mm, self.belt.travel_mm
        ways = [way_mm * (self.rolling if i == 0 else 1.0) for i in range(self.parts_in_view)]
        seen = SeenMotion(None)
        if ways:
            number = int(now_s)
            noise_mm = self.rng.normal(0, NOISE_MM)
            seen = SeenMotion(float(np.median(ways)) + noise_mm, frozenset(range(number, number + len(ways))))
        self.guard.frame(now_s, belt_mm, seen)
        if self.follower:
            self.follower.frame(now_s, belt_mm, seen, now_s)

    def off_mm(self) -> float:
        return self.encoder.belt_mm() - self.belt.travel_mm


@pytest.mark.parametrize("kind", ["sim", "constant", "tracker"])
def test_a_belt_that_runs_as_it_should_says_nothing(kind):
    ride = Ride(kind).run(40)
    assert (ride.said, ride.stopped) == ([], [])


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(["sim", "constant", "tracker"]),
    switches=st.lists(st.floats(0.1, 3.0), max_size=6),
    ramp_s=st.floats(0.0, 0.8),
)
def test_stopping_and_starting_the_belt_is_no_fault(kind, switches, ramp_s):
    ride = Ride(kind, settings=BeltSettings(ramp_s=ramp_s))
    ride.run(3)
    for index, duration_s in enumerate(switches):
        ride.switch(index % 2 == 1)
        ride.run(duration_s)
    assert (ride.said, ride.stopped) == ([], [])


@pytest.mark.parametrize(
    ("fault", "within_s", "words"),
    [
        (lambda ride: setattr(ride.belt, "stalled", True), 0.1, "no travel for 0.08 s though the motor is on"),
        (lambda ride: ride.sim_encoder.break_down(EncoderFault.DROPPED), 0.1, "no travel for 0.08 s"),
        (lambda ride: ride.sim_encoder.break_down(EncoderFault.BOUNCING), 0.15, "jumped from 15"),
        (lambda ride: setattr(ride.belt, "speed_factor", 1.4), 0.15, "jumped from 15"),
        (lambda ride: ride.sim_encoder.break_down(EncoderFault.FLAKY), 0.4, "ticks are lost"),
        (lambda ride: setattr(ride.belt, "slip", 0.3), 0.5, "it slips"),
    ],
    ids=["stall", "dropout", "bouncing", "jump", "flaky", "slip"],
)
def test_what_endangers_the_bins_stops_the_machine_and_is_told_once(fault, within_s, words):
    ride = Ride()
    ride.run(10)
    fault(ride)
    ride.run(5)
    assert len(ride.stopped) >= 1
    at_s, line = ride.stopped[0]
    assert at_s - 10 <= within_s
    assert line.startswith("belt: ")
    assert words in line
    assert len({line[:20] for _, line in ride.stopped}) == len(ride.stopped)


def test_a_belt_that_slows_down_is_told_and_goes_on():
    ride = Ride()
    ride.run(10)
    ride.belt.speed_factor = 0.6
    ride.run(10)
    assert ride.stopped == []
    assert [line[:15] for line in ride.said] == ["belt: runs at 9"]


def test_a_belt_faster_than_configured_from_the_start_is_told_and_goes_on():
    ride = Ride(settings=BeltSettings(belt_mm_per_s=190, ripple=0.0)).run(10)
    assert ride.stopped == []
    assert len(ride.said) == 1
    assert ride.said[0].endswith("mm/s, belt_mm_per_s is 150; plans follow it: set what is meant")


@pytest.mark.parametrize("kind", ["sim", "tracker"])
def test_a_belt_that_slows_down_since_it_was_calibrated_is_told_once(kind):
    ride = Ride(kind, measured=True).run(40)
    assert (ride.said, ride.stopped) == ([], [])
    for factor in np.linspace(1.0, 0.93, 8):
        ride.belt.speed_factor = float(factor)
        ride.run(6)
    assert ride.stopped == []
    assert len(ride.said) == 1
    assert "it was calibrated at 150; plans follow it" in ride.said[0]
    assert ride.said[0].endswith("then brickgate-calibrate belt")


def test_a_calibrated_belt_that_is_switched_off_and_on_tells_nothing():
    ride = Ride(measured=True).run(15)
    for _ in range(3):
        ride.switch(False)
        ride.run(3)
        ride.switch(True)
        ride.run(12)
    assert (ride.said, ride.stopped) == ([], [])


def test_a_part_that_rolls_is_no_slip():
    ride = Ride(parts_in_view=1, rolling=0.5)
    frozen = frozenset({1})
    for index in range(60):
        ride.guard.frame(index / 12, index * 12.5, SeenMotion(6.0, frozen))
    assert ride.stopped == []


def _frames(ride: Ride, told: float, seen: float) -> None:
    """200 frames at shares of the usual speed, two parts in view."""
    for index in range(200):
        pair = frozenset({index, index + 1})
        ride.guard.frame(index / 12, told * index * 12.5, SeenMotion(12.5 * seen, pair))


def test_tall_parts_that_seem_faster_are_no_lost_ticks():
    ride = Ride()
    _frames(ride, 1.0, 1.1)
    assert ride.stopped == []


@pytest.mark.parametrize(("told", "seen"), [(0.9, 1.0), (0.93, 1.0), (0.9, 1.05), (1.0, 1.15)])
def test_ticks_that_are_lost_make_the_encoder_slower_than_usual(told, seen):
    ride = Ride()
    _frames(ride, told, seen)
    assert "ticks are lost" in ride.stopped[0][1]


def test_a_belt_with_its_own_switch_may_stand():
    ride = Ride(switched=False)
    ride.run(5)
    ride.motor.stop()
    ride.run(10)
    ride.motor.start()
    ride.run(5)
    assert (ride.said, ride.stopped) == ([], [])


def test_an_encoder_that_dies_on_a_belt_with_its_own_switch_is_noticed_by_the_parts():
    ride = Ride(switched=False)
    ride.run(5)
    ride.sim_encoder.break_down(EncoderFault.DROPPED)
    ride.run(1)
    assert next(line for _, line in ride.stopped).startswith("belt: parts went ")


def test_a_wrong_scale_is_told_with_what_to_set():
    ride = Ride()
    for index in range(200):
        ride.guard.frame(index / 12, index * 12.5, SeenMotion(12.5 * 1.03, frozenset({index, index + 1})))
    assert ride.stopped == []
    assert len(ride.said) == 1
    assert ride.said[0].startswith("belt: parts go 103.0% of the way that is reckoned with")


def test_without_an_encoder_a_wrong_speed_stops_the_machine():
    ride = Ride("constant", settings=BeltSettings(belt_mm_per_s=130)).run(6)
    (_, line), *_ = ride.stopped
    assert "set belt.belt_mm_per_s, or belt.encoder: {driver: tracker}" in line


def test_a_belt_that_is_followed_by_its_parts_stands_and_is_told():
    ride = Ride("tracker")
    ride.run(6)
    ride.belt.stalled = True
    ride.run(3)
    assert [line for _, line in ride.stopped] == [
        "belt: its parts stand still though the motor is on: look for what blocks it"
    ]


@settings(max_examples=15, deadline=None)
@given(speed=st.floats(110, 190), changes=st.lists(st.tuples(st.floats(0.3, 4), st.floats(0.4, 1.2)), max_size=5))
def test_the_travel_by_the_parts_follows_speed_stops_and_changes(speed, changes):
    ride = Ride("tracker", switched=False, settings=BeltSettings(belt_mm_per_s=speed))
    ride.run(3)
    start_mm, last_mm = ride.off_mm(), ride.encoder.belt_mm()
    for duration_s, factor in changes:
        ride.belt.speed_factor = factor
        ride.run(duration_s)
        assert ride.encoder.belt_mm() >= last_mm
        last_mm = ride.encoder.belt_mm()
    ride.run(1)
    # The way is a sum of steps, each seen with an error of a quarter of a millimetre.
    assert abs(ride.off_mm() - start_mm) < 4 * NOISE_MM * (12 * ride.clock.now_s()) ** 0.5 + 3


def test_the_travel_by_the_parts_goes_on_while_none_is_in_view():
    ride = Ride("tracker", switched=False, settings=BeltSettings(belt_mm_per_s=130, ripple=0.0))
    ride.run(5)
    off_mm, ride.parts_in_view = ride.off_mm(), 0
    ride.run(2)
    assert abs(ride.off_mm() - off_mm) < 260 * 0.02
