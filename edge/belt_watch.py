"""The belt's guard and, without an encoder, its follower, built around the machine's devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.clock import Clock
from edge.config.schema import GpioEncoderConfig, MachineConfig
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.interfaces import Encoder
from edge.hardware.tracked_encoder import TrackedEncoder
from edge.records import Frame
from edge.scheduling.belt_follower import BeltFollower
from edge.scheduling.belt_guard import BeltGuard, BeltSources
from edge.tracking.tracker import Tracker


def belt_guard(
    config: MachineConfig,
    encoder: Encoder,
    motor_on: Callable[[], bool | None],
    say: Callable[[str], None],
    stop: Callable[[str], None],
    *,
    measured: bool = False,
) -> BeltGuard:
    """The guard of a machine's belt, by the sources that there are; `measured`: its speed was calibrated."""
    wanted = config.belt.encoder
    sources = BeltSources(
        config.belt.belt_mm_per_s,
        encoder=not isinstance(encoder, ConstantEncoder | TrackedEncoder),
        mm_per_tick=wanted.mm_per_tick if isinstance(wanted, GpioEncoderConfig) else 0.0,
        follows=isinstance(encoder, TrackedEncoder),
        switched=config.belt.motor.driver != "none",
        measured=measured,
    )
    return BeltGuard(sources, motor_on, say, stop)


@dataclass(frozen=True, slots=True)
class BeltWatch:
    """What is done about the belt once a frame."""

    guard: BeltGuard
    tracker: Tracker
    clock: Clock
    follower: BeltFollower | None = None
    moves: bool = True
    """False for a recording, past which no belt runs."""

    def after(self, frame: Frame) -> None:
        """Called when the tracker has taken in a frame."""
        seen = self.tracker.seen_motion
        if self.follower is not None:
            self.follower.frame(frame.time_s, frame.belt_mm, seen, self.clock.now_s())
        if self.moves:
            self.guard.frame(frame.time_s, frame.belt_mm, seen)


def belt_watch(guard: BeltGuard, config: MachineConfig, encoder: Encoder, tracker: Tracker, clock: Clock) -> BeltWatch:
    """The watch over a machine's belt; an encoder that the tracker leads gets its follower."""
    follower = BeltFollower(encoder) if isinstance(encoder, TrackedEncoder) else None
    return BeltWatch(guard, tracker, clock, follower, moves=config.camera.driver != "frames")
