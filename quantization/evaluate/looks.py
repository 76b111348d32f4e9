"""Unseen synthetic looks: pictures from renders that training never drew from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from quantization.data.augment import Augmenter
from quantization.data.layers import LayerSet
from quantization.data.opening import listed

Bytes = NDArray[np.uint8]

BATCH = 64


@dataclass(frozen=True, slots=True)
class UnseenLooks:
    """`families` (N,) and `picture(i)`, the (S, S, 3) uint8 RGB of look i, made when asked for and the same each time.

    Each run of `looks_a_part` looks shows one part. `sizes_mm` (N, 2) are the length and width that each look shows;
    (0, 2) where the camera stands so that they say little.
    """

    families: NDArray[np.int64]
    looks_a_part: int
    picture: Callable[[int], Bytes]
    sizes_mm: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2), np.float32))

    def batches(self, size: int = BATCH) -> Iterator[Bytes]:
        """All pictures in order, `size` at a time."""
        for start in range(0, len(self.families), size):
            yield np.stack([self.picture(i) for i in range(start, min(start + size, len(self.families)))])


def make_test_looks(
    looks: LayerSet, size_px: int, parts: int, looks_a_part: int, seed: int, clean_margin: float | None = None
) -> UnseenLooks:
    """Looks at `parts` simulated parts. Those of one part share the augmentation's random draws, so that what goes
    wrong in one look tends to go wrong in the others, as on a machine; the renders differ in pose and view.

    With `clean_margin` the looks are as a good camera takes them and the machine cuts them out (`Augmenter.clean`),
    else as training has them, where much goes wrong.

    Raises:
        InputError: a family without a render: the set is not finished.
    """
    augmenter = Augmenter(looks, size_px, seed + 1)
    rng = np.random.default_rng([seed, 4])
    by_family = [np.flatnonzero(looks.family == k) for k in range(len(looks.families))]
    empty = [looks.families[k] for k, renders in enumerate(by_family) if not len(renders)]
    if empty:
        raise InputError(
            f"the test's renders show nothing of {listed(empty)} of {len(by_family)} families: run"
            " 'brickgate-model render' to its end"
        )
    family_of = np.arange(parts) % len(by_family)
    chosen = np.concatenate([_drawn(by_family[family], looks_a_part, rng) for family in family_of])

    def picture(index: int) -> Bytes:
        rng = np.random.default_rng([seed, 5, index // looks_a_part])
        if clean_margin is None:
            return augmenter.picture(int(chosen[index]), rng)
        return augmenter.clean(int(chosen[index]), clean_margin, rng)

    return UnseenLooks(np.repeat(family_of, looks_a_part), looks_a_part, picture)


def _drawn(renders: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Renders of one family, none twice unless there are too few."""
    return rng.choice(renders, count, replace=count > len(renders))
