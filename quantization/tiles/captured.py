"""What the machine saw, as shards: `brickgate-model capture`.

`brickgate run --capture` writes a folder a run, with `labels.csv` and the looks that it names. The column `part` is
what counts: the machine fills it in where it was sure, a person corrects it, fills in the others or clears it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.bundle.preprocess import read_mm_per_px
from edge.catalogue.parts import PartCatalogue
from edge.errors import InputError
from quantization.tiles.cut import framed
from quantization.tiles.labels import colour_of, names_apart, part_of, read_rows
from quantization.tiles.make import Say, tell_gaps
from quantization.tiles.packing import Packer, Summary, made_already
from quantization.tiles.picture import BigPicture, ImageBgr, open_picture
from quantization.tiles.split import split_groups

LABELS_FILE = "labels.csv"
COLUMNS = ("file", "part", "colour_code", "group", "mm_per_px", "box_px")


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """As in `TileOptions`."""

    test_share: float = 0.2
    seed: int = 0
    samples_a_shard: int = 1000


@dataclass(frozen=True, slots=True)
class Captured:
    """One look that has a label."""

    file: Path
    part: str
    group: str
    colour: int | None
    mm_per_px: float | None
    box_px: tuple[int, int, int, int] | None


def pack_captures(
    folders: Sequence[Path], catalogue: PartCatalogue, options: CaptureOptions, out: Path, say: Say
) -> Summary:
    """Pack the looks that have a label; all looks at one part are kept in one split.

    Args:
        folders: each holds `labels.csv`, or folders that do.
        catalogue: the parts that there may be.
        options: of the split and the shards.
        out: folder of the set.
        say: told in one line of whatever is left out.

    Raises:
        InputError: no look has a label, or `out` holds another set.
        BrickgateError: the disk is full; finished shards are kept.
    """
    looks, left_out, unnamed = read_captures(folders, catalogue)
    for line in left_out:
        say(f"{line}: left out")
    counts = Counter({"looks of no named part": unnamed}) if unnamed else Counter[str]()
    if not looks:
        advice = "correct what the lines above name" if left_out else "fill in the column 'part'"
        raise InputError(f"no look of {len(left_out) + unnamed} has a usable label: {advice}")
    request = asdict(options) | {
        "captures": [
            [
                *(f"{look.file.parent.name}/{look.file.name}", look.file.stat().st_size),
                *(look.part, look.group, look.colour, look.mm_per_px, look.box_px),
            ]
            for look in looks
        ]
    }
    made = made_already(out, request)
    if made is not None:
        say(f"{out} holds this set already")
        return made
    split = split_groups([(look.group, look.part) for look in looks], options.test_share, options.seed)
    with Packer(out, request, options.samples_a_shard) as packer:
        for look in looks:
            try:
                with open_picture(look.file) as picture:
                    image = _framed(picture, look.box_px)
            except InputError as error:
                counts["damaged"] += 1
                left_out.append(str(error))
                say(f"{error}: left out")
                continue
            packer.add(image, _label(look, split[look.group]))
        left_out += tell_gaps(sorted({look.part for look in looks}), packer.samples, say)
        return packer.close(left_out, dict(counts))


def read_captures(folders: Sequence[Path], catalogue: PartCatalogue) -> tuple[list[Captured], list[str], int]:
    """Read the labels of some folders.

    Returns:
        The labelled looks in the order of the files, a line for each wrong row, and how many rows name no part.

    Raises:
        InputError: a folder without labels, or labels without a column that is needed.
    """
    looks: list[Captured] = []
    left_out: list[str] = []
    unnamed = 0
    labelled: dict[Path, str] = {}
    files = _label_files(folders)
    runs = names_apart([file.parent for file in files], 2)  # machines number theirs alike
    for file in files:
        for line, row in read_rows(file, COLUMNS):
            if not row["part"]:
                unnamed += 1
                continue
            first = labelled.setdefault((file.parent / row["file"]).resolve(), f"{file}:{line}")
            try:
                if first != f"{file}:{line}":
                    raise InputError(f"{row['file']} has its label at {first} already")
                looks.append(_captured(file, runs[file.parent], row, catalogue))
            except InputError as error:
                left_out.append(f"{file}:{line}: {error}")
    return looks, left_out, unnamed


def _label_files(folders: Sequence[Path]) -> list[Path]:
    """The labels of the folders and of those in them, each once, by whatever path it was given."""
    found: dict[Path, Path] = {}
    for folder in folders:
        files = [folder / LABELS_FILE] if (folder / LABELS_FILE).is_file() else sorted(folder.glob(f"*/{LABELS_FILE}"))
        if not files:
            raise InputError(f"{folder} holds no {LABELS_FILE}: give what 'brickgate run --capture' wrote")
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _captured(file: Path, run: str, row: dict[str, str], catalogue: PartCatalogue) -> Captured:
    picture = file.parent / row["file"]
    if not row["file"] or not picture.is_file():
        raise InputError(f"{row['file'] or 'no picture'} is not there")
    return Captured(
        picture,
        part_of(row["part"], catalogue),
        f"{run}/{row['group'] or row['file']}",
        colour_of(row["colour_code"]),
        read_mm_per_px(row["mm_per_px"]),
        _box_of(row["box_px"]),
    )


def _framed(picture: BigPicture, box_px: tuple[int, int, int, int] | None) -> ImageBgr:
    """The part in its window; a look without a box is framed already."""
    if box_px is None:
        return picture.read(0, 0, picture.width_px, picture.height_px)
    if box_px[2] > picture.width_px or box_px[3] > picture.height_px:
        raise InputError(f"box_px {box_px} reaches beyond the look of {picture.width_px}×{picture.height_px} px")
    return framed(picture, box_px)


def _box_of(text: str) -> tuple[int, int, int, int] | None:
    if not text:
        return None
    numbers = text.split()
    if len(numbers) != 4 or not all(number.isdigit() for number in numbers):
        raise InputError(f"box_px is '{text}': give left, top, right and bottom, such as 12 9 80 66")
    left, top, right, bottom = (int(number) for number in numbers)
    if left >= right or top >= bottom:
        raise InputError(f"box_px is '{text}', which holds nothing")
    return left, top, right, bottom


def _label(look: Captured, split: str) -> dict[str, object]:
    return {
        "part": look.part,
        "colour": look.colour,
        "mm_per_px": look.mm_per_px,
        "group": look.group,
        "split": split,
        "source": "capture",
        "kind": "picture",
        "picture": look.file.name,
    }
