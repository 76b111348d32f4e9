"""The machine as a step of the calibration sees it: the same devices, whether real, recorded or simulated.

Steps go forward by asking for frames and by waiting; in the simulation that lets virtual time pass. They hand nothing
to threads of their own. Whatever must be done by hand is a `Task` for the `Operator`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from calibration.own_model import of_own_model
from edge.bundle.manifest import Bundle
from edge.capture.straighten import Straightener
from edge.clock import Clock
from edge.config.bins import BinsConfig
from edge.config.calibrated import calibrated
from edge.config.calibration import Calibration, PlaneCalibration
from edge.config.schema import MachineConfig
from edge.hardware.interfaces import Accelerator, BeltMotor, Camera, CameraControls, Encoder, Feeder, Gate, PartSensor
from edge.records import Frame


@dataclass(frozen=True, slots=True)
class Task:
    """Something that only hands can do.

    Attributes:
        words: what to do, as the operator reads it.
        kind: what it is, for one that is no human: "clear", "lay-sheet", "lay-bricks", "drop-parts", "name", "nudge",
            "choose".
        what: the particulars by name, such as {"family": "3001", "colour": 4, "count": 10}.
        takes_s: what it takes a person, as the walk's length is reckoned.
        answers: what may be answered; empty: nothing is asked but that it is done.
    """

    words: str
    kind: str
    what: Mapping[str, object] = field(default_factory=dict)
    takes_s: float = 20.0
    answers: tuple[str, ...] = ()


class Operator(Protocol):
    """Who stands at the machine: a person at a terminal, or the simulation's own hands."""

    def do(self, task: Task) -> str:
        """Has it done and gives the answer, one of `task.answers`, or "" where none was asked.

        Raises:
            RefusedError: it cannot or will not be done.
        """
        ...

    def say(self, line: str) -> None:
        """Tells something, without waiting."""
        ...


@dataclass(slots=True)
class Rig:
    """A machine with its devices opened, its belt and feeder at rest. `close` leaves it so.

    Attributes:
        machine: machine.yaml as the user wrote it.
        calibration: what has been measured so far, with this machine's own model where it is about that.
        camera: gives raw frames: not straightened, not corrected.
        controls: of the camera; None where it has none, as a recording.
        wait_until: lets time pass; frames of that time may be lost.
        source: where measurements come from, in words, such as "the machine" or "simulated machine 7".
        now: the wall clock, for dates.
        open_accelerator: gives the machine's accelerator with a bundle's model loaded; whoever asks closes it.
        pictures: folder for the fits' pictures, and for what is to be looked at before answering; None: none are kept.
    """

    machine: MachineConfig
    bins: BinsConfig
    calibration: Calibration
    camera: Camera
    controls: CameraControls | None
    gates: Mapping[str, Gate]
    sensors: Mapping[str, PartSensor]
    feeder: Feeder
    belt_motor: BeltMotor
    encoder: Encoder
    clock: Clock
    operator: Operator
    wait_until: Callable[[float], None]
    source: str
    now: Callable[[], datetime]
    open_accelerator: Callable[[Bundle], Accelerator]
    pictures: Path | None = None
    _straightener: tuple[PlaneCalibration, Straightener] | None = None

    @property
    def config(self) -> MachineConfig:
        """machine.yaml with what has been measured so far laid over it."""
        return calibrated(self.machine, self.calibration)

    def __post_init__(self) -> None:
        self.calibrate(self.calibration)

    def calibrate(self, calibration: Calibration) -> None:
        """Goes on with a new calibration."""
        self.calibration = of_own_model(self.machine, calibration)

    def frames(self, count: int) -> Iterator[Frame]:
        """The next raw frames; fewer when a recording ends.

        Raises:
            HardwareError: the camera fails.
        """
        for _ in range(count):
            frame = self.camera.next_frame(self.machine.safety.camera_timeout_s)
            if frame is None:
                return
            yield frame

    def straight_frames(self, count: int) -> Iterator[Frame]:
        """As `frames`, straightened by what has been measured of the camera's plane so far.

        Raises:
            InputError: the plane was measured on pictures of another size.
        """
        for frame in self.frames(count):
            yield self._straight(frame)

    def _straight(self, frame: Frame) -> Frame:
        plane = self.calibration.plane
        if plane is None:
            return frame
        if self._straightener is None or self._straightener[0] is not plane:
            self._straightener = plane, Straightener(plane)
        return self._straightener[1].frame(frame)
