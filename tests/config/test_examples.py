"""The shipped machines check clean, and the starter families all find a bin."""

import re
from dataclasses import dataclass

import numpy as np
import pytest

from edge.bundle.manifest import load_bundle
from edge.catalogue.colours import load_colours
from edge.catalogue.parts import PartCatalogue, StarterPart, load_starter_parts
from edge.config import example, examples
from edge.config.load import load_bins, load_machine
from edge.config.matching import accepted_colours, accepted_parts
from edge.config.report import check, errors

STUD_MM = 8.0


@dataclass(frozen=True)
class NominalPart:
    """A starter family with the size that its title tells: studs × 8 mm."""

    family: StarterPart

    @property
    def number(self) -> str:
        return self.family.number

    @property
    def name(self) -> str:
        return self.family.title

    @property
    def category(self) -> str:
        return self.family.category

    @property
    def moulds(self) -> tuple[str, ...]:
        return (*self.family.ldraw_moulds, *self.family.aliases)

    @property
    def length_mm(self) -> float:
        return max(self._sides_mm)

    @property
    def width_mm(self) -> float:
        return min(self._sides_mm)

    @property
    def height_mm(self) -> float:
        return 9.6

    @property
    def _sides_mm(self) -> tuple[float, float]:
        found = re.search(r"(\d+) x (\d+)", self.family.title)
        return (int(found[1]) * STUD_MM, int(found[2]) * STUD_MM) if found else (24.0, 8.0)


def nominal_catalogue() -> PartCatalogue:
    return PartCatalogue([NominalPart(family) for family in load_starter_parts()])


@pytest.mark.parametrize("name", examples())
def test_examples_check_clean(name: str) -> None:
    folder = example(name)
    assert errors(check(folder / "machine.yaml", folder / "bins.yaml", nominal_catalogue())) == []


@pytest.mark.parametrize("name", ["west-18", "beginner-4", "pushers-4", "jets-6", "chute-9"])
def test_simulated_examples_give_no_warning(name: str) -> None:
    folder = example(name)
    assert check(folder / "machine.yaml", folder / "bins.yaml", nominal_catalogue()) == []


@pytest.mark.parametrize("name", ["west-18", "beginner-4", "pushers-4", "jets-6", "chute-9"])
def test_examples_check_clean_with_the_shipped_model(name: str) -> None:
    folder = example(name)
    catalogue = PartCatalogue(load_bundle(load_machine(folder / "machine.yaml").model.bundle).parts)
    assert check(folder / "machine.yaml", folder / "bins.yaml", catalogue) == []


def test_west_wants_every_family_in_every_colour() -> None:
    catalogue, colours = nominal_catalogue(), load_colours()
    wanted = np.zeros((len(catalogue), len(colours)), bool)
    for bin_ in load_bins(example("west-18") / "bins.yaml").bins:
        for rule in bin_.accept:
            wanted |= np.outer(accepted_parts(rule, catalogue), accepted_colours(rule, colours))
    unwanted = [catalogue.parts[index].number for index in np.flatnonzero(~wanted.all(axis=1))]
    assert unwanted == []
