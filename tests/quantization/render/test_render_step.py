"""The render step: which sets lie where."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantization.data.shards import ShardIndex, open_shards
from quantization.factory import Workshop, render
from quantization.recipe import Family, RenderRecipe, load_recipe


@pytest.fixture
def shop(tmp_path: Path, library: Path) -> Workshop:
    looks = RenderRecipe(looks_per_family=3, test_looks_per_family=2, size_px=64)
    recipe = load_recipe("tiny").model_copy(update={"render": looks})
    families = [Family("a", ("one",), (), "Box"), Family("b", ("two",), (), "Box")]
    return Workshop(recipe, families, tmp_path / "work", lambda line: None)


def pictures(shards: ShardIndex) -> set[bytes]:
    return {shards.picture(k) for k in range(len(shards))}


def test_training_and_test_set_share_no_look(shop):
    render(shop, 1)
    train, test = open_shards([shop.renders]), open_shards([shop.test_renders])
    assert (len(train), len(test)) == (6, 4)
    assert (set(train.labels["split"]), set(test.labels["split"])) == ({"train"}, {"test"})
    assert pictures(train).isdisjoint(pictures(test))
    assert len(pictures(train)) == 6


def test_pictures_lie_beside_layers(shop):
    render(shop, 1, kind="pictures")
    for folder, split in (("pictures", "train"), ("pictures-test", "test")):
        labels = open_shards([shop.folder / folder]).labels
        assert (set(labels["kind"]), set(labels["split"]), set(labels["extension"])) == ({"picture"}, {split}, {"jpg"})
    assert not shop.renders.exists()


def test_machines_share_the_work(shop):
    for machine in range(2):
        render(shop, 1, (machine, 2))
    assert (len(open_shards([shop.renders])), len(open_shards([shop.test_renders]))) == (6, 4)
