"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantization.recipe import load_recipe

if TYPE_CHECKING:
    from quantization.factory import Workshop

RecipeName = Annotated[str, typer.Option("--recipe", help="A shipped recipe's name or a YAML file.")]
Work = Annotated[Path | None, typer.Option("--work", help="Folder for renders and checkpoints; default data/RECIPE.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes; default one a core.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        help="Weights to start from: an .npz, a checkpoint, torchvision, or none; default: the shipped model's.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the bundle; default WORK/bundle.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads of training; 1 where the cores are shared.")]
Photos = Annotated[list[Path] | None, typer.Option("--photos", help="Folder with labels.csv, for evaluation only.")]

Loaders = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        help="Processes that make pictures, for each one that trains; default: what suits the machine.",
    ),
]
Minutes = Annotated[
    float | None, typer.Option("--minutes", min=0.0, help="Stop after so many, and save: the same command goes on.")
]
Shards = Annotated[
    list[str] | None, typer.Option("--shards", help="DIR=SHARE: tar shards to mix in, and their share of the pictures.")
]

LAYOUT = "west-18"
"""Whose bins a report goes by unless told otherwise."""
CORES = os.cpu_count() or 1
THREADS = max(1, CORES // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
"""Threads of one training process: torchrun starts several."""


def open_shop(recipe: str, work: Path | None, threads: int = CORES) -> Workshop:
    import torch

    from quantization.factory import Workshop

    torch.set_num_threads(threads)
    loaded = load_recipe(recipe)
    return Workshop.open(loaded, work or Path("data") / loaded.name, typer.echo)
