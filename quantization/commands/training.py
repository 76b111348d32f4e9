"""Training a network, and teaching a small one by a large one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.errors import BrickgateError
from quantization.commands.options import (
    THREADS,
    Loaders,
    Minutes,
    RecipeName,
    Shards,
    Threads,
    Weights,
    Work,
    open_shop,
)


def train(
    recipe: RecipeName = "starter",
    work: Work = None,
    weights: Weights = None,
    workers: Loaders = None,
    threads: Threads = THREADS,
    minutes: Minutes = None,
    shards: Shards = None,
    teacher: Annotated[bool, typer.Option("--teacher", help="Train the recipe's teacher, into WORK/teacher.")] = False,
) -> None:
    """Trains on the renders; a killed run is gone on with.

    On many processes or machines: torchrun --nproc_per_node N -m quantization.cli train …
    """
    from quantization import factory

    step = factory.train_teacher if teacher else factory.train
    shares = [factory.read_share(text) for text in shards or []]
    step(open_shop(recipe, work, threads), weights, workers, minutes, shares)


def distill(
    recipe: RecipeName = "starter",
    work: Work = None,
    teacher: Annotated[
        Path | None, typer.Option("--teacher", help="The teacher's checkpoint; default WORK/teacher/checkpoint.pt.")
    ] = None,
    weights: Weights = None,
    workers: Loaders = None,
    threads: Threads = THREADS,
    minutes: Minutes = None,
    shards: Shards = None,
) -> None:
    """Trains the recipe's network on its teacher's answers, and says how far behind it stays."""
    from quantization import factory

    shares = [factory.read_share(text) for text in shards or []]
    factory.distill(open_shop(recipe, work, threads), teacher, weights, workers, minutes, shares)


def average(
    checkpoints: Annotated[list[Path], typer.Argument(help="Two or more of one network: one trained on from another.")],
    out: Annotated[Path, typer.Option("--out", help="The checkpoint to write, for train --weights.")],
) -> None:
    """Writes the mean of checkpoints: what the later one learned, with less of what it forgot."""
    from quantization.train.averaging import mean_network
    from quantization.train.checkpoint import write

    if len(checkpoints) < 2:
        raise BrickgateError("one checkpoint has no mean: give two or more")
    write(mean_network(checkpoints), out)
    typer.echo(f"{out}: the mean of {len(checkpoints)}; train --weights {out} goes on from it")
