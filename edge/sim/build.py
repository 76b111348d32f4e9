"""The simulated machine for a pair of YAML files."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge.catalogue.colours import Colour
from edge.config.bins import BinsConfig, LayoutNode
from edge.config.gates import GateConfig, MaybeServoBase
from edge.config.schema import GpioEncoderConfig, MachineConfig, SimEncoderConfig, SimFeederConfig
from edge.errors import InputError
from edge.sim.actors import Actors
from edge.sim.camera import SimCamera
from edge.sim.fault_board import FaultBoard
from edge.sim.light import Light, lamp_cast
from edge.sim.parts import PartMaker
from edge.sim.scene import BeltScene
from edge.sim.settings import (
    PATIENCE_S,
    BeltSettings,
    CameraSettings,
    FeedSettings,
    GateSettings,
    Layout,
    ReturnSettings,
    SimSettings,
)
from edge.sim.sprites import SpriteAtlas
from edge.sim.view import View
from edge.sim.world import SimWorld

JITTERS = 3
"""Standard deviations that a gate's `repeatability_s` is taken for."""
BURNS = 1.5
"""A simulated coil stands so much more than its `max_on_s`."""
LINGER_MM = 450.0
"""Belt that passes after the last part has ended, until the sensors have told what they know of it."""
PATIENT_INTERVALS = 10
"""Mean intervals between two parts in which nothing may happen before a run counts as over."""
PATIENT_WAYS = 2
"""The same in rides down the whole belt."""


@dataclass(frozen=True, eq=False)
class SimMachine:
    """A simulated machine: its physics with all other devices, its camera, and a board to break them on."""

    world: SimWorld
    camera: SimCamera
    faults: FaultBoard


def build_world(
    machine: MachineConfig,
    bins: BinsConfig,
    colours: Sequence[Colour],
    *,
    seed: int,
    parts: int,
    parts_per_min: float | None = None,
    families: Collection[str] | None = None,
    atlas: SpriteAtlas | None = None,
    **feed: Any,
) -> SimMachine:
    """Build the simulated machine of two YAML files, standing still.

    To run it, start the camera, the encoder and the belt motor and set the feeder's rate. Frames carry the encoder's
    reading; a machine that reads the belt otherwise sets `world.read_belt_mm`.

    Args:
        machine: machine.yaml.
        bins: bins.yaml.
        colours: colours that come.
        seed: everything random follows from it.
        parts: how many parts are fed.
        parts_per_min: as `FeedSettings`; the feeder itself stands until `set_rate`. None: the YAML's.
        families: part numbers that come; None: all that there are sprites of.
        atlas: sprites; None: the shipped ones.
        feed: other fields of `FeedSettings`.

    Raises:
        InputError: no sprites, or none of the wanted families.
    """
    settings = sim_settings(machine, bins, parts=parts, parts_per_min=parts_per_min, **feed)
    return build(settings, colours, seed=seed, families=families, atlas=atlas)


def sim_settings(
    machine: MachineConfig, bins: BinsConfig, *, parts: int, parts_per_min: float | None = None, **feed: Any
) -> SimSettings:
    """What the YAML says of the machine; whatever the drivers are, they are simulated.

    Args:
        machine: machine.yaml.
        bins: bins.yaml.
        parts: how many parts are fed.
        parts_per_min: the feeder's rate before anybody sets one; None: the YAML's.
        feed: other fields of `FeedSettings`.
    """
    camera = CameraSettings(
        width_px=machine.camera.width_px,
        height_px=machine.camera.height_px,
        frames_per_s=machine.camera.frames_per_s,
        px_per_mm=machine.camera.px_per_mm,
        direction=machine.camera.belt_direction,
        region_px=machine.camera.belt_region_px,
        station_mm=machine.camera.station_mm,
    )
    half_width_mm = min(FeedSettings().half_width_mm, camera.across_mm / 2 - 10)
    wanted = FeedSettings(
        parts=parts,
        parts_per_min=machine.feeder.parts_per_min if parts_per_min is None else parts_per_min,
        half_width_mm=half_width_mm,
    )
    if isinstance(machine.feeder, SimFeederConfig):
        feeder = machine.feeder
        feed_mm = wanted.feed_mm if feeder.x_mm is None else camera.station_mm - feeder.x_mm
        shares = {"arrivals": feeder.arrivals, "touching_share": feeder.touching_share}
        wanted = replace(wanted, feed_mm=feed_mm, **shares)
    fed = replace(wanted, **feed)
    interval_s = 60 / fed.parts_per_min if fed.parts_per_min > 0 else 0.0
    reversal = machine.belt.reversal
    end_mm = max(*(gate.x_mm for gate in machine.gates), reversal.end_mm if reversal else 0.0)
    # Nothing is news while the last part rides down a long belt, or a slow one.
    patience_s = max(PATIENCE_S, PATIENT_INTERVALS * interval_s, PATIENT_WAYS * end_mm / machine.belt.belt_mm_per_s)
    return SimSettings(
        gates=tuple(_gate(gate, machine.belt.belt_mm_per_s) for gate in machine.gates),
        layout=Layout(bins.layout.gate, _exits(bins.layout), bins.default_bin),
        belt=_belt(machine),
        feed=fed,
        camera=camera,
        linger_s=LINGER_MM / machine.belt.belt_mm_per_s if machine.sensors else 0.0,
        returns=ReturnSettings() if bins.recirculates else None,
        ends_mm=(reversal.start_mm, reversal.end_mm) if reversal else None,
        patience_s=patience_s,
    )


def build(
    settings: SimSettings,
    colours: Sequence[Colour],
    *,
    seed: int,
    families: Collection[str] | None = None,
    atlas: SpriteAtlas | None = None,
    machine_seed: int | None = None,
) -> SimMachine:
    """As `build_world`, from settings.

    Args:
        machine_seed: what its belt and its light look like follows from this; None: from `seed` as all else.
    """
    atlas = atlas or SpriteAtlas()
    shapes = [shape for shape in atlas.shapes if families is None or shape.family in families]
    if not shapes:
        raise InputError("the simulated machine has sprites of none of the wanted parts: name starter parts")
    part_rng, _, _ = map(np.random.default_rng, np.random.SeedSequence([seed, 0]).spawn(3))
    own = seed if machine_seed is None else machine_seed
    _, light_rng, scene_rng = map(np.random.default_rng, np.random.SeedSequence([own, 0]).spawn(3))
    feed = settings.feed
    maker = PartMaker(shapes, colours, feed.transparent_share, feed.half_width_mm, part_rng)
    world = SimWorld(settings, maker, seed)
    world.read_belt_mm = world.encoder.belt_mm
    view = View(settings.camera, settings.camera.hidden) if settings.camera.hidden else None
    drawn = view.canvas if view else settings.camera
    light = Light(drawn, light_rng)
    # Behind a view the belt is blurred as it moves at each exposure, and not once for all.
    scene = BeltScene(drawn, 0.0 if view else settings.belt.belt_mm_per_s, light.pedestal, scene_rng)
    actors = Actors(atlas, scene, light, view.eye if view else None)
    camera = SimCamera(world, settings.camera, scene, actors, light, seed, view)
    if hidden := settings.camera.hidden:
        camera.imager.cast = lamp_cast(hidden.lamp_k)
    return SimMachine(world, camera, FaultBoard(world, camera))


def _exits(layout: LayoutNode) -> dict[str, dict[str, str]]:
    """Each gate of the layout and where its positions lead."""
    return {
        node.gate: {
            position: exit_.gate if isinstance(exit_, LayoutNode) else exit_ for position, exit_ in node.exits.items()
        }
        for node, _ in layout.nodes()
    }


def _belt(machine: MachineConfig) -> BeltSettings:
    encoder, settings = machine.belt.encoder, BeltSettings(belt_mm_per_s=machine.belt.belt_mm_per_s)
    known = isinstance(encoder, GpioEncoderConfig | SimEncoderConfig)
    return replace(settings, mm_per_tick=encoder.mm_per_tick) if known else settings


def _gate(gate: GateConfig, belt_mm_per_s: float) -> GateSettings:
    pulses_us = _sent_us(gate)
    return GateSettings(
        name=gate.name,
        x_mm=gate.x_mm,
        positions=gate.positions,
        rest=gate.rest,
        latency_s=gate.latency_s,
        travel_s=gate.travel_s,
        jitter_s=gate.repeatability_s / JITTERS,
        kind=gate.kind,
        reach_mm=gate.reach_mm,
        beyond_mm=(gate.fall_s or 0.0) * belt_mm_per_s,
        angles_deg=tuple(gate.angle_deg[position] for position in gate.positions) if gate.angle_deg else (),
        burns_after_s=BURNS * gate.max_on_s if gate.max_on_s else math.inf,
        pulses_us=pulses_us,
        true_pulses_us=pulses_us,
    )


def with_pulses(settings: SimSettings, gates: Sequence[GateConfig]) -> SimSettings:
    """The same machine, its servos sent what these gates say; where pulses put them stays as it is."""
    sent = {gate.name: _sent_us(gate) for gate in gates}
    return replace(settings, gates=tuple(replace(gate, pulses_us=sent[gate.name]) for gate in settings.gates))


def _sent_us(gate: GateConfig) -> tuple[float, ...]:
    """What a servo is sent for each of its positions; () for a gate that is none."""
    pulse_us = gate.pulse_us if isinstance(gate, MaybeServoBase) else None
    return tuple(float(pulse_us[position]) for position in gate.positions) if pulse_us else ()
