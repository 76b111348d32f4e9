"""What was measured with the machine's own model, and with no other: an update brings another under the same name."""

from __future__ import annotations

from edge.bundle.manifest import load_bundle
from edge.config.calibrated import confidence_of
from edge.config.calibration import Calibration
from edge.config.schema import MachineConfig
from edge.errors import BundleError


def network_of(machine: MachineConfig) -> str | None:
    """`Bundle.network` of the machine's model; None where it cannot be had, which the machine itself will say."""
    try:
        return load_bundle(machine.model.bundle).network
    except BundleError:
        return None


def of_own_model(machine: MachineConfig, calibration: Calibration) -> Calibration:
    """The calibration without a confidence that was measured with another model."""
    if calibration.confidence is None:
        return calibration
    return calibration.model_copy(update={"confidence": confidence_of(machine, calibration, network_of(machine))})
