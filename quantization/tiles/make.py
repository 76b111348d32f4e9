"""From pictures to a set of shards: `brickgate-model tile`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from edge.errors import InputError
from quantization.tiles.background import Background, named_background, rgb_of
from quantization.tiles.cut import BORDER, Cut, Losses, Tell, cut_parts, cut_tiles, untold
from quantization.tiles.find_background import find_background
from quantization.tiles.labels import Labelling, Tray
from quantization.tiles.packing import Packer, Summary, made_already
from quantization.tiles.picture import BigPicture, fingerprint, open_picture
from quantization.tiles.split import TEST, TRAIN, split_groups

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TileOptions:
    """How pictures are cut.

    Attributes:
        tile_px: side of the tiles; None to cut out the parts.
        least_px: longer side of the smallest part.
        background: its colour as RRGGBB; None to find it.
        test_share: share of each part's pictures that is kept for testing, as far as groups allow.
        seed: of the split.
        samples_a_shard: samples in each shard.
    """

    tile_px: int | None
    least_px: int = 24
    background: str | None = None
    test_share: float = 0.2
    seed: int = 0
    samples_a_shard: int = 1000


def make_tiles(labelling: Labelling, options: TileOptions, folder: Path, say: Say, tell: Tell = untold) -> Summary:
    """Cut labelled pictures and pack the pieces.

    Args:
        labelling: pictures with their parts and groups.
        options: how they are cut.
        folder: of the set.
        say: told in one line of each picture, and of whatever is left out.
        tell: told which share of the pictures is done.

    Raises:
        InputError: no picture has a label, no piece is left, or the folder holds another set.
        BrickgateError: the disk is full; finished shards are kept.
    """
    if options.background is not None:
        rgb_of(options.background)
    for line in labelling.left_out:
        say(f"{line}: left out")
    trays = labelling.trays
    if not trays:
        raise InputError("no picture has a usable label: correct the labels")
    request = asdict(options) | {
        "pictures": [[t.file.name, *fingerprint(t.file), t.part, t.group, t.colour, t.mm_per_px] for t in trays]
    }
    made = made_already(folder, request)
    if made is not None:
        say(f"{folder} holds this set already")
        return made
    split = split_groups([(tray.group, tray.part) for tray in trays], options.test_share, options.seed)
    left_out, counts = list(labelling.left_out), Counter[str]()
    with Packer(folder, request, options.samples_a_shard) as packer:
        for number, tray in enumerate(trays, start=1):
            done = partial(_tell_share, tell, number - 1, len(trays))
            lines = _pack_tray(tray, split[tray.group], options, packer, counts, done)
            say(f"{number}/{len(trays)} {lines[0]}")
            for line in lines[1:]:
                say(line)
            left_out += lines[1:]
        left_out += tell_gaps(sorted({t.part for t in trays}), packer.samples, say)
        return packer.close(left_out, dict(counts))


def tell_gaps(parts: Sequence[str], samples: dict[str, Counter[str]], say: Say) -> list[str]:
    """Name the parts without a sample, and those without one to test on; return the former, a line each."""
    empty = [part for part in parts if not samples[TRAIN][part] + samples[TEST][part]]
    untested = [part for part in parts if part not in empty and not samples[TEST][part]]
    lines = [f"part {part} has no sample: its class is empty" for part in empty]
    for line in lines:
        say(line)
    if untested:
        listed = ", ".join(untested[:5]) + (f" and {len(untested) - 5} more" if len(untested) > 5 else "")
        say(f"no test samples of {len(untested)} parts, which have too few groups for it: {listed}")
    return lines


def _tell_share(tell: Tell, done: int, of: int, share: float) -> None:
    tell((done + share) / of)


def _pack_tray(
    tray: Tray, split: str, options: TileOptions, packer: Packer, counts: Counter[str], tell: Tell
) -> list[str]:
    """Cut one picture; return what came of it, then a line for each thing that is wrong with it."""
    losses = Losses()
    number, background, unread = 0, None, 0
    try:
        with open_picture(tray.file) as picture:
            background, unread = _background(picture, tray, options), picture.unread
            for cut in _cuts(picture, background, options, losses, tell):
                packer.add(cut.image, _label(tray, split, cut))
                number += 1
    except InputError as error:
        counts["pictures left out"] += 1
        return [f"{tray.file.name}: {number} samples", f"{error}: left out"]
    counts.update(losses.counts)
    kind = "tiles" if options.tile_px else "parts"
    bare = f", background {background.colour}" if background else ", no plain background: all are kept"
    without = "".join(f", {count} {reason}" for reason, count in losses.counts.items())
    lines = [f"{tray.file.name}: {number} {kind} of {tray.part} for {split}{bare}{without}"]
    if unread:
        are = "are" if unread > 1 else "is"
        lines.append(f"{tray.file} holds several pictures, and {unread} {are} left out: save each as a file of its own")
    if losses.damaged:
        more = f" (and {len(losses.damaged) - 1} more)" if len(losses.damaged) > 1 else ""
        lines.append(f"{losses.damaged[0]}{more}: left out")
    if not number and not losses.damaged:
        bare_tiles = set(losses.counts) - {BORDER}
        hint = "is it the background that --background should name?" if bare_tiles else "is it smaller than a tile?"
        if options.tile_px is None and not losses.counts:
            hint = "nothing in it stands out from the background"
        lines.append(f"{tray.file} gave nothing: {hint}")
    return lines


def _background(picture: BigPicture, tray: Tray, options: TileOptions) -> Background | None:
    if options.background is not None:
        return named_background(options.background, picture)
    found = find_background(picture)
    if found is None and options.tile_px is None:
        raise InputError(
            f"{tray.file} has no plain background to tell parts from: name it with --background, or use --tile-px"
        )
    return found


def _cuts(
    picture: BigPicture, background: Background | None, options: TileOptions, losses: Losses, tell: Tell
) -> Iterator[Cut]:
    if options.tile_px is not None:
        return cut_tiles(picture, options.tile_px, background, losses, tell)
    assert background is not None
    return cut_parts(picture, background, options.least_px, losses, tell)


def _label(tray: Tray, split: str, cut: Cut) -> dict[str, object]:
    return {
        "part": tray.part,
        "colour": tray.colour,
        "mm_per_px": tray.mm_per_px,
        "group": tray.group,
        "split": split,
        "source": "tile",
        "kind": "picture",
        "picture": tray.file.name,
        "picture_box_px": cut.box_px,
    }
