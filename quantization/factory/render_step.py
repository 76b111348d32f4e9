"""Step 1: the training set and the test set."""

from __future__ import annotations

from quantization.factory.workshop import Workshop
from quantization.render.shards import render_shards

TEST_SEED = 7919
"""Added to the recipe's seed for the renders of the test."""


def render(shop: Workshop, workers: int, part_of: tuple[int, int] = (0, 1)) -> None:
    """Renders what is missing of the training set, and of the test set with its own seed."""
    recipe = shop.recipe.render
    sets = (
        (shop.test_renders, recipe.test_looks_per_family, shop.recipe.seed + TEST_SEED),
        (shop.renders, recipe.looks_per_family, shop.recipe.seed),
    )
    for folder, looks, seed in sets:
        render_shards(
            [family.number for family in shop.families],
            {family.number: family.moulds for family in shop.families},
            looks,
            recipe.size_px,
            seed,
            folder,
            workers,
            shop.meshes,
            part_of=part_of,
        )
