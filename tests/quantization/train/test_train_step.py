"""The steps train and distill: by the clock, in shares, and what they refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edge.errors import BrickgateError, ConfigError, InputError
from quantization import factory
from quantization.data import augment
from quantization.data.belts import make_belts
from quantization.data.shards import ShardWriter
from quantization.factory import Workshop, train_step
from quantization.factory.training_data import read_share, training_mix
from quantization.recipe import (
    DataRecipe,
    DistillRecipe,
    NetworkRecipe,
    ShardsRecipe,
    StageRecipe,
    TeacherRecipe,
    load_recipe,
)
from quantization.train import running
from quantization.train.loop import BEFORE_INT8
from quantization.train.parallel import ALONE, Crew

NONE = Path("none")
FAMILIES = ("3001", "3024", "3647", "4740")
STAGE = StageRecipe(size_px=32, pictures=48, rate_from=1e-3, rate_to=1e-4, batch=16)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(augment, "make_belts", lambda rng, size_px: make_belts(rng, size_px, 6))
    monkeypatch.setattr(train_step, "PICTURES_FOR_NORMS", 8)
    monkeypatch.setattr(running, "CHECK_EVERY", 1)
    torch.set_num_threads(1)


@pytest.fixture
def said():
    return []


@pytest.fixture
def shop(tmp_path, write_renders, said):
    """Rendered, of four families, with a small teacher."""
    teacher = TeacherRecipe(network=NetworkRecipe(kind="resnet18", width=0.25), stages=[STAGE])
    changes = {"stages": [STAGE], "network": NetworkRecipe(width=0.25), "teacher": teacher, "input_px": 32}
    shop = Workshop.open(load_recipe("tiny").model_copy(update=changes), tmp_path / "work", said.append)
    write_renders(shop.renders, FAMILIES)
    write_renders(shop.test_renders, FAMILIES)
    return shop


def with_data(shop, **data):
    recipe = shop.recipe.model_copy(update={"data": DataRecipe(**data)})
    return Workshop(recipe, shop.families, shop.folder, shop.report)


def write_tiles(folder, parts):
    folder.mkdir()
    with ShardWriter(folder, "tiles", len(parts)) as writer:
        for k, part in enumerate(parts):
            picture = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
            writer.add(f"{k}", picture, "png", {"part": part, "source": "tile", "kind": "picture"})
    return folder


def test_slices_by_the_clock_add_up_to_a_training(shop, said):
    assert not factory.train(shop, NONE, 0, minutes=0)
    assert said[-1] == (
        "stopped after 0 minutes at 16 of 48 pictures (33.3%), stage 1 of 1: run the same command to go on"
    )
    assert not factory.train(shop, NONE, 0, minutes=0)
    assert "at 32 of 48 pictures" in said[-1]
    assert factory.train(shop, NONE, 0, minutes=5)
    said.clear()
    assert factory.train(shop, NONE, 0)
    (told,) = said
    assert "checkpoint.pt is trained through all stages, so nothing was done: move it away to train anew" in told
    assert train_step.trained(shop).network.width == 0.25


def test_a_teacher_teaches_a_student_and_the_gap_is_kept(shop, said):
    with pytest.raises(InputError, match=r"teacher/checkpoint\.pt is missing: run 'brickgate-model train --teacher'"):
        factory.distill(shop, None, NONE, 0)
    assert factory.train_teacher(shop, NONE, 0)
    assert not factory.distill(shop, None, NONE, 0, minutes=0)
    assert not (shop.folder / "distillation.json").exists()
    assert factory.distill(shop, None, NONE, 0)
    figures = json.loads((shop.folder / "distillation.json").read_text())
    assert {"teacher", "student", "gap_top1", "agreement", "looks"} <= set(figures)
    assert said[-1].startswith(f"right of {figures['looks']} looks: teacher ")
    assert train_step.trained(shop).network.kind == "mobilenet-v2"
    with pytest.raises(BrickgateError, match=r"\(its task was distill and is train\)"):
        factory.train(shop, NONE, 0)


def test_a_lesson_that_is_begun_is_not_gone_on_with_as_another(shop):
    factory.train_teacher(shop, NONE, 0)
    factory.distill(shop, None, NONE, 0, minutes=0)
    recipe = shop.recipe.model_copy(update={"distill": DistillRecipe(temperature=2.0)})
    with pytest.raises(BrickgateError, match=r"\(its distill\.temperature was 4\.0 and is 2\.0\): move it away"):
        factory.distill(replace(shop, recipe=recipe), None, NONE, 0)
    assert factory.distill(shop, None, NONE, 0)


def test_a_student_is_not_gone_on_with_under_another_teacher(shop):
    factory.train_teacher(shop, NONE, 0, minutes=0)
    factory.distill(shop, None, NONE, 0, minutes=0)
    assert not factory.distill(shop, None, NONE, 0, minutes=0), "the same is gone on with"
    before = (shop.folder / "checkpoint.pt").read_bytes()
    factory.train_teacher(shop, NONE, 0)
    with pytest.raises(BrickgateError, match=r"\(its teacher was [0-9a-f]{12} and is [0-9a-f]{12}, by its file: give"):
        factory.distill(shop, None, NONE, 0)
    assert (shop.folder / "checkpoint.pt").read_bytes() == before


def test_a_teacher_that_is_not_trained_to_the_end_teaches_and_is_named(shop, said):
    assert not factory.train_teacher(shop, NONE, 0, minutes=0)
    said.clear()
    factory.distill(shop, None, NONE, 0, minutes=0)
    assert said[0] == (
        f"{shop.folder}/teacher/checkpoint.pt is at 16 of 48 pictures (33.3%), stage 1 of 1:"
        " 'brickgate-model train --teacher' makes the rest"
    )


def test_a_teacher_of_other_families_is_refused(shop, tmp_path, write_renders):
    factory.train_teacher(shop, NONE, 0)
    fewer = Workshop(shop.recipe, shop.families[:3], tmp_path / "fewer", shop.report)
    with pytest.raises(InputError, match=r"checkpoint\.pt knows other families than recipe tiny \(it has 4740\): t"):
        factory.distill(fewer, shop.folder / "teacher" / "checkpoint.pt", NONE, 0)


def test_without_a_teacher_in_the_recipe_none_is_trained(shop):
    plain = Workshop(load_recipe("tiny"), shop.families, shop.folder, shop.report)
    with pytest.raises(ConfigError, match=r"recipe tiny has no teacher: give it 'teacher:' .*, or --teacher a check"):
        factory.distill(plain, None, NONE, 0)
    with pytest.raises(ConfigError, match="recipe tiny has no teacher: give it 'teacher:' with its stages"):
        factory.train_teacher(plain, NONE, 0)


def test_a_checkpoint_of_another_network_is_not_taken_for_the_trained_one(shop):
    factory.train(shop, NONE, 0, minutes=0)
    other = shop.recipe.model_copy(update={"network": NetworkRecipe(width=0.35)})
    says = r"it holds a mobilenet-v2 of width 0\.25, not a mobilenet-v2 of width 0\.35\): move it away"
    with pytest.raises(BrickgateError, match=says):
        train_step.trained(Workshop(other, shop.families, shop.folder, shop.report))


def test_a_part_that_was_renamed_is_named(shop):
    factory.train(shop, NONE, 0, minutes=0)
    renamed = [*shop.families[:-1], replace(shop.families[-1], number="4740b")]
    with pytest.raises(BrickgateError, match=r"\(it knows other families: it lacks 4740b, it has 4740\): move it away"):
        train_step.trained(replace(shop, families=renamed))
    with pytest.raises(BrickgateError, match=r"\(it knows other families: in another order\): move it away"):
        train_step.trained(replace(shop, families=shop.families[::-1]))


def test_a_network_may_start_from_a_checkpoint(shop, tmp_path, said, monkeypatch):
    given = []
    monkeypatch.setattr(Crew, "alike", lambda _, network: given.append(network))
    factory.train(shop, NONE, 0)
    again = Workshop(shop.recipe, shop.families, tmp_path / "again", said.append)
    (tmp_path / "again").mkdir()
    (again.renders).symlink_to(shop.renders)
    factory.train(again, shop.folder / "checkpoint.pt", 0, minutes=0)
    assert (again.folder / "weights.txt").read_text() == "checkpoint.pt"
    assert len(given) == 1, "every process begins with the leading one's weights"


def test_what_an_earlier_training_left_is_not_taken_for_this_ones(shop, tmp_path, said):
    factory.train(shop, NONE, 0)
    (shop.folder / BEFORE_INT8).write_bytes(b"of this training")
    factory.train(shop, NONE, 0)
    assert (shop.folder / BEFORE_INT8).read_bytes() == b"of this training"
    kept = (shop.folder / "checkpoint.pt").replace(tmp_path / "kept.pt")
    factory.train(shop, kept, 0, minutes=0)
    assert not (shop.folder / BEFORE_INT8).exists()
    assert (shop.folder / "before-int8-of-earlier.pt").read_bytes() == b"of this training"
    assert f"{shop.folder / BEFORE_INT8} is of an earlier training: it is before-int8-of-earlier.pt now" in said
    assert (shop.folder / "weights.txt").read_text() == "kept.pt"
    (shop.folder / "checkpoint.pt").unlink()
    (shop.folder / BEFORE_INT8).write_bytes(b"of this training")
    factory.train(shop, NONE, 0, minutes=0)
    assert not (shop.folder / BEFORE_INT8).exists()
    assert not (shop.folder / "weights.txt").exists()


def test_weights_that_are_named_beside_a_checkpoint_are_not_passed_over(shop, tmp_path, said):
    """Who names others wants a new training; who gives the same command again wants to go on."""
    factory.train(shop, NONE, 0, minutes=0)
    kept = (shop.folder / "checkpoint.pt").replace(tmp_path / "kept.pt")
    factory.train(shop, kept, 0, minutes=0)
    before = (shop.folder / "checkpoint.pt").read_bytes()
    says = r"checkpoint\.pt is there, which began with --weights kept\.pt: leave --weights .* out to go on with it, or"
    for other in (tmp_path / "other.npz", NONE):
        with pytest.raises(InputError, match=says):
            factory.train(shop, other, 0, minutes=0)
    assert (shop.folder / "checkpoint.pt").read_bytes() == before
    said.clear()
    factory.train(shop, kept, 0, minutes=0)
    assert said[0] == (
        f"going on with {shop.folder / 'checkpoint.pt'}, which began with kept.pt: move it away to begin anew"
    )
    assert "at 32 of 48 pictures" in said[-1]
    (shop.folder / "weights.txt").write_text("kept.pt of an earlier training,\nwhich began from others.npz")
    assert factory.train(shop, kept, 0)


def test_a_training_from_nothing_does_not_go_on_with_weights(shop, tmp_path):
    factory.train(shop, NONE, 0, minutes=0)
    with pytest.raises(InputError, match=r"which began with --weights none: leave --weights .*mine\.npz out to go on"):
        factory.train(shop, tmp_path / "mine.npz", 0, minutes=0)
    factory.train(shop, NONE, 0, minutes=0)


HOLD = """
import sys
from pathlib import Path
from quantization.train.alone import only_training
with only_training(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_of_two_trainings_in_one_folder_the_second_is_refused(shop):
    """They would write over each other's checkpoint."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(shop.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=r"another training runs in .*work: wait until it is done, stop it, or"):
            factory.train(shop, NONE, 0)
        assert not (shop.folder / "checkpoint.pt").exists()
        assert factory.train_teacher(shop, NONE, 0), "a teacher has a folder of its own"
        other.kill()
    assert factory.train(shop, NONE, 0)


def test_shards_have_their_share_and_renders_the_rest(shop, tmp_path):
    tiles = write_tiles(tmp_path / "tiles", ["3001", "3024"])
    mix = training_mix(with_data(shop, shards=[ShardsRecipe(folder=str(tiles), share=0.2)]))
    assert mix.shares == (0.8, 0.2)
    mix = training_mix(with_data(shop, shards=[ShardsRecipe(folder=str(tiles), share=0.2)]), [(tiles, 0.3)])
    assert mix.shares == pytest.approx((0.5, 0.2, 0.3))
    with pytest.raises(InputError, match=r"the shards' shares sum to 1\.2: give 1 in all, or less"):
        training_mix(shop, [(tiles, 0.6), (tiles, 0.6)])


def test_photographs_that_are_not_all_cut_are_told_of(shop, tmp_path, said):
    tiles = write_tiles(tmp_path / "tiles", ["3001", "3024"])
    (tiles / "set.json").write_text('{"pictures": []}')
    training_mix(shop, [(tiles, 0.3)])
    rest = "'brickgate-model tile' with the same options makes the rest"
    assert f"{tiles} holds 2 samples and is not finished: {rest}" in said


def test_a_family_without_a_sample_is_named(shop, tmp_path, said):
    tiles = write_tiles(tmp_path / "tiles", ["3001", "3024"])
    with pytest.raises(InputError, match="no sample shows 3647, 4740 of the 4 families: render them, take"):
        training_mix(shop, [(tiles, 1.0)])
    mix = training_mix(with_data(shop, empty_families="skip"), [(tiles, 1.0)])
    assert len(mix) == 2
    assert said[-1] == "no sample shows 3647, 4740 of the 4 families: the model will not know them"


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize(("key", "untold"), [("recoloured_share", 0.5), ("coarsened_share", 0.0)])
def test_the_recipe_says_how_many_pictures_are_in_other_colours_or_coarse(shop, tmp_path, key, untold, share):
    tiles = write_tiles(tmp_path / "tiles", [family.number for family in shop.families])
    assert getattr(training_mix(with_data(shop, **{key: share}), [(tiles, 1.0)]), key) == share
    assert getattr(training_mix(with_data(shop), [(tiles, 1.0)]), key) == untold


@pytest.mark.parametrize("text", ["tiles", "tiles=", "=0.5", "tiles=2", "tiles=0", "tiles=x", "tiles=0.0004"])
def test_a_share_that_is_none_is_refused(text):
    assert read_share("a=b=0.25") == (Path("a=b"), 0.25)
    with pytest.raises(InputError, match=f"--shards is '{text}': give DIR=SHARE with a share from"):
        read_share(text)


def test_a_recipes_dropout_is_the_networks(shop):
    made = train_step.new_training(shop, NetworkRecipe(width=0.25, dropout=0.3), [STAGE], ALONE)
    assert made.network.dropout.p == 0.3


def test_a_process_that_is_killed_while_the_first_classifier_is_fitted_is_one_line(shop, monkeypatch):
    def killed(*_):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")

    monkeypatch.setattr(train_step, "begin_classifier", killed)
    monkeypatch.setattr(train_step, "load_start", lambda *_: [])
    with pytest.raises(BrickgateError, match="a process that makes pictures was killed: run the same command"):
        factory.train(shop, train_step.SHIPPED_WEIGHTS, 0)


def test_by_itself_a_training_of_known_parts_begins_with_what_the_shipped_model_knows_of_them(shop, said):
    recipe = shop.recipe.model_copy(update={"network": NetworkRecipe(width=1.0)})
    factory.train(replace(shop, recipe=recipe), None, 0, minutes=0)
    assert said[0] == "no starting weights given: starting from those of the shipped universal model"
    assert not [line for line in said if "first classifier" in line]
    assert (shop.folder / "weights.txt").read_text() == train_step.SHIPPED_WEIGHTS.name


def test_starting_weights_may_call_a_part_by_any_of_its_names(shop, monkeypatch):
    given = []
    monkeypatch.setattr(train_step, "load_start", lambda *asked: given.append(asked[3]) or [*range(len(shop.families))])
    renamed = [replace(family, moulds=(*family.moulds, f"old-{family.number}")) for family in shop.families]
    factory.train(replace(shop, families=renamed), train_step.SHIPPED_WEIGHTS, 0, minutes=0)
    assert [given[0][f"old-{family.number}"] for family in shop.families] == [*range(len(shop.families))]
