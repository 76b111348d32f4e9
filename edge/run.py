"""`brickgate run`: the real machine. The camera has a thread, the gates have one, and the main thread sees and decides.

Nothing is touched before the configuration and the model are checked; whatever ends the run, the machine is left in its
safe state and every part already decided is in the journal.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from edge.capture.slot import NewestFrame
from edge.clock import Clock, MonotonicClock
from edge.errors import BrickgateError, HardwareError
from edge.hardware.factory import make_accelerator, make_belt_motor, make_camera, make_encoder, make_feeder, make_gates
from edge.hardware.interfaces import Camera
from edge.journal.journal import Journal
from edge.machine import Devices, Machine, Plans, assemble
from edge.pipeline import Outcome

NO_FRAME_POLL_S = 0.25


@dataclass(slots=True)
class RunReport:
    """What a run came to."""

    frames: int = 0
    dropped_frames: int = 0
    parts: int = 0
    reason: str = ""


def run(
    plans: Plans,
    journal: Journal,
    say: Callable[[str], None],
    observe: Callable[[Outcome], None] = lambda outcome: None,
    clock: Clock | None = None,
) -> RunReport:
    """Runs the machine until the recording ends, a signal comes, or a fault stops it.

    Args:
        say: told in one line of whatever the user should know.
        observe: told of each frame's outcome; must not block.

    Raises:
        BrickgateError: a device that cannot be opened, or the fault that ended the run.
    """
    clock = clock or MonotonicClock()
    with ExitStack() as stack:
        devices, camera = _open(plans, clock, stack, say)
        machine = assemble(plans, devices, journal, time.time, say)
        stack.callback(machine.safety.stop, "the run has ended")
        with _signals(machine.safety.stop):
            return _drive(machine, camera, observe)


def _open(plans: Plans, clock: Clock, stack: ExitStack, say: Callable[[str], None]) -> tuple[Devices, Camera]:
    """Opens the devices one by one; those already open are closed again when a later one fails."""
    config = plans.config

    def opened(device: Any) -> Any:
        stack.callback(device.close)
        return device

    accelerator = opened(make_accelerator(config.accelerator, say))
    accelerator.load(plans.bundle.model)
    belt_motor = opened(make_belt_motor(config, clock))
    encoder = opened(make_encoder(config, clock, belt_motor))
    gates = make_gates(config, clock)
    for gate in gates.values():
        opened(gate)
    feeder = opened(make_feeder(config))
    camera = opened(make_camera(config, encoder, clock))
    return Devices(accelerator, gates, feeder, belt_motor, encoder, clock), camera


def _drive(machine: Machine, camera: Camera, observe: Callable[[Outcome], None]) -> RunReport:
    devices, config = machine.devices, machine.plans.config
    report = RunReport()
    stopping = threading.Event()
    slot = NewestFrame()
    camera.start()
    devices.encoder.start()
    devices.belt_motor.start()
    devices.feeder.set_rate(config.feeder.parts_per_min)
    threads = (
        threading.Thread(target=_capture, args=(camera, slot, stopping, config.safety.camera_timeout_s), name="camera"),
        threading.Thread(
            target=machine.dispatcher.run_forever,
            args=(devices.clock, stopping, machine.pipeline.report),
            name="dispatcher",
        ),
    )
    for thread in threads:
        thread.start()
    try:
        _see_and_decide(machine, slot, report, observe)
    finally:
        machine.safety.stop(machine.safety.reason or "the run has ended")
        stopping.set()
        slot.close()
        for thread in threads:
            thread.join(timeout=5.0)
        machine.pipeline.close()
    report.dropped_frames = slot.dropped
    report.reason = machine.safety.reason or "the recording has ended"
    return report


def _capture(camera: Camera, slot: NewestFrame, stopping: threading.Event, timeout_s: float) -> None:
    """The camera's thread: hands frames over until the end, an error or the stop."""
    try:
        while not stopping.is_set():
            frame = camera.next_frame(timeout_s)
            if frame is None:
                slot.end()
                return
            slot.put(frame)
    except BrickgateError as error:
        slot.fail(error)
    except Exception as error:
        slot.fail(HardwareError(f"the camera failed: {error}"))


def _see_and_decide(machine: Machine, slot: NewestFrame, report: RunReport, observe: Callable[[Outcome], None]) -> None:
    while machine.safety.reason is None:
        taken = slot.take(NO_FRAME_POLL_S)
        if taken is None:
            if slot.ended:
                return
            continue
        outcome = machine.pipeline.process(taken)
        report.frames += 1
        report.parts += len(outcome.finished)
        observe(outcome)


@contextmanager
def _signals(stop: Callable[[str], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the machine, orderly, at any moment."""

    def handle(number: int, frame: FrameType | None) -> None:
        stop(f"{signal.Signals(number).name} received")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
