"""Real pictures as training data: trays and scans, and what the machine itself saw."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from edge.errors import InputError
from quantization.commands.options import RecipeName

if TYPE_CHECKING:
    from quantization.tiles.packing import Summary

Out = Annotated[Path, typer.Option("--out", help="Folder of the shards.")]
TestShare = Annotated[float, typer.Option(min=0, max=0.9, help="Share of each part kept for testing, whole groups.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the split into training and test.")]
SamplesAShard = Annotated[int, typer.Option(min=1, help="Samples in each shard; the last one may hold fewer.")]


def tile(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE|FOLDER…", help="JPEG, PNG, TIFF, SVS of any size.")
    ],
    out: Out,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="CSV: file, part; colour, mm_per_px if known.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="The part in all pictures.")] = None,
    tile_px: Annotated[
        int | None, typer.Option("--tile-px", min=16, max=4096, help="Side of tiles; default 256.")
    ] = None,
    parts: Annotated[bool, typer.Option("--parts", help="Cut out the parts that lie free instead of tiles.")] = False,
    least_px: Annotated[int, typer.Option("--least-px", min=4, help="Longer side of the smallest part.")] = 24,
    background: Annotated[
        str | None, typer.Option("--background", help="RRGGBB, where it is not found by itself.")
    ] = None,
    group: Annotated[
        str, typer.Option("--group", help="What stays in one split: file, folder, or a column of --labels.")
    ] = "file",
    mm_per_px: Annotated[float | None, typer.Option("--mm-per-px", help="Scale, where the labels give none.")] = None,
    recipe: RecipeName = "starter",
    test_share: TestShare = 0.2,
    seed: Seed = 0,
    samples_a_shard: SamplesAShard = 1000,
) -> None:
    """Cuts photographs and scans of trays of one part each into labelled shards."""
    from quantization.recipe import load_families, load_recipe
    from quantization.tiles.labels import find_pictures, known_parts, label_all, label_by_csv
    from quantization.tiles.make import TileOptions, make_tiles

    if (labels is None) == (label is None):
        raise InputError("give either --labels with a CSV, or --label with the part in all pictures")
    if parts and tile_px is not None:
        raise InputError("give either --parts or --tile-px, not both")
    if mm_per_px is not None and not 0 < mm_per_px < 1000:
        raise InputError(f"--mm-per-px is {mm_per_px}: give millimetres per pixel, such as 0.2")
    known, files = known_parts(load_families(load_recipe(recipe))), find_pictures(pictures)
    if labels is not None:
        labelling = label_by_csv(files, labels, known, group, mm_per_px)
    else:
        assert label is not None
        labelling = label_all(files, label, known, group, mm_per_px)
    side = None if parts else tile_px or 256
    options = TileOptions(side, least_px, background, test_share, seed, samples_a_shard)
    with _progress() as (say, tell):
        summary = make_tiles(labelling, options, out, say, tell)
    _tell(summary, out)


def capture(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="What `brickgate run --capture` wrote.")],
    out: Out,
    recipe: RecipeName = "starter",
    test_share: TestShare = 0.2,
    seed: Seed = 0,
    samples_a_shard: SamplesAShard = 1000,
) -> None:
    """Packs the machine's own captures, as labelled in their labels.csv, into shards."""
    from quantization.recipe import load_families, load_recipe
    from quantization.tiles.captured import CaptureOptions, pack_captures
    from quantization.tiles.labels import known_parts

    known = known_parts(load_families(load_recipe(recipe)))
    _tell(pack_captures(folders, known, CaptureOptions(test_share, seed, samples_a_shard), out, _say), out)


@contextmanager
def _progress() -> Iterator[tuple[Callable[[str], None], Callable[[float], None]]]:
    """A bar below what is said, on standard error."""
    columns = TextColumn("cutting"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield (
            lambda line: bar.console.print(line, markup=False, highlight=False, soft_wrap=True),
            lambda share: bar.update(task, completed=share),
        )


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _tell(summary: Summary, out: Path) -> None:
    parts = len({part for split in summary.samples.values() for part in split})
    train, test = summary.total("train"), summary.total("test")
    typer.echo(f"{train + test} samples of {parts} parts in {out}: {train} to train on, {test} to test on")
    if summary.counts:
        typer.echo("left out: " + ", ".join(f"{count} {reason}" for reason, count in sorted(summary.counts.items())))
    if summary.left_out:
        typer.echo(f"{len(summary.left_out)} lines above name what is missing; {out}/summary.json keeps them")
