"""The quantize step compares the ways to int8 that there are checkpoints for, and keeps the best."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import write_model

from edge.errors import BrickgateError, InputError
from quantization.factory import Workshop, quantize_step
from quantization.factory.quantize_step import Unseen, quantize, quantized_from
from quantization.factory.train_step import subject_of
from quantization.quantize.settle import centred, settled
from quantization.recipe import load_recipe
from quantization.train.checkpoint import Progress
from quantization.train.kinds import make_network
from quantization.train.loop import BEFORE_INT8, Training

SIDE_PX = 64


def write_checkpoint(shop, name="checkpoint.pt", seed=1, progress=None):
    torch.manual_seed(seed)
    network = make_network("mobilenet-v2", len(shop.families), shop.recipe.network.width)
    subject = subject_of(shop, shop.recipe.network)
    training = Training(network, [], shop.folder, shop.recipe.seed, subject=subject)
    training.progress = progress or Progress(stage=len(shop.recipe.stages))
    training.save(shop.folder / name)
    return network.eval()


@pytest.fixture
def said():
    return []


@pytest.fixture
def shop(tmp_path, said, monkeypatch):
    """A trained shop whose converter makes models that answer with the mean of each channel."""
    made = Workshop.open(load_recipe("tiny"), tmp_path / "work", said.append)
    pictures = np.zeros((6, SIDE_PX, SIDE_PX, 3), np.uint8)
    for k, picture in enumerate(pictures):
        picture[..., k % 3] = 200

    def convert(network, representative, input_px, folder, sizes):
        folder.mkdir(parents=True, exist_ok=True)
        models = {size: folder / f"model-{size}.tflite" for size in sizes}
        for file in (*models.values(), folder / "float.tflite"):
            write_model(file, side_px=SIDE_PX, scale=1 / 127.5, zero_point=0)
        return models

    def reference(network, pictures):
        """What was settled answers as the models do; another network otherwise."""
        on_grid = torch.allclose(settled(network).dense.weight, network.dense.weight, atol=1e-7)
        return np.eye(3, dtype=np.float32)[np.arange(6) % 3] * (1 if on_grid else -1)

    monkeypatch.setattr(quantize_step, "convert", convert)
    monkeypatch.setattr(quantize_step, "logits_of", reference)
    monkeypatch.setattr(quantize_step, "unseen_looks", lambda *_: Unseen(pictures, np.arange(6) % 3))
    monkeypatch.setattr(quantize_step, "stream", lambda *_: iter([(torch.zeros(150, 8, 8, 3).byte(), None)]))
    return made


def test_both_ways_are_tried_and_the_better_one_is_kept(shop, said):
    trained = write_checkpoint(shop)
    write_checkpoint(shop, BEFORE_INT8, seed=2)
    quantize(shop)
    record = json.loads((shop.converted / "quantization.json").read_text())
    tried = [(trial["way"], trial["representative"]) for trial in record["trials"]]
    assert tried == [(way, size) for way in ("in training", "after training") for size in (0, 100, 150)]
    assert (record["chosen"]["way"], record["chosen"]["representative"]) == ("in training", 100)
    assert record["why"] in said
    assert sum("after training" in line for line in said) == 3
    kept = quantized_from(shop)
    assert torch.allclose(kept.dense.weight, settled(centred(trained)).dense.weight)
    for name in ("model.tflite", "float.tflite"):
        assert (shop.converted / name).read_bytes() == (shop.converted / "in-training" / name.replace(
            "model", "model-100")).read_bytes()  # fmt: skip


def test_without_the_earlier_checkpoint_it_says_so(shop, said):
    write_checkpoint(shop)
    quantize(shop)
    assert f"{shop.folder / BEFORE_INT8} is not there: int8 after training is not compared" in said


def test_a_recipe_without_int8_training_has_one_way(shop):
    write_checkpoint(shop)
    stages = [stage.model_copy(update={"int8": False}) for stage in shop.recipe.stages]
    plain = replace(shop, recipe=shop.recipe.model_copy(update={"stages": stages}))
    quantize(plain)
    record = json.loads((shop.converted / "quantization.json").read_text())
    assert {trial["way"] for trial in record["trials"]} == {"after training"}
    assert quantized_from(plain).dense.weight.mean(0).abs().max() < 1e-6, "its classifier is centred"


def test_a_recipe_of_int8_training_alone_misses_no_earlier_checkpoint(shop, said):
    write_checkpoint(shop)
    stages = [stage.model_copy(update={"int8": True}) for stage in shop.recipe.stages]
    quantize(replace(shop, recipe=shop.recipe.model_copy(update={"stages": stages})))
    assert not [line for line in said if BEFORE_INT8 in line]


def test_nothing_is_quantized_before_training(shop):
    with pytest.raises(InputError, match=r"checkpoint\.pt is missing: run 'brickgate-model train' first"):
        quantize(shop)
    with pytest.raises(InputError, match=r"network\.pt is missing: run 'brickgate-model quantize' first"):
        quantized_from(shop)


def test_damaged_networks_are_named(shop):
    write_checkpoint(shop)
    quantize(shop)
    (shop.converted / "network.pt").write_bytes(b"cut short")
    with pytest.raises(InputError, match=r"network\.pt is damaged: run 'brickgate-model quantize' again"):
        quantized_from(shop)
    (shop.folder / BEFORE_INT8).write_bytes(b"cut short")
    with pytest.raises(BrickgateError, match=r"before-int8\.pt is of another recipe or damaged"):
        quantize(shop)


def test_a_disk_that_fills_up_leaves_the_model_before_with_its_own_network(shop):
    write_checkpoint(shop)
    quantize(shop)
    before = {name: (shop.converted / name).read_bytes() for name in ("network.pt", "float.tflite", "model.tflite")}
    write_checkpoint(shop, seed=2)
    (shop.converted / ".model.tflite.new").mkdir()  # what cannot be written
    with pytest.raises(OSError, match=r"\.model\.tflite\.new"):
        quantize(shop)
    assert {name: (shop.converted / name).read_bytes() for name in before} == before
    (shop.converted / ".model.tflite.new").rmdir()
    quantize(shop)
    assert (shop.converted / "network.pt").read_bytes() != before["network.pt"]


def test_a_training_that_is_not_finished_is_told_by_each_step_that_follows(shop, said):
    write_checkpoint(shop, progress=Progress(stage=1, pictures_in_stage=32, pictures=192))
    quantize(shop)
    pictures = sum(stage.pictures for stage in shop.recipe.stages)
    where = f"192 of {pictures} pictures ({192 / pictures:.1%}), stage 2 of {len(shop.recipe.stages)}"
    assert said[0] == f"{shop.folder / 'checkpoint.pt'} is at {where}: 'brickgate-model train' makes the rest"
    said.clear()
    model = quantize_step.converted_model(shop)
    assert said == [f"{model} was made of a training at {where}: train on, and quantize again"]
    assert quantize_step.unfinished_training(shop) == where
    write_checkpoint(shop)
    quantize(shop)
    said.clear()
    quantize_step.converted_model(shop)
    assert said == []
    assert quantize_step.unfinished_training(shop) is None


def test_a_model_made_from_another_network_is_refused(shop):
    """The bundle and the report would call it what it is not."""
    write_checkpoint(shop)
    quantize(shop)
    width = shop.recipe.network.width
    for changes, asked in (
        ({"width": 0.75}, r"a mobilenet-v2 of width 0\.75"),
        ({"kind": "resnet18"}, rf"a resnet18 of width {width:g}"),
    ):
        network = shop.recipe.network.model_copy(update=changes)
        other = replace(shop, recipe=shop.recipe.model_copy(update={"network": network}))
        says = rf"model\.tflite was made from a mobilenet-v2 of width {width:g}, and recipe tiny asks for {asked}: give"
        with pytest.raises(InputError, match=says):
            quantize_step.converted_model(other)
    dropout = shop.recipe.network.model_copy(update={"dropout": 0.5})
    quantize_step.converted_model(replace(shop, recipe=shop.recipe.model_copy(update={"network": dropout})))
    (shop.converted / "quantization.json").write_text("[")
    with pytest.raises(InputError, match=r"quantization\.json is damaged: run 'brickgate-model quantize' again"):
        quantize_step.converted_model(shop)
