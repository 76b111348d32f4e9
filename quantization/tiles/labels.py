"""Which part is in which picture: from a CSV, or one for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle.manifest import BundlePart
from edge.bundle.preprocess import read_mm_per_px
from edge.catalogue.parts import PartCatalogue
from edge.errors import InputError
from quantization.csv_rows import read_csv
from quantization.recipe import Family
from quantization.tiles.picture import CAMERA_SUFFIXES, SUFFIXES

BY_PICTURE, BY_FOLDER = "file", "folder"
"""Groupings that need no column."""
LARGEST_COLOUR = 0x7FFFFFFF
"""As shards keep it; LDraw's codes, direct colours included, are smaller."""


@dataclass(frozen=True, slots=True)
class Tray:
    """One picture of one part. All that has the same `group` is kept in one split."""

    file: Path
    part: str
    group: str
    colour: int | None = None
    mm_per_px: float | None = None


@dataclass(frozen=True, slots=True)
class Labelling:
    """Pictures with their labels, and a line for each that is left out."""

    trays: list[Tray]
    left_out: list[str]


def known_parts(families: Sequence[Family]) -> PartCatalogue:
    """The parts of a recipe, by all their numbers."""
    return PartCatalogue([BundlePart(f.number, f.description, "", (*f.moulds, *f.aliases)) for f in families])


def find_pictures(paths: Iterable[Path]) -> list[Path]:
    """The pictures named, and those in the folders named, sorted within each folder and its own; also those of kinds
    that cannot be read, to be named when they are opened.

    Raises:
        InputError: a path that is not there, or a folder without a picture.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            pictures = (*SUFFIXES, *CAMERA_SUFFIXES)
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in pictures and p.is_file())
            if not inside:
                raise InputError(f"{path} holds no picture: give JPEG, PNG, WebP, BMP, TIFF or SVS")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{path} is not there: check the path")
    return list(dict.fromkeys(found))


def label_all(
    pictures: Sequence[Path], part: str, catalogue: PartCatalogue, group_by: str, mm_per_px: float | None
) -> Labelling:
    """Give all pictures one label.

    Raises:
        InputError: a part that the catalogue does not have, or no such grouping.
    """
    if group_by not in (BY_PICTURE, BY_FOLDER):
        raise InputError(f"--group is '{group_by}': without --labels give {BY_PICTURE} or {BY_FOLDER}")
    number = catalogue.canonical(part)
    if number is None:
        raise InputError(f"--label is '{part}', which is not in the catalogue{_meant(part, catalogue)}")
    groups = _plain_groups(pictures, group_by)
    return Labelling([Tray(p, number, groups[p], None, mm_per_px) for p in pictures], [])


def label_by_csv(
    pictures: Sequence[Path], file: Path, catalogue: PartCatalogue, group_by: str, mm_per_px: float | None
) -> Labelling:
    """Give each picture the label of its row: columns `file` and `part`, and if wanted `colour` (LDraw's code),
    `mm_per_px` and any to group by. Paths are relative to the CSV.

    Raises:
        InputError: no readable CSV or a column is missing.
    """
    rows = read_rows(file, ["file", "part", *([] if group_by in (BY_PICTURE, BY_FOLDER) else [group_by])])
    by_path: dict[Path, tuple[int, dict[str, str]]] = {}
    trays: list[Tray] = []
    left_out: list[str] = []
    for line, row in rows:
        first, _ = by_path.setdefault((file.parent / row["file"]).resolve(), (line, row))
        if first != line:
            left_out.append(f"{file}:{line}: {row['file']} has its label in line {first} already")
    groups = _plain_groups(pictures, group_by)
    for picture in pictures:
        line, row = by_path.pop(picture.resolve(), (0, None))
        if row is None:
            left_out.append(f"{picture} has no row in {file}")
            continue
        try:
            trays.append(_tray(picture, row, catalogue, groups.get(picture) or _of_column(row, group_by), mm_per_px))
        except InputError as error:
            left_out.append(f"{file}:{line}: {picture.name}: {error}")
    left_out += [
        f"{file}:{line}: {row['file']} is not there" for path, (line, row) in by_path.items() if not path.is_file()
    ]
    return Labelling(trays, left_out)


def read_rows(file: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV with their lines; all cells are stripped, and empty where they are missing.

    Raises:
        InputError: it cannot be read, has no row, or lacks a column.
    """
    rows = read_csv(file, "labels", needed)
    if not rows:
        raise InputError(f"{file} has no row: give one for each picture")
    return rows


def part_of(text: str, catalogue: PartCatalogue) -> str:
    """The canonical number of a part.

    Raises:
        InputError: none is named, or the catalogue does not have it.
    """
    if not text:
        raise InputError("no part is named")
    number = catalogue.canonical(text)
    if number is None:
        raise InputError(f"part '{text}' is not in the catalogue{_meant(text, catalogue)}")
    return number


def colour_of(text: str) -> int | None:
    """LDraw's code of a colour, or None for an empty cell.

    Raises:
        InputError: no such number.
    """
    if text and not (text.isdecimal() and int(text) <= LARGEST_COLOUR):
        raise InputError(f"colour is '{text}': give LDraw's code, such as 4 for red")
    return int(text) if text else None


def names_apart(folders: Iterable[Path], parts: int) -> dict[Path, str]:
    """The last `parts` names of each folder's path, and a number where another folder has these, too."""
    places: dict[str, list[Path]] = {}
    names: dict[Path, str] = {}
    for folder in dict.fromkeys(folders):
        place = folder.resolve()
        name = "/".join(place.parts[-parts:])
        alike = places.setdefault(name, [])
        if place not in alike:
            alike.append(place)
        number = alike.index(place) + 1
        names[folder] = name if number == 1 else f"{name} ({number})"
    return names


def _tray(picture: Path, row: dict[str, str], catalogue: PartCatalogue, group: str, mm_per_px: float | None) -> Tray:
    return Tray(
        picture,
        part_of(row["part"], catalogue),
        group,
        colour_of(row.get("colour", "")),
        read_mm_per_px(row.get("mm_per_px", "")) or mm_per_px,
    )


def _plain_groups(pictures: Sequence[Path], group_by: str) -> dict[Path, str]:
    """The group of each picture; none where a column says it."""
    if group_by not in (BY_PICTURE, BY_FOLDER):
        return {}
    places = {picture: picture.resolve().parent for picture in pictures}
    names = names_apart(places.values(), 1)
    folders = {picture: names[place] for picture, place in places.items()}
    return folders if group_by == BY_FOLDER else {p: f"{folder}/{p.name}" for p, folder in folders.items()}


def _of_column(row: dict[str, str], group_by: str) -> str:
    if not row[group_by]:
        raise InputError(f"'{group_by}' is empty, so that it belongs to no group")
    return row[group_by]


def _meant(text: str, catalogue: PartCatalogue) -> str:
    meant = catalogue.suggest(text)
    return f": did you mean {meant}?" if meant else ": give a number that the recipe's list of parts has"
