"""The simulated machine for a pair of YAML files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge.catalogue.colours import Colour, load_colours
from edge.config.bins import BinsConfig, LayoutNode
from edge.config.schema import MachineConfig
from edge.errors import InputError
from edge.sim.actors import Actors
from edge.sim.camera import SimCamera
from edge.sim.faults import FaultBoard
from edge.sim.light import Light
from edge.sim.parts import PartMaker
from edge.sim.scene import BeltScene
from edge.sim.settings import BeltSettings, CameraSettings, FeedSettings, GateSettings, Layout, SimSettings
from edge.sim.sprites import SpriteAtlas
from edge.sim.world import SimWorld


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated machine: its physics, its camera and a way to break it."""

    world: SimWorld
    camera: SimCamera
    faults: FaultBoard


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
    return SimSettings(
        gates=tuple(
            GateSettings(gate.name, gate.x_mm, gate.positions, gate.rest, gate.latency_s, gate.travel_s)
            for gate in machine.gates
        ),
        layout=Layout(bins.layout.gate, dict(_exits(bins.layout)), bins.default_bin),
        belt=BeltSettings(belt_mm_per_s=machine.belt.belt_mm_per_s),
        feed=replace(wanted, **feed),
        camera=camera,
    )


def build_simulation(
    settings: SimSettings,
    *,
    seed: int,
    families: Collection[str] | None = None,
    colours: Sequence[Colour] | None = None,
    atlas: SpriteAtlas | None = None,
) -> Simulation:
    """Build a machine that stands still: start the camera, the encoder and the belt motor, and set the feeder's rate.

    Frames carry the encoder's reading; a machine that reads the belt otherwise sets `world.read_belt_mm`.

    Args:
        settings: from `sim_settings`.
        seed: everything random follows from it.
        families: part numbers that come; None: all that there are sprites of.
        colours: colours that come; None: those in production.
        atlas: sprites; None: the shipped ones.

    Raises:
        InputError: no sprites, or none of the wanted families.
    """
    atlas = atlas or SpriteAtlas()
    shapes = [shape for shape in atlas.shapes if families is None or shape.family in families]
    if not shapes:
        raise InputError("the simulated machine has sprites of none of the wanted parts: name starter parts")
    part_rng, light_rng, scene_rng = map(np.random.default_rng, np.random.SeedSequence([seed, 0]).spawn(3))
    feed = settings.feed
    maker = PartMaker(shapes, colours or load_colours(), feed.transparent_share, feed.half_width_mm, part_rng)
    world = SimWorld(settings, maker, seed)
    world.read_belt_mm = world.encoder.belt_mm
    light = Light(settings.camera, light_rng)
    scene = BeltScene(settings.camera, settings.belt.belt_mm_per_s, light.pedestal, scene_rng)
    camera = SimCamera(world, settings.camera, scene, Actors(atlas, scene, light), light, seed)
    return Simulation(world, camera, FaultBoard(world, camera))


def _exits(node: LayoutNode) -> Iterator[tuple[str, dict[str, str]]]:
    """Each gate of the layout and where its positions lead."""
    yield (
        node.gate,
        {position: exit_.gate if isinstance(exit_, LayoutNode) else exit_ for position, exit_ in node.exits.items()},
    )
    for exit_ in node.exits.values():
        if isinstance(exit_, LayoutNode):
            yield from _exits(exit_)
