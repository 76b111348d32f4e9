"""What a simulated machine is really like, where its YAML only says what its builder believes.

`brickgate-calibrate` has to find these out through the machine's own devices. Only tests, and the simulation that plays
the machine, read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from edge.config.schema import MachineConfig
from edge.sim.settings import GateSettings, HiddenCamera, SimSettings

HORN_US, ANGLE_US = 80.0, 40.0
"""A servo's horn fits its teeth to about a half of their 160 µs, and a builder's angles are off by so much more."""


@dataclass(frozen=True, slots=True)
class HiddenGate:
    """The truth about one gate."""

    x_mm: float
    latency_s: float
    travel_s: float
    pulses_us: tuple[float, ...] = ()
    """Of a servo: with which it really stands in each of its positions."""


@dataclass(frozen=True, slots=True)
class HiddenTruth:
    """The truth about a machine.

    Attributes:
        px_per_mm: at the belt's surface, in the middle of the raw picture.
        pitch_deg: the camera leans along the belt's way.
        roll_deg: it leans across.
        yaw_deg: it is turned in the picture's plane, clockwise.
        k1: OpenCV's first radial term.
        k2: its second.
        lamp_k: colour temperature of the lamp; the camera's gains of 1 are for 5,500 K.
        lamp: its brightness, 1 as built.
        focus_dioptres: of the lens when the belt is sharp.
        belt_mm_per_s: the belt's mean speed.
        mm_per_tick: the encoder's.
        gates: by name.
        temperature: how far too sure the network is: its logits are multiplied by this.
    """

    px_per_mm: float
    pitch_deg: float
    roll_deg: float
    yaw_deg: float
    k1: float
    k2: float
    lamp_k: float
    lamp: float
    focus_dioptres: float
    belt_mm_per_s: float
    mm_per_tick: float
    gates: Mapping[str, HiddenGate]
    temperature: float


def draw_hidden(machine: MachineConfig, settings: SimSettings, seed: int) -> HiddenTruth:
    """A machine as a careful builder makes one after the YAML: a few per cent and a few degrees off everywhere."""
    rng, servo_rng = np.random.default_rng([seed, 77]), np.random.default_rng([seed, 79])

    def near(value: float, share: float) -> float:
        return float(value * (1 + rng.uniform(-share, share)))

    def within(least: float, most: float) -> float:
        return float(rng.uniform(least, most))

    return HiddenTruth(
        px_per_mm=near(machine.camera.px_per_mm, 0.08),
        pitch_deg=within(-3, 3),
        roll_deg=within(-3, 3),
        yaw_deg=within(-3, 3),
        k1=within(-0.12, 0.04),
        k2=within(-0.02, 0.02),
        lamp_k=within(4000, 7000),
        lamp=within(0.6, 1.6),
        focus_dioptres=within(2.0, 5.0),
        belt_mm_per_s=near(machine.belt.belt_mm_per_s, 0.08),
        mm_per_tick=near(settings.belt.mm_per_tick, 0.05),
        gates={gate.name: _draw_gate(gate, rng, servo_rng) for gate in settings.gates},
        temperature=within(0.8, 1.5),
    )


def _draw_gate(gate: GateSettings, rng: np.random.Generator, servo_rng: np.random.Generator) -> HiddenGate:
    horn_us = servo_rng.uniform(-HORN_US, HORN_US)
    return HiddenGate(
        x_mm=gate.x_mm + float(rng.uniform(-8, 8)),
        latency_s=gate.latency_s + float(rng.uniform(-0.01, 0.04)),
        travel_s=gate.travel_s * float(rng.uniform(0.7, 1.3)),
        pulses_us=tuple(float(us + horn_us + servo_rng.uniform(-ANGLE_US, ANGLE_US)) for us in gate.pulses_us),
    )


def hide(settings: SimSettings, truth: HiddenTruth) -> SimSettings:
    """The simulated machine as it really is."""
    belt = replace(
        settings.belt,
        belt_mm_per_s=truth.belt_mm_per_s,
        mm_per_tick=truth.mm_per_tick,
        believed_mm_per_tick=settings.belt.mm_per_tick,
        tick_error=0.0,
    )
    # The lens is the one that was bought; the scale is off because of the height at which it was mounted.
    height_mm = settings.camera.height_mm * settings.camera.px_per_mm / truth.px_per_mm
    camera = replace(settings.camera, px_per_mm=truth.px_per_mm, height_mm=height_mm, hidden=_hidden_camera(truth))
    gates = tuple(
        replace(gate, x_mm=own.x_mm, latency_s=own.latency_s, travel_s=own.travel_s, true_pulses_us=own.pulses_us)
        for gate in settings.gates
        for own in (truth.gates[gate.name],)
    )
    return replace(settings, belt=belt, camera=camera, gates=gates)


def _hidden_camera(truth: HiddenTruth) -> HiddenCamera:
    return HiddenCamera(**{field.name: getattr(truth, field.name) for field in fields(HiddenCamera)})
