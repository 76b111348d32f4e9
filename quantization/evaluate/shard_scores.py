"""A bundle's int8 model on the test samples of shards: `brickgate-model evaluate --shards DIR --by group`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import load_bundle
from edge.bundle.preprocess import cut
from edge.catalogue.parts import PartCatalogue
from edge.errors import InputError
from quantization.data.gaps import gap_of_set
from quantization.data.shards import ShardIndex, open_shards
from quantization.evaluate.groups import Tray, accuracy, score_tray
from quantization.quantize.convert import TfliteModel

WORST = 10
Say = Callable[[str], None]


def evaluate_by_group(folders: Sequence[Path], bundle_name: str, say: Say) -> list[Tray]:
    """Score the trays of the test split, and say what came of them.

    Args:
        folders: of shards that hold pictures.
        bundle_name: a bundle's folder or a shipped name.
        say: told the figures, and of each sample that is left out.

    Raises:
        BundleError: the bundle cannot be used.
        InputError: no shard, or no test sample of a part that the model knows.
    """
    bundle = load_bundle(bundle_name)
    for folder in folders:
        gap = gap_of_set(folder, len(open_shards([folder], damaged="skip")))
        if gap is not None:
            say(gap)
    index = _test_samples(open_shards(folders, damaged="skip"), say)
    catalogue = PartCatalogue(bundle.parts)
    classes = np.array([-1 if k is None else k for k in map(catalogue.index, index.labels["part"].tolist())], np.int64)
    _tell_unknown(index.labels["part"][classes < 0], bundle.name, say)
    members: dict[tuple[str, int], list[int]] = {}
    for number in np.flatnonzero(classes >= 0).tolist():
        members.setdefault((str(index.labels["group"][number]), int(classes[number])), []).append(number)
    model, spec = TfliteModel(bundle.model), replace(bundle.input, margin=0.0)

    def scores(number: int) -> NDArray[np.float32]:
        image = _picture(index, number)
        crop = cut(image, (0, 0, image.shape[1], image.shape[0]), spec)
        return log_softmax(model.logits(crop[np.newaxis]), bundle.temperature)[0]

    trays: list[Tray] = []
    for (group, truth), numbers in sorted(members.items()):
        tiles = [found for number in numbers if (found := _or_none(scores, number, say)) is not None]
        if tiles:
            trays.append(score_tray(group, truth, np.stack(tiles)))
    if not trays:
        raise InputError(f"no test sample shows a part that {bundle.name} knows: give other shards or another --bundle")
    _tell(trays, [part.number for part in bundle.parts], say)
    return trays


def _or_none(scores: Callable[[int], NDArray[np.float32]], number: int, say: Say) -> NDArray[np.float32] | None:
    try:
        return scores(number)
    except InputError as error:
        say(f"{error}: left out")
        return None


def _tell_unknown(parts: NDArray[np.str_], model: str, say: Say) -> None:
    names = sorted(set(parts.tolist()))
    if names:
        listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        say(f"{len(parts)} samples show parts that {model} does not know ({listed}): left out")


def _test_samples(index: ShardIndex, say: Say) -> ShardIndex:
    """The pictures kept for testing; one without a group is a group of its own."""
    for line in index.damage:
        say(f"{line}: left out")
    pictures = index.labels["kind"] == "picture"
    if not pictures.all():
        say(f"{int((~pictures).sum())} samples are layers, which no camera saw: left out")
    chosen = index.select(pictures & (index.labels["split"] == "test"))
    if not len(chosen):
        raise InputError(
            "the shards hold no picture of the test split: make them of several"
            " pictures of a part, with a --test-share above 0"
        )
    alone = chosen.labels["group"] == ""
    if alone.any():
        numbers = np.array([f"sample {k}" for k in range(len(chosen))])
        chosen.labels["group"] = np.where(alone, numbers, chosen.labels["group"])
    return chosen


def _picture(index: ShardIndex, number: int) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 blue-green-red."""
    data = np.frombuffer(index.picture(number), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise InputError(f"{index.name(number)} cannot be decoded")
    return image.astype(np.uint8, copy=False)


def _tell(trays: list[Tray], numbers: Sequence[str], say: Say) -> None:
    found = accuracy(trays)
    say(f"single tiles: {found.single:.1%} of {found.tiles}")
    say(f"trays by mean score: {found.mean:.1%} of {found.trays}")
    say(f"trays by majority vote: {found.vote:.1%}")
    say(f"trays by product of scores: {found.product:.1%}")
    wrong = sorted((tray for tray in trays if tray.by_mean != tray.truth), key=lambda tray: tray.right / tray.tiles)
    for tray in wrong[:WORST]:
        say(
            f"  {tray.group}: {numbers[tray.truth]} taken for {numbers[tray.by_mean]}"
            f" ({tray.right} of {tray.tiles} tiles right)"
        )
    if len(wrong) > WORST:
        say(f"  and {len(wrong) - WORST} more")
