"""The order in which samples are seen: a function of the seed and of the place in it alone, whoever asks.

Workers take slices of one global order, so that their number changes nothing but who does the work. Each epoch is a
permutation of its own and the next one follows on without a gap: a batch may hold the end of one and the start of the
next, nothing is padded, dropped or seen twice, and every batch is full.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

SLOTS = 1000
"""Samples in a block of a mix: shares are kept to a thousandth."""


@dataclass(slots=True)
class EpochOrder:
    """Permutations of `count` samples, one after the other; `key` tells orders of one seed apart."""

    count: int
    seed: int
    key: int = 0
    _kept: dict[int, Integers] = field(default_factory=dict[int, Any], repr=False)

    def at(self, places: Integers) -> tuple[Integers, Integers]:
        """(N,) epochs and (N,) samples at some places in the order."""
        epochs, within = np.divmod(places, self.count)
        samples = np.empty_like(places)
        for epoch in np.unique(epochs):
            chosen = epochs == epoch
            samples[chosen] = self._permutation(int(epoch))[within[chosen]]
        return epochs, samples

    def _permutation(self, epoch: int) -> Integers:
        if epoch not in self._kept:
            while len(self._kept) > 1:
                self._kept.pop(next(iter(self._kept)))
            self._kept[epoch] = np.random.default_rng([self.seed, self.key, epoch]).permutation(self.count)
        return self._kept[epoch]


@dataclass(slots=True)
class MixedOrder:
    """Several sources in fixed shares, each of them in its own order of epochs.

    Every block of `SLOTS` samples holds each source's share of it, rounded to whole samples, shuffled.
    """

    counts: tuple[int, ...]
    shares: tuple[float, ...]
    seed: int
    key: int = 0
    _orders: list[EpochOrder] = field(init=False, repr=False)
    _slots: Integers = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._orders = [EpochOrder(n, self.seed, self.key * 1009 + k + 1) for k, n in enumerate(self.counts)]
        self._slots = largest_remainder(self.shares, SLOTS)

    def at(self, places: Integers) -> tuple[Integers, Integers, Integers]:
        """(N,) sources, (N,) epochs of that source and (N,) samples in it, at some places in the order."""
        sources, epochs, samples = (np.empty_like(places) for _ in range(3))
        if len(self.counts) == 1:
            epochs, samples = self._orders[0].at(places)
            return np.zeros_like(places), epochs, samples
        blocks, within = np.divmod(places, SLOTS)
        for block in np.unique(blocks):
            chosen = blocks == block
            pattern, rank = self._pattern(int(block))
            sources[chosen], ranks = pattern[within[chosen]], rank[within[chosen]]
            for source in np.unique(sources[chosen]):
                mine = chosen & (sources == source)
                place = block * self._slots[source] + ranks[sources[chosen] == source]
                epochs[mine], samples[mine] = self._orders[source].at(place)
        return sources, epochs, samples

    def _pattern(self, block: int) -> tuple[Integers, Integers]:
        """Source of each slot of a block, and how many slots before it in the block are of the same source."""
        pattern = np.repeat(np.arange(len(self.counts)), self._slots)
        np.random.default_rng([self.seed, self.key, 3, block]).shuffle(pattern)
        rank = np.empty(SLOTS, np.int64)
        for source in range(len(self.counts)):
            mine = pattern == source
            rank[mine] = np.arange(mine.sum())
        return pattern, rank


def largest_remainder(shares: tuple[float, ...], whole: int) -> Integers:
    """Whole numbers that sum to `whole`, in proportion to `shares`; what rounding leaves goes to the largest rests."""
    exact = np.asarray(shares, float) / sum(shares) * whole
    parts = np.floor(exact).astype(np.int64)
    for k in np.argsort(parts - exact, kind="stable")[: whole - parts.sum()]:
        parts[k] += 1
    return parts


def slice_of(batch: int, rank: int, workers: int) -> slice:
    """A worker's part of a batch: parts differ by one sample at most where `workers` does not divide it."""
    return slice(batch * rank // workers, batch * (rank + 1) // workers)
