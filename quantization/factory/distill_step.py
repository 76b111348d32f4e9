"""In place of step 2, where a recipe has a teacher: a large network is trained, and a small one learns from it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from edge.bundle.manifest import NETWORK_DIGITS, sha256
from edge.errors import ConfigError, InputError
from quantization.data.opening import Opening, difference
from quantization.data.stream import Mix, batches
from quantization.distill.gap import gap, write_gap
from quantization.distill.lesson import Lesson
from quantization.factory.train_step import carry_out, labels, log_shares, muted, new_training, standing, subject_of
from quantization.factory.training_data import Shares, open_mix
from quantization.factory.workshop import Workshop
from quantization.recipe import Recipe, TeacherRecipe
from quantization.train.checkpoint import load_trained
from quantization.train.layers import Network
from quantization.train.parallel import joined

BATCH = 40
GAP_SEED = 40
"""Added to the recipe's seed for the looks that teacher and student are compared on."""


def train_teacher(
    shop: Workshop, weights: Path | None, workers: int | None, minutes: float | None = None, shards: Shares = ()
) -> bool:
    """Trains the recipe's teacher in the work folder's `teacher`; otherwise as `train`.

    Raises:
        ConfigError: the recipe has no teacher.
        BrickgateError: as in `train`.
    """
    recipe = _teacher_of(shop)
    with joined() as crew:
        shop = muted(shop, crew)
        mix = open_mix(shop, crew, shards)
        teachers = replace(shop, folder=shop.folder / "teacher")
        teachers.folder.mkdir(exist_ok=True)
        training = new_training(teachers, recipe.network, recipe.stages, crew, objective=labels(mix, shop))
        return carry_out(teachers, training, weights, mix, workers, minutes)


def distill(
    shop: Workshop,
    teacher: Path | None,
    weights: Path | None,
    workers: int | None,
    minutes: float | None = None,
    shards: Shares = (),
) -> bool:
    """Trains the recipe's network on its teacher's answers, and reports the gap that is left.

    Args:
        shop: where; the student becomes its checkpoint, for the steps that follow.
        teacher: the teacher's checkpoint; None: what `train_teacher` made.
        weights: what the student starts from, as in `train`.
        workers: processes that make pictures, for each one that trains; None: what suits the machine.
        minutes: stop, and save, after so many.
        shards: folders of tar shards to mix in, with their shares.

    Returns:
        Whether all stages are done.

    Raises:
        ConfigError: the recipe has no teacher, and none was given.
        InputError: there is no teacher, or it knows other families.
        BrickgateError: as in `train`, and where a checkpoint's student had another teacher, or the same less trained.
    """
    path = teacher or _own_teacher(shop)
    with joined() as crew:
        shop = muted(shop, crew)
        taught_by = crew.leader_first(lambda: _load_teacher(shop, path)).to(crew.device)
        mix = open_mix(shop, crew, shards)
        training = new_training(
            shop,
            shop.recipe.network,
            shop.recipe.stages,
            crew,
            task="distill",
            teacher=sha256(path)[:NETWORK_DIGITS],
            objective=lambda student: Lesson(
                student,
                taught_by,
                shop.recipe.distill,
                log_shares(mix, shop),
                teacher_px(shop.recipe) / shop.recipe.input_px,
            ),
        )
        done = carry_out(shop, training, weights, mix, workers, minutes)
        if done and crew.leads:
            report_gap(shop, taught_by.cpu(), training.averaged())
        return done


def report_gap(shop: Workshop, teacher: Network, student: Network) -> dict[str, Any]:
    """Measures both on the test renders, and keeps the figures as distillation.json."""
    unseen = Opening(shop.families, "refuse", shop.report).renders(shop.test_renders, test=True)
    mix = Mix([unseen], (1.0,), shop.recipe.seed + GAP_SEED)
    looks = islice(batches(mix, teacher_px(shop.recipe), BATCH), max(1, len(unseen) // BATCH))
    figures = gap(teacher, student, looks, shop.recipe.input_px)
    write_gap(figures, shop.folder / "distillation.json")
    shop.report(
        f"right of {figures['looks']} looks: teacher {figures['teacher']['top1']:.1%}, student"
        f" {figures['student']['top1']:.1%}, a gap of {100 * figures['gap_top1']:.1f} points; they agree on"
        f" {figures['agreement']:.1%}"
    )
    return figures


def teacher_px(recipe: Recipe) -> int:
    """Side of the pictures that the teacher is asked with."""
    return (recipe.teacher.input_px if recipe.teacher else None) or recipe.input_px


def _teacher_of(shop: Workshop) -> TeacherRecipe:
    if shop.recipe.teacher is None:
        raise ConfigError(f"recipe {shop.recipe.name} has no teacher: give it 'teacher:' with its stages")
    return shop.recipe.teacher


def _load_teacher(shop: Workshop, path: Path) -> Network:
    """The teacher; a checkpoint that does not say what it is of is taken for one of the recipe's teacher or student.

    One that is not trained to the end teaches what it knows; of the recipe's own it is said how far it is.
    """
    own = path == _own_teacher(shop)
    if not path.is_file() and own and shop.recipe.teacher is None:
        raise ConfigError(
            f"recipe {shop.recipe.name} has no teacher: give it 'teacher:' with its stages, or --teacher a checkpoint"
        )
    if not path.is_file():
        raise InputError(f"{path} is missing: run 'brickgate-model train --teacher' first, or give a checkpoint")
    network = shop.recipe.teacher.network if shop.recipe.teacher else shop.recipe.network
    teacher, families, progress = load_trained(path, subject_of(shop, network))
    wanted = [family.number for family in shop.families]
    if list(families) != wanted:
        raise InputError(
            f"{path} knows other families than recipe {shop.recipe.name} ({difference(families, wanted)}): train a"
            " teacher with the same recipe"
        )
    unfinished = standing(progress, shop.recipe.teacher.stages) if own and shop.recipe.teacher else None
    if unfinished:
        shop.report(f"{path} is at {unfinished}: 'brickgate-model train --teacher' makes the rest")
    return teacher


def _own_teacher(shop: Workshop) -> Path:
    """What `train_teacher` makes."""
    return shop.folder / "teacher" / "checkpoint.pt"
