"""The devices of the machine, as the stages see them: small Protocols, real and simulated alike.

Every call may raise `HardwareError` with one line that names the device. Unless said otherwise a call returns within
a millisecond and may come from any thread, one at a time. `close()` is idempotent and leaves the device safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge.records import CameraLock, Frame


class Camera(Protocol):
    """Gives frames in order. `next_frame` blocks until the next frame, at most `timeout_s`, then raises
    `HardwareError`, as it does before `start` and after `close`; it returns None when a recording has ended. Indices
    count from 0, times rise, the travel never falls. Called from one thread only."""

    def start(self) -> None: ...

    def next_frame(self, timeout_s: float) -> Frame | None: ...

    def close(self) -> None: ...


@runtime_checkable
class CameraControls(Protocol):
    """What calibration turns at a camera that is started. `lock` holds from a later frame on: a camera has a few frames
    under way, so that `settle_frames` are to be let pass. Values beyond the camera's raise ValueError. Called from the
    thread that takes the frames."""

    @property
    def settle_frames(self) -> int: ...

    @property
    def focus_range_dioptres(self) -> tuple[float, float] | None: ...

    def locked(self) -> CameraLock: ...

    def lock(self, wanted: CameraLock) -> None: ...


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Shape, type and quantization of one tensor: real = scale × (stored − zero_point); scale 0 = not quantized."""

    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float = 0.0
    zero_point: float = 0


class Accelerator(Protocol):
    """Runs one model. `invoke` takes one input tensor of exactly `input_spec` and returns a copy of the first output
    in `output_spec`, blocking for the inference's time; another shape or type raises ValueError. `load` raises
    `BundleError` for a model that cannot be run and may be called again; before it, and after `close`, everything but
    `name` raises `HardwareError`. Called from one thread only."""

    @property
    def name(self) -> str: ...

    @property
    def input_spec(self) -> TensorSpec: ...

    @property
    def output_spec(self) -> TensorSpec: ...

    def load(self, model: Path) -> None: ...

    def invoke(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]: ...

    def close(self) -> None: ...


class Gate(Protocol):
    """A diverter with named positions. `move_to` starts the movement and returns at once; the movement is over
    `latency_s + travel_s` later. An unknown position raises ValueError. `close` moves to rest first and may wait for
    it; afterwards `move_to` raises `HardwareError`."""

    @property
    def name(self) -> str: ...

    @property
    def positions(self) -> tuple[str, ...]: ...

    @property
    def rest(self) -> str: ...

    def move_to(self, position: str) -> None: ...

    def close(self) -> None: ...


@runtime_checkable
class Nudgeable(Protocol):
    """What calibration turns at a gate that is a servo. `set_pulse_us` has it go where pulses of that width put it, in
    µs, as `move_to` does to a position: it returns at once. A width out of `PULSE_US` raises ValueError and nothing
    moves; after `close` it raises `HardwareError`."""

    def set_pulse_us(self, pulse_us: float) -> None: ...


class Feeder(Protocol):
    """Drops parts on the belt. `set_rate` takes parts per minute; 0 stops it. Below 0 raises ValueError. It stands at
    first, and `close` stops it for good: another rate than 0 then raises `HardwareError`."""

    def set_rate(self, parts_per_min: float) -> None: ...

    def close(self) -> None: ...


class BeltMotor(Protocol):
    """The belt's motor: forwards, backwards or off, off at first. `reverse` raises `HardwareError` for a motor that
    only runs forwards; the belt should stand before its way is changed. `close` stops it for good: `start` and
    `reverse` then raise `HardwareError`."""

    def start(self) -> None: ...

    def reverse(self) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Encoder(Protocol):
    """The belt's travel in mm since the last `start`, never going back. Before it and after `close`, reading raises
    `HardwareError`, and so does `turn`: told while the belt stands, before it runs the other way than so far; its way
    back counts as travel too."""

    def start(self) -> None: ...

    def belt_mm(self) -> float: ...

    def turn(self) -> None: ...

    def close(self) -> None: ...


class PartSensor(Protocol):
    """A beam that parts break. `take` gives the instants, in the machine's clock and rising, at which the beam was
    broken after it had been clear, each once and none from before the last `start`; when nobody takes them, the oldest
    are forgotten. `broken_since_s` tells since when the beam is broken without a pause, None while it is clear. Before
    `start` and after `close` both raise `HardwareError`. One thread takes; the breaks may come in another."""

    @property
    def name(self) -> str: ...

    def start(self) -> None: ...

    def take(self) -> tuple[float, ...]: ...

    def broken_since_s(self) -> float | None: ...

    def close(self) -> None: ...
