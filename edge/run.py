"""`brickgate run`: the real machine. The camera has a thread, the gates have one, and the main thread sees and decides.

Nothing is touched before the configuration and the model are checked; whatever ends the run, the machine is left in its
safe state and every part already decided is in the journal.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from edge.capture.slot import NewestFrame
from edge.clock import Clock, MonotonicClock
from edge.errors import BrickgateError, HardwareError
from edge.hardware.factory import (
    make_accelerator,
    make_belt_motor,
    make_camera,
    make_encoder,
    make_feeder,
    make_gates,
    model_for,
)
from edge.hardware.interfaces import Camera
from edge.journal.journal import Journal
from edge.machine import Devices, Machine, Plans, assemble
from edge.pipeline import Outcome, PartState
from edge.signals import StopRequest

NO_FRAME_POLL_S = 0.25
JOIN_S = 5.0
CAMERA_THREAD, GATES_THREAD = "camera", "gates"


@dataclass(slots=True)
class RunReport:
    """What a run came to: `reason` says what ended it, `fault` that it was a fault."""

    frames: int = 0
    dropped_frames: int = 0
    parts: int = 0
    reason: str = ""
    fault: bool = False


def run(
    plans: Plans,
    journal: Journal,
    say: Callable[[str], None],
    stop: StopRequest,
    observe: Callable[[Outcome], None] = lambda outcome: None,
    clock: Clock | None = None,
) -> RunReport:
    """Runs the machine until the recording ends, a stop is asked for, or a fault stops it.

    Args:
        say: told in one line of whatever the user should know.
        stop: looked at between two frames.
        observe: told of each frame's outcome; must not block.

    Raises:
        BrickgateError: a device that cannot be opened or started.
    """
    clock = clock or MonotonicClock()
    report = RunReport()

    def count(part: PartState) -> None:
        report.parts += not part.recorded

    with ExitStack() as stack:
        devices, camera = _open(plans, clock, stack, say)
        machine = assemble(plans, devices, journal, time.time, say, count)
        stack.callback(machine.safety.stop, "the run has ended")
        _drive(machine, camera, stop, observe, report)
    return report


def _open(plans: Plans, clock: Clock, stack: ExitStack, say: Callable[[str], None]) -> tuple[Devices, Camera]:
    """Opens the devices one by one; those already open are closed again when a later one fails."""
    config = plans.config

    def opened(device: Any) -> Any:
        stack.callback(_close, device, say)
        return device

    accelerator = opened(make_accelerator(config.accelerator, say))
    accelerator.load(model_for(config.accelerator, plans.bundle))
    belt_motor = opened(make_belt_motor(config, clock))
    encoder = opened(make_encoder(config, clock, belt_motor))
    gates = make_gates(config, clock)
    for gate in gates.values():
        opened(gate)
    feeder = opened(make_feeder(config))
    camera = opened(make_camera(config, encoder, clock))
    return Devices(accelerator, gates, feeder, belt_motor, encoder, clock), camera


def _close(device: Any, say: Callable[[str], None]) -> None:
    """One device that does not close must not hide why the run ended, nor keep the others open."""
    try:
        device.close()
    except HardwareError as error:
        say(f"while closing: {error}")


def _drive(
    machine: Machine, camera: Camera, stop: StopRequest, observe: Callable[[Outcome], None], report: RunReport
) -> None:
    devices, config = machine.devices, machine.plans.config
    stopping, slot = threading.Event(), NewestFrame()
    devices.encoder.start()
    camera.start()
    # Daemons: a thread that hangs in a driver must not keep the process alive.
    threads = (
        threading.Thread(
            target=_capture,
            args=(camera, slot, stopping, config.safety.camera_timeout_s),
            name=CAMERA_THREAD,
            daemon=True,
        ),
        threading.Thread(target=_dispatch, args=(machine, stopping), name=GATES_THREAD, daemon=True),
    )
    try:
        machine.safety.start_belt()
        machine.feeding.start(config.feeder.parts_per_min)
        for thread in threads:
            thread.start()
        report.reason = _see_and_decide(machine, slot, stop, observe, report)
    except BrickgateError as error:
        report.reason, report.fault = str(error), True
    finally:
        machine.safety.stop(report.reason or "an unforeseen error")
        stopping.set()
        slot.close()
        for thread in threads:
            if thread.ident is not None:
                thread.join(timeout=JOIN_S)
        machine.pipeline.close()
        report.dropped_frames = slot.dropped


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


def _dispatch(machine: Machine, stopping: threading.Event) -> None:
    """The gates' thread. When it fails, it has stopped the machine and said why."""
    with suppress(Exception):
        machine.dispatcher.run_forever(machine.devices.clock, stopping, machine.pipeline.report)


def _see_and_decide(
    machine: Machine, slot: NewestFrame, stop: StopRequest, observe: Callable[[Outcome], None], report: RunReport
) -> str:
    """Frame after frame through the pipeline; returns what ended it.

    Raises:
        BrickgateError: the fault that ended it.
    """
    while True:
        if machine.safety.reason is not None:
            raise HardwareError(machine.safety.reason)
        if stop.signal is not None:
            return f"{stop.signal.name} received"
        frame = slot.take(NO_FRAME_POLL_S)
        if frame is not None:
            outcome = machine.pipeline.process(frame)
            report.frames += 1
            observe(outcome)
        elif slot.ended:
            return "the recording has ended"
