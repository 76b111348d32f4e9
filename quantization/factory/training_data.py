"""What a recipe trains on: its renders, and tar shards of other pictures in their shares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.errors import InputError
from quantization.data.opening import Opening, listed
from quantization.data.stream import Mix
from quantization.factory.workshop import Workshop
from quantization.train.parallel import Crew

SMALLEST_SHARE = 0.001

Shares = Sequence[tuple[Path, float]]


def open_mix(shop: Workshop, crew: Crew, more: Shares = ()) -> Mix:
    """`training_mix` in each process of a crew.

    Raises:
        InputError: as in `training_mix`, or this machine has other data than the leading one.
    """
    mix = crew.leader_first(lambda: training_mix(shop, more))
    counts = [len(source) for source in mix.sources]
    leaders = crew.shared(lambda: counts)
    if counts != leaders:
        raise InputError(f"worker {crew.rank} has {counts} samples, the first one {leaders}: give all the same data")
    return mix


def training_mix(shop: Workshop, more: Shares = ()) -> Mix:
    """Opens the recipe's data, and `more` folders with their shares; renders have what is left.

    Raises:
        InputError: nothing to read, shares beyond the whole, or a family without any sample.
    """
    data = shop.recipe.data
    opening = Opening(shop.families, data.damaged, shop.report)
    folders = [(Path(entry.folder), entry.share) for entry in data.shards] + list(more)
    left = 1 - sum(share for _, share in folders)
    if left < -SMALLEST_SHARE / 2:
        raise InputError(f"the shards' shares sum to {1 - left:g}: give 1 in all, or less and renders have the rest")
    sources = [opening.shards(folder) for folder, _ in folders]
    shares = [share for _, share in folders]
    if left >= SMALLEST_SHARE:
        sources.insert(0, opening.renders(shop.renders))
        shares.insert(0, left)
    empty = opening.without_samples(sources)
    if empty:
        line = f"no sample shows {listed(empty)} of the {len(shop.families)} families"
        if data.empty_families == "refuse":
            raise InputError(f"{line}: render them, take them out, or set data.empty_families to skip")
        shop.report(f"{line}: the model will not know {'it' if len(empty) == 1 else 'them'}")
    return Mix(
        sources,
        tuple(shares),
        shop.recipe.seed,
        damaged=data.damaged,
        recoloured_share=data.recoloured_share,
        coarsened_share=data.coarsened_share,
    )


def read_share(text: str) -> tuple[Path, float]:
    """A folder and its share from "DIR=SHARE".

    Raises:
        InputError: it is not of this form.
    """
    folder, _, share = text.rpartition("=")
    try:
        value = float(share)
    except ValueError:
        value = 0.0
    if not folder or not SMALLEST_SHARE <= value <= 1:
        raise InputError(f"--shards is '{text}': give DIR=SHARE with a share from 0.001 to 1, such as tiles=0.2")
    return Path(folder), value
