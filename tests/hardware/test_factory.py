"""From machine.yaml to devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fake_gpio
import fake_i2c
import pytest

from edge.bundle.manifest import Bundle
from edge.bundle.preprocess import InputSpec
from edge.clock import VirtualClock
from edge.config.schema import AcceleratorConfig, MachineConfig
from edge.errors import BundleError, ConfigError, HardwareError
from edge.hardware import factory
from edge.hardware.auto import AutoAccelerator
from edge.hardware.constant_encoder import ConstantEncoder
from edge.hardware.frames import FramesCamera
from edge.hardware.gpio_encoder import GpioEncoder
from edge.hardware.gpio_feed import GpioBeltMotor, GpioFeeder
from edge.hardware.gpio_gates import GpioServoGate, GpioSolenoidGate
from edge.hardware.idle import IdleBeltMotor, IdleFeeder
from edge.hardware.pca9685 import Pca9685Gate
from edge.hardware.picamera import PiCamera
from edge.hardware.tflite import CpuAccelerator, EdgeTpuAccelerator

PULSE_US = {"left": 1000, "pass": 1500}
SOLENOID = {"name": "kick", "driver": "gpio-solenoid", "x_mm": 300, "positions": ["pass", "push"], "pin": 23}
SERVO = {"name": "arm", "driver": "gpio-servo", "x_mm": 400, "pulse_us": PULSE_US, "pin": 18}
BOARD_SERVOS = [
    {"name": f"b{place}", "driver": "pca9685", "x_mm": 500.0 + place, "pulse_us": PULSE_US, "channel": place}
    for place in range(3)
]
SIM_GATE = {"name": "g1", "driver": "sim", "x_mm": 400, "positions": ["pass", "push"]}


def machine(
    camera: dict[str, Any] | None = None,
    belt: dict[str, Any] | None = None,
    gates: list[dict[str, Any]] | None = None,
    feeder: dict[str, Any] | None = None,
) -> MachineConfig:
    seen = {"driver": "frames", "px_per_mm": 5.0, "belt_region_px": (0, 0, 1280, 720), **(camera or {})}
    return MachineConfig.model_validate(
        {
            "camera": seen,
            "belt": {"belt_mm_per_s": 150.0, **(belt or {})},
            "feeder": feeder or {"driver": "none"},
            "gates": [_floats(gate) for gate in gates or [SOLENOID]],
        }
    )


def _floats(gate: dict[str, Any]) -> dict[str, Any]:
    return {**gate, "x_mm": float(gate["x_mm"])}


def test_every_gate_gets_its_driver_and_boards_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    gpio, i2c = fake_gpio.install(monkeypatch), fake_i2c.install(monkeypatch, 0x40)
    gates = factory.make_gates(machine(gates=[SOLENOID, SERVO, *BOARD_SERVOS]), VirtualClock())
    kinds = [(name, type(gate)) for name, gate in gates.items()]
    boards = [(f"b{place}", Pca9685Gate) for place in range(3)]
    assert kinds == [("kick", GpioSolenoidGate), ("arm", GpioServoGate), *boards]
    assert i2c.open_buses == 1
    for gate in gates.values():
        gate.close()
    assert (i2c.open_buses, gpio.pins) == (0, set())


def test_when_a_gate_cannot_be_opened_the_others_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    gpio, i2c = fake_gpio.install(monkeypatch), fake_i2c.install(monkeypatch, 0x40)
    gpio.busy.add(18)
    with pytest.raises(HardwareError, match="gate arm"):
        factory.make_gates(machine(gates=[SOLENOID, *BOARD_SERVOS, SERVO]), VirtualClock())
    assert (i2c.open_buses, gpio.pins) == (0, set())


def test_a_board_that_is_missing_leaves_no_gate_open(monkeypatch: pytest.MonkeyPatch) -> None:
    gpio, i2c = fake_gpio.install(monkeypatch), fake_i2c.install(monkeypatch)
    with pytest.raises(HardwareError, match="0x40"):
        factory.make_gates(machine(gates=[SOLENOID, *BOARD_SERVOS]), VirtualClock())
    assert (i2c.open_buses, gpio.pins) == (0, set())


def test_simulated_devices_are_not_made_here() -> None:
    clock, encoder = VirtualClock(), ConstantEncoder(150, VirtualClock().now_s)
    simulated = machine(
        camera={"driver": "sim"},
        belt={"motor": {"driver": "sim"}, "encoder": {"driver": "sim"}},
        gates=[SIM_GATE],
        feeder={"driver": "sim"},
    )
    for make in (
        lambda: factory.make_camera(simulated, encoder, clock),
        lambda: factory.make_gates(simulated, clock),
        lambda: factory.make_feeder(simulated),
        lambda: factory.make_belt_motor(simulated, clock),
        lambda: factory.make_encoder(simulated, clock),
    ):
        with pytest.raises(ConfigError, match="use `brickgate simulate`"):
            make()


def test_accelerators() -> None:
    made = {
        driver: factory.make_accelerator(AcceleratorConfig.model_validate({"driver": driver}))
        for driver in ("cpu", "edgetpu", "auto")
    }
    assert {driver: type(accelerator) for driver, accelerator in made.items()} == {
        "cpu": CpuAccelerator,
        "edgetpu": EdgeTpuAccelerator,
        "auto": AutoAccelerator,
    }
    other = factory.make_accelerator(AcceleratorConfig(driver="cpu", runtime="tflite-runtime"))
    assert other.name == "cpu (tflite-runtime)"
    assert factory.make_accelerator(AcceleratorConfig(driver="hailo")).name == "hailo"


def test_cameras(tmp_path: Path) -> None:
    clock, encoder = VirtualClock(), ConstantEncoder(150, VirtualClock().now_s)
    recorded = machine(camera={"path": str(tmp_path)})
    assert isinstance(factory.make_camera(recorded, encoder, clock), FramesCamera)
    assert isinstance(factory.make_camera(machine(camera={"driver": "picamera2"}), encoder, clock), PiCamera)
    with pytest.raises(ConfigError, match=r"camera\.path is missing"):
        factory.make_camera(machine(), encoder, clock)


def test_feeders_and_motors(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpio.install(monkeypatch)
    assert isinstance(factory.make_feeder(machine()), IdleFeeder)
    assert isinstance(factory.make_feeder(machine(feeder={"driver": "gpio", "pin": 5})), GpioFeeder)
    assert isinstance(factory.make_belt_motor(machine()), IdleBeltMotor)
    with_motor = machine(belt={"motor": {"driver": "gpio", "pin": 17}})
    assert isinstance(factory.make_belt_motor(with_motor), GpioBeltMotor)


def test_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpio.install(monkeypatch)
    with_encoder = machine(belt={"encoder": {"driver": "gpio", "pin_a": 20, "mm_per_tick": 0.5}})
    assert isinstance(factory.make_encoder(with_encoder, VirtualClock()), GpioEncoder)


def test_a_belt_without_an_encoder_travels_only_while_its_motor_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_gpio.install(monkeypatch)
    clock, config = VirtualClock(50.0), machine(belt={"motor": {"driver": "gpio", "pin": 17}})
    motor = factory.make_belt_motor(config, clock)
    encoder = factory.make_encoder(config, clock, motor)
    encoder.start()
    clock.advance(3.0)
    assert encoder.belt_mm() == 0
    motor.start()
    clock.advance(2.0)
    motor.stop()
    clock.advance(10.0)
    assert encoder.belt_mm() == pytest.approx(300.0)


def test_a_belt_with_a_switch_of_its_own_travels_all_the_time() -> None:
    clock, config = VirtualClock(50.0), machine()
    encoder = factory.make_encoder(config, clock, factory.make_belt_motor(config, clock))
    encoder.start()
    clock.advance(2.0)
    assert encoder.belt_mm() == pytest.approx(300.0)


def test_each_accelerator_gets_its_own_file(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle(
        folder=Path("b"),
        name="both",
        model=Path("b/model.tflite"),
        input=InputSpec(96, 96, 0.1),
        parts=(),
        temperature=1.0,
        fusion_exponent=0.5,
        unsure_below=0.5,
        size_evidence=None,
        accelerators=("cpu", "edgetpu"),
        models={"cpu": Path("b/model.tflite"), "edgetpu": Path("b/model_edgetpu.tflite")},
    )

    def file_for(driver: str) -> str:
        return factory.model_for(AcceleratorConfig.model_validate({"driver": driver}), bundle).name

    assert (file_for("cpu"), file_for("edgetpu")) == ("model.tflite", "model_edgetpu.tflite")
    monkeypatch.setattr(factory, "has_coral", lambda runtime: False)
    assert file_for("auto") == "model.tflite"
    monkeypatch.setattr(factory, "has_coral", lambda runtime: True)
    assert file_for("auto") == "model_edgetpu.tflite"
    with pytest.raises(BundleError, match=r"bundle both serves cpu, edgetpu, not hailo8l: set accelerator\.driver"):
        file_for("hailo")
