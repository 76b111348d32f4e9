"""What calibration.yaml says that does not go with machine.yaml, and what has not been calibrated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.config.calibrated import confidence_of, is_nudged
from edge.config.calibration import ALONE, SIMULATED, STEPS, Calibration
from edge.config.document import Document
from edge.config.findings import Finding, Severity
from edge.config.gates import MaybeServoBase
from edge.config.schema import MachineConfig

SEEN = ("plane", "colour", "confidence")
"""Sections that hold only for the camera's settings under which they were measured."""
STRAIGHTENED = ("belt", "gates")
"""Sections whose millimetres are those of the plane."""


def check_calibration(
    machine: MachineConfig, calibration: Calibration, document: Document, network: str | None = None
) -> list[Finding]:
    """The findings about calibration.yaml, errors for what would make the machine go wrong.

    Args:
        document: calibration.yaml; of one that is not there, empty.
        network: `Bundle.network` of the machine's model; None: it cannot be had.
    """
    return [
        *_of_another_picture(machine, calibration, document),
        *_of_another_model(machine, calibration, document, network),
        *_gates_by_name(machine, calibration, document),
        *_servos(machine, calibration, document),
        *_simulated(machine, calibration, document),
        *_too_old(calibration, document),
        *_settings_replaced(machine, calibration, document, network),
        *_failed(calibration, document),
    ]


def missing_steps(machine: MachineConfig, calibration: Calibration, document: Document) -> list[Finding]:
    """What a real machine has not been calibrated for; a simulated or recorded one is what its YAML says."""
    if machine.camera.driver != "picamera2":
        return []
    return [
        document.finding((), f"not calibrated for {step}: brickgate-calibrate {step}", Severity.WARNING)
        for step in (*STEPS, *steps_alone(machine))
        if getattr(calibration, step) is None
    ]


def steps_alone(machine: MachineConfig) -> list[str]:
    """The steps beside the walk that there is something to do in."""
    servos = any(isinstance(gate, MaybeServoBase) and gate.pulse_us for gate in machine.gates)
    return [step for step in ALONE if (servos if step == "positions" else machine.gates)]


def _simulated(machine: MachineConfig, calibration: Calibration, document: Document) -> Iterator[Finding]:
    if machine.camera.driver == "sim":
        return
    for step, section in calibration.measured().items():
        if section.measured_from.startswith(SIMULATED):
            yield document.finding(
                (step, "measured_from"),
                f"is a {SIMULATED}, and this machine is none: brickgate-calibrate {step}, or move this file away",
            )


def _of_another_picture(machine: MachineConfig, calibration: Calibration, document: Document) -> Iterator[Finding]:
    camera, plane = machine.camera, calibration.plane
    if plane and plane.size_px != (camera.width_px, camera.height_px):
        width, height = plane.size_px
        yield document.finding(
            ("plane", "size_px"),
            f"was measured on pictures of {width} × {height}, the camera gives {camera.width_px} × {camera.height_px}:"
            " brickgate-calibrate plane",
        )


def _of_another_model(
    machine: MachineConfig, calibration: Calibration, document: Document, network: str | None
) -> Iterator[Finding]:
    confidence = calibration.confidence
    if confidence is None or confidence_of(machine, calibration, network):
        return
    runs = machine.model.bundle
    runs = f"'{runs}'" if runs != confidence.bundle else "another version of it"
    yield document.finding(
        ("confidence", "bundle"),
        f"was measured with '{confidence.bundle}', the machine runs {runs}: it is left out until brickgate-calibrate"
        " confidence",
        Severity.WARNING,
    )


def _gates_by_name(machine: MachineConfig, calibration: Calibration, document: Document) -> Iterator[Finding]:
    if not calibration.gates:
        return
    known = {gate.name for gate in machine.gates}
    for name in calibration.gates.gates:
        if name not in known:
            yield document.finding(
                ("gates", "gates", name), f"machine.yaml has no gate '{name}': it is left out", Severity.WARNING
            )
    for gate in machine.gates:
        if gate.name not in calibration.gates.gates:
            yield document.finding(
                ("gates",), f"gate '{gate.name}' was not measured: what machine.yaml says holds", Severity.WARNING
            )


def _servos(machine: MachineConfig, calibration: Calibration, document: Document) -> Iterator[Finding]:
    if not (positions := calibration.positions):
        return
    gates = {gate.name: gate for gate in machine.gates}
    for name, pulse_us in positions.pulse_us.items():
        if name not in gates or not is_nudged(gates[name], pulse_us):
            yield document.finding(
                ("positions", "pulse_us", name),
                f"machine.yaml has no servo '{name}' with the positions {', '.join(pulse_us)}: what it says holds,"
                " until brickgate-calibrate positions",
                Severity.WARNING,
            )


def _too_old(calibration: Calibration, document: Document) -> Iterator[Finding]:
    """What rests on another section, and was measured before it."""
    sharp = ("belt",) if calibration.belt and calibration.belt.edge_px else ()  # how sharp its edges were
    for base, words, steps in (
        ("camera", "the camera's settings", (*SEEN, *sharp)),
        ("plane", "the plane", STRAIGHTENED),
        ("positions", "the servos' positions", ("gates",)),
    ):
        yield from _older(calibration, base, words, steps, document)


def _older(
    calibration: Calibration, base: str, words: str, steps: Sequence[str], document: Document
) -> Iterator[Finding]:
    measured = calibration.measured()
    for step in steps:
        if base in measured and step in measured and measured[step].made_at < measured[base].made_at:
            yield document.finding(
                (step, "made_at"),
                f"is older than {words} of {measured[base].made_at:%Y-%m-%d %H:%M}: brickgate-calibrate {step}",
                Severity.WARNING,
            )


def _settings_replaced(
    machine: MachineConfig, calibration: Calibration, document: Document, network: str | None
) -> Iterator[Finding]:
    """Somebody who edits machine.yaml after calibrating must not wonder why nothing changes."""
    pairs = [("camera", "camera", key) for key in ("exposure_s", "gain", "white_balance", "focus_dioptres")]
    if confidence_of(machine, calibration, network):
        pairs += [("confidence", "fusion", "sure_above"), ("confidence", "fusion", "exponent")]
    for step, section, key in pairs:
        if (measured := getattr(calibration, step)) is None or key not in getattr(machine, section).model_fields_set:
            continue
        written, found = getattr(getattr(machine, section), key), getattr(measured, key)
        if written is not None and found is not None and written != found:
            yield document.finding(
                (step, key),
                f"holds, not machine.yaml's {section}.{key} {_plain(written)}: brickgate-calibrate {step}, or take the"
                " section out of this file",
                Severity.WARNING,
                value=_plain(found),
            )


def _failed(calibration: Calibration, document: Document) -> Iterator[Finding]:
    for step, section in calibration.measured().items():
        for what, residual in section.residuals.items():
            if not residual.passes:
                yield document.finding(
                    (step, "residuals", what),
                    f"{residual.value:g} {residual.unit} is above {residual.limit:g}: brickgate-calibrate {step}",
                    Severity.WARNING,
                )


def _plain(value: float | tuple[float, ...]) -> str:
    return f"[{', '.join(f'{part:g}' for part in value)}]" if isinstance(value, tuple) else f"{value:g}"
