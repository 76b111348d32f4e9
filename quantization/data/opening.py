"""Opens what a recipe trains on, and gives each sample the class that its label names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from quantization.data.gaps import gap_of_set
from quantization.data.layers import families_of_set, moulds_of_set
from quantization.data.shards import open_shards
from quantization.data.sources import ShardSource, Source
from quantization.recipe import Family, class_by_name

NAMED = 5
"""Things that a message names before it says how many more there are."""
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Opening:
    """How sources are opened: for which classes, and what becomes of damaged samples."""

    families: Sequence[Family]
    damaged: Literal["refuse", "skip"]
    report: Report

    def renders(self, folder: Path, test: bool = False) -> Source:
        """The set of renders that the render step made; `test`: for testing.

        Raises:
            InputError: the folder holds no finished shard, or shows other families than the recipe has.
        """
        _check_renders(folder)
        check_families(folder, families_of_set(folder), self.families)
        return self.shards(folder, test)

    def shards(self, folder: Path, test: bool = False) -> Source:
        """The samples of some shards, without those kept for testing unless `test`. Those of no class are left out, and
        said.

        Raises:
            InputError: no shard, a damaged one that is to be refused, or no sample of any class.
        """
        index = open_shards([folder], self.damaged)
        gap = gap_of_set(folder, len(index))
        if gap is not None:
            self.report(gap)
        for line in index.damage:
            self.report(f"{line}: left out")
        if not test:
            index = index.select(index.labels["split"] != "test")
        classes = self._classes_of(index.labels["part"])
        known = classes >= 0
        if not known.all():
            self.report(_unknown(folder, index.labels["part"][~known], len(known)))
        if not known.any():
            raise InputError(f"{folder} shows no part of the recipe: give other shards, or correct its families")
        return ShardSource(index.select(known), classes[known])

    def _classes_of(self, parts: NDArray[np.str_]) -> NDArray[np.int64]:
        """(N,) class of each label, −1 for a part that no family has."""
        class_of = class_by_name(self.families)
        distinct, which = np.unique(parts, return_inverse=True)
        return np.array([class_of.get(str(part), -1) for part in distinct], np.int64)[which.reshape(-1)]

    def without_samples(self, sources: Sequence[Source]) -> list[str]:
        """Numbers of the families that no source shows."""
        seen = np.zeros(len(self.families), np.bool_)
        for source in sources:
            seen[source.families] = True
        return [family.number for family, shown in zip(self.families, seen, strict=True) if not shown]


def open_any(folder: Path) -> Source:
    """A set of renders whose classes do not matter.

    Raises:
        InputError: the folder holds no finished shard.
    """
    _check_renders(folder)
    index = open_shards([folder])
    classes = np.unique(index.labels["part"], return_inverse=True)[1].reshape(-1)
    return ShardSource(index, classes.astype(np.int64))


def _check_renders(folder: Path) -> None:
    if not any(folder.glob("[!.]*.tar")):
        raise InputError(f"{folder} holds no finished shard of renders: run 'brickgate-model render' first")


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def check_families(folder: Path, shown: Sequence[str], families: Sequence[Family]) -> None:
    """Refuse renders of other families, each of which would be taken for another by its place in the list, and of
    other moulds, which the bundle would tell the sizes of.

    Raises:
        InputError: they are others, or in another order.
    """
    wanted = [family.number for family in families]
    if list(shown) != wanted:
        raise InputError(
            f"{folder} shows other families than the recipe ({difference(shown, wanted)}): empty it and render"
            " anew, or give another --work"
        )
    for family, moulds in zip(families, moulds_of_set(folder) or (), strict=False):
        if moulds != list(family.moulds):
            raise InputError(
                f"{folder} shows {family.number} by {listed(moulds)}, and the recipe lists {listed(family.moulds)}:"
                " empty it and render anew, or give another --work"
            )


def difference(shown: Sequence[str], wanted: Sequence[str]) -> str:
    """How two lists of families differ."""
    added, gone = (
        [number for number in these if number not in set(those)] for these, those in ((wanted, shown), (shown, wanted))
    )
    lines = [f"{what} {listed(numbers)}" for what, numbers in (("it lacks", added), ("it has", gone)) if numbers]
    return ", ".join(lines) or "in another order"


def _unknown(folder: Path, parts: NDArray[np.str_], of: int) -> str:
    names, counts = np.unique(parts, return_counts=True)
    often_first = [str(name) for name in names[np.argsort(-counts, kind="stable")]]
    return f"{folder}: {len(parts)} of {of} samples are of no family of the recipe ({listed(often_first)}): left out"
