"""The files that the catalogue consists of."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from edge.catalogue.categories import category_of
from edge.catalogue.lookalikes import COLUMNS, LookAlike
from edge.errors import InputError
from quantization.catalogue.families import PartType
from quantization.catalogue.shapes import Shape

PARTS, EXCLUDED, LOOK_ALIKES = "universal-parts.csv", "excluded.csv", "look-alikes.csv"
PART_COLUMNS = (
    "part_family", "ldraw_moulds", "aliases", "description", "category",
    "length_mm", "width_mm", "height_mm", "rebrickable", "bricklink",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Excluded:
    """A file of the library that is no part type, and why."""

    number: str
    description: str
    rule: str
    reason: str


def check_folder(out: Path) -> None:
    """Makes the folder of the tables.

    Raises:
        InputError: that cannot be done, or nothing can be written there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError(f"{out} cannot be written to ({error.strerror}): name another folder with --out") from error


def write_parts(file: Path, types: Sequence[PartType], shapes: dict[str, Shape]) -> None:
    """The part types; sizes are those of the first mould."""
    _write(file, PART_COLUMNS, (_part_row(part_type, shapes[part_type.moulds[0].number]) for part_type in types))


def write_excluded(file: Path, excluded: Iterable[Excluded]) -> None:
    """What was left out."""
    _write(file, ("part", "description", "rule", "reason"), map(astuple, excluded))


def write_look_alikes(file: Path, pairs: Iterable[LookAlike]) -> None:
    """The pairs that look alike, as `edge.catalogue.lookalikes` reads them."""
    _write(file, COLUMNS, map(astuple, pairs))


def _part_row(part_type: PartType, shape: Shape) -> tuple[object, ...]:
    return (
        part_type.number,
        ";".join(mould.number for mould in part_type.moulds),
        ";".join(part_type.aliases),
        part_type.title,
        category_of(part_type.title),
        *shape.size_mm,
        ";".join(part_type.numbers_of("rebrickable")),
        ";".join(part_type.numbers_of("bricklink")),
    )


def _write(file: Path, columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
    """Written beside and then renamed: a reader never sees half a table."""
    temporary = file.with_name(f".{file.name}.new")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)  # of a full disk
