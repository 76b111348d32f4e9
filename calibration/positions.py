"""The servos: which pulses put each gate flush with the wall, and which put it where it closes the lane.

Nothing on a servo gate tells where its arm stands, so somebody looks: the machine holds one position at a time, and is
told to turn it a little this way or that until it is right. A horn that sits between two teeth is off by the same angle
in every position, so what the rest was off by is where the others begin.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from calibration.ended import END, EndedError
from calibration.positions_picture import draw_positions
from calibration.rig import Rig, Task
from calibration.step import Fit, RefusedError, Step
from edge.config.calibration import PositionsCalibration, Residual
from edge.config.gates import PULSE_US, GateConfig, MaybeServoBase
from edge.hardware.interfaces import Nudgeable

NUDGES_US = {"+": 10, "-": -10, "++": 50, "--": -50}
"""A hobby servo turns by about a degree for 10 µs."""
RIGHT = "ok"
LOOK_S, WATCH_S = 3.0, 3.0
"""What it takes a person to look at an arm and answer, and to watch a gate go through its positions."""
MOST_NUDGES = 60
APART_US = 100
"""Two positions of a gate that are nearer, some ten degrees, are hardly two."""
SETTLES_S = 0.2
AWAY_US = 55
"""From where a rest is found once more: a little more than a nudge, so that nobody just takes that back."""
MOST_OFF_US, MOST_APART_US, MOST_AGAIN_US = 400, 400, 40
"""What is let pass. A rest that is further off takes outer positions near a hobby servo's end stops; corrections that
differ by more are of positions that machine.yaml hardly means; a rest that is not found again to 4° is no rest."""


@dataclass(frozen=True, slots=True)
class PositionsData:
    """By gate and position: the pulses that machine.yaml names, those that were found right, and a rest as it was
    found once more, in µs."""

    written_us: Mapping[str, Mapping[str, int]]
    found_us: Mapping[str, Mapping[str, int]]
    again_us: Mapping[str, Mapping[str, int]]


def collect(rig: Rig) -> PositionsData:
    """Nudges every servo's positions, one after the other.

    Raises:
        RefusedError: there is no servo, or whoever stands there ends it.
        HardwareError: a gate fails.
    """
    servos = servos_of(rig)
    if not servos:
        raise RefusedError("positions: machine.yaml has no servo gate (pulse_us) whose positions could be nudged")
    written = {gate.name: pulse_us for gate in rig.machine.gates if (pulse_us := _pulses(rig, gate))}
    rig.operator.say(
        f"+ and - turn an arm by {NUDGES_US['+']} µs, about a degree, ++ and -- by {NUDGES_US['++']} µs; which way is"
        " which depends on how the servo is mounted"
    )
    found: dict[str, dict[str, int]] = {}
    again: dict[str, dict[str, int]] = {}
    gates = [gate for gate in rig.config.gates if gate.name in servos]
    try:
        for gate in gates:
            found[gate.name] = _nudge_all(rig, gate, servos[gate.name])
        for gate in gates:
            _watch(rig, gate, found[gate.name])
        first = gates[0]  # It is the same eyes for all.
        rig.operator.say(f"Now {first.name}'s rest once more, from beside it: that tells how well positions are found")
        again[first.name] = {first.rest: _nudge(rig, first, first.rest, _beside(found[first.name][first.rest]))}
    finally:
        for gate in gates:
            _send(rig, gate.name, (found.get(gate.name) or servos[gate.name])[gate.rest])
    return PositionsData(written, found, again)


def fit(rig: Rig, data: PositionsData) -> Fit[PositionsCalibration]:
    """The pulses as they were found.

    Raises:
        RefusedError: two positions of a gate are hardly apart, or lie in another order than in machine.yaml.
    """
    for gate, found_us in data.found_us.items():
        _check(gate, found_us, data.written_us[gate])
    section = PositionsCalibration(
        made_at=rig.now(),
        measured_from=f"{rig.source}, {len(data.found_us)} servos nudged",
        residuals=_residuals(rig, data),
        pulse_us={gate: dict(found_us) for gate, found_us in data.found_us.items()},
    )
    picture = draw_positions(data.written_us, data.found_us, data.again_us)
    return Fit(section, picture, tuple(_note(gate, data) for gate in data.found_us))


def _residuals(rig: Rig, data: PositionsData) -> dict[str, Residual]:
    """Each of the gate for which it is worst."""
    rests = {gate.name: gate.rest for gate in rig.machine.gates}
    off = {gate: _corrections(data.written_us[gate], found) for gate, found in data.found_us.items()}
    rest = [abs(own[rests[gate]]) for gate, own in off.items()]
    apart = [max(own.values()) - min(own.values()) for own in off.values()]
    again = [abs(us) for gate, once in data.again_us.items() for us in _corrections(data.found_us[gate], once).values()]
    return {
        "rest off by": Residual(value=max(rest), limit=MOST_OFF_US, unit="µs"),
        "a gate's corrections differ by": Residual(value=max(apart), limit=MOST_APART_US, unit="µs"),
        "rest found again within": Residual(value=max(again), limit=MOST_AGAIN_US, unit="µs"),
    }


def _corrections(before_us: Mapping[str, int], after_us: Mapping[str, int]) -> dict[str, int]:
    return {position: us - before_us[position] for position, us in after_us.items()}


def servos_of(rig: Rig) -> dict[str, dict[str, int]]:
    """The pulse widths in µs that each servo gate is sent, by position."""
    return {gate.name: pulse_us for gate in rig.config.gates if (pulse_us := _pulses(rig, gate))}


def _pulses(rig: Rig, gate: GateConfig) -> dict[str, int] | None:
    """What a gate is sent, where it is a servo."""
    if isinstance(gate, MaybeServoBase) and isinstance(rig.gates[gate.name], Nudgeable):
        return gate.pulse_us
    return None


def _nudge_all(rig: Rig, gate: GateConfig, pulse_us: Mapping[str, int]) -> dict[str, int]:
    """Rest first: by what it was off, the others probably are."""
    found = {gate.rest: _nudge(rig, gate, gate.rest, pulse_us[gate.rest])}
    off_us = found[gate.rest] - pulse_us[gate.rest]
    for position in gate.positions:
        if position != gate.rest:
            found[position] = _nudge(rig, gate, position, _within(pulse_us[position] + off_us))
    _send(rig, gate.name, found[gate.rest])
    return {position: found[position] for position in gate.positions}


def _nudge(rig: Rig, gate: GateConfig, position: str, pulse_us: int) -> int:
    """Holds one position until it is right."""
    words = f"{gate.name} '{position}', {_wanted(gate, position)}: right?"
    what = {"gate": gate.name, "position": position}
    for _ in range(MOST_NUDGES):
        _send(rig, gate.name, pulse_us)
        rig.wait_until(rig.clock.now_s() + gate.latency_s + gate.travel_s + SETTLES_S)
        answer = rig.operator.do(Task(words, "nudge", what, LOOK_S, (RIGHT, *NUDGES_US, END)))
        if answer == RIGHT:
            return pulse_us
        if answer == END:
            raise EndedError(f"positions: ended at {gate.name} '{position}': the old positions hold")
        wanted_us = pulse_us + NUDGES_US[answer]
        pulse_us = _within(wanted_us)
        if pulse_us != wanted_us:
            rig.operator.say(f"a servo takes {PULSE_US[0]} to {PULSE_US[1]} µs: put the horn on another tooth")
    raise RefusedError(
        f"positions: {gate.name} '{position}' is not right after {MOST_NUDGES} nudges: look whether its servo moves"
        " (power, cable, horn), then begin again"
    )


def _within(pulse_us: int) -> int:
    return min(max(pulse_us, PULSE_US[0]), PULSE_US[1])


def _beside(pulse_us: int) -> int:
    """A place from which a position is found anew."""
    return pulse_us + (AWAY_US if pulse_us + AWAY_US <= PULSE_US[1] else -AWAY_US)


def _wanted(gate: GateConfig, position: str) -> str:
    """What is to be seen once the position is right."""
    if gate.kind == "chute":
        return "its mouth over the middle of the bin"
    if position == gate.rest:
        return "flush with the wall, so that every part passes"
    return "pushing right across" if gate.kind == "pusher" else "the lane closed, so that no part slips past"


def _watch(rig: Rig, gate: GateConfig, found_us: Mapping[str, int]) -> None:
    """Has a gate go through its positions once more: an arm that sticks or has play shows it now."""
    for position in (*(one for one in gate.positions if one != gate.rest), gate.rest):
        _send(rig, gate.name, found_us[position])
        rig.wait_until(rig.clock.now_s() + gate.latency_s + gate.travel_s + SETTLES_S)
    words = f"{gate.name} went through its positions: was each right, and is it flush again?"
    if rig.operator.do(Task(words, "watch-gates", {"gate": gate.name}, WATCH_S, ("yes", "no"))) != "yes":
        raise RefusedError(
            f"positions: {gate.name} does not come back to where it was: tighten its horn and its screws, then begin"
            " again"
        )


def _send(rig: Rig, gate: str, pulse_us: int) -> None:
    servo = rig.gates[gate]
    assert isinstance(servo, Nudgeable)
    servo.set_pulse_us(pulse_us)


def _check(gate: str, found_us: Mapping[str, int], written_us: Mapping[str, int]) -> None:
    order = sorted(found_us, key=lambda position: found_us[position])
    for one, other in itertools.pairwise(order):
        if found_us[other] - found_us[one] < APART_US:
            raise RefusedError(
                f"positions: '{one}' and '{other}' of {gate} are {found_us[other] - found_us[one]} µs apart, at least"
                f" {APART_US} are wanted: the old positions hold; nudge each to its own place"
            )
    written = sorted(written_us, key=lambda position: written_us[position])
    if order not in (written, written[::-1]):
        raise RefusedError(
            f"positions: {gate} turns through {', '.join(order)}, and by machine.yaml through {', '.join(written)}: the"
            " old positions hold; look whether two were taken for each other"
        )


def _note(gate: str, data: PositionsData) -> str:
    found = ", ".join(f"{position} {us} µs" for position, us in data.found_us[gate].items())
    most_us = max(abs(us) for us in _corrections(data.written_us[gate], data.found_us[gate]).values())
    return f"{gate}: {found}; up to {most_us} µs from machine.yaml's"


STEP = Step("positions", "nudges each servo's rest and working positions", collect, fit)
