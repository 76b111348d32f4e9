"""machine.yaml with calibration.yaml laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edge.config.calibration import NAME, Calibration, ConfidenceCalibration
from edge.config.findings import raise_for_errors
from edge.config.gates import GateConfig, MaybeServoBase
from edge.config.load import read
from edge.config.schema import GpioEncoderConfig, MachineConfig, SimEncoderConfig


def calibration_of(machine_path: str | Path) -> Path:
    """Where the calibration of a machine.yaml lies."""
    return Path(machine_path).parent / NAME


def load_calibration(file: Path) -> Calibration:
    """Reads calibration.yaml; a machine that has none is not calibrated at all.

    Raises:
        ConfigError: it is there, and cannot be used.
    """
    if not file.exists():
        return Calibration()
    calibration, _, findings = read(file, Calibration)
    raise_for_errors(findings)
    assert calibration is not None
    return calibration


def calibrated(machine: MachineConfig, calibration: Calibration) -> MachineConfig:
    """The machine as it was measured. What was not measured stays as machine.yaml has it; so do gates that
    machine.yaml no longer has."""
    return machine.model_copy(
        update={
            "camera": machine.camera.model_copy(update=_camera(calibration)),
            "belt": machine.belt.model_copy(update=_belt(machine, calibration)),
            "gates": tuple(_gate(gate, calibration) for gate in machine.gates),
            "fusion": machine.fusion.model_copy(update=_fusion(machine, calibration)),
        }
    )


def confidence_of(
    machine: MachineConfig, calibration: Calibration, network: str | None = None
) -> ConfidenceCalibration | None:
    """The confidence that was measured with the machine's own model; another model's says nothing about it.

    Args:
        network: `Bundle.network` of that model; None: its name alone is compared.
    """
    confidence = calibration.confidence
    if confidence is None or confidence.bundle != machine.model.bundle:
        return None
    return confidence if network in (None, confidence.network) else None


def _camera(calibration: Calibration) -> dict[str, object]:
    changes: dict[str, object] = {}
    if locked := calibration.camera:
        changes |= {"exposure_s": locked.exposure_s, "gain": locked.gain, "white_balance": locked.white_balance}
        if locked.focus_dioptres is not None:
            changes["focus_dioptres"] = locked.focus_dioptres
    if plane := calibration.plane:
        changes["px_per_mm"] = plane.px_per_mm
    return changes


def _belt(machine: MachineConfig, calibration: Calibration) -> dict[str, object]:
    if not (belt := calibration.belt):
        return {}
    changes: dict[str, object] = {"belt_mm_per_s": belt.belt_mm_per_s}
    encoder = machine.belt.encoder
    if belt.mm_per_tick and isinstance(encoder, GpioEncoderConfig | SimEncoderConfig):
        changes["encoder"] = encoder.model_copy(update={"mm_per_tick": belt.mm_per_tick})
    return changes


def _gate(gate: GateConfig, calibration: Calibration) -> GateConfig:
    measured = calibration.gates.gates.get(gate.name) if calibration.gates else None
    changes = measured.model_dump(exclude_none=True) if measured else {}
    nudged = calibration.positions.pulse_us.get(gate.name) if calibration.positions else None
    if nudged and is_nudged(gate, nudged):
        changes["pulse_us"] = nudged
    return gate.model_copy(update=changes)


def is_nudged(gate: GateConfig, pulse_us: Mapping[str, int]) -> bool:
    """Whether pulses are those of a gate: it is a servo, and still has just these positions."""
    return isinstance(gate, MaybeServoBase) and gate.pulse_us is not None and set(pulse_us) == set(gate.positions)


def _fusion(machine: MachineConfig, calibration: Calibration) -> dict[str, object]:
    confidence = confidence_of(machine, calibration)
    return {"exponent": confidence.exponent, "sure_above": confidence.sure_above} if confidence else {}
