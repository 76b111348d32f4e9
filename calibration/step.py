"""One step of the calibration: collect, fit, check, and only then write.

A step is a module with `collect(rig) -> data` and a pure `fit(data, …) -> Fit`; everything that can go wrong with
either is a `RefusedError`, and the old calibration stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from calibration.file import save_section
from calibration.pictures import keep_picture
from calibration.rig import Rig
from edge.config.calibration import Calibration, Measured
from edge.errors import BrickgateError
from edge.records import ImageBgr

Data = TypeVar("Data")
Section = TypeVar("Section", bound=Measured)


class RefusedError(BrickgateError):
    """A measurement that must not be used: what is wrong with it, and what to do. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Fit(Generic[Section]):
    """What a step came to: the section with its residuals, and a picture of how well it fits."""

    section: Section
    picture: ImageBgr | None = None
    notes: tuple[str, ...] = ()
    """What the user should know, a line each."""


@dataclass(frozen=True, slots=True)
class Step(Generic[Data, Section]):
    """A step by its parts.

    Attributes:
        name: of the section in calibration.yaml.
        title: what it does, in a few words.
        collect: gathers what the fit needs from a rig, asking its operator.
        fit: from that to the section. `made_at` and `measured_from` are filled in by the rig's `stamp`.
        needs: steps that must have been done before: what they measure goes into this one.
    """

    name: str
    title: str
    collect: Callable[[Rig], Data]
    fit: Callable[[Rig, Data], Fit[Section]]
    needs: tuple[str, ...] = ()


def run_step(step: Step[Data, Section], rig: Rig, file: Path) -> Calibration:
    """Collects, fits, checks and writes; gives the calibration with the new section.

    Args:
        file: calibration.yaml.

    Raises:
        RefusedError: a step before it is missing, or the measurement cannot be used; the old section stays.
    """
    _check_needs(step, rig)
    fit = step.fit(rig, step.collect(rig))
    if rig.pictures is not None and fit.picture is not None:
        keep_picture(rig.operator, fit.picture, rig.pictures / f"{step.name}.png")
    check(step.name, fit.section)
    for note in fit.notes:
        rig.operator.say(note)
    calibration = save_section(file, step.name, fit.section)
    rig.calibrate(calibration)
    return calibration


def _check_needs(step: Step[Data, Section], rig: Rig) -> None:
    """A recording cannot lay a sheet: its camera is what its YAML says."""
    missing = [name for name in step.needs if getattr(rig.calibration, name) is None]
    if missing and rig.machine.camera.driver != "frames":
        raise RefusedError(
            f"{step.name}: {' and '.join(missing)} must be measured before, or it would be wrong by as much as"
            f" machine.yaml is: brickgate-calibrate {missing[0]}"
        )


def check(name: str, section: Measured) -> None:
    """Refuses a fit that does not hold.

    Raises:
        RefusedError: the first residual that is over its limit.
    """
    for what, residual in section.residuals.items():
        if not residual.passes:
            raise RefusedError(
                f"{name}: {what} is {residual.value:.3g} {residual.unit}, at most {residual.limit:g} may be: the old"
                f" calibration stays; measure again"
            )
