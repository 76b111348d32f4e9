"""Step 2: from renders to a trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edge.errors import InputError
from quantization.data.opening import difference
from quantization.data.stream import Mix, batches, told_of_killed_makers
from quantization.factory.training_data import Shares, open_mix
from quantization.factory.workshop import Workshop
from quantization.recipe import NetworkRecipe, StageRecipe, class_by_name
from quantization.train import checkpoint
from quantization.train.alone import only_training
from quantization.train.checkpoint import Progress, Subject, Trained, load_trained
from quantization.train.discriminant import begin_classifier
from quantization.train.kinds import make_network
from quantization.train.layers import Network, to_input
from quantization.train.loop import BEFORE_INT8, Training
from quantization.train.network import MobileNetV2
from quantization.train.objective import Labels, Objective
from quantization.train.parallel import Crew, joined
from quantization.train.stages import Stage
from quantization.train.start import load_start, unfold_batch_norms

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights" / "universal-float16.pt"
"""The float network behind the shipped universal bundle, averaged weights in half precision, and the families that it
knows: a recipe of such families alone begins with their rows of its classifier."""
SHIPPED_WIDTH = 1.0
ORIGIN = "weights.txt"
"""In the work folder: the name of the file of starting weights, for the bundle to tell."""
FROM_NOTHING = Path("none")
"""Given in place of a file of weights."""
PICTURES_FOR_NORMS, FITTING_BATCH = 512, 64
PICTURES_A_FAMILY = 16
"""Looked at for a first classifier where the starting weights bring none."""


def train(
    shop: Workshop, weights: Path | None, workers: int | None, minutes: float | None = None, shards: Shares = ()
) -> bool:
    """Trains, or goes on with training, through the recipe's stages.

    Args:
        shop: where.
        weights: what to start from, see `load_start`; None: the shipped universal model's where they fit, else nothing.
        workers: processes that make pictures, for each one that trains; None: what suits the machine.
        minutes: stop, and save, after so many.
        shards: folders of tar shards to mix in, with their shares.

    Returns:
        Whether all stages are done.

    Raises:
        BrickgateError: no renders, or renders or a checkpoint of another recipe.
    """
    with joined() as crew:
        shop = muted(shop, crew)
        mix = open_mix(shop, crew, shards)
        training = new_training(shop, shop.recipe.network, shop.recipe.stages, crew, objective=labels(mix, shop))
        return carry_out(shop, training, weights, mix, workers, minutes)


def new_training(
    shop: Workshop,
    network: NetworkRecipe,
    stages: list[StageRecipe],
    crew: Crew,
    task: str = "train",
    objective: Callable[[Network], Objective] = Labels,
    teacher: str = "",
) -> Training:
    """A training of a new network of the recipe's families; `teacher` tells who teaches it, in a checkpoint."""
    torch.manual_seed(shop.recipe.seed)
    made = make_network(network.kind, len(shop.families), network.width)
    made.dropout.p = network.dropout
    return Training(
        made,
        [Stage(**stage.model_dump()) for stage in stages],
        shop.folder,
        shop.recipe.seed,
        objective=objective(made),
        crew=crew,
        subject=replace(subject_of(shop, network, task), teacher=teacher),
    )


def labels(mix: Mix, shop: Workshop) -> Callable[[Network], Objective]:
    """What a network is trained for on a mix."""
    return partial(Labels, log_shares=log_shares(mix, shop))


def log_shares(mix: Mix, shop: Workshop) -> Tensor:
    """(classes,) logarithm of each family's share in what is shown, see `Labels`."""
    return torch.from_numpy(np.log(mix.family_shares(len(shop.families)))).float()


def carry_out(
    shop: Workshop, training: Training, weights: Path | None, mix: Mix, workers: int | None, minutes: float | None
) -> bool:
    """Begins a training, or goes on with the one in the work folder, as `train` does; returns whether all is done.

    Raises:
        InputError: another run trains in this folder, or its checkpoint began with other weights.
        BrickgateError: as in `train`.
    """
    with ExitStack() as stack:
        training.crew.shared(lambda: stack.enter_context(only_training(training.folder)))
        if training.resume():
            training.crew.shared(lambda: _told_of_weights(shop, training.checkpoint, weights))
        else:
            start(shop, training, weights, mix)
        return go_on(shop, training, mix, workers, minutes)


def start(shop: Workshop, training: Training, weights: Path | None, mix: Mix) -> None:
    """Gives a new training its starting weights; the leading process's become everybody's. What an earlier training
    left in the work folder is not taken for this one's.

    Raises:
        InputError: weights that do not fit.
    """
    network, origin = training.network, shop.folder / ORIGIN
    if weights is None and (network.kind, network.width) == (MobileNetV2.kind, SHIPPED_WIDTH):
        weights = SHIPPED_WEIGHTS
        shop.report("no starting weights given: starting from those of the shipped universal model")
    if weights in {None, FROM_NOTHING}:
        shop.report("no starting weights: training from nothing takes far longer (--weights)")
        if training.crew.leads:
            origin.unlink(missing_ok=True)
            _put_by(shop)
        return
    assert weights is not None

    def load() -> None:
        known = load_start(network, weights, [family.number for family in shop.families], class_by_name(shop.families))
        origin.write_text(weights.name, encoding="utf-8")
        _put_by(shop)
        if len(known) < network.classes:
            _fit(shop, training, mix, known)

    training.crew.shared(load)
    training.crew.alike(network)
    training.restart_average()


def _told_of_weights(shop: Workshop, there: Path, weights: Path | None) -> None:
    """Says that weights which are named beside a checkpoint are not read, and refuses others than it began with: who
    names them wants a new training. The same command goes on.

    Raises:
        InputError: they are others.
    """
    if weights is None:
        return
    file = shop.folder / ORIGIN
    began = " ".join(file.read_text(encoding="utf-8").split()) if file.is_file() else str(FROM_NOTHING)
    if weights.name not in began:  # what the file tells may be a whole history
        raise InputError(
            f"{there} is there, which began with --weights {began}: leave --weights {weights} out to go on with it, or"
            " move it away to begin anew"
        )
    if weights != FROM_NOTHING:
        shop.report(f"going on with {there}, which began with {weights.name}: move it away to begin anew")


def _put_by(shop: Workshop) -> None:
    """Moves away what int8 after training would start from: it is of the training whose checkpoint is gone."""
    left_over = shop.folder / BEFORE_INT8
    if left_over.is_file():
        aside = left_over.with_stem(f"{left_over.stem}-of-earlier")
        left_over.replace(aside)
        shop.report(f"{left_over} is of an earlier training: it is {aside.name} now")


def _fit(shop: Workshop, training: Training, mix: Mix, known: Sequence[int]) -> None:
    """Norms for features that were learned on other pictures, and a classifier for all families but the known ones."""
    network, size_px = training.network, training.stages[0].size_px
    pictures = next(batches(mix, size_px, PICTURES_FOR_NORMS))[0]
    unfold_batch_norms(network, to_input(pictures.to(training.crew.device)))
    wanted = PICTURES_A_FAMILY * len(shop.families)
    new, all_ = len(shop.families) - len(known), len(shop.families)
    beside = f", for {new} of {all_} families, which the weights do not know" if known else ""
    shop.report(f"fitting a first classifier to {wanted} pictures{beside}")
    with told_of_killed_makers():
        begin_classifier(network, batches(mix, size_px, FITTING_BATCH, loaders=training.crew.loaders), wanted, known)


def go_on(shop: Workshop, training: Training, mix: Mix, workers: int | None, minutes: float | None) -> bool:
    """Trains what is left; stopped by the clock, says how far it is. Returns whether all is done."""
    loaders = training.crew.loaders if workers is None else workers
    if training.progress.stage >= len(training.stages):
        shop.report(
            f"{training.checkpoint} is trained through all stages, so nothing was done: move it away to train anew, or"
            " add a stage to the recipe"
        )
    done = training.run(mix, loaders, shop.report, minutes)
    if not done:
        at = standing(training.progress, training.stages)
        shop.report(f"stopped after {minutes:g} minutes at {at}: run the same command to go on")
    return done


def muted(shop: Workshop, crew: Crew) -> Workshop:
    """The workshop of one process of several: only the leading one reports."""
    return shop if crew.leads else replace(shop, report=lambda line: None)


def subject_of(shop: Workshop, network: NetworkRecipe, task: str = "train") -> Subject:
    """What a checkpoint of the recipe is of."""
    lesson = shop.recipe.distill.model_dump() if task == "distill" else {}
    return Subject(tuple(family.number for family in shop.families), network.kind, network.width, task, lesson)


def standing(at: Progress, stages: Sequence[Stage] | Sequence[StageRecipe]) -> str | None:
    """How far a training is, such as "16 of 48 pictures (33.3%), stage 1 of 2"; None: through all stages."""
    if at.stage >= len(stages):
        return None
    wanted = sum(stage.pictures for stage in stages)
    return f"{at.pictures} of {wanted} pictures ({at.pictures / wanted:.1%}), stage {at.stage + 1} of {len(stages)}"


def trained(shop: Workshop) -> Trained:
    """What was trained of the recipe.

    Raises:
        InputError: nothing has been trained yet.
        BrickgateError: the checkpoint is of another recipe, or damaged.
    """
    path = shop.folder / "checkpoint.pt"
    wanted = subject_of(shop, shop.recipe.network)
    found = load_trained(path, wanted)
    held, asked_for = network_in_words(found.network), network_in_words(wanted)
    if held != asked_for:
        raise checkpoint.damaged(path, ValueError(f"it holds {held}, not {asked_for}"))
    if found.families != wanted.families:
        what = f"it knows other families: {difference(found.families, wanted.families)}"
        raise checkpoint.damaged(path, ValueError(what))
    return found


def network_in_words(of: Network | Subject | NetworkRecipe) -> str:
    return f"a {of.kind} of width {of.width:g}"
