"""Everything that is wrong with a machine's configuration, before anything moves."""

from __future__ import annotations

from pathlib import Path

from edge.catalogue.parts import PartCatalogue
from edge.config.bins import BinsConfig
from edge.config.calibrated import calibration_of
from edge.config.calibration import Calibration
from edge.config.check_bins import check_bins
from edge.config.check_calibration import check_calibration, missing_steps
from edge.config.check_layout import check_layout
from edge.config.check_machine import check_machine, missing_recording
from edge.config.check_rules import check_rules
from edge.config.check_sensors import check_sensor_bins
from edge.config.document import Document
from edge.config.findings import Finding, Severity, errors, raise_for_errors
from edge.config.load import read
from edge.config.schema import MachineConfig

__all__ = ["Finding", "Severity", "check", "errors", "load"]


def check(
    machine_path: str | Path,
    bins_path: str | Path | None = None,
    catalogue: PartCatalogue | None = None,
    network: str | None = None,
) -> list[Finding]:
    """Checks the two files, each alone and against each other, in the order of their lines.

    Args:
        bins_path: None checks machine.yaml alone.
        catalogue: the parts of the model bundle; None leaves part numbers and rules unchecked.
        network: that bundle's; None leaves unchecked which version of it was calibrated with.
    """
    bins = Path(bins_path) if bins_path else None
    return _read_and_check(Path(machine_path), bins, catalogue, network, hints=True)[2]


def load(
    machine_path: str | Path, bins_path: str | Path, catalogue: PartCatalogue, network: str | None = None
) -> tuple[MachineConfig, BinsConfig, list[Finding]]:
    """Both configurations, with the warnings, once nothing keeps the machine from starting.

    Raises:
        ConfigError: the first error.
    """
    machine, bins, findings = _read_and_check(Path(machine_path), Path(bins_path), catalogue, network)
    raise_for_errors(findings)
    assert machine is not None
    assert bins is not None
    return machine, bins, findings


def _read_and_check(
    machine_path: Path,
    bins_path: Path | None,
    catalogue: PartCatalogue | None,
    network: str | None,
    *,
    hints: bool = False,
) -> tuple[MachineConfig | None, BinsConfig | None, list[Finding]]:
    machine, machine_yaml, findings = read(machine_path, MachineConfig)
    if machine is not None:
        findings = check_machine(machine, machine_yaml)
        findings += missing_recording(machine, machine_yaml) if hints else ()
    findings = sorted(findings, key=lambda finding: finding.line)
    findings += _of_calibration(machine, machine_path, network, hints)
    if bins_path is None:
        return machine, None, findings
    bins, bins_yaml, of_bins = read(bins_path, BinsConfig)
    if bins is not None:
        of_bins = check_bins(bins, bins_yaml, catalogue.categories if catalogue else frozenset())
        if machine is not None:
            of_bins += check_layout(machine, bins, bins_yaml)
            findings += check_sensor_bins(machine, bins, machine_yaml)
        if catalogue is not None:
            of_bins += check_rules(bins, catalogue, bins_yaml, of_bins)
    return machine, bins, [*findings, *sorted(of_bins, key=lambda finding: finding.line)]


def _of_calibration(
    machine: MachineConfig | None, machine_path: Path, network: str | None, hints: bool
) -> list[Finding]:
    """What there is to say of the calibration.yaml beside machine.yaml, and of there being none."""
    file = calibration_of(machine_path)
    calibration, document, findings = read(file, Calibration) if file.exists() else (Calibration(), Document(file), [])
    if machine is not None and calibration is not None:
        findings = check_calibration(machine, calibration, document, network)
        findings += missing_steps(machine, calibration, document) if hints else ()
    return sorted(findings, key=lambda finding: finding.line)
