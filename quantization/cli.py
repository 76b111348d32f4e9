"""`brickgate-model`: the model factory's command line. Parsing only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from edge.errors import BrickgateError
from edge.signals import Interrupted, interrupting
from quantization.recipe import load_recipe

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

RecipeName = Annotated[str, typer.Option("--recipe", help="A shipped recipe's name or a YAML file.")]
Work = Annotated[Path | None, typer.Option("--work", help="Folder for renders and checkpoints; default data/RECIPE.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes; default one a core.")]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", help="ImageNet weights (.npz) to start from; default: the shipped starter's."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the bundle; default WORK/bundle.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads of training; 1 where the cores are shared.")]
Photos = Annotated[list[Path] | None, typer.Option("--photos", help="Folder with labels.csv, for evaluation only.")]

CORES = os.cpu_count() or 1


def _open(recipe: str, work: Path | None, threads: int = CORES):
    import torch

    from quantization.factory import Workshop

    torch.set_num_threads(threads)
    loaded = load_recipe(recipe)
    return Workshop.open(loaded, work or Path("data") / loaded.name, typer.echo)


@app.command()
def build(
    recipe: RecipeName = "starter",
    work: Work = None,
    weights: Weights = None,
    out: Out = None,
    photos: Photos = None,
    workers: Workers = CORES,
    threads: Threads = CORES,
) -> None:
    """Makes a model from nothing but LDraw parts: all steps, going on where an earlier run stopped."""
    from quantization import factory

    shop = _open(recipe, work, threads)
    factory.render(shop, workers)
    factory.train(shop, weights, min(workers, 2))
    factory.quantize(shop)
    factory.evaluate(shop, photos or [])
    factory.bundle(shop, out or shop.folder / "bundle")


@app.command()
def render(
    recipe: RecipeName = "starter",
    work: Work = None,
    workers: Workers = CORES,
    shard: Annotated[str, typer.Option(help="i/n: every n-th shard, starting with the i-th.")] = "0/1",
) -> None:
    """Renders the training set."""
    from quantization import factory

    first, _, every = shard.partition("/")
    if not (first.isdigit() and every.isdigit() and int(first) < int(every)):
        raise BrickgateError(f"--shard is '{shard}': give i/n with i from 0 to n − 1, such as 0/4")
    factory.render(_open(recipe, work), workers, (int(first), int(every)))


@app.command()
def train(
    recipe: RecipeName = "starter",
    work: Work = None,
    weights: Weights = None,
    workers: Workers = 1,
    threads: Threads = CORES,
) -> None:
    """Trains on the renders; a killed run is gone on with."""
    from quantization import factory

    factory.train(_open(recipe, work, threads), weights, workers)


@app.command()
def quantize(recipe: RecipeName = "starter", work: Work = None) -> None:
    """Converts the trained network to int8 TFLite."""
    from quantization import factory

    factory.quantize(_open(recipe, work))


@app.command()
def evaluate(recipe: RecipeName = "starter", work: Work = None, photos: Photos = None) -> None:
    """Measures the model on unseen looks and on labelled photographs."""
    from quantization import factory

    factory.evaluate(_open(recipe, work), photos or [])


@app.command()
def bundle(recipe: RecipeName = "starter", work: Work = None, out: Out = None) -> None:
    """Packs the model with all that the machine needs to know of it."""
    from quantization import factory

    shop = _open(recipe, work)
    factory.bundle(shop, out or shop.folder / "bundle")


@app.command()
def sprites(
    out: Annotated[Path, typer.Option("--out", help="Folder of the sprites.")] = Path("edge/sim/assets"),
    meshes: Annotated[Path, typer.Option("--meshes", help="Folder of built meshes.")] = Path("data/meshes"),
    seed: Annotated[int, typer.Option("--seed", help="Of lights and views.")] = 20261124,
) -> None:
    """Renders the simulated machine's sprites; about ten minutes on one core."""
    from quantization.sprites import main as make

    make(out, seed, meshes)


def main() -> None:
    """Entry point: problems are one line, never a traceback."""
    try:
        with interrupting():
            app()
    except BrickgateError as error:
        _fail(f"error: {error}", error.exit_code)
    except Interrupted as interrupted:
        _fail("stopped; what was finished is kept, run the same command to go on", interrupted.exit_code)
    except ModuleNotFoundError as error:
        _fail(f"error: {error.name} is not installed: run './install.sh --model'", 1)
    except OSError as error:
        _fail(f"error: {error}", 1)


def _fail(line: str, exit_code: int) -> NoReturn:
    typer.echo(line, err=True)
    raise SystemExit(exit_code) from None


if __name__ == "__main__":
    main()
