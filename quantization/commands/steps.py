"""The steps from parts to a bundle."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from edge.errors import BrickgateError
from quantization.commands.options import (
    CORES,
    LAYOUT,
    Out,
    Photos,
    RecipeName,
    Threads,
    Weights,
    Work,
    Workers,
    open_shop,
)


class RenderKind(enum.Enum):
    """What `render` writes."""

    LAYERS = "layers"
    PICTURES = "pictures"


class EvaluateBy(enum.Enum):
    """What `evaluate --shards` scores beside single tiles."""

    GROUP = "group"


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
    from quantization.factory.report_step import write_report

    shop = open_shop(recipe, work, threads)
    factory.render(shop, workers)
    factory.train(shop, weights, min(workers, 2))
    factory.quantize(shop)
    factory.evaluate(shop, photos or [])
    factory.export(shop)
    factory.bundle(shop, out or shop.folder / "bundle")
    write_report(shop, shop.folder / "report.html", LAYOUT, None, speed=True)


def render(
    recipe: RecipeName = "starter",
    work: Work = None,
    workers: Workers = CORES,
    shard: Annotated[str, typer.Option(help="i/n: every n-th shard, starting with the i-th.")] = "0/1",
    kind: Annotated[RenderKind, typer.Option("--as", help="Layers, or coloured JPEGs.")] = RenderKind.LAYERS,
    cluster: Annotated[
        str | None, typer.Option(help="Render on this Ray cluster: auto, HOST:6379 or ray://HOST:10001.")
    ] = None,
) -> None:
    """Renders the training set and the test set as WebDataset shards."""
    from quantization import factory

    first, _, every = shard.partition("/")
    if not (first.isdecimal() and every.isdecimal() and int(first) < int(every)):
        raise BrickgateError(f"--shard is '{shard}': give i/n with i from 0 to n − 1, such as 0/4")
    factory.render(open_shop(recipe, work), workers, (int(first), int(every)), kind.value, cluster)


def quantize(recipe: RecipeName = "starter", work: Work = None) -> None:
    """Converts the trained network to int8 TFLite."""
    from quantization import factory

    factory.quantize(open_shop(recipe, work))


def evaluate(
    recipe: RecipeName = "starter",
    work: Work = None,
    photos: Photos = None,
    shards: Annotated[
        list[Path] | None, typer.Option("--shards", help="Instead: a bundle on the test split of these shards.")
    ] = None,
    by: Annotated[EvaluateBy | None, typer.Option("--by", help="With --shards: what is scored together.")] = None,
    of_bundle: Annotated[
        str | None, typer.Option("--bundle", help="With --shards: a shipped name or a folder; default universal.")
    ] = None,
) -> None:
    """Measures the model on unseen looks and on labelled photographs, or a bundle on whole trays in shards."""
    if (shards is None) != (by is None):
        raise BrickgateError("--shards and --by go together: give both, such as --shards DIR --by group")
    if shards is not None and photos:
        raise BrickgateError("--photos go with --recipe, not with --shards: give one or the other")
    if shards is None and of_bundle is not None:
        raise BrickgateError("--bundle goes with --shards: without them it is the model of --recipe that is measured")
    if shards is not None:
        from quantization.evaluate.shard_scores import evaluate_by_group

        evaluate_by_group(shards, of_bundle or "universal", typer.echo)
        return
    from quantization import factory

    factory.evaluate(open_shop(recipe, work), photos or [])


def bundle(recipe: RecipeName = "starter", work: Work = None, out: Out = None) -> None:
    """Packs the model with all that the machine needs to know of it."""
    from quantization import factory

    shop = open_shop(recipe, work)
    factory.bundle(shop, out or shop.folder / "bundle")
