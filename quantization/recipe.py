"""A recipe: everything that a model is made from, in one YAML file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import edge.catalogue
from edge.catalogue.prior import UNIFORM
from edge.config.document import read_document
from edge.errors import ConfigError, InputError
from quantization.csv_rows import read_csv

RECIPES = Path(__file__).parent / "recipes"
UNKNOWN_FAMILIES, EVERYDAY_FAMILIES = "unknown-parts.csv", "starter-parts.csv"
CATALOGUE = Path(edge.catalogue.__file__).parent
NUMBER = re.compile(r"[\w-]+", re.ASCII)
"""A part's: it names files and samples."""

Positive = Annotated[int, Field(gt=0)]
LearningRate = Annotated[float, Field(gt=0, le=1)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RenderRecipe(Strict):
    """How many looks of each family are rendered, and how large."""

    looks_per_family: Positive
    test_looks_per_family: Positive = 20
    """Of another seed, for evaluation: training never sees them."""
    size_px: Annotated[int, Field(ge=64, le=512)]


class NetworkRecipe(Strict):
    """Which network, and how wide: its channels as a share of the paper's."""

    kind: Literal["mobilenet-v2", "resnet18", "resnet50"] = "mobilenet-v2"
    width: Annotated[float, Field(ge=0.25, le=1.4)]
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the last features that training leaves out at random (Srivastava et al. 2014)."""


class StageRecipe(Strict):
    """See `quantization.train.loop.Stage`."""

    size_px: Annotated[int, Field(ge=32, le=512, multiple_of=32)]
    pictures: Positive
    rate_from: LearningRate
    rate_to: LearningRate
    batch: Annotated[int, Field(ge=2, le=1024)] = 64
    int8: bool = False
    norms_frozen: bool = False
    blocks_frozen: Annotated[int, Field(ge=0)] = 0
    warm_up: Annotated[int, Field(ge=0)] = 0


class TeacherRecipe(Strict):
    """The large network that a student may learn from: `train --teacher` makes it."""

    network: NetworkRecipe = NetworkRecipe(kind="resnet50", width=1.0)
    stages: Annotated[list[StageRecipe], Field(min_length=1)]
    input_px: Annotated[int, Field(ge=32, le=512, multiple_of=32)] | None = None
    """Side of the pictures that it is asked with; None: as its student's. A larger one sees what the student misses."""


class DistillRecipe(Strict):
    """How a student learns from its teacher; see `quantization.distill.lesson.Lesson`."""

    temperature: Annotated[float, Field(gt=0, le=100)] = 4.0
    logits_share: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Weight of the teacher's answer; the rest is the label's."""
    feature_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the loss between the last feature maps; 0: they are not compared."""


class ShardsRecipe(Strict):
    """A folder of tar shards and its share of what is trained on; shares are kept to a thousandth."""

    folder: str
    share: Annotated[float, Field(ge=0.001, le=1)]


class DataRecipe(Strict):
    """What is trained on beside the renders, which have the share that is left, and what is done about gaps."""

    shards: list[ShardsRecipe] = []
    damaged: Literal["refuse", "skip"] = "refuse"
    empty_families: Literal["refuse", "skip"] = "refuse"
    recoloured_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """So much of what is trained on is shown in other colours, half of it in none: what tells parts apart is their
    shape, under any lamp."""
    coarsened_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """So much of what is trained on is made coarse, as a camera delivers that sees a part in fewer pixels than the
    network has: for networks that see more than 96 px."""


class Recipe(Strict):
    """One model."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    families: str
    kept_out: Annotated[int, Field(ge=0)] = 0
    """So many families, spread evenly over the list's rarer ones, are never trained on: the evaluation tells whether
    the model notices them. 0: the shipped unknown-parts.csv serves, less what the recipe knows."""
    seed: Annotated[int, Field(ge=0)]
    render: RenderRecipe
    network: NetworkRecipe
    stages: Annotated[list[StageRecipe], Field(min_length=1)]
    input_px: Annotated[int, Field(ge=32, le=512, multiple_of=32)]
    margin: Annotated[float, Field(ge=0, le=0.5)]
    representative_pictures: Positive
    least_agreement: Annotated[float, Field(gt=0, le=1)] = 0.9
    """An int8 model that agrees less often with the float one is broken, and does not enter a bundle."""
    least_float_agreement: Annotated[float, Field(gt=0, le=1)] = 0.998
    """The same for exported files that compute in float."""
    prior: Literal["uniform", "common"] = UNIFORM
    """How common its parts are taken to be by a machine that is not told otherwise, see `edge.catalogue.prior`."""
    data: DataRecipe = DataRecipe()
    teacher: TeacherRecipe | None = None
    distill: DistillRecipe = DistillRecipe()


@dataclass(frozen=True, slots=True)
class Family:
    """One class of the model: its number, the LDraw moulds that it is rendered from, and other names."""

    number: str
    moulds: tuple[str, ...]
    aliases: tuple[str, ...]
    description: str


def class_by_name(families: Sequence[Family]) -> dict[str, int]:
    """The class that each number, mould and alias stands for; a family's own number counts before another's alias."""
    class_of: dict[str, int] = {}
    for names in ("number", "moulds", "aliases"):
        for k, family in enumerate(families):
            named = getattr(family, names)
            for name in (named,) if isinstance(named, str) else named:
                class_of.setdefault(name, k)
    return class_of


def load_recipe(name_or_file: str) -> Recipe:
    """A shipped recipe by its name, or one from a file.

    Raises:
        ConfigError: no such recipe, or one that holds a mistake.
    """
    file = Path(name_or_file)
    if file.suffix not in {".yaml", ".yml"}:
        file = RECIPES / f"{name_or_file}.yaml"
    if not file.is_file():
        shipped = ", ".join(sorted(path.stem for path in RECIPES.glob("*.yaml")))
        raise ConfigError(f"no recipe {name_or_file}: give a YAML file or one of {shipped}")
    document = read_document(file)
    if document.findings:
        raise ConfigError(str(document.findings[0]))
    try:
        return Recipe.model_validate(document.value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        place = f"{file}:{document.line(first['loc'])}"
        raise ConfigError(f"{place}: {key}: {first['msg']} (found {first['input']!r})") from error


def load_families(recipe: Recipe) -> list[Family]:
    """The classes of a recipe, in the order of the network's outputs.

    Raises:
        InputError: the list is missing, empty or names a family twice.
    """
    families = read_families(recipe.families)
    kept_out = _kept_out(recipe, families)
    return [family for k, family in enumerate(families) if k not in kept_out]


def load_unknown_families(recipe: Recipe) -> list[Family]:
    """Families that the model was never shown, to measure whether it notices; none of them known to the recipe.

    Raises:
        InputError: as in `load_families`, or all are known.
    """
    if recipe.kept_out:
        families = read_families(recipe.families)
        return [families[k] for k in sorted(_kept_out(recipe, families))]
    known = {name for family in load_families(recipe) for name in (family.number, *family.moulds, *family.aliases)}
    strange = [
        family
        for family in read_families(UNKNOWN_FAMILIES)
        if known.isdisjoint((family.number, *family.moulds, *family.aliases))
    ]
    if not strange:
        raise InputError(f"recipe {recipe.name} knows all parts of {UNKNOWN_FAMILIES}: set kept_out, such as to 20")
    return strange


def _kept_out(recipe: Recipe, families: list[Family]) -> set[int]:
    """Places of the families that are not trained on: spread evenly, but none that the starter model knows, which are
    those that its users meet most."""
    if recipe.kept_out >= len(families):
        raise InputError(
            f"recipe {recipe.name} keeps out {recipe.kept_out} of {len(families)} families: lower kept_out"
        )
    everyday = {name for family in read_families(EVERYDAY_FAMILIES) for name in (family.number, *family.moulds)}
    places = [k for k, family in enumerate(families) if everyday.isdisjoint((family.number, *family.moulds))]
    if len(places) < recipe.kept_out:
        places = list(range(len(families)))
    wanted = [(2 * k + 1) * len(families) // (2 * recipe.kept_out) for k in range(recipe.kept_out)]
    chosen: set[int] = set()
    for place in wanted:
        left = (other for other in places if other not in chosen)
        chosen.add(min(left, key=lambda other: (other - place) % len(families)))
    return chosen


def read_families(name: str) -> list[Family]:
    """The families of a list: a path, or a file among the recipes or in the catalogue.

    Raises:
        InputError: the list is missing, empty or names a family twice, or a number stands for two.
    """
    candidates = (Path(name), RECIPES / name, CATALOGUE / name)
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        raise InputError(f"no list of families {name}: give a CSV with part_family and ldraw_moulds")
    rows = read_csv(file, "a list of families", ("part_family", "ldraw_moulds"))
    gap = next((line for line, row in rows if not (row["part_family"] and row["ldraw_moulds"].strip("; "))), None)
    if gap:
        raise InputError(f"{file}:{gap}: part_family or ldraw_moulds is empty: fill it in")
    families = [_family(row) for _, row in rows]
    numbers = [family.number for family in families]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if not families or twice:
        raise InputError(f"{file} {f'names {twice} twice' if twice else 'names no family'}: correct the list")
    _check_names(file, rows, families)
    strange = next((name for f in families for name in (f.number, *f.moulds) if not NUMBER.fullmatch(name)), None)
    if strange is not None:
        raise InputError(f"{file} names '{strange}': a number has letters, digits, '_' and '-' only, such as 3062b")
    return families


def _check_names(file: Path, rows: Sequence[tuple[int, dict[str, str]]], families: Sequence[Family]) -> None:
    """Refuses a number, mould or alias of two families: what it shows would be taught as one and meant as the other.

    Raises:
        InputError: names it, and both rows.
    """
    first: dict[str, tuple[int, str]] = {}
    for (line, _), family in zip(rows, families, strict=True):
        for name in (family.number, *family.moulds, *family.aliases):
            # LDraw's files and labels are found in upper and lower case alike.
            known_line, known = first.setdefault(name.lower(), (line, family.number))
            if known_line != line:
                raise InputError(
                    f"{file}:{line}: {name} of family {family.number} stands in line {known_line} for {known} already:"
                    " take it out of one, or make them one row"
                )


def _family(row: dict[str, str]) -> Family:
    return Family(
        row["part_family"],
        _listed(row["ldraw_moulds"]),
        _listed(row.get("aliases", "")),
        " ".join((row.get("description") or row["part_family"]).split()),
    )


def _listed(cell: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in cell.split(";"))))
