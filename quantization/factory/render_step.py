"""Step 1: the training set and the test set."""

from __future__ import annotations

from pathlib import Path

from quantization.factory.workshop import Workshop
from quantization.render.plan import Kind, make_plan
from quantization.render.shards import render_shards

TEST_SEED = 7919
"""Added to the recipe's seed for the renders of the test."""


def render(
    shop: Workshop,
    workers: int,
    part_of: tuple[int, int] = (0, 1),
    kind: Kind = "layers",
    cluster: str | None = None,
) -> None:
    """Renders what is missing of the training set, and of the test set with its own seed.

    Args:
        shop: the recipe and where its sets lie: renders and renders-test, or pictures and pictures-test.
        workers: processes on this machine.
        part_of: (i, n): every n-th shard, starting with the i-th.
        kind: layers for this factory's training, or coloured pictures for any other trainer.
        cluster: address of a Ray cluster that renders instead of this machine.
    """
    recipe = shop.recipe.render
    train, test = (shop.renders, shop.test_renders) if kind == "layers" else _picture_folders(shop.folder)
    sets = (
        (test, recipe.test_looks_per_family, shop.recipe.seed + TEST_SEED, "test"),
        (train, recipe.looks_per_family, shop.recipe.seed, "train"),
    )
    moulds = {family.number: family.moulds for family in shop.families}
    for folder, looks, seed, split in sets:
        plan = make_plan(moulds, looks, recipe.size_px, seed, kind, split)
        render_shards(plan, folder, workers, shop.meshes, part_of=part_of, cluster=cluster, say=shop.report)


def _picture_folders(work: Path) -> tuple[Path, Path]:
    return work / "pictures", work / "pictures-test"
