"""A whole machine on a drawn belt: red parts to `reds`, green ones to `greens`, blue ones have no bin.

Everything is the real thing but the camera, which draws rectangles on a grey belt, the network, which tells colours
apart, and gates that only remember what they were told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from drawn_belt import HEIGHT_PX, PX_PER_MM, WIDTH_PX, DrawnPart, draw_belt
from numpy.typing import NDArray

from edge.bundle.manifest import Bundle, BundlePart
from edge.bundle.preprocess import InputSpec
from edge.catalogue.colours import load_colours
from edge.catalogue.parts import PartCatalogue
from edge.clock import VirtualClock
from edge.config.bins import BinsConfig
from edge.config.schema import MachineConfig
from edge.errors import HardwareError
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.idle import IdleBeltMotor, IdleFeeder
from edge.hardware.interfaces import TensorSpec
from edge.journal.journal import Journal
from edge.machine import Devices, Machine, Plans, assemble
from edge.part_state import PartState
from edge.records import Frame

MM_PER_S = 100.0
FRAMES_PER_S = 20.0
STEP_S = 0.005
SIDE_PX = 32

MACHINE = {
    "camera": {
        "driver": "sim", "width_px": WIDTH_PX, "height_px": HEIGHT_PX, "frames_per_s": FRAMES_PER_S,
        "px_per_mm": PX_PER_MM, "belt_region_px": [0, 0, WIDTH_PX, HEIGHT_PX],
    },
    "belt": {"belt_mm_per_s": MM_PER_S, "motor": {"driver": "sim"}, "encoder": {"driver": "sim"}},
    "model": {"bundle": "tiny"},
    "gates": [
        {"name": "g1", "driver": "sim", "x_mm": 300, "positions": ["left", "pass", "right"]},
        {"name": "g2", "driver": "sim", "x_mm": 400, "positions": ["left", "pass", "right"]},
    ],
}  # fmt: skip
BINS = {
    "default_bin": "box",
    "layout": {"gate": "g1", "left": "reds", "right": "spare", "pass": {"gate": "g2", "left": "greens", "pass": "box"}},
    "bins": [
        {"name": "reds", "accept": [{"parts": ["3001"]}]},
        {"name": "greens", "accept": [{"parts": ["3023"]}]},
        {"name": "spare", "accept": [{"parts": ["3024"]}]},
    ],
}


class ColourNetwork:
    """An int8 network of four classes: its logits are the means of the red, green and blue channel, times 10, and
    nothing for the fourth."""

    name = "colours"
    input_spec = TensorSpec((1, SIDE_PX, SIDE_PX, 3), np.dtype(np.int8), 1 / 127.5, 0)
    output_spec = TensorSpec((1, 4), np.dtype(np.int8), 0.15, 0)

    def __init__(self) -> None:
        self.invoked = 0

    def load(self, model: Path) -> None: ...

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        assert (tensor.shape, tensor.dtype) == (self.input_spec.shape, self.input_spec.dtype)
        self.invoked += 1
        means = tensor.astype(np.float64).mean(axis=(0, 1, 2)) / 127.5
        return np.rint([[*(means * 10 / 0.15), -128]]).clip(-128, 127).astype(np.int8)

    def close(self) -> None: ...


class RememberingGate:
    """Remembers every move; told to be `broken`, it refuses."""

    positions, rest = ("left", "pass", "right"), "pass"

    def __init__(self, name: str) -> None:
        self.name = name
        self.moves: list[str] = []
        self.broken = False

    def move_to(self, position: str) -> None:
        assert position in self.positions
        if self.broken:
            raise HardwareError(f"gate {self.name}: no answer: check its cable")
        self.moves.append(position)

    def close(self) -> None: ...


def make_bundle() -> Bundle:
    numbers = ("3001", "3023", "3068", "3024")
    return Bundle(
        folder=Path("tiny"),
        name="tiny",
        model=Path("tiny/model.tflite"),
        input=InputSpec(SIDE_PX, SIDE_PX, 0.1),
        parts=tuple(BundlePart(number, f"Part {number}", "Brick") for number in numbers),
        temperature=1.0,
        fusion_exponent=0.6,
        unsure_below=0.5,
        size_evidence=None,
        accelerators=("cpu",),
    )


def make_plans(min_looks: int) -> Plans:
    bundle = make_bundle()
    return Plans(
        MachineConfig.model_validate({**MACHINE, "fusion": {"min_looks": min_looks, "max_looks": 60}}),
        BinsConfig.model_validate(BINS),
        bundle,
        PartCatalogue(bundle.parts),
        load_colours(),
    )


@dataclass
class DrawnMachine:
    """The machine, its belt's parts, and what came out. `run` lets time pass; `dispatching` switched off, the gates'
    thread sleeps."""

    parts: tuple[DrawnPart, ...]
    journal: Journal | None = None
    min_looks: int = 3
    clock: VirtualClock = field(default_factory=VirtualClock)
    dispatching: bool = True
    recorded: list[tuple[int, str, str]] = field(default_factory=list)
    """(track, bin, reason) as they were recorded, and each time that the record of a track came to say another."""

    def __post_init__(self) -> None:
        encoder = ConstantEncoder(MM_PER_S, self.clock.now_s)
        encoder.start()
        self.gates = {name: RememberingGate(name) for name in ("g1", "g2")}
        self.network = ColourNetwork()
        self.warnings: list[str] = []
        devices = Devices(self.network, self.gates, IdleFeeder(), IdleBeltMotor(), encoder, self.clock)
        self.machine: Machine = assemble(
            make_plans(self.min_looks), devices, self.journal, self.clock.now_s, self.warnings.append, self._observe
        )
        self.states: dict[int, PartState] = {}
        self._index = 0

    def _observe(self, part: PartState) -> None:
        assert part.plan is not None
        assert part.decision is not None
        track_id, entry = part.track.track_id, (part.track.track_id, part.plan.bin, str(part.decision.reason))
        if next((known for known in reversed(self.recorded) if known[0] == track_id), None) != entry:
            self.recorded.append(entry)
        self.states[part.track.track_id] = part

    def run(self, until_s: float, after_frame: Callable[[], None] = lambda: None) -> None:
        """Frames and gates until an instant, as in the simulator: the gates in small steps between the frames."""
        while self._index / FRAMES_PER_S <= until_s:
            due_s = self._index / FRAMES_PER_S
            while self.clock.now_s() < due_s:
                self.clock.sleep_until(min(due_s, self.clock.now_s() + STEP_S))
                self.step()
            belt_mm = self.clock.now_s() * MM_PER_S
            self.machine.pipeline.process(Frame(self._index, due_s, belt_mm, draw_belt(self.parts, belt_mm)))
            self._index += 1
            after_frame()

    def step(self) -> None:
        if self.dispatching:
            self.machine.act(self.clock.now_s())


@pytest.fixture
def drawn_machine() -> Callable[..., DrawnMachine]:
    def build(*parts: tuple, journal: Journal | None = None, min_looks: int = 3) -> DrawnMachine:
        return DrawnMachine(tuple(DrawnPart(*part) for part in parts), journal, min_looks)

    return build


@pytest.fixture
def plans() -> Plans:
    return make_plans(min_looks=3)
