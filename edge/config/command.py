"""`brickgate check-config`: the findings of a machine's files, one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.manifest import load_bundle
from edge.bundle.unknown import FamiliarityTable
from edge.catalogue.parts import PartCatalogue
from edge.catalogue.prior import COMMON, Prior, in_words, read_prior, unknown_names
from edge.config.calibrated import calibration_of
from edge.config.calibration import NAME as CALIBRATION
from edge.config.document import read_document
from edge.config.findings import Finding, Severity, errors
from edge.config.load import load_machine
from edge.config.report import check
from edge.errors import BrickgateError, ConfigError

BINS_KEYS = {"default_bin", "layout", "bins"}


def check_files(files: Sequence[Path], bundle: str | None, say: Callable[[str], None]) -> int:
    """Checks a machine.yaml, with or without its bins.yaml, and prints what is wrong.

    Args:
        files: one or two files, told apart by their keys. The calibration.yaml beside the machine.yaml is checked
            with it, named or not.
        bundle: whose parts the rules may name; default the machine's own, where it can be had.
        say: told each line.

    Returns:
        The exit code: 2 with an error, 0 with warnings alone.

    Raises:
        ConfigError: other than one machine.yaml and at most one bins.yaml was named, or another machine's calibration.
    """
    calibrations = [file for file in files if file.name == CALIBRATION]
    bins = [file for file in files if file not in calibrations and _is_bins(file)]
    machines = [file for file in files if file not in (*calibrations, *bins)]
    if len(machines) != 1 or len(bins) > 1:
        raise ConfigError(
            f"give one machine.yaml and, if wanted, one bins.yaml (found {len(machines)} and {len(bins)})"
        )
    _check_beside(machines[0], calibrations)
    model = _model(machines[0], bundle, say)
    catalogue, network = (model.catalogue, model.network) if model else (None, None)
    findings = check(machines[0], bins[0] if bins else None, catalogue, network)
    findings += (*_of_prior(model), *_of_unknown(model, machines[0])) if model else ()
    for finding in findings:
        say(str(finding))
    if model and model.prior.weights:
        say(f"how common parts are taken to be: {in_words(model.prior, model.catalogue)}")
    wrong = len(errors(findings))
    names = " and ".join(str(file) for file in (*machines, *bins))
    say(f"{names}: {_count(wrong, 'error')}, {_count(len(findings) - wrong, 'warning')}")
    return 2 if wrong else 0


def _check_beside(machine: Path, calibrations: Sequence[Path]) -> None:
    beside = calibration_of(machine)
    for file in calibrations:
        if file.absolute() != beside.absolute():
            raise ConfigError(
                f"{file}: a calibration holds for the machine.yaml beside it; that of {machine} is {beside}"
            )


def _is_bins(file: Path) -> bool:
    value = read_document(file).value
    return bool(BINS_KEYS & value.keys()) if isinstance(value, dict) else file.name.startswith("bins")


@dataclass(frozen=True, slots=True)
class _Model:
    """The parts that the model knows, and how common the machine takes them to be."""

    catalogue: PartCatalogue
    prior: Prior
    asked_of_unknown: bool
    """Whether machine.yaml itself wants unknown parts to be noticed."""
    familiarity: FamiliarityTable | None
    network: str | None
    """Of the machine's own bundle; None where another was named, whose confidence was never asked for."""


def _model(machine: Path, bundle: str | None, say: Callable[[str], None]) -> _Model | None:
    """None, with a word, when the configuration or the model cannot be read."""
    try:
        config = load_machine(machine)
    except ConfigError:
        return None
    try:
        loaded = load_bundle(bundle or config.model.bundle)
    except BrickgateError as error:
        say(f"part numbers and rules are not checked: {error}")
        return None
    fusion = config.fusion
    asked = "reject_unknown" in fusion.model_fields_set and fusion.reject_unknown is not False
    network = loaded.network if bundle in (None, config.model.bundle) else None
    prior = fusion.prior or read_prior(loaded.prior)
    return _Model(PartCatalogue(loaded.parts), prior, asked, loaded.familiarity, network)


def _of_prior(model: _Model) -> Iterator[Finding]:
    """A file of weights may name more than the model knows: no reason not to start. The shipped one does for most."""
    if model.prior.name == COMMON:
        return
    for name in unknown_names(model.prior, model.catalogue):
        meant = model.catalogue.suggest(name)
        message = f"the model knows no part or category '{name}'" + (f"; did you mean '{meant}'?" if meant else "")
        yield Finding(Severity.WARNING, str(model.prior.file), model.prior.lines[name], "", name, message)


def _of_unknown(model: _Model, machine: Path) -> Iterator[Finding]:
    """The bundle may not be able to do what machine.yaml wants of it."""
    if model.asked_of_unknown and model.familiarity is None:
        message = "the model cannot tell parts that it does not know: make its bundle again with this brickgate-model"
        yield read_document(machine).finding(("fusion", "reject_unknown"), message, Severity.WARNING)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
