"""`brickgate run`: the real machine. The camera has a thread, the gates have one, and the main thread sees and decides.

Nothing is touched before the configuration and the model are checked; whatever ends the run, the machine is left in its
safe state and every part already decided is in the journal.
"""

from __future__ import annotations

import os
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
    guard,
    make_accelerator,
    make_belt_motor,
    make_camera,
    make_encoder,
    make_feeder,
    make_gates,
    make_sensors,
    model_for,
)
from edge.hardware.interfaces import Camera
from edge.journal.journal import Journal
from edge.last_run import LastRun
from edge.machine import Devices, Machine, Plans, assemble
from edge.part_state import Outcome, PartState
from edge.priority import GatePriority, quick_hand_over
from edge.records import CommandStatus
from edge.routing.fill_file import keeping
from edge.scheduling.dispatcher import Dispatcher
from edge.scheduling.gate_worker import GateWorker
from edge.service_manager import ALIVE, READY, STILL_STARTING, STOPPING, ServiceManager
from edge.signals import StopRequest
from edge.watchdog import Watchdog, end_by_force

NO_FRAME_POLL_S = 0.25
JOIN_S = 5.0
CAMERA_THREAD, GATES_THREAD, WATCHDOG_THREAD = "camera", "gates", "watchdog"


@dataclass(slots=True)
class RunReport:
    """What a run came to: `reason` says what ended it, `fault` that it was a fault."""

    frames: int = 0
    dropped_frames: int = 0
    parts: int = 0
    """Parts that were decided, each as often as it came."""
    again: int = 0
    """Those of them that went round to the feeder."""
    reason: str = ""
    fault: bool = False
    commands: int = 0
    """Gate commands that were acted on or dropped."""
    late_commands: int = 0
    delays_s: tuple[float, ...] = ()
    """`GateReport.delay_s` of the last of them."""
    sensors: str | None = None
    """What the sensors saw, in one line; None where there are none."""

    def count(self, dispatcher: Dispatcher) -> None:
        """Takes in how punctual the gates were."""
        self.commands = sum(dispatcher.counts.values())
        self.late_commands = dispatcher.counts[CommandStatus.LATE]
        self.delays_s = tuple(dispatcher.delays_s)

    def parts_in_words(self) -> str:
        """How many parts were sorted; one that comes again counts when it is."""
        return f"{self.parts - self.again} parts" + (f" ({self.again} came again)" if self.again else "")

    def gates_in_words(self) -> str | None:
        """How punctual the gates were, in one line; None when none was told anything."""
        if not self.delays_s:
            return None
        ordered = sorted(self.delays_s)
        usual_ms, worst_ms = 1000 * ordered[int(0.99 * (len(ordered) - 1))], 1000 * ordered[-1]
        late = f"{self.late_commands} came too late and were dropped" if self.late_commands else "none late"
        return (
            f"{self.commands} gate commands, {late}; acted on within {usual_ms:.1f} ms (99 %), {worst_ms:.1f} ms (all)"
        )


def run(
    plans: Plans,
    journal: Journal,
    say: Callable[[str], None],
    stop: StopRequest,
    observe: Callable[[Outcome], None] = lambda outcome: None,
    clock: Clock | None = None,
    end_process: Callable[[int], object] = os._exit,
    started: Callable[[Machine], None] = lambda machine: None,
) -> RunReport:
    """Runs the machine until the recording ends, a stop is asked for, or a fault stops it.

    Args:
        say: told in one line of whatever the user should know.
        stop: looked at between two frames.
        observe: told of each frame's outcome; must not block.
        end_process: ends this process at once, when the control loop hangs.
        started: told of the machine once its devices are open, before anything moves.

    Raises:
        BrickgateError: a device that cannot be opened or started.
    """
    clock = clock or MonotonicClock()
    report = RunReport()

    def count(part: PartState) -> None:
        report.parts += not part.recorded

    config, last_run, manager = plans.config, LastRun(journal.path), ServiceManager()
    if cut_off := last_run.begin():
        say(cut_off)
    with ExitStack() as stack:
        stack.callback(last_run.end)
        stack.enter_context(quick_hand_over())
        # A recording moves nothing: no thread need come before the others.
        priority = GatePriority(0 if config.camera.driver == "frames" else config.safety.gates_priority)
        devices, camera = _open(plans, clock, stack, say, priority)
        manager.tell(STILL_STARTING)
        machine = assemble(plans, devices, journal, time.time, say, count)
        stack.callback(machine.safety.stop, "the run has ended")
        if config.camera.driver != "frames":
            # A recording fills no bin.
            stack.enter_context(keeping(machine.router.fill, journal.path))

        def end_hung(line: str) -> None:
            steps = (
                (lambda: machine.safety.stop(line), 2.0),
                (lambda: last_run.note(line), 1.0),
                (lambda: journal.flush(2.0), 2.5),
                (lambda: say(f"error: {line}: the machine was stopped, and this process ends"), 0.5),
            )
            end_by_force(steps, end_process)

        watchdog = Watchdog(config.safety.watchdog_s, clock, end_hung, lambda: manager.tell(ALIVE))
        manager.tell(READY)
        started(machine)
        stack.callback(manager.tell, STOPPING)
        _drive(Drive(machine, camera, stop, observe, report, watchdog, priority, say))
    return report


def _open(
    plans: Plans, clock: Clock, stack: ExitStack, say: Callable[[str], None], priority: GatePriority
) -> tuple[Devices, Camera]:
    """Opens the devices one by one; those already open are closed again when a later one fails."""
    config = plans.config

    def opened(device: Any) -> Any:
        stack.callback(_close, device, say)
        return device

    accelerator = opened(guard(make_accelerator(config.accelerator, say), config.accelerator, plans.bundle, clock, say))
    accelerator.load(model_for(config.accelerator, plans.bundle))
    belt_motor = opened(make_belt_motor(config, clock))
    encoder = opened(make_encoder(config, clock, belt_motor))
    drivers = make_gates(config, clock)
    gates = {name: opened(GateWorker(gate, clock, priority.raise_own)) for name, gate in drivers.items()}
    feeder = opened(make_feeder(config))
    sensors = {name: opened(sensor) for name, sensor in make_sensors(config, clock).items()}
    camera = opened(make_camera(config, encoder, clock))
    return Devices(accelerator, gates, feeder, belt_motor, encoder, clock, sensors), camera


def _close(device: Any, say: Callable[[str], None]) -> None:
    """One device that does not close must not hide why the run ended, nor keep the others open."""
    try:
        device.close()
    except HardwareError as error:
        say(f"while closing: {error}")


@dataclass(frozen=True, slots=True)
class Drive:
    """What one run is driven with."""

    machine: Machine
    camera: Camera
    stop: StopRequest
    observe: Callable[[Outcome], None]
    report: RunReport
    watchdog: Watchdog
    priority: GatePriority
    say: Callable[[str], None]

    def threads(self, slot: NewestFrame, stopping: threading.Event) -> tuple[threading.Thread, ...]:
        """Camera, gates and watchdog. Daemons: one that hangs in a driver must not keep the process alive."""
        timeout_s = self.machine.plans.config.safety.camera_timeout_s
        work: tuple[tuple[str, Callable[..., None], tuple[Any, ...]], ...] = (
            (CAMERA_THREAD, _capture, (self.camera, slot, stopping, timeout_s)),
            (GATES_THREAD, _dispatch, (self, stopping)),
            (WATCHDOG_THREAD, self.watchdog.run_forever, (stopping,)),
        )
        return tuple(threading.Thread(target=act, args=args, name=name, daemon=True) for name, act, args in work)


def _drive(drive: Drive) -> None:
    machine, report = drive.machine, drive.report
    config = machine.plans.config
    stopping, slot = threading.Event(), NewestFrame()
    for device in (machine.devices.encoder, *machine.devices.sensors.values(), drive.camera):
        device.start()
    threads = drive.threads(slot, stopping)
    try:
        _come_to_rest(machine)
        if config.camera.driver != "frames":
            machine.pipeline.ride_out(config.camera.station_mm, max(gate.x_mm for gate in config.gates))
        machine.safety.start_belt()
        machine.feeding.start(config.feeder.parts_per_min)
        drive.watchdog.feed("the first frame")
        for thread in threads:
            thread.start()
        report.reason = _see_and_decide(drive, slot)
    except BrickgateError as error:
        report.reason, report.fault = str(error), True
    finally:
        drive.watchdog.feed("the end")
        machine.safety.stop(report.reason or "an unforeseen error")
        stopping.set()
        slot.close()
        for thread in threads:
            if thread.ident is not None:
                thread.join(timeout=JOIN_S)
        machine.pipeline.close()
        report.dropped_frames = slot.dropped
        report.count(machine.dispatcher)
        report.again = machine.router.fill.again
        report.sensors = machine.confirmation.in_words()


def _come_to_rest(machine: Machine) -> None:
    """Gates first: however the last run ended, they stand at rest before anything moves."""
    clock, config = machine.devices.clock, machine.plans.config
    for gate in machine.devices.gates.values():
        gate.move_to(gate.rest)
    if config.camera.driver != "frames":
        longest_s = max(gate.latency_s + gate.travel_s + gate.settle_s for gate in config.gates)
        clock.sleep_until(clock.now_s() + longest_s)


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


def _dispatch(drive: Drive, stopping: threading.Event) -> None:
    """The gates' thread. When it fails, it has stopped the machine and said why."""
    machine = drive.machine
    drive.priority.raise_own()
    if notice := drive.priority.notice():
        # Whoever listened may be gone: no reason for the gates to stand still under a belt that runs.
        with suppress(OSError, ValueError):
            drive.say(notice)
    with suppress(Exception):
        machine.dispatcher.run_forever(machine.devices.clock, stopping, machine.pipeline.report)


def _see_and_decide(drive: Drive, slot: NewestFrame) -> str:
    """Frame after frame through the pipeline; returns what ended it.

    Raises:
        BrickgateError: the fault that ended it.
    """
    machine, report = drive.machine, drive.report
    while True:
        if machine.safety.reason is not None:
            raise HardwareError(machine.safety.reason)
        if drive.stop.signal is not None:
            return f"{drive.stop.signal.name} received"
        drive.watchdog.feed("waiting for a frame")
        frame = slot.take(NO_FRAME_POLL_S)
        if frame is not None:
            drive.watchdog.feed(f"frame {frame.index}")
            outcome = machine.see(frame)
            report.frames += 1
            drive.observe(outcome)
        elif slot.ended:
            return "the recording has ended"
