"""What the schema of machine.yaml cannot see: sections that do not go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.config.check_sensors import check_sensors
from edge.config.document import Document
from edge.config.findings import Finding, KeyPath, Severity
from edge.config.gates import FASTER, GateBase, GpioServoGateConfig, GpioSolenoidGateConfig, Pca9685GateConfig
from edge.config.schema import FeedLoopConfig, GpioMotorConfig, MachineConfig, NoneMotorConfig
from edge.config.sensors import GpioSensorConfig, SensorBase


def check_machine(config: MachineConfig, document: Document) -> list[Finding]:
    """The findings about machine.yaml alone."""
    return [
        *_named_once("gate", config.gates, document),
        *_gate_order(config, document),
        *_gates_clear_of_view(config, document),
        *_strokes_meet_parts(config, document),
        *_outputs_used_twice(config, document),
        *_sim_and_real(config, document),
        *_chosen_accelerator(config, document),
        *_named_once("sensor", config.sensors, document),
        *check_sensors(config, document),
        *_runs_back(config, document),
    ]


def _named_once(kind: str, devices: Sequence[GateBase | SensorBase], document: Document) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for place, device in enumerate(devices):
        if device.name in first:
            yield document.finding(
                (f"{kind}s", place, "name"),
                f"'{device.name}' is {kind}s[{first[device.name]}] already; give each {kind} its name",
                value=device.name,
            )
        first.setdefault(device.name, place)


def _gate_order(config: MachineConfig, document: Document) -> Iterator[Finding]:
    for place, (before, gate) in enumerate(zip(config.gates, config.gates[1:], strict=False), start=1):
        if gate.x_mm <= before.x_mm:
            yield document.finding(
                ("gates", place, "x_mm"),
                f"{gate.x_mm:g} must be above {before.x_mm:g} of gate '{before.name}' before it; "
                "list the gates in the order in which the belt passes them",
                value=f"{gate.x_mm:g}",
            )


def _gates_clear_of_view(config: MachineConfig, document: Document) -> Iterator[Finding]:
    view_from_mm = config.camera.station_mm
    view_to_mm = view_from_mm + config.camera.seen_mm
    for place, gate in enumerate(config.gates):
        if gate.x_mm - gate.reach_mm - gate.margin_mm < view_to_mm:
            half = f"half its face of {gate.face_mm:g} and " if gate.face_mm else ""
            yield document.finding(
                ("gates", place, "x_mm"),
                f"{gate.x_mm:g} less {half}its margin of {gate.margin_mm:g} is not clear of the camera's view "
                f"({view_from_mm:g} to {view_to_mm:g} mm); gates come after it",
                value=f"{gate.x_mm:g}",
            )


def _strokes_meet_parts(config: MachineConfig, document: Document) -> Iterator[Finding]:
    """A part must not ride past a pusher's face while it is being pushed."""
    for place, gate in enumerate(config.gates):
        stroke_mm = gate.stroke_mm(FASTER * config.belt.belt_mm_per_s)
        if gate.kind == "pusher" and gate.face_mm is not None and stroke_mm > gate.face_mm:
            yield document.finding(
                ("gates", place),
                f"a part rides up to {stroke_mm:.0f} mm while gate '{gate.name}' strikes, past its face of "
                f"{gate.face_mm:g} mm: a wider face_mm, a shorter travel_s or a slower belt is needed",
                value=gate.name,
            )


def _runs_back(config: MachineConfig, document: Document) -> Iterator[Finding]:
    """A belt that is to run back can, and what lies on it falls into the feeder; before that the gates come to rest."""
    reversal, motor = config.belt.reversal, config.belt.motor
    if reversal is None:
        return
    path = ("belt", "reversal")
    if isinstance(motor, NoneMotorConfig) or (isinstance(motor, GpioMotorConfig) and motor.reverse_pin is None):
        need = "a reverse_pin" if isinstance(motor, GpioMotorConfig) else "a motor that the machine switches"
        yield document.finding(path, f"the belt cannot run back: give belt.motor {need}, or take reversal out")
    lands_mm = config.feeder.x_mm if isinstance(config.feeder, FeedLoopConfig) else None
    first_mm = config.camera.station_mm if lands_mm is None else min(lands_mm, config.camera.station_mm)
    if reversal.start_mm >= first_mm:
        what = "the view begins" if lands_mm is None else "the view begins or parts land"
        yield document.finding(
            (*path, "start_mm"),
            f"{reversal.start_mm:g} must be below {first_mm:g}, where {what}: the belt's start lies before that",
            value=f"{reversal.start_mm:g}",
        )
    last = config.gates[-1]
    least_mm = last.x_mm + last.reach_mm + last.margin_mm + REST_S * config.belt.belt_mm_per_s
    if reversal.end_mm < least_mm:
        yield document.finding(
            (*path, "end_mm"),
            f"{reversal.end_mm:g} must be at least {least_mm:.0f}: behind gate '{last.name}' the belt needs"
            f" {REST_S:g} s of its way to stop before the touching parts fall off",
            value=f"{reversal.end_mm:g}",
        )


def _outputs(config: MachineConfig) -> Iterator[tuple[str, KeyPath]]:
    """Every pin or channel in use: its name and where it stands."""
    for section, device in (
        (("belt", "motor"), config.belt.motor),
        (("belt", "encoder"), config.belt.encoder),
        (("feeder",), config.feeder),
    ):
        for key in ("pin", "reverse_pin", "pin_a", "pin_b"):
            if getattr(device, key, None) is not None:
                yield f"GPIO {getattr(device, key)}", (*section, key)
    for place, gate in enumerate(config.gates):
        if isinstance(gate, GpioServoGateConfig | GpioSolenoidGateConfig):
            yield f"GPIO {gate.pin}", ("gates", place, "pin")
        elif isinstance(gate, Pca9685GateConfig):
            yield f"channel {gate.channel} of the board at {gate.i2c_address:#x}", ("gates", place, "channel")
    for place, sensor in enumerate(config.sensors):
        if isinstance(sensor, GpioSensorConfig):
            yield f"GPIO {sensor.pin}", ("sensors", place, "pin")


def _outputs_used_twice(config: MachineConfig, document: Document) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for output, path in _outputs(config):
        if output in first:
            yield document.finding(
                path, f"{output} is in use already, in line {first[output]}", value=document.get(path)
            )
        first.setdefault(output, document.line(path))


def missing_recording(config: MachineConfig, document: Document) -> Iterator[Finding]:
    """A hint for who checks the file: `replay` is given its recording, and `run` refuses by itself."""
    if config.camera.driver == "frames" and config.camera.path is None:
        yield document.finding(
            ("camera", "driver"),
            "'frames' has no path to a folder or video: give one here, or name it to brickgate replay",
            Severity.WARNING,
            "frames",
        )


REST_S = 1.0
"""From the last gate's rest until a belt that is switched off stands."""
SHIPPED = Path(__file__).parent.parent
"""Everything that Brickgate brings along is below it."""


def _chosen_accelerator(config: MachineConfig, document: Document) -> Iterator[Finding]:
    """What a machine runs on is written down: one that lost its accelerator must say so, and not choose another."""
    if config.accelerator.driver == "auto" and not document.file.resolve().is_relative_to(SHIPPED):
        yield document.finding(
            ("accelerator", "driver"),
            "'auto' is for the shipped example alone; write what is there: cpu, edgetpu or hailo "
            "(brickgate doctor tells)",
            value="auto",
        )


def _sim_and_real(config: MachineConfig, document: Document) -> Iterator[Finding]:
    """A simulated camera does not see what real devices do, nor the reverse; recordings go with all."""
    if config.camera.driver == "frames":
        return
    camera_is_sim = config.camera.driver == "sim"
    devices: list[tuple[KeyPath, str, str]] = [
        (("belt", "motor", "driver"), "the belt's motor", config.belt.motor.driver),
        (("belt", "encoder", "driver"), "the encoder", config.belt.encoder.driver),
        (("feeder", "driver"), "the feeder", config.feeder.driver),
    ]
    devices += [
        (("gates", place, "driver"), f"gate '{gate.name}'", gate.driver) for place, gate in enumerate(config.gates)
    ]
    devices += [
        (("sensors", place, "driver"), f"sensor '{sensor.name}'", sensor.driver)
        for place, sensor in enumerate(config.sensors)
    ]
    for path, name, driver in devices:
        if driver in {"none", "constant"} or (driver == "sim") == camera_is_sim:
            continue
        kinds = ("real", "simulated") if camera_is_sim else ("simulated", "real")
        yield document.finding(
            path,
            f"{name} is {kinds[0]} ('{driver}') while the camera is {kinds[1]}",
            Severity.WARNING,
            driver,
        )
