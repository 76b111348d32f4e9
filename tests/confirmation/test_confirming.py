"""Each finding comes once when it is due and never otherwise: random parts, ways, speeds, stops and sensors' jitter."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sorting_line import BINS, END_MM, SPEED_MM_PER_S, bins_config, machine_config

from edge.confirmation.confirmation import Confirmation, Consequences, Finding
from edge.confirmation.places import Places
from edge.errors import HardwareError
from edge.records import Confirmed, Plan

FRAME_S = 1 / 12
VIEW_MM = 256.0
FALL_S, TOLERANCE_S = 0.2, 0.15


@dataclass
class ScriptedBeam:
    """A beam that is broken when the script says so; refuses what a real one refuses."""

    name: str
    due_s: deque[float] = field(default_factory=deque)
    now_s: float = 0.0
    blocked_since_s: float | None = None
    dead: bool = False
    started: bool = False

    def start(self) -> None:
        self.started = True

    def take(self) -> tuple[float, ...]:
        self._must_answer()
        come = sorted(due_s for due_s in self.due_s if due_s <= self.now_s)
        self.due_s = deque(due_s for due_s in self.due_s if due_s > self.now_s)
        return tuple(come)

    def broken_since_s(self) -> float | None:
        self._must_answer()
        return self.blocked_since_s

    def close(self) -> None:
        self.started = False

    def _must_answer(self) -> None:
        if self.dead or not self.started:
            raise HardwareError(f"sensor {self.name}: no answer")


@dataclass(frozen=True)
class Part:
    """A part on the belt: where it lies, where it is planned to go, and where it goes, `None` for nowhere."""

    gap_mm: float
    length_mm: float
    planned: str
    jitter: float
    """Of its sightings, in tolerances."""
    along: float = 0.5
    """Which of its points the sensors see first: 0 its leading edge, 1 its trailing one."""


def parts_on_belt(least_gap_mm: float) -> st.SearchStrategy[list[Part]]:
    part = st.builds(
        Part,
        gap_mm=st.floats(least_gap_mm, 160),
        length_mm=st.floats(8, 64),
        planned=st.sampled_from((*BINS, "box")),
        jitter=st.floats(-0.9, 0.9),
        along=st.floats(0, 1),
    )
    return st.lists(part, min_size=1, max_size=14)


parts = parts_on_belt(12)
parts_apart = parts_on_belt(2 * TOLERANCE_S * SPEED_MM_PER_S + 1)
"""No two are due at one beam at times that overlap: else nobody could tell which of them came, and which did not."""
stops = st.lists(st.tuples(st.floats(0.2, 3.0), st.floats(0.2, 3.0)), max_size=3)


class Bench:
    """A belt of constant speed that may stop, and the beams' script."""

    def __init__(self, watched: tuple[str, ...] = BINS, *, end: bool = True) -> None:
        config = machine_config(watched, end=end)
        self.beams = {sensor.name: ScriptedBeam(sensor.name, started=True) for sensor in config.sensors}
        self.said: list[str] = []
        self.out: list[str] = []
        self.stopped: list[str] = []
        self.confirmation = Confirmation(
            Places(config, bins_config(), self.beams),
            self.beams,
            config.confirmation,
            Consequences(self.said.append, self.out.append, self.stopped.append),
        )
        self.gates_mm = {gate.name: gate.x_mm for gate in config.gates}
        self.findings: list[Finding] = []
        self._stops: list[tuple[float, float]] = []
        self._now_s = 0.0
        self._known = 0
        self._laid: list[tuple[Part, float]] = []
        self._lead_mm = 0.0

    def stop_belt(self, stops: list[tuple[float, float]]) -> None:
        """Lets the belt stand: (running time before, standing time) one after the other."""
        self._stops = stops

    def lay(self, part: Part, goes: str | None) -> int:
        """Puts a part on the belt, whose beams will see it where it goes; returns its track."""
        self._lead_mm = max(self._lead_mm, self.travel_at(self._now_s)) + part.gap_mm
        lead_mm, trail_mm = self._lead_mm, self._lead_mm + part.length_mm
        self._lead_mm = trail_mm
        self._laid.append((part, lead_mm))
        if goes is not None:
            x_mm = END_MM if goes == "box" else self.gates_mm[f"g{goes[-1]}"]
            fall_s = 0.0 if goes == "box" else FALL_S
            seen_s = self.second_at(lead_mm + part.along * part.length_mm + x_mm) + fall_s + part.jitter * TOLERANCE_S
            self.see("s-end" if goes == "box" else f"s-{goes}", seen_s)
        return len(self._laid) - 1

    def see(self, beam: str, instant_s: float) -> None:
        if beam in self.beams:
            self.beams[beam].due_s.append(instant_s)

    def second_at(self, travel_mm: float) -> float:
        second = travel_mm / SPEED_MM_PER_S
        running_s = 0.0
        for before_s, stands_s in self._stops:
            running_s += before_s
            if second > running_s:
                second += stands_s
                running_s += stands_s
        return second

    def travel_at(self, second: float) -> float:
        ran_s, from_s = 0.0, 0.0
        for before_s, stands_s in self._stops:
            ran_s += min(max(second - from_s, 0.0), before_s)
            from_s += before_s + stands_s
        return (ran_s + max(second - from_s, 0.0)) * SPEED_MM_PER_S

    def run(self) -> None:
        """Lets everything pass."""
        end_s = self.second_at(self._lead_mm + END_MM + 300)
        while self._now_s < end_s:
            self._now_s += FRAME_S
            now_mm = self.travel_at(self._now_s)
            for track_id, (part, lead_mm) in enumerate(self._laid[self._known :], start=self._known):
                if lead_mm + part.length_mm + VIEW_MM <= now_mm:
                    self._known += 1
                    self.confirmation.expect(Plan(track_id, part.planned, False), lead_mm, lead_mm + part.length_mm)
            for beam in self.beams.values():
                beam.now_s = self._now_s
            self.findings += self.confirmation.update(self._now_s, now_mm)

    def outcome(self) -> dict[int, tuple[Confirmed, str]]:
        """What was found of each track; fails when something was found twice."""
        found = {finding.track_id: (finding.confirmed, finding.seen_in) for finding in self.findings}
        assert len(found) == len(self.findings), self.findings
        return found


def seen(count: int) -> dict[int, tuple[Confirmed, str]]:
    return dict.fromkeys(range(count), (Confirmed.SEEN, ""))


@settings(max_examples=25)
@given(parts=parts, stops=stops)
def test_a_machine_that_sorts_well_has_every_part_seen_and_says_nothing(
    parts: list[Part], stops: list[tuple[float, float]]
) -> None:
    bench = Bench()
    bench.stop_belt(stops)
    for part in parts:
        bench.lay(part, part.planned)
    bench.run()
    assert bench.outcome() == seen(len(parts))
    assert (bench.said, bench.out, bench.stopped) == ([], [], [])
    assert not any(bench.confirmation.awaits(track_id) for track_id in range(len(parts)))


@settings(max_examples=25)
@given(parts=parts_apart, which=st.integers(0, 13), stops=stops)
def test_a_part_that_falls_off_is_missing_once_and_all_others_are_seen(
    parts: list[Part], which: int, stops: list[tuple[float, float]]
) -> None:
    bench, lost = Bench(), which % len(parts)
    bench.stop_belt(stops)
    for track_id, part in enumerate(parts):
        bench.lay(part, None if track_id == lost else part.planned)
    bench.run()
    assert bench.outcome() == {**seen(len(parts)), lost: (Confirmed.MISSING, "")}
    assert bench.said == [line for line in bench.said if line.startswith(f"track {lost}, planned for")]
    assert len(bench.said) == 1
    assert (bench.out, bench.stopped) == ([], [])


@settings(max_examples=25)
@given(parts=parts_apart, which=st.integers(0, 13), to=st.integers(0, len(BINS)), stops=stops)
def test_a_part_in_the_wrong_place_is_told_once_with_the_place(
    parts: list[Part], which: int, to: int, stops: list[tuple[float, float]]
) -> None:
    bench, astray = Bench(), which % len(parts)
    places = [place for place in (*BINS, "box") if place != parts[astray].planned]
    went = places[to % len(places)]
    bench.stop_belt(stops)
    for track_id, part in enumerate(parts):
        bench.lay(part, went if track_id == astray else part.planned)
    bench.run()
    place = "the belt's end" if went == "box" else went
    assert bench.outcome() == {**seen(len(parts)), astray: (Confirmed.WRONG_PLACE, place)}
    assert len(bench.said) == 1
    first_gate = min(int(name[-1]) for name in (went, parts[astray].planned) if name != "box")
    assert f": g{first_gate} should have stood at" in bench.said[0]
    assert (bench.out, bench.stopped) == ([], [])


def evenly(bench: Bench, planned: str, goes: str | None, count: int = 1) -> list[int]:
    """Parts far apart."""
    return [bench.lay(Part(150.0, 20.0, planned, 0.0), goes) for _ in range(count)]


def test_a_sensor_that_does_not_answer_is_told_once_and_its_bin_not_checked() -> None:
    bench = Bench()
    bench.beams["s-left2"].dead = True
    evenly(bench, "left2", None, 5)
    evenly(bench, "right2", "right2", 2)
    bench.run()
    assert bench.outcome() == {5: (Confirmed.SEEN, ""), 6: (Confirmed.SEEN, "")}
    assert bench.said == [
        "sensor s-left2 does not answer (sensor s-left2: no answer): check its cable, then start again."
        " Until then 'left2' is not checked"
    ]
    assert bench.out == []


def test_a_beam_that_is_blocked_accuses_nobody_and_is_told_once() -> None:
    bench = Bench()
    evenly(bench, "left2", None, 6)
    bench.beams["s-left2"].blocked_since_s = 0.0
    bench.run()
    assert bench.outcome() == {}
    assert [line[:43] for line in bench.said] == ["sensor s-left2 is dark all the time: take o"]
    assert bench.out == []


def test_a_beam_that_gets_clear_is_trusted_again() -> None:
    bench = Bench()
    bench.beams["s-left2"].blocked_since_s = 0.0
    evenly(bench, "left2", None, 6)
    bench.run()
    bench.beams["s-left2"].blocked_since_s = None
    after = evenly(bench, "left2", "left2", 4)
    bench.run()
    assert bench.outcome() == dict.fromkeys(after, (Confirmed.SEEN, ""))
    assert bench.said[1:] == ["sensor s-left2 works again: 'left2' is checked"]


def test_a_blind_sensor_is_told_apart_from_its_gate_and_forgiven_when_it_sees_again() -> None:
    bench = Bench()
    evenly(bench, "left2", None, 8)
    bench.run()
    assert list(bench.outcome().values()) == [(Confirmed.MISSING, "")] * 3
    assert bench.out == []
    assert bench.said[1].startswith("sensor s-left2 did not see 3 of the last 3 parts")
    assert len(bench.said) == 2
    after = evenly(bench, "left2", "left2", 14)
    bench.run()
    assert [track_id for track_id in after if bench.outcome().get(track_id) == (Confirmed.SEEN, "")] == after[10:]
    assert bench.said[2:] == ["sensor s-left2 works again: 'left2' is checked"]


def test_without_another_witness_the_gate_is_not_used_any_more_and_both_are_named() -> None:
    bench = Bench(("left2",), end=False)
    evenly(bench, "left2", None, 3)
    bench.run()
    assert bench.out == ["g2"]
    assert "or sensor s-left2 is blind" in bench.said[-1]


def test_single_faults_far_apart_have_no_consequences() -> None:
    bench = Bench()
    for _ in range(12):
        evenly(bench, "left2", "box")
        evenly(bench, "left2", "left2", 5)
    bench.run()
    assert bench.confirmation.counts == {Confirmed.SEEN: 60, Confirmed.WRONG_PLACE: 12}
    assert (bench.out, bench.stopped) == ([], [])


def test_a_storm_of_faults_is_no_storm_of_lines() -> None:
    bench = Bench()
    for _ in range(40):
        for bin_name in BINS:
            evenly(bench, bin_name, "box")
    bench.run()
    assert bench.confirmation.counts == {Confirmed.WRONG_PLACE: 320}
    assert sorted(bench.out) == ["g1", "g2", "g3", "g4"]
    minutes = bench.second_at(320 * 170.0 + END_MM) / 60
    assert len(bench.said) <= len(bench.out) + minutes + 1


def test_what_diverts_instead_of_passing_stops_the_machine() -> None:
    bench = Bench()
    evenly(bench, "right4", "left1", 3)
    bench.run()
    assert bench.out == []
    assert bench.stopped == [
        "gate g1 stays at left: 3 of the last 3 parts that should have passed it did not. Free its arm and check its"
        " cable, then start again"
    ]


@pytest.mark.parametrize(("end", "watched"), [(True, ()), (True, ("left1",))])
def test_a_belts_end_that_stays_empty_stops_a_machine_whose_bins_are_not_all_watched(
    end: bool, watched: tuple[str, ...]
) -> None:
    bench = Bench(watched, end=end)
    evenly(bench, "box", "box", 4)
    evenly(bench, "box", None, 5)
    bench.run()
    assert bench.stopped == [
        "3 parts in a row did not come to the belt's end: a gate stands in the way, or sensor s-end is blind."
        " Look which, then start again"
    ]


def test_two_parts_in_one_track_break_the_beam_twice_and_are_no_fault() -> None:
    bench = Bench()
    (track_id,) = evenly(bench, "box", "box")
    bench.see("s-end", bench.second_at(150 + 10 + END_MM) + 0.1)
    bench.run()
    assert bench.outcome() == {track_id: (Confirmed.SEEN, "")}
    assert bench.said == []


def test_a_machine_without_sensors_has_nothing_to_say() -> None:
    bench = Bench((), end=False)
    evenly(bench, "left1", None, 5)
    bench.run()
    assert (bench.findings, bench.said, bench.confirmation.in_words()) == ([], [], None)
