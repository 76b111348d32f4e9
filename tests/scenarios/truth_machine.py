"""A whole machine that recognises perfectly and costs almost nothing: for faults, not for vision.

Everything is the real thing, in virtual time, but three: the camera draws only the bare belt (so that its faults are
seen as they are), the tracker is told by the world what the picture shows, and the network knows three colours. The
tracker follows as the real one does: a part that does not go with the belt's reading is lost and found anew, one that
is cut off has no end yet, and two that touch are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Bundle, BundlePart
from edge.bundle.preprocess import InputSpec
from edge.catalogue.colours import load_colours
from edge.catalogue.parts import PartCatalogue
from edge.config.bins import BinsConfig
from edge.config.schema import MachineConfig
from edge.errors import BrickgateError
from edge.hardware.guarded import GuardedAccelerator
from edge.hardware.interfaces import TensorSpec
from edge.journal.journal import Journal
from edge.machine import Devices, Plans, assemble
from edge.part_state import PartState
from edge.records import TOP_VIEW, Frame, Look, SeenMotion, Track, TrackState
from edge.sim.accelerator import SimAccelerator
from edge.sim.build import sim_settings
from edge.sim.camera import SimCamera
from edge.sim.fault_board import FaultBoard
from edge.sim.light import Light
from edge.sim.parts import PartMaker, PartShape, PoseShape, SimPart
from edge.sim.scene import BeltScene
from edge.sim.sensors import sim_sensors
from edge.sim.world import SimWorld
from edge.simulate import EPOCH_S, couple, start
from edge.tracking.associate import Extent
from edge.tracking.settings import TrackingSettings
from edge.tracking.standing import Standing
from edge.tracking.tracker import Tracker

SIDE_PX = 16
MODEL = Path("truth.tflite")
FAMILIES = ("3001", "3023", "3068")
BIN_OF = {"3001": "reds", "3023": "greens", "3068": "box"}
COLOUR_OF = {"3001": (30, 30, 210), "3023": (40, 190, 30), "3068": (215, 60, 30)}
SLACK_MM, SLACK_SHARE = 3.0, 0.3
PATIENCE = 3
LINGER_S = 3.0


REVERSAL = {"start_mm": -40, "end_mm": 720, "pair_rounds": 4}


def machine_config(*, sensors: bool = True, runs_back: bool = False) -> MachineConfig:
    """Two gates and three bins behind a view of 256 mm; a sensor in each bin and at the belt's end."""
    beams = [{"name": f"in-{name}", "driver": "sim", "at": {"bin": name}} for name in ("reds", "spare", "greens")]
    return MachineConfig.model_validate({
        "camera": {
            "driver": "sim", "width_px": 160, "height_px": 90, "frames_per_s": 12, "px_per_mm": 0.625,
            "belt_region_px": [0, 8, 160, 82],
        },
        "belt": {"belt_mm_per_s": 150, "motor": {"driver": "sim"}, "encoder": {"driver": "sim"},
                 "reversal": REVERSAL if runs_back else None},
        "model": {"bundle": "truth"},
        "fusion": {"min_looks": 3, "max_looks": 30},
        "feeder": {"driver": "sim", "parts_per_min": 90},
        "gates": [
            {"name": "g1", "driver": "sim", "x_mm": 400, "positions": ["left", "pass", "right"]},
            {"name": "g2", "driver": "sim", "x_mm": 520, "positions": ["left", "pass", "right"]},
        ],
        "sensors": [*beams, {"name": "end", "driver": "sim", "at": {"x_mm": 620}}] if sensors else [],
    })  # fmt: skip


def make_plans(config: MachineConfig) -> Plans:
    numbers = (*FAMILIES, "3024")
    bins = BinsConfig.model_validate({
        "default_bin": "box",
        "layout": {
            "gate": "g1", "left": "reds", "right": "spare",
            "pass": {"gate": "g2", "left": "greens", "right": "greens", "pass": "box"},
        },
        "bins": [
            {"name": "reds", "accept": [{"parts": ["3001"]}]},
            {"name": "greens", "accept": [{"parts": ["3023"]}]},
            {"name": "spare", "accept": [{"parts": ["3024"]}]},
        ],
    })  # fmt: skip
    parts = tuple(BundlePart(number, f"Part {number}", "Brick") for number in numbers)
    bundle = Bundle(
        folder=Path("truth"), name="truth", model=MODEL, input=InputSpec(SIDE_PX, SIDE_PX, 0.1), parts=parts,
        temperature=1.0, fusion_exponent=0.6, unsure_below=0.5, size_evidence=None, accelerators=("cpu",),
    )  # fmt: skip
    return Plans(config, bins, bundle, PartCatalogue(parts), load_colours())


class ColourNetwork:
    """An int8 network: its scores are the means of red, green and blue, and nothing for the fourth part."""

    name = "cpu"
    input_spec = TensorSpec((1, SIDE_PX, SIDE_PX, 3), np.dtype(np.int8), 1 / 127.5, 0)
    output_spec = TensorSpec((1, 4), np.dtype(np.int8), 0.15, 0)

    def load(self, model: Path) -> None: ...

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        means = tensor.astype(np.float64).mean(axis=(0, 1, 2)) / 127.5
        return np.rint([[*(means * 10 / 0.15), -128]]).clip(-128, 127).astype(np.int8)

    def close(self) -> None: ...


@dataclass(frozen=True)
class Shown:
    """A part in a picture: stations of its ends, and across."""

    part: SimPart
    lead_x_mm: float
    trail_x_mm: float


class TruthActors:
    """Draws nothing, and notes what a picture would have shown."""

    def __init__(self, view_mm: tuple[float, float]) -> None:
        self._view_mm = view_mm
        self.shown: list[Shown] = []

    def draw(self, image: object, parts: Iterable[SimPart], travel_mm: float, gains: object) -> None:
        begin_mm, end_mm = self._view_mm
        places = [Shown(part, travel_mm - part.lead_belt_mm, travel_mm - part.trail_belt_mm) for part in parts]
        in_view = {at.part.part_id for at in places if at.lead_x_mm > begin_mm + 2 and at.trail_x_mm < end_mm - 2}
        # Of two that touch, the one that is out of view still belongs to what is in it.
        in_view |= {part_id for at in places if at.part.part_id in in_view and (part_id := at.part.against) is not None}
        self.shown = [at for at in places if at.part.part_id in in_view or at.part.against in in_view]


@dataclass
class _Followed:
    track_id: int
    first_frame: int
    shown: Shown
    belt_mm: float
    last_frame: int = 0
    hits: int = 0
    missed: int = 0
    looks: int = 0
    whole: bool = False
    too_long: bool = False
    touching: bool = False
    ends_mm: tuple[float, float] = (np.inf, -np.inf)
    state: TrackState = TrackState.TENTATIVE


class TruthTracker(Tracker):
    """Follows what `actors` noted of the last picture."""

    def __init__(self, settings: TrackingSettings, actors: TruthActors, view_mm: tuple[float, float]) -> None:
        self._limits = settings
        self._actors = actors
        self._view_mm = view_mm
        self._alive: list[_Followed] = []
        self._standing_still = Standing()
        self._seen = SeenMotion()
        self._last_mm: float | None = None
        self._ids = 0

    def restart(self) -> None:
        self._alive, self._last_mm, self._standing_still = [], None, Standing()

    @property
    def standing_mm(self) -> float | None:
        return self._standing_still.x_mm

    @property
    def seen_motion(self) -> SeenMotion:
        return self._seen

    def update(self, frame: Frame) -> list[Track]:
        step_mm = 0.0 if self._last_mm is None else frame.belt_mm - self._last_mm
        self._last_mm = frame.belt_mm
        blobs = self._blobs()
        steps: dict[int, float] = {}
        free = list(blobs)
        for one in self._alive:
            found = self._continues(one, free, frame, step_mm)
            if found is None:
                continue
            free.remove(found)
            moved_mm = found[0].trail_x_mm - one.shown.trail_x_mm
            if one.missed == 0 and one.state is TrackState.CONFIRMED:
                steps[one.track_id] = moved_mm
            self._see(one, found, frame)
        stopped = [
            self._extent(one.shown)
            for one in self._alive
            if one.last_frame != frame.index and one.missed == 0 and one.state is TrackState.CONFIRMED
        ]
        extents = [self._extent(shown) for shown, _ in blobs]
        whole = [extent for extent in extents if not (extent.cut_lead or extent.cut_trail)]
        self._standing_still.update(stopped, whole, frame.belt_mm, step_mm)
        for blob in free:
            self._ids += 1
            self._alive.append(_Followed(self._ids, frame.index, blob[0], frame.belt_mm))
            self._see(self._alive[-1], blob, frame)
        ways = sorted(steps.values())
        self._seen = SeenMotion(ways[len(ways) // 2], frozenset(steps)) if ways else SeenMotion()
        return self._grown_older(frame)

    def _blobs(self) -> list[tuple[Shown, bool]]:
        """What can be told apart: two that touch are one."""
        shown = {at.part.part_id: at for at in self._actors.shown}
        blobs: list[tuple[Shown, bool]] = []
        for at in shown.values():
            before = shown.get(at.part.against) if at.part.against is not None else None
            if before is None:
                blobs.append((at, at.part.touching))
            else:
                index = next(k for k, (other, _) in enumerate(blobs) if other.part is before.part)
                first = blobs[index][0]
                blobs[index] = Shown(first.part, first.lead_x_mm, min(first.trail_x_mm, at.trail_x_mm)), True
        return blobs

    def _continues(
        self, one: _Followed, blobs: list[tuple[Shown, bool]], frame: Frame, step_mm: float
    ) -> tuple[Shown, bool] | None:
        way_mm = frame.belt_mm - one.belt_mm
        slack_mm = SLACK_MM + SLACK_SHARE * step_mm
        for blob in blobs:
            shown = blob[0]
            off_mm = shown.lead_x_mm - one.shown.lead_x_mm - way_mm
            if shown.part is one.shown.part and abs(off_mm) <= slack_mm:
                return blob
        return None

    def _see(self, one: _Followed, blob: tuple[Shown, bool], frame: Frame) -> None:
        shown, touching = blob
        extent = self._extent(shown)
        one.shown, one.belt_mm, one.last_frame, one.missed = shown, frame.belt_mm, frame.index, 0
        one.hits += 1
        one.touching |= touching
        one.too_long |= extent.spans
        lead_mm, trail_mm = frame.belt_mm - extent.lead_mm, frame.belt_mm - extent.trail_mm
        if not (extent.cut_lead or extent.cut_trail):
            one.whole, one.ends_mm = True, (lead_mm, trail_mm)
        elif not one.whole:
            one.ends_mm = min(one.ends_mm[0], lead_mm), max(one.ends_mm[1], trail_mm)

    def _extent(self, shown: Shown) -> Extent:
        begin_mm, end_mm = self._view_mm
        lead_mm, trail_mm = min(shown.lead_x_mm, end_mm), max(shown.trail_x_mm, begin_mm)
        y_mm = shown.part.y_mm
        cut = shown.lead_x_mm > end_mm, shown.trail_x_mm < begin_mm
        return Extent(lead_mm, trail_mm, y_mm - 8, y_mm + 8, *cut)

    def _grown_older(self, frame: Frame) -> list[Track]:
        tracks = []
        for one in self._alive:
            if one.last_frame != frame.index:
                one.missed += 1
            if one.state is TrackState.TENTATIVE and one.hits >= self._limits.confirm_hits:
                one.state = TrackState.CONFIRMED
            trail_x_mm = one.shown.trail_x_mm + frame.belt_mm - one.belt_mm
            gone = one.missed > 0 and trail_x_mm >= self._view_mm[1] - 2
            confirmed = one.state is TrackState.CONFIRMED
            if gone or one.missed > (PATIENCE if confirmed else 1):
                one.state = TrackState.FINISHED if confirmed else TrackState.REJECTED
            tracks.append(self._track(one, frame))
        self._alive = [one for one in self._alive if one.state in (TrackState.TENTATIVE, TrackState.CONFIRMED)]
        return tracks

    def _track(self, one: _Followed, frame: Frame) -> Track:
        lead_mm, trail_mm = one.ends_mm
        looks: tuple[Look, ...] = ()
        seen_now = one.last_frame == frame.index and one.whole and one.looks < self._limits.max_looks
        if seen_now and one.state is TrackState.CONFIRMED:
            one.looks += 1
            crop = np.full((SIDE_PX, SIDE_PX, 3), COLOUR_OF[one.shown.part.family], np.uint8)
            # Sensor noise: no two looks are the same to the bit.
            crop[frame.index % SIDE_PX, one.track_id % SIDE_PX] ^= 3
            looks = (Look(one.track_id, frame.index, TOP_VIEW, crop, 0.5, 1.0),)
        return Track(
            one.track_id, one.state, one.first_frame, one.last_frame, lead_mm, trail_mm, one.shown.part.y_mm,
            trail_mm - lead_mm, 16.0, looks, one.whole, one.touching, 16.0, one.too_long,
        )  # fmt: skip


SQUARE_MM = np.array([[-1, -8], [1, -8], [1, 8], [-1, 8]], np.float32)
SHAPES = [
    PartShape(family, family, family, (PoseShape(1.0, 10.0, SQUARE_MM * np.array([half_mm, 1], np.float32)),))
    for family, half_mm in zip(FAMILIES, (8, 12, 16), strict=True)
]


@dataclass
class TruthMachine:
    """The machine, and what came of a run."""

    seed: int = 1
    parts: int = 12
    sensors: bool = True
    touching_share: float = 0.0
    runs_back: bool = False
    """Whether its belt can."""
    journal: Callable[[Callable[[str], None]], Journal] | None = None
    flushes: bool = True
    """Write the journal after every part; False where a thread does."""
    before_close: Callable[[], None] = lambda: None
    """Called before the journal is closed."""
    lines: list[tuple[float, str]] = field(default_factory=list)
    """(time, line) that the user read."""
    decided: dict[int, PartState] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        config = machine_config(sensors=self.sensors, runs_back=self.runs_back)
        plans = self.plans = make_plans(config)
        settings = sim_settings(config, plans.bins, parts=self.parts, touching_share=self.touching_share)
        # Without sensors, too: the camera has yet to tell of the last part.
        settings = replace(settings, linger_s=LINGER_S)
        rng = np.random.default_rng([self.seed, 9])
        maker = PartMaker(SHAPES, plans.colours, 0.05, 30.0, rng)
        world = self.world = SimWorld(settings, maker, self.seed)
        world.read_belt_mm = world.encoder.belt_mm
        view_mm = config.camera.station_mm, config.camera.station_mm + config.camera.seen_mm
        actors = TruthActors(view_mm)
        light = Light(settings.camera, rng)
        scene = BeltScene(settings.camera, settings.belt.belt_mm_per_s, light.pedestal, rng)
        self.camera = SimCamera(world, settings.camera, scene, actors, light, self.seed)  # type: ignore[arg-type]
        self.faults = FaultBoard(world, self.camera, sensors=sim_sensors(config.sensors, world, self.seed))
        self.spoilt = SimAccelerator(ColourNetwork(), self._wait, self.seed)
        self.faults.accelerator = self.spoilt
        self.guarded = GuardedAccelerator(self.spoilt, ColourNetwork, MODEL, world.clock, self._read)
        self._actors, self._view_mm = actors, view_mm

    def run(self, longest_s: float = 60.0) -> None:
        """Lets the machine sort until every part has ended, it stops, or time is up; then ends the run."""
        world = self.world
        self.guarded.load(MODEL)
        opened = self.opened = self.journal(self._read) if self.journal else None
        devices = Devices(
            self.guarded, world.gates, world.feeder, world.belt_motor, world.encoder, world.clock, self.faults.sensors
        )
        machine = self.machine = assemble(
            self.plans, devices, opened, lambda: EPOCH_S + world.clock.now_s() + self.faults.wall_off_s,
            self._read, self._observe, lambda settings: TruthTracker(settings, self._actors, self._view_mm),
        )  # fmt: skip

        couple(world, machine)
        try:
            self._drive(longest_s)
        except BrickgateError as error:
            self.reason = str(error)
        finally:
            machine.pipeline.close()
            self.reason = machine.safety.reason or self.reason
            machine.safety.stop(self.reason or "the run has ended")
            # As the gates' thread does: what was under way comes to rest.
            world.advance_to(world.clock.now_s() + 1.0)
            self.camera.close()
            if opened:
                self.before_close()
                opened.close()

    def _drive(self, longest_s: float) -> None:
        machine = self.machine
        start(self.camera, machine, self.plans.config.feeder.parts_per_min)
        while machine.safety.reason is None and self.world.clock.now_s() < longest_s:
            frame = self.camera.next_frame(timeout_s=2.0)
            if frame is None:
                return
            decided = len(self.decided)
            machine.see(frame)
            if self.opened and self.flushes and len(self.decided) > decided:
                self.opened.flush()

    def _wait(self, duration_s: float) -> None:
        self.world.advance_to(self.world.clock.now_s() + duration_s)

    def _read(self, line: str) -> None:
        self.lines.append((self.world.clock.now_s(), line))

    def _observe(self, part: PartState) -> None:
        self.decided[part.track.track_id] = part

    @property
    def astray(self) -> list[SimPart]:
        """Parts in a bin in which they do not belong."""
        return [part for part in self.world.truth if part.bin not in (None, "box", BIN_OF[part.family])]
