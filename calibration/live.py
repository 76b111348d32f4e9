"""The real machine as a rig, or a recording of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from calibration.recorded import RecordingOperator
from calibration.rig import Operator, Rig
from edge.clock import Clock, MonotonicClock
from edge.config.bins import BinsConfig
from edge.config.calibrated import calibrated
from edge.config.calibration import Calibration
from edge.config.schema import MachineConfig
from edge.errors import ConfigError, HardwareError
from edge.hardware.factory import (
    loaded_accelerator,
    make_belt_motor,
    make_camera,
    make_encoder,
    make_feeder,
    make_gates,
    make_sensors,
)
from edge.hardware.interfaces import CameraControls


class Closable(Protocol):
    """What every device has."""

    def close(self) -> None: ...


Device = TypeVar("Device", bound=Closable)


@contextmanager
def live_rig(
    machine: MachineConfig,
    bins: BinsConfig,
    calibration: Calibration,
    operator: Operator,
    clock: Clock | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Rig]:
    """Opens the machine's devices, at rest, and leaves them so, whatever happens. Of a recording the operator is asked
    only what can still be answered.

    Raises:
        ConfigError: the machine is simulated.
        HardwareError: a device is missing or does not start.
    """
    if machine.camera.driver == "sim":
        raise ConfigError("this machine is simulated: give --simulate SEED to calibrate it")
    recorded = machine.camera.driver == "frames"
    operator = RecordingOperator(operator) if recorded else operator
    clock = clock or MonotonicClock()
    with ExitStack() as stack:
        belt_motor = _closing(stack, operator, make_belt_motor(machine, clock))
        encoder = _closing(stack, operator, make_encoder(machine, clock, belt_motor))
        made = make_gates(calibrated(machine, calibration), clock)
        gates = {name: _closing(stack, operator, gate) for name, gate in made.items()}
        feeder = _closing(stack, operator, make_feeder(machine))
        sensors = {name: _closing(stack, operator, sensor) for name, sensor in make_sensors(machine, clock).items()}
        camera = _closing(stack, operator, make_camera(calibrated(machine, calibration), encoder, clock))
        for device in (encoder, *sensors.values(), camera):
            device.start()
        yield Rig(
            machine=machine,
            bins=bins,
            calibration=calibration,
            camera=camera,
            controls=_controls(camera),
            gates=gates,
            sensors=sensors,
            feeder=feeder,
            belt_motor=belt_motor,
            encoder=encoder,
            clock=clock,
            operator=operator,
            wait_until=clock.sleep_until,
            source=f"recording {machine.camera.path}" if recorded else "the machine",
            now=now,
            open_accelerator=lambda bundle: loaded_accelerator(machine.accelerator, bundle, operator.say),
        )


def _controls(camera: object) -> CameraControls | None:
    return camera if isinstance(camera, CameraControls) else None


def _closing(stack: ExitStack, operator: Operator, device):
    """Has a device closed at the end; one that does not close keeps none of the others open."""

    def close() -> None:
        try:
            device.close()
        except HardwareError as error:
            operator.say(f"while closing: {error}")

    stack.callback(close)
    return device
