"""From machine.yaml to devices: the only file that names drivers. Each imports its vendor's library when it is made.

Simulated devices belong to `brickgate simulate`. A recording moves nothing, so with the camera `frames` they are idle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.bundle.manifest import Bundle
from edge.clock import Clock, MonotonicClock
from edge.config.gates import GpioServoGateConfig, GpioSolenoidGateConfig, Pca9685GateConfig, SimGateConfig
from edge.config.schema import (
    AcceleratorConfig,
    GpioEncoderConfig,
    GpioFeederConfig,
    GpioMotorConfig,
    MachineConfig,
    SimEncoderConfig,
    SimFeederConfig,
    SimMotorConfig,
    TrackerEncoderConfig,
)
from edge.config.sensors import GpioSensorConfig
from edge.errors import ConfigError, HardwareError
from edge.hardware.auto import AutoAccelerator, has_coral
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.exposure import ExposureTravel
from edge.hardware.frames import FramesCamera
from edge.hardware.gpio_encoder import GpioEncoder
from edge.hardware.gpio_feed import GpioBeltMotor, GpioFeeder
from edge.hardware.gpio_gates import GpioServoGate, GpioSolenoidGate
from edge.hardware.gpio_pulse import GpioPulseGate
from edge.hardware.gpio_sensor import GpioSensor
from edge.hardware.guarded import GuardedAccelerator
from edge.hardware.hailo import CHIPS, HailoAccelerator, chip_there
from edge.hardware.idle import IdleBeltMotor, IdleFeeder, IdleGate
from edge.hardware.interfaces import Accelerator, BeltMotor, Camera, Encoder, Feeder, Gate, PartSensor
from edge.hardware.pca9685 import Pca9685Board, Pca9685Gate
from edge.hardware.picamera import PiCamera
from edge.hardware.pixels import PixelAccelerator
from edge.hardware.tflite import CpuAccelerator, EdgeTpuAccelerator
from edge.hardware.tracked_encoder import TrackedEncoder


def make_accelerator(config: AcceleratorConfig, say: Callable[[str], None] = lambda line: None) -> Accelerator:
    """The accelerator, no model loaded yet.

    Args:
        say: told what `auto` has chosen, when the model is loaded.
    """
    if config.driver == "hailo":
        return HailoAccelerator()
    if config.driver == "edgetpu":
        return EdgeTpuAccelerator(config.runtime)
    if config.driver == "cpu":
        return CpuAccelerator(config.runtime, config.threads)
    return AutoAccelerator(config.runtime, config.threads, say)


def guard(
    first: Accelerator, config: AcceleratorConfig, bundle: Bundle, stopwatch: Clock, say: Callable[[str], None]
) -> GuardedAccelerator:
    """`first` guarded: the CPU stands in for a Coral or a Hailo whose bundle serves it too."""
    served = served_as(config, bundle)
    if served == "cpu" or "cpu" not in bundle.accelerators:
        return GuardedAccelerator(first, None, None, stopwatch, say)

    def spare() -> Accelerator:
        cpu = CpuAccelerator(config.runtime, config.threads)
        return cpu if served == "edgetpu" else PixelAccelerator(cpu)

    return GuardedAccelerator(first, spare, bundle.model_for("cpu"), stopwatch, say)


def loaded_accelerator(config: AcceleratorConfig, bundle: Bundle, say: Callable[[str], None]) -> GuardedAccelerator:
    """The configured accelerator, guarded, with a bundle's model loaded; whoever asks closes it.

    Args:
        say: told what was chosen, and when it fails.

    Raises:
        HardwareError: the device or its library is missing, and the CPU cannot stand in.
        BundleError: the model cannot be loaded.
    """
    accelerator = guard(make_accelerator(config, say), config, bundle, MonotonicClock(), say)
    try:
        accelerator.load(model_for(config, bundle))
    except BaseException:
        accelerator.close()
        raise
    return accelerator


def served_as(config: AcceleratorConfig, bundle: Bundle) -> str:
    """What the bundle's file for the configured accelerator is listed under. `auto` takes the compiled one where its
    chip answers, a Hailo before a Coral."""
    if config.driver == "hailo":
        # One that is missing is found to be so when the model is loaded: then the CPU stands in.
        listed = (chip for chip in CHIPS.values() if chip in bundle.accelerators)
        return chip_there() or next(listed, "hailo8l")
    if config.driver != "auto":
        return config.driver
    chip = chip_there() if set(CHIPS.values()) & set(bundle.accelerators) else None
    if chip in bundle.accelerators:
        return str(chip)
    return "edgetpu" if "edgetpu" in bundle.accelerators and has_coral(config.runtime) else "cpu"


def model_for(config: AcceleratorConfig, bundle: Bundle) -> Path:
    """The bundle's file for the configured accelerator.

    Raises:
        BundleError: the bundle does not serve the accelerator.
    """
    return bundle.model_for(served_as(config, bundle))


def make_camera(config: MachineConfig, encoder: Encoder, clock: Clock) -> Camera:
    """The camera, not started. Its frames carry the encoder's travel and times of `clock`."""
    camera, travel = config.camera, ExposureTravel(encoder, clock)
    if camera.driver == "sim":
        raise _simulated("camera.driver")
    if camera.driver == "picamera2":
        return PiCamera(camera, travel)
    if camera.path is None:
        raise ConfigError("camera.path is missing: name the folder of pictures or the video that 'frames' plays")
    return FramesCamera(
        Path(camera.path), camera.frames_per_s, size_px=(camera.width_px, camera.height_px), live=travel
    )


def make_gates(config: MachineConfig, clock: Clock) -> dict[str, Gate]:
    """Every gate by its name, moving to rest. When one cannot be opened, those before it are closed again."""
    gates: dict[str, Gate] = {}
    boards: dict[int, Pca9685Board] = {}
    with _all_or_none(gates):
        for gate in config.gates:
            match gate:
                case SimGateConfig():
                    _check_simulated(config, f"gate '{gate.name}'")
                    gates[gate.name] = IdleGate(gate.name, gate.positions, gate.rest)
                case GpioSolenoidGateConfig():
                    gates[gate.name] = GpioPulseGate(gate) if gate.max_on_s else GpioSolenoidGate(gate)
                case GpioServoGateConfig():
                    gates[gate.name] = GpioServoGate(gate, clock)
                case Pca9685GateConfig(i2c_address=address):
                    board = boards[address] if address in boards else Pca9685Board(address, clock)
                    gates[gate.name] = Pca9685Gate(gate, boards.setdefault(address, board))
    return gates


def make_feeder(config: MachineConfig) -> Feeder:
    """The feeder, standing still."""
    feeder = config.feeder
    if isinstance(feeder, SimFeederConfig):
        _check_simulated(config, "feeder.driver")
    return GpioFeeder(feeder) if isinstance(feeder, GpioFeederConfig) else IdleFeeder()


def make_belt_motor(config: MachineConfig, clock: Clock | None = None) -> BeltMotor:
    """The belt's motor, off. `clock` is what a belt without an encoder is reckoned by."""
    motor = config.belt.motor
    if isinstance(motor, SimMotorConfig):
        _check_simulated(config, "belt.motor")
    return GpioBeltMotor(motor, clock or MonotonicClock()) if isinstance(motor, GpioMotorConfig) else IdleBeltMotor()


def make_encoder(config: MachineConfig, clock: Clock, belt_motor: BeltMotor | None = None) -> Encoder:
    """The encoder, not started. Without one, the belt's travel is its speed by the time that `belt_motor` was on, or
    by all time where nothing tells when it runs."""
    encoder = config.belt.encoder
    if isinstance(encoder, SimEncoderConfig):
        _check_simulated(config, "belt.encoder")
    if isinstance(encoder, GpioEncoderConfig):
        return GpioEncoder(encoder)
    running_s = belt_motor.running_s if isinstance(belt_motor, GpioBeltMotor) else clock.now_s
    if isinstance(encoder, TrackerEncoderConfig):
        return TrackedEncoder(config.belt.belt_mm_per_s, running_s)
    return ConstantEncoder(config.belt.belt_mm_per_s, running_s)


def make_sensors(config: MachineConfig, clock: Clock) -> dict[str, PartSensor]:
    """Every sensor by its name, not started; none with a recording, which drops no part. When one cannot be opened,
    those before it are closed again."""
    sensors: dict[str, PartSensor] = {}
    with _all_or_none(sensors):
        for sensor in config.sensors if config.camera.driver != "frames" else ():
            if not isinstance(sensor, GpioSensorConfig):
                raise _simulated(f"sensor '{sensor.name}'")
            sensors[sensor.name] = GpioSensor(sensor, clock)
    return sensors


@contextmanager
def _all_or_none(opened: Mapping[str, Gate | PartSensor]) -> Iterator[None]:
    """Closes what was opened when the next one cannot be."""
    try:
        yield
    except (ConfigError, HardwareError):
        for device in opened.values():
            with suppress(HardwareError):
                device.close()
        raise


def _check_simulated(config: MachineConfig, key: str) -> None:
    if config.camera.driver != "frames":
        raise _simulated(key)


def _simulated(key: str) -> ConfigError:
    return ConfigError(f"{key} is simulated: use `brickgate simulate`, or name a real driver")
